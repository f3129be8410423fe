"""`hakmem plot`: the picture of recordings."""

import os

from hakmem.cli.command import UsageError
from hakmem.cli.measure_command import MeasureCommand
from hakmem.shown import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Plot(MeasureCommand):
    """Draw recordings of 'hakmem record', or the result.json of 'hakmem compare', as one picture.

    Each FILE is a curve that begins at 0. Marks are points on it, full runs of the garbage collector are diamonds. The
    ending of the output, .png or .svg, says its form.
    """

    name = "plot"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument("files", metavar="FILE", nargs="+")
        parser.add_argument("-o", "--out", metavar="PICTURE", help="where it goes (FILE with .png)")
        parser.add_argument("--force", action="store_true", help="overwrite PICTURE")
        parser.add_argument("--title", metavar="TEXT", help="above the curve (the file's name)")
        parser.add_argument("--pss", action="store_true", help="PSS, which counts shared memory once, instead of RSS")

    def measure(self, arguments: "Namespace") -> int:
        out = arguments.out or f"{os.path.splitext(arguments.files[0])[0]}.png"
        form = os.path.splitext(out)[1][1:].lower()
        if form not in ("png", "svg"):
            raise UsageError(f"--out {out!r} ends neither with .png nor with .svg")
        from hakmem.measure import chart, curve_file, files
        from hakmem.measure.measure_error import MeasureError

        files.check_free([out], arguments.force)
        curves = []
        by_name = False
        names = files.distinct_names(arguments.files)
        for path, name in zip(arguments.files, names, strict=True):
            for curve in curve_file.read(path):
                by_name = bool(curve.name) and len(arguments.files) == 1  # a comparison's, named by allocator
                if not by_name:
                    curve.name = f"{name}: {curve.name}" if curve.name else name
                curves.append(curve)
        title = arguments.title or ", ".join(names if len(names) > 1 else [os.path.basename(arguments.files[0])])
        memory = "PSS" if arguments.pss else "RSS"
        try:
            picture = chart.draw(curves, title, by_name=by_name, memory=memory, form=form)
        except MeasureError:
            raise
        except Exception as error:  # matplotlib's reasons are many
            raise MeasureError(f"{out} could not be drawn: {type(error).__name__}: {error}") from None
        files.write_whole(out, picture)
        print_line(out)
        return 0


COMMAND = Plot()
