"""Pillow: pictures of mixed size, decoded and made smaller."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from bench.process.part_kept import PartKept

SIZE_PIXELS = (1600, 1200)


class Images(PartKept):
    def write_input(self, path: Path) -> None:
        Image.effect_noise(SIZE_PIXELS, 60).convert("RGB").save(path, "JPEG", quality=60)

    def prepare(self) -> None:
        self.encoded = self.input_path().read_bytes()

    def grow(self) -> None:
        self.held = []
        for index in range(self.count(80)):
            with Image.open(io.BytesIO(self.encoded)) as picture:
                # Each a bit smaller than the last: from 1600 pixels of width to 200.
                width = SIZE_PIXELS[0] - index % 15 * 100
                self.held.append(picture.resize((width, width * 3 // 4)))
                self.held.append(picture.resize((width // 8, width * 3 // 32)))

    def describe(self, survivor: Any) -> str:
        return f"{survivor.size} {zlib.crc32(survivor.tobytes())}"
