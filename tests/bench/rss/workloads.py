"""The workloads of `make bench-rss`: each grows a heap, then drops all of it or all but a few survivors."""

from __future__ import annotations

import ast
import collections
import json
import random
import sysconfig
import threading
from pathlib import Path
from queue import SimpleQueue

from bench.shared.workload import Workload, scattered

# ---- JSON ----

JSON_RECORDS = 60_000
JSON_LOADS = 5


def json_record(index: int, generator: random.Random) -> dict[str, object]:
    return {
        "id": index,
        "name": f"user-{generator.randrange(10**9)}",
        "active": index % 3 == 0,
        "scores": [round(generator.random(), 6) for _ in range(6)],
        "tags": [f"tag-{generator.randrange(10**6)}" for _ in range(4)],
        "address": {"street": f"{generator.randrange(10**4)} Main Street", "zip": str(generator.randrange(10**5))},
    }


def json_file(inputs: Path, scale: float) -> Path:
    return inputs / f"records-{scale:g}.json"


def write_json_file(inputs: Path, scale: float) -> None:
    """Once, by the benchmark: a document made in the measured process would leave its own holes in the heap."""
    path = json_file(inputs, scale)
    if path.exists():
        return
    generator = random.Random(20)
    records = max(1, int(JSON_RECORDS * scale))
    inputs.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text("[" + ",".join(json.dumps(json_record(i, generator)) for i in range(records)) + "]")
    unfinished.rename(path)


class Json(Workload):
    share = 0.0

    def prepare(self) -> None:
        self.text = json_file(self.inputs, self.scale).read_text()

    def grow(self) -> None:
        self.held = [json.loads(self.text) for _ in range(JSON_LOADS)]

    def drop(self) -> None:
        self.survivors = scattered([record for document in self.held for record in document], self.share)
        self.held = None


class JsonFewSurvivors(Json):
    share = 0.001


class JsonSurvivors(Json):
    share = 0.01


class JsonManySurvivors(Json):
    share = 0.05


# ---- Objects of one kind ----


class SyntaxTrees(Workload):
    """Syntax trees of the standard library's larger modules."""

    modules = ("typing", "argparse", "inspect", "decimal", "_pydecimal", "datetime", "turtle", "subprocess", "tarfile")
    repetitions = 6

    def prepare(self) -> None:
        library = Path(sysconfig.get_path("stdlib"))
        self.sources = [path.read_text() for name in self.modules if (path := library / f"{name}.py").exists()]

    def grow(self) -> None:
        self.held = [ast.parse(text) for _ in range(self.count(self.repetitions)) for text in self.sources]


class Floats(Workload):
    def grow(self) -> None:
        generate = random.Random(1).random
        self.held = [generate() for _ in range(self.count(4_000_000))]


class ShortStrings(Workload):
    """8 to 47 characters, 1 % survive."""

    def grow(self) -> None:
        count = self.count(2_000_000)
        self.held = [f"{index:08d}" + "abcdefghijklmnopqrstuvwxyzabcdefghijklm"[: index % 40] for index in range(count)]

    def drop(self) -> None:
        self.survivors = scattered(self.held, 0.01)
        self.held = None


class Bytes(Workload):
    """Above pymalloc's limit of 512 bytes: 700 to 2048."""

    share = 0.0

    def grow(self) -> None:
        pick = random.Random(3).randrange
        self.held = [bytes(pick(700, 2049)) for _ in range(self.count(250_000))]

    def drop(self) -> None:
        self.survivors = scattered(self.held, self.share)
        self.held = None


class BytesSurvivors(Bytes):
    share = 0.01


class GrowingLists(Workload):
    """Lists that grow by turns, so that none can grow in place for long."""

    def grow(self) -> None:
        self.held = [[] for _ in range(400)]
        for length in range(0, self.count(50_000), 50):
            for grown in self.held:
                grown.extend(range(length % 200, length % 200 + 50))  # small integers: no objects of their own


class ShrinkingCache(Workload):
    """An LRU cache, worked on at full size, then shrunk to 5 % and worked on again."""

    def prepare(self) -> None:
        self.capacity = self.count(200_000)
        self.keys = self.capacity * 4
        self.cache: collections.OrderedDict[int, tuple[str, bytes, list[float]]] = collections.OrderedDict()
        self.random = random.Random(5)

    def request(self) -> None:
        cache = self.cache
        key = int(self.random.random() ** 2 * self.keys)  # low ones more often
        if key in cache:
            cache.move_to_end(key)
            return
        while len(cache) >= self.capacity:
            cache.popitem(last=False)
        cache[key] = (f"entry number {key}", bytes(100 + key * 7919 % 1000), [key / 3, key / 7])

    def grow(self) -> None:
        for _ in range(self.capacity * 3):
            self.request()

    def drop(self) -> None:
        self.capacity //= 20
        for _ in range(self.capacity * 4):
            self.request()
        self.survivors = [(key, entry[0], len(entry[1])) for key, entry in self.cache.items()]


class ChurnThenDrop(Workload):
    """Builds 60 MB and drops it over and over, ten seconds long: an allocator may learn to hold them. Then all goes."""

    rounds = 400

    def grow(self) -> None:
        pick = random.Random(9).randrange
        sizes_bytes = [pick(1000, 1501) for _ in range(50_000)]
        for _ in range(self.count(self.rounds)):
            self.held = None
            self.held = [bytes(size_bytes) for size_bytes in sizes_bytes]


# ---- Threads ----


def message(index: int) -> dict[str, object]:
    return {
        "id": index,
        "text": f"message number {index}",
        "values": [index / 2, index / 3],
        "body": bytes(index % 600),
    }


class ThroughQueue(Workload):
    """Two threads make objects, two others receive and keep them; the main thread drops them while all four wait."""

    batch = 50

    def grow(self) -> None:
        self.held = []
        self.queue: SimpleQueue[list[dict[str, object]] | None] = SimpleQueue()
        self.end = threading.Event()
        batches = self.count(5_000)
        received = threading.Barrier(3)
        makers = [threading.Thread(target=self.make, args=(half * batches, batches)) for half in range(2)]
        takers = [threading.Thread(target=self.take, args=(received,)) for _ in range(2)]
        self.threads = makers + takers
        for thread in self.threads:
            thread.start()
        received.wait()

    def make(self, start: int, batches: int) -> None:
        for first in range(start, start + batches):
            self.queue.put([message(first * self.batch + offset) for offset in range(self.batch)])
        self.queue.put(None)
        self.end.wait()

    def take(self, received: threading.Barrier) -> None:
        while (batch := self.queue.get()) is not None:
            self.held.extend(batch)
        batch = None
        received.wait()
        self.end.wait()

    def drop(self) -> None:
        self.held.clear()

    def finish(self) -> None:
        self.end.set()
        for thread in self.threads:
            thread.join()


class BlockedThreads(Workload):
    """16 threads make objects and then wait for ever; the main thread drops what they made."""

    thread_count = 16

    def grow(self) -> None:
        self.held = [[] for _ in range(self.thread_count)]
        self.end = threading.Event()
        made = threading.Barrier(self.thread_count + 1)
        self.threads = [threading.Thread(target=self.make, args=(mine, made)) for mine in self.held]
        for thread in self.threads:
            thread.start()
        made.wait()

    def make(self, mine: list[dict[str, object]], made: threading.Barrier) -> None:
        for index in range(self.count(25_000)):
            mine.append(message(index))
        made.wait()
        self.end.wait()

    def drop(self) -> None:
        for mine in self.held:
            mine.clear()

    def finish(self) -> None:
        self.end.set()
        for thread in self.threads:
            thread.join()


WORKLOADS: dict[str, type[Workload]] = {
    "json 0 %": Json,
    "json 0.1 %": JsonFewSurvivors,
    "json 1 %": JsonSurvivors,
    "json 5 %": JsonManySurvivors,
    "syntax trees": SyntaxTrees,
    "floats": Floats,
    "short strings 1 %": ShortStrings,
    "bytes 700..2048": Bytes,
    "bytes 700..2048 1 %": BytesSurvivors,
    "growing lists": GrowingLists,
    "shrinking cache": ShrinkingCache,
    "churn and a drop": ChurnThenDrop,
    "through a queue": ThroughQueue,
    "blocked threads": BlockedThreads,
}
WITH_SURVIVORS = [
    "json 0.1 %",
    "json 1 %",
    "json 5 %",
    "short strings 1 %",
    "bytes 700..2048 1 %",
    "shrinking cache",
]
