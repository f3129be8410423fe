"""Runs a command and samples its resident memory from outside, as the kernel counts it."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hakmem.measure import kernel

INTERVAL_SECONDS = 0.020


@dataclass
class Run:
    """One run of the job: where it was, what it held, what it cost."""

    command: list[str]
    marks: dict[str, float] = field(default_factory=dict)  # phase name -> seconds since the first sample
    samples: list[tuple[float, int]] = field(default_factory=list)  # (seconds since the first sample, RSS bytes)
    cpu_seconds: float = 0.0
    exit_code: int = 0
    output: str = ""
    errors: str = ""

    def peak_bytes(self) -> int:
        return max(rss for _, rss in self.samples)

    def bytes_before(self, mark: str) -> int:
        """RSS at the last sample before the mark; the first one where there is none."""
        earlier = [rss for when, rss in self.samples if when <= self.marks[mark]]
        return earlier[-1] if earlier else self.samples[0][1]

    def bytes_after(self, mark: str) -> int:
        """RSS at the first sample after the mark."""
        return next(rss for when, rss in self.samples if when >= self.marks[mark])

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def resident_bytes(process_id: int) -> int | None:
    """None when the process has no memory any more."""
    sums = kernel.memory_sums(process_id)
    return sums.rss if sums else None


def run_sampled(command: list[str], marks_file: Path, environment: dict[str, str]) -> Run:
    """Runs `command`, which appends "name monotonic-seconds" lines to `marks_file`."""
    marks_file.unlink(missing_ok=True)
    run = Run(command)
    # Files, not pipes: nobody reads while the job runs.
    output_file, errors_file = marks_file.with_suffix(".out"), marks_file.with_suffix(".err")
    with output_file.open("w") as output, errors_file.open("w") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        first = time.monotonic()
        while True:
            rss = resident_bytes(process.pid)
            now = time.monotonic()
            if rss is not None:
                run.samples.append((round(now - first, 4), rss))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(max(0.0, INTERVAL_SECONDS - (time.monotonic() - now)))
    process.returncode = run.exit_code = os.waitstatus_to_exitcode(status)
    run.cpu_seconds = usage.ru_utime + usage.ru_stime
    run.output, run.errors = output_file.read_text(), errors_file.read_text()
    if marks_file.exists():
        for line in marks_file.read_text().splitlines():
            name, when = line.split()
            run.marks[name] = round(float(when) - first, 4)
    for file in (marks_file, output_file, errors_file):
        file.unlink(missing_ok=True)
    return run
