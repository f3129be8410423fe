"""hakmem.quiesce(): a block in which hakmem has no thread, neither the helper nor the one for `hakmem stats`."""

from __future__ import annotations

import os
import sys

import pytest
from python_support import clean_environment, output_of, run_code

PRELUDE = """
import contextlib, ctypes, errno, os, sys, threading, time
import hakmem
hakmem.set_option("purge_delay_ms", 100000)  # the helper has something to wait for

def thread_count():
    return len(os.listdir("/proc/self/task"))

def build_and_drop():
    kept = [bytes(2000) for _ in range(20000)]
    del kept

def is_served(process=None):
    name = f"@hakmem.stats.{process or os.getpid()}.".encode()
    with open("/proc/self/net/unix", "rb") as file:
        return name in file.read()

def await_true(function, *arguments):
    end = time.monotonic() + 30
    while not function(*arguments):
        assert time.monotonic() < end, function
        time.sleep(0.002)

def await_threads(count):
    await_true(lambda: thread_count() == count)

def child(function, *arguments):
    process = os.fork()
    if process == 0:
        try:
            function(*arguments)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    assert os.waitpid(process, 0)[1] == 0

def unshare_user():
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.unshare(0x10000000) == 0 else ctypes.get_errno()

hakmem.enable()
"""
# 3.12 warns of a fork beside threads, which some of these programs have.
FLAGS = ("-W", "ignore::DeprecationWarning")
SERVED = {"HAKMEM_STATS_SOCKET": "1"}


def succeeds(code: str, **variables: str) -> None:
    output_of(run_code(PRELUDE + code, flags=FLAGS, environment=clean_environment(**variables)))


def test_no_helper_within_and_one_again_behind() -> None:
    succeeds("""
build_and_drop()
await_threads(2)
with hakmem.quiesce():
    assert thread_count() == 1
    build_and_drop()
    assert thread_count() == 1
    with hakmem.quiesce():
        assert thread_count() == 1
    build_and_drop()
    assert thread_count() == 1, "the outer block goes on"
build_and_drop()
await_threads(2)
""")


def test_no_stats_thread_within_and_one_again_behind() -> None:
    succeeds(
        """
assert thread_count() == 2 and is_served()
for _ in range(50):
    with hakmem.quiesce() as nothing, hakmem.quiesce():
        assert nothing is None
        assert thread_count() == 1 and not is_served()
    await_true(is_served)
build_and_drop()
await_threads(3)
with hakmem.quiesce():
    assert thread_count() == 1
""",
        **SERVED,
    )


UNSHARE = """
def leave():
    return unshare_user()
"""
SETNS = """
read_end, write_end = os.pipe()
with hakmem.quiesce():
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, 9)  # ends with its parent
        os.write(write_end, bytes([unshare_user()]))
        time.sleep(60)
os.read(read_end, 1)
namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)

def leave():
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.setns(namespace, 0x10000000) == 0 else ctypes.get_errno()
"""


@pytest.mark.parametrize("way", [UNSHARE, SETNS], ids=["unshare", "setns"])
@pytest.mark.parametrize("variables", [{}, SERVED], ids=str)
def test_namespaces_can_be_left_within(variables: dict[str, str], way: str) -> None:
    """As on stock, where no thread is in the way."""
    stock = output_of(run_code(f"{PRELUDE}{way}print(leave())", environment=clean_environment(HAKMEM="0")))
    within = f"""{PRELUDE}{way}
build_and_drop()
await_true(lambda: thread_count() > 1)
assert leave() == errno.EINVAL, "a process with two threads"
with hakmem.quiesce():
    refused = leave()
build_and_drop()
await_true(lambda: thread_count() > {1 + len(variables)})
print(refused)
"""
    assert output_of(run_code(within, flags=FLAGS, environment=clean_environment(**variables))) == stock
    if stock != "0\n":
        pytest.skip("user namespaces are not allowed here")


def test_an_exception_ends_it() -> None:
    succeeds(
        """
for error in (ValueError, KeyboardInterrupt, SystemExit):
    try:
        with hakmem.quiesce():
            assert thread_count() == 1
            raise error
    except error:
        await_true(is_served)
    else:
        raise AssertionError("the exception was swallowed")
""",
        **SERVED,
    )


def test_an_end_without_a_begin() -> None:
    succeeds("""
block = hakmem.quiesce()
for _ in range(2):
    try:
        block.__exit__(None, None, None)
    except RuntimeError as error:
        assert "no beginning" in str(error)
    else:
        raise AssertionError("no error")
    with block, block:
        build_and_drop()
        assert thread_count() == 1
build_and_drop()
await_threads(2)
""")


def test_a_fork_within() -> None:
    """The child is in the block as well, and leaves it by itself."""
    succeeds(
        """
def live(stack):
    assert thread_count() == 1 and not is_served()
    build_and_drop()
    assert thread_count() == 1
    with hakmem.quiesce():
        pass
    assert thread_count() == 1
    stack.close()
    await_true(is_served)
    build_and_drop()
    await_threads(3)

for _ in range(5):
    with contextlib.ExitStack() as stack:
        stack.enter_context(hakmem.quiesce())
        stack.enter_context(hakmem.quiesce())
        child(live, stack)
        assert thread_count() == 1 and not is_served()
    await_true(is_served)
child(await_true, is_served)
""",
        **SERVED,
    )


def test_a_fork_while_another_thread_is_within() -> None:
    """The child does not have that thread, so it is in no block, but in those of the thread that forked."""
    succeeds(
        """
entered, leave = threading.Event(), threading.Event()

def wait_within():
    with hakmem.quiesce(), hakmem.quiesce():
        entered.set()
        leave.wait()

def live():
    await_true(is_served)
    build_and_drop()
    await_threads(3)

def live_within(stack):
    assert thread_count() == 1 and not is_served()
    stack.close()
    live()

waiting = threading.Thread(target=wait_within, daemon=True)
waiting.start()
entered.wait()
assert thread_count() == 2 and not is_served()
child(live)
with contextlib.ExitStack() as stack:
    stack.enter_context(hakmem.quiesce())
    child(live_within, stack)
assert not is_served()
leave.set()
waiting.join()
await_true(is_served)
""",
        **SERVED,
    )


def test_many_threads_at_once() -> None:
    succeeds(
        """
failures = []

def enter_and_leave():
    for _ in range(50):
        with hakmem.quiesce():
            if is_served():
                failures.append("served within")
            build = [bytes(2000) for _ in range(1000)]

threads = [threading.Thread(target=enter_and_leave) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(20):
    child(await_true, is_served)
for thread in threads:
    thread.join()
assert not failures
await_true(is_served)
with hakmem.quiesce():
    assert thread_count() == 1
""",
        **SERVED,
    )


def test_left_in_another_thread() -> None:
    succeeds(
        """
block = hakmem.quiesce()
block.__enter__()
leaving = threading.Thread(target=block.__exit__, args=(None, None, None))
leaving.start()
leaving.join()
await_true(is_served)
child(await_true, is_served)
with hakmem.quiesce():
    child(lambda: time.sleep(0.01))
    assert thread_count() == 1
await_true(is_served)
""",
        **SERVED,
    )


def test_enabled_within() -> None:
    output_of(
        run_code(
            PRELUDE.replace("hakmem.enable()", "")
            + """
with hakmem.quiesce():
    assert hakmem.enable()
    assert thread_count() == 1 and not is_served()
await_true(is_served)
""",
            environment=clean_environment(**SERVED),
        )
    )


def test_no_descriptor_is_needed() -> None:
    """Each number is the program's: none is used for a moment, either, to tell the thread to end."""
    succeeds(
        """
import gc, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
build_and_drop()
await_threads(3)
others = {int(number) for number in os.listdir("/proc/self/task")} - {os.getpid()}

def is_there(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True

assert all(map(is_there, others))
resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
with hakmem.quiesce():
    assert not any(map(is_there, others))
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
await_true(lambda: gc.collect() >= 0 and is_served())  # it could not listen, and tries again
with hakmem.quiesce():
    assert thread_count() == 1
await_true(is_served)
""",
        **SERVED,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a network of its own")
def test_from_another_network_namespace() -> None:
    """The calling thread has left the one that the socket is in."""
    succeeds(
        """
assert ctypes.CDLL(None).unshare(0x40000000) == 0
with hakmem.quiesce():
    assert thread_count() == 1
await_true(is_served)
""",
        **SERVED,
    )


def test_in_a_sub_interpreter() -> None:
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    succeeds(
        f"""
import {name} as interpreters
interpreter = interpreters.create()
failure = interpreters.run_string(interpreter, '''
import os, hakmem
with hakmem.quiesce():
    assert len(os.listdir("/proc/self/task")) == 1
''')
assert failure is None, failure
await_true(is_served)
""",
        **SERVED,
    )
