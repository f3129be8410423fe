"""The file of `hakmem record`: JSON lines, each complete by itself, so that a recording that was cut off is valid.

The first line says what was recorded; then samples and events in the order of their writing:

    {"hakmem_record": 1, "command": [...], "pid": 4711, "date": "...", "interval_seconds": 0.1}
    {"seconds": 0.1, "rss_bytes": 9, "pss_bytes": 8, "cpu_seconds": 0.1, "processes": 1}
    {"seconds": 0.2, "mark": "loaded", "pid": 4711}
    {"seconds": 0.2, "gc_seconds": 0.01, "collected": 12, "pid": 4711}
    {"seconds": 9.0, "end": "exit code 0"}
"""

import contextlib
import errno
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hakmem.measure.files import cannot_write
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.sampler import Sample
from hakmem.shown import shown

FORMAT = 1
NUMBER_MAX = 2**63 - 1  # larger ones are no bytes, nor seconds
VALUE_LENGTH_MAX = 60  # of a wrong one, in an error line
SAMPLE_FIELDS = tuple(part.name for part in fields(Sample))


@dataclass
class Curve:
    """A curve of resident memory with the events on it, wherever it came from. A recording's has no name of its own."""

    name: str
    samples: list[Sample]
    events: list[dict[str, Any]] = field(default_factory=list)


class Writer:
    """Writes a recording line by line. Raises MeasureError when the disk is full or the place cannot be written."""

    def __init__(self, path: str, header: dict[str, Any], force: bool) -> None:
        """Make the file and write its first line. An existing one is kept unless `force`."""
        self.path = path
        self._written_bytes = 0
        try:
            self._file = open(path, "wb" if force else "xb", buffering=0)  # noqa: SIM115 - closed by close()
        except FileExistsError:
            raise MeasureError(f"{path} exists already; --force overwrites it") from None
        except OSError as error:
            raise cannot_write(path, error) from None
        self.write({"hakmem_record": FORMAT, **header})

    def add_sample(self, sample: Sample) -> None:
        """Write one sample."""
        self.write(asdict(sample))

    def write(self, record: dict[str, Any]) -> None:
        """Write a line: the header, a mark, a run of the garbage collector, the end."""
        line = json.dumps(record).encode() + b"\n"
        try:
            written = self._file.write(line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._cut_half_line()
            raise cannot_write(self.path, error) from None
        self._written_bytes += len(line)

    def close(self) -> None:
        """Close it; what was written stays."""
        self._file.close()

    def _cut_half_line(self) -> None:
        with contextlib.suppress(OSError):  # a device; and a reader skips half a line, too
            self._file.truncate(self._written_bytes)
        self._file.close()


def read(path: str) -> list[Curve]:
    """Return the curves of a recording, or of the result.json of a comparison. Raises MeasureError."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MeasureError(f"{path} cannot be read: {reason}") from None
    header = _json_of(text.partition("\n")[0])
    if isinstance(header, dict) and "hakmem_record" in header:
        return [_read_record(path, header, text)]
    result = _json_of(text)
    if isinstance(result, dict) and "hakmem_compare" in result:
        return _read_result(path, result)
    raise MeasureError(f"{path} is neither a recording of 'hakmem record' nor the result.json of 'hakmem compare'")


def _read_record(path: str, header: dict[str, Any], text: str) -> Curve:
    if header["hakmem_record"] != FORMAT:
        raise MeasureError(f"{path} has the format {_briefly(header['hakmem_record'])}; this hakmem reads {FORMAT}")
    curve = Curve("", [])
    for number, line in enumerate(text.split("\n")[1:], start=2):
        record = _json_of(line)
        if not isinstance(record, dict):
            continue  # the last line of a recording that was cut off
        place = f"{path}, line {number}"
        if "hakmem_record" in record:
            raise MeasureError(f"{place}: another recording begins here; give each a file of its own")
        if "rss_bytes" in record:
            _check_numbers(record, SAMPLE_FIELDS, place)
            curve.samples.append(Sample(**{name: record[name] for name in SAMPLE_FIELDS}))
        else:
            _check_event(record, place)
            curve.events.append(record)
    if not curve.samples:
        raise MeasureError(f"{path} has no samples; the process ended before the first look")
    return curve


def _read_result(path: str, result: dict[str, Any]) -> list[Curve]:
    try:
        curves = curves_of_result(result)
        for curve in curves:
            curve.name = str(curve.name)
            for sample in curve.samples:
                _check_numbers(asdict(sample), SAMPLE_FIELDS, f"{path}, a sample of {curve.name}")
            for event in curve.events:
                _check_event(event, f"{path}, an event of {curve.name}")
    except (KeyError, TypeError, AttributeError):
        raise MeasureError(f"{path} is not as 'hakmem compare' writes it; make it anew") from None
    return curves


def _check_numbers(record: dict[str, Any], names: Sequence[str], place: str) -> None:
    """Raise MeasureError unless all of these are numbers that can be drawn."""
    for name in names:
        value = record.get(name)
        if not isinstance(value, int | float) or not 0 <= value <= NUMBER_MAX:
            text = f"is {_briefly(value)}, not a number from 0 on" if name in record else "is missing"
            raise MeasureError(f"{place}: {name} {text}; correct the line or leave it out")


def _check_event(event: dict[str, Any], place: str) -> None:
    """Raise MeasureError unless it has a moment, and its mark, if it has one, is text."""
    _check_numbers(event, ("seconds",), place)
    if not isinstance(mark := event.get("mark", ""), str):
        raise MeasureError(f"{place}: mark is {_briefly(mark)}, not text; correct the line or leave it out")


def _briefly(value: Any) -> str:
    try:
        return shown(repr(value), VALUE_LENGTH_MAX)
    except (ValueError, RecursionError):  # a number of many digits, a list in lists in lists
        return f"a {type(value).__name__} of great size"


def curves_of_result(result: dict[str, Any]) -> list[Curve]:
    """Return a curve per run of a comparison, named by its allocator, in the order of the runs."""
    return [
        Curve(run["allocator"], [Sample(*row) for row in run["samples"]], run["events"])
        for run in result["runs"]
        if run["samples"]
    ]


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
