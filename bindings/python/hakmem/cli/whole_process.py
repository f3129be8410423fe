"""`hakmem run --all`: executes this interpreter again, as it was called, with malloc served by the preloaded library.

Imported in the first of the two processes, and where the second one finds that malloc is not served.
"""

import os
import sys

from hakmem import _hakmem, preload

# The number of the process, which it keeps: whatever took the library out of its environment, it is executed once.
SECOND_VARIABLE = b"_HAKMEM_SECOND"


def execute_again(own_options: set[str]) -> str:
    """Do it; returns, with the reason, only where that cannot be."""
    if is_second_process():
        preload.forget_library()
        return f"{preload.library_path()} was not preloaded into the interpreter that was executed again"
    if _hakmem.library_is_loaded(preload.library_path()):
        return "another malloc comes before that of hakmem"
    path, words = command_again()
    obstacle = preload.obstacle_of_library() or preload.obstacle_of_program(path)
    if obstacle:
        return obstacle
    told = ["children", preload.word_of_program()] if "--children" in own_options else ["itself"]
    if "--require" in own_options:
        told.append("require")
    variables = preload.environment_with_library(told)
    variables[SECOND_VARIABLE] = str(os.getpid()).encode()
    try:
        os.execve(path, words, variables)
    except OSError as error:
        return f"{path} cannot be executed again: {error.strerror}"


def is_second_process() -> bool:
    """Tell whether this is the interpreter that was executed again. Asked once: the program must not see how."""
    return os.environb.pop(SECOND_VARIABLE, b"") == str(os.getpid()).encode()


def command_again() -> "tuple[str, list[str]]":
    """Return the file and the words of this process: of a script, where its first line named the interpreter."""
    executed = _hakmem.executed_path()
    words = sys.orig_argv
    if executed in words[1:]:
        return executed, words[words.index(executed, 1) :]
    path = sys.executable or executed
    return path, [words[0] or path, *words[1:]]  # Python executes nothing that has no name
