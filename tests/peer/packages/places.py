"""Installs the packages into the virtual environment of the comparison, and finds the files of their tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from peer.packages.suites import Suite
from peer.prepare import run

SITE_CODE = "import sysconfig; print(sysconfig.get_path('platlib'))"
VERSION_CODE = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


def install(python: str, suite: Suite) -> None:
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pytest", *suite.requirements])


def version_of(python: str, package: str) -> str:
    return run([python, "-c", VERSION_CODE, package]).strip()


def folder_of_tests(python: str, package: str, suite: Suite, sources: Path) -> Path:
    """Where the patterns of its files begin: the installed packages, or the sdist of the same version."""
    if suite.is_installed:
        return Path(run([python, "-c", SITE_CODE]).strip())
    version = version_of(python, package)
    folder = sources / f"{package}-{version}"
    if not folder.is_dir():
        sdist = download(python, f"{package}=={version}", package, sources)
        shutil.unpack_archive(sdist, sources)
    for name in suite.without:
        (folder / name).unlink(missing_ok=True)
    return folder


def download(python: str, requirement: str, package: str, folder: Path) -> Path:
    """Only its sdist; what pip needs to look into it comes as wheels."""
    shutil.rmtree(folder / "sdist", ignore_errors=True)
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*command, "--no-binary", package, "--dest", str(folder / "sdist"), requirement])
    (sdist,) = (folder / "sdist").iterdir()
    return sdist


def files_of_tests(folder: Path, suite: Suite) -> list[str]:
    found = [path.relative_to(folder) for pattern in suite.files for path in sorted(folder.glob(pattern))]
    return [str(path) for path in found]
