"""Time of arrays by size: hakmem's as a ratio to stock's, by turns."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from rich.console import RenderableType

from bench.shared.child import Start
from bench.shared.figures import geometric_mean
from bench.shared.tables import number, table
from bench.shared.targets import each_of, mean_at_most
from bench.shared.turns import Turns, measure_by_turns
from bench.shared.verdicts import Verdict

ROUNDS = 24
UNCOUNTED_ROUNDS = 6  # of each size: the allocators learn in them
MEAN_MAX, EACH_MAX = 1.03, 1.10


class Times:
    """Of one operation, under two peers: stock, and the one that is judged."""

    def __init__(self, operation: str, sizes_bytes: Sequence[int], stock: Turns, ours: Turns) -> None:
        self.operation = operation
        self.sizes_bytes = sizes_bytes
        self.samples = (stock, ours)
        self.failure = stock.failure or ours.failure

    def ratio(self, size_bytes: int) -> float | None:
        """The median of rounds that came one after the other."""
        if self.failure:
            return None
        count = len(self.samples[0].round_seconds) // len(self.sizes_bytes)
        begin = self.sizes_bytes.index(size_bytes) * count
        rounds = slice(begin + count * UNCOUNTED_ROUNDS // ROUNDS, begin + count)
        stock, ours = (sample.round_seconds[rounds] for sample in self.samples)
        return statistics.median(one / another for one, another in zip(ours, stock, strict=True))

    def as_json(self) -> dict[str, object]:
        return {
            "operation": self.operation,
            "sizes_bytes": list(self.sizes_bytes),
            "samples": [sample.as_json() for sample in self.samples],
        }

    def ratios(self) -> list[float | None]:
        return [self.ratio(size_bytes) for size_bytes in self.sizes_bytes]


def measure_times(
    operation: str, sizes_bytes: Sequence[int], starts: Mapping[str, Start], rounds: int = ROUNDS
) -> Times:
    """`starts` has stock and then the other one, without the arguments of the child."""
    words = [operation, str(rounds), ",".join(map(str, sizes_bytes))]
    full = {
        name: Start([*start.command, *words], start.environment, start.mapped_file) for name, start in starts.items()
    }
    stock, ours = measure_by_turns(operation, full, rounds * len(sizes_bytes))
    return Times(operation, sizes_bytes, stock, ours)


def size_text(size_bytes: int) -> str:
    for unit, bytes_of_unit in (("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= bytes_of_unit:
            return f"{size_bytes / bytes_of_unit:.3g} {unit}"
    return f"{size_bytes} B"


def times_table(all_times: Sequence[Times], stock: str, ours: str) -> RenderableType:
    sizes_bytes = all_times[0].sizes_bytes
    rows = [[size_text(size), *(number(times.ratio(size), 2, "failed") for times in all_times)] for size in sizes_bytes]
    rows.append(["geometric mean", *(number(geometric_mean(times.ratios()), 3) for times in all_times)])
    columns = ["", *(times.operation for times in all_times)]
    return table(f"time by size: {ours}, ratio to {stock}, medians", columns, rows, last_rows=1)


def judge_times(all_times: Sequence[Times], stock: str) -> list[Verdict]:
    ratios = {
        f"{times.operation} of {size_text(size)}": times.ratio(size)
        for times in all_times
        for size in times.sizes_bytes
    }

    def excess(name: str) -> tuple[bool, str] | None:
        found = ratios[name]
        return None if found is None else (found <= EACH_MAX, f"{found:.2f}")

    return [
        mean_at_most(f"time: geometric mean at most {MEAN_MAX:.2f} of {stock}", list(ratios.values()), MEAN_MAX),
        each_of(list(ratios), f"time: at most {EACH_MAX:.2f} of {stock} at every size", excess),
    ]
