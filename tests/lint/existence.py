"""Reports files, folders and identifiers that a comment or a page names and that do not exist.

An identifier is a word with an underscore inside; in comments of C, and in `code` on pages, also a type like HeapClass.
It exists when it occurs in the code of the repository, outside of comments, or is what a file is called without its
suffix. One that ends in an underscore, as in `os_*`, stands for all that begin so.

A file exists relative to a folder above or beside the one that names it, or to one of BASES. PLACEHOLDER stands for any
name. What belongs to others is listed here; a row that nothing names any more is reported, too.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath

import layers
import text_rules

# Why it is not ours: the names.
FOREIGN_IDENTIFIERS = {
    "the kernel's": (
        "CLOSE_RANGE_UNSHARE MAP_NORESERVE PIDFD_SELF Private_Dirty RLIMIT_MEMLOCK close_range max_map_count"
        " pidfd_getfd pidfd_open process_madvise ptrace_scope"
    ),
    "C's and the C library's": (
        "LD_AUDIT MALLOC_ARENA_TEST MALLOC_CHECK_ MALLOC_MMAP_MAX_ MALLOC_PERTURB_ MALLOC_TOP_PAD_ max_align_t seq_cst"
    ),
    "the compilers'": "AddressSanitizer ThreadSanitizer",
    "numbers and units": "NaN TiB",
    "Ruby's": "ArgumentError NoMemoryError UnsafeError",
    "CPython's": "PyMem_SetupDebugHooks pool_header test_asyncio test_tasks",
    "Lua's": "l_alloc luaL_requiref",
    "lupa's": "max_memory",
    "CMake's": "CMAKE_EXPORT_COMPILE_COMMANDS CMAKE_INSTALL_PREFIX CMAKE_PREFIX_PATH",
    "put together by cmake/FindLuaHeaders.cmake": (
        "HAKMEM_lua54_PACKAGE HAKMEM_lua54_VERSION HAKMEM_lua55_INCLUDE_DIR"
    ),
    "Prometheus'": "PROMETHEUS_MULTIPROC_DIR node_exporter",
    "pyperformance's": (
        "async_tree_none deepcopy_memo deepcopy_reduce xml_etree_generate xml_etree_iterparse xml_etree_parse"
        " xml_etree_process"
    ),
    "arguments in a line that says how a program is called": (
        "BUILD_FOLDER CPU_SECONDS EXTENSION_FOLDER INCLUDE_FOLDER MARKS_FILE PATTERN_INDEX PEAK_KIB"
    ),
    "an example's own": "free_most",
    "the system's that hakmem comes from": "TinySlabMeta TinyTLSSlab",
}
FOREIGN_FILES = {
    "of other projects": "Objects/obmalloc.c malloc/malloc.c",
    "the user's": "app.c app.rb script.lua script.py",
    "what names of files look like": "file.i layer/file.c layer/file.h support/file.h",
}

BASES = ("core/src", "core/include", "bindings/python", "bindings/python/hakmem", "swig")
BUILT = ("build/", "dist/")
PLACEHOLDER = re.compile(r"<\w+>|(?<![A-Z])(?:NAME|LANGUAGE)(?![A-Z])|\*")
OF_THE_PAST = {"CHANGELOG.md"}  # names what is gone
# Strings of these files are planted: only what they define or use counts.
PLANTING = "tests/lint/"

WORD = re.compile(r"\w+")
IDENTIFIER = re.compile(r"(?<!\w)(?:-D)?([A-Za-z][A-Za-z0-9]*_\w*)")
TYPE = re.compile(r"(?<!\w)([A-Z][a-z0-9]+[A-Z]\w*)")
CODE_OF_PAGE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FILE = re.compile(
    r"(?<![\w.$/~<-])(?:\./)?((?:[\w.*-]+/|<\w+>/)*[\w.*-]*[\w*]"
    r"\.(?:c|h|i|pml|pyi?|md|lua|rb|tcl|mk|cmake|toml|yml))(?!\.?[\w(])"
)
URL = re.compile(r"\bhttps?://\S+")
HASH_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
LUA_COMMENT = re.compile(r"--[^\n]*")
# Options become variables of the environment: ROW(thp, THP, ...) is HAKMEM_THP.
OPTION_ROW = re.compile(r"\bROW\(\w+, ([A-Z_]+),")

# (line number, text) of a comment.
Comment = tuple[int, str]


# ---- Code and comments ----


def split(path: Path, text: str) -> tuple[str, list[Comment]]:
    """The code of a file without its comments, and these. A page is one comment."""
    if path.suffix == ".md":
        return "", [(1, text)]
    if path.suffix in (".py", ".pyi"):
        return split_python(text, with_strings=PLANTING not in path.as_posix())
    if path.suffix in (".c", ".h", ".i", ".pml"):
        found = [match for match in layers.COMMENT_OR_STRING.finditer(text) if match[0].startswith("/")]
    else:
        found = list((LUA_COMMENT if path.suffix == ".lua" else HASH_COMMENT).finditer(text))
    comments = [(text.count("\n", 0, match.start()) + 1, match[0]) for match in found]
    code = list(text)
    for match in found:
        code[match.start() : match.end()] = " " * len(match[0])
    return "".join(code), comments


def split_python(text: str, *, with_strings: bool) -> tuple[str, list[Comment]]:
    docstrings = {
        node.body[0].value.lineno: node.body[0].value.end_lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    code, comments = [], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_docstring = token.type == tokenize.STRING and docstrings.get(token.start[0]) == token.end[0]
        if token.type == tokenize.COMMENT or is_docstring:
            comments.append((token.start[0], token.string))
        elif token.type == tokenize.NAME or with_strings:
            code.append(token.string)
    return " ".join(code), comments


# ---- What is named ----


def found_by(
    pattern: re.Pattern[str], comment: Comment, but: tuple[re.Pattern[str], ...] = ()
) -> list[tuple[int, str]]:
    """(line number, what `pattern` captures), outside of what the others match."""
    line, text = comment
    for other in but:
        text = other.sub(lambda match: " " * len(match[0]), text)
    return [(line + text.count("\n", 0, match.start()), match[1]) for match in pattern.finditer(text)]


def named_in(namer: str, comment: Comment, top_folders: Iterable[str]) -> Iterator[tuple[str, int, str]]:
    """(kind, line number, name)"""
    folder = re.compile(rf"(?<![\w./-])((?:{'|'.join(map(re.escape, top_folders))})/[\w./*<>-]*[\w*>])")
    yield from (("file", *named) for named in found_by(FILE, comment, (URL,)))
    yield from (("folder", *named) for named in found_by(folder, comment, (URL, FILE)))
    yield from (("identifier", *named) for named in found_by(IDENTIFIER, comment, (URL, FILE)))
    if namer.endswith((".c", ".h", ".i")):
        yield from (("identifier", *named) for named in found_by(TYPE, comment, (URL, FILE, IDENTIFIER)))
    if namer.endswith(".md"):
        for line, code in found_by(CODE_OF_PAGE, comment):
            yield from (("identifier", *named) for named in found_by(TYPE, (line, code), (URL, FILE, IDENTIFIER)))


# ---- What exists ----


def matches(name: str, candidates: set[str]) -> bool:
    """Is one of them called `name`, in which a placeholder stands for any part but a slash?"""
    if not PLACEHOLDER.search(name):
        return name in candidates
    pattern = re.compile("[^/]*".join(map(re.escape, PLACEHOLDER.split(name))))
    return any(pattern.fullmatch(candidate) for candidate in candidates)


def file_exists(name: str, namer: str, kept: set[str]) -> bool:
    """Is there a file that the file `namer` calls `name`? One without a folder may lie anywhere."""
    if "/" not in name:
        return matches(name, {PurePosixPath(file).name for file in kept})
    above = [parent.as_posix() for parent in PurePosixPath(namer).parents]
    return name.startswith(BUILT) or any(matches(normpath(f"{base}/{name}"), kept) for base in (*above, *BASES))


def identifier_exists(name: str, words: set[str]) -> bool:
    return matches(f"{name}*" if name.endswith("_") else name, words)


def words_of(file: str, code: str) -> set[str]:
    stem = PurePosixPath(file).name.split(".")[0]
    return {stem, *WORD.findall(code), *(f"HAKMEM_{name}" for name in OPTION_ROW.findall(code))}


def check(
    root: Path,
    foreign_identifiers: Mapping[str, str] = FOREIGN_IDENTIFIERS,
    foreign_files: Mapping[str, str] = FOREIGN_FILES,
) -> list[str]:
    comments: dict[str, list[Comment]] = {}
    words: set[str] = set()
    for path in text_rules.kept_files(root):
        file, text = path.relative_to(root).as_posix(), text_rules.text_of(path)
        if text is not None:
            code, comments[file] = split(path, text)
            words |= words_of(file, code)
    unused = {
        "identifier": set(" ".join(foreign_identifiers.values()).split()),
        "file": set(" ".join(foreign_files.values()).split()),
    }
    known = {kind: frozenset(names) for kind, names in unused.items()}
    kept = set(comments)
    folders = {parent.as_posix() for file in kept for parent in PurePosixPath(file).parents}
    top_folders = [folder for folder in folders if "/" not in folder and folder != "."]
    found = []
    for namer, its in comments.items():
        if namer in OF_THE_PAST:
            continue
        for kind, line, name in [named for comment in its for named in named_in(namer, comment, top_folders)]:
            if kind == "identifier":
                exists = identifier_exists(name, words)
            elif kind == "folder":
                exists = matches(name, kept | folders)
            else:
                exists = file_exists(name, namer, kept)
            if exists:
                continue
            unused.get(kind, set()).discard(name)
            if name not in known.get(kind, ()):
                found.append(f"{namer}:{line}: there is no {kind} {name}")
    for kind, names in unused.items():
        found += [f"existence.py: {name} is known as a foreign {kind}; nothing names it" for name in sorted(names)]
    return found
