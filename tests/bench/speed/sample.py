"""A figure of `make bench-speed`, and how the process that gives it is run."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 300


@dataclass
class Sample:
    """What one process said; `failure` says why there is no figure."""

    part: str
    case: str
    peer: str
    value: float = 0.0  # what the part's tables compare; report.TITLES says the unit
    figures: dict[str, float] = field(default_factory=dict)  # others, by name
    failure: str = ""
    huge_pages: str = ""  # the machine's setting right after; others may change it while the benchmark runs
    script: str = ""  # pyperformance: what timed it, perhaps with other cases

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class RunFailed(Exception):
    """A process that ended badly, hung, or printed something else."""


def run(command: Sequence[str], environment: dict[str, str], folder: Path | None = None) -> tuple[str, str]:
    """Standard output and standard error."""
    try:
        result = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RunFailed("took too long") from None
    if result.returncode != 0:
        raise RunFailed(f"exit code {result.returncode}: {_reason(result.stderr)}")
    return result.stdout, result.stderr


def _reason(errors: str) -> str:
    """The first exception, of which later ones are consequences, else the last line."""
    found = re.search(r"^\w[\w.]*(?:Error|Exception|Failed): .*$", errors, re.MULTILINE)
    return found[0] if found else errors.strip().rpartition("\n")[2]


def run_json(command: Sequence[str], environment: dict[str, str]) -> Any:
    output, _ = run(command, environment)
    return json.loads(output)


def measured(sample: Sample, measure: Callable[[Sample], None]) -> Sample:
    try:
        measure(sample)
    except (RunFailed, ValueError, KeyError) as failure:
        sample.failure = str(failure) or repr(failure)
    return sample
