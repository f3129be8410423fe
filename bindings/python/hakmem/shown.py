"""Text that comes from outside, fit to be shown: on one line, printable, in characters that the place has, cut.

Command lines, names of files, what programs print, the environment, marks, answers and files of others may hold
anything: escape sequences, line ends, bytes that are no text. Whoever shows them, in a terminal, a page or a picture,
lets them through here. What was shown before is shown unchanged. Imports next to nothing: `hakmem run` does.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

ELLIPSIS = "..."
# What our own tables say where the place lacks the character; any other one is escaped.
STAND_INS = {"±": "+-"}


def shown(text: str, length_max: "int | None" = None, has: "Callable[[str], bool] | None" = None) -> str:
    r"""Return text on one line. What is not printable, or not there, becomes \n, \x1b or \u2028, as in Python's source.

    `has` tells whether the place has a character, where it has not all. Bytes that were no text are shown as bytes.
    """
    if length_max is None:
        return "".join(_piece(character, has) for character in text)
    pieces = [_piece(character, has) for character in text[: length_max + 1]]
    length = sum(map(len, pieces))
    if length <= length_max:
        return "".join(pieces)
    while pieces and length > length_max - len(ELLIPSIS):
        length -= len(pieces.pop())
    return "".join(pieces) + ELLIPSIS


def shown_on(stream: "TextIO", text: str, length_max: "int | None" = None) -> str:
    """Return text as this stream can take it."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return shown(text, length_max, lambda character: _is_in(encoding, character))


def print_line(text: str, end: str = "\n") -> None:
    """Print text from outside on standard output."""
    print(shown_on(sys.stdout, text), end=end)


def _piece(character: str, has: "Callable[[str], bool] | None") -> str:
    if character.isprintable() and (character.isascii() or has is None or has(character)):
        return character
    if character in STAND_INS:
        return STAND_INS[character]
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no text, as Python keeps it
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def _is_in(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
