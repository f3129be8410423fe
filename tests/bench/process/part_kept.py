"""A workload that keeps a share of what it built; files that it reads are written once, by another process."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bench.shared.workload import Workload, scattered


class PartKept(Workload):
    """`drop` keeps a share of the items in `held`, picked at random."""

    def __init__(self, scale: float, inputs: Path, share: float) -> None:
        super().__init__(scale, inputs)
        self.share = share

    def write_input(self, path: Path) -> None:
        """Overridden where there is one."""

    def input_path(self) -> Path:
        return self.inputs / f"{type(self).__module__.rpartition('.')[2]}-{type(self).__name__.lower()}-{self.scale:g}"

    def write_input_once(self) -> None:
        """A file made in the measured process would leave its own holes in the heap."""
        path = self.input_path()
        if path.exists():
            return
        self.inputs.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        self.write_input(unfinished)
        if unfinished.exists():
            unfinished.rename(path)

    def drop(self) -> None:
        self.survivors = scattered(self.held, self.share)
        self.held = None

    def describe(self, survivor: Any) -> str:
        """What must be the same of it under every allocator."""
        return repr(survivor)

    def digest(self) -> str:
        text = "\n".join(self.describe(survivor) for survivor in self.survivors)
        return f"{len(self.survivors)} {hashlib.sha256(text.encode()).hexdigest()[:16]}"
