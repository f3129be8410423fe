"""SQLAlchemy: rows of a database become objects of a session."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

from bench.process.part_kept import PartKept


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    street: Mapped[str]
    sales: Mapped[list[Sale]] = relationship()


class Sale(Base):
    __tablename__ = "sale"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    text: Mapped[str]
    amount: Mapped[float]


class Rows(PartKept):
    def write_input(self, path: Path) -> None:
        generator = random.Random(9)
        count = self.count(25_000)
        customers = [(index, f"user-{index}", f"{generator.randrange(10**4)} Main Street") for index in range(count)]
        sales = [(index, index // 2, f"sale number {index}", generator.random()) for index in range(2 * count)]
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("create table customer (id integer primary key, name text, street text)")
            database.execute("create table sale (id integer primary key, customer_id integer, text text, amount real)")
            database.execute("create index sale_customer on sale (customer_id)")
            database.executemany("insert into customer values (?, ?, ?)", customers)
            database.executemany("insert into sale values (?, ?, ?, ?)", sales)

    def prepare(self) -> None:
        self.engine = create_engine(f"sqlite:///{self.input_path()}")

    def grow(self) -> None:
        self.session = Session(self.engine)
        wanted = select(Customer).order_by(Customer.id).options(selectinload(Customer.sales))
        self.held = list(self.session.scalars(wanted))

    def drop(self) -> None:
        super().drop()
        self.session.close()

    def describe(self, survivor: Customer) -> str:
        return f"{survivor.name} {survivor.street} {[(sale.text, sale.amount) for sale in survivor.sales]}"

    def finish(self) -> None:
        self.engine.dispose()
