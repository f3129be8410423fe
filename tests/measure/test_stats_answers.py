"""Answers of processes that say they are under hakmem: whatever they write is figures, or one error line."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hakmem
import pytest
from hakmem.cli import main
from measure_support import end, hakmem_command, start

STRANGE = "\x1b[31m\u009b\u202e\u2028\n"
# Has hakmem mapped, so that the doctor asks it, too.
LIAR = """
import hakmem, os, socket, sys
hakmem.enable()
kept = [str(number) for number in range(100000)]
content = open("answer", "rb").read()
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"\\0hakmem.stats.{os.getpid()}.1")
listener.listen()
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    try:
        while True:
            connection.sendall(content)
            if len(sys.argv) == 1:
                break
    except OSError:
        pass
    connection.close()
"""


@contextlib.contextmanager
def liar(content: bytes, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "answer").write_bytes(content)
    process = start([sys.executable, "-c", LIAR, *words], cwd=folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    yield process
    end(process)


def answer(**changed: Any) -> dict[str, Any]:
    told = {"hakmem_process": 1, "python": "3", "hakmem": "0", "executable": "", "malloc": "", "is_enabled": True}
    return told | {"gc": [], "marks": [], "stats": hakmem.stats()} | changed


def stats(**changed: Any) -> dict[str, Any]:
    return answer(stats=dict(hakmem.stats()) | changed)


def all_figures(value: Any) -> dict[str, Any]:
    return stats(**{name: value for name, figure in hakmem.stats().items() if isinstance(figure, int)})


CONTENTS: dict[str, Callable[[], Any]] = {
    "deep": lambda: b"[" * 200_000,
    "many digits": lambda: b'{"hakmem_process": ' + b"1" * 5000 + b"}",
    "no text": lambda: b"\x1b[31m{\xff",
    "a list": lambda: [answer()],
    "nothing": lambda: {},
    "no figures": lambda: {"hakmem_process": 1},
    "figures are a list": lambda: answer(stats=[STRANGE]),
    "figures are text": lambda: all_figures(STRANGE),
    "figures are null": lambda: all_figures(None),
    "figures are below zero": lambda: all_figures(-1),
    "figures are beyond a float": lambda: all_figures(10**400),
    "figures are no numbers": lambda: all_figures(float("nan")),
    "classes": lambda: stats(classes=[STRANGE]),
    "figures of a class": lambda: stats(classes=[{"slabs": STRANGE}]),
    "name of a counter": lambda: stats(counters={STRANGE: 5}),
    "value of a counter": lambda: stats(counters={"a": STRANGE}),
    "counters are a list": lambda: stats(counters=[STRANGE]),
    "version": lambda: answer(hakmem=5),
    "enabled": lambda: answer(is_enabled=STRANGE),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_answer_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    told = CONTENTS[name]()
    with liar(told if isinstance(told, bytes) else json.dumps(told).encode(), tmp_path) as process:
        for words in ([], ["--json"], ["--prom"], ["--watch"]):
            assert main(["stats", str(process.pid), *words]) == 1
            output, errors = capsys.readouterr()
            assert (output, errors.count("\n")) == ("", 1)
            assert errors.startswith(f"hakmem: error: process {process.pid} ")
            assert errors[:-1].isprintable()
        assert main(["doctor", str(process.pid), "--seconds", "0"]) == 0
        recording = ["record", str(process.pid), "--seconds", "0.1", "-o", str(tmp_path / "curve.jsonl")]
        assert main(recording) == 0


def test_answer_with_strange_texts_is_shown(tmp_path: Path) -> None:
    with liar(json.dumps(answer(python=STRANGE, hakmem=STRANGE)).encode(), tmp_path) as process:
        result = hakmem_command("stats", str(process.pid), cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(line.isprintable() for line in result.stdout.split("\n"))


def test_answer_without_an_end_is_not_kept(tmp_path: Path) -> None:
    with liar(bytes(1 << 20), tmp_path, "endless") as process:
        result = hakmem_command("stats", str(process.pid), cwd=tmp_path)
    too_much, too_slow = (
        "tells more than 64 MiB of itself",
        "did not answer within 5 s: it is stopped, or answers others",
    )
    assert result.stderr in [f"hakmem: error: process {process.pid} {text}\n" for text in (too_much, too_slow)]
