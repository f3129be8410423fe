"""A virtual environment with hakmem and its startup file, so that HAKMEM=1 reaches every child of a test.

Stock Python is the same environment with HAKMEM=0: nothing but the allocator differs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from peer.cpython.outcome import environment

REPOSITORY = Path(__file__).resolve().parents[3]
STATE_CODE = "import hakmem; print(hakmem.is_enabled())"


def prepare(folder: Path) -> str:
    """Returns its interpreter."""
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        run([sys.executable, "-m", "venv", str(folder)])
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "install", "--force-reinstall", "--no-deps", str(REPOSITORY)])
    run([str(folder / "bin" / "hakmem"), "install-startup"])
    for is_hakmem in (False, True):
        done = subprocess.run(
            [python, "-c", STATE_CODE], env=environment(is_hakmem), capture_output=True, text=True, check=True
        )
        if done.stdout.strip() != str(is_hakmem):
            raise SystemExit(f"error: with HAKMEM={int(is_hakmem)} hakmem.is_enabled() is {done.stdout.strip()}")
    return python


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
