"""python -m hakmem."""

import sys

from hakmem.cli import main

if __name__ == "__main__":
    sys.exit(main())
