"""The libraries of the extra `measure`: imported when they are needed, named with the line that installs them."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hakmem.measure.measure_error import MeasureError

INSTALL_LINE = "pip install 'hakmem[measure]'"


def require(module_name: str) -> Any:
    """Import a module of the extra. Raises MeasureError where it is missing, or fails in whatever way."""
    try:
        with _without_the_programs_backend():
            return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing.split(".")[0] == module_name.split(".")[0]:
            raise MeasureError(f"{missing.split('.')[0]} is not installed; install it with: {INSTALL_LINE}") from None
        raise _broken(module_name, error) from error
    except ImportError as error:
        raise _broken(module_name, error) from error
    except Exception as error:  # it reads files of the user's, which may be anything
        name = module_name.split(".")[0]
        raise MeasureError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


@contextmanager
def _without_the_programs_backend() -> Iterator[None]:
    """Leave MPLBACKEND to the measured program: matplotlib fails where it names one that is not installed here."""
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def _broken(module_name: str, error: ImportError) -> MeasureError:
    name = module_name.split(".")[0]
    return MeasureError(f"{name} is installed and cannot be imported: {error}; install it anew")
