"""Programs of `make bench-churn` that change their load every few seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.churn.programs import ByteArrays, BytesObjects, Instances, JsonDocument
from bench.churn.rounds import Rounds
from bench.shared.workload import Workload


class SmallDocument(JsonDocument):
    rounds = 1500
    records = 2_000


class Phases(Workload):
    """Some rounds of one program after those of another, each with a rest behind it."""

    phases: Sequence[tuple[type[Rounds], float]] = ()  # a share of the program's rounds
    rest_seconds = 0.0

    def prepare(self) -> None:
        self.programs = [kind(self.scale * share, self.inputs) for kind, share in self.phases]
        for program in self.programs:
            program.prepare()

    def grow(self) -> None:
        for program in self.programs:
            program.grow()
            self.cpu_marks += program.cpu_marks
            if program is not self.programs[-1]:
                program.drop()
                time.sleep(self.rest_seconds)

    def drop(self) -> None:
        self.programs[-1].drop()

    def digest(self) -> str:
        return " ".join(program.digest() for program in self.programs)


class SmallAndLarge(Phases):
    """Documents of 2,000 and of 60,000 records, in turn."""

    phases = ((SmallDocument, 0.8), (JsonDocument, 0.8)) * 2


class BurstsAndRests(Phases):
    """Three programs for a while each, and nothing at all between them."""

    phases = ((ByteArrays, 0.5), (Instances, 0.5), (BytesObjects, 0.5))
    rest_seconds = 1.5


CHANGING: dict[str, type[Phases]] = {"small and large documents": SmallAndLarge, "bursts and rests": BurstsAndRests}
