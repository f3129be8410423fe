"""Programs whose traces the allocator is tuned on: some workloads of bench-rss, and some that work as real ones do.

Each is a Workload; a `drop` may also be the time of work after a peak.
"""

from __future__ import annotations

import ast
import asyncio
import collections
import contextlib
import importlib.util
import io
import json
import random
import sys
import sysconfig
import unittest
from pathlib import Path
from typing import Any

from bench.rss import workloads
from bench.shared.workload import Workload, scattered


class SyntaxTreesSurvivors(workloads.SyntaxTrees):
    """1 % of the functions' trees survive."""

    def drop(self) -> None:
        functions = [node for tree in self.held for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        self.survivors = scattered(functions, 0.01)
        self.held = None


class SlowChurn(Workload):
    """Strings and small dicts by name; the names in use move on slowly, and so do the sizes. Then most of it goes."""

    def prepare(self) -> None:
        self.random = random.Random(11)
        self.held = collections.OrderedDict()
        self.next_name = 0

    def add(self, longest: int) -> None:
        pick = self.random.randrange
        name = f"session-{self.next_name}-{pick(1 << 30):x}"
        self.next_name += 1
        self.held[name] = {"text": "x" * pick(longest), "words": [f"word-{pick(10**6)}" for _ in range(pick(6))]}

    def grow(self) -> None:
        count = self.count(60_000)
        for longest in (40, 120, 360, 900):
            for _ in range(count):
                self.add(longest)
                if len(self.held) > count:
                    name = next(iter(self.held))
                    if self.random.random() < 0.02:
                        self.held.move_to_end(name)  # one that lives on
                    else:
                        del self.held[name]

    def drop(self) -> None:
        for name in list(self.held):
            if self.random.random() < 0.95:
                del self.held[name]


class Server(Workload):
    """An asyncio server without a network: requests are parsed, wait, update sessions, answer. Traffic
    comes in a wave."""

    async def respond(self, text: str, waits: int) -> str:
        request = json.loads(text)
        session = self.sessions.setdefault(request["user"], {"seen": 0, "last": collections.deque(maxlen=20)})
        for _ in range(waits):
            await asyncio.sleep(0)
        session["seen"] += 1
        session["last"].append(f"{request['path']}?{request['query']}")
        if len(self.sessions) > self.session_limit:
            self.sessions.pop(next(iter(self.sessions)))
        return json.dumps({"status": 200, "user": request["user"], "last": list(session["last"])[-3:]})

    async def serve(self, requests: int, at_once: int) -> int:
        pick = self.random.randrange
        pending: set[asyncio.Task[str]] = set()
        answered = 0
        for number in range(requests):
            body = {"user": f"user-{pick(self.users)}", "path": f"/item/{number}", "query": "q" * pick(200)}
            pending.add(asyncio.create_task(self.respond(json.dumps(body), pick(1, 30))))
            if len(pending) >= at_once:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                answered += sum(len(task.result()) for task in done)
        for task in pending:
            answered += len(await task)
        return answered

    def prepare(self) -> None:
        self.random = random.Random(13)
        self.sessions: dict[str, dict[str, Any]] = {}
        self.users = self.count(80_000)
        self.session_limit = self.count(20_000)

    def grow(self) -> None:
        asyncio.run(self.serve(self.count(40_000), at_once=self.count(4_000)))

    def drop(self) -> None:
        """The wave is over: fewer sessions, few requests at once."""
        self.session_limit = self.count(2_000)
        while len(self.sessions) > self.session_limit:
            self.sessions.pop(next(iter(self.sessions)))
        asyncio.run(self.serve(self.count(10_000), at_once=10))


class Tests(Workload):
    """Tests of the standard library, as `python -m unittest` runs them."""

    modules = ("test.test_json.test_decode", "test.test_dict", "test.test_textwrap", "test.test_collections")

    def grow(self) -> None:
        suite = unittest.defaultTestLoader.loadTestsFromNames(self.modules)
        with contextlib.redirect_stdout(io.StringIO()):
            unittest.TextTestRunner(stream=io.StringIO()).run(suite)


class CompileAll(Workload):
    """Modules of the standard library compiled one after the other; the code of some is kept."""

    def prepare(self) -> None:
        library = Path(sysconfig.get_path("stdlib"))
        self.sources = [path.read_text(encoding="utf-8") for path in sorted(library.glob("*.py"))]
        self.sources = self.sources[: self.count(len(self.sources))]

    def grow(self) -> None:
        self.held = [compile(text, "library", "exec") for text in self.sources]

    def drop(self) -> None:
        self.survivors = scattered(self.held, 0.05)
        self.held = None


class Jobs(Workload):
    """One job after the other: a few documents are read, looked at and dropped. What thrashes when too little of what
    was just freed is kept."""

    def prepare(self) -> None:
        self.text = workloads.json_file(self.inputs, self.scale).read_text()

    def grow(self) -> None:
        for documents in (1, 2, 4, 2, 5, 1, 3, 3, 2, 4):
            records = [record for _ in range(documents) for record in json.loads(self.text)]
            self.survivors = sum(len(record["tags"]) for record in records)


# Name to workload and the share of its full size that makes a trace of one to some million events.
PROGRAMS: dict[str, tuple[type[Workload], float]] = {
    "json 0.1 %": (workloads.JsonFewSurvivors, 0.1),
    "json 1 %": (workloads.JsonSurvivors, 0.1),
    "json 5 %": (workloads.JsonManySurvivors, 0.1),
    "syntax trees 1 %": (SyntaxTreesSurvivors, 0.2),
    "floats": (workloads.Floats, 0.15),
    "bytes 700..2048 1 %": (workloads.BytesSurvivors, 0.3),
    "growing lists": (workloads.GrowingLists, 0.5),
    "shrinking cache": (workloads.ShrinkingCache, 0.2),
    "slow churn": (SlowChurn, 0.15),
    "server": (Server, 0.1),
    "compile all": (CompileAll, 0.2),
    "jobs": (Jobs, 0.05),
    "tests": (Tests, 1.0),
}


def absent() -> str:
    """Why `tests` cannot be recorded here, or nothing."""
    try:
        found = importlib.util.find_spec("test.test_dict")
    except ImportError:
        found = None
    return "" if found else f"{sys.executable} has no tests of the standard library"
