"""Part (b): allocation-heavy Python programs. Each returns a number that must be the same under every allocator.

python -m bench.speed.programs NAME      prints JSON: cpu seconds of the work, frees included, and the number
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any


def trees() -> int:
    """Binary trees of tuples, many short-lived, one long-lived."""

    def make(depth: int) -> tuple[Any, Any] | None:
        return None if depth == 0 else (make(depth - 1), make(depth - 1))

    def count(tree: tuple[Any, Any] | None) -> int:
        return 0 if tree is None else 1 + count(tree[0]) + count(tree[1])

    kept = make(17)
    return sum(count(make(12)) for _ in range(500)) + count(kept)


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


class SlottedPoint:
    __slots__ = ("x", "y")

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


def instances() -> int:
    total = 0
    for start in range(8):
        points = [Point(index + 1000, start + 1000) for index in range(150_000)]
        total += sum(point.x for point in points)
    return total


def slotted_instances() -> int:
    total = 0
    for start in range(8):
        points = [SlottedPoint(index + 1000, start + 1000) for index in range(200_000)]
        total += sum(point.x for point in points)
    return total


def json_documents() -> int:
    generator = random.Random(11)
    records = [
        {"id": index, "name": f"user-{index}", "scores": [generator.random() for _ in range(5)], "tags": ["a", "bc"]}
        for index in range(6_000)
    ]
    text = json.dumps(records)
    total = 0
    for _ in range(30):
        document = json.loads(text)
        total += len(json.dumps(document[::7])) + len(document)
    return total


def strings_and_dicts() -> int:
    counts: dict[str, int] = {}
    text = " ".join(f"word{index * 7919 % 5000} tail-{index % 300}" for index in range(20_000))
    for turn in range(60):
        for word in text.split():
            key = word.upper() + str(turn % 3)
            counts[key] = counts.get(key, 0) + 1
    index = {word: {"length": len(word), "count": count} for word, count in counts.items()}
    return sum(entry["length"] * entry["count"] for entry in index.values())


def floats() -> int:
    values = [index * 0.5 for index in range(300_000)]
    for _ in range(40):
        values = [value * 1.0001 + 0.25 for value in values]
    return int(sum(values))


def nested_lists() -> int:
    total = 0
    for turn in range(28):
        rows = [[column * row for column in range(300, 312)] for row in range(12_000 + turn)]
        transposed = [list(column) for column in zip(*rows, strict=True)]
        total += sum(len(row) for row in rows) + len(transposed)
    return total


def mixed_churn() -> int:
    """A window of live objects of many sizes, replaced at random."""
    generator = random.Random(4)
    window: list[Any] = [None] * 30_000
    makers: list[Callable[[int], Any]] = [
        lambda n: [n, n + 1.5, str(n)],
        lambda n: {"key": n, "other": n / 3},
        lambda n: "x" * (n % 400) + str(n),
        lambda n: bytes(n % 1500),
        lambda n: (n, (n, (n, n + 0.25))),
        lambda n: Point(n, n + 1),
        lambda n: set(range(n % 20)),
    ]
    total = 0
    for number in range(700_000):
        slot = int(generator.random() * 30_000)
        window[slot] = makers[number % 7](number)
        total += slot
    return total


PROGRAMS: dict[str, Callable[[], int]] = {
    "trees": trees,
    "instances": instances,
    "instances with slots": slotted_instances,
    "json": json_documents,
    "strings and dicts": strings_and_dicts,
    "floats": floats,
    "nested lists": nested_lists,
    "mixed churn": mixed_churn,
}


def main() -> None:
    program = PROGRAMS[sys.argv[1]]
    start = time.process_time()
    number = program()
    seconds = time.process_time() - start
    print(json.dumps({"cpu_seconds": seconds, "number": number}), flush=True)


if __name__ == "__main__":
    main()
