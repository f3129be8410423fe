"""A thread that waits costs little beside its stack and its objects: resident memory and addresses."""

from __future__ import annotations

import json

from python_support import HAKMEM, clean_environment, output_of, run

THREADS = 300
THREAD_BYTES_MAX = 64 << 10  # beside what the same thread costs stock Python
THREAD_ADDRESS_BYTES_MAX = 96 << 10
PROCESS_ADDRESS_BYTES_MAX = 16 << 20  # the registry's window, the first SuperSlabs: once, however many threads

WAITING = """
import json, sys, threading
threading.stack_size(65536)
count = int(sys.argv[1])
done, ready = threading.Event(), threading.Semaphore(0)
def figures():
    with open("/proc/self/statm") as file:
        mapped, resident = file.read().split()[:2]
    return [int(mapped) * 4096, int(resident) * 4096]
def wait():
    keep = [object() for _ in range(100)]
    ready.release()
    done.wait()
threads = [threading.Thread(target=wait) for _ in range(count)]
before = figures()
for thread in threads:
    thread.start()
for _ in threads:
    ready.acquire()
after = figures()
done.set()
for thread in threads:
    thread.join()
print(json.dumps([now - then for now, then in zip(after, before)]))
"""


def grown_bytes(**variables: str) -> list[int]:
    command = [*HAKMEM, "run", "-c", WAITING, str(THREADS)]
    result: list[int] = json.loads(output_of(run(command, environment=clean_environment(**variables))))
    return result


def test_waiting_threads_are_cheap() -> None:
    stock_mapped, stock_resident = grown_bytes(HAKMEM="0")
    mapped, resident = grown_bytes()
    assert stock_resident > THREADS * 4096, "the threads are there"
    assert resident - stock_resident <= THREADS * THREAD_BYTES_MAX
    assert mapped - stock_mapped <= THREADS * THREAD_ADDRESS_BYTES_MAX + PROCESS_ADDRESS_BYTES_MAX
