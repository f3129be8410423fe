"""Reports commit messages that are not of the form that the log is read by: a short subject, one change, and why.

    Area: imperative in at most 60 characters          or the same without the area

    What was wrong, what was measured.

Older commits than BASE have other forms, and merges say nothing of their own.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

BASE = "62ee1ebce044236b5f8f499ce2e659c95e66015a"
SUBJECT_MAX = 60

AREA = re.compile(r"[A-Z][\w./-]*(?:(?:, | and | )[\w./-]+)*: ")
# What cannot be a verb in the imperative.
NO_VERB = re.compile(
    r"a|all|also|an|and|another|any|are|as|at|because|both|but|by|each|every|few|for|from|has|here|how|if|in|"
    r"into|is|it|its|many|more|most|much|new|no|none|not|nothing|of|on|once|one|only|or|other|our|out|over|"
    r"several|so|some|such|than|that|the|their|then|there|these|they|this|those|to|too|two|under|until|was|what|"
    r"when|where|which|while|who|why|with|without"
)
INFLECTED = re.compile(r"[a-z]{2,}(?:ed|ing|[^s]s)")
NOT_INFLECTED = re.compile(r"(?:.*(?:eed|string)|embed|shed|bring|ping|swing|focus|bias|alias)")


def violations(subject: str, body: str) -> list[str]:
    found = []
    if len(subject) > SUBJECT_MAX:
        found.append(f"{len(subject)} characters; the limit is {SUBJECT_MAX}")
    if ";" in subject:
        found.append("a semicolon: one commit is one change")
    if subject.endswith("."):
        found.append("a period at the end")
    if not subject[:1].isupper():
        found.append("does not begin with a capital letter")
    area = AREA.match(subject)
    first = re.match(r"[\w'-]*", subject[area.end() if area else 0 :].lower())
    if first is None or not is_imperative(first[0]):
        found.append(
            f"'{first[0] if first else ''}' is no imperative: say what the commit does, as in: Add, Purge: wait"
        )
    if not body.strip():
        found.append("no body: say why")
    return found


def is_imperative(word: str) -> bool:
    """As far as it can be told from a word in small letters."""
    if not re.fullmatch(r"[a-z][a-z-]*", word) or NO_VERB.fullmatch(word):
        return False
    return not INFLECTED.fullmatch(word) or NOT_INFLECTED.fullmatch(word) is not None


def git(root: Path, *arguments: str) -> str | None:
    """What git prints; None where it cannot."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def check(root: Path, base: str = BASE) -> list[str] | None:
    """None where the commits since `base` are not known: no git, a shallow clone, another history."""
    if git(root, "merge-base", "--is-ancestor", base, "HEAD") is None:
        return None
    log = git(root, "log", "--no-merges", "--reverse", "-z", "--format=%h%n%s%n%b", f"{base}..HEAD")
    found = []
    for entry in (log or "").split("\0"):
        if entry:
            commit, subject, body = entry.split("\n", 2)
            found += [f"{commit} {subject}: {violation}" for violation in violations(subject, body)]
    return found
