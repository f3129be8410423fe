"""Rounds by turns: what is judged of them, that each peer does its own, and what a peer that fails does to them."""

from __future__ import annotations

import os

import pytest
from bench.churn import cases
from bench.churn.contenders import OURS, STOCK, UNLIMITED
from bench.churn.programs import PROGRAMS, SERVICES
from bench.churn.turns import TurnResults, judge_turns, turns_table
from bench.shared.child import Start
from bench.shared.peers import Peer
from bench.shared.tables import console
from bench.shared.turns import Turns, measure_by_turns


def turns(ours: float, unlimited: float, rounds: int = 20) -> TurnResults:
    """The machine is twice as slow in every second round."""
    seconds = {STOCK: 1.0, OURS: ours, UNLIMITED: unlimited}
    return TurnResults(
        [
            Turns(name, peer, round_seconds=[own * (1 + turn % 2) for turn in range(rounds)])
            for name in PROGRAMS | SERVICES
            for peer, own in seconds.items()
        ]
    )


@pytest.mark.parametrize(
    ("ours", "unlimited", "met"),
    [(0.88, 0.84, [True, True, True]), (0.89, 0.9, [False, True, True]), (1.06, 1.0, [False, False, False])],
)
def test_rounds_by_turns_are_judged(ours: float, unlimited: float, met: list[bool]) -> None:
    verdicts = judge_turns(turns(ours, unlimited))
    assert [verdict.verdict == "met" for verdict in verdicts] == met * 2
    output = console()
    with output.capture() as captured:
        output.print(turns_table(turns(ours, unlimited)))
    assert f"{ours:.3f} ({ours:.2f} to {ours:.2f})" in captured.get()


def test_peers_do_their_rounds_by_turns() -> None:
    starts = {name: cases.by_turns("requests of many sizes", 0.05, Peer(name)) for name in (STOCK, OURS)}
    samples = measure_by_turns("requests of many sizes", starts, cases.round_count("requests of many sizes", 0.05))
    assert [sample.failure for sample in samples] == ["", ""]
    assert [len(sample.round_seconds) for sample in samples] == [20, 20]
    assert samples[0].digest == samples[1].digest != ""
    assert len(os.sched_getaffinity(0)) == len(os.sched_getaffinity(os.getppid()))


def test_peer_that_fails_ends_the_turns() -> None:
    starts = {STOCK: cases.by_turns("text", 0.01, Peer(STOCK)), OURS: Start(["false"], {}, "")}
    samples = measure_by_turns("text", starts, 1)
    assert all("ended before its time" in sample.failure for sample in samples)
