"""Measures one workload under one peer in a fresh process; and what the account of a state costs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hakmem.measure.allocators import hakmem_options

from bench.shared import peers
from bench.shared.child import started
from bench.shared.peers import Peer
from bench.shared.runner import SOON_SECONDS, TIMEOUT_SECONDS

WORKLOADS = ("tables", "closures", "strings", "tree", "mixed")
SURVIVORS_PER_THOUSAND = (0, 1, 10)
SCRIPT = Path(__file__).resolve().parent / "workloads.lua"


@dataclass
class Sample:
    """Absolute figures of one process; `failure` says why there are none."""

    workload: str
    per_thousand: int
    peer: str
    base_bytes: int = 0
    peak_bytes: int = 0
    dropped_bytes: int = 0
    soon_bytes: int = 0  # 300 ms after the collection
    seconds: float = 0.0  # of cpu, building and dropping
    result: str = ""
    failure: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def environment_for(peer: Peer, module: Path) -> dict[str, str]:
    kept = {key: value for key, value in peers.clean_environment().items() if not key.startswith("LUA")}
    return kept | peer.environment | {"LUA_CPATH": f"{module}/?.so;;"}


def lua_peers(lua: str, module: Path, mimalloc: Path) -> list[Peer]:
    """Stock first, hakmem last; the preloaded ones as the other benchmarks have them."""
    version = subprocess.run([lua, "-v"], capture_output=True, text=True).stdout.split(" Copyright")[0].strip()
    names = ("jemalloc", "jemalloc decay 0", "mimalloc")
    preloaded = [peer for peer in peers.python_peers(mimalloc) if peer.name in names]
    ours = Peer("hakmem", ("-l", "hakmem"), hakmem_options(), "hakmem.so")
    asked = [lua, "-l", "hakmem", "-e", "local h = package.loaded.hakmem io.write(h.is_enabled() and h.version or '')"]
    answer = subprocess.run(asked, capture_output=True, text=True, env=environment_for(ours, module))
    ours.version = answer.stdout
    if not ours.version:
        ours.absent = answer.stderr.partition("\n")[0] or "hakmem is not enabled in this interpreter"
        ours.absent += f" (hakmem.so was looked for in {module})"
    return [Peer("stock", version=version), *preloaded, ours]


def measure(lua: str, module: Path, workload: str, per_thousand: int, peer: Peer, scale: float) -> Sample:
    sample = Sample(workload, per_thousand, peer.name)
    command = [lua, *peer.launcher, str(SCRIPT), workload, str(scale), str(per_thousand), "still"]
    with started(command, environment_for(peer, module), TIMEOUT_SECONDS, sample) as child:
        sample.base_bytes = child.begin(peer.mapped_file)
        child.expect("held")
        child.go_on()
        child.expect("dropped")
        sample.dropped_bytes = child.resident_bytes()
        time.sleep(SOON_SECONDS)
        sample.soon_bytes = child.resident_bytes()
        sample.peak_bytes = child.peak_bytes()
        child.go_on()
        said = json.loads(child.read_line())
        sample.seconds = said["seconds"]
        sample.result = f"{said['survivors']} {said['sum']}"
    return sample


# ---- The account ----


@dataclass
class Account:
    """One workload in a state without (plain) and with an account."""

    workload: str
    kind: str
    seconds: float
    instructions: int | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def run_host(host: Path, kind: str, workload: str, scale: float) -> float:
    command = [str(host), kind, str(SCRIPT), workload, str(scale), "0"]
    result = subprocess.run(command, capture_output=True, text=True, env=peers.clean_environment(), check=True)
    return float(json.loads(result.stdout)["seconds"])


def count_instructions(host: Path, kind: str, workload: str) -> int | None:
    """By callgrind, at a small size: exact where times are not. None where valgrind is not there."""
    if shutil.which("valgrind") is None:
        return None
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    program = [str(host), kind, str(SCRIPT), workload, "0.02", "0"]
    result = subprocess.run([*command, *program], capture_output=True, text=True, env=peers.clean_environment())
    found = re.search(r"Collected : (\d+)", result.stderr)
    return int(found[1]) if found else None


def measure_accounts(host: Path, kinds: Sequence[str], runs: int, scale: float) -> list[Account]:
    """The fastest of `runs` turns, in each of which every kind runs once."""
    found = []
    for workload in WORKLOADS:
        fastest = dict.fromkeys(kinds, float("inf"))
        for run in range(runs):
            for kind in [*kinds[run % len(kinds) :], *kinds[: run % len(kinds)]]:
                fastest[kind] = min(fastest[kind], run_host(host, kind, workload, scale))
        found += [Account(workload, kind, fastest[kind], count_instructions(host, kind, workload)) for kind in kinds]
    return found
