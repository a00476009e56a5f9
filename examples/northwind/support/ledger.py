"""The refunds of the support desk: a ledger that enters each one once, and can be asked whether it did.

It stands in for the bookkeeping of a real company. ``refunds.sqlite`` is made beside this file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ragflow.tools import tool

Order = Annotated[str, Field(pattern=r"^[A-Z]{2}-\d{4,8}$")]
Euros = Annotated[float, Field(gt=0, le=10_000)]

FILE = Path(__file__).with_name("refunds.sqlite")
_TABLE = "CREATE TABLE IF NOT EXISTS refunds (key TEXT PRIMARY KEY, orders TEXT UNIQUE, cents INTEGER)"


class Refund(BaseModel):
    """What was refunded; ``amount`` in euros."""

    order: str
    amount: float


def state_of(key: str) -> Refund | Literal["not_done"]:
    """Say what was entered under an idempotency key: asked after a crash between doing and noting it."""
    return find(key) or "not_done"


@tool(state_of=state_of)
def refund(order: Order, amount: Euros, *, idempotency_key: str) -> Refund:
    """Enter a refund into the ledger, once for each key and each order."""
    return enter(order, amount, idempotency_key)


def enter(order: str, amount: float, key: str) -> Refund:
    """Enter a refund and return it.

    The same key again enters nothing. Nor does another key for an order that was refunded already: what was
    refunded then is returned, so that a run that begins anew cannot pay twice.
    """
    with _ledger() as ledger:
        ledger.execute("INSERT OR IGNORE INTO refunds VALUES (?, ?, ?)", (key, order, round(amount * 100)))
        (cents,) = ledger.execute("SELECT cents FROM refunds WHERE orders = ?", (order,)).fetchone()
    return Refund(order=order, amount=cents / 100)


def find(key: str) -> Refund | None:
    """Return what was entered under a key; None where nothing was."""
    with _ledger() as ledger:
        row = ledger.execute("SELECT orders, cents FROM refunds WHERE key = ?", (key,)).fetchone()
    return None if row is None else Refund(order=row[0], amount=row[1] / 100)


def entries() -> list[Refund]:
    """Return every refund, by order."""
    with _ledger() as ledger:
        rows = ledger.execute("SELECT orders, cents FROM refunds ORDER BY orders").fetchall()
    return [Refund(order=order, amount=cents / 100) for order, cents in rows]


@contextmanager
def _ledger() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(FILE, timeout=10)) as connection, connection:
        connection.execute(_TABLE)
        yield connection


if __name__ == "__main__":
    for one in entries():
        print(f"{one.order}  {one.amount:.2f}")
