"""Threads, forked children and sub-interpreters, each with the hooks in place."""

from __future__ import annotations

import sys

import pytest
from python_support import clean_environment, json_of, output_of, run_code


def test_threads_free_each_other_s_objects_and_end() -> None:
    """Threads start behind a barrier, pass objects on through a queue and exit; then their blocks are gone."""
    before, after = json_of("""
        import gc, json, queue, threading, hakmem
        hakmem.enable()
        def live():
            gc.collect()
            return hakmem.stats()["live_bytes"]
        def work(barrier, inbox, outbox):
            barrier.wait()
            for step in range(300):
                outbox.put([bytes(size) for size in range(0, 3000, 37)] + [{"step": step}])
                received = inbox.get()
                assert received[-1]["step"] == step
        def round_of_threads():
            queues = [queue.Queue() for _ in range(4)]
            barrier = threading.Barrier(4)
            threads = [threading.Thread(target=work, args=(barrier, queues[i], queues[i - 1])) for i in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        round_of_threads()
        before = live()
        for _ in range(3):
            round_of_threads()
        assert hakmem._hakmem.check() == 0
        print(json.dumps([before, live()]))
    """)
    assert after - before < 64 << 10


def test_enable_and_disable_while_threads_allocate() -> None:
    assert (
        output_of(
            run_code("""
        import threading, hakmem
        hakmem.enable()
        stop = threading.Event()
        errors = []
        def work():
            keep = []
            while not stop.is_set():
                keep.append(bytearray(b"abc" * 50))
                keep[len(keep) // 2] += b"x" * 400
                if len(keep) > 500:
                    if any(block[:3] != b"abc" for block in keep): errors.append("contents")
                    del keep[::2]
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(300):
            hakmem.disable(); hakmem.trim(); hakmem.enable(); hakmem.stats()
        stop.set()
        for thread in threads: thread.join()
        assert hakmem._hakmem.check() == 0
        print(errors)
    """)
        )
        == "[]\n"
    )


def test_many_short_threads_leave_nothing_live() -> None:
    before, after = json_of("""
        import gc, json, threading, hakmem
        hakmem.enable()
        def work():
            keep = [bytes(size) for size in range(1, 2000, 13)]
        def round_of_threads():
            threads = [threading.Thread(target=work) for _ in range(50)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        for _ in range(2): round_of_threads()  # CPython's own free lists fill
        gc.collect()
        before = hakmem.stats()
        for _ in range(4): round_of_threads()
        gc.collect()
        after = hakmem.stats()
        keys = ("live_bytes", "superslabs_active", "metadata_bytes")
        print(json.dumps([[figures[key] for key in keys] for figures in (before, after)]))
    """)
    # One thread's blocks are 160 KB, so 200 leaking threads could not hide. What CPython keeps for itself may spread.
    assert after[0] - before[0] < 256 << 10
    assert after[1] <= before[1] + 4
    assert after[2] <= before[2] + (1 << 20)


# ---- fork ----


def test_children_allocate_free_and_end() -> None:
    """Forked beside allocating threads, 30 times: a lock that the child inherited locked would hang it."""
    assert (
        output_of(
            run_code("""
        import os, threading, warnings, hakmem
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: fork beside threads
        hakmem.enable()
        inherited = [bytes(size) for size in range(2000)]
        stop = threading.Event()
        def work():
            while not stop.is_set():
                [bytes(size) for size in range(0, 4000, 17)]
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        codes = []
        for _ in range(30):
            child = os.fork()
            if child == 0:
                inherited.clear()
                keep = [bytes(size) for size in range(3000)]
                hakmem.trim()
                os._exit(0 if hakmem.is_enabled() and len(keep) == 3000 and hakmem._hakmem.check() == 0 else 1)
            codes.append(os.waitpid(child, 0)[1])
        stop.set()
        for thread in threads: thread.join()
        print(set(codes), sum(map(len, inherited)))
    """)
        )
        == "{0} 1999000\n"
    )


def test_fork_does_not_warn_about_threads_of_ours() -> None:
    """3.12+ counts the threads that the kernel sees; a helper thread of the core must not be one of them."""
    assert (
        output_of(
            run_code(
                """
        import os, time, hakmem
        hakmem.enable()
        for _ in range(3):
            keep = [bytes(1000) for _ in range(50000)]
            del keep
            time.sleep(0.05)
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        """,
                flags=("-W", "error"),
            )
        )
        == ""
    )


# ---- sub-interpreters ----

NEW_INTERPRETER = """
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("isolated")
except ImportError:
    import _xxsubinterpreters as interpreters
    create = interpreters.create
def run(interpreter, code):
    error = interpreters.run_string(interpreter, code)
    if error is not None:
        raise RuntimeError(error)
"""

needs_own_gil = pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with their own GIL came with 3.12")


def test_all_interpreters_share_the_switch() -> None:
    if sys.version_info < (3, 12):
        code = "import _xxsubinterpreters as interpreters; create = interpreters.create; run = interpreters.run_string"
    else:
        code = NEW_INTERPRETER
    assert (
        output_of(
            run_code(
                code
                + """
import hakmem
interpreter = create()
run(interpreter, "import hakmem; assert not hakmem.is_enabled(); assert hakmem.enable()")
assert hakmem.is_enabled()
hakmem.disable()
run(interpreter, "import hakmem; assert not hakmem.is_enabled(); hakmem.enable(); keep = [bytes(100)] * 1000")
interpreters.destroy(interpreter)
print(hakmem.is_enabled())
"""
            )
        )
        == "True\n"
    )


@needs_own_gil
def test_interpreters_with_their_own_gil_allocate_at_the_same_time() -> None:
    work = """
import hakmem
assert hakmem.is_enabled()
for step in range(200):
    keep = [bytes(size) for size in range(0, 3000, 13)] + [{str(step): [step]} for _ in range(300)]
    if step % 50 == 0:
        hakmem.stats()
    del keep[::2]
"""
    assert (
        output_of(
            run_code(
                NEW_INTERPRETER
                + f"""
import threading, hakmem
hakmem.enable()
errors = []
def one(number):
    try:
        interpreter = create()
        run(interpreter, {work!r})
        interpreters.destroy(interpreter)
    except BaseException as error:
        errors.append(error)
for _ in range(2):
    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads: thread.start()
    exec({work!r})
    for thread in threads: thread.join()
assert hakmem._hakmem.check() == 0
print(errors)
"""
            )
        )
        == "[]\n"
    )


@needs_own_gil
def test_interpreters_enable_at_the_same_time() -> None:
    assert (
        output_of(
            run_code(
                NEW_INTERPRETER
                + """
import threading, hakmem
barrier = threading.Barrier(4)
errors = []
def one():
    try:
        interpreter = create()
        run(interpreter, "import hakmem")
        barrier.wait()
        run(interpreter, "for _ in range(200): hakmem.enable(); keep = [bytes(50)] * 50; hakmem.disable()")
        interpreters.destroy(interpreter)
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=one) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(errors)
"""
            )
        )
        == "[]\n"
    )


@needs_own_gil
def test_exit_table_is_the_main_interpreter_s() -> None:
    result = run_code(
        NEW_INTERPRETER + "import hakmem; i = create(); run(i, 'import hakmem; hakmem.enable()'); hakmem.enable()\n"
        "interpreters.destroy(i)",
        environment=clean_environment(HAKMEM_STATS_AT_EXIT="1"),
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("hakmem: stats") == 1
