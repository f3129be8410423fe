"""Which interpreter a process is, from the files that it has mapped; and how its figures can be asked for."""

import os

from hakmem.measure import kernel

HOW_TO_TELL = {
    "python": "start it with HAKMEM_STATS_SOCKET=1 in its environment, under 'hakmem run' or with hakmem.enable()",
    "lua": "Lua does not; hakmem.stats() in the script tells them",
    "luajit": "LuaJIT does not; hakmem.stats() in the script tells them",
    "": "only Python does; in a program that hosts hakmem, hak_stats_get() tells them, and under 'hakmem exec --stats'"
    " it prints them when it ends",
}


def language_of(process_id: int) -> str:
    """Return python, lua, luajit, or nothing where it is none of them. Raises MeasureError when it is not ours."""
    executable = os.path.basename(executable_of(process_id))
    mapped = kernel.mapped_text(process_id)
    if executable.startswith("python") or b"/libpython3" in mapped:
        return "python"
    if executable.startswith("luajit") or b"/libluajit" in mapped:
        return "luajit"
    if executable.startswith("lua") or b"/liblua" in mapped:
        return "lua"
    return ""


def executable_of(process_id: int) -> str:
    """Return the file of its program; nothing where the kernel does not say."""
    try:
        return os.readlink(f"/proc/{process_id}/exe")
    except OSError:
        return ""
