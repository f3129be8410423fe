"""The file that the gunicorn worker reads; the client writes it and names it in a variable."""

from __future__ import annotations

import random
from pathlib import Path

FILE_VARIABLE = "CSV_FILE"
FILE_BYTES = 10 * 10**6


def write_file(path: Path, size_bytes: int) -> None:
    generator = random.Random(6)
    with path.open("w") as file:
        file.write("id,name,amount,rate,note\n")
        number = 0
        while file.tell() < size_bytes:
            name, amount = f"user-{generator.randrange(10**7)}", generator.randrange(10**5)
            file.write(f"{number},{name},{amount},{generator.random():.5f},{'note ' * (number % 8)}{number}\n")
            number += 1
