"""``eval compare`` of two generations: both asked the same questions, each with the model that built it.

Nothing is promoted, stored or recorded. Both are held open meanwhile, so that no sync collects them; search
settings and access are today's for both, so only what was indexed, and by what, differs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from evals.datasets import load
from evals.errors import NotComparable
from evals.metrics import parse
from evals.results import EvalRun
from evals.running import unreviewed
from indexes.embedding import Embedder
from indexes.errors import NoGeneration
from indexes.generations import Generations, Manifest, release
from indexes.report import Progress
from indexes.store import Store
from ragflow.config import Config
from ragflow.cross_encoders import CrossEncoders
from ragflow.errors import UsageError
from ragflow.evaluation_rights import default_metrics, forbidden
from ragflow.gate_runs import Bench, departed
from ragflow.identity import Asker
from ragflow.remembering import Remembering


@dataclass(frozen=True, slots=True)
class Trial:
    """What is compared. ``a`` None: the live generation; ``b`` None: the newest that waits beside it.

    ``dataset`` None: the one that ``gates`` names. Empty ``metrics``: those that suit the data set.
    """

    a: str | None = None
    b: str | None = None
    dataset: Path | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Where:
    """Of which workspace, and for whom. ``embedder`` gives the configured model."""

    config: Config
    store: Store
    embedder: Callable[[], Embedder]
    asker: Asker


def measured(
    trial: Trial, where: Where, progress: Callable[[Progress], None], note: Callable[[str], None]
) -> tuple[EvalRun, EvalRun]:
    """Ask both generations, A first. The runs bear the names of their generations.

    ``note`` is told what a person should know of the data set, and how many questions are left out.

    Raises:
        NoGeneration: nothing is live. UnknownGeneration: no such is kept.
        NotComparable: nothing waits, no data set is named, or a model is not there any more.
        DatasetInvalid, UnknownMetric, NotAllowed: as ``Evaluation.run``.
    """
    data = load(trial.dataset or _of_gates(where.config))
    for one in data.notes:
        note(one)
    encoders = CrossEncoders(where.config)
    metrics = parse(trial.metrics or default_metrics(data.kind), entailment=encoders.entailment)
    refused = forbidden(where.config, data.cases, where.asker)
    excluded = {**departed(where.store, where.config, data), **unreviewed(data.cases), **refused}
    if excluded:
        first = next(iter(excluded.values()))
        note(f"{len(excluded):,} of {len(data.cases):,} questions are left out: {first}")
    bench = Bench(where.config, where.store, where.asker, progress, encoders)

    def asked(side: str, built: Manifest, model: Embedder) -> EvalRun:
        questions = Remembering(lambda: model)
        run = bench.measure(data, metrics, excluded, built, questions, name=f"{side}, {built.id}")
        return _described(run, built)

    with _held(Generations(where.config.workspace), trial) as (a, b):
        # Both are opened before either is asked: what is gone is told at once.
        models = [_model(bench, one, where.embedder()) for one in (a, b)]
        return asked("A", a, models[0]), asked("B", b, models[1])


def _of_gates(config: Config) -> Path:
    named = list(dict.fromkeys(one.dataset for one in config.gates))
    if len(named) != 1:
        why = f"gates name {len(named)} data sets" if named else "ragflow.yaml has no gates"
        raise UsageError(f"{why}: say which one to ask", hint="--dataset questions.jsonl")
    return Path(config.resolve(named[0]))


@contextmanager
def _held(generations: Generations, trial: Trial) -> Iterator[tuple[Manifest, Manifest]]:
    """Hold both generations open for the length of a ``with``."""
    with ExitStack() as stack:

        def held(name: str) -> Manifest:
            manifest, lock = generations.hold(name)
            stack.callback(release, lock)
            return manifest

        a, b = _names(generations, trial)
        yield held(a), held(b)


def _names(generations: Generations, trial: Trial) -> tuple[str, str]:
    live = generations.live()
    if live is None and not (trial.a and trial.b):
        raise NoGeneration("nothing is live yet", hint="ragflow index, or ragflow generations promote")
    waiting = [] if live is None else _newer(generations, live)
    if trial.b is None and not waiting:
        raise NotComparable(
            "no generation waits beside the live one", hint="ragflow index --hold builds one; or name two"
        )
    a, b = trial.a or live, trial.b or waiting[-1]
    assert a is not None, "one is live, or named"
    if a == b:
        raise NotComparable(f"{a} is both sides", hint="name two: ragflow generations list")
    return a, b


def _newer(generations: Generations, live: str) -> list[str]:
    """Return the generations that were built after the live one, oldest first."""
    number = generations.manifest(live).number
    return [one for one in generations.kept() if generations.manifest(one).number > number]


def _model(bench: Bench, built: Manifest, configured: Embedder) -> Embedder:
    found = bench.embedder_of(built, configured)
    if found is None:
        raise NotComparable(
            f"the model that {built.id} was built by is not there any more",
            hint="put its files back; `ragflow generations list --json` names it",
        )
    return found


def _described(run: EvalRun, built: Manifest) -> EvalRun:
    """Say in the setup with what the generation was built: that is what differs."""
    keys = {"embedder": built.embedder, "chunker": built.chunker, "analyser": built.analyser}
    told = {"parsing": built.parsing} if built.parsing else {}
    width = {"dimensions": built.dimensions} if built.dimensions else {}
    return replace(run, setup=replace(run.setup, config={**built.settings, **keys, **told, **width}))
