"""The HTML report of a comparison: one file, nothing loaded from elsewhere, no script."""

import html
import shlex
from collections.abc import Sequence
from typing import Any

from hakmem.measure import tables
from hakmem.shown import shown

NEWLINE = "\n"  # no backslash may stand in an f-string before Python 3.12
TITLE_LENGTH_MAX = 200

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.05rem; margin-top: 1.8rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: #f6f8fa; padding: 0.7rem; overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: 0.25rem 0.9rem 0.25rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid #d0d7de; }
td { white-space: nowrap; }
.verdict { border-left: 4px solid #8c959f; padding: 0.4rem 0.9rem; background: #f6f8fa; }
.helps { border-color: #1a7f37; } .failed { color: #cf222e; } .small { color: #57606a; font-size: 0.88em; }
svg { max-width: 100%; height: auto; }
"""


def report_page(result: dict[str, Any], picture_svg: str) -> str:
    """Return the page. Without a picture, which could not be drawn, it has all the rest."""
    command = _lines(shlex.join(["hakmem", "compare", "--", *result["command"]]))
    helps = "verdict helps" if result["verdict"]["helps"] else "verdict"
    sections = [
        f"<h1>{_text(shlex.join(result['command']), TITLE_LENGTH_MAX)}</h1>",
        f'<p class="{helps}">{_text(result["verdict"]["text"])}</p>',
        *([_inline_picture(picture_svg)] if picture_svg else ["<p class='failed'>The picture could not be drawn.</p>"]),
        f"<h2>{_text(tables.heading(result))}</h2>",
        _table(["", *tables.HEADINGS.values()], tables.figure_rows(result)),
    ]
    ratios = tables.ratio_rows(result)
    if ratios:
        sections += [
            f"<h2>Ratio to {_text(result['baseline'])}, ± half the spread of its runs</h2>",
            _table(["", *tables.HEADINGS.values()], ratios),
        ]
    notes = tables.notes(result)
    if notes:
        sections += ["<h2>Notes</h2>", f"<pre>{NEWLINE.join(map(_text, notes))}</pre>"]
    versions = [f"{row['name']}: {row['missing'] or row['version']}" for row in result["allocators"]]
    facts = [
        f"hakmem {result['hakmem']}, {result['date']}",
        result["machine"],
        *([f"options of hakmem: {result['options_of_hakmem']}"] if result["options_of_hakmem"] else []),
        *versions,
    ]
    sections += [
        "<h2>How it was measured</h2>",
        f"<pre>{command}</pre>",
        "<p class='small'>Each run is a fresh process. Resident memory is what the kernel counts, summed over the"
        " process tree, read from outside. <b>peak</b>: the highest; <b>end</b>: the median of its last fifth of a"
        " second; <b>idle tail</b>: the second half of the time at its end in which it did nothing, if it did;"
        " <b>mean</b>: over time; <b>cpu</b>: of the process and the children it waited for.</p>",
        f"<p class='small'>{'<br>'.join(_text(fact) for fact in facts)}</p>",
    ]
    title = _text(f"hakmem compare: {shlex.join(result['command'])}", TITLE_LENGTH_MAX)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def _inline_picture(picture_svg: str) -> str:
    """Return the <svg> element alone: what stands before it is for files."""
    return f"<figure style='margin:0'>{picture_svg[picture_svg.index('<svg') :]}</figure>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = ""
    for row in rows:
        cells = "".join(f"<td{' class=failed' if cell == 'failed' else ''}>{_text(cell)}</td>" for cell in row)
        body += f"<tr>{cells}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str, length_max: int | None = None) -> str:
    return html.escape(shown(text, length_max))


def _lines(text: str) -> str:
    """Return text whose ends of lines are kept, so that a command can be copied."""
    return NEWLINE.join(_text(line) for line in text.split(NEWLINE))
