"""The table of runs: each model with its sizes, and the mutations and faults that such a run has to find."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Expected(Enum):
    """What a run has to show, and what the report calls it."""

    HOLDS = "holds"
    CAUGHT = "caught"  # the model without a step: an error
    OPEN = "caught: the code is like that today"  # likewise


@dataclass(frozen=True)
class Configuration:
    """A model with its sizes. `mutations` and `faults` change a step, `spare` leaves one out that nothing needs."""

    model: str
    title: str
    sizes: str
    mutations: str = ""
    faults: str = ""
    spare: str = ""
    is_liveness: bool = False


@dataclass(frozen=True)
class Run:
    """One exhaustive search."""

    configuration: Configuration
    macro: str  # what is changed; empty: nothing
    expected: Expected

    @property
    def defines(self) -> list[str]:
        macros = [*self.configuration.sizes.split(), *([self.macro] if self.macro else [])]
        return [f"-D{macro}" for macro in macros]

    @property
    def title(self) -> str:
        return self.macro or self.configuration.title


CONFIGURATIONS = (
    Configuration(
        "reclaim",
        "2 threads, total store order",
        "OPERATIONS=3 ROUNDS=2",
        "NO_BARRIER BARRIER_BEFORE_CLOSING TAKE_FROM_OPENED TAKE_FROM_OWNER_INSIDE TAKE_WITHOUT_LOCK RECLAIMER_OPENS"
        " RECLAIM_IN_PLACE ANNOUNCE_AFTER_POP DONE_BEFORE_POP DONE_BEFORE_RETURN PUSH_WITHOUT_OPENING",
        spare="FLUSH_WITHOUT_ENTER",
    ),
    Configuration("reclaim", "2 threads, weak order", "OPERATIONS=2 WEAK", "DONE_WITHOUT_RELEASE REBASE_AFTER_MALLOC"),
    Configuration("reclaim", "2 threads, total store order, threads end", "OPERATIONS=3 THREADS_END"),
    Configuration("reclaim", "3 threads, total store order", "OPERATIONS=2 RECLAIMERS=2", "NO_LIST_LOCK"),
    Configuration(
        "account",
        "2 threads, total store order",
        "OPERATIONS=2",
        "NO_BARRIER BARRIER_BEFORE_REVOKING NO_WAIT SLOW_PATH_NOT_ANNOUNCED COMPARES_BEFORE_ANNOUNCEMENT"
        " CLAIM_NOT_NOTICED MOVES_BEFORE_CLAIM GENERATION_READ_ONCE MISUSE_SEEN_WITHOUT_LOCK",
    ),
    Configuration("account", "2 threads, weak order", "OPERATIONS=1 WEAK", "DONE_WITHOUT_RELEASE"),
    Configuration(
        "account",
        "3 threads, slow paths",
        "THREADS=3 OPERATIONS=1 SLOW_PATHS SEQUENTIAL",
        "LOOKS_AT_USER GENERATION_AFTER_SETTLING",
    ),
    Configuration("account", "2 threads that do not wait", "OPERATIONS=1 TIMES_OUT", "CLAIMS_UNSETTLED"),
    Configuration(
        "purge",
        "3 threads",
        "OPERATIONS=3",
        "ADOPT_DETACHED BACK_TO_POOLED FORGET_DETACHED HAND_OUT_WHILE_PURGING KEEP_TLS_SLAB LIST_WHILE_PURGING"
        " NOT_QUEUED_AGAIN OWNER_NOT_COMPARED_AGAIN SUPPLY_HANDS_OUT_DETACHED",
    ),
    Configuration("purge", "3 threads, a private heap", "OPERATIONS=3 PRIVATE", "NO_WAIT_AT_REST"),
    Configuration("purge", "3 threads, 2 slabs", "OPERATIONS=2 SLABS=2", "RELEASE_DETACHED"),
    Configuration("purge", "4 threads, 2 of which purge", "OPERATIONS=1 PURGERS=2 ROUNDS=2"),
    Configuration(
        "helper",
        "2 callers, a stop",
        "CALLERS=2 STOPS=1",
        "SIGNALS_READ_LATE ENDS_WITHOUT_LOOK WAKES_FORBIDDEN WAKES_FINISHED_AS_RUNNING POLL_SET_AFTER_WAKE"
        " POLL_STAYS_AT_BURST AWAITS_WITH_LOCK STOP_WITHOUT_SIGNAL NO_PURGE_AFTER_THAW"
        " POLL_SET_AFTER_LOOK REPLACED_WHILE_MADE STOPPED_WHILE_MADE"
        " RELAXED_STORES RELAXED_SUMS",
    ),
    Configuration("helper", "a caller, 2 stops", "STOPS=2", "NOT_FORBIDDEN OLDER_HELPER_NOT_AWAITED"),
    Configuration("helper", "2 callers that come back", "CALLERS=2 FREES=1 STOPS=1 COMES_BACK", "MAKES_WITH_LOCK"),
    Configuration("helper", "a caller, a stop, a quiesce", "STOPS=1 QUIESCES=1", "QUIESCE_FORGOTTEN"),
    Configuration("helper", "a caller, a quiesce without end", "QUIESCES=2", "QUIESCE_LEAVES_POLL"),
    Configuration("helper", "a caller, a stop, a kernel that refuses", "STOPS=1 REFUSES"),
    Configuration(
        "helper",
        "a raw child with 3 threads",
        "RAW_CHILD CALLERS=2 FREES=1",
        "LOCK_STAYS_INHERITED NO_WAIT_FOR_CLAIM PURGE_WITHOUT_CLAIM",
    ),
    Configuration("helper", "2 callers, liveness", "CALLERS=2 LIVENESS", "SLEEPS_WITHOUT_TIMER", is_liveness=True),
    Configuration(
        "fork",
        "a fork, a worker",
        "OPERATIONS=3",
        "NO_START_LOCK HELPER_STAYS HELPER_LOCK_RELEASED HEAPS_BEFORE_LIST SUPPLY_BEFORE_SHARED_HEAP NO_WAIT"
        " WAITS_WITH_LOCKS COUNT_AFTER_UNLOCK COUNT_BEFORE_BACK SLAB_NOT_COUNTED"
        " SUPERSLAB_NOT_COUNTED CHILD_KEEPS_HEAPS COUNT_AFTER_ATTACH"
        " HEAP_NOT_YET_IN_POOL",
    ),
    Configuration(
        "fork",
        "a fork that does not wait, 2 workers",
        "WORKERS=2 TIMES_OUT",
        "CHILD_KEEPS_COUNT CHILD_KEEPS_PURGING",
    ),
    Configuration("fork", "2 forks, a worker", "FORKS=2"),
    Configuration("fork", "a fork, a check, 2 workers", "WORKERS=2 OPERATIONS=1 CHECKS=1", "AT_REST_WITH_LOCK"),
)


def all_runs() -> list[Run]:
    runs = []
    for configuration in CONFIGURATIONS:
        runs.append(Run(configuration, "", Expected.HOLDS))
        for prefix, names, expected in (
            ("SPARE", configuration.spare, Expected.HOLDS),
            ("MUTATION", configuration.mutations, Expected.CAUGHT),
            ("FAULT", configuration.faults, Expected.OPEN),
        ):
            runs += [Run(configuration, f"{prefix}_{name}", expected) for name in names.split()]
    return runs
