"""A virtual environment with hakmem and its startup file, so that HAKMEM=1 reaches every child of a test; and the
library that serves malloc.

It has the hakmem that is installed here: the tests of a wheel run where there is no source tree. Stock Python is the
same environment with HAKMEM=0: nothing but the allocator differs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import hakmem
from peer.outcome import environment

SITE_CODE = "import sysconfig; print(sysconfig.get_path('purelib'))"
STATE_CODE = "import hakmem; print(hakmem.is_enabled())"


def prepare(folder: Path, *, with_malloc: bool) -> tuple[str, Path | None]:
    """Returns its interpreter, and the library to preload."""
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        run([sys.executable, "-m", "venv", str(folder)])
    package = Path(run([python, "-c", SITE_CODE]).strip(), "hakmem")
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(Path(hakmem.__file__).parent, package)
    run([python, "-m", "hakmem", "install-startup"])
    library = package / "libhakmem-malloc.so" if with_malloc else None
    for is_hakmem in (False, True):
        variables = environment(is_hakmem, library)
        done = subprocess.run([python, "-c", STATE_CODE], env=variables, capture_output=True, text=True, check=True)
        if done.stdout.strip() != str(is_hakmem):
            raise SystemExit(f"error: with HAKMEM={int(is_hakmem)} hakmem.is_enabled() is {done.stdout.strip()}")
    return python, library


def run(command: list[str]) -> str:
    """What it prints."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
