"""pandas: frames read from CSV, of which rows are kept."""

from __future__ import annotations

import random
from pathlib import Path

import pandas

from bench.process.part_kept import PartKept
from bench.shared.workload import scattered

FRAMES = 12


class Frames(PartKept):
    def write_input(self, path: Path) -> None:
        generator = random.Random(6)
        lines = ["id,name,city,amount,rate,note"]
        for index in range(self.count(40_000)):
            name, amount, rate = generator.randrange(10**9), generator.randrange(10**5), generator.random()
            lines.append(f"{index},user-{name},city-{name % 500},{amount},{rate:.5f},{'note ' * (index % 8)}{index}")
        path.write_text("\n".join(lines) + "\n")

    def grow(self) -> None:
        self.held = [pandas.read_csv(self.input_path()) for _ in range(FRAMES)]

    def drop(self) -> None:
        self.survivors = []
        if self.share:
            rows = scattered(list(range(len(self.held[0]))), self.share)
            self.survivors = [frame.iloc[rows].copy() for frame in self.held]
        self.held = None

    def describe(self, survivor: pandas.DataFrame) -> str:
        return str(survivor.to_csv())
