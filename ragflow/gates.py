"""``index --gate``: may the new generation become live? Both are asked the same questions.

The gate is the workspace's own: a case with readers is asked as those, one without as the actor. Both
generations are searched with today's settings and under today's access, so that only what was indexed
differs. A question none of whose gold documents is in a source any more is put to neither.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from evals import metrics as metric_names
from evals.cases import Dataset
from evals.datasets import load
from evals.gating import Gate as Rule
from evals.gating import decide
from evals.results import Check, EvalRun
from evals.running import unreviewed
from indexes.embedding import Embedder
from indexes.generations import Manifest
from indexes.report import GateDecision, Progress
from indexes.store import Store
from ragflow import identity
from ragflow.config import Config
from ragflow.cross_encoders import CrossEncoders
from ragflow.errors import ConfigError
from ragflow.gate_runs import SYSTEM, Bench, departed, summary
from ragflow.identity import Asker
from ragflow.records import timestamp
from ragflow.remembering import Remembering
from ragflow.sections import Gate

Change = Literal["content", "configuration"]

_NO_MODEL = "The model that the live generation was built by is not there any more."


@dataclass(frozen=True, slots=True)
class Question:
    """A rule of ``gates:`` with its data set, read."""

    gate: Gate
    data: Dataset


def read(config: Config) -> tuple[Question, ...]:
    """Read the data set of every rule, before anything is built.

    Raises ``ConfigError`` when there is no rule; ``ReaderError``, ``DatasetInvalid`` or ``UnknownMetric``
    when one of them cannot be applied.
    """
    if not config.gates:
        raise ConfigError(
            "--gate: ragflow.yaml has no gates, so there is nothing to decide by",
            hint="add for example: gates: [{dataset: questions.jsonl, metric: nDCG@10, margin: 0.05}]",
        )
    known: dict[str, Dataset] = {}
    for gate in config.gates:
        metric_names.parse([gate.metric])
        if gate.dataset not in known:
            known[gate.dataset] = load(Path(config.resolve(gate.dataset)))
        for case in known[gate.dataset].cases:
            identity.readers(case.readers or ())
    return tuple(Question(gate, known[gate.dataset]) for gate in config.gates)


def change(candidate: Manifest, live: Manifest) -> Change:
    """Tell whether another configuration made the candidate, or only other documents.

    Search settings are none of a generation's: changing them changes no index.
    """
    ours = (candidate.embedder, candidate.chunker, candidate.analyser)
    if ours != (live.embedder, live.chunker, live.analyser):
        return "configuration"
    # A generation of an earlier version does not tell how its documents were parsed.
    return "content" if live.parsing in ("", candidate.parsing) else "configuration"


@dataclass(frozen=True, slots=True)
class Gating:
    """Satisfies ``indexes.report.Gate``. ``embedder`` gives the configured model."""

    config: Config
    store: Store
    embedder: Callable[[], Embedder]
    asker: Asker
    questions: tuple[Question, ...]
    progress: Callable[[Progress], None]

    def __call__(self, candidate: Manifest, live: Manifest | None) -> GateDecision:
        """Decide by every rule: one that says no, or that cannot tell and is told to hold, holds it."""
        about: dict[str, Any] = {
            "schema": "ragflow.gate/1",
            "created": timestamp(),
            "candidate": candidate.id,
            "baseline": live.id if live else None,
            "actor": self.asker.actor,
            "readers": sorted({*self.asker.readers, *self._named()}),
        }
        if live is None or not live.chunks:
            report = {**about, "status": "inconclusive", "change": None, "checks": [], "datasets": []}
            reason = "no baseline: nothing was live to compare it with"
            return GateDecision(promote=True, reason=reason, report=report)
        kind, pairs = change(candidate, live), self._pairs(candidate, live)
        decided = [_decide(one, pairs.get(one.gate.dataset), kind) for one in self.questions]
        report = {
            **about,
            "status": _status(decided),
            "change": kind,
            "checks": [one.to_json() for one in decided],
            "datasets": [_measured(name, pair) for name, pair in pairs.items()],
        }
        free = not any(one.holds for one in decided)
        return GateDecision(promote=free, reason=_reason(decided, kind), report=report)

    def _named(self) -> Iterable[str]:
        return (reader for one in self.questions for case in one.data.cases for reader in case.readers or ())

    def _pairs(self, candidate: Manifest, live: Manifest) -> dict[str, tuple[EvalRun, EvalRun]]:
        """Return for each data set the runs of both; none where the live one's model is gone."""
        encoders = CrossEncoders(self.config)
        bench = Bench(self.config, self.store, self.asker, self.progress, encoders)
        now = self.embedder()
        then = bench.embedder_of(live, now)
        if then is None:
            return {}
        new = Remembering(lambda: now)
        old = new if then is now else Remembering(lambda: then)
        pairs: dict[str, tuple[EvalRun, EvalRun]] = {}
        for name, data in {one.gate.dataset: one.data for one in self.questions}.items():
            wanted = {one.gate.metric for one in self.questions if one.gate.dataset == name}
            chosen = metric_names.parse(sorted(wanted), entailment=encoders.entailment)
            excluded = {**departed(self.store, self.config, data), **unreviewed(data.cases)}
            pairs[name] = (
                bench.measure(data, chosen, excluded, live, old, name=f"gate: live, {name}"),
                bench.measure(data, chosen, excluded, candidate, new, name=f"gate: new, {name}"),
            )
        return pairs


@dataclass(frozen=True, slots=True)
class _Decided:
    """A rule applied. ``holds``: it keeps the candidate from becoming live."""

    gate: Gate
    check: Check
    holds: bool

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.gate.dataset, **asdict(self.check), "held": self.holds}


def _decide(question: Question, pair: tuple[EvalRun, EvalRun] | None, kind: Change) -> _Decided:
    gate = question.gate
    if pair is None:
        check = Check(gate.metric, None, None, None, None, None, gate.margin, "inconclusive", _NO_MODEL)
    else:
        check = decide(*pair, Rule(gate.metric, gate.margin, gate.min_questions), system=SYSTEM)
    unsure = gate.on_inconclusive.content if kind == "content" else gate.on_inconclusive.configuration
    holds = check.status == "failed" or (check.status == "inconclusive" and unsure == "hold")
    return _Decided(gate, check, holds)


def _measured(name: str, pair: tuple[EvalRun, EvalRun]) -> dict[str, Any]:
    baseline, candidate = pair
    setup = candidate.setup
    return {
        "path": name,
        "kind": setup.kind,
        "digest": setup.digest,
        "questions": setup.questions,
        "excluded": dict(setup.excluded),
        "baseline": summary(baseline),
        "candidate": summary(candidate),
    }


def _status(decided: Sequence[_Decided]) -> str:
    found = {one.check.status for one in decided}
    return next(one for one in ("failed", "inconclusive", "passed") if one in found)


def _reason(decided: Sequence[_Decided], kind: Change) -> str:
    """Say why it is promoted or held: the rules that hold it, else those that cannot tell, else all."""
    holding = [one for one in decided if one.holds]
    unsure = [one for one in decided if one.check.status == "inconclusive"]
    said = " ".join(f"{one.gate.dataset}: {one.check.reason}" for one in holding or unsure or decided)
    if any(one.check.status == "failed" for one in holding):
        return f"the gate said no. {said}"
    if holding:
        return f"the gate cannot tell, and a change of {kind} is held then. {said}"
    if unsure:
        return f"the gate cannot tell, and a change of {kind} is promoted then. {said}"
    return f"the gate said yes. {said}"
