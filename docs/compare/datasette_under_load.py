"""Datasette, a server that publishes SQLite files, under load: three large answers, then small ones, then nothing.

    python datasette_under_load.py FILE.db

Makes the file where it does not exist (100,000 rows, always the same). The application is Datasette as it is, served by
uvicorn in this process; a thread asks for pages and throws them away.
"""

from __future__ import annotations

import http.client
import os
import random
import sqlite3
import sys
import threading
import time

import uvicorn
from datasette.app import Datasette

ROWS = 100_000
LARGE_ROWS = 60_000
LARGE_ANSWERS = 3
SMALL_ANSWERS = 200
IDLE_SECONDS = 4.0


def make_file(path: str) -> None:
    generator = random.Random(7)
    with sqlite3.connect(path) as connection:
        connection.execute("create table visit (id integer primary key, name text, place text, amount real, note text)")
        connection.executemany(
            "insert into visit values (?, ?, ?, ?, ?)",
            (
                [row, f"person {generator.randrange(10**6)}", f"place {row % 500}", generator.random(), "n" * (row % 9)]
                for row in range(ROWS)
            ),
        )


def ask(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {answer.read(300)!r}")
    while answer.read(65536):
        pass
    connection.close()


def load(server: uvicorn.Server) -> None:
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        for _ in range(LARGE_ANSWERS):
            ask(port, f"/visits/visit.json?_size={LARGE_ROWS}&_shape=objects")
        for number in range(SMALL_ANSWERS):
            ask(port, f"/visits/visit/{number + 1}.json" if number % 2 else f"/visits/visit?_next={number}")
        time.sleep(IDLE_SECONDS)
    except BaseException:
        failed.append(True)
        raise
    finally:
        server.should_exit = True


failed: list[bool] = []


def main() -> None:
    path = sys.argv[1]
    if not os.path.exists(path):
        make_file(path)
    settings = {"max_returned_rows": LARGE_ROWS, "sql_time_limit_ms": 60_000}
    application = Datasette([path], settings=settings).app()
    server = uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=0, log_level="warning"))
    threading.Thread(target=load, args=(server,)).start()
    server.run()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
