"""pydantic with orjson: JSON becomes models; their core in Rust takes its memory from malloc."""

from __future__ import annotations

import random
from pathlib import Path

import orjson
import pydantic

from bench.process.part_kept import PartKept

BATCHES = 6


class Item(pydantic.BaseModel):
    name: str
    price: float
    count: int


class Order(pydantic.BaseModel):
    number: int
    customer: str
    address: dict[str, str]
    items: list[Item]


def order(number: int, generator: random.Random) -> dict[str, object]:
    items = [
        {"name": f"item-{generator.randrange(10**6)}", "price": generator.random(), "count": generator.randrange(1000)}
        for _ in range(number % 4 + 1)
    ]
    address = {"street": f"{generator.randrange(10**4)} Main Street", "zip": str(generator.randrange(10**5))}
    return {"number": number, "customer": f"user-{generator.randrange(10**9)}", "address": address, "items": items}


class Models(PartKept):
    def write_input(self, path: Path) -> None:
        generator = random.Random(8)
        path.write_bytes(orjson.dumps([order(number, generator) for number in range(self.count(12_000))]))

    def prepare(self) -> None:
        self.text = self.input_path().read_bytes()
        self.validate = pydantic.TypeAdapter(list[Order]).validate_python

    def grow(self) -> None:
        self.held = [found for _ in range(BATCHES) for found in self.validate(orjson.loads(self.text))]
