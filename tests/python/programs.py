"""The programs that must do under `hakmem run` what they do under `python`: one row each.

A row: the words behind `python` (or behind `hakmem run`), the files in the current directory, the standard input.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field


@dataclass
class Program:
    """What to run, and in which surroundings."""

    words: list[str]
    files: dict[str, str | bytes] = field(default_factory=dict)
    stdin: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)


def script(text: str, *arguments: str, **surroundings: object) -> Program:
    """A program of one file."""
    return Program(["script.py", *arguments], {"script.py": text}, **surroundings)  # type: ignore[arg-type]


def archive(text: str) -> bytes:
    """A zip file with a __main__.py."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("__main__.py", text)
    return content.getvalue()


TELL = """
import sys
main = sys.modules["__main__"]
print(__name__, __file__, __package__, __spec__ and (__spec__.name, __spec__.origin), __doc__, type(__loader__))
print(sys.argv, sys.path[:2], main.__dict__ is globals(), [name for name in globals() if name != "main"])
print(__builtins__, sys.flags, len(sys.path), sys.getrecursionlimit())
"""
RAISE = "def outer():\n    inner()\ndef inner():\n    1 / 0\n"
CHAINED = RAISE + "try:\n    outer()\nexcept ZeroDivisionError:\n    raise ValueError('second')\n"
PACKAGE = {
    "package/__init__.py": "print('init', __name__)\n",
    "package/__main__.py": TELL,
    "package/part.py": TELL + "from . import other\nprint(other.value)\n",
    "package/other.py": "value = 5\n",
}
POOL = """
import multiprocessing, pickle, sys
class Thing:
    def __init__(self, number): self.number = number
def work(thing):
    return Thing(thing.number + 1)
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print([thing.number for thing in pool.map(work, [Thing(number) for number in range(5)])])
    print(type(pickle.loads(pickle.dumps(Thing(3)))) is Thing)
"""
EXIT_ORDER = """
import atexit, sys, threading, time, weakref
class Last:
    def __del__(self): print("del")
keep = Last()
atexit.register(print, "first registered")
atexit.register(print, "second registered")
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
print("main")
"""
RECURSION = """
import sys
depth = 0
def down():
    global depth
    depth += 1
    down()
try:
    down()
except RecursionError:
    print(depth)
sys.setrecursionlimit(300)
depth = 0
try:
    down()
except RecursionError:
    print(depth, sys.getrecursionlimit())
"""
FRAMES = """
import inspect, sys, traceback, warnings
traceback.print_stack()
print(len(inspect.stack()), sys._getframe(0).f_back)
try:
    sys._getframe(1)
except ValueError as error:
    print(error)
warnings.warn("from below", stacklevel=2)
def function():
    warnings.warn("from a function", stacklevel=3)
    print(sys._getframe(1).f_code.co_name)
function()
"""
HOOK = """
import sys, traceback
def hook(kind, value, trace):
    print(kind, value, len(traceback.extract_tb(trace)), sys.last_type if hasattr(sys, "last_type") else None)
sys.excepthook = hook
1 / 0
"""
THREAD_ERROR = (
    "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start()\nt.join()\nprint('on')\n"
)
BROKEN_HOOK = "import sys\ndef hook(*a): raise TypeError('in the hook')\nsys.excepthook = hook\n1 / 0\n"
FULL = "import sys, os\nsys.stdout = open('/dev/full', 'w')\nprint('lost')\n"
SIGNAL = "import os, signal\nos.kill(os.getpid(), signal.{})\nimport time; time.sleep(5)\n"

PROGRAMS: dict[str, Program] = {
    "nothing": script(""),
    "what it sees": script(TELL, "a", "--stats", "-m", ""),
    "dot slash": Program(["./script.py"], {"script.py": TELL}),
    "up and down": Program(["sub/../sub/script.py"], {"sub/script.py": TELL}),
    "in a folder": Program(
        ["sub/script.py", "x"], {"sub/script.py": TELL + "import near\n", "sub/near.py": "print(1)"}
    ),
    "safe path": script(TELL, environment={"PYTHONSAFEPATH": "1"}),
    "isolated": script(TELL, flags=("-I",)),
    "isolated module": Program(["-m", "json.tool"], stdin="[]", flags=("-I",)),
    "isolated directory": Program(["program"], {"program/__main__.py": TELL}, flags=("-I",)),
    "no extension": Program(["script"], {"script": TELL}),
    "the folder itself": Program(["."], {"__main__.py": TELL}),
    "no name": Program(["", "a"], {"__main__.py": TELL}),
    "no name and no program": Program([""]),
    "slashes": Program([".//sub//program/"], {"sub/program/__main__.py": TELL}),
    "link": Program(
        ["link.py"],
        {"sub/script.py": TELL + "import near\n", "sub/near.py": "print(1)"},
        links={"link.py": "sub/script.py"},
    ),
    "non-ascii": Program(["gru\u00df.py", "\u00e4"], {"gru\u00df.py": TELL + "1/0 # \u00e4\n"}),
    "coding": Program(["c.py"], {"c.py": b"# -*- coding: latin-1 -*-\nprint(ascii('\xe4'))\n"}),
    "dev mode": script("import sys\nprint(sys.flags.dev_mode)\nopen(__file__)\n", flags=("-X", "dev")),
    "optimized": script("assert False\nprint(__debug__)\n", flags=("-O",)),
    "warnings as errors": script("import warnings\nwarnings.warn('x')\n", flags=("-W", "error")),
    "behind two dashes": Program(["--", "-u", "a"], {"-u": TELL}),
    "prompt afterwards": script("x = 5\n", flags=("-i",), stdin="print(x, __name__)\nx.y\n1/0\n"),
    "prompt after an exception": script(RAISE + "outer()\n", flags=("-i",), stdin="import pdb; pdb.pm()\nwhere\nq\n"),
    "prompt after an exit": script(
        "import sys; sys.exit(3)\n", flags=("-i",), stdin="print(sys.last_value, sys.excepthook)\n"
    ),
    "prompt after an interrupt": script("raise KeyboardInterrupt\n", flags=("-i",), stdin="print(5)\n1/0\n"),
    "inspected without a terminal": script("print(1)\n", environment={"PYTHONINSPECT": "1"}, stdin="print(5)\n"),
    "inspected after an exit": script(
        "import atexit, sys; atexit.register(print, 'end'); sys.exit(3)\n", environment={"PYTHONINSPECT": "1"}
    ),
    "inspected after an interrupt": script("raise KeyboardInterrupt\n", environment={"PYTHONINSPECT": "1"}),
    "inspected on its own": script("import os\nos.environ['PYTHONINSPECT'] = '1'\n"),
    "inspected command": Program(["-c", "import sys; print(sys.flags.inspect)"], environment={"PYTHONINSPECT": "1"}),
    "inspected module": Program(["-m", "m"], {"m.py": "print(1)\n"}, environment={"PYTHONINSPECT": "1"}),
    "exit code": script("import sys\nsys.exit(42)\n"),
    "exit text": script("import sys\nprint('out')\nsys.exit('text for stderr')\n"),
    "exit none": script("raise SystemExit\n"),
    "exit odd": script("raise SystemExit([1, 2])\n"),
    "exit in a thread": script("import sys, threading\nthreading.Thread(target=sys.exit, args=(3,)).start()\n"),
    "os._exit": script("import os\nos._exit(7)\n"),
    "exception": script(RAISE + "outer()\n"),
    "chained": script(CHAINED),
    "exception group": script("try:\n    raise ExceptionGroup('g', [ValueError(1)])\nexcept NameError: print('old')\n"),
    "syntax error": script("print('not reached')\nx = (\n"),
    "indentation": script("if 1:\nprint(1)\n"),
    "null byte": Program(["s.py"], {"s.py": b"print(1)\n\0\n"}),
    "exception in a thread": script(THREAD_ERROR),
    "excepthook": script(HOOK),
    "broken excepthook": script(BROKEN_HOOK),
    "unraisable": script("class A:\n    def __del__(self): 1 / 0\nA()\nprint('on')\n"),
    "no frames below": script(FRAMES),
    "recursion": script(RECURSION),
    "recursion error": script("def f(): f()\nf()\n"),
    "keyboard interrupt": script("raise KeyboardInterrupt\n"),
    "sigint": script(SIGNAL.format("SIGINT")),
    "sigint handled": script(
        "try:\n    " + SIGNAL.format("SIGINT").splitlines()[1].strip() + "\nexcept NameError: pass\n"
    ),
    "sigterm": script(SIGNAL.format("SIGTERM")),
    "sigpipe": script("import signal\nprint(signal.getsignal(signal.SIGPIPE))\n"),
    "interrupt then cleanup": script(EXIT_ORDER + "raise KeyboardInterrupt\n"),
    "interrupt in a module": Program(["-m", "m"], {"m.py": "raise KeyboardInterrupt\n"}),
    "exit order": script(EXIT_ORDER),
    "full disk": script(FULL),
    "closed stdout": script("import os, sys\nos.close(1)\nprint('lost')\n"),
    "stdin": script("import sys\nprint(input(), sys.stdin.read().upper())\n", stdin="one\ntwo\nthree"),
    "program from stdin": Program(["-", "a", "b"], stdin="import sys\nprint(sys.argv, sys.path[0], __name__)\n1/0\n"),
    "command": Program(["-c", "import sys; print(sys.argv, sys.path[0], list(globals()))", "a", "-c"]),
    "command fails": Program(["-c", "def f():\n    1/0\nf()"]),
    "command exits": Program(["-c", "import sys; sys.exit(9)"]),
    "command with bad syntax": Program(["-c", "1 +"]),
    "indented command": Program(["-c", "\n    print(1)\n    print(2)"]),
    "command that is no text": Program(["-c", "print('\udcff\udc9b')"]),
    "command in UTF-8": Program(["-c", "# coding: latin-1\nprint(ascii('\u00e4'))"]),
    "command joined": Program(["-cprint(5)"]),
    "module": Program(["-m", "package.part", "a", "-b"], PACKAGE),
    "package": Program(["-m", "package", "a"], PACKAGE),
    "module joined": Program(["-mpackage"], PACKAGE),
    "module fails": Program(["-m", "m"], {"m.py": CHAINED}),
    "module exits": Program(["-m", "m"], {"m.py": "import sys; sys.exit('bye')\n"}),
    "module of the library": Program(["-m", "json.tool"], stdin='{"a": [1, 2]}'),
    "debugger": Program(["-m", "pdb", "s.py"], {"s.py": "x = 1\nprint(x)\n"}, stdin="next\nwhere\nup\np x\nq\n"),
    "no module": Program(["-m", "nosuchmodule"]),
    "no submodule": Program(["-m", "package.nosuch"], PACKAGE),
    "package without main": Program(["-m", "bare"], {"bare/__init__.py": ""}),
    "module with a broken import": Program(["-m", "m"], {"m.py": "import nosuchmodule\n"}),
    "no file": Program(["nosuch.py"]),
    "no file in a folder": Program(["no/such.py", "x"]),
    "directory": Program(
        ["program", "a"], {"program/__main__.py": TELL + "import near\n", "program/near.py": "print(2)"}
    ),
    "directory without main": Program(["program"], {"program/other.py": ""}),
    "archive": Program(["program.zip", "a"], {"program.zip": archive(TELL + "1 / 0\n")}),
    "spawn": script(POOL, "spawn"),
    "forkserver": script(POOL, "forkserver"),
    "fork": script(POOL, "fork", flags=("-W", "ignore")),
    "spawn from a module": Program(
        ["-m", "package.pool", "spawn"], {"package/__init__.py": "", "package/pool.py": POOL}
    ),
    "not importing us": script(
        "import sys\nprint([m for m in ('argparse', 'typing', 'inspect', 'json') if m in sys.modules])\n"
    ),
}
