"""Shows the result of a comparison in every form: what was measured is never lost to how it is shown.

First result.json, from which all the rest could be made again; then the table, the page, the picture. A form that
cannot be made is one warning line, and the next one goes on.
"""

import errno
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from hakmem.measure import chart, curve_file, files, page, tables
from hakmem.measure.measure_error import MeasureError
from hakmem.message import say

OUTPUTS = ("result.json", "report.html", "rss.png")


class Presentation:
    """One result on its way to a directory and to standard output."""

    def __init__(self, result: dict[str, Any], directory: str) -> None:
        """Nothing is shown yet."""
        self._result = result
        self._directory = directory
        self.unwritten = ""  # why result.json could not be written
        self.output_error: OSError | None = None  # why standard output took nothing
        self.has_failed = False  # there was a warning

    def show(self, as_json: bool) -> None:
        """Show all of it, as far as that goes. Raises nothing."""
        try:
            self._write("result.json", json.dumps(self._result).encode() + b"\n")
        except MeasureError as error:
            self.unwritten = str(error)
        self._print(self._print_json if as_json else lambda: tables.print_result(self._result))
        svg = self._make("the picture in report.html", lambda: self._draw("svg").decode())
        has_page = self._make("report.html", lambda: self._write("report.html", self._page(svg or "")))
        self._make("rss.png", lambda: self._write("rss.png", self._draw("png")))
        if has_page and not as_json:
            path = os.path.join(self._directory, "report.html")
            self._print(lambda: tables.print_plain(f"Report: {path}"))

    def _make(self, name: str, step: Callable[[], Any]) -> Any:
        """Return what a step returns; nothing, after a warning, where it fails in whatever way."""
        try:
            return step()
        except MeasureError as error:
            self._warn(str(error))
        except Exception as error:
            self._warn(f"{name} could not be made: {type(error).__name__}: {error}")
        return None

    def _print(self, step: Callable[[], None]) -> None:
        """Take a step that prints; the caller says it where standard output takes nothing."""
        try:
            step()
            sys.stdout.flush()
        except SystemExit:  # how rich takes it that the reader has gone
            self.output_error = BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        except OSError as error:
            self.output_error = error
        except Exception as error:
            self._warn(f"it could not be printed: {type(error).__name__}: {error}")

    def _warn(self, text: str) -> None:
        self.has_failed = True
        say(f"warning: {text}")

    def _write(self, name: str, content: bytes) -> bool:
        files.write_whole(os.path.join(self._directory, name), content)
        return True

    def _print_json(self) -> None:
        print(json.dumps(self._result))

    def _page(self, svg: str) -> bytes:
        return page.report_page(self._result, svg).encode()

    def _draw(self, form: str) -> bytes:
        curves = curve_file.curves_of_result(self._result)
        order = [row["name"] for row in self._result["allocators"]]
        curves.sort(key=lambda curve: order.index(curve.name))
        title = " ".join(self._result["command"])
        return chart.draw(curves, title, by_name=True, memory=self._result["memory"], form=form)
