"""Pictures of resident memory over time, by matplotlib: PNG or SVG. Draws; measures nothing.

Titles, names and marks come from outside: matplotlib gets them as shown.py leaves them, without what its fonts lack.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any

from hakmem.measure.curve_file import Curve
from hakmem.measure.extras import require
from hakmem.shown import shown

MEBIBYTE = 1024 * 1024
SIZE_INCHES = (9.0, 4.5)
DOTS_PER_INCH = 120
# Told apart also by those who see few colours; hakmem and the baseline stand out.
COLOURS = {
    "pymalloc": "#222222",
    "malloc": "#8c6d31",
    "hakmem": "#d1242f",
    "hakmem, all": "#8250df",
    "PYTHONMALLOC=mimalloc": "#0969da",
    "jemalloc": "#1a7f37",
    "mimalloc": "#54aeff",
    "jemalloc decay 0": "#4ac26b",
    "mimalloc purge delay 0": "#c297ff",
}
OTHER_COLOURS = (
    "#0969da", "#d1242f", "#1a7f37", "#8250df", "#bf8700", "#222222",
    "#54aeff", "#ff8182", "#4ac26b", "#c297ff", "#8c6d31", "#8c959f",
)  # fmt: skip
LINE_STYLES = ("solid", "dashed", "dotted")  # one more for each dozen of curves
LEGEND_ROW_INCHES = 0.18
LEGEND_CHARACTER_INCHES = 0.085
TITLE_LENGTH_MAX = 100
NAME_LENGTH_MAX = 120
NAME_LENGTH_BESIDE_AXES = 24  # of longer ones the picture becomes wider
MARK_LENGTH_MAX = 40
MARKS_MAX = 25  # more names than that cover the curve
GC_COLOUR = "#3b1e78"


def draw(curves: Sequence[Curve], title: str, *, by_name: bool, memory: str = "RSS", form: str = "png") -> bytes:
    """Return the picture of these curves, on one time axis that begins with each.

    Curves of one name are runs of one thing: one colour, the first run strong. `by_name`: the names are allocators',
    which have colours of their own. Marks are named on the first curve and are points on the others.
    """
    figure_class = require("matplotlib.figure").Figure
    rc_context = require("matplotlib").rc_context
    # A $ in a name is a $, whatever the user's matplotlibrc says.
    settings = {"svg.fonttype": "path", "svg.hashsalt": "hakmem", "font.size": 9}
    with rc_context({**settings, "text.parse_math": False, "text.usetex": False}):
        has = _characters_of_fonts().__contains__
        curves = [_fit_to_show(curve, has) for curve in curves]
        names = list(dict.fromkeys(curve.name for curve in curves))
        width_inches, height_inches = SIZE_INCHES
        height_inches = max(height_inches, LEGEND_ROW_INCHES * (len(names) + 6))
        width_inches += LEGEND_CHARACTER_INCHES * max(0, max(map(len, names), default=0) - NAME_LENGTH_BESIDE_AXES)
        figure = figure_class(figsize=(width_inches, height_inches), layout="constrained")
        axes = figure.add_subplot()
        firsts = [next(curve for curve in curves if curve.name == name) for name in names]
        for curve in curves:
            style = _style(names.index(curve.name), curve.name if by_name else "")
            _draw_curve(axes, curve, style, any(curve is first for first in firsts), memory)
        _draw_collections(axes, firsts, memory)
        _draw_marks(axes, firsts, memory)
        _label(axes, shown(title, TITLE_LENGTH_MAX, has), memory, len(names))
        output = io.BytesIO()
        figure.savefig(output, format=form, dpi=DOTS_PER_INCH, metadata={"Date": None} if form == "svg" else None)
    return output.getvalue()


def _characters_of_fonts() -> set[str]:
    """Return what the fonts that matplotlib takes have; in place of any other character it would draw a box."""
    fonts = require("matplotlib.font_manager")
    found: set[str] = set()
    for family in fonts.FontProperties().get_family():
        font = fonts.get_font(fonts.findfont(fonts.FontProperties(family=[family])))
        found.update(map(chr, font.get_charmap()))
    return found


def _fit_to_show(curve: Curve, has: Callable[[str], bool]) -> Curve:
    """Return it with its name and marks as they are shown."""
    name = shown(curve.name, NAME_LENGTH_MAX, has)
    events = [
        {**event, "mark": shown(event["mark"], MARK_LENGTH_MAX, has)} if "mark" in event else event
        for event in curve.events
    ]
    # A name that begins with _ would be left out of the legend.
    return Curve(f" {name}" if name.startswith("_") else name, curve.samples, events)


def _values(curve: Curve, memory: str) -> list[float]:
    return [(row.pss_bytes if memory == "PSS" else row.rss_bytes) / MEBIBYTE for row in curve.samples]


def _events_on(curve: Curve) -> list[dict[str, Any]]:
    """Return the events beside which there are samples: a program may end after the recording."""
    return [event for event in curve.events if event["seconds"] <= curve.samples[-1].seconds]


def _style(index: int, allocator: str) -> dict[str, str]:
    line_style = LINE_STYLES[index // len(OTHER_COLOURS) % len(LINE_STYLES)]
    return {"color": COLOURS.get(allocator, OTHER_COLOURS[index % len(OTHER_COLOURS)]), "linestyle": line_style}


def _draw_curve(axes: Any, curve: Curve, style: dict[str, str], is_strong: bool, memory: str) -> None:
    emphasised = curve.name in ("hakmem", "hakmem, all", "pymalloc")
    axes.plot(
        [row.seconds for row in curve.samples],
        _values(curve, memory),
        **style,
        linewidth=(2.0 if emphasised else 1.3) if is_strong else 0.7,
        alpha=1.0 if is_strong else 0.35,
        label=curve.name if is_strong else None,
        zorder=4 if emphasised else 3,
    )


def _draw_collections(axes: Any, curves: Sequence[Curve], memory: str) -> None:
    """Draw full runs of the garbage collector: dark with a white edge, to be seen on a steep line, too."""
    points = [
        (event["seconds"], _value_at(curve, event["seconds"], memory))
        for curve in curves
        for event in _events_on(curve)
        if "gc_seconds" in event
    ]
    if points:
        axes.plot(
            [seconds for seconds, _ in points],
            [height for _, height in points],
            linestyle="none",
            marker="d",
            markersize=8,
            color=GC_COLOUR,
            markeredgecolor="white",
            markeredgewidth=0.8,
            label=f"full gc runs ({len(points)})",
            zorder=5,
        )


def _draw_marks(axes: Any, curves: Sequence[Curve], memory: str) -> None:
    marks = [[event for event in _events_on(curve) if "mark" in event] for curve in curves]
    dropped = sum(max(0, len(events) - MARKS_MAX) for events in marks)
    label = f"marks ({dropped} more are not shown)" if dropped else None
    for index, curve in enumerate(curves):
        for event in marks[index][:MARKS_MAX]:
            height = _value_at(curve, event["seconds"], memory)
            axes.plot(
                [event["seconds"]], [height], "o", markersize=3.5, color="#57606a", zorder=6, label=label,
            )  # fmt: skip
            label = None  # once for all
            if index == 0:
                axes.annotate(
                    event["mark"],
                    (event["seconds"], height),
                    xytext=(3, 6),
                    textcoords="offset points",
                    fontsize=8,
                    color="#57606a",
                    zorder=6,
                )


def _value_at(curve: Curve, seconds: float, memory: str) -> float:
    """Return the height of the drawn line at a moment."""
    values = _values(curve, memory)
    after = next((index for index, row in enumerate(curve.samples) if row.seconds >= seconds), len(values) - 1)
    before = max(0, after - 1)
    width = curve.samples[after].seconds - curve.samples[before].seconds
    if width <= 0:
        return values[after]
    part = min(1.0, max(0.0, (seconds - curve.samples[before].seconds) / width))
    return values[before] + part * (values[after] - values[before])


def _label(axes: Any, title: str, memory: str, names: int) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("seconds since its start")
    axes.set_ylabel(f"{memory} of the process tree, MiB")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.margins(x=0.01)
    axes.grid(True, color="#d0d7de", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, _ = axes.get_legend_handles_labels()
    if names > 1 or len(handles) > 1:
        # Beside the axes: nowhere inside is sure to be free.
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
