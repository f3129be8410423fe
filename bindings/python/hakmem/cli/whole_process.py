"""`hakmem run --all`: executes this interpreter again, as it was called, with malloc served by the preloaded library.

Imported in the first of the two processes, and where the second one finds that malloc is not served.
"""

import os
import sys

from hakmem import _hakmem, preload


def execute_again(own_options: set[str]) -> str:
    """Do it; returns, with the reason, only where that cannot be."""
    launch = os.environb.get(preload.LAUNCH_VARIABLE)
    if launch is not None and b"children" not in launch.split(b","):
        preload.forget_library()
        return f"the loader has not preloaded {preload.library_path()}, as a line of its own may tell"
    if _hakmem.library_is_loaded(preload.library_path()):
        return "another malloc comes before that of hakmem"
    path, words = command_again()
    obstacle = preload.obstacle_of_library() or preload.obstacle_of_program(path)
    if obstacle:
        return obstacle
    told = ["children"] if "--children" in own_options else ["itself"]
    if "--require" in own_options:
        told.append("require")
    try:
        os.execve(path, words, preload.environment_with_library(told))
    except OSError as error:
        return f"{path} cannot be executed again: {error.strerror}"


def command_again() -> "tuple[str, list[str]]":
    """Return the file and the words of this process: of a script, where its first line named the interpreter."""
    executed = _hakmem.executed_path()
    words = sys.orig_argv
    if executed in words[1:]:
        return executed, words[words.index(executed, 1) :]
    return sys.executable or executed, words
