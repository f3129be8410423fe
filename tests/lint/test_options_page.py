"""docs/options.md is generated: `hakmem options --markdown > docs/options.md`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def markdown_of_options() -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAKMEM")}
    command = [sys.executable, "-m", "hakmem", "options", "--markdown"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_page_is_current(repository: Path) -> None:
    page = repository / "docs" / "options.md"
    assert page.read_text(encoding="utf-8") == markdown_of_options(), "run: hakmem options --markdown > docs/options.md"


def test_options_table_has_the_options_of_the_interface() -> None:
    """An empty table would agree with an empty page."""
    markdown = markdown_of_options()
    for variable in ("HAKMEM_RETAIN_BYTES", "HAKMEM_THP", "HAKMEM_COUNTERS", "HAKMEM_TINY_USE_SUPERSLAB"):
        assert variable in markdown
