"""``runs verify``: is each record, its chain and its tape what was written?"""

from dataclasses import dataclass
from typing import Any, Literal

from ragflow.errors import CannotSay, NotFound
from ragflow.history import History
from ragflow.identity import Asker
from ragflow.records import Run
from ragflow.replaying.exporting import Exported
from ragflow.runs import Integrity, RunStore

SCHEMA = "ragflow.integrity/1"

Contents = Literal["kept", "erased", "expired"]
Taped = Literal["kept", "gone", "none"]


@dataclass(frozen=True, slots=True)
class One:
    """A run that was checked. ``contents``: expired ones are gone, of erased ones a part."""

    run: str
    record: Integrity
    contents: Contents
    tape: Taped
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "record": self.record,
            "contents": self.contents,
            "tape": self.tape,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking found, of ``every`` run or of one.

    ``chain``: whether the runs before and after were looked at too.
    """

    runs: tuple[One, ...]
    chain: bool = True
    every: bool = False

    @property
    def changed(self) -> tuple[str, ...]:
        """The runs that are not what was written."""
        return tuple(one.run for one in self.runs if one.record == "changed")

    @property
    def exit_code(self) -> int:
        """8 where a run was changed, else 0: digests prove what expired, too."""
        return 8 if self.changed else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.integrity/1``; of several, the changed runs are told apart."""
        told = [one for one in self.runs if not self.every or one.record == "changed"]
        return {
            "schema": SCHEMA,
            "checked": len(self.runs),
            "intact": len(self.runs) - len(self.changed),
            "changed": list(self.changed),
            "expired": sum(one.contents == "expired" for one in self.runs),
            "erased": sum(one.contents == "erased" for one in self.runs),
            "chain": self.chain,
            "runs": [one.to_json() for one in told],
        }


def checked(runs: RunStore, history: History, asker: Asker, run: str) -> Checked:
    """Check one run. Raises ``NotFound``; a record that is none any more is a changed one."""
    if run != "last" and not runs.readable(run) and (owner := runs.owner(run)) is not None:
        if owner != asker.actor and (asker.acting or not asker.auditor):
            raise NotFound(f"not found: run {run}", hint="ragflow runs list")
        return Checked((_damaged(run),))
    record = ended(history.get(run, asker))
    return Checked((_one(record, runs.check(record.run) or "changed", runs),))


def ended(record: Run) -> Run:
    """Return a run that has ended. Raises ``CannotSay``: its record is yet to come."""
    if record.status in ("running", "waiting"):
        raise CannotSay(
            f"{record.run} has not ended: its record is written when it has", hint="ragflow runs list"
        )
    return record


def checked_all(runs: RunStore, history: History, asker: Asker) -> Checked:
    """Check all runs that the asker may see, and name those of theirs that are none any more."""
    owner = None if asker.auditor and not asker.acting else asker.actor
    found: list[One] = []
    for name, record, integrity in runs.check_all(owner=owner):
        if record is None:
            found.append(_damaged(name))
        elif integrity == "changed" or history.shows(record, asker):
            found.append(_one(record, integrity, runs))
    return Checked(tuple(found), every=True)


def checked_file(kept: Exported) -> Checked:
    """Check a run that was exported: the record and its tape by themselves, for the chain is elsewhere."""
    integrity: Integrity = "intact" if kept.wrong is None else "changed"
    one = One(
        kept.record.run,
        integrity,
        _contents(kept.record),
        _taped(kept.record, kept.tape is not None),
        kept.wrong,
    )
    return Checked((one,), chain=False)


def _one(record: Run, integrity: Integrity, runs: RunStore) -> One:
    has = record.tape is not None and runs.has_tape(record.run)
    return One(record.run, integrity, _contents(record), _taped(record, has))


def _taped(record: Run, has: bool) -> Taped:  # noqa: FBT001 - whether it is there is all there is to say
    if has:
        return "kept"
    return "none" if record.tape is None else "gone"


def _contents(record: Run) -> Contents:
    if record.input is None and record.output is None:
        return "expired"
    return "erased" if record.erased else "kept"


def _damaged(run: str) -> One:
    return One(run, "changed", "kept", "none", "the record cannot be read")
