"""The six programs by which `make bench-churn` is judged: each alone, and as the work of a service."""

from __future__ import annotations

import json
import random
from typing import Any

from bench.churn.rounds import Rounds, ServiceRounds

KILOBYTE = 1000


class BytesObjects(Rounds):
    """50,000 of 1 to 1.5 kB."""

    rounds = 120

    def prepare(self) -> None:
        super().prepare()
        pick = random.Random(1).randint
        self.sizes = [pick(1000, 1500) for _ in range(50_000)]
        self.body = bytes(range(250)) * 6

    def build(self, number: int) -> list[bytes]:
        body = self.body
        return [body[:size] for size in self.sizes]

    def weight(self) -> int:
        return sum(map(len, self.held))


class ByteArrays(Rounds):
    """160 of 200 to 360 kB."""

    rounds = 400

    def prepare(self) -> None:
        super().prepare()
        pick = random.Random(2).randint
        self.sizes = [pick(200 * KILOBYTE, 360 * KILOBYTE) for _ in range(160)]

    def build(self, number: int) -> list[bytearray]:
        return [bytearray(size) for size in self.sizes]

    def weight(self) -> int:
        return sum(map(len, self.held))


class Order:
    def __init__(self, number: int, customer: str) -> None:
        self.number = number
        self.price = number / 8
        self.customer = customer


class Instances(Rounds):
    """150,000 instances."""

    rounds = 40

    def build(self, number: int) -> list[Order]:
        return [Order(index, "somebody") for index in range(150_000)]

    def weight(self) -> int:
        return int(self.held[-1].price)


def records_as_json(count: int) -> str:
    generator = random.Random(3)
    records = [
        {"id": index, "name": f"user-{generator.randrange(10**9)}", "score": round(generator.random(), 6)}
        for index in range(count)
    ]
    return json.dumps(records)


class JsonDocument(Rounds):
    """60,000 records."""

    rounds = 100
    records = 60_000

    def prepare(self) -> None:
        super().prepare()
        self.text = records_as_json(self.records)

    def build(self, number: int) -> Any:
        return json.loads(self.text)


class Requests(Rounds):
    """Each with 100 to 100,000 rows, as many short as long ones on a logarithmic scale."""

    rounds = 400

    def prepare(self) -> None:
        super().prepare()
        self.random = random.Random(4)

    def build(self, number: int) -> list[tuple[int, str, list[int]]]:
        rows = int(100 * 1000 ** self.random.random())
        return [(row, f"row {row} of request {number}", [row, number]) for row in range(rows)]


class GrowingList(Rounds):
    """Grown to 1.5 million by append."""

    rounds = 30

    def build(self, number: int) -> list[int]:
        grown: list[int] = []
        append = grown.append
        for _ in range(1_500_000):
            append(number)
        return grown


PROGRAMS: dict[str, type[Rounds]] = {
    "bytes objects": BytesObjects,
    "bytearrays": ByteArrays,
    "instances": Instances,
    "json document": JsonDocument,
    "requests of many sizes": Requests,
    "growing list": GrowingList,
}
GROWING_LIST = "growing list"
OF_SMALL_RESULTS = ("instances", "json document", "requests of many sizes")


def as_service(name: str, program: type[Rounds]) -> type[Rounds]:
    return type(program.__name__ + "Service", (ServiceRounds, program), {"keeps_results": name in OF_SMALL_RESULTS})


SERVICES = {f"{name} in a service": as_service(name, program) for name, program in PROGRAMS.items()}
