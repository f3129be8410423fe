"""Which tests end differently under hakmem, and which of these differences are to be expected."""

from __future__ import annotations

from dataclasses import dataclass, field

from peer.cpython.known import KNOWN, UNSTEADY
from peer.cpython.outcome import TOO_LONG, Outcome

THE_PROCESS = "(the process)"


@dataclass
class Comparison:
    module: str
    stock: Outcome
    hakmem: Outcome
    differences: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def unexpected(self) -> dict[str, tuple[str, str]]:
        listed = set(KNOWN) | set(UNSTEADY)
        found = {name: how for name, how in self.differences.items() if f"{self.module} {name}" not in listed}
        # The exit code follows from the tests: it counts where no test explains it.
        ends = self.differences.get(THE_PROCESS)
        if len(self.differences) > 1 and ends is not None and all(end.startswith("exit code") for end in ends):
            del found[THE_PROCESS]
        return found


def compare(module: str, stock: Outcome, hakmem: Outcome) -> Comparison:
    result = Comparison(module, stock, hakmem)
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
    return Comparison(second.module, second.stock, second.hakmem, kept)
