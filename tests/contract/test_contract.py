"""The contract of a binding (docs/adding-a-runtime.md), the same for each: scenarios in C, asked of every runtime."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from contract_support import Binding, Result, names_of

every_binding = pytest.mark.parametrize("binding", names_of(), indirect=True)
# libc: what is preloaded serves from the first malloc to the last.
with_a_switch = pytest.mark.parametrize("binding", names_of("python", "lua"), indirect=True)
# libc: it comes first, and asks no other core.
that_attach = pytest.mark.parametrize("binding", names_of("python", "lua"), indirect=True)


def output_of(result: Result) -> str:
    """What it printed; fails unless it ended well and said nothing on stderr."""
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    assert result.stderr == ""
    return result.stdout


def reason_of(result: Result) -> str:
    """The one line that it said; fails unless it went on."""
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    assert re.fullmatch(r"[^\n]+\n", result.stderr), result.stderr
    return result.stderr


@every_binding
def test_blocks_of_others_are_freed_and_resized(binding: Binding, other_malloc: Path) -> None:
    """They go back where they came from: each allocator dies of, or reports, what another one made, and the former one
    counts what comes back."""
    output_of(binding.run("foreign", beneath=other_malloc))


@with_a_switch
def test_blocks_outlive_the_switch(binding: Binding) -> None:
    output_of(binding.run("off_and_on"))


@every_binding
def test_unsafe_state_is_refused_in_one_line(binding: Binding, other_malloc: Path) -> None:
    """And nothing changes: the runtime goes on with the allocator that it had."""
    assert len(reason_of(binding.run_unsafe(other_malloc))) > 40


@every_binding
def test_threads(binding: Binding) -> None:
    output_of(binding.run("threads"))


@every_binding
def test_forks(binding: Binding) -> None:
    """Children of a busy process resize and drop what they inherited, and make more."""
    output_of(binding.run("forks"))


@every_binding
def test_system_calls_that_fail(binding: Binding, os_faults: Path) -> None:
    """The request is refused, or served all the same; contents stay, and the next requests work."""
    lines = output_of(binding.run("faults", os_faults)).splitlines()
    figures = [[int(number) for number in re.findall(r"\d+", line)] for line in lines]
    assert [count for count, _, _ in figures] == [1, 3, 0]
    assert all(refused + others > 3 for _, refused, others in figures), lines
    assert figures[2][1] > 0, "where all calls fail, something is refused"


@every_binding
@pytest.mark.parametrize(
    ("scenario", "line"),
    [("freed_twice", "double free of 0x"), ("freed_inside", "invalid free of 0x[0-9a-f]+: not the start of a block")],
)
def test_misuse_is_one_line(binding: Binding, scenario: str, line: str) -> None:
    ended = binding.run(scenario, HAKMEM_DEBUG="2")
    assert (ended.returncode, ended.stdout) == (-6, ""), ended.stderr
    assert re.match(f"hakmem: error: {line}", ended.stderr)
    reported = binding.run(scenario, HAKMEM_DEBUG="2", HAKMEM_ON_ERROR="report")
    assert (reported.returncode, reported.stdout) == (0, "goes on\n"), reported.stderr
    assert re.fullmatch(f"hakmem: error: {line}[^\n]*\n", reported.stderr)


@every_binding
def test_second_core_serves_none_of_the_process(binding: Binding, other_core: Path) -> None:
    """One core serves both bindings; each frees what the other made."""
    output_of(binding.run("second_core", CONTRACT_OTHER=str(other_core)))


@that_attach
def test_core_of_another_version_is_refused_in_one_line(binding: Binding, other_version: Path) -> None:
    reason = reason_of(binding.run("other_version", CONTRACT_OTHER=str(other_version)))
    assert "another hakmem serves this process, with interface " in reason
    assert reason.endswith("/stranger.so; use the same release of hakmem in both\n")


@every_binding
def test_surroundings_are_left_alone(binding: Binding) -> None:
    """Descriptors, signal handlers, the environment; errno of a request that is served."""
    output_of(binding.run("leaves_alone"))


# ---- The scenarios see what they are for ----


@pytest.mark.parametrize("binding", ["libc"], indirect=True)
@pytest.mark.parametrize("scenario", ["foreign", "threads", "forks", "second_core", "leaves_alone"])
def test_without_hakmem_nothing_passes(binding: Binding, scenario: str, other_core: Path, other_malloc: Path) -> None:
    result = binding.run(scenario, beneath=other_malloc, LD_PRELOAD="", CONTRACT_OTHER=str(other_core))
    assert result.returncode == 1
    assert "does not hold: " in result.stderr
