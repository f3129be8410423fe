"""lxml: trees of libxml2, all from malloc."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from lxml import etree

from bench.process.part_kept import PartKept
from bench.shared.workload import scattered


def record(index: int, generator: random.Random) -> str:
    tags = "".join(f"<tag>tag-{generator.randrange(10**6)}</tag>" for _ in range(4))
    street = f"{generator.randrange(10**4)} Main Street"
    return (
        f'<record id="{index}" active="{index % 3 == 0}"><name>user-{generator.randrange(10**9)}</name>'
        f"<score>{generator.random():.6f}</score><address><street>{street}</street></address>{tags}</record>\n"
    )


def write_records(path: Path, count: int) -> None:
    generator = random.Random(20)
    records = "".join(record(index, generator) for index in range(count))
    path.write_text(f"<records>\n{records}</records>\n")


class OneDocument(PartKept):
    """A large one, from which all records but a share are removed."""

    def write_input(self, path: Path) -> None:
        write_records(path, self.count(100_000))

    def grow(self) -> None:
        self.held = etree.parse(str(self.input_path()))

    def drop(self) -> None:
        root = self.held.getroot()
        if not self.share:
            self.held, self.survivors = None, []
            return
        kept = set(scattered(list(range(len(root))), self.share))
        element = root[0]
        for index in range(len(root)):
            following = element.getnext()
            if index not in kept:
                root.remove(element)
            element = following
        self.survivors = root

    def describe(self, survivor: Any) -> str:
        return str(etree.tostring(survivor, encoding="unicode"))


class ManyDocuments(PartKept):
    """One per request, for instance."""

    def write_input(self, path: Path) -> None:
        write_records(path, 50)

    def prepare(self) -> None:
        self.text = self.input_path().read_bytes()

    def grow(self) -> None:
        self.held = [etree.fromstring(self.text) for _ in range(self.count(3_000))]

    def describe(self, survivor: Any) -> str:
        return str(etree.tostring(survivor, encoding="unicode"))
