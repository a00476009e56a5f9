"""List 100,000 rows of SQLite and PostgreSQL: python benchmarks/sql_listing.py [--rows N].

Each row has some 900 bytes of text. Printed for each database, with a watermark and without: seconds of a
listing, how much memory a process grows by while it lists (its resident peak, measured in a process of
its own), and milliseconds of one fetch.
"""

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from connectors.sql import Rows, Sql
from connectors.sql_rows import RowReaders

sys.path.append(str(Path(__file__).parents[1] / "tests" / "servers"))
TABLE = "CREATE TABLE t (id integer primary key, title text, body text, who text, at text)"
BODY = "The harbour master answers within two working days. " * 17
FETCHES = 500


def peak(*, anew: bool = False) -> int:
    """Return the resident peak in kB (Linux); ``anew``: counted from now on."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1])


def measured(url: str, updated: str | None) -> dict[str, float]:
    """List once, after a listing of one row that loads the libraries."""
    rows = Rows("SELECT * FROM t", ("id",), "{title}\n\n{body}", updated=updated)
    one = Rows("SELECT * FROM t WHERE id = 1", ("id",), "{title}", updated=updated)
    (first,) = Sql(url, one, readers=[], row_readers=RowReaders("who")).list()
    source = Sql(url, rows, readers=[], row_readers=RowReaders("who"))
    before = peak(anew=True)
    began = time.perf_counter()
    items = sum(1 for _ in source.list())
    spent = time.perf_counter() - began
    grown = peak() - before
    began = time.perf_counter()
    for _ in range(FETCHES):
        source.fetch(first)
    each = (time.perf_counter() - began) / FETCHES * 1000
    return {"items": items, "seconds": spent, "mb": before / 1024, "grown": grown / 1024, "fetch_ms": each}


def main() -> None:
    """Fill both databases, then measure each in processes of their own."""
    from postgres import Postgres

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--one", nargs=2, metavar=("URL", "UPDATED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        sys.stdout.write(json.dumps(measured(given.one[0], given.one[1] or None)))
        return
    values = [
        (n, f"Ticket {n}", f"{n}. {BODY}", f"user:u{n % 500}", f"2026-01-01T{n:06}")
        for n in range(given.rows)
    ]
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        file = Path(folder) / "t.db"
        with sqlite3.connect(file) as connection:
            connection.execute(TABLE)
            connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", values)
        connection.close()
        url = server.database()
        server.run(url, TABLE)
        server.run(url, "INSERT INTO t VALUES (%s, %s, %s, %s, %s)", values, many=True)
        for name, place in (("SQLite", f"sqlite:///{file}"), ("PostgreSQL", url)):
            for updated in ("at", ""):
                command = [sys.executable, __file__, "--one", place, updated]
                told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
                how = "with a watermark" if updated else "without"
                print(
                    f"{name:<10} {how:<16} {told['items']:,} rows in {told['seconds']:.1f} s, "
                    f"{told['mb']:.0f} MB + {told['grown']:.1f} MB, a fetch {told['fetch_ms']:.1f} ms"
                )


if __name__ == "__main__":
    main()
