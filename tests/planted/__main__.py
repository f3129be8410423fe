"""`make planted`: plants each fault in a copy of the core, builds it, and runs the C tests until one of them fails."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from planted.faults import Fault, planted, read_faults
from planted.running import run
from planted.trees import Build, BuildError, CoreTest, copy_tree

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = REPOSITORY / "build" / "planted"

QUICK_SECONDS = 5.0  # on the clean copy; slower tests wait until the quick ones of all kinds have passed
TEST_KINDS = ("unit", "death", "oom", "fork", "return", "stress", "fuzz", "rendezvous", "variants")
FUZZ_SCALE = 40  # the last stage: so many times the streams of the fuzzer's test, half a minute of one processor
BUILDS = {
    "checks": ("-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DHAKMEM_DEBUG_CHECKS=ON"),
    "release": ("-DCMAKE_BUILD_TYPE=Release", "-DHAKMEM_DEBUG_CHECKS=OFF"),
}


@dataclass
class Result:
    """What became of one fault. `found_by` is empty where nothing found it."""

    id: str
    layer: str
    kind: str
    found_by: str
    build: str
    seconds: float  # all of it, with the builds
    test_seconds: float  # of the test that found it
    failure: str
    again: bool  # the same test failed a second time; a fault in a race may need luck
    known_gap: str


class Checker:
    """The copy, its builds, and how long each test takes on the clean copy."""

    def __init__(self, jobs: int, is_quick: bool, kinds: list[str]) -> None:
        self.jobs, self.is_quick, self.kinds = jobs, is_quick, kinds
        self.tree = OUTPUT / "tree"
        self.digest = copy_tree(REPOSITORY, self.tree)
        self.builds = {name: Build(self.tree, OUTPUT / name, options, jobs) for name, options in BUILDS.items()}
        self.clean_seconds: dict[str, dict[str, float]] = {}

    def prepare(self, name: str) -> None:
        """Builds all tests of the clean copy and takes their times, unless that was done for the same files."""
        build = self.builds[name]
        print(f"builds the clean tests ({name})", flush=True)
        build.build_all()
        # Those that change the machine for all would disturb others here, again and again.
        build.tests = [test for test in build.tests if not test.changes_machine]
        if self.kinds:
            build.tests = [test for test in build.tests if test.kind in self.kinds]
        times_file = OUTPUT / f"{'-'.join([name, *self.kinds])}-clean.json"
        if times_file.exists() and (kept := json.loads(times_file.read_text()))["digest"] == self.digest:
            self.clean_seconds[name] = kept["seconds"]
        else:
            print(f"takes the times of the clean tests ({name})", flush=True)
            passed = self._passed_clean(build)
            times_file.write_text(json.dumps({"digest": self.digest, "seconds": passed}, indent=1))
            self.clean_seconds[name] = passed
        build.tests = [test for test in build.tests if test.name in self.clean_seconds[name]]

    def _passed_clean(self, build: Build) -> dict[str, float]:
        outcomes = run(build.tests, {}, self.jobs, until_failure=False)
        failed = {outcome.test for outcome in outcomes if outcome.failure}
        if failed:  # once more, since the machine may have been busy
            again = run([test for test in build.tests if test.name in failed], {}, 1, until_failure=False)
            outcomes = [outcome for outcome in outcomes if outcome.test not in failed] + again
        for outcome in outcomes:
            if outcome.failure:
                print(f"left out, fails without any fault: {outcome.test}: {outcome.failure}", flush=True)
        return {outcome.test: outcome.seconds for outcome in outcomes if not outcome.failure}

    def check(self, fault: Fault, names: list[str]) -> Result:
        """Plants the fault, looks for it, and takes it back."""
        path = self.tree / fault.file
        original = path.read_text("utf-8")
        start = time.monotonic()
        result = Result(fault.id, fault.layer, fault.kind, "", "", 0.0, 0.0, "", False, fault.known_gap)
        try:
            path.write_text(planted(original, fault), "utf-8")
            for name in names:
                if name not in self.clean_seconds:
                    path.write_text(original, "utf-8")
                    self.prepare(name)
                    path.write_text(planted(original, fault), "utf-8")
                if self._search(self.builds[name], name, result):
                    break
        finally:
            path.write_text(original, "utf-8")
        result.seconds = round(time.monotonic() - start, 1)
        return result

    def _search(self, build: Build, name: str, result: Result) -> bool:
        for tests in self._stages(build, self.clean_seconds[name]):
            try:
                build.build(tests)
            except BuildError as error:
                raise BuildError(f"(with {result.id})\n{error}") from error
            outcomes = run(tests, self.clean_seconds[name], self.jobs)
            if outcomes and outcomes[-1].failure:
                result.found_by, result.failure, result.build = outcomes[-1].test, outcomes[-1].failure, name
                result.test_seconds = round(outcomes[-1].seconds, 1)
                found: list[CoreTest] = [test for test in tests if test.name == result.found_by]
                result.again = bool(run(found, self.clean_seconds[name], 1)[-1].failure)
                return True
        return False

    def _stages(self, build: Build, clean_seconds: dict[str, float]) -> list[list[CoreTest]]:
        """The tests in the order in which they are built and run: what finds most in little time comes first."""
        first: list[CoreTest] = []
        others: list[CoreTest] = []
        slow: list[CoreTest] = []
        variants: list[CoreTest] = []
        for test in build.tests:
            if test.kind == "variants":
                variants.append(test)
            elif clean_seconds[test.name] > QUICK_SECONDS:
                slow.append(test)
            else:
                (first if test.kind in ("unit", "death") else others).append(test)
        longer = [test.longer(FUZZ_SCALE) for test in build.tests if test.kind == "fuzz"]
        stages = (first, others) if self.is_quick else (first, others, slow, variants, longer)
        return [stage for stage in stages if stage]


def line_of(result: Result) -> str:
    found = "nothing (known gap)" if result.known_gap else "NOTHING"
    if result.found_by:
        found = f"{result.found_by} in {result.test_seconds:.1f} s"
    if result.build == "release":
        found += " (release build)"
    if result.found_by and not result.again:
        found += " (once of twice)"
    return f"{result.id:<44} {result.layer:<10} {result.kind:<9} {found:<52} {result.seconds:6.1f} s"


def chosen_faults(only: str) -> list[Fault]:
    faults = read_faults()
    wanted = only.split()
    unknown = set(wanted) - {fault.id for fault in faults}
    if unknown:
        names = " or ".join(sorted(unknown))
        raise SystemExit(f"error: no fault is called {names}; tests/planted/faults.toml has the ids")
    chosen = [fault for fault in faults if not wanted or fault.id in wanted]
    for fault in chosen:
        planted((REPOSITORY / fault.file).read_text("utf-8"), fault)  # else a later one would end a long run
    return chosen


def words_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def split(text: str) -> list[str]:
        unknown = set(text.split()) - set(known)
        if unknown:
            raise argparse.ArgumentTypeError(f"{' '.join(sorted(unknown))} is none of: {' '.join(known)}")
        return text.split()

    return split


def main() -> int:
    parser = argparse.ArgumentParser(prog="make planted", description=__doc__)
    parser.add_argument("--only", default="", help="ids of faults, separated by spaces")
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no other fault after this time")
    parser.add_argument(
        "--builds", type=words_of([*BUILDS]), default=[*BUILDS], help="builds to look in, in this order"
    )
    parser.add_argument("--quick", action="store_true", help="only the tests that take little time, and no variants")
    parser.add_argument(
        "--kinds", type=words_of(TEST_KINDS), default=[], help=f"only these tests: {' '.join(TEST_KINDS)}"
    )
    arguments = parser.parse_args()
    try:
        faults = chosen_faults(arguments.only)
    except (OSError, TypeError, ValueError) as error:
        raise SystemExit(f"error: tests/planted/faults.toml: {error}") from error
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(2))  # an end that also ends the tests
    OUTPUT.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    try:
        checker = Checker(arguments.jobs, arguments.quick, arguments.kinds)
        checker.prepare(arguments.builds[0])
        start = time.monotonic()
        for fault in faults:
            if time.monotonic() - start > arguments.seconds:
                break
            results.append(checker.check(fault, arguments.builds))
            print(line_of(results[-1]), flush=True)
            rows = [asdict(result) for result in results]
            (OUTPUT / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    except BuildError as error:
        print(f"error: a copy does not build; the end of what the build printed:\n{error}", file=sys.stderr)
        return 2
    missed = [result for result in results if not result.found_by]
    for result in results:
        if result.found_by and result.known_gap:
            print(f"no gap any more: {result.id}; take its known_gap out of tests/planted/faults.toml")
    left_out = len(faults) - len(results)
    not_run = f", {left_out} not run" if left_out else ""
    print(f"planted: {len(results) - len(missed)} of {len(results)} found{not_run}")
    return 1 if any(not result.known_gap for result in missed) else 0


if __name__ == "__main__":
    sys.exit(main())
