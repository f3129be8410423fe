"""A virtual environment with pyperformance, for part (c): its benchmarks' requirements stay out of the benchmark's own.

hakmem is not installed a second time: the environment sees the package that the other parts measure. Its startup file
is installed, so that HAKMEM=1 reaches pyperf's worker processes.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.shared.peers import clean_environment

HOOK = Path(__file__).resolve().parents[1] / "pyperf_hook"

# pyperformance lists its benchmarks by its command line only, without the scripts.
LIST_CODE = """
import json, sys
from pyperformance import _manifest
manifest = _manifest.load_manifest(None)
groups = {group: {bench.name for bench in manifest.resolve_group(group)} for group in manifest.groups}
version = "%d.%d" % sys.version_info[:2]
print(json.dumps([
    {
        "name": bench.name,
        "script": bench.runscript,
        "arguments": list(bench.extra_opts),
        "requirements": bench.requirements_lockfile,
        "groups": sorted(group for group, names in groups.items() if bench.name in names),
    }
    for bench in manifest.benchmarks
    if version in bench.python
]))
"""
VERSIONS_CODE = """
from importlib.metadata import version
print(", ".join(f"{name} {version(name)}" for name in ("pyperformance", "pyperf")))
"""


@dataclass
class Script:
    """One benchmark of pyperformance; its script may time several things."""

    name: str
    script: str
    arguments: list[str]
    requirements: str
    groups: list[str]
    absent: str = ""  # why it cannot be run here


class SuiteEnvironment:
    """Made at construction where it is not there yet; ends the program where it cannot be made."""

    def __init__(self, out: Path) -> None:
        self.folder = (out / "pyperformance" / Path(sys.prefix).name).resolve()
        self.python = self.folder / "bin" / "python"
        if not self.python.exists():
            self._call([sys.executable, "-m", "venv", str(self.folder)])
        self._install(["pyperformance", str(HOOK)])
        self._show_hakmem()
        self.versions = self._call([str(self.python), "-c", VERSIONS_CODE]).strip()
        self.scripts = [Script(**entry) for entry in json.loads(self._call([str(self.python), "-c", LIST_CODE]))]

    def choose(self, wanted: Sequence[str]) -> list[Script]:
        """By names and names of groups ("all", "default", "serialize"), with what they need installed."""
        known = {name for script in self.scripts for name in (script.name, *script.groups)}
        unknown = [name for name in wanted if name not in known]
        if unknown:
            sys.exit(f"error: pyperformance has no benchmark or group {unknown[0]!r} for this interpreter")
        chosen = [script for script in self.scripts if not {script.name, *script.groups}.isdisjoint(wanted)]
        for script in chosen:
            if script.requirements and Path(script.requirements).exists():
                print(f"requirements of {script.name}", file=sys.stderr, flush=True)
                try:
                    self._install(["-r", script.requirements])
                except subprocess.CalledProcessError as error:
                    script.absent = f"its requirements cannot be installed: {error.stderr.strip()[-300:]}"
        return chosen

    def _show_hakmem(self) -> None:
        found = importlib.util.find_spec("hakmem")
        if found is None or not found.submodule_search_locations:
            return
        package = Path(next(iter(found.submodule_search_locations)))
        site = Path(self._call([str(self.python), "-c", "import site; print(site.getsitepackages()[0])"]).strip())
        link = site / package.name
        link.unlink(missing_ok=True)
        link.symlink_to(package)
        self._call([str(self.python), "-m", "hakmem", "install-startup"])

    def _install(self, what: Sequence[str]) -> None:
        self._call([str(self.python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *what])

    @staticmethod
    def _call(command: Sequence[str]) -> str:
        return subprocess.run(command, env=clean_environment(), check=True, capture_output=True, text=True).stdout
