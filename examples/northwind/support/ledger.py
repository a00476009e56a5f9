"""The refunds of the support desk: a ledger that enters each one once, and can be asked whether it did.

It stands in for the bookkeeping of a real company. ``refunds.sqlite`` is made beside this file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

FILE = Path(__file__).with_name("refunds.sqlite")
_TABLE = "CREATE TABLE IF NOT EXISTS refunds (key TEXT PRIMARY KEY, orders TEXT UNIQUE, cents INTEGER)"


def enter(order: str, amount: float, key: str) -> float:
    """Enter a refund and return its amount in euros.

    The same key again enters nothing. Nor does another key for an order that was refunded already: what was
    refunded then is returned, so that a run that begins anew cannot pay twice.
    """
    with _ledger() as ledger:
        ledger.execute("INSERT OR IGNORE INTO refunds VALUES (?, ?, ?)", (key, order, round(amount * 100)))
        (cents,) = ledger.execute("SELECT cents FROM refunds WHERE orders = ?", (order,)).fetchone()
    return float(cents) / 100


def amount_of(key: str) -> float | None:
    """Return what was entered under a key, in euros; None where nothing was."""
    with _ledger() as ledger:
        row = ledger.execute("SELECT cents FROM refunds WHERE key = ?", (key,)).fetchone()
    return None if row is None else float(row[0]) / 100


def entries() -> list[tuple[str, float]]:
    """Return every refund as (order, euros), by order."""
    with _ledger() as ledger:
        rows = ledger.execute("SELECT orders, cents FROM refunds ORDER BY orders").fetchall()
    return [(order, cents / 100) for order, cents in rows]


@contextmanager
def _ledger() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(FILE, timeout=10)) as connection, connection:
        connection.execute(_TABLE)
        yield connection
