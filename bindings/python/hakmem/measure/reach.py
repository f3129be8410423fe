"""Names the allocators of libraries' own, which hakmem does not reach where it serves malloc, either."""

import os
from collections.abc import Iterable

# A part of the path of a mapped file, and what is to be known of it.
OWN_ALLOCATORS = {
    "/libarrow.": "pyarrow takes memory from a pool of its own; ARROW_DEFAULT_MEMORY_POOL=system lets it use malloc",
    "polars": "Polars has a jemalloc inside; _RJEM_MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0 lets that give back",
    "libluajit": "LuaJIT has an allocator of its own; require 'hakmem' in Lua replaces it",
    "libnode.": "V8 maps its heap itself",
    "libv8": "V8 maps its heap itself",
}
PROGRAMS = {
    "luajit": OWN_ALLOCATORS["libluajit"],
    "node": "V8 maps its heap itself, all but buffers; node --max-old-space-size bounds it",
}


def out_of_reach(paths: Iterable[str], program: str) -> list[str]:
    """Return a sentence on each, from the files that a process has mapped and the program that it is."""
    paths = list(paths)
    found = [text for part, text in OWN_ALLOCATORS.items() if any(part in path for path in paths)]
    name = os.path.basename(program)
    found += [text for prefix, text in PROGRAMS.items() if name.startswith(prefix)]
    return list(dict.fromkeys(found))
