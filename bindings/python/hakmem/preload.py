"""Preloads libhakmem-malloc.so into a program: where it lies, why a program cannot have it, the environment for it.

The library puts the environment back before the program's main begins (bindings/libc/src/environment.h).
"""

import os

from hakmem import _hakmem, elf_file

LIBRARY_NAME = "libhakmem-malloc.so"
LAUNCH_VARIABLE = b"_HAKMEM_EXEC"
PRELOAD_VARIABLE = b"LD_PRELOAD"
SCRIPTS_MAX = 4  # that name each other in their first lines, as in the kernel
OFF = "0"


def library_path() -> str:
    """Return where the library lies, if it is there: beside the extension module."""
    return os.path.join(os.path.dirname(os.path.abspath(str(_hakmem.__file__))), LIBRARY_NAME)


def reason_of_environment() -> str:
    """Return why nothing is to be preloaded: an option that the user has set. Empty where there is none."""
    for name in ("HAKMEM", "HAKMEM_TINY_USE_SUPERSLAB"):
        if os.environ.get(name) == OFF:
            return f"{name}=0 is set in the environment"
    return ""


def obstacle_of_library() -> str:
    """Return why the library can be preloaded into no program. Empty: it can."""
    path = library_path()
    if not os.access(path, os.R_OK):
        return f"{path} is missing; install hakmem again, for Linux with glibc or musl"
    if ":" in path or " " in path:
        return f"the path of {path} has a colon or a space, at which the loader would cut it; install hakmem elsewhere"
    return ""


def obstacle_of_program(path: str) -> str:
    """Return why this program cannot have the library. Empty: it can, or the kernel says what is wrong with it.

    A script is judged by the interpreter that its first line names.
    """
    for _ in range(SCRIPTS_MAX + 1):
        try:
            interpreter = _interpreter_of(path)
            if not interpreter:
                return _obstacle_of_rights(path) or _obstacle_of_contents(path)
        except (OSError, ValueError, OverflowError):  # the last one: a table lies beyond every file
            return ""  # it can be executed without being read
        path = interpreter
    return ""


def _interpreter_of(path: str) -> str:
    """Return the program that a script's first line names, also behind `env`; empty for another file."""
    with open(path, "rb") as file:
        line = file.readline(4096)
    words = [os.fsdecode(word) for word in line[2:].split()] if line[:2] == b"#!" else []
    if not words:
        return ""
    if os.path.basename(words[0]) == "env":
        names = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        import shutil  # milliseconds, at each start under --all

        return shutil.which(names[0]) or words[0] if names else words[0]
    return words[0]


def _obstacle_of_rights(path: str) -> str:
    status = os.stat(path)
    protected = "which the loader protects from preloading"
    if status.st_mode & 0o4000 and status.st_uid != os.getuid():
        return f"{path} is a set-user-ID program, {protected}"
    if status.st_mode & 0o2000 and status.st_mode & 0o010 and status.st_gid != os.getgid():
        return f"{path} is a set-group-ID program, {protected}"
    if os.getuid() != 0 and "security.capability" in os.listxattr(path):
        return f"{path} has capabilities of its own, so the loader protects it from preloading"
    return ""


def _obstacle_of_contents(path: str) -> str:
    program, library = elf_file.read(path), elf_file.read(library_path())
    if program is None or library is None:
        return ""
    if (program.kind, program.machine) != (library.kind, library.machine):
        return f"{path} is for another machine or word size than {library_path()}"
    if not program.loader:
        return f"{path} is a static program, which has its malloc inside"
    program_libc, library_libc = elf_file.libc_of(program.loader), _libc_of_library()
    if program_libc != library_libc:
        return f"{path} is for {program_libc}, and {library_path()} is for {library_libc}"
    if elf_file.has_sanitizer(path):
        return f"{path} is built with a sanitizer, which has a malloc of its own"
    return ""


def _libc_of_library() -> str:
    """Return the C library of this interpreter: the package that it runs has the library for the same."""
    own = elf_file.read("/proc/self/exe")
    return elf_file.libc_of(own.loader) if own else "glibc"


def started_environment() -> dict[bytes, bytes]:
    """Return the environment that this process was started with.

    Python changes its own: for the C locale it sets LC_CTYPE, and startup files of packages may set what they like.
    """
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = [entry.partition(b"=") for entry in file.read().split(b"\0")]
    except OSError:
        return dict(os.environb)
    found = {name: value for name, separator, value in entries if name and separator}
    # The library has written into the memory that /proc shows.
    return dict(os.environb) if not found or LAUNCH_VARIABLE in found else found


def environment_with_library(words: list[str]) -> dict[bytes, bytes]:
    """Return the environment for a program that is to have the library; `words` are told to it."""
    variables = started_environment()
    former = variables.get(PRELOAD_VARIABLE)
    library = os.fsencode(library_path())
    variables[PRELOAD_VARIABLE] = library if former is None else library + b":" + former
    variables[LAUNCH_VARIABLE] = ",".join(words if former is not None else [*words, "unset"]).encode()
    return variables


def word_of_program() -> str:
    """Return the word that names this interpreter's file: whoever executes it gets its objects served, too."""
    status = os.stat("/proc/self/exe")
    return f"program={status.st_dev:x}.{status.st_ino:x}"


def forget_library() -> None:
    """Put this process's environment back, where the loader has left the library out."""
    launch = os.environb.pop(LAUNCH_VARIABLE, None)
    if launch is None:
        return  # the library was preloaded into another program on the way, and has put it back
    former = os.environb.pop(PRELOAD_VARIABLE, b"").partition(b":")[2]
    if b"unset" not in launch.split(b","):
        os.environb[PRELOAD_VARIABLE] = former
