"""A server: four threads answer requests; a session holds objects, a document of lxml and an array of NumPy."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
from lxml import etree

from bench.process.part_kept import PartKept
from bench.process.workloads.documents import write_records

THREADS = 4


class Server(PartKept):
    def write_input(self, path: Path) -> None:
        write_records(path, 25)

    def prepare(self) -> None:
        self.document = self.input_path().read_bytes()
        answer = [{"id": index, "name": f"user-{index}", "values": [index / 7, index / 9]} for index in range(25)]
        self.answer = json.dumps(answer)
        generator = random.Random(13)
        self.lengths = [int(64 * 256 ** generator.random()) for _ in range(self.count(5_000))]  # 0.5 to 128 KiB
        self.threads = ThreadPoolExecutor(THREADS)

    def request(self, number: int) -> tuple[Any, ...]:
        values = numpy.full(self.lengths[number], number, numpy.float64)
        return number, json.loads(self.answer), etree.fromstring(self.document), values

    def grow(self) -> None:
        self.held = list(self.threads.map(self.request, range(len(self.lengths))))

    def describe(self, survivor: Any) -> str:
        number, answer, document, values = survivor
        return f"{number} {answer} {etree.tostring(document, encoding='unicode')} {values.sum()}"

    def finish(self) -> None:
        self.threads.shutdown()
