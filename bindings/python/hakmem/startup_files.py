"""The files that reach child processes: where they lie, what is in them, whether they are installed.

Three, because every supported Python is to be reached and a file left behind after `pip uninstall` must do nothing:
NAME.pth for Python up to 3.14, NAME.start for 3.15, which names a callable and so cannot guard itself, and NAME.py,
the callable, which guards both.
"""

import os
import sys

NAME = "hakmem_startup"

MODULE_TEXT = '''\
"""Written by `hakmem install-startup`; `hakmem uninstall-startup` removes it. Does nothing unless HAKMEM is set."""

import os


def start():
    # Python 3.15 calls this whatever HAKMEM says, and every interpreter start pays for an import.
    if os.environ.get("HAKMEM", "0") in ("", "0"):
        return
    try:
        import hakmem.startup
    except ModuleNotFoundError:
        return  # hakmem was uninstalled and this file was left behind
    hakmem.startup.start()
'''

# One line, because site runs lines. It tests by itself, because every interpreter start pays for it.
PTH_TEXT = f'import os; os.environ.get("HAKMEM", "0") in ("", "0") or __import__(\'{NAME}\').start()\n'

START_TEXT = f"{NAME}:start\n"

FILES = {f"{NAME}.py": MODULE_TEXT, f"{NAME}.pth": PTH_TEXT, f"{NAME}.start": START_TEXT}


def site_directories() -> list[str]:
    """Return the directories whose startup files this interpreter reads."""
    site = sys.modules.get("site")
    if site is None:  # python -S reads none
        return []
    directories = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    return directories


def installed_files() -> list[str]:
    """Return the paths of the startup files that this interpreter reads."""
    candidates = (os.path.join(directory, f"{NAME}.pth") for directory in site_directories())
    return [path for path in candidates if os.path.exists(path)]


def install(directory: str) -> None:
    """Write the files, replacing older ones. Raises OSError."""
    os.makedirs(directory, exist_ok=True)
    for file_name, text in FILES.items():
        # An interpreter that starts meanwhile must not read half a file.
        path = os.path.join(directory, file_name)
        new_path = f"{path}.{os.getpid()}.new"
        with open(new_path, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(new_path, path)
    compile_module(os.path.join(directory, f"{NAME}.py"))


def compile_module(path: str) -> None:
    """Spare each interpreter start the compilation: where bytecode is not written, none would keep its own."""
    import contextlib
    import py_compile

    with contextlib.suppress(OSError):  # then it is compiled when it is imported, as any module is
        py_compile.compile(path, doraise=True)


def uninstall(directory: str) -> list[str]:
    """Remove the files, and the module's compiled form; return the paths of those that were there. Raises OSError."""
    import glob

    paths = [os.path.join(directory, file_name) for file_name in reversed(FILES)]
    paths += glob.glob(os.path.join(glob.escape(directory), "__pycache__", f"{NAME}.*.pyc"))
    removed = []
    for path in paths:
        try:
            os.remove(path)
        except FileNotFoundError:
            continue
        removed.append(path)
    return removed
