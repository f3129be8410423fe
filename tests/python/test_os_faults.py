"""OS calls for memory fail, one, three in a row, or all: MemoryError or nothing, and the interpreter goes on.

The calls are those of hakmem and of CPython's own allocators, which serve what hakmem is refused. So one call that
fails is mostly absorbed; where all fail the program gets its MemoryError, and works when they no longer do.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from python_support import clean_environment, output_of, run_code

# Each attempt is a forked child, so that each begins in the same state; it prints one word.
ATTEMPTS = """
import ctypes, gc, json, os, sys, threading
import hakmem
faults = ctypes.CDLL(os.environ["LD_PRELOAD"])
faults.os_faults_calls.restype = ctypes.c_ulong

def objects(count=100_000):
    kept = [[number] for number in range(count)]
    names = {str(number): (number, "x" * (number % 700)) for number in range(count // 5)}
    assert sum(row[0] for row in kept) == count * (count - 1) // 2
    del kept[::2]
    assert all(len(text) == number % 700 for number, text in names.values())

def large_objects():
    grown = bytearray()
    for step in range(40):
        grown += bytes([step]) * 100_000
        assert grown[-100_000] == step
    columns = [list(range(step, step + 30_000)) for step in range(8)]
    assert [column[-1] for column in columns] == [29_999 + step for step in range(8)]
    for column in columns:
        column.extend(range(100_000))
        del column[1000:]

def work_of_thread(answers):
    try:
        objects(20_000)
        answers.append("done")
    except MemoryError:
        answers.append("MemoryError")

def threads():
    answers = []
    for _ in range(2):
        pair = [threading.Thread(target=work_of_thread, args=(answers,)) for _ in range(2)]
        for thread in pair: thread.start()
        for thread in pair: thread.join()
    if "MemoryError" in answers: raise MemoryError
    assert answers == ["done"] * 4, answers

def drops():
    hakmem.set_option("purge_delay_ms", 0)
    hakmem.set_option("retain_bytes", 0)
    for _ in range(2):
        kept = [bytes(1000) for _ in range(8_000)]
        kept = kept[::50]
        hakmem.trim()
        assert all(block == bytes(1000) for block in kept)

def live_bytes():
    gc.collect()
    return hakmem.stats()["live_bytes"]

def attempt(scenario, first, count):
    scenario()
    faults.os_faults_from(0, 0)
    before = live_bytes()
    hakmem.trim()
    faults.os_faults_from(first, count)
    word = "done"
    try:
        scenario()
    except MemoryError:
        word = "MemoryError"
    calls = faults.os_faults_calls()
    faults.os_faults_from(0, 0)
    grown = live_bytes() - before
    assert grown < 200_000, ("leak", grown)
    assert hakmem._hakmem.check() == 0
    scenario()
    hakmem.trim()
    assert hakmem._hakmem.check() == 0
    return "end" if calls < first else word

def outcome(*arguments):
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        try:
            os.write(send, attempt(*arguments).encode())
        except BaseException as error:
            os.write(send, f"broken: {type(error).__name__} {error}".encode())
        os._exit(0)
    os.close(send)
    with open(receive) as pipe:
        word = pipe.read()
    _, status = os.waitpid(child, 0)
    return word if status == 0 else f"broken: status {status}"

hakmem.enable()
scenario, count = globals()[sys.argv[1]], int(sys.argv[2])
counts = {}
first = 1
while True:
    word = outcome(scenario, first, count)
    counts[word] = counts.get(word, 0) + 1
    if word == "end" or word.startswith("broken"): break
    first += 1 if first < 60 else first // 20
print(json.dumps({"counts": counts, "first": first}))
"""


def faults_environment(library: Path, **variables: str) -> dict[str, str]:
    return clean_environment(LD_PRELOAD=str(library), **variables)


@pytest.mark.parametrize(
    ("scenario", "count"),
    [
        *((scenario, count) for scenario in ("objects", "large_objects", "drops") for count in (1, 3, 0)),
        # Not all calls: CPython's Thread.start() waits for ever for a thread that dies without memory as it begins.
        *(("threads", count) for count in (1, 3)),
    ],
)
def test_calls_fail_one_after_another(os_faults: Path, scenario: str, count: int) -> None:
    told = json.loads(output_of(run_code(ATTEMPTS, scenario, str(count), environment=faults_environment(os_faults))))
    counts = told["counts"]
    assert counts.pop("end", 0) == 1, (told["first"], counts)
    assert sum(counts.values()) >= 3, "nothing failed"
    assert count > 0 or counts.get("MemoryError", 0) > 0, counts


PROGRAM = textwrap.dedent("""
    import hakmem
    kept = [[number] for number in range(50_000)]
    print(hakmem.is_enabled(), sum(row[0] for row in kept))
""")
DONE = f"{50_000 * 49_999 // 2}\n"


@pytest.mark.parametrize("count", [1, 2, 0])
def test_calls_fail_from_the_start_of_the_interpreter(os_faults: Path, tmp_path: Path, count: int) -> None:
    """With a call of a loader or of CPython's own start failing, the process may end; never by a signal of ours."""
    program = "import hakmem; hakmem.enable()\n" + PROGRAM
    ended_well = 0
    for first in [*range(1, 40), *range(40, 160, 8)]:
        result = run_code(program, environment=faults_environment(os_faults, OS_FAULTS_FROM=f"{first},{count}"))
        assert result.returncode in (0, 1, 120, -6), (first, result)  # -6: CPython's fatal error without memory
        if result.returncode == -6:
            assert "Fatal Python error" in result.stderr or "MemoryError" in result.stderr, (first, result)
        if result.returncode == 0:
            assert result.stdout.endswith(DONE), (first, result)
            ended_well += 1
    assert ended_well > 3
