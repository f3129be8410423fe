"""The demo's job: parse the standard library, load a large JSON document, keep a few survivors, drop the rest, idle.

    python job.py --marks FILE [--scale 1.0] [--idle-seconds 2.0]

An ordinary program: it knows nothing of allocators. At the start of each phase it appends a line to FILE (name,
monotonic seconds), so that whoever samples it from outside can tell the phases apart, and at the end it prints as JSON
what it kept, so that two runs can be compared. The input is deterministic.
"""

from __future__ import annotations

import argparse
import ast
import gc
import hashlib
import json
import random
import sysconfig
import time
from pathlib import Path

RECORDS = 100_000
KEEP_ONE_RECORD_IN = 1_000
KEEP_ONE_FUNCTION_IN = 200
# Tests hold broken code on purpose; what others installed differs from machine to machine.
LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__"}


def source_files(scale: float) -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    files = [path for path in sorted(library.rglob("*.py")) if LEFT_OUT.isdisjoint(path.relative_to(library).parts)]
    return files[: max(1, int(len(files) * scale))]


def parse(files: list[Path]) -> list[ast.Module]:
    trees = []
    for path in files:
        try:
            trees.append(ast.parse(path.read_bytes()))
        except SyntaxError:  # templates and the like
            continue
    return trees


def json_document(records: int) -> str:
    generator = random.Random(20)
    return "[" + ",".join(json.dumps(record(index, generator)) for index in range(records)) + "]"


def record(index: int, generator: random.Random) -> dict[str, object]:
    return {
        "id": index,
        "name": f"user-{generator.randrange(10**9)}",
        "active": index % 3 == 0,
        "scores": [round(generator.random(), 6) for _ in range(8)],
        "tags": [f"tag-{generator.randrange(10**6)}" for _ in range(4)],
        "address": {"street": f"{generator.randrange(10**4)} Main Street", "zip": str(generator.randrange(10**5))},
        "note": "x" * generator.randrange(400, 1200) if index % 10 == 0 else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--marks", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--idle-seconds", type=float, default=2.0)
    arguments = parser.parse_args()

    def mark(name: str) -> None:
        with arguments.marks.open("a") as file:
            file.write(f"{name} {time.monotonic():.6f}\n")

    # A moment's rest, so that a sample sees the process before it does anything.
    time.sleep(0.1)
    mark("parse")
    files = source_files(arguments.scale)
    trees = parse(files)

    mark("load")
    records = json.loads(json_document(max(1, int(RECORDS * arguments.scale))))

    mark("drop")
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    kept_functions = functions[::KEEP_ONE_FUNCTION_IN]
    kept_records = records[::KEEP_ONE_RECORD_IN]
    result: dict[str, object] = {
        "files": len(trees),
        "functions": len(functions),
        "functions_kept": len(kept_functions),
        "records": len(records),
        "records_kept": len(kept_records),
    }
    del trees, functions, records
    gc.collect()

    mark("idle")
    time.sleep(arguments.idle_seconds)
    mark("end")

    survivors = json.dumps(kept_records) + "".join(ast.dump(function) for function in kept_functions)
    result["survivors_sha256"] = hashlib.sha256(survivors.encode()).hexdigest()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
