"""bench-speed: what is judged of many threads on few processors."""

from __future__ import annotations

import pytest
from bench.speed.report import OURS, Results, judge
from bench.speed.sample import Sample

TARGET = "core: 64 threads at most 1.5 of the best peer (private, cross)"


def results(private: float, cross: float, larson: float = 90.0) -> Results:
    """Nanoseconds of hakmem's; jemalloc has 20, glibc 40. The second turn is slower."""
    ours = {"private, 64": private, "cross, 64": cross, "larson, 64": larson}
    return Results(
        [
            Sample("threads", case, peer, value=value * turn)
            for case, own in ours.items()
            for peer, value in ((OURS, own), ("glibc", 40.0), ("jemalloc", 20.0))
            for turn in (1, 2)
        ]
    )


def verdict(found: Results) -> tuple[str, str]:
    return next((each.verdict, each.detail) for each in judge(found) if each.target == TARGET)


@pytest.mark.parametrize(
    ("private", "cross", "expected"),
    [
        (30.0, 30.0, ("met", "private, 64: 1.50; cross, 64: 1.50")),
        (30.2, 10.0, ("missed", "private, 64: 1.51; cross, 64: 0.50")),
        (10.0, 31.0, ("missed", "private, 64: 0.50; cross, 64: 1.55")),
    ],
)
def test_many_threads_are_compared_with_the_best_peer(private: float, cross: float, expected: tuple[str, str]) -> None:
    assert verdict(results(private, cross)) == expected


def test_many_threads_that_failed_or_were_not_measured() -> None:
    failed = results(20, 20)
    failed.samples[0].failure = "exit code -6"
    assert verdict(failed) == ("missed", "private, 64: failed; cross, 64: 1.00")
    assert verdict(Results([])) == ("not measured", "")
