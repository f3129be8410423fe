"""A host that starts CPython more than once: from 3.12 each start has a fresh allocator table."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import hakmem
import pytest
from python_support import clean_environment, output_of, run

HOST = r"""
#include <Python.h>
int main(int argc, char **argv) {
    for (int start = 0; start < 3; start++) {
        Py_Initialize();
        if (argc != 2 || PyRun_SimpleString(argv[1]) != 0) return 1;
        if (Py_FinalizeEx() != 0) return 2;
    }
    return 0;
}
"""
EACH_START = """
import sys
sys.path.insert(0, {directory!r})
import hakmem
before = hakmem.is_enabled()
assert hakmem.enable() and hakmem.is_enabled()
served = hakmem.stats()["served_requests"]
keep = [object() for _ in range(10000)]
sys.modules["kept to the end"] = keep
print(before, hakmem.stats()["served_requests"] - served >= 10000)
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    library = Path(sysconfig.get_config_var("LIBDIR") or "") / (sysconfig.get_config_var("LDLIBRARY") or "")
    if compiler is None or not sysconfig.get_config_var("Py_ENABLE_SHARED") or not library.is_file():
        pytest.skip("no C compiler, or this Python has no shared library to embed")
    directory = tmp_path_factory.mktemp("host")
    (directory / "host.c").write_text(HOST)
    command = [
        compiler, "-o", str(directory / "host"), str(directory / "host.c"), f"-I{sysconfig.get_path('include')}",
        str(library), f"-Wl,-rpath,{library.parent}", *shlex.split(sysconfig.get_config_var("LIBS") or ""), "-lm",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return directory / "host"


@pytest.mark.parametrize("socket", ["0", "1"])
def test_three_starts_in_one_process(host: Path, socket: str) -> None:
    code = EACH_START.format(directory=os.path.dirname(os.path.dirname(hakmem.__file__)))
    environment = clean_environment(PYTHONHOME=sys.base_prefix, HAKMEM_STATS_SOCKET=socket)
    lines = output_of(run([str(host), code], environment=environment)).splitlines()
    survives = sys.version_info < (3, 12)
    assert lines == ["False True", f"{survives} True", f"{survives} True"]
