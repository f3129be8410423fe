"""`hakmem options`."""

import json

import hakmem
from hakmem.cli.command import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hakmem import OptionInfo


PAGE_HEAD = """\
# Options

Written by `hakmem options --markdown`; do not edit. Every option is set by its environment variable before the program
starts; most also while it runs, by `hakmem.set_option(name, value)`. `hakmem options` shows the values in force.
"""


class Options(Command):
    """Print the table of options: name, value, default, what is allowed, what it does.

    Every option can be set by its environment variable, HAKMEM_ and the name in capitals; most also by
    hakmem.set_option() while the program runs.
    """

    name = "options"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print it as JSON")
        form.add_argument("--markdown", action="store_true", help="print it as the page docs/options.md has it")

    def execute(self, arguments: "Namespace") -> int:
        rows = hakmem.options()
        if arguments.json:
            print(json.dumps(rows, indent=2))
        elif arguments.markdown:
            print(markdown_page(rows))
        else:
            print(text_table(rows))
        return 0


def allowed_values(row: "OptionInfo") -> str:
    """Return what the option takes, in words."""
    if row["kind"] == "integer":
        return f"{row['minimum']} to {row['maximum']}"
    return ("one of " if row["kind"] == "choice" else "some of ") + ", ".join(row["choices"])


def text_table(rows: "list[OptionInfo]") -> str:
    """Return the table for people, two lines per option."""
    lines = []
    for row in rows:
        unit = f" {row['unit']}" if row["unit"] else ""
        changed = "" if row["value"] == row["default"] else f" (default {row['default']})"
        when = "; at start only" if row["at_start_only"] else ""
        lines.append(f"{row['name']} = {row['value']}{unit}{changed}")
        lines.append(f"    {row['help']}; {allowed_values(row)}{when}; {row['variable']}")
    return "\n".join(lines)


def markdown_page(rows: "list[OptionInfo]") -> str:
    """Return the page for the docs: defaults only, so that it is the same on every machine."""
    lines = [
        "| option | variable | default | allowed | unit | set at run time | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            f"`{row['name']}`",
            f"`{row['variable']}`",
            f"`{row['default']}`",
            allowed_values(row),
            row["unit"],
            "no" if row["at_start_only"] else "yes",
            row["help"],
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


COMMAND = Options()
