"""``RecordedSteps``: a run's steps give what they gave; its asks and its policy checks are done again."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragflow.config import Config
from ragflow.records import canonical, sha256
from ragflow.redact import Kind as Private
from ragflow.redact import redact_all
from ragflow.replaying.differing import changes, unified
from ragflow.replaying.playing import OffTape
from ragflow.replaying.replay import again, bare
from ragflow.replaying.tape import Tape
from ragflow.steps import Step
from ragflow.workflows.contracts import Caller, Json, Kind, Object
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.errors import ToolRefused
from ragflow.workflows.kept import as_json

_COUNTED = ("rate", "budget")  # what other runs did decides these
_OWN = ("spent",)  # of an answer within a run: what it took then


class Astray(BaseException):
    """The run goes another way than it was recorded. No ``Exception``: the workflow must not catch it.

    ``at``: the step, from 0.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class ReachedOutside(Exception):
    """A replay reached for something outside, which it must not."""


@dataclass(frozen=True, slots=True)
class Knowing:
    """What replaying steps needs to know. ``hide``: what is redacted. ``error_of``: a kept error, again.

    ``workflows``: those of today, by name.
    """

    config: Config
    hide: Collection[Private]
    error_of: Callable[[Object], Exception]
    workflows: Mapping[str, Workflow]


class RecordedSteps:
    """Satisfies ``contracts.Steps`` by a record. ``changes`` and ``diff``: what differs now."""

    def __init__(self, recorded: Sequence[Object], knowing: Knowing) -> None:
        self._recorded = recorded
        self._knowing = knowing
        self._at = 0
        self.reading = TapedReading(knowing.config)
        self.changes: list[str] = []
        self.diff: list[str] = []
        self.notes: list[str] = []

    @property
    def next(self) -> int:
        """The number that the next step will have."""
        return self._at

    @property
    def left(self) -> int:
        """How many recorded steps have not been taken."""
        return len(self._recorded) - self._at

    def take(self, name: str, work: Callable[[Step], Json], *, kind: Kind = "step") -> Json:
        """Give what the step gave; do asks and checks again, and note what is another now.

        Raises:
            Astray: another step was recorded here, or none.
        """
        at = self._at
        if at >= len(self._recorded):
            raise Astray(f"{name} would be one step more than the {at} that were recorded", at)
        known = self._recorded[at]
        if (known["name"], known["kind"]) != (name, kind):
            then, now = f"{known['name']} ({known['kind']})", f"{name} ({kind})"
            raise Astray(f"step {at} would be {now}; it was {then}", at)
        self._at += 1
        if kind == "ask" and known["status"] != "failed":
            return self._asked(f"step {at}, {name}", known["output"], work)
        if kind == "policy":
            return self._checked(f"step {at}, {name}", known, work)
        if kind == "step" and self._names_source(name, known):
            return self._source(name.partition(" ")[2], known["output"])
        return self._given(known)

    def _given(self, known: Object) -> Json:
        if known["status"] == "failed":
            raise self._knowing.error_of(known["output"]["error"])
        return known["output"]

    def _json(self, value: object) -> Json:
        return redact_all(as_json(value, "again"), self._knowing.hide)

    # -- asks ------------------------------------------------------------------------------------

    def _asked(self, where: str, then: Object, work: Callable[[Step], Json]) -> Json:
        if then["tape"] is None:
            self.notes.append(f"{where}: it has no tape, so its answer is taken as it was recorded")
            return then
        self.reading.taped = then
        try:
            now = self._json(work(Step()))
        except OffTape as off:
            self.changes.append(f"{where}: {off}")
            self.diff += off.diff
            return then
        before, after = _compared(then["answer"]), _compared(now["answer"])
        if canonical(before) == canonical(after):
            return then
        self._note(where, before, after, "answer")
        return now

    # -- checks ----------------------------------------------------------------------------------

    def _checked(self, where: str, known: Object, work: Callable[[Step], Json]) -> Json:
        """Check again by the rules of today; go on with what they say."""
        try:
            now: Json = self._json(work(Step()))
        except ReachedOutside as error:
            self.notes.append(f"{where}: it cannot be checked without what is outside: {error}")
            return self._given(known)
        except Exception as error:
            if _counted(error) or not self._otherwise(where, known, error):
                return self._given(known)  # rates and budgets count what other runs did then
            raise
        if known["status"] == "failed" and not _was_counted(known):
            then = known["output"]["error"]["message"]
            self.changes.append(f"{where}: it was refused, {then}; now it is let through")
            return now
        if known["status"] != "failed":
            before, after = _unsigned(known["output"]), _unsigned(now)
            if canonical(before) != canonical(after):
                self._note(where, before, after, "check")
                return now
        return self._given(known)

    def _otherwise(self, where: str, known: Object, error: Exception) -> bool:
        """Note that a check refuses today, and tell whether it did otherwise then."""
        if known["status"] != "failed":
            self.changes.append(f"{where}: it was let through; now it is refused: {error}")
            return True
        then = known["output"]["error"]
        if _was_counted(known) or (then["type"], then["message"]) == (type(error).__name__, str(error)):
            return False
        self.changes.append(f"{where}: it was refused, {then['message']}; now, {error}")
        return True

    # -- sources ---------------------------------------------------------------------------------

    def _names_source(self, name: str, known: Object) -> bool:
        word, _, workflow = name.partition(" ")
        output = known["output"]
        digest = isinstance(output, str) and len(output) == len(sha256(""))
        return word == "workflow" and digest and workflow in self._knowing.workflows

    def _source(self, workflow: str, then: Json) -> Json:
        now = self._knowing.workflows[workflow].digest
        if now != then:
            self.notes.append(source_changed(workflow))
        return now

    def _note(self, where: str, then: Any, now: Any, what: str) -> None:
        told = list(changes(then, now)) if isinstance(then, dict) and isinstance(now, dict) else []
        self.changes += [f"{where}: {one}" for one in told or ["it gives something else"]]
        self.diff += unified(then, now, f"{what} of {where}")


class TapedReading:
    """Satisfies ``contracts.Reading``: an ask is done again from its tape, nothing else is read.

    ``taped``: what the ask that is done next gave: its answer and its tape.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.taped: Object = {}

    def ask(self, question: str, caller: Caller, *, tier: str | None = None) -> tuple[Object, Object | None]:
        """Return the answer by the rules of today. Raises ``OffTape``."""
        then, shown = self.taped["answer"], self.taped["tape"]
        tape = Tape.from_json(shown)
        asked = redact_all(question, self._config.runs.redact)
        if (asked, tier) != (tape.asked.question, tape.asked.tier):
            raise OffTape(
                "something else would be asked", unified([tape.asked.question], [asked], "question")
            )
        now = again(tape, self._config)
        if now.answer is None:
            assert now.off is not None
            raise now.off
        kept = {key: then[key] for key in (*_OWN, "created", "timings_ms") if key in then}
        return {**now.answer.to_json(), "run": caller.run, **kept}, shown

    def search(self, question: str, caller: Caller, *, k: int | None = None) -> Object:
        """Raise ``ReachedOutside``."""
        del question, caller, k
        raise ReachedOutside("a search")

    def route(self, question: str, caller: Caller) -> Object:
        """Raise ``ReachedOutside``."""
        del question, caller
        raise ReachedOutside("a route")

    def fetch(self, document: str, caller: Caller) -> Object:
        """Raise ``ReachedOutside``."""
        del document, caller
        raise ReachedOutside("a document")


def source_changed(workflow: str) -> str:
    """Return in a sentence that a workflow's source is another one now."""
    return f"the source of the workflow {workflow} has changed since"


def _compared(answer: Object) -> dict[str, Any]:
    return {key: value for key, value in bare(answer).items() if key not in _OWN}


def _unsigned(told: Json) -> Json:
    """Return what a check gave without the digest of the rules: what they say is compared, not that."""
    if isinstance(told, dict) and isinstance(told.get("action"), dict):
        return {**told, "action": {**told["action"], "policy": ""}}
    return told


def _counted(error: Exception) -> bool:
    return isinstance(error, ToolRefused) and error.kind in _COUNTED


def _was_counted(known: Object) -> bool:
    if known["status"] != "failed":
        return False
    error = known["output"]["error"]
    made_of = error.get("made_of")
    return error["type"] == "ToolRefused" and isinstance(made_of, dict) and made_of.get("kind") in _COUNTED
