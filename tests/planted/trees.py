"""A copy of the repository that faults are planted in, and the builds of its C tests."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# What the C tests are built of.
COPIED = ("CMakeLists.txt", "cmake", "core", "bindings/libc", "swig", "tests/CMakeLists.txt", "tests/core",
          "tests/require.h", "tests/rendezvous", "tests/bench/native")  # fmt: skip


class BuildError(Exception):
    """The copy does not build; the text is what the build printed last."""


def copy_tree(repository: Path, copy: Path) -> str:
    """Makes `copy` equal to what git keeps, or would keep. Files that are equal stay as they are, so that a build of
    the copy goes on. Returns a digest of all of them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *COPIED]
    listed = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    names = sorted(name for name in listed.split("\0") if name and (repository / name).is_file())
    digest = hashlib.sha256()
    for name in names:
        content, target = (repository / name).read_bytes(), copy / name
        digest.update(f"{name} {len(content)} ".encode() + content)
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod((repository / name).stat().st_mode & 0o777)
    for path in copy.rglob("*"):
        if path.is_file() and path.relative_to(copy).as_posix() not in set(names):
            path.unlink()
    return digest.hexdigest()


@dataclass(frozen=True)
class CoreTest:
    """A test as ctest would run it."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, hash=False)
    skip_code: int | None = None
    changes_machine: bool = False

    @property
    def kind(self) -> str:
        """unit, death, ...; "variants" for a test of the core with other limits."""
        folder, _, name = self.name.partition("/")
        return "variants" if name.endswith(("_window_4", "_page_16k", "_page_64k")) else folder

    def longer(self, scale: int) -> CoreTest:
        """The same test with so many times its random inputs."""
        environment = {**self.environment, "HAK_TEST_SCALE": str(scale)}
        return replace(self, name=f"{self.name} at length", environment=environment)


class Build:
    """One build folder of the copy."""

    def __init__(self, tree: Path, folder: Path, options: tuple[str, ...], jobs: int) -> None:
        self.tree, self.folder, self.options, self.jobs = tree, folder, options, jobs
        self.tests: list[CoreTest] = []

    def build_all(self) -> None:
        """Reads the list of tests, too: ctest tells the command of a test only when its program is there."""
        self._call("cmake", "-S", str(self.tree), "-B", str(self.folder), "-G", "Ninja", "--log-level=WARNING",
                   "-DHAKMEM_BUILD_TESTS=ON", "-DHAKMEM_INSTALL=OFF", *self.options)  # fmt: skip
        self._call("cmake", "--build", str(self.folder), "--parallel", str(self.jobs))
        listed = json.loads(self._call("ctest", "--test-dir", str(self.folder), "--show-only=json-v1"))
        self.tests = [self._test(row) for row in listed["tests"]]

    def build(self, tests: list[CoreTest]) -> None:
        """Builds the programs of these tests anew, after a change."""
        programs = {test.command[0] for test in tests}
        targets = sorted(str(Path(program).relative_to(self.folder)) for program in programs)
        self._call("cmake", "--build", str(self.folder), "--parallel", str(self.jobs), "--target", *targets)

    @staticmethod
    def _test(row: dict[str, Any]) -> CoreTest:
        properties = {item["name"]: item["value"] for item in row["properties"]}
        pairs = (pair.partition("=") for pair in properties.get("ENVIRONMENT", []))
        return CoreTest(
            name=row["name"],
            command=tuple(row["command"]),
            environment={name: value for name, _, value in pairs},
            skip_code=properties.get("SKIP_RETURN_CODE"),
            changes_machine=bool(properties.get("RUN_SERIAL")),
        )

    @staticmethod
    def _call(*command: str) -> str:
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise BuildError("\n".join((result.stdout + result.stderr).splitlines()[-20:]))
        return result.stdout
