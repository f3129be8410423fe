"""Targets and whether they were met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import RenderableType

from bench.shared.tables import table


@dataclass
class Verdict:
    """`detail` says by how much."""

    target: str
    verdict: str  # met, missed, not measured
    detail: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def verdict_table(verdicts: Sequence[Verdict]) -> RenderableType:
    rows = [[verdict.verdict, verdict.target, verdict.detail] for verdict in verdicts]
    made = table("targets", ["verdict", "target", "detail"], rows)
    for column, share in zip(made.columns, (None, 4, 5), strict=True):
        column.justify, column.no_wrap, column.ratio = "left", share is None, share
    return made
