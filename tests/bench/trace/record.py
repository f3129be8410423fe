"""Runs a program and records its mem and obj requests; hakmem.mark(text) in it begins a new phase of the trace.

python -m bench.trace.record EXTENSION_FOLDER TRACE SCRIPT | -m MODULE [arguments...]
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from bench.shared import extension


def main() -> None:
    folder, trace, *program = sys.argv[1:]
    recorder = extension.load(Path(folder))

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if event == "hakmem.mark":
            recorder.record_mark(str(arguments[0]))

    sys.addaudithook(listen)
    is_module = program[0] == "-m"
    sys.argv[:] = program[1:] if is_module else program
    recorder.record_start(trace)
    try:
        if is_module:
            runpy.run_module(program[1], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = str(Path(program[0]).resolve().parent)
            runpy.run_path(program[0], run_name="__main__")
    finally:
        events = recorder.record_stop()
        print(f"{events} events, {Path(trace).stat().st_size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
