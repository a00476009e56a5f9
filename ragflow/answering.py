"""One ask from the caller's words to its record: the thread that it follows, the parts, the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from evals.cases import Turn
from indexes.errors import StoreNotWritable
from indexes.query import Found
from ragflow import parts, prompts
from ragflow.answers import Answer, Rejected
from ragflow.asking import Casting, Draft, Evidence, Lineup, Parts, Question, Routed
from ragflow.assembling import TierModels, hidden_from, masked
from ragflow.casting import estimate
from ragflow.config import Config
from ragflow.deadlines import Deadline
from ragflow.errors import UsageError
from ragflow.guards.question import blanked
from ragflow.history import History
from ragflow.identity import Asker
from ragflow.models.accounts import Account
from ragflow.models.calls import Estimate
from ragflow.parts import Models, Workshop
from ragflow.pipeline import ask
from ragflow.records import asked, new_id
from ragflow.redact import redact
from ragflow.replaying.recording import recorded, recorded_models
from ragflow.replaying.tape import Asked, Tape, digest_of_tape, packed
from ragflow.reports import EstimateReport
from ragflow.ruling import Ruling
from ragflow.runs import RunStore
from ragflow.steps import Record
from ragflow.watching import exporting

if TYPE_CHECKING:
    from ragflow.routing.explaining import RouteReport
    from ragflow.routing.threads import Standalone

MAX_TURNS = 5


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How a question is asked.

    ``sources``: those to search; None leaves it to the route. ``tier``: of models; None leaves it to the
    route. ``fallback``: where no model answers, sentences do. ``metadata``: what rules may look at.
    ``thread``: the run that this question follows. ``explain``: show what was found, measured, rejected.
    """

    sources: Sequence[str] | None = None
    explain: bool = False
    tier: str | None = None
    fallback: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    thread: str | None = None


class Answering:
    """Asks the questions of one open workspace, and records them."""

    def __init__(
        self, config: Config, workshop: Workshop, runs: RunStore, history: History, account: Account
    ) -> None:
        self._config = config
        self._account = account
        self._workshop = workshop
        self._runs = runs
        self._history = history

    def answer(self, text: str, sources: tuple[str, ...], asker: Asker, options: AskOptions) -> Answer:
        """Answer and record; ``run`` is None where it could not be recorded.

        Raises ``NotFound`` (no such thread), ``ConfigError`` (no such tier or prompt), ``NoModel``, and what
        ``exporting.ready`` raises.
        """
        exporting.ready(self._config)
        record = self._record()
        answer, tape = self._answered(text, sources, asker, options, record)
        shown, ruling = packed(tape), self._ruling
        run = asked(
            answer,
            actor=asker.principals,
            steps=record.steps,
            config_digest=self._config.digest,
            version=version("ragflow"),
        )
        run = replace(run, policy=ruling.digest, tape=digest_of_tape(shown))
        try:
            run = self._runs.add(run, tape=shown, rules=ruling.text)
        except StoreNotWritable:
            return replace(answer, run=None)
        exporting.told(self._config, run.to_json())
        return answer

    def taped(
        self, text: str, sources: tuple[str, ...], asker: Asker, options: AskOptions
    ) -> tuple[Answer, dict[str, Any], dict[str, float]]:
        """Answer; give the tape besides, and what was spent (``cost_usd``, ``tokens``). Nothing is recorded.

        Raises as ``answer``.
        """
        record = self._record()
        answer, tape = self._answered(text, sources, asker, options, record)
        return answer, tape, {key: sum(step[key] for step in record.steps) for key in ("cost_usd", "tokens")}

    def _answered(
        self, text: str, sources: tuple[str, ...], asker: Asker, options: AskOptions, record: Record
    ) -> tuple[Answer, dict[str, Any]]:
        tape = Tape(self._asked(text, sources, asker, options), created=record.created)
        models = recorded_models(Models(self._config, spending=self._account), tape)
        working = self._workshop.parts(
            fallback=options.fallback, models=models, around=partial(recorded, tape=tape)
        )
        answer = carried_out(self._config, tape.asked, sources, Working(working, models), record)
        return answer, tape.to_json()

    def _asked(self, text: str, sources: tuple[str, ...], asker: Asker, options: AskOptions) -> Asked:
        """Return what is asked, redacted: nothing behind this line sees what ``runs.redact`` names."""
        kinds, thread, turns = self._config.runs.redact, options.thread, None
        if thread is not None:  # "last" would be another run the next time that it is looked up
            thread = self._history.get(thread, asker).run
            turns = earlier(self._history, thread, asker)
        return Asked(
            question=redact(text, kinds),
            warnings=blanked(text, kinds),
            actor=asker.actor,
            readers=tuple(sorted(asker.readers)),
            sources=sources if options.sources else None,
            tier=options.tier,
            fallback=options.fallback,
            explain=options.explain,
            metadata={key: redact(value, kinds) for key, value in options.metadata.items()},
            thread=thread,
            turns=turns,
        )

    def estimate(
        self, text: str, sources: tuple[str, ...], asker: Asker, options: AskOptions
    ) -> EstimateReport:
        """Say what the models of the route would cost at most; none is asked, nothing is recorded."""
        working = self._workshop.parts(free=True)
        pricing = Pricing(working.casting)
        asking = self._asked(text, sources, asker, replace(options, thread=None))
        answer = ask(
            question_of(asking, sources),
            parts=replace(working, casting=pricing),
            record=self._record(),
            rules=parts.rules(self._config, explain=False),
        )
        reason = answer.reason if pricing.estimates is None else None
        return EstimateReport(asking.question, answer.route, pricing.estimates or (), reason)

    def route(self, text: str, sources: tuple[str, ...], asker: Asker, options: AskOptions) -> "RouteReport":
        """Say where a question goes, and why; nothing is recorded."""
        from ragflow.routing.explaining import explain

        question = question_of(self._asked(text, sources, asker, replace(options, thread=None)), sources)
        seconds = self._config.answer.timeout
        return explain(question, parts=self._workshop.parts(), record=self._record(), seconds=seconds)

    def _record(self) -> Record:
        """Begin a run: its steps, and what it may spend."""
        self._account.begin(self._config.answer.timeout)
        return Record(new_id("r"), used=lambda: self._account.used)

    @cached_property
    def _ruling(self) -> Ruling:
        return Ruling(self._config)


@dataclass(frozen=True, slots=True)
class Working:
    """What works on one question: the parts, and the models that it may be understood by."""

    parts: Parts
    models: TierModels


def carried_out(
    config: Config, asked: Asked, sources: tuple[str, ...], working: Working, record: Record
) -> Answer:
    """Understand a question without its thread, if it follows one, and answer it. Raises as ``ask``.

    ``sources``: those that were asked for, or all that are configured.
    """
    understood = None
    if asked.turns is not None:
        understood = understand(config, asked.question, asked.turns, record, working.models)
    question = question_of(asked, sources, understood.text if understood else None)
    answer = ask(
        question, parts=working.parts, record=record, rules=parts.rules(config, explain=asked.explain)
    )
    if understood is None:
        return answer
    standalone = understood.text if understood.changed else None
    return replace(answer, question=asked.question, thread=asked.thread, standalone=standalone)


class Pricing:
    """Casts an answerer that says nothing and notes what the models of the route would cost at most.

    Satisfies ``asking.Casting`` and ``asking.Answerer``. ``estimates`` None: it would not come to a draft.
    """

    name: str | None = None

    def __init__(self, casting: Casting) -> None:
        self._casting = casting
        self._lineup = Lineup(())
        self.estimates: tuple[Estimate, ...] | None = None

    def lineup(self, question: Question, routed: Routed) -> Lineup:
        """Return this answerer alone, for the tier and prompt of the route."""
        self._lineup = self._casting.lineup(question, routed)
        return replace(self._lineup, answerers=(self,))

    def draft(
        self,
        question: str,
        found: Found,
        evidence: Evidence,
        *,
        rejected: Sequence[Rejected] = (),  # noqa: ARG002 - nothing is ever rejected
        deadline: Deadline,  # noqa: ARG002 - nobody is waited for
    ) -> Draft:
        """Return an empty draft."""
        self.estimates = estimate(self._lineup, question, found, evidence)
        return Draft((), ())


def understand(
    config: Config, text: str, turns: Sequence[Turn], record: Record, models: TierModels
) -> "Standalone":
    """Return a question as it reads without the turns before it: by rules, or by the router's model."""
    from ragflow.routing.threads import by_model, standalone  # most questions follow none

    with record.step("understand") as step:
        step.input = text
        if config.router.tier is None:
            found = standalone(text, turns)
        else:
            prompt = prompts.load("standalone.md", config.folder)
            model, deadline = models(config.router.tier)[0], Deadline(config.answer.timeout)
            hide = partial(masked, hidden_from(model, config))
            found = by_model(text, turns, model, prompt, deadline, mask=hide)
        step.output, step.cost_usd, step.tokens = {"changed": found.changed}, found.cost_usd, found.tokens
    return found


def question_of(asked: Asked, sources: tuple[str, ...], text: str | None = None) -> Question:
    """Return the question that the pipeline is asked; ``text``: as it was understood."""
    return Question(
        text=asked.question if text is None else text,
        actor=asked.actor,
        readers=frozenset(asked.readers),
        sources=sources,
        asked_for=asked.sources is not None,
        metadata=asked.metadata,
        tier=asked.tier,
        warnings=asked.warnings,
    )


def earlier(history: History, run: str, asker: Asker) -> tuple[Turn, ...]:
    """Return the turns of a thread up to a run, oldest first: questions as they were understood.

    At most ``MAX_TURNS`` questions.

    Raises:
        NotFound: no such run of the asker, or it cites what the asker may not read now.
        UsageError: the run is no question.
    """
    turns: list[Turn] = []
    wanted: str | None = run
    while wanted is not None and len(turns) < 2 * MAX_TURNS:
        found = history.get(wanted, asker)
        if found.kind != "ask" or found.output is None:
            raise UsageError(f"{found.run} is no question that can be followed", hint="ragflow runs list")
        said = " ".join(claim["text"] for claim in found.output["claims"])
        understood = found.output.get("standalone") or found.output["question"]
        turns = [Turn("user", understood), *([Turn("assistant", said)] if said else []), *turns]
        wanted = found.output.get("thread")
    return tuple(turns)
