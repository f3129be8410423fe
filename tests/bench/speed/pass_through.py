"""Runs a module under a hook that only forwards: python -m bench.speed.pass_through EXTENSION_FOLDER -m MODULE ..."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from bench.shared import extension

if __name__ == "__main__":
    folder, _, module = sys.argv[1:4]
    sys.argv[:] = [module, *sys.argv[4:]]
    extension.load(Path(folder)).install_pass_through()
    runpy.run_module(module, run_name="__main__", alter_sys=True)
