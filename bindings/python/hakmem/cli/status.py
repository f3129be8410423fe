"""`hakmem status`."""

import json
import os
import platform
import sys
from typing import TypedDict

import hakmem
from hakmem import _hakmem, startup_files
from hakmem.cli.command import Command
from hakmem.cli.numpy_here import ArraysStatus, arrays_status, arrays_text
from hakmem.shown import shown_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hakmem import OptionInfo


# What libhakmem-malloc.so sets where it serves malloc and the user has not (bindings/libc/src/process.c).
DEFAULTS_OF_LIBRARY = {"first_thread_bytes": 4194304}


class ChangedOption(TypedDict):
    """An option whose value is not its default."""

    value: int | str
    default: int | str


class StatusReport(TypedDict):
    """What --json prints. reason is None when hakmem can be enabled; allocator is None when a tool lies on top."""

    version: str
    python: str
    implementation: str
    executable: str
    possible: bool
    reason: str | None
    enabled: bool
    allocator: str | None
    malloc_is_served: bool
    arrays: ArraysStatus
    startup_files: list[str]
    changed_options: dict[str, ChangedOption]


class Status(Command):
    """Say whether hakmem can be enabled here, and why not.

    Also the versions, the startup files of this environment, and the options that differ from their defaults.
    """

    name = "status"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument("--json", action="store_true", help="print it as JSON")

    def execute(self, arguments: "Namespace") -> int:
        status = collect_status()
        print(json.dumps(status, indent=2) if arguments.json else status_text(status))
        return 0


def collect_status() -> "StatusReport":
    """Ask the running interpreter."""
    reason = "HAKMEM=0 is set in the environment" if os.environ.get("HAKMEM") == "0" else _hakmem.obstacle()
    return {
        "version": hakmem.__version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "possible": reason is None,
        "reason": reason,
        "enabled": hakmem.is_enabled(),
        "allocator": _hakmem.allocator_name(),
        "malloc_is_served": _hakmem.malloc_is_served(),
        "arrays": arrays_status(reason),
        "startup_files": startup_files.installed_files(),
        "changed_options": {
            row["name"]: {"value": row["value"], "default": row["default"]}
            for row in hakmem.options()
            if row["value"] != row["default"] and not _is_of_library(row)
        },
    }


def _is_of_library(row: "OptionInfo") -> bool:
    is_unset = row["variable"] not in os.environ
    return is_unset and _hakmem.malloc_is_served() and DEFAULTS_OF_LIBRARY.get(row["name"]) == row["value"]


def status_text(status: "StatusReport") -> str:
    """Return the status for people, one fact per line."""
    changed = ", ".join(f"{name}={row['value']}" for name, row in status["changed_options"].items())
    rows = [
        ("hakmem", status["version"]),
        ("python", f"{status['implementation']} {status['python']}, {status['executable']}"),
        ("can be enabled", "yes" if status["possible"] else f"no: {status['reason']}"),
        ("enabled", "yes" if status["enabled"] else "no"),
        ("allocator", status["allocator"] or "a hook of a tool"),
        ("malloc", "hakmem" if status["malloc_is_served"] else "the C library's (hakmem run --all serves it)"),
        ("arrays", arrays_text(status["arrays"])),
        ("startup file", ", ".join(status["startup_files"]) or "none (hakmem install-startup puts one there)"),
        ("changed options", changed or "none"),
    ]
    return "\n".join(f"{label:<17}{shown_on(sys.stdout, text)}" for label, text in rows)


COMMAND = Status()
