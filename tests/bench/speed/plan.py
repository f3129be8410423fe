"""What is measured under which peer: the cases of the chosen parts of `make bench-speed`."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.shared.command import check_names, words
from bench.shared.peers import Peer
from bench.speed import cases, curves
from bench.speed.programs import PROGRAMS
from bench.speed.sample import Sample
from bench.speed.suite import CPU_PART, Suite

PARTS = ("loops", "instructions", "programs", "pyperformance", "threads", "curves")
# The parts of samples: some of the above have several.
SAMPLE_PARTS = (*PARTS[:4], CPU_PART, "threads", "heap curve", "thread curve", "pauses")
THREAD_SECONDS = 0.5


@dataclass
class Case:
    """Something to be measured under each peer that it is for."""

    name: str
    measure: Callable[[Peer], list[Sample]]
    is_for: Callable[[Peer], bool]


class Plan:
    """`left_out` says what cannot be measured on this machine."""

    def __init__(self, arguments: argparse.Namespace, extension_folder: Path, suite: Suite | None) -> None:
        self.cases: list[Case] = []
        self.left_out: list[str] = []
        self._wanted = words(arguments.cases, ";")
        self._known: dict[str, None] = {}  # names that --cases may have, in order
        self._native: Path = arguments.native
        self._is_short: bool = arguments.short
        self._peers_named = bool(arguments.peers)
        parts = chosen_parts(arguments)
        self.instructions = self.filter(cases.pattern_names(extension_folder)) if "instructions" in parts else []
        lack = lack_of_instructions(self._is_short)
        if self.instructions and lack:
            self.left_out.append(f"instructions: {lack}")
            self.instructions = []
        if "loops" in parts:
            for index, name in enumerate(cases.pattern_names(extension_folder)):
                self._add(name, name, partial(cases.loop, index, name, extension_folder), lambda peer: True)
        if "programs" in parts:
            for name in PROGRAMS:
                self._add(name, name, partial(cases.program, name), lambda peer: True)
        if suite is not None:
            self._add_suite(suite)
        if "threads" in parts:
            for profile, count in itertools.product(cases.THREAD_PROFILES, cases.THREAD_COUNTS):
                measure = partial(cases.threads, profile, count, THREAD_SECONDS, self._native)
                self._add(f"{profile}, {count} threads", profile, measure, cases.is_for_c)
        if "curves" in parts:
            self._add_curves()
        check_names(f"case of {', '.join(parts)}", self._wanted, self._known, "; ")

    def filter(self, names: Sequence[str]) -> list[str]:
        self._known.update(dict.fromkeys(names))
        return [name for name in names if not self._wanted or name in self._wanted]

    def _add(self, name: str, choice: str, measure: Callable[[Peer], Sample], is_for: Callable[[Peer], bool]) -> None:
        if self.filter([choice, name]):
            self.cases.append(Case(name, lambda peer: [measure(peer)], is_for))

    def _is_for_long_parts(self, peer: Peer) -> bool:
        return self._peers_named or not peer.is_variant

    def _add_suite(self, suite: Suite) -> None:
        for script in suite.scripts:
            if self.filter([script.name]):
                measure = partial(suite.measure, script)
                self.cases.append(Case(f"pyperformance: {script.name}", measure, self._is_for_long_parts))

    def _add_curves(self) -> None:
        def is_for(peer: Peer) -> bool:
            return cases.is_for_c(peer) and self._is_for_long_parts(peer)

        for mebibytes in curves.HEAP_MEBIBYTES:
            lack = curves.lack_of_room(mebibytes)
            name = f"heap of {curves.heap_name(mebibytes)}"
            if self._is_short and mebibytes > curves.SHORT_HEAP_MEBIBYTES_MAX:
                continue
            if not lack:
                self._add(name, "heap", partial(curves.heap, mebibytes, self._native), is_for)
            elif self.filter(["heap", name]):
                self.left_out.append(f"{name}: {lack}")
        for alive, working in curves.ALIVE:
            if not self._is_short or alive <= curves.SHORT_ALIVE_MAX:
                measure = partial(curves.alive, alive, working, self._native)
                self._add(f"threads: {curves.alive_name(alive, working)}", "alive", measure, is_for)
        self._add("pauses", "pauses", partial(curves.pauses, self._native), is_for)


def lack_of_instructions(is_short: bool) -> str:
    """Why they are not counted, or nothing."""
    if is_short:
        return "--short does without"
    return "" if cases.has_valgrind() else "valgrind was not found (Debian: valgrind)"


def chosen_parts(arguments: argparse.Namespace) -> list[str]:
    return words(arguments.parts) or list(PARTS)
