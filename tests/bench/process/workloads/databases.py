"""SQLite: databases in memory, one per session, for instance."""

from __future__ import annotations

import sqlite3

from bench.process.part_kept import PartKept
from bench.shared.workload import scattered


class Databases(PartKept):
    def prepare(self) -> None:
        self.rows = [(index, f"user-{index * 7919 % 10**6}", "text " * (index % 40)) for index in range(2_500)]

    def grow(self) -> None:
        self.held = [self.database() for _ in range(self.count(300))]

    def database(self) -> sqlite3.Connection:
        made = sqlite3.connect(":memory:")
        made.execute("create table entry (id integer primary key, name text, body text)")
        made.execute("create index entry_name on entry (name)")
        made.executemany("insert into entry values (?, ?, ?)", self.rows)
        made.commit()
        return made

    def drop(self) -> None:
        self.survivors = scattered(self.held, self.share)
        kept = set(map(id, self.survivors))
        for database in self.held:
            if id(database) not in kept:
                database.close()
        self.held = None

    def describe(self, survivor: sqlite3.Connection) -> str:
        return repr(survivor.execute("select count(*), sum(length(body)), max(name) from entry").fetchone())
