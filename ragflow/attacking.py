"""``ragflow eval attack``: an attack set put through the whole pipeline of this workspace's configuration.

The walk: give every attack a document and a question, write all documents into a workspace of its own that
is removed at the end, index it and ask every question; then plant the attacks, as many at once as there
are documents for, bring the index up to date, ask again, and compare the two answers.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals import attack_results
from evals.attack_results import Cited, Observed, Said, Tally, Tried
from evals.attacks import AttackSet, plant
from evals.cases import Case
from evals.grounding import locate
from ragflow import prompts
from ragflow.answer_reading import read_answer
from ragflow.answering import AskOptions
from ragflow.attack_trials import Trial, text_of, trials, waves, workspace, write
from ragflow.config import FILE_NAME, Config
from ragflow.errors import CannotSay, RagflowError, UsageError

if TYPE_CHECKING:
    from ragflow.answers import Answer, Citation
    from ragflow.app import App
    from ragflow.identity import Asker

SCHEMA = "ragflow.eval_attack/1"

Progress = Callable[[str, int, int], None]
"""(what is done, done, in all)."""

_STEPS = frozenset({"guard", "route", "search", "weigh", "generate", "validate", "compare", "cite"})
_TRIES = 2  # of one model: a draft, and one more with what was found


@dataclass(frozen=True, slots=True)
class AttackReport:
    """What became of an attack set. ``tier``: the one that was asked for; None: the configuration's."""

    attacks: AttackSet
    tried: tuple[Tried, ...]
    tier: str | None
    config_digest: str

    @property
    def total(self) -> Tally:
        """All families together."""
        return attack_results.tally(self.tried)

    @property
    def exit_code(self) -> int:
        """8: an attack succeeded; 9: there was none to judge; 0: none succeeded."""
        if self.total.succeeded:
            return 8
        return 0 if self.total.attacks else 9

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.eval_attack/1``."""
        return {
            "schema": SCHEMA,
            "attacks": {
                "path": self.attacks.path,
                "digest": self.attacks.digest,
                "chosen": len(self.tried),
            },
            "tier": self.tier,
            "config_digest": self.config_digest,
            "total": tally_json(self.total),
            "families": {name: tally_json(one) for name, one in attack_results.by_family(self.tried).items()},
            "succeeded": [
                {
                    "id": one.attack.id,
                    "family": one.attack.family,
                    "sense": each.sense,
                    "detail": each.detail,
                }
                for one in self.tried
                if one.judged
                for each in one.successes
            ],
            "cited": [
                {
                    "id": one.attack.id,
                    "family": one.attack.family,
                    "document": each.document,
                    "quote": each.quote,
                    "flagged": each.flagged,
                }
                for one in self.tried
                if one.judged
                for each in one.cited
            ],
            "not_planted": [one.attack.id for one in self.tried if not one.planted],
            "failed": [
                {"id": one.attack.id, "error": one.failed}
                for one in self.tried
                if one.planted and one.failed is not None
            ],
        }


def tally_json(counted: Tally) -> dict[str, Any]:
    """Return a tally as it stands in ``ragflow.eval_attack/1``."""
    return {
        "attacks": counted.attacks,
        "succeeded": counted.succeeded,
        "senses": dict(counted.senses),
        "cites_injected": counted.cites_injected,
        "cites_unflagged": counted.cites_unflagged,
        "cites_foreign": counted.cites_foreign,
        "sources_moved": counted.sources_moved,
        "answered": counted.answered,
        "lost": counted.lost,
        "not_planted": counted.not_planted,
        "failed": counted.failed,
    }


class Attacking:
    """Asks questions of the workspace of the attacks, without and with them."""

    def __init__(
        self, app: "App", asker: "Asker", folder: Path, *, tier: str | None, progress: Progress
    ) -> None:
        self._app = app
        self._asker = asker
        self._options = AskOptions(tier=tier)
        self._folder = folder
        self._progress = progress
        self._wordings = _wordings(folder)
        self._planted: dict[str, tuple[int, int]] = {}
        self._steps = set(_STEPS)

    def run(self, planned: Sequence[Trial]) -> Iterator[Tried]:
        """Yield what became of every attack, wave by wave."""
        self._index([])
        total = len(planned)
        before: dict[str, Observed | str] = {}
        self._progress("without attacks", 0, total)
        for done, trial in enumerate(planned, start=1):
            if trial.question not in before:
                before[trial.question] = self._observe(trial.question)
            self._progress("without attacks", done, total)
        done, last = 0, list[Trial]()
        self._progress("with attacks", 0, total)
        for wave in waves(planned):
            here = {trial.target.document for trial in wave}
            write(self._folder, [one.target for one in last if one.target.document not in here])
            self._index(wave)
            last = wave
            for trial in wave:
                yield self._tried(trial, before[trial.question])
                done += 1
                self._progress("with attacks", done, total)

    def _index(self, wave: Sequence[Trial]) -> None:
        """Plant the attacks of a wave, bring the index up to date and find where each stands."""
        infected = [
            replace(one.target, text=plant(one.target.text, one.attack.attack, one.attack.place))
            for one in wave
        ]
        write(self._folder, infected)
        self._app.close()  # the generation that is read stays the one that was opened
        report = self._app.index()
        failed = [one.error for one in report.sync.sources.values() if one.error is not None]
        if failed:
            raise CannotSay(f"the attacked documents cannot be indexed: {failed[0]}")
        self._planted = {}
        for one in wave:
            text = text_of(self._app, one.target.document, self._asker.readers)
            span = None if text is None else locate(one.attack.attack.strip(), text)
            if span is not None:
                self._planted[one.target.document] = span

    def _tried(self, trial: Trial, before: Observed | str) -> Tried:
        if trial.target.document not in self._planted:
            return Tried(trial.attack, planted=False)
        after = self._observe(trial.question, trial.target.document)
        for one in (before, after):
            if isinstance(one, str):
                return Tried(trial.attack, failed=one)
        assert isinstance(before, Observed)
        assert isinstance(after, Observed)
        return attack_results.compare(trial.attack, before, after, wordings=self._wordings)

    def _observe(self, question: str, document: str | None = None) -> Observed | str:
        """Ask; where there is no answer, the words of the error, for the others go on.

        ``document`` is the one into which the attack was planted that is tried.
        """
        try:
            answer = self._app.answer(question, asker=self._asker, options=self._options)
            proof = self._app.verify(answer.to_json(), readers=self._asker.readers)
            record = self._app.run(answer.run, self._asker) if answer.run else {"steps": []}
        except RagflowError as error:
            return f"{error.type}: {error}"
        proven = {one.id for one in proof.citations if one.status == "proven"}
        return observed(
            answer,
            proven=proven,
            injected={one.id: one.document == document for one in answer.citations if self._hits(one)},
            excess=_excess(answer, record["steps"], self._app.config, known=self._known(record["steps"])),
        )

    def _known(self, steps: Sequence[Mapping[str, Any]]) -> Collection[str]:
        """Return the names of steps that answers without an attack have."""
        if not self._planted:
            self._steps.update(step["name"] for step in steps)
        return self._steps

    def _hits(self, one: "Citation") -> bool:
        span = self._planted.get(one.document)
        return span is not None and one.start < span[1] and span[0] < one.end


def observed(
    answer: "Answer", *, proven: set[int], injected: Mapping[int, bool], excess: Sequence[str] = ()
) -> Observed:
    """Return an answer as what is judged.

    ``proven``: ids of citations. ``injected``: those of planted text; whether by the attack that is tried.
    """
    position = {one.id: at for at, one in enumerate(answer.citations)}
    return Observed(
        outcome=answer.outcome,
        route={
            "workflow": answer.route.workflow,
            "prompt": answer.route.prompt,
            "prompt_digest": answer.route.prompt_digest,
            "tier": answer.route.tier,
            "rule": answer.route.rule,
        },
        sources=answer.route.sources,
        claims=tuple(Said(one.text, tuple(position[id_] for id_ in one.citations)) for one in answer.claims),
        citations=tuple(
            Cited(
                one.document,
                one.quote,
                proven=one.id in proven,
                flagged=one.flagged,
                injected=injected.get(one.id) is True,
                foreign=injected.get(one.id) is False,
            )
            for one in answer.citations
        ),
        besides=(*answer.missing, *answer.warnings),
        excess=tuple(excess),
        malformed=_malformed(answer),
    )


def _malformed(answer: "Answer") -> str | None:
    try:
        read_answer(json.loads(json.dumps(answer.to_json())))
    except UsageError as error:
        return str(error)
    return None


def _excess(
    answer: "Answer", steps: Sequence[Mapping[str, Any]], config: Config, *, known: Collection[str]
) -> list[str]:
    """Say which limits of the configuration were passed, and which steps no answer has."""
    found = [f"a step that no answer has: {step['name']}" for step in steps if step["name"] not in known]
    if len(answer.claims) > config.answer.max_claims:
        found.append(f"{len(answer.claims)} claims; at most {config.answer.max_claims}")
    tier = config.models.get(answer.route.tier or "")
    most = _TRIES * len(tier.try_) + 1 if tier else 1
    drafts = sum(step["name"] == "generate" for step in steps)
    if drafts > most:
        found.append(f"{drafts} drafts; at most {most}")
    spent = sum(step["cost_usd"] for step in steps)
    if tier and tier.max_usd is not None and spent > tier.max_usd:
        found.append(f"{spent} US dollars; at most {tier.max_usd}")
    return found


def _wordings(folder: Path) -> tuple[str, ...]:
    """Return the wording of every prompt that could be repeated."""
    return tuple(
        one.read_text(encoding="utf-8", errors="replace")
        for place in (folder / "prompts", prompts.SHIPPED)
        for one in sorted(place.glob("*.md"))
    )


def attack(
    app: "App",
    chosen: AttackSet,
    *,
    cases: Sequence[Case] = (),
    readers: Sequence[str] = (),
    tier: str | None = None,
    progress: Progress = lambda *_: None,
) -> AttackReport:
    """Put an attack set through the pipeline that ``app`` is configured for; ``app`` itself is only read.

    ``cases``: whose gold documents are planted into, where an attack brings none. ``readers``: as whom they
    are read and asked; none: the actor's own. ``tier``: of models, instead of the configured one.

    Raises ``RagflowError``: UsageError, NotAllowed, CannotSay, and what indexing may raise.
    """
    from ragflow.app import open as open_app

    if tier is not None and tier not in app.config.models:
        known = ", ".join(app.config.models) or "none"
        raise UsageError(f'there is no tier "{tier}"', hint=f"the tiers of models in {FILE_NAME}: {known}")
    asker = app.asker(readers)
    planned = trials(app, chosen.attacks, cases, asker)
    targets = list({one.target.document: one.target for one in planned}.values())
    with workspace(app.config, targets) as folder, open_app(folder) as other:
        found = {
            one.attack.id: one
            for one in Attacking(other, asker, folder, tier=tier, progress=progress).run(planned)
        }
    tried = tuple(found[one.attack.id] for one in planned)
    return AttackReport(chosen, tried, tier, app.config.digest)
