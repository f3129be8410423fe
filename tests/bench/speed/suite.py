"""Part (c): pyperformance's benchmarks, run by pyperf, each sample from a worker process whose allocator was looked at.

The scripts are run directly, one worker process at a time, so that allocators can take turns. The number of loops is
found once, under the first allocator, and kept for all (not where a script times several things).
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.shared.peers import Peer, clean_environment
from bench.speed.sample import RunFailed, Sample, run
from bench.speed.suite_environment import Script, SuiteEnvironment

PART = "pyperformance"
CPU_PART = "pyperformance, cpu"
# Of every group of the suite, the ones that allocate and the ones that do not; "--benchmarks default" runs all.
SUBSET = (
    "async_tree",
    "chaos",
    "comprehensions",
    "deepcopy",
    "deltablue",
    "django_template",
    "float",
    "gc_traversal",
    "go",
    "html5lib",
    "json_dumps",
    "json_loads",
    "nbody",
    "pickle_pure_python",
    "pyflate",
    "python_startup",
    "raytrace",
    "regex_compile",
    "richards",
    "sqlglot_v2_parse",
    "tomli_loads",
    "unpickle_pure_python",
    "xml_etree",
)
VALUES = 3
WARM_UPS = 1


class Suite:
    """The chosen scripts of pyperformance and what was learnt about them."""

    def __init__(self, environment: SuiteEnvironment, scripts: Sequence[Script]) -> None:
        self._environment = environment
        self.scripts = scripts
        self._loops: dict[str, int] = {}

    def measure(self, script: Script, peer: Peer) -> list[Sample]:
        """One sample for each thing that the script times; one failed sample where it came to no good end."""
        try:
            if script.absent:
                raise RunFailed(script.absent)
            samples = list(self._run(script, peer))
        except (RunFailed, ValueError, KeyError, OSError) as failure:
            return [Sample(PART, script.name, peer.name, failure=str(failure) or repr(failure), script=script.name)]
        timed = [sample for sample in samples if sample.part == PART]
        if len(timed) == 1 and script.name not in self._loops:
            self._loops[script.name] = int(timed[0].figures["loops"])
        return samples

    def _run(self, script: Script, peer: Peer) -> Iterator[Sample]:
        own = peer.environment | peer.worker_environment
        with tempfile.TemporaryDirectory() as scratch:
            output = Path(scratch) / "result.json"
            command = [str(self._environment.python), "-u", script.script, *script.arguments]
            command += ["--processes=1", f"--values={VALUES}", f"--warmups={WARM_UPS}", f"--output={output}"]
            command += ["--hook=allocator_check", f"--inherit-environ={','.join([*own, 'PYTHONHASHSEED'])}"]
            if "BENCH_PASS_THROUGH" in own:
                command.append("--hook=pass_through")
            if script.name in self._loops:
                command.append(f"--loops={self._loops[script.name]}")
            run(command, clean_environment() | own, Path(scratch))
            document = json.loads(output.read_text())
        for benchmark in document["benchmarks"]:
            yield from _samples(document, benchmark, script, peer)


def _samples(document: dict[str, Any], benchmark: dict[str, Any], script: Script, peer: Peer) -> Iterator[Sample]:
    """pyperf keeps what all runs have in common one level up; its last run is the one that is not a calibration."""
    common = document.get("metadata", {}) | benchmark.get("metadata", {})
    for worker in benchmark["runs"]:
        notes = common | worker.get("metadata", {})
        _check_allocator(notes, peer)
    if common.get("unit", "second") != "second":
        raise RunFailed(f"does not measure seconds but {common['unit']}")
    loops, seconds = notes.get("loops", 1), statistics.median(benchmark["runs"][-1]["values"])
    figures = {"loops": loops, "hakmem_requests": notes.get("allocator_hakmem_requests", 0)}
    yield Sample(PART, common["name"], peer.name, seconds, figures, script=script.name)
    cpu_seconds = notes["allocator_cpu_seconds"] / loops
    yield Sample(CPU_PART, common["name"], peer.name, cpu_seconds, script=script.name)


def _check_allocator(notes: dict[str, Any], peer: Peer) -> None:
    """Raises unless the worker was served by the peer, and by no other."""
    files = notes["allocator_files"]
    if not re.fullmatch(rf"\S*{re.escape(peer.mapped_file)}\S*" if peer.mapped_file else "none", files):
        raise RunFailed(f"{peer.name} was to be in the worker; of allocators there was: {files}")
    if notes["allocator_pythonmalloc"] != peer.environment.get("PYTHONMALLOC", "none"):
        raise RunFailed(f"PYTHONMALLOC was {notes['allocator_pythonmalloc']!r} in the worker")
    if peer.name == "hakmem" and not (notes["allocator_hakmem_enabled"] and notes["allocator_hakmem_requests"]):
        raise RunFailed("hakmem was not enabled in the worker")


def failures_by_case(samples: Sequence[Sample]) -> list[Sample]:
    """A script that failed gave no cases: its failure becomes one of each case that it gave elsewhere."""
    cases: dict[str, dict[tuple[str, str], None]] = {}
    for sample in samples:
        if sample.script and not sample.failure:
            cases.setdefault(sample.script, {})[sample.part, sample.case] = None
    result = []
    for sample in samples:
        if sample.script and sample.failure:
            known = cases.get(sample.script, {(sample.part, sample.case): None})
            result += [replace(sample, part=part, case=case) for part, case in known]
        else:
            result.append(sample)
    return result
