"""The pictures' common part: resident memory of this process, how they look, and the command line that draws them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

MEBIBYTE = 1024 * 1024
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
WIDTH_INCHES = 9.0
DOTS_PER_INCH = 120
LIVE, RESIDENT, BURST_BOUND = "#8c959f", "#222222", "#0969da"


def resident_bytes() -> int:
    """As the kernel counts them."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES


def mebibytes(values: Iterable[float]) -> list[float]:
    return [value / MEBIBYTE for value in values]


def command_line(documentation: str | None, name: str) -> argparse.ArgumentParser:
    """With --out, which is the picture of that name beside the scripts where it is not given."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(name))
    return parser


def new_figure(height_inches: float) -> Figure:
    return Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")


def style_over_time(axes: Any) -> None:
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#d0d7de", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, out: Path) -> None:
    figure.savefig(out, dpi=DOTS_PER_INCH)
