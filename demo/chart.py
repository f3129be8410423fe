"""Draws curves as text: two panels side by side, 80 columns, no colour; and plain tables."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"  # an eighth of a character cell each
ASCII_LEVELS = "     ####"
AXIS_WIDTH = 7
GAP_WIDTH = 3

Samples = Sequence[tuple[float, int]]


def columns_of(samples: Samples, seconds: float, width: int) -> list[int | None]:
    """The largest sample in each of `width` equal spans of time; a span without one repeats the one before."""
    columns: list[int | None] = [None] * width
    for when, value in samples:
        index = min(width - 1, int(when / seconds * width))
        columns[index] = max(columns[index] or 0, value)
    last = max((index for index, value in enumerate(columns) if value is not None), default=-1)
    for index in range(1, last):
        if columns[index] is None:
            columns[index] = columns[index - 1]
    return columns


def bars(columns: Sequence[int | None], top: float, height: int, levels: str) -> list[str]:
    """Rows from the top down."""
    rows = []
    for row in range(height - 1, -1, -1):
        line = ""
        for value in columns:
            eighths = 0 if value is None else round(value / top * height * 8) - row * 8
            line += levels[max(0, min(8, eighths))]
        rows.append(line)
    return rows


def round_top(value: float) -> int:
    """The next of 1, 2, 2.5, 4, 5, 6, 8 times a power of ten, so that the axis has round figures."""
    power = 1
    while power * 10 <= value:
        power *= 10
    return next(int(step * power) for step in (1, 2, 2.5, 4, 5, 6, 8, 10) if step * power >= value)


def phase_line(marks: Sequence[tuple[str, float]], seconds: float, width: int) -> str:
    """Letters under the time axis where phases begin."""
    line = [" "] * width
    for letter, when in marks:
        line[min(width - 1, int(when / seconds * width))] = letter
    return "".join(line)


def side_by_side(
    panels: Sequence[tuple[str, Samples, Sequence[tuple[str, float]]]],
    *,
    unit: int,
    unit_name: str,
    width: int = 80,
    height: int = 12,
    plain_ascii: bool = False,
) -> str:
    """Two panels (title, samples, marks) with the same axes."""
    levels = ASCII_LEVELS if plain_ascii else LEVELS
    panel_width = (width - AXIS_WIDTH - GAP_WIDTH - len(panels)) // len(panels)
    seconds = max(samples[-1][0] for _, samples, _ in panels) or 1.0
    top = round_top(max(value for _, samples, _ in panels for _, value in samples) / unit)
    drawn = [bars(columns_of(samples, seconds, panel_width), top * unit, height, levels) for _, samples, _ in panels]

    gap = " " * GAP_WIDTH
    margin = " " * AXIS_WIDTH
    lines = [margin + gap.join(f" {title:<{panel_width}}" for title, _, _ in panels)]
    for row in range(height):
        value = top * (height - row) / height
        label = f"{value:.0f} {unit_name}" if row == 0 else f"{value:.0f}" if row % 3 == 0 else ""
        lines.append(f"{label:>{AXIS_WIDTH}}" + gap.join(f"|{panel[row]}" for panel in drawn))
    lines.append(f"{'0':>{AXIS_WIDTH}}" + gap.join("+" + "-" * panel_width for _ in panels))
    lines.append(margin + gap.join(" " + phase_line(marks, seconds, panel_width) for _, _, marks in panels))
    scale = f"0 s{f'{seconds:.1f} s':>{panel_width - 3}}"
    lines.append(margin + gap.join(f" {scale}" for _ in panels))
    return "\n".join(line.rstrip() for line in lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, figures to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([f"{row[0]:<{widths[0]}}", *cells]).rstrip())
    return "\n".join(lines)
