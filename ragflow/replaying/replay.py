"""A recorded ask, done again: the rules, checks and wording of today with what the tape holds of then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ragflow.answering import Working, carried_out
from ragflow.answers import Answer
from ragflow.assembling import Outside, assembled, guard
from ragflow.config import Config
from ragflow.errors import ConfigError, NoModel
from ragflow.records import canonical
from ragflow.replaying.differing import changes, unified
from ragflow.replaying.playing import OffTape, played
from ragflow.replaying.tape import Tape
from ragflow.ruling import rules_of
from ragflow.steps import Record

SCHEMA = "ragflow.replay/1"
_OF_THE_RUN = ("run", "created", "timings_ms")

Json = Mapping[str, Any]
_DIFFERS, _CANNOT_SAY = 8, 9


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gave.

    ``same``: byte for byte what was recorded, but for run, created and timings_ms; None where it could not be
    replayed, and ``reason`` says why. ``changes``: a sentence for each field that differs; ``diff``: all of
    it. ``configuration``: the rules that are others now, None where those of then were not kept.
    ``trial``: what was changed on purpose, as ``model=NAME``.
    """

    run: str
    kind: str
    same: bool | None
    reason: str | None = None
    changes: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    configuration: tuple[str, ...] | None = ()
    trial: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        """0 the same, or a trial; 8 it differs; 9 it cannot be said."""
        if self.same is None:
            return _CANNOT_SAY
        return 0 if self.same or self.trial is not None else _DIFFERS

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.replay/1``."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "kind": self.kind,
            "same": self.same,
            "reason": self.reason,
            "changes": list(self.changes),
            "diff": list(self.diff),
            "configuration": None if self.configuration is None else list(self.configuration),
            "with": self.trial,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Again:
    """An ask done again: its answer, or how it left the tape."""

    answer: Answer | None
    off: OffTape | None = None


def again(
    tape: Tape,
    config: Config,
    *,
    outside: Callable[[Outside], Outside] = lambda one: one,
    sources: Sequence[str] | None = None,
) -> Again:
    """Do a taped ask again with a configuration. ``outside`` may put something real in place of the tape.

    ``sources``: those that are searched where none was asked for; None: all that are configured.
    """
    reach = outside(played(tape, config))
    asked = tape.asked
    if asked.sources is not None:
        where = tuple(name for name in config.sources if name in asked.sources)
    else:
        where = tuple(config.sources if sources is None else sources)
    try:
        parts = assembled(config, reach, guard(config), fallback=asked.fallback)
        record = Record("replay", created=tape.created)
        return Again(carried_out(config, asked, where, Working(parts, reach.models), record))
    except OffTape as off:
        return Again(None, off)
    except (ConfigError, NoModel) as error:
        return Again(None, OffTape(f"it would not be answered at all: {error}"))


def compared(run: str, recorded: Json, now: Again, configuration: tuple[str, ...] | None) -> Replayed:
    """Return what a replay gave beside what was recorded, ``ragflow.ask/1``."""
    if now.answer is None:
        assert now.off is not None
        said, diff = (str(now.off),), now.off.diff
        return Replayed(run, "ask", same=False, changes=said, diff=diff, configuration=configuration)
    then, today = bare(recorded), bare(now.answer.to_json())
    if canonical(then) == canonical(today):
        return Replayed(run, "ask", same=True, configuration=configuration)
    return Replayed(
        run,
        "ask",
        same=False,
        changes=tuple(changes(then, today)),
        diff=unified(then, today, "answer"),
        configuration=configuration,
    )


def bare(answer: Json) -> dict[str, Any]:
    """Return an answer's object without what is of one run alone."""
    return {key: value for key, value in answer.items() if key not in _OF_THE_RUN}


def differing_rules(then: Json | None, config: Config) -> tuple[str, ...] | None:
    """Return in which rules a configuration differs from those of then; None where those are not known."""
    if then is None:
        return None
    return tuple(_told(then, rules_of(config)))


def _told(then: Json, now: Json) -> list[str]:
    """Say which rules differ; routes by their names, which tell more than a count."""
    named_then = {rule["name"]: rule for rule in then.get("routes", [])}
    named_now = {rule["name"]: rule for rule in now.get("routes", [])}
    order = [[rule["name"] for rule in rules.get("routes", [])] for rules in (then, now)]
    first = {**then, "routes": {"order": order[0], **named_then}}
    second = {**now, "routes": {"order": order[1], **named_now}}
    return list(changes(first, second))


def tried(replayed: Replayed, trial: str) -> Replayed:
    """Return a replay as one in which something was changed on purpose."""
    return replace(replayed, trial=trial)
