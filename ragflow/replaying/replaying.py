"""Recorded runs looked at again: are they as they were written, do they replay, in one file for a ticket."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragflow.config import Config
from ragflow.errors import CannotSay, NotFound, UsageError, map_errors
from ragflow.history import History
from ragflow.identity import Asker
from ragflow.library import Library
from ragflow.records import Run
from ragflow.replaying import exporting, trying
from ragflow.replaying.checking import Checked, checked, checked_all, checked_file, ended
from ragflow.replaying.exporting import Exported
from ragflow.replaying.real import Real
from ragflow.replaying.replay import Again, Replayed, again, compared, differing_rules, tried
from ragflow.replaying.tape import Json, Tape, documents
from ragflow.runs import RunStore

_RUN = re.compile(r"last|r-\d{8}T\d{6}-[0-9a-f]{6}")
ERASED = "what its steps gave was erased with a document that was forgotten"
CHANGED = "the record or its tape was changed after it was written"


class Replaying:
    """Verifies, replays and exports the runs that an asker may see.

    A run whose tape holds what the asker may not read now is not there, as one that cites it.
    """

    def __init__(
        self, config: Config, runs: RunStore, history: History, library: Callable[[], Library], real: Real
    ) -> None:
        self._config, self._runs, self._history = config, runs, history
        self._library, self._real = library, real

    @map_errors()
    def verify(self, run: str | None, asker: Asker) -> Checked:
        """Check digests and chain of a run, of a file that was exported, or of all runs of the asker (None).

        Raises ``NotFound``.
        """
        if run is None:
            return checked_all(self._runs, self._history, asker)
        file = _file(run)
        return checked_file(exporting.read(file)) if file else checked(self._runs, self._history, asker, run)

    @map_errors()
    def replay(self, run: str, asker: Asker, *, changed: str | None = None) -> Replayed:
        """Do a run again with its tape and the configuration of today; ``run`` may be an exported file.

        ``changed``: what is to be another one, as ``model=NAME``. Nothing is recorded.

        Raises:
            NotFound: no such run of the asker.
            UsageError: it is of a kind that has no tape, or ``changed`` names nothing that there is.
        """
        file = _file(run)
        if file is None:
            return self._again(self._kept(run, asker), asker, changed, own=True)
        try:
            return self._again(exporting.read(file), asker, changed, own=False)
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            # Its digests are those of what it holds, which is nothing that a run could have left.
            raise UsageError(f"{file} is no exported run", hint="ragflow runs export RUN -o FILE") from error

    def _kept(self, run: str, asker: Asker) -> Exported:
        record, tape = self._found(run, asker)
        rules = self._runs.rules(record.policy) if record.policy else None
        return Exported(record, tape, rules, CHANGED if self._runs.check(record.run) == "changed" else None)

    def _again(self, kept: Exported, asker: Asker, changed: str | None, *, own: bool) -> Replayed:
        """``own``: it was written by this workspace, so that errors may be of any module that it names."""
        record, tape, rules = kept.record, kept.tape, kept.rules
        if kept.wrong is not None:
            return Replayed(record.run, record.kind, same=False, changes=(kept.wrong,), configuration=None)
        if record.kind == "workflow":
            return self._noted(self._workflow(record, changed, own=own), record)
        if record.kind != "ask":
            raise UsageError(
                f"{record.run} is a run of kind {record.kind}: only answers and workflows replay"
            )
        if tape is None or record.output is None:
            reason = self._why_gone(record)
            return Replayed(record.run, "ask", same=None, reason=reason, configuration=None)
        taped = Tape.from_json(tape)
        configuration = differing_rules(rules, self._config)
        if changed is None:
            replayed = compared(record.run, record.output, again(taped, self._config), configuration)
            return self._noted(replayed, record)
        now = self._with(taped, changed, asker)
        return tried(compared(record.run, record.output, now, configuration), changed)

    def _noted(self, replayed: Replayed, record: Run) -> Replayed:
        """Say that the configuration is another one, where none of the rules that decide tells it."""
        if record.config_digest == self._config.digest or replayed.configuration:
            return replayed
        return replace(replayed, notes=(*replayed.notes, "the configuration has changed since"))

    @map_errors()
    def export(self, run: str, asker: Asker) -> dict[str, Any]:
        """Return a run as ``ragflow.export/1``. Raises ``NotFound``, ``CannotSay`` (it was changed)."""
        record, tape = self._found(run, asker)
        if self._runs.check(record.run) == "changed":
            raise CannotSay(
                f"{record.run} is not exported: {CHANGED}", hint=f"ragflow runs verify {record.run}"
            )
        rules = self._runs.rules(record.policy) if record.policy and record.kind == "ask" else None
        return exporting.export(record, tape, rules)

    def _found(self, run: str, asker: Asker) -> tuple[Run, Json | None]:
        record = ended(self._history.get(run, asker))
        kept = self._runs.tape(record.run)
        tape = None if kept is None else json.loads(kept)
        named = documents(tape) if tape is not None else frozenset[str]()
        if named and self._library().hidden(named, frozenset(asker.readers)):
            raise NotFound(f"not found: run {run}", hint="ragflow runs list")
        return record, tape

    def _why_gone(self, record: Run) -> str:
        if record.tape is None and record.input is not None:
            return "it was recorded without a tape, before tapes were kept"
        if record.input is None:
            return f"its contents have expired (runs.keep_days: {self._config.runs.keep_days})"
        if self._runs.forgotten(record.run) is not None:
            return "its tape was erased with a document that was forgotten"
        return "its tape is not there"

    def _with(self, tape: Tape, changed: str, asker: Asker) -> Again:
        what, value = trying.wanted(changed)
        # What the asker has lost since then is not searched, whoever asked.
        allowed = tuple(name for name in tape.asked.readers if name in asker.readers)
        tape = replace(tape, asked=replace(tape.asked, readers=allowed))
        with self._real as real:
            models = real.models()
            if what == "model":
                tape, limited = trying.with_model(tape, value, self._config)
                outside = trying.asking_models(limited(models), lambda: real.workshop(None))
            else:
                outside = trying.searching(models, lambda: real.workshop(value))
            return again(tape, self._config, outside=outside)

    def _workflow(self, record: Run, changed: str | None, *, own: bool) -> Replayed:
        if changed is not None:
            raise UsageError(f"{record.run} is a workflow: --with replays answers", hint="leave --with away")
        if record.input is None or record.erased:
            reason = self._why_gone(record) if record.input is None else ERASED
            return Replayed(record.run, "workflow", same=None, reason=reason, configuration=None)
        from ragflow.replaying.reaching import replayed  # what workflows need is slow to import

        return replayed(record, self._config, own=own)


def _file(run: str) -> Path | None:
    """Return the file that is meant; None where it is a run's name."""
    if _RUN.fullmatch(run):
        return None
    path = Path(run)
    return path if path.is_file() else None
