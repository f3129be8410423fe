"""Runs Lua's own test suite on the stock allocator and on hakmem, and compares.

    python tests/peer/lua_suite.py --lua lua5.4 --module FOLDER TESTES        (make peer-lua TESTES=path)

TESTES is a folder `testes` of the release that the interpreter is of (github.com/lua/lua, tag v5.4.4 for Lua 5.4.4;
for 5.1 and 5.2 the archives lua-5.X.Y-tests.tar.gz); nothing of it is kept here. FOLDER holds hakmem.so. The suite runs
in a copy of TESTES, with its own setting for portable tests, and once more in its short form. Sections for the internal
library T are left out by the suite itself, since a stock interpreter has none.

Exit code 0 when every run on hakmem ends as the same run on stock does, and that is "OK".
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SECONDS_MAX = 900
FORMS = {"portable": ["-e", "_port=true"], "short": ["-e", "_U=true"]}
# What differs from run to run: addresses, times, sizes of memory, seeds, and what other tests' timing brought about.
VARIES = re.compile(r"0x[0-9a-f]+|\d|^.*(time|memory|random|seed|warning).*$|[.>]+|\s+", re.IGNORECASE)


@dataclass
class Outcome:
    """How one run of the suite ended."""

    exit_code: int
    seconds: float
    output: str

    @property
    def is_ok(self) -> bool:
        return self.exit_code == 0 and re.search(r"^\.?(final )?OK !*$", self.output, re.MULTILINE) is not None

    def steps(self) -> list[str]:
        """The lines that should be the same in every run."""
        lines = (VARIES.sub("", line) for line in self.output.splitlines())
        return [line for line in lines if line]

    def verdict(self) -> str:
        if self.is_ok:
            return "OK"
        said = [line for line in self.output.splitlines() if line.strip() and "closing state" not in line]
        error = [line for line, next_line in itertools.pairwise(said) if next_line == "stack traceback:"]
        return f"exit code {self.exit_code}: {(error or said or ['no output'])[-1][:100]}"


def run_suite(testes: Path, command: list[str], environment: dict[str, str]) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "testes"
        shutil.copytree(testes, copy)
        start = time.monotonic()
        try:
            result = subprocess.run(
                command,
                cwd=copy,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS_MAX,
            )
        except subprocess.TimeoutExpired as expired:
            text = (expired.stdout or b"").decode("utf-8", "replace")
            return Outcome(-1, SECONDS_MAX, f"{text}\nhangs")
        return Outcome(result.returncode, time.monotonic() - start, result.stdout.decode("utf-8", "replace"))


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("LUA", "HAKMEM"))}


def check_release(testes: Path, lua: str) -> str:
    """The interpreter's version; ends the program where it is not what the suite is for."""
    if not (testes / "all.lua").is_file():
        sys.exit(f"error: {testes} is not a checkout of Lua's testes: it has no all.lua")
    version = subprocess.run([lua, "-v"], capture_output=True, text=True).stdout.split(" Copyright")[0].strip()
    wanted = re.search(r'version = "(Lua [\d.]+)"', (testes / "all.lua").read_text("latin-1"))
    if wanted and not version.startswith(wanted[1]):
        sys.exit(f"error: the suite in {testes} is for {wanted[1]}, {lua} is {version}; name a matching one")
    return version


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("testes", type=Path, metavar="TESTES")
    parser.add_argument("--lua", default="lua5.4", help="the interpreter")
    parser.add_argument("--module", type=Path, required=True, help="the folder of hakmem.so")
    arguments = parser.parse_args()
    if not (arguments.module / "hakmem.so").is_file():
        sys.exit(f"error: {arguments.module} holds no hakmem.so; build it with make lua")
    version = check_release(arguments.testes, arguments.lua)
    module_path = f"{arguments.module.resolve()}/?.so;;"
    # Every block's size is compared with what Lua says of it.
    on_hakmem = clean_environment() | {"LUA_CPATH": module_path, "HAKMEM_DEBUG": "1"}

    print(f"{version}, {arguments.testes}")
    is_good = True
    for form, flags in FORMS.items():
        stock = run_suite(arguments.testes, [arguments.lua, *flags, "all.lua"], clean_environment())
        ours = run_suite(arguments.testes, [arguments.lua, "-l", "hakmem", *flags, "all.lua"], on_hakmem)
        is_same = stock.steps() == ours.steps()
        for name, outcome in (("stock", stock), ("hakmem", ours)):
            print(f"{form:<9} {name:<7} {outcome.seconds:6.1f} s  {len(outcome.steps()):4} lines  {outcome.verdict()}")
        if not is_same:
            print(f"{form:<9} the lines differ")
            differing = sorted(set(stock.steps()) ^ set(ours.steps()))
            print("\n".join(f"  {line[:150]}" for line in differing[:10]))
        is_good = is_good and ours.is_ok and stock.is_ok and is_same
    print("the suite passes on hakmem as it does on stock" if is_good else "error: the runs are not all OK and alike")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
