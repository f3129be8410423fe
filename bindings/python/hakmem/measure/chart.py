"""Pictures of resident memory over time, by matplotlib: PNG or SVG. Draws; measures nothing."""

import io
from collections.abc import Sequence
from typing import Any

from hakmem.measure.extras import require
from hakmem.measure.recording import Curve

MEBIBYTE = 1024 * 1024
SIZE_INCHES = (9.0, 4.5)
DOTS_PER_INCH = 120
# Told apart also by those who see few colours; hakmem and the baseline stand out.
COLOURS = {
    "pymalloc": "#222222",
    "malloc": "#8c6d31",
    "hakmem": "#d1242f",
    "PYTHONMALLOC=mimalloc": "#0969da",
    "jemalloc": "#1a7f37",
    "mimalloc": "#54aeff",
}
OTHER_COLOURS = ("#0969da", "#d1242f", "#1a7f37", "#8250df", "#bf8700", "#222222")
MARKS_MAX = 25  # more names than that cover the curve
GC_COLOUR = "#8250df"


def draw(curves: Sequence[Curve], title: str, *, by_name: bool, memory: str = "RSS", form: str = "png") -> bytes:
    """Return the picture of these curves, on one time axis that begins with each.

    `by_name`: curves of one name are runs of one allocator: one colour, the first run strong. Marks are named on the
    first curve and are points on the others.
    """
    figure_class = require("matplotlib.figure").Figure
    rc_context = require("matplotlib").rc_context
    settings = {"svg.fonttype": "path", "svg.hashsalt": "hakmem", "font.size": 9}
    with rc_context({**settings, "text.parse_math": False}):  # a $ in a name is a $
        figure = figure_class(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        seen: list[str] = []
        for curve in curves:
            is_first = curve.name not in seen
            if is_first:
                seen.append(curve.name)
            colour = COLOURS.get(curve.name) if by_name else None
            colour = colour or OTHER_COLOURS[(len(seen) - 1) % len(OTHER_COLOURS)]
            _draw_curve(axes, curve, colour, is_first or not by_name, memory)
        if curves:
            _draw_marks(axes, curves, memory)
        _label(axes, title, memory, len(seen))
        output = io.BytesIO()
        figure.savefig(output, format=form, dpi=DOTS_PER_INCH, metadata={"Date": None} if form == "svg" else None)
    return output.getvalue()


def _values(curve: Curve, memory: str) -> list[float]:
    return [(row.pss_bytes if memory == "PSS" else row.rss_bytes) / MEBIBYTE for row in curve.samples]


def _events_on(curve: Curve) -> list[dict[str, Any]]:
    """Return the events beside which there are samples: a program may end after the recording."""
    return [event for event in curve.events if event["seconds"] <= curve.samples[-1].seconds]


def _draw_curve(axes: Any, curve: Curve, colour: str, is_strong: bool, memory: str) -> None:
    emphasised = curve.name in ("hakmem", "pymalloc")
    axes.plot(
        [row.seconds for row in curve.samples],
        _values(curve, memory),
        color=colour,
        linewidth=(2.0 if emphasised else 1.3) if is_strong else 0.7,
        alpha=1.0 if is_strong else 0.35,
        label=curve.name if is_strong else None,
        zorder=4 if emphasised else 3,
    )
    collections = [event for event in _events_on(curve) if "gc_seconds" in event]
    if collections and is_strong:
        axes.plot(
            [event["seconds"] for event in collections],
            [_value_at(curve, event["seconds"], memory) for event in collections],
            linestyle="none",
            marker="|",
            markersize=7,
            color=GC_COLOUR,
            label=f"full gc runs ({len(collections)})",
            zorder=5,
        )


def _draw_marks(axes: Any, curves: Sequence[Curve], memory: str) -> None:
    drawn: set[str] = set()
    for index, curve in enumerate(curves):
        if curve.name in drawn and index:
            continue
        drawn.add(curve.name)
        named = [event for event in _events_on(curve) if "mark" in event][:MARKS_MAX]
        for event in named:
            height = _value_at(curve, event["seconds"], memory)
            axes.plot([event["seconds"]], [height], marker="o", markersize=3.5, color="#57606a", zorder=6)
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
