"""Run records: what was asked, done and answered, kept so that a change of one character shows.

Each run is the object ``ragflow.run/1`` in one row of ``runs.sqlite``. Its digest covers everything;
contents (input, output, the output of each step) enter it by their own SHA-256 only, so that erasing
content leaves the record provable. ``previous`` chains it to the run that ended before it. Erasing a
document is itself a run (kind ``forget``) that names the digest of every content it rewrote: a
rewritten content that no ``forget`` names is a changed record.

The limit of a chain without an outside witness: who rewrites the newest runs up to the very last,
digests included, is not found.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, select

from indexes.errors import StoreDamaged
from ragflow import taping
from ragflow.records import (
    FIRST,
    SCHEMA,
    Run,
    canonical,
    citations,
    contents,
    digest_of,
    emptied,
    forgetting,
    standing,
    timestamp,
)
from ragflow.replaying.tape import digest_of_tape
from ragflow.run_files import cited as _cited
from ragflow.run_files import reading, truncate_log, writing
from ragflow.run_files import runs as _runs

__all__ = ["Integrity", "RunStore"]

Integrity = Literal["intact", "changed"]
_ERASABLE = ("ask", "workflow")


class RunStore:
    """The runs of one workspace, in one SQLite file (WAL, mode 0600). Opening touches no file.

    Any number of processes may write at once; each waits up to ten seconds for its turn. Reading
    works in a folder that cannot be written too, then without runs that are not yet checkpointed.

    Raises, from every method: ``StoreTooNew``, ``StoreDamaged``; from those that write:
    ``StoreNotWritable``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, run: Run, *, tape: bytes | None = None, rules: str | None = None) -> Run:
        """Append an ended run to the chain; return it with ``previous`` and ``digest`` set.

        ``tape`` is that of which ``run.tape`` is the digest, ``rules`` those of ``run.policy``.
        """
        with writing(self.path) as connection:
            if tape is not None:
                taping.keep(connection, run.run, tape)
            if rules is not None and run.policy is not None:
                taping.keep_rules(connection, run.policy, rules)
            return _append(connection, run)

    def tape(self, run: str) -> bytes | None:
        """Return the bytes of a run's tape; None where it has none, or none any more."""
        with reading(self.path) as connection:
            return None if connection is None else taping.kept(connection, run)

    def rules(self, policy: str) -> dict[str, Any] | None:
        """Return the rules that have this digest; None where they were never kept."""
        with reading(self.path) as connection:
            return None if connection is None else taping.kept_rules(connection, policy)

    def forgotten(self, run: str) -> str | None:
        """Return the ``forget`` run that removed a run's tape, None where none did."""
        with reading(self.path) as connection:
            return None if connection is None else _removed_by(connection, run)

    def get(self, run: str) -> Run | None:
        """Return a run by its id, or None."""
        found = self._rows(_runs.c.run == run, limit=1)
        return found[0] if found else None

    def readable(self, run: str) -> bool:
        """Tell whether a run's record is one still; False where someone made something else of it."""
        try:
            return self.get(run) is not None
        except StoreDamaged:
            return False

    def owner(self, run: str) -> str | None:
        """Return whose a run is by its row, whatever became of its record; None where there is none."""
        with reading(self.path) as connection:
            if connection is None:
                return None
            found = connection.execute(select(_runs.c.owner).where(_runs.c.run == run)).scalar_one_or_none()
            return None if found is None else str(found)

    def list(self, limit: int, *, owner: str | None = None) -> tuple[Run, ...]:
        """Return at most ``limit`` runs, newest first, of one owner or of all."""
        return self._rows(True if owner is None else _runs.c.owner == owner, limit=limit)

    def each(self, *, owner: str | None = None, since: str = "") -> Iterator[Run]:
        """Give the runs created since then (``timestamp``), oldest first, of one owner or of all.

        One at a time: they need not fit into memory.
        """
        wanted = _runs.c.created >= since
        if owner is not None:
            wanted &= _runs.c.owner == owner
        with reading(self.path) as connection:
            if connection is None:
                return
            rows = select(_runs.c.record).where(wanted).order_by(_runs.c.seq)
            for (record,) in connection.execution_options(yield_per=20).execute(rows):
                yield _parse(record)

    def _rows(self, condition: Any, *, limit: int) -> tuple[Run, ...]:
        with reading(self.path) as connection:
            if connection is None:
                return ()
            wanted = select(_runs.c.record).where(condition).order_by(_runs.c.seq.desc()).limit(limit)
            return tuple(_parse(record) for (record,) in connection.execute(wanted))

    def check(self, run: str) -> Integrity | None:
        """Recompute a run's digest and both its links of the chain; None where there is no such run."""
        with reading(self.path) as connection:
            if connection is None:
                return None
            row = connection.execute(select(_runs).where(_runs.c.run == run)).one_or_none()
            if row is None:
                return None
            return _integrity(connection, row)

    def check_all(self, *, owner: str | None = None) -> Iterator[tuple[str, Run | None, Integrity]]:
        """Check every run of an owner, or of all, oldest first; the run is None where it cannot be read."""
        with reading(self.path) as connection:
            if connection is None:
                return
            wanted = select(_runs.c.run).order_by(_runs.c.seq)
            if owner is not None:
                wanted = wanted.where(_runs.c.owner == owner)
            for (name,) in connection.execute(wanted).all():
                row = connection.execute(select(_runs).where(_runs.c.run == name)).one()
                yield name, _parsed(row.record), _integrity(connection, row)

    def has_tape(self, run: str) -> bool:
        """Tell whether a run's tape is there, read or not."""
        with reading(self.path) as connection:
            return connection is not None and taping.has(connection, run)

    def cited(self) -> set[tuple[str, str]]:
        """Return every (document, revision) that a run still kept cites: evidence not to be collected."""
        with reading(self.path) as connection:
            if connection is None:
                return set()
            pairs = connection.execute(select(_cited.c.document, _cited.c.revision).distinct())
            return {(document, revision) for document, revision in pairs}

    def expire(self, keep_days: int, *, now: datetime | None = None) -> int:
        """Remove the contents of runs older than ``keep_days``, leaving digests; return how many."""
        cutoff = timestamp((now or datetime.now(UTC)) - timedelta(days=keep_days))
        old = (_runs.c.created < cutoff) & (_runs.c.kind != "forget")
        with writing(self.path) as connection:
            expired = 0
            for seq, record in connection.execute(select(_runs.c.seq, _runs.c.record).where(old)).all():
                run = _parse(record)
                if run.input is not None or run.output is not None:
                    _rewrite(connection, seq, emptied(run))
                    connection.execute(_cited.delete().where(_cited.c.run == run.run))
                    taping.remove(connection, [run.run])
                    expired += 1
        if expired:
            truncate_log(self.path)
        return expired

    def erase(self, document: str, *, forget: Run) -> Run:
        """Erase what runs quote of a document; append ``forget``, whose output names what was rewritten.

        The output of ``forget`` becomes ``{"schema": "ragflow.forget/1", "document", "erased", "tapes"}``:
        ``erased`` maps each rewritten run to the digest of what is left of it (``records.standing``),
        ``tapes`` are the runs that lost their tape.
        """
        with writing(self.path) as connection:
            citing = select(_cited.c.run).where(_cited.c.document == document)
            # Open at its end: a chunk's id begins like this too.
            opened = json.dumps(document, ensure_ascii=False)[:-1]
            shown = _runs.c.record.contains(opened, autoescape=True)
            wanted = select(_runs.c.seq, _runs.c.record).where(_runs.c.run.in_(citing) | shown)
            erased: dict[str, str] = {}
            gone = sorted(taping.naming(connection, document))
            for seq, record in connection.execute(wanted.where(_runs.c.kind.in_(_ERASABLE))).all():
                before = _parse(record)
                after = forgetting(document, before)
                if after != before:
                    _rewrite(connection, seq, after)
                    connection.execute(_cited.delete().where(_cited.c.run == after.run))
                    _cite(connection, after)
                    erased[after.run] = standing(after)
            gone = sorted({*gone, *(run for run in erased if taping.has(connection, run))})
            taping.remove(connection, gone)
            named = {
                "schema": "ragflow.forget/1",
                "document": document,
                "erased": erased,
                "tapes": gone,
            }
            added = _append(connection, replace(forget, kind="forget", output=named))
        truncate_log(self.path)
        return added


def _append(connection: Connection, run: Run) -> Run:
    newest = select(_runs.c.record).order_by(_runs.c.seq.desc()).limit(1)
    before = connection.execute(newest).scalar_one_or_none()
    run = replace(
        run,
        previous=FIRST if before is None else _parse(before).digest,
        digest="",
        erased=None,
    )
    run = replace(run, digest=digest_of(run.to_json()))
    row = {
        "run": run.run,
        "kind": run.kind,
        "owner": run.actor[0],
        "created": run.created,
    }
    connection.execute(_runs.insert().values(**row, record=canonical(run.to_json())))
    _cite(connection, run)
    return run


def _cite(connection: Connection, run: Run) -> None:
    """Note what a run cites."""
    cited = [{"run": run.run, "document": name, "revision": revision} for name, revision in citations(run)]
    if cited:
        connection.execute(_cited.insert(), cited)


def _rewrite(connection: Connection, seq: int, run: Run) -> None:
    connection.execute(_runs.update().where(_runs.c.seq == seq).values(record=canonical(run.to_json())))


def _parse(record: str) -> Run:
    try:
        return Run.from_json(json.loads(record))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamaged(
            f"a run record cannot be read: {error}",
            hint="restore runs.sqlite from a backup",
        ) from error


def _parsed(record: str) -> Run | None:
    try:
        return _parse(record)
    except StoreDamaged:
        return None


def _integrity(connection: Connection, row: Any) -> Integrity:
    try:
        intact = _sound(connection, row) and _chained(connection, row)
    except (KeyError, TypeError, ValueError, AttributeError, StoreDamaged):
        return "changed"
    return "intact" if intact else "changed"


def _sound(connection: Connection, row: Any) -> bool:
    """Is the record what its digest says, its columns what the record says, its erasures accounted for?"""
    shown = json.loads(row.record)
    run = Run.from_json(shown)
    columns = (run.run, run.kind, run.actor[0], run.created)
    if row.record != canonical(shown) or columns != (
        row.run,
        row.kind,
        row.owner,
        row.created,
    ):
        return False
    if shown["schema"] != SCHEMA or run.digest != digest_of(shown):
        return False
    expired = run.input is None and run.output is None
    rewritten = [slot for slot, content in contents(shown).items() if content is not None]
    if not {"output"}.issuperset(set(rewritten).intersection(run.erased or ())):
        return False
    if run.erased and not expired and not _forgotten(connection, run):
        return False
    if not _taped(connection, run, expired=expired):
        return False
    held = connection.execute(select(_cited.c.document, _cited.c.revision).where(_cited.c.run == run.run))
    return sorted((name, revision) for name, revision in held) == citations(run)


def _taped(connection: Connection, run: Run, *, expired: bool) -> bool:
    """Is the tape the one that the record names, and if it is gone, is that accounted for?"""
    tape = taping.kept(connection, run.run)
    if tape is not None:
        return run.tape == digest_of_tape(tape)
    return run.tape is None or expired or _removed_by(connection, run.run) is not None


def _forgotten(connection: Connection, run: Run) -> bool:
    """Does the last ``forget`` that names the run say that this should now be left of it?"""
    for shown in _forgets(connection):
        if run.run in shown["output"]["erased"]:
            return bool(shown["output"]["erased"][run.run] == standing(run))
    return False


def _removed_by(connection: Connection, run: str) -> str | None:
    """Return the ``forget`` run that removed a run's tape."""
    found = (shown["run"] for shown in _forgets(connection) if run in shown["output"].get("tapes", ()))
    return next(found, None)


def _forgets(connection: Connection) -> Iterator[dict[str, Any]]:
    """Give the ``forget`` runs that are what their digest says, newest first."""
    forgets = select(_runs.c.record).where(_runs.c.kind == "forget").order_by(_runs.c.seq.desc())
    for (record,) in connection.execute(forgets):
        shown = json.loads(record)
        if shown["digest"] == digest_of(shown):
            yield shown


def _chained(connection: Connection, row: Any) -> bool:
    """Do the runs before and after agree with this one?"""
    run = _parse(row.record)
    before = select(_runs.c.record).where(_runs.c.seq < row.seq).order_by(_runs.c.seq.desc()).limit(1)
    after = select(_runs.c.record).where(_runs.c.seq > row.seq).order_by(_runs.c.seq).limit(1)
    previous = connection.execute(before).scalar_one_or_none()
    following = connection.execute(after).scalar_one_or_none()
    linked = run.previous == (FIRST if previous is None else _parse(previous).digest)
    return linked and (following is None or _parse(following).previous == run.digest)
