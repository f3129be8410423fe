"""Tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hakmem.shown import shown_on
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 220


def console() -> Console:
    """No colour and no folding at 80 columns where the output goes into a file."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], last_rows: int = 0) -> Table:
    """First column to the left, figures to the right; a line above the last `last_rows` rows."""
    heading = Text(title, style="bold", no_wrap=True, overflow="ignore")  # may be wider than the table
    made = Table(title=heading, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for index, row in enumerate(rows):
        if last_rows and index == len(rows) - last_rows:
            made.add_row()
        made.add_row(*(Text(shown_on(sys.stdout, cell)) for cell in row))  # a program names its phases
    return made


def number(value: float | None, digits: int = 1, missing: str = "-") -> str:
    return missing if value is None else f"{value:.{digits}f}"
