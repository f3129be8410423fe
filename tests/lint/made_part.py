"""The command line of a lint that also makes what it looks at: a part of a file that is made from another one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def run(documentation: str | None, check: Callable[[Path], list[str]], write: Callable[[Path], None]) -> None:
    """With --write makes the part anew. Prints what differs then, and ends with 1 if anything does."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    repository = Path(__file__).resolve().parents[2]
    if parser.parse_args().write:
        write(repository)
    found = check(repository)
    print("\n".join(found) or "no violations")
    sys.exit(1 if found else 0)
