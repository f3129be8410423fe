"""Programs that nobody wrote for this project, under hakmem-exec: each starts, works and ends, ROUNDS times."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from libc_support import Library, clean_environment, output_of, run

# `make test-programs` asks for 100.
ROUNDS = int(os.environ.get("ROUNDS", "2"))

PHP = "$a = []; for ($i = 0; $i < 100000; $i++) $a[] = 'text ' . $i; echo count($a), PHP_EOL;"
PHP_MODULES = "$d = new PDO('sqlite::memory:'); $d->exec('create table t(x)'); $d->exec('insert into t values (5)');"
PHP_ROWS = "foreach ($d->query('select x from t') as $row) echo $row['x'], PHP_EOL;"
PROGRAMS = {
    "ruby": (["ruby", "-e", "a = (1..100000).map { |i| 'text ' + i.to_s }; GC.start; puts a.size"], "100000\n"),
    "ruby, threads": (
        ["ruby", "-e", "puts (1..8).map { |i| Thread.new { 'x' * 1000 * i } }.sum { |t| t.value.size }"],
        "36000\n",
    ),
    "R": (["Rscript", "-e", "x <- lapply(1:50000, function(i) c(i, i)); cat(length(x), '\\n')"], "50000 \n"),
    "perl": (
        ["perl", "-e", "my %h; $h{$_} = 'text ' . $_ for 1 .. 100000; print scalar(keys %h), qq(\\n)"],
        "100000\n",
    ),
    "php": (["php", "-r", PHP], "100000\n"),
    "php, modules": (["php", "-r", PHP_MODULES + PHP_ROWS], "5\n"),
    "node": (
        ["node", "-e", "let a = []; for (let i = 0; i < 200; i++) a.push(Buffer.alloc(100000)); console.log(a.length)"],
        "200\n",
    ),
    "git": (["git", "init", "--quiet", "."], ""),
}
VARIABLES = {"php, without its own allocator": ("php", {"USE_ZEND_ALLOC": "0"})}


def require_program(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")


@pytest.mark.parametrize("name", [*PROGRAMS, *VARIABLES])
def test_program_runs(library: Library, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, environment = VARIABLES.get(name, (name, {}))
    command, expected = PROGRAMS[base]
    require_program(command[0])
    monkeypatch.chdir(tmp_path)
    stock = run(*command, **environment)
    if stock.returncode != 0:
        pytest.skip(f"it does not run here without hakmem either: {stock.stderr.strip()}")
    for _ in range(ROUNDS):
        result = library.exec("--require", *command, **environment)
        assert (result.returncode, result.stdout) == (0, expected), result.stderr


# ---- PostgreSQL ----


def postgres_folder() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return folders[-1].parent if folders else None


@pytest.fixture
def cluster() -> Iterator[Path]:
    """Not below pytest's folder, which every pytest that starts on this machine closes to other users."""
    if postgres_folder() is None:
        pytest.skip("no PostgreSQL server here (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        if os.geteuid() == 0:  # it refuses to be root's
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        yield Path(folder)


def as_postgres(*command: str | Path) -> list[str]:
    words = [str(word) for word in command]
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *words] if os.geteuid() == 0 else words


def test_postgres_serves(library: Library, cluster: Path) -> None:
    """The server and its children, which it makes by fork; a query, and its end."""
    folder = postgres_folder()
    assert folder is not None
    output_of(run(*as_postgres(folder / "initdb", "-A", "trust", "-D", cluster / "data", "-E", "UTF8", "--no-locale")))
    server = [folder / "postgres", "-D", cluster / "data", "-k", cluster, "-c", "listen_addresses="]
    query = ["psql", "-h", cluster, "-At", "-c", "select sum(x) from generate_series(1, 300000) x", "postgres"]
    for _ in range(ROUNDS):
        command = as_postgres(library.launcher, "--require", *server)
        with (cluster / "log").open("w") as log:
            process = subprocess.Popen(command, stderr=log, env=clean_environment())
            try:
                wait_until_ready(cluster, folder)
                assert "libhakmem-malloc" in Path(f"/proc/{process.pid}/maps").read_text()
                assert output_of(run(*as_postgres(*query))) == "45000150000\n"
            finally:
                process.terminate()
                assert process.wait(60) == 0, (cluster / "log").read_text()


def wait_until_ready(cluster: Path, folder: Path) -> None:
    for _ in range(300):
        if run(*as_postgres(folder / "pg_isready", "-h", cluster)).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError((cluster / "log").read_text())
