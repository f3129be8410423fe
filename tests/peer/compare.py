"""Which tests end differently under hakmem, and which of these differences are to be expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from peer.outcome import TOO_LONG, Outcome

THE_PROCESS = "(the process)"


@dataclass(frozen=True)
class Listed:
    """Differences to be expected, "FILE TEST" with the reason. A known one is always there, an unsteady one not."""

    known: Mapping[str, str]
    unsteady: Mapping[str, str] = field(default_factory=dict)

    def reason(self, full_name: str) -> str | None:
        return self.known.get(full_name) or self.unsteady.get(full_name)


@dataclass
class Comparison:
    file: str
    stock: Outcome
    hakmem: Outcome
    listed: Listed
    differences: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def unexpected(self) -> dict[str, tuple[str, str]]:
        found = {name: how for name, how in self.differences.items() if not self.listed.reason(f"{self.file} {name}")}
        # The exit code follows from the tests: it counts where no test explains it.
        ends = self.differences.get(THE_PROCESS)
        if len(self.differences) > 1 and ends is not None and all(end.startswith("exit code") for end in ends):
            found.pop(THE_PROCESS, None)
        return found


def compare(file: str, stock: Outcome, hakmem: Outcome, listed: Listed) -> Comparison:
    result = Comparison(file, stock, hakmem, listed)
    if stock.end == TOO_LONG:
        return result  # nothing to compare with
    for name in sorted(stock.tests.keys() | hakmem.tests.keys()):
        before, after = stock.tests.get(name, "absent"), hakmem.tests.get(name, "absent")
        if before != after:
            result.differences[name] = (before, after)
    if stock.end != hakmem.end:
        result.differences[THE_PROCESS] = (stock.end, hakmem.end)
    return result


def common(first: Comparison, second: Comparison) -> Comparison:
    """The differences that a second try shows again; the outcomes are those of the second one."""
    kept = {name: how for name, how in second.differences.items() if first.differences.get(name) == how}
    return Comparison(second.file, second.stock, second.hakmem, second.listed, kept)
