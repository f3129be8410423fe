"""Runs a server of the recipes twice, stock and under hakmem, under the same load, and draws both curves.

    python docs/recipes/run.py gunicorn|uvicorn|celery --out build/recipes

The interpreter is one of an environment with hakmem, its startup file (`hakmem install-startup`), and the servers:
pip install 'hakmem[measure]' gunicorn uvicorn celery flask
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from hakmem import startup_files

HERE = Path(__file__).resolve().parent
PORT = 8765
REPORTS = 6
REST_SECONDS = 2.0
IDLE_SECONDS = 5.0
# What stands behind `python -m`. Forked workers, so that memory is shared until it is written to.
SERVERS = {
    "gunicorn": ["gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{PORT}", "application:wsgi"],
    "uvicorn": ["uvicorn", "--port", str(PORT), "--log-level", "warning", "application:asgi"],
    "celery": ["celery", "-A", "application:tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING"],
}


def get(path: str) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=60) as answer:
        answer.read()


def wait_for_server() -> None:
    for _ in range(200):
        try:
            return get("/")
        except OSError:
            time.sleep(0.1)
    sys.exit("error: the server does not answer")


def ask_for_report(name: str, folder: Path) -> None:
    if name != "celery":
        return get("/report")
    code = "import application; application.tasks.send_task('report')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment_of(False), check=True)


def environment_of(is_ours: bool) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HAKMEM")}
    variables["PYTHONPATH"] = str(HERE)
    return variables | ({"HAKMEM": "1", "HAKMEM_STATS_SOCKET": "1"} if is_ours else {})


def record(name: str, is_ours: bool, out: Path) -> Path:
    path = out / f"{name}-{'hakmem' if is_ours else 'stock'}.jsonl"
    folder = out / "work"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "broker").mkdir(parents=True)
    command = [sys.executable, "-m", "hakmem", "record", "--force", "-o", str(path)]
    server = [sys.executable, "-m", *SERVERS[name]]
    recorder = subprocess.Popen([*command, "--", *server], cwd=folder, env=environment_of(is_ours))
    if name != "celery":
        wait_for_server()
    time.sleep(REST_SECONDS)
    for _ in range(REPORTS):
        ask_for_report(name, folder)
    time.sleep(IDLE_SECONDS)
    if name == "celery":
        time.sleep(IDLE_SECONDS)  # it looks into its folder once a second
    recorder.send_signal(signal.SIGTERM)
    recorder.wait()
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", choices=list(SERVERS))
    parser.add_argument("--out", type=Path, default=Path("build/recipes"))
    arguments = parser.parse_args()
    if not startup_files.installed_files():
        sys.exit("error: the startup file is not installed; do: hakmem install-startup")
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    curves = [str(record(arguments.name, is_ours, out)) for is_ours in (False, True)]
    picture = str(out / f"{arguments.name}.png")
    plot = [sys.executable, "-m", "hakmem", "plot", *curves, "--pss", "--force", "-o", picture]
    title = f"{arguments.name}: {REPORTS} reports, then nothing"
    sys.exit(subprocess.run([*plot, "--title", title]).returncode)


if __name__ == "__main__":
    main()
