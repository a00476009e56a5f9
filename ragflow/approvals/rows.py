"""One request as it stands in ``ragflow_requests``, and the one way in which it is decided."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from ragflow.errors import StoreDamaged
from ragflow.records import timestamp
from ragflow.workflows.contracts import Object
from ragflow.workflows.tables import requests

DONE = frozenset({"executed", "unsettled"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a person. Times are ISO 8601, UTC.

    ``arguments``: those that were asked for, ``revised``: those that the decision put in their place, else
    None. ``digest`` binds the ones that hold. ``screen``: what ``gathering`` gathered for whoever decides.
    """

    approval: str
    run: str
    call: str
    kind: str
    status: str
    tool: str
    effect: str
    arguments: Object
    digest: str
    policy: str
    actor: str
    approvers: tuple[str, ...]
    four_eyes: bool
    created: str
    expires: str
    screen: Object
    decided_by: str | None = None
    decided: str | None = None
    comment: str | None = None
    revised: Object | None = None

    @property
    def holding(self) -> Object:
        """The arguments that hold: revised ones, else those that were asked for."""
        return self.arguments if self.revised is None else self.revised

    def lapsed(self, now: datetime) -> bool:
        """Tell whether nobody has decided and nobody can any more."""
        return self.status == "pending" and timestamp(now) >= self.expires

    def status_at(self, now: datetime) -> str:
        """Return the status as it is now; one that has run out is ``expired``, noted or not."""
        return "expired" if self.lapsed(now) else self.status

    def row(self) -> dict[str, Any]:
        """Return the values of the table's columns."""
        row = {name: getattr(self, name) for name in self.__slots__}
        texts = ("arguments", "approvers", "screen", "revised")
        return row | {name: None if row[name] is None else _text(row[name]) for name in texts}


def of_row(row: RowMapping) -> Asked:
    """Return a row as a value. Raises ``StoreDamaged`` where its JSON is none."""
    values = dict(row)
    try:
        for name in ("arguments", "screen", "revised"):
            values[name] = None if values[name] is None else json.loads(values[name])
        values["approvers"] = tuple(json.loads(values["approvers"]))
    except ValueError as error:
        message = f"the request {values['approval']} cannot be read: {error}"
        raise StoreDamaged(message, hint="restore the database of runs from a backup") from error
    return Asked(**values)


def found(connection: Connection, approval: str, *, hold: bool = False) -> Asked | None:
    """Return a request by its id; None where there is none. ``hold``: it stays so in this transaction."""
    wanted = select(requests).where(requests.c.approval == approval)
    rows = connection.execute(wanted.with_for_update() if hold else wanted).mappings()
    return next((of_row(row) for row in rows), None)


def matching(connection: Connection, *conditions: Any) -> list[Asked]:
    """Return the requests that meet all conditions, oldest first."""
    wanted = select(requests).where(*conditions).order_by(requests.c.created, requests.c.approval)
    return [of_row(row) for row in connection.execute(wanted).mappings()]


def of_run(connection: Connection, run: str) -> list[Asked]:
    """Return the requests of a run, oldest first: what its record shows."""
    return matching(connection, requests.c.run == run)


def change(
    connection: Connection, asked: Asked, values: Mapping[str, Any], *, was: Sequence[str] = ("pending",)
) -> bool:
    """Change a request that still is what it was: its status one of ``was``, its digest the same.

    One UPDATE; the count of rows says whether this was the one that did it.
    """
    still = (
        (requests.c.approval == asked.approval)
        & requests.c.status.in_(tuple(was))
        & (requests.c.digest == asked.digest)
    )
    return connection.execute(requests.update().where(still).values(**values)).rowcount == 1


def now_utc() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
