"""The workloads of `make bench-process`, by name. Each is imported in the measured process alone, with its libraries.

All build something with a library in C, drop it but for a share, and idle.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.process.part_kept import PartKept


def _can_be_imported(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package that it lies in
        return False


@dataclass(frozen=True)
class Source:
    """Where a workload stands, and the distributions that it needs: their names on PyPI, as they are imported."""

    module: str
    workload: str
    needs: tuple[str, ...] = ()

    def load(self) -> type[PartKept]:
        found: type[PartKept] = getattr(importlib.import_module(f"{__name__}.{self.module}"), self.workload)
        return found

    def absent(self) -> str:
        """Why it cannot run here; empty where it can."""
        missing = [name for name in self.needs if not _can_be_imported(IMPORTED_AS.get(name, name))]
        return f"{', '.join(missing)} cannot be imported (PyPI)" if missing else ""

    def versions(self) -> str:
        return ", ".join(f"{name} {version(name)}" for name in self.needs)


IMPORTED_AS = {"pillow": "PIL", "protobuf": "google.protobuf"}
WORKLOADS = {
    "lxml one document": Source("documents", "OneDocument", ("lxml",)),
    "lxml documents": Source("documents", "ManyDocuments", ("lxml",)),
    "numpy arrays": Source("arrays", "Arrays", ("numpy",)),
    "pandas csv": Source("frames", "Frames", ("pandas", "numpy")),
    "pydantic orjson": Source("models", "Models", ("pydantic", "orjson")),
    "sqlalchemy": Source("rows", "Rows", ("sqlalchemy",)),
    "tls contexts": Source("contexts", "Contexts", ("certifi",)),
    "sqlite in memory": Source("databases", "Databases"),
    "protobuf": Source("messages", "Messages", ("protobuf",)),
    "pillow": Source("images", "Images", ("pillow",)),
    "mixed server": Source("server", "Server", ("lxml", "numpy")),
}
MIXED_SERVER = "mixed server"
