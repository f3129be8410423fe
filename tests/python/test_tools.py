"""Other tools that look at Python's memory, beside hakmem and in both orders: nothing crashes, nothing is lost.

What enable() refuses, and why, is in test_detect.py; here whole programs run with the tools, to their ends.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from python_support import HAKMEM, clean_environment, json_of, output_of, run, run_code

# Objects of all kinds and sizes, cycles, threads, exceptions; half of it survives to the end of the interpreter.
JOB = """
import gc, json, threading
kept = []
def work(seed):
    for number in range(300):
        record = {"name": f"record {seed} {number}", "values": list(range(number % 50)), "blob": bytes(number * 7)}
        record["self"] = record
        try:
            json.loads("[" * (number % 3) + "1")
        except ValueError as error:
            record["error"] = error
        if number % 2:
            kept.append(record)
def job():
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(5)
    gc.collect()
    return len(kept)
"""


def is_served_code(name: str) -> str:
    return f"""
def served():
    before = hakmem.stats()["served_requests"]
    {name} = [bytes(100) for _ in range(1000)]
    return hakmem.stats()["served_requests"] - before >= 1000
"""


# ---- tracemalloc ----


def test_tracemalloc_starts_and_stops_again_and_again() -> None:
    rounds, after = json_of(f"""
import json, tracemalloc, hakmem
{JOB}{is_served_code("keep")}
hakmem.enable()
rounds = []
for _ in range(3):
    tracemalloc.start()
    job()
    rounds.append(tracemalloc.get_traced_memory()[0] > 100_000 and served())
    tracemalloc.take_snapshot().statistics("lineno")
    tracemalloc.stop()
    job()
print(json.dumps([rounds, served()]))
""")
    assert rounds == [True, True, True]
    assert after is True


def test_the_interpreter_may_end_while_tracemalloc_traces() -> None:
    output_of(run_code(f"import hakmem, tracemalloc\n{JOB}\nhakmem.enable()\ntracemalloc.start(10)\njob()"))


def test_tracemalloc_sees_the_blocks_that_hakmem_serves() -> None:
    assert (
        json_of("""
import json, tracemalloc, hakmem
hakmem.enable()
tracemalloc.start()
keep = [bytes(100_000) for _ in range(100)]
print(json.dumps(tracemalloc.get_traced_memory()[0]))
""")
        >= 100 * 100_000
    )


# ---- Debug hooks, development mode, other allocators below ----


@pytest.mark.parametrize(
    ("variables", "flags"),
    [
        ({}, ("-X", "dev")),
        ({"PYTHONMALLOC": "debug"}, ()),
        ({"PYTHONMALLOC": "malloc"}, ()),
        ({"PYTHONMALLOC": "malloc_debug"}, ()),
        ({"PYTHONMALLOC": "pymalloc_debug"}, ("-X", "faulthandler")),
        ({"PYTHONDEVMODE": "1", "PYTHONMALLOC": "pymalloc"}, ()),
    ],
)
def test_a_whole_program_runs_on_other_allocators(variables: dict[str, str], flags: tuple[str, ...]) -> None:
    code = f"import hakmem\nbefore = [object() for _ in range(1000)]\nhakmem.enable()\n{JOB}\nprint(job())"
    result = run_code(code, flags=flags, environment=clean_environment(**variables))
    assert output_of(result) == "750\n"


def test_development_mode_by_the_command(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"{JOB}\nimport sys\nprint(job(), sys.flags.dev_mode)\n")
    assert output_of(run([HAKMEM[0], "-X", "dev", *HAKMEM[1:], "run", str(script)])) == "750 True\n"


# ---- faulthandler ----


def test_faulthandler_shows_where_a_program_crashed() -> None:
    code = f"import hakmem, faulthandler\nhakmem.enable()\n{JOB}\njob()\nfaulthandler._sigsegv()"
    result = run_code(code, flags=("-X", "faulthandler"))
    assert result.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in result.stderr
    assert 'File "<string>"' in result.stderr


def test_faulthandler_shows_threads_that_allocate() -> None:
    result = run_code(f"""
import faulthandler, hakmem, signal, os
{JOB}
hakmem.enable()
faulthandler.register(signal.SIGUSR1, all_threads=True)
worker = threading.Thread(target=lambda: [work(seed) for seed in range(5)])
worker.start()
for _ in range(20):
    os.kill(os.getpid(), signal.SIGUSR1)
worker.join()
print("done")
""")
    assert (result.returncode, result.stdout) == (0, "done\n")
    assert result.stderr.count("most recent call first") >= 20


# ---- What counts pymalloc's blocks ----


def test_debugmallocstats_prints_what_pymalloc_has() -> None:
    result = run_code(f"import hakmem, sys\nhakmem.enable()\n{JOB}\njob()\nsys._debugmallocstats()\nprint('done')")
    assert (result.returncode, result.stdout) == (0, "done\n")
    assert "free Py" in result.stderr


def test_getallocatedblocks_counts_pymallocs_alone() -> None:
    grown = json_of("""
import hakmem, json, sys
hakmem.enable()
before = sys.getallocatedblocks()
keep = [object() for _ in range(10_000)]
print(json.dumps(sys.getallocatedblocks() - before))
""")
    assert abs(grown) < 1000


# ---- memray ----

MEMRAY_AFTER = f"""
import json, hakmem, memray, sys
{JOB}{is_served_code("keep")}
hakmem.enable()
before = [bytes(200) for _ in range(1000)]
with memray.Tracker(sys.argv[1], trace_python_allocators=True):
    job()
    keep = [bytes(3000) for _ in range(1000)]
    del before
    tracked = served()
job()
records = list(memray.FileReader(sys.argv[1]).get_high_watermark_allocation_records())
print(json.dumps([tracked, served(), sum(record.size for record in records)]))
"""

MEMRAY_BEFORE = f"""
import json, hakmem, memray, sys
{JOB}{is_served_code("keep")}
with memray.Tracker(sys.argv[1], trace_python_allocators=True):
    try:
        hakmem.enable()
        reason = ""
    except hakmem.UnsupportedError as error:
        reason = str(error)
    job()
during = hakmem.is_enabled()
hakmem.enable()
job()
print(json.dumps([reason, during, served()]))
"""


@pytest.fixture
def memray_or_skip() -> None:
    pytest.importorskip("memray", reason="memray is not installed")


@pytest.mark.usefixtures("memray_or_skip")
def test_memray_after_hakmem_tracks_its_blocks(tmp_path: Path) -> None:
    tracked, after, bytes_at_peak = json_of(MEMRAY_AFTER, str(tmp_path / "out.bin"))
    assert tracked is True
    assert after is True
    assert bytes_at_peak >= 1000 * 3000


@pytest.mark.usefixtures("memray_or_skip")
def test_memray_before_hakmem_is_refused_and_nothing_breaks(tmp_path: Path) -> None:
    reason, during, after = json_of(MEMRAY_BEFORE, str(tmp_path / "out.bin"))
    assert reason
    assert "\n" not in reason
    assert during is False
    assert after is True


@pytest.mark.usefixtures("memray_or_skip")
def test_both_commands_in_both_orders(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"{JOB}\nimport hakmem\nprint(job(), hakmem.is_enabled())\n")
    memray = ["-m", "memray", "run", "--quiet", "--trace-python-allocators", "-o"]
    inside = run([*HAKMEM, "run", *memray, str(tmp_path / "a.bin"), str(script)])
    assert output_of(inside) == "750 True\n"
    outside = run([sys.executable, *memray, str(tmp_path / "b.bin"), "-m", "hakmem", "run", str(script)])
    assert (outside.returncode, outside.stdout) == (0, "750 False\n")
    assert outside.stderr.startswith("hakmem: warning: ")
    assert outside.stderr.count("\n") == 1
