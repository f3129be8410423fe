"""Looks into a wheel: its files, what its shared objects export, and what they need at run time.

    python audit_wheel.py WHEEL-OR-DIRECTORY...

Stray exported symbols would meet those of another library in the same process; a stray library would be missing on
the user's machine. Prints one line per finding; exit code 1 if there is any. Needs nm and readelf (binutils).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ALLOWED_SYMBOLS = re.compile(r"PyInit_\w+|hak_published")
MALLOC_LIBRARY = "hakmem/libhakmem-malloc.so"
# What it serves in place of the C library's (bindings/libc/hakmem-malloc.map).
ALLOWED_MALLOC_SYMBOLS = re.compile(
    r"hak_published|(re|c)?alloc|reallocarray|malloc(_\w+)?|mall(info2?|opt)|free(_aligned)?(_sized)?|posix_memalign|"
    r"(aligned_|v|pv)alloc|memalign|dlopen|unshare|setns|execvp?e?|posix_spawnp?"
)
ALLOWED_LIBRARIES = re.compile(r"libc\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux\S+|libc\.musl-\S+")
ALLOWED_FILES = re.compile(r"hakmem/(\w+/)*\w[\w.-]*\.(py|pyi|so)|hakmem/py\.typed|hakmem-[\w.]+\.dist-info/.+")
REQUIRED_FILES = ["hakmem/__init__.py", "hakmem/__main__.py", "hakmem/cli/__init__.py", "hakmem/py.typed"]


def exported_symbols(shared_object: Path) -> list[str]:
    command = ["nm", "--dynamic", "--defined-only", "--extern-only", "--format=posix", str(shared_object)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split()[0].split("@")[0] for line in output.splitlines() if line]


def needed_libraries(shared_object: Path) -> list[str]:
    command = ["readelf", "--dynamic", "--wide", str(shared_object)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", output)


def audit(wheel: Path) -> list[str]:
    findings = []
    with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        findings += [f"unexpected file {name}" for name in names if not ALLOWED_FILES.fullmatch(name)]
        findings += [f"{name} is missing" for name in REQUIRED_FILES if name not in names]
        shared_objects = [name for name in names if name.endswith(".so")]
        if len(shared_objects) != 2 or MALLOC_LIBRARY not in shared_objects:
            findings.append(f"the extension and {MALLOC_LIBRARY} are wanted, and there is {' '.join(shared_objects)}")
        for name in shared_objects:
            path = Path(archive.extract(name, directory))
            symbols = exported_symbols(path)
            libraries = needed_libraries(path)
            allowed = ALLOWED_MALLOC_SYMBOLS if name == MALLOC_LIBRARY else ALLOWED_SYMBOLS
            findings += [f"{name} exports {symbol}" for symbol in symbols if not allowed.fullmatch(symbol)]
            findings += [f"{name} needs {library}" for library in libraries if not ALLOWED_LIBRARIES.fullmatch(library)]
            print(f"{wheel.name}: {name} exports {' '.join(symbols)}; needs {' '.join(libraries)}")
    return [f"{wheel.name}: {finding}" for finding in findings]


def main(arguments: list[str]) -> int:
    wheels: list[Path] = []
    for argument in map(Path, arguments):
        wheels += sorted(argument.glob("*.whl")) if argument.is_dir() else [argument]
    if not wheels:
        print(f"usage: {Path(__file__).name} WHEEL-OR-DIRECTORY...", file=sys.stderr)
        return 2
    findings = [finding for wheel in wheels for finding in audit(wheel)]
    for finding in findings:
        print(f"error: {finding}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
