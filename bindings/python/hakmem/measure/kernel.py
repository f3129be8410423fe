"""What the kernel says of one process, from /proc: memory sums, mappings, processor time. Keeps nothing."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from hakmem.measure.measure_error import MeasureError

CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True)
class MemorySums:
    """Of one process, in bytes. `high_water` is the largest RSS so far."""

    rss: int
    pss: int
    high_water: int


@dataclass
class Mapping:
    """One entry of smaps. Sizes in bytes by the kernel's name, `Rss`, `Private_Dirty`, ..."""

    start: int
    end: int
    permissions: str
    path: str
    sizes: dict[str, int] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    @property
    def is_anonymous(self) -> bool:
        """Whether it is memory without a file and without a name."""
        return not self.path or self.path.startswith("[anon")

    @property
    def is_locked(self) -> bool:
        """Whether mlock or mlockall keeps it resident; the kernel then refuses to take OS pages back, too."""
        return "lo" in self.flags


def _read(process_id: int, name: str) -> bytes | None:
    """Return a file of /proc/PID; None when the process is gone. Raises MeasureError when it may not be read."""
    path = f"/proc/{process_id}/{name}"
    try:
        with open(path, "rb") as file:
            return file.read()
    except GONE:
        return None
    except PermissionError:
        raise MeasureError(
            f"{path} may not be read: process {process_id} is {owner_name(process_id)}'s; {who_may_read(process_id)}"
        ) from None
    except OSError as error:
        raise MeasureError(f"{path} cannot be read: {error.strerror}; is /proc mounted?") from None


def user_of(process_id: int) -> int:
    """Return the id of the user that a process belongs to. Raises MeasureError when it is gone."""
    folder = f"/proc/{process_id}"
    try:
        with open(f"{folder}/status", "rb") as file:
            _real, effective, *_ = _numbers_behind(b"Uid", file.read())
        return effective
    except PermissionError:
        # Not the first choice: the folder is root's where its process was root's before it became somebody else's.
        return os.stat(folder).st_uid
    except (OSError, ValueError):
        raise MeasureError(f"there is no process {process_id}; it may have ended") from None


def _numbers_behind(name: bytes, status: bytes) -> list[int]:
    """Return the numbers in a line of the text of a file `status`."""
    _, _, rest = status.partition(b"\n" + name + b":")
    return [int(word) for word in rest.partition(b"\n")[0].split() if word.isdigit()]


def process_of(thread_id: int) -> int:
    """Return the process of a thread, itself where it is one. Raises MeasureError when it is gone."""
    _check_proc()
    numbers = _numbers_behind(b"Tgid", _read(thread_id, "status") or b"")
    if not numbers:
        raise MeasureError(f"there is no process {thread_id}; it may have ended")
    return numbers[0]


def own_number_of(process_id: int) -> int:
    """Return the number by which a process knows itself: another one where it is in a container."""
    return (_numbers_behind(b"NSpid", _read(process_id, "status") or b"") or [process_id])[-1]


def unix_sockets(process_id: int) -> bytes:
    """Return the kernel's list of the Unix sockets in the network that a process sees."""
    return _read(process_id, "net/unix") or b""


def has_our_network(process_id: int) -> bool:
    """Tell whether a process is in our network namespace: each has a list of its own, with a number of its own."""
    try:
        return os.path.samestat(os.stat(f"/proc/{process_id}/net/unix"), os.stat("/proc/self/net/unix"))
    except OSError:
        return False


def resident_bytes(process_id: int) -> int | None:
    """Return the resident memory; the counter that lags where the exact sum may not be read. None when it is gone."""
    try:
        sums = memory_sums(process_id)
        return None if sums is None else sums.rss
    except MeasureError:
        kibibytes = _numbers_behind(b"VmRSS", _read(process_id, "status") or b"")
        return kibibytes[0] * 1024 if kibibytes else None


def owner_name(process_id: int) -> str:
    """Return the name of that user."""
    import pwd

    user_id = user_of(process_id)
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"user {user_id}"


def who_may_read(process_id: int) -> str:
    """Return what to do where the kernel does not let us look into a process."""
    if os.geteuid() == 0:
        return "root may not here, either: the capability SYS_PTRACE is missing (docker run --cap-add SYS_PTRACE)"
    if user_of(process_id) == os.geteuid():
        return "run this as root (sudo)"
    return "run this as that user or root"


def _check_proc() -> None:
    if not os.path.exists("/proc/self/stat"):
        raise MeasureError("/proc cannot be read; mount it (mount -t proc proc /proc)")


def check_readable(process_id: int) -> None:
    """Raise MeasureError unless this process exists, has memory, and may be looked at."""
    _check_proc()
    if _read(process_id, "stat") is None:
        raise MeasureError(f"there is no process {process_id}; it may have ended")
    if memory_sums(process_id) is None:
        raise MeasureError(f"process {process_id} has no memory of its own: it has ended, or is a thread of the kernel")


def memory_sums(process_id: int) -> MemorySums | None:
    """Return RSS and PSS from smaps_rollup, which is exact where the counters in `status` lag. None when gone."""
    rollup = _read_rollup(process_id)
    status = _read(process_id, "status") if rollup else None
    if not rollup or status is None:
        return None
    found = {"Rss": 0, "Pss": 0, "VmHWM": 0}
    for line in (rollup + status).split(b"\n"):
        name, _, rest = line.partition(b":")
        if (key := name.decode(errors="replace")) in found:
            found[key] = int(rest.split()[0]) * 1024
    return MemorySums(found["Rss"], found["Pss"], max(found["VmHWM"], found["Rss"]))


def _read_rollup(process_id: int) -> bytes | None:
    """Return smaps_rollup; None while a process has no memory (before exec, or when it has ended)."""
    try:
        return _read(process_id, "smaps_rollup")
    except MeasureError:
        # A process that is ending refuses, too, for a moment.
        stat = _read(process_id, "stat")
        if stat is None or state_of(stat) in "ZX":
            return None
        raise


def state_of(stat: bytes) -> str:
    """Return the letter of a process's state from the text of its file `stat`."""
    return stat.rpartition(b")")[2].split()[0].decode()


def processor_seconds(process_id: int) -> float:
    """Return the processor time of a process and of the children that it has waited for; 0 when it is gone."""
    stat = _read(process_id, "stat")
    if stat is None:
        return 0.0
    fields = stat.rpartition(b")")[2].split()
    return sum(int(value) for value in fields[11:15]) / CLOCK_TICKS_PER_SECOND


def children(process_id: int) -> list[int] | None:
    """Return the children of all threads of a process; None where this kernel does not list them."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{process_id}/task"):
            with open(f"/proc/{process_id}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except GONE:
        return found if LISTS_CHILDREN else None
    except OSError:
        return None
    return found


LISTS_CHILDREN = os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def command_line(process_id: int) -> list[str]:
    """Return the words that a process was started with; empty when it is gone."""
    text = _read(process_id, "cmdline")
    # A process that wrote a title over its words may have left no zero byte at the end.
    return [os.fsdecode(word) for word in text.removesuffix(b"\0").split(b"\0")] if text else []


def environment(process_id: int) -> list[bytes]:
    """Return the variables that a process was started with, NAME=VALUE; empty when it is gone."""
    return (_read(process_id, "environ") or b"").split(b"\0")


def has_mapped(process_id: int, part_of_path: str) -> bool:
    """Tell whether a file with this text in its path is mapped."""
    try:
        return os.fsencode(part_of_path) in mapped_text(process_id)
    except MeasureError:
        return False


def mapped_text(process_id: int) -> bytes:
    """Return what the kernel says of all mappings, without sizes; nothing when the process is gone."""
    return _read(process_id, "maps") or b""


def mappings(process_id: int) -> list[Mapping]:
    """Return all mappings with their sizes. Raises MeasureError when the process is gone or not ours."""
    text = _read(process_id, "smaps")
    if not text:
        raise MeasureError(f"there is no process {process_id} any more")
    return merge_neighbours(list(parse_smaps(os.fsdecode(text))))


def merge_neighbours(mappings: list[Mapping]) -> list[Mapping]:
    """Join neighbours that differ in nothing: after a fork the kernel keeps what grows apart from what was there."""
    merged: list[Mapping] = []
    for mapping in mappings:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.end == mapping.start
            and (last.path, last.permissions, last.flags) == (mapping.path, mapping.permissions, mapping.flags)
            and (mapping.is_anonymous or mapping.path == "[heap]")
        ):
            last.end = mapping.end
            for name, size_bytes in mapping.sizes.items():
                last.sizes[name] = last.sizes.get(name, 0) + size_bytes
        else:
            merged.append(mapping)
    return merged


def parse_smaps(text: str) -> Iterator[Mapping]:
    """Read the text of a file smaps."""
    current: Mapping | None = None
    # Not splitlines(): the kernel escapes a line feed in a path, and none of the other ends of lines.
    for line in filter(None, text.split("\n")):
        first, _, rest = line.partition(" ")
        if not first.endswith(":"):
            if current is not None:
                yield current
            start, _, end = first.partition("-")
            words = rest.split(None, 4)
            path = words[4] if len(words) > 4 else ""
            current = Mapping(int(start, 16), int(end, 16), words[0], path)
        elif current is not None:
            if first == "VmFlags:":
                current.flags = frozenset(rest.split())
            elif rest.endswith("kB"):
                current.sizes[first[:-1]] = int(rest.split()[0]) * 1024
    if current is not None:
        yield current
