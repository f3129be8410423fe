"""Programs of `make bench-churn` that are reported and not judged: what services and batch jobs do over and over."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import json
import random
import re
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.churn.programs import ByteArrays, JsonDocument, records_as_json
from bench.churn.rounds import Rounds, ServiceRounds


class Threads(ServiceRounds):
    """Four threads read a document each and drop it; a tenth of it is dropped by the main thread."""

    rounds = 100
    thread_count = 4

    def prepare(self) -> None:
        super().prepare()
        self.text = records_as_json(15_000)
        self.threads = ThreadPoolExecutor(self.thread_count)

    def job(self, _: int) -> list[Any]:
        document: list[Any] = json.loads(self.text)
        return document[::10]

    def build(self, number: int) -> list[list[Any]]:
        return list(self.threads.map(self.job, range(self.thread_count)))

    def weight(self) -> int:
        return sum(map(len, self.held))

    def finish(self) -> None:
        self.threads.shutdown()


class CsvReport(ServiceRounds):
    """Reads rows, sums them up by customer, and writes a table."""

    rounds = 45

    def prepare(self) -> None:
        super().prepare()
        generator = random.Random(5)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["number", "customer", "city", "amount", "note"])
        for row in range(30_000):
            customer = f"customer {generator.randrange(3000)}"
            writer.writerow([row, customer, f"city {row % 97}", f"{generator.random() * 100:.2f}", "paid" * (row % 4)])
        self.text = text.getvalue()

    def build(self, number: int) -> tuple[Any, str]:
        rows = list(csv.DictReader(io.StringIO(self.text)))
        amounts: defaultdict[str, list[float]] = defaultdict(list)
        for row in rows:
            amounts[row["customer"]].append(float(row["amount"]))
        table = io.StringIO()
        writer = csv.writer(table)
        for customer in sorted(amounts):
            writer.writerow([customer, len(amounts[customer]), round(sum(amounts[customer]), 2)])
        return rows, table.getvalue()

    def weight(self) -> int:
        return len(self.held[1])


class Text(ServiceRounds):
    """Finds the words of a text, counts them, marks some up, and puts a page together piece by piece."""

    rounds = 50

    def prepare(self) -> None:
        super().prepare()
        generator = random.Random(6)
        words = ["".join(generator.choices("abcdefghijklmnop", k=generator.randint(2, 12))) for _ in range(5000)]
        lines = [" ".join(generator.choices(words, k=12)) for _ in range(8000)]
        self.text = "\n".join(lines)
        self.word = re.compile(r"\w+")
        self.marked = re.compile(r"\b(a\w+)")

    def build(self, number: int) -> tuple[Any, str]:
        words = self.word.findall(self.text)
        counts = Counter(word.upper() for word in words)
        page = ""
        for line in self.text.split("\n"):
            marked = self.marked.sub(r"*\1*", line)
            page += f"<p>{html.escape(marked)}</p>\n"
        return (words, counts), page

    def weight(self) -> int:
        return len(self.held[1])


class Tasks(ServiceRounds):
    """asyncio: 10,000 tasks at a time, each with an answer of its own."""

    rounds = 25

    async def answer(self, number: int) -> dict[str, object]:
        await asyncio.sleep(0)
        body = bytes(200 + number * 7919 % 1800)
        await asyncio.sleep(0)
        return {"id": number, "text": f"answer {number}", "body": body}

    async def answers(self) -> list[dict[str, object]]:
        return await asyncio.gather(*(self.answer(number) for number in range(10_000)))

    def build(self, number: int) -> list[dict[str, object]]:
        return asyncio.run(self.answers())


class InvalidatedCache(ServiceRounds):
    """A dict of dicts, of which one region after the other is dropped and filled anew."""

    rounds = 100
    regions = 8

    def prepare(self) -> None:
        super().prepare()
        self.cache = {region: self.region(region) for region in range(self.regions)}

    def region(self, number: int) -> dict[str, dict[str, object]]:
        return {
            f"key {number} {index}": {"id": index, "price": index / 7, "labels": [f"label {index}", number]}
            for index in range(15_000)
        }

    def build(self, number: int) -> dict[str, dict[str, object]]:
        region = number % self.regions
        del self.cache[region]
        self.cache[region] = self.region(number)
        return self.cache[region]

    def drop(self) -> None:
        super().drop()
        self.cache.clear()


class RestedByteArrays(ByteArrays):
    """As between the requests of a service that is not busy: free memory grows older, but is not idle."""

    rounds = 60
    rest_seconds = 0.06

    def build(self, number: int) -> list[bytearray]:
        time.sleep(self.rest_seconds)
        return super().build(number)


class RestedDocument(JsonDocument):
    """The same."""

    rounds = 60
    rest_seconds = 0.06

    def build(self, number: int) -> Any:
        time.sleep(self.rest_seconds)
        return super().build(number)


MORE_PROGRAMS: dict[str, type[Rounds]] = {
    "threads": Threads,
    "csv report": CsvReport,
    "text": Text,
    "asyncio tasks": Tasks,
    "invalidated cache": InvalidatedCache,
    "bytearrays and rests": RestedByteArrays,
    "documents and rests": RestedDocument,
}
