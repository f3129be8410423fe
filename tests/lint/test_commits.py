"""Commit messages since commits.BASE have the form of the house; planted messages of other forms are found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import commits
import pytest


def test_messages_follow_the_form(repository: Path) -> None:
    violations = commits.check(repository)
    if violations is None:
        pytest.skip(f"the commits since {commits.BASE[:8]} are not here (no git, a shallow clone, another history)")
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize(
    "subject",
    [
        "Add a check of commit messages",
        "Purge: wait for the helper",
        "Purge: Wait for the helper",
        "Supply, mapping and helper: return slabs by one function",
        "Process frees in order",
        "Feed the fuzzer with a corpus",
        "Bring the page up to date",
        "Pass NULL on",
        "Re-read options after a fork",
        "Revert 'Purge: wait for the helper'",
        "Add " + "x" * 56,
    ],
)
def test_form_of_the_house_is_allowed(subject: str) -> None:
    assert commits.violations(subject, "Because.\n") == []


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Add " + "x" * 57, "61 characters; the limit is 60"),
        ("Add a check; mend what it found", "a semicolon"),
        ("Add a check.", "a period at the end"),
        ("add a check", "does not begin with a capital letter"),
        ("heap: add a check", "does not begin with a capital letter"),
        ("Purge: the comment says whose caches stay", "'the' is no imperative"),
        ("The comment says whose caches stay", "'the' is no imperative"),
        ("Purge: what one call gives back is counted", "'what' is no imperative"),
        ("Added a check", "'added' is no imperative"),
        ("Adding a check", "'adding' is no imperative"),
        ("Heap: adds a check", "'adds' is no imperative"),
        ("Fork and hak_check: returns less", "'returns' is no imperative"),
        ("Tests: 3 more", "'3' is no imperative"),
        ("fixup! Add a check", "does not begin with a capital letter"),
        ("", "does not begin with a capital letter"),
    ],
)
def test_planted_subject_is_found(subject: str, expected: str) -> None:
    assert any(expected in violation for violation in commits.violations(subject, "Because.\n"))


@pytest.mark.parametrize("body", ["", "\n", " \n\n"])
def test_missing_body_is_found(body: str) -> None:
    assert commits.violations("Add a check", body) == ["no body: say why"]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A base of another form, a good commit, a bad one on a branch, a merge of another form."""
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["commit", "--message=old; long."],
        ["tag", "base"],
        ["commit", "--message=Add a check", "--message=Because.", "--message=And more."],
        ["switch", "--quiet", "--create", "branch"],
        ["commit", "--message=Add a check\nand mend what it found"],
        ["switch", "--quiet", "main"],
        ["commit", "--message=Heap: add a row", "--message=Because."],
        ["merge", "--quiet", "--no-ff", "branch", "--message=merge."],
    ):
        options = ["-c", "user.name=a", "-c", "user.email=b", "-c", "commit.gpgsign=false"]
        quiet = ["--quiet", "--allow-empty"] if arguments[0] == "commit" else []
        subprocess.run(["git", *options, *arguments, *quiet], cwd=tmp_path, check=True)
    return tmp_path


def test_commits_since_the_base_are_read_without_merges(history: Path) -> None:
    found = commits.check(history, "base")
    assert found is not None
    assert [line.split(" ", 1)[1] for line in found] == ["Add a check and mend what it found: no body: say why"]
    assert commits.check(history, "HEAD") == []


def test_unknown_history_is_no_success(
    history: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shallow = tmp_path_factory.mktemp("shallow")
    base = subprocess.run(["git", "rev-parse", "base"], cwd=history, check=True, capture_output=True, text=True).stdout
    clone = ["git", "clone", "--quiet", "--depth=1", f"file://{history}", str(shallow)]
    subprocess.run(clone, check=True)
    assert commits.check(history, base.strip()) != []
    assert commits.check(shallow, base.strip()) is None
    assert commits.check(tmp_path_factory.mktemp("no_repository"), "base") is None
    monkeypatch.setenv("PATH", "")
    assert commits.check(history, "base") is None
