"""The rows of runs in progress: who owns a run, what it waits for, how it ended.

A run is executed by the process that is its owner, and by no other. Ownership passes by compare-and-set:
only where nobody has it, or the lease of who had it is free. ``fence`` grows with each passing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, exists, func, or_, select

from ragflow.errors import NotFound
from ragflow.records import canonical, timestamp
from ragflow.workflows.contracts import Suspended
from ragflow.workflows.database import Database
from ragflow.workflows.errors import RunHeld
from ragflow.workflows.leases import Lease
from ragflow.workflows.tables import flows, requests

LiveStatus = Literal["running", "waiting", "done", "failed", "cancelled"]
Standing = Literal["mine", "cancelled", "lost"]
LIVE = ("running", "waiting")


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A run as its row says. ``actor``: the acting user first, then the readers. ``record``: once ended."""

    run: str
    workflow: str
    created: str
    actor: tuple[str, ...]
    status: LiveStatus
    outcome: str | None
    exit_code: int
    owner: str | None
    fence: int
    cancelled: bool
    waiting_for: str | None
    wake: str | None
    source_digest: str
    config_digest: str
    policy: str
    generation: str | None
    version: str
    input: Mapping[str, Any]
    error: Mapping[str, Any] | None
    retry_of: str | None
    record: Mapping[str, Any] | None

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.status in LIVE


def row_of(found: "Row[Any]") -> FlowRow:
    """Read a row of the table."""
    fields = dict(found._mapping)  # noqa: SLF001 - SQLAlchemy's own name for it
    for key in ("actor", "input", "error", "record"):
        fields[key] = None if fields[key] is None else json.loads(fields[key])
    fields["actor"] = tuple(fields["actor"])
    return FlowRow(**fields)


def of_actor(actor: str) -> "ColumnElement[bool]":
    """Return the condition that a run belongs to a user: letter by letter, as ``LIKE`` would not look."""
    begins = canonical([actor])[:-1]
    return func.substr(flows.c.actor, 1, len(begins)) == begins


class Rows:
    """Reads and changes the rows, in short transactions, for the process that holds ``lease``."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease

    def begin(self, values: Mapping[str, Any], *, owned: bool) -> FlowRow:
        """Enter a new run: owned by this process, or open to any."""
        kept = {**values, "actor": canonical(list(values["actor"])), "input": canonical(values["input"])}
        owner = self._lease.executor if owned else None
        kept |= {"status": "running", "owner": owner, "fence": 1 if owned else 0, "cancelled": False}
        with self._database.begin() as connection:
            connection.execute(flows.insert().values(exit_code=0, **kept))
            return _get(connection, kept["run"])

    def get(self, run: str) -> FlowRow:
        """Return a run's row. Raises ``NotFound``."""
        with self._database.begin() as connection:
            return _get(connection, run)

    def find(self, run: str) -> FlowRow | None:
        """Return a run's row, or None."""
        return next(iter(self._rows(flows.c.run == run)), None)

    def newest(self, actor: str) -> FlowRow | None:
        """Return the newest run of an actor, or None."""
        return next(iter(self._rows(of_actor(actor))), None)

    def take_over(self, run: str) -> FlowRow:
        """Become the owner of a live run.

        Raises:
            NotFound: there is no such run.
            RunHeld: another process has it, or it has ended meanwhile.
        """
        if not self._lease.held():
            raise RunHeld(f"{run} cannot be taken: this process has lost its lease")
        with self._database.begin() as connection:
            row = _get(connection, run, hold=True)
            if not row.live:
                raise RunHeld(f"{run} has ended meanwhile: {row.status}", hint=f"ragflow runs show {run}")
            if row.owner is not None and self._lease.alive(row.owner, connection):
                raise RunHeld(f"{run} is being worked on by the process {row.owner}")
            owner = flows.c.owner.is_(None) if row.owner is None else flows.c.owner == row.owner
            taken = connection.execute(
                flows.update()
                .where(flows.c.run == run, flows.c.fence == row.fence, owner, flows.c.status.in_(LIVE))
                .values(
                    owner=self._lease.executor,
                    fence=row.fence + 1,
                    status="running",
                    waiting_for=None,
                    wake=None,
                )
            )
            if taken.rowcount != 1:
                raise RunHeld(f"{run} was taken by another process")
            return _get(connection, run)

    def standing(self, row: FlowRow) -> Standing:
        """Tell whether this process still owns a run, and whether somebody wants it cancelled."""
        with self._database.begin() as connection:
            now = connection.execute(
                select(flows.c.owner, flows.c.fence, flows.c.cancelled).where(flows.c.run == row.run)
            ).one_or_none()
        if now is None or (now.owner, now.fence) != (self._lease.executor, row.fence):
            return "lost"
        return "cancelled" if now.cancelled else "mine"

    def wait(self, row: FlowRow, suspended: Suspended) -> bool:
        """Leave a run until a person has decided; False where it was not this process's any more."""
        return self._mine(
            row,
            status="waiting",
            owner=None,
            waiting_for=suspended.approval,
            wake=timestamp(suspended.wake),
        )

    def release(self, row: FlowRow) -> bool:
        """Leave a run to whoever takes it up."""
        return self._mine(row, owner=None)

    def end(self, row: FlowRow, values: Mapping[str, Any]) -> bool:
        """Write how a run ended; requests of it that nobody decided have expired with it."""
        with self._database.begin() as connection:
            changed = connection.execute(self._where_mine(row).values(owner=None, **values))
            if changed.rowcount != 1:
                return False
            connection.execute(
                requests.update()
                .where(requests.c.run == row.run, requests.c.status == "pending")
                .values(status="expired")
            )
        return True

    def ask_to_cancel(self, run: str) -> None:
        """Note that somebody wants a run cancelled: its owner sees it before its next step."""
        with self._database.begin() as connection:
            connection.execute(
                flows.update().where(flows.c.run == run, flows.c.status.in_(LIVE)).values(cancelled=True)
            )

    def disown(self) -> int:
        """Give up all runs of this process, which executes none of them; return how many."""
        with self._database.begin() as connection:
            mine = (flows.c.owner == self._lease.executor) & flows.c.status.in_(LIVE)
            return connection.execute(flows.update().where(mine).values(owner=None)).rowcount

    def open(self, now: str, *, but: Collection[str] = (), limit: int = 100) -> list[FlowRow]:
        """Return live runs that can go on: nobody's, of dead processes, decided, due; oldest first.

        ``now``: a timestamp. A run that waits is due when its request is decided or has expired. ``but``:
        runs that are left out, so that they keep no others from their turn.
        """
        asked = requests.c.approval == flows.c.waiting_for
        decided = exists().where(asked, requests.c.status != "pending")
        due = (flows.c.status == "waiting") & or_(flows.c.wake <= now, decided)
        wanted = or_(flows.c.status == "running", due) & flows.c.run.not_in(but)
        owners = select(flows.c.owner).where(flows.c.status.in_(LIVE), flows.c.owner.is_not(None)).distinct()
        with self._database.begin() as connection:
            owned = connection.execute(owners).scalars().all()
            alive = [one for one in owned if self._lease.alive(one, connection)]
            free = wanted & or_(flows.c.owner.is_(None), flows.c.owner.not_in(alive))
            oldest = select(flows).where(free).order_by(flows.c.created, flows.c.run).limit(limit)
            return [row_of(one) for one in connection.execute(oldest)]

    def ended(self, runs: Sequence[str]) -> list[str]:
        """Return those of the runs that have ended, or that nothing is known of."""
        with self._database.begin() as connection:
            live = select(flows.c.run).where(flows.c.run.in_(runs), flows.c.status.in_(LIVE))
            still = set(connection.execute(live).scalars())
        return [run for run in runs if run not in still]

    def dead(self, executors: Sequence[str]) -> list[str]:
        """Return those of the executors whose lease is free."""
        with self._database.begin() as connection:
            return [one for one in executors if not self._lease.alive(one, connection)]

    def expire(self, before: str) -> None:
        """Remove the rows of runs that ended and began before a timestamp."""
        with self._database.begin() as connection:
            old = flows.c.status.not_in(LIVE) & (flows.c.created < before)
            connection.execute(flows.delete().where(old))

    def _rows(self, condition: Any) -> list[FlowRow]:
        """Return the newest row that meets a condition, if there is one."""
        # Ids and times tell seconds: of two runs of one second, the one that has not ended is the newer.
        ended = flows.c.status.not_in(LIVE)
        newest = (flows.c.created.desc(), ended, flows.c.run.desc())
        wanted = select(flows).where(condition).order_by(*newest).limit(1)
        with self._database.begin() as connection:
            return [row_of(one) for one in connection.execute(wanted)]

    def _where_mine(self, row: FlowRow) -> Any:
        return flows.update().where(
            flows.c.run == row.run, flows.c.owner == self._lease.executor, flows.c.fence == row.fence
        )

    def _mine(self, row: FlowRow, **values: Any) -> bool:
        with self._database.begin() as connection:
            return connection.execute(self._where_mine(row).values(**values)).rowcount == 1


def _get(connection: Connection, run: str, *, hold: bool = False) -> FlowRow:
    """Return a row; ``hold`` has it stay as it is until the transaction ends."""
    wanted = select(flows).where(flows.c.run == run)
    found = connection.execute(wanted.with_for_update() if hold else wanted).one_or_none()
    if found is None:
        raise NotFound(f"not found: run {run}", hint="ragflow runs list")
    return row_of(found)
