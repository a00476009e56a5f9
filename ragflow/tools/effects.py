"""Effects at most once: claimed before they are tried, settled after, in the database of runs.

What is claimed and not settled was tried by a process that died: nobody knows yet whether it happened.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from ragflow.records import canonical, sha256, timestamp
from ragflow.workflows.contracts import Abandoned, Action, Caller, Json
from ragflow.workflows.database import Database
from ragflow.workflows.errors import RunHeld
from ragflow.workflows.keeping import keeping
from ragflow.workflows.tables import effects, flows

Ending = Literal["settled", "failed", "unsettled"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of an effect when a process comes to do it.

    ``state``: ``new``, this process is the first, and now has it; ``claimed``, one before it tried and died,
    and this one has it now; else how it ended. ``outcome``: JSON that was noted at its end. ``age``: seconds
    since the first claim.
    """

    key: str
    state: Literal["new", "claimed", "settled", "failed", "unsettled"]
    outcome: Json = None
    age: float = 0.0


class Effects:
    """The rows of ``ragflow_effects``. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, key: str, action: Action, caller: Caller) -> Claim:
        """Claim an effect for this process, or say what became of it.

        ``key`` names the effect: the action's own, or with a number behind it where a person had it repeated.

        Raises:
            Abandoned: the run belongs to another executor by now, or the database does not answer.
        """
        with self._begun() as connection:
            _owned(connection, caller)
            row = connection.execute(select(effects).where(effects.c.key == key)).mappings().first()
            if row is None:
                values: dict[str, Any] = {
                    "key": key,
                    "run": caller.run,
                    "call": action.call,
                    "tool": action.tool,
                    "digest": sha256([action.tool, dict(action.arguments)]),
                    "state": "claimed",
                    "owner": _owner(caller),
                    "claimed": timestamp(),
                }
                connection.execute(insert(effects).values(values))
                return Claim(key, "new")
            if row["state"] == "claimed":
                taken = update(effects).where(effects.c.key == key).values(owner=_owner(caller))
                connection.execute(taken)
            since = datetime.fromisoformat(row["claimed"])
            age = max(0.0, (datetime.now(UTC) - since).total_seconds())
            outcome = None if row["result"] is None else json.loads(row["result"])
            return Claim(key, row["state"], outcome, age)

    def end(self, key: str, caller: Caller, state: Ending, outcome: Json) -> None:
        """Note how an effect ended that this process has claimed.

        Raises:
            Abandoned: another process has taken it over, or the database does not answer.
        """
        own = (effects.c.key == key) & (effects.c.owner == _owner(caller)) & (effects.c.state == "claimed")
        values = {"state": state, "settled": timestamp(), "result": canonical(outcome)}
        with self._begun() as connection:
            if connection.execute(update(effects).where(own).values(values)).rowcount != 1:
                raise Abandoned(RunHeld(f"another process works on {caller.run}"))

    def state(self, key: str) -> str | None:
        """Return the state of an effect; None where nobody has claimed it."""
        with self._begun() as connection:
            return connection.execute(select(effects.c.state).where(effects.c.key == key)).scalar()

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with keeping(), self._database.begin() as connection:
            yield connection


def _owned(connection: Connection, caller: Caller) -> None:
    """Look whether the run still belongs to this executor; who would take it now has to wait."""
    if not caller.executor:
        return
    mine = select(flows.c.owner, flows.c.fence).where(flows.c.run == caller.run).with_for_update()
    row = connection.execute(mine).first()
    if row is None or (row.owner, row.fence) != (caller.executor, caller.fence):
        raise Abandoned(RunHeld(f"another process works on {caller.run}"))


def _owner(caller: Caller) -> str:
    return f"{caller.executor}#{caller.fence}"
