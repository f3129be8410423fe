"""The peers of `make bench-churn`: the same names for programs in Python, in Lua and in C, started otherwise each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import hakmem
from hakmem import preload

from bench.shared.peers import Peer, process_peers

STOCK, OURS, LEANEST = "stock", "hakmem", "jemalloc decay 0"
FROZEN, UNLIMITED, WINDOW = "hakmem frozen", "hakmem unlimited", "demand window"
PRELOADED = ("jemalloc", LEANEST, "mimalloc", "mimalloc purge delay 0")

# What bounds the free memory that hakmem keeps. One whose option this hakmem has not is left out.
BOUNDS: Mapping[str, dict[str, str]] = {
    FROZEN: {"HAKMEM_LEARN": "0"},  # does not learn: the burst bound of the options
    UNLIMITED: {"HAKMEM_RETAIN_BURST_BYTES": str(2**50)},  # the best that a burst bound can do
    WINDOW: {"HAKMEM_LEARN": "window"},  # what the last second needed at most: the learner to beat
}


def bounded(ours: Peer, known_variables: Collection[str]) -> list[Peer]:
    """hakmem, and hakmem under each of the bounds."""
    found = [ours]
    for name, variables in BOUNDS.items():
        lacking = [variable for variable in variables if variable not in known_variables]
        absent = ours.absent or (f"this hakmem has no option {lacking[0]}" if lacking else "")
        environment = ours.environment | variables
        found.append(replace(ours, name=name, environment=environment, absent=absent))
    return found


def python_contenders(mimalloc: Path) -> list[Peer]:
    """Stock is Python's own allocator."""
    known = {peer.name: peer for peer in process_peers(mimalloc)}
    stock = Peer(STOCK, version="pymalloc; for Lua and C: " + known["glibc"].version)
    variables = [] if known["hakmem"].absent else [option["variable"] for option in hakmem.options()]
    return [stock, *(known[name] for name in PRELOADED), *bounded(known["hakmem"], variables)]


def in_lua(peer: Peer) -> Peer:
    """For the host in C: stock's allocator under the preloaded ones, hakmem's by its binding."""
    is_ours = peer.name == OURS or peer.name in BOUNDS
    return replace(peer, launcher=("plain" if is_ours else "stock",), mapped_file="" if is_ours else peer.mapped_file)


def in_c(peer: Peer) -> Peer:
    """hakmem's malloc is preloaded, too."""
    if peer.name != OURS and peer.name not in BOUNDS:
        return peer
    return replace(peer, launcher=("-m", "hakmem", "exec", "--require", "--"), mapped_file=preload.LIBRARY_NAME)
