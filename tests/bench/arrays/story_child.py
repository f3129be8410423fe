"""The measured process of a story.

python -m bench.arrays.story_child STORY SCALE
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.arrays.stories import STORIES
from bench.shared.workload import run_with_marks


def main() -> None:
    name, scale = sys.argv[1:]
    run_with_marks(STORIES[name](float(scale), Path()))


if __name__ == "__main__":
    main()
