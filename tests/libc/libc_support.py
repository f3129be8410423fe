"""What the tests of libhakmem-malloc.so share: the library, hakmem-exec, and small C programs of programs/."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
SECONDS_MAX = 120


@dataclass(frozen=True)
class Library:
    """A build of libhakmem-malloc.so."""

    build: Path

    @property
    def file(self) -> Path:
        return self.build / "bindings" / "libc" / "libhakmem-malloc.so"

    @property
    def launcher(self) -> Path:
        return self.build / "bindings" / "libc" / "hakmem-exec"

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command with the library preloaded, in an environment without HAKMEM variables but these."""
        return run(*command, LD_PRELOAD=str(self.file), **environment)

    def exec(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(self.launcher, *command, **environment)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM", "LD_PRELOAD"))}


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A hang fails the test."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env={**clean_environment(), **environment},
    )


def output_of(result: subprocess.CompletedProcess[str]) -> str:
    """What it printed; fails unless it ended well and said nothing on stderr."""
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    assert result.stderr == ""
    return result.stdout


class Programs:
    """Compiles a program of programs/ once, with the machine's C compiler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, *options: str, output: str = "") -> Path:
        program = self.folder / (output or name)
        if not program.exists():
            source = PROGRAMS / f"{name}.c"
            warnings = ["-Wall", "-Wextra", "-Werror"]
            subprocess.run(
                ["cc", "-O1", "-pthread", *warnings, "-o", str(program), str(source), *options, "-ldl"], check=True
            )
        return program
