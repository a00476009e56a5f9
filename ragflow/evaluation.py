"""``ragflow eval``: a data set put to this workspace's systems, stored so that any figure can be traced.

The walk: read the data set, decide whose rights count, make the systems, leave out what cannot be asked,
go on with a run that was killed or start one, measure case by case, say what it was in the run records.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from evals import trec
from evals.cases import Case, Dataset, Ranked, Response, System
from evals.datasets import load, sample
from evals.errors import RunDamaged
from evals.measures import Metric
from evals.metrics import parse
from evals.results import EvalRun, Setup
from evals.running import rows, unreviewed
from evals.storage import Runs
from indexes.embedding import Embedder
from indexes.errors import NoGeneration
from indexes.generations import Generations
from indexes.index import EmbeddedIndex
from indexes.store import Store
from ragflow import gold, identity, systems
from ragflow.config import Config
from ragflow.cross_encoders import CrossEncoders
from ragflow.errors import UnknownRun, map_errors
from ragflow.evaluated_settings import described
from ragflow.evaluation_rights import default_metrics, forbidden, readers_of
from ragflow.evaluation_views import view
from ragflow.identity import Asker
from ragflow.library import Library
from ragflow.records import blank, new_id, timestamp
from ragflow.remembering import Remembering
from ragflow.runs import RunStore

if TYPE_CHECKING:
    from evals.proposals import Page
    from indexes import report as reporting
    from ragflow.generation_trials import Trial
    from ragflow.route_evaluation import RouteEvaluation

FOLDER = "evals"

Progress = Callable[[str, int, int], None]
"""(system, cases done, cases in all): first with those that an earlier process did, then after each."""

Opener = Callable[[Callable[[], Embedder], str | None], EmbeddedIndex]
"""(embedder, generation; None: the live one) -> the index, opened; whoever opened it closes it."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to evaluate. Empty ``systems`` or ``metrics``: those that suit the data set.

    ``split``: which judgements of a BEIR folder. ``fold`` 0 or 1, ``limit`` and ``seed`` choose cases, None
    takes all. ``readers``: whose rights count where a case names none; None: the actor's own. ``resume``:
    go on with the newest run that was left unfinished and does just the same. ``trec``: a folder that
    gets the whole rankings, a file for each system; such a run is always a fresh one, since a stored one
    knows the heads of its rankings alone.
    """

    systems: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    split: str = "test"
    fold: int | None = None
    limit: int | None = None
    seed: int | None = None
    readers: tuple[str, ...] | None = None
    resume: bool = True
    trec: Path | None = None


class Evaluation:
    """Evaluates one workspace. Only ``RagflowError`` and its children leave its methods.

    Readers that a case names and that are not the asker's own need the right to stand in for others.
    """

    def __init__(
        self,
        config: Config,
        *,
        index: Opener,
        store: Callable[[], Store],
        library: Callable[[], Library],
        embedder: Callable[[], Embedder],
        runs: RunStore,
    ) -> None:
        self._config = config
        self._open = index
        self._store = store
        self._library = library
        self._embedder = embedder
        self._records = runs
        self._stored = Runs(config.workspace / FOLDER)

    # -- evaluating ------------------------------------------------------------------------------

    @map_errors()
    def run(
        self,
        dataset: Path,
        options: RunOptions,
        progress: Progress = lambda *_: None,
        *,
        note: Callable[[str], None] = lambda _: None,
    ) -> EvalRun:
        """Evaluate, store, record. A case whose system raises counts as failed; the rest goes on.

        ``note`` is told, before the first case, what a person should know of the data set.

        Raises ``RagflowError``: DatasetInvalid, UnknownMetric, UnknownSystem, NotAllowed, NoGeneration and
        what opening the index may raise, all before the first case is asked.
        """
        data = load(dataset, split=options.split)
        for one in data.notes:
            note(one)
        data = sample(data, fold=options.fold, limit=options.limit, seed=options.seed)
        asker = identity.asking(self._config, as_=options.readers or ())
        refused = forbidden(self._config, data.cases, asker)
        encoders = CrossEncoders(self._config)
        wanted = options.metrics or default_metrics(data.kind)
        metrics = parse(wanted, entailment=encoders.entailment)
        questions = Remembering(self._embedder)
        # One generation for the whole run, whatever is promoted meanwhile.
        generation = Generations(self._config.workspace).live()
        with closing(self._open(lambda: questions, generation)) as index:
            kit = replace(self._kit(index, questions, asker, beir=data.kind == "beir"), encoders=encoders)
            names = options.systems or systems.configured(self._config)
            made = {name: systems.make(name, kit) for name in names}
            allowed = [case for case in data.cases if case.id not in refused]
            gone = gold.gone(allowed, kit) if not kit.beir else {}
            excluded = refused | unreviewed(data.cases) | gone
            setup = self._setup(data, options, asker, index.view().manifest.id)
            setup = replace(
                setup,
                systems=tuple(made),
                metrics=tuple(metric.name for metric in metrics),
                config=described(self._config, made, encoders),
                excluded=excluded,
            )
            work = _Work(setup, data.cases, made, metrics)
            return self._measured(work, options, progress)

    def _measured(self, work: "_Work", options: RunOptions, progress: Progress) -> EvalRun:
        """Ask what is not answered yet, storing each row; whatever stops this leaves the rows there."""
        found = self._begun(work, fresh=not options.resume or options.trec is not None)
        run, known = found.setup.run, list(found.rows)
        rankings: dict[str, dict[str, Sequence[Ranked]]] = {name: {} for name in work.systems}
        try:
            for name, system in work.systems.items():
                done = {row.case for row in known if row.system == name}
                progress(name, len(done), len(work.asked))
                kept = _keeping(system, rankings[name]) if options.trec else system
                answers = systems.answers(name, beir=work.setup.kind == "beir")
                for row in rows(work.asked, kept, name, work.metrics, done=done, answers=answers):
                    self._stored.append(run, row)
                    known.append(row)
                    done.add(row.case)
                    progress(name, len(done), len(work.asked))
            if options.trec:
                _write_rankings(options.trec, rankings)
            ended = EvalRun(replace(found.setup, status="done"), found.cases, tuple(known))
            self._record(ended)
            self._stored.finish(run)
        finally:
            self._stored.release(run)
        return ended

    def _begun(self, work: "_Work", *, fresh: bool) -> EvalRun:
        """Hold a run: the newest that was left doing just this, else a new one."""
        left = None if fresh else self._stored.resumable(work.setup)
        if left is not None:
            with suppress(RunDamaged):  # it stays as it is, for `eval show` to tell
                if (found := self._stored.resume(left)) is not None:
                    return found
        self._config.workspace.mkdir(mode=0o700, exist_ok=True)
        self._stored.start(work.setup, work.cases)
        return EvalRun(work.setup, work.cases, ())

    def _record(self, run: EvalRun) -> None:
        """Put the run into the chain of run records, bound to its stored results by their digest."""
        setup = run.setup
        if self._records.get(setup.run) is not None:
            return  # killed between its record and its end
        failed = {name: sum(row.error is not None for row in run.of(name).values()) for name in setup.systems}
        about = blank(
            "eval",
            actor=setup.actor,
            created=setup.created,
            generation=setup.generation,
            config_digest=setup.config_digest,
            version=setup.version,
        )
        told = {
            "dataset": setup.dataset,
            "digest": setup.digest,
            "systems": list(setup.systems),
            "metrics": list(setup.metrics),
        }
        output = {
            "schema": "ragflow.evaluated/1",
            "questions": setup.questions,
            "excluded": len(setup.excluded),
            "failed": failed,
            "results": self._stored.digest(setup.run),
        }
        self._records.add(replace(about, run=setup.run, input=told, output=output))

    # -- looking up ------------------------------------------------------------------------------

    @map_errors()
    def load(self, name: str) -> EvalRun:
        """Give a stored run; ``last`` is the newest. An auditor sees those of others too.

        What the actor may not read now is not in it.

        Raises ``UnknownRun``, or ``StoreDamaged`` where its files are not what was written.
        """
        if name == "last":
            seen = self.runs()
            if not seen:
                raise UnknownRun("nothing has been evaluated yet", hint="ragflow eval run DATASET")
            name = seen[0].run
        found = self._stored.load(name)
        asker = identity.asking(self._config)
        if not _may_see(found.setup, asker):
            raise UnknownRun(f"there is no evaluation run {name}", hint="ragflow eval list")
        try:
            library = self._library()
        except NoGeneration:  # no store at all: who may read what is not known any more
            library = None
        return view(found, asker, library, tuple(self._config.sources))

    @map_errors()
    def runs(self) -> list[Setup]:
        """Give what was evaluated, newest first."""
        asker = identity.resolve(self._config.identity, identity.login())
        return [setup for setup in self._stored.list() if _may_see(setup, asker)]

    @map_errors()
    def routes(
        self,
        dataset: Path,
        *,
        limit: int | None = None,
        readers: tuple[str, ...] = (),
        progress: Callable[[int, int], None] = lambda *_: None,
        note: Callable[[str], None] = lambda _: None,
    ) -> "RouteEvaluation":
        """Measure the router alone; nothing is answered or stored. Raises as ``run``."""
        from ragflow import parts, route_evaluation
        from ragflow.routing.scores import REACH

        data = sample(load(dataset), fold=None, limit=limit, seed=0)
        for one in data.notes:
            note(one)
        asker = identity.asking(self._config, as_=readers)
        refused = forbidden(self._config, data.cases, asker)
        if refused:
            note(f"{len(refused):,} questions are left out: {next(iter(refused.values()))}")
        questions = Remembering(self._embedder)
        with closing(self._open(lambda: questions, None)) as index:
            kit = self._kit(index, questions, asker, beir=False)
            systems.check_model(kit)  # else each question would fail with it
            router = parts.Workshop(self._config, index, questions.embed).parts().router
            send = route_evaluation.sender(kit, router, seconds=self._config.answer.timeout)
            asked = [case for case in data.cases if case.id not in refused]
            return route_evaluation.evaluate(asked, send, reach=REACH, progress=progress)

    @map_errors()
    def generations(
        self,
        trial: "Trial",
        *,
        readers: tuple[str, ...] = (),
        progress: "Callable[[reporting.Progress], None]" = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
    ) -> tuple[EvalRun, EvalRun]:
        """Ask two generations the same questions; nothing is stored. Raises as ``generation_trials``."""
        from ragflow import generation_trials

        asker = identity.asking(self._config, as_=readers)
        where = generation_trials.Where(self._config, self._store(), self._embedder, asker)
        return generation_trials.measured(trial, where, progress, note)

    def pages(self, readers: Sequence[str]) -> "Iterator[Page]":
        """Give the documents that these readers may read, by name, to propose questions from."""
        with map_errors(), closing(self._open(self._embedder, None)) as index:
            yield from gold.pages(index, self._store(), frozenset(identity.readers(readers)))

    @map_errors()
    def forget(self, document: str) -> tuple[str, ...]:
        """Erase the document's wording from what was stored; return the runs that may show it still."""
        return self._stored.erase(document)

    def _kit(self, index: EmbeddedIndex, questions: Remembering, asker: Asker, *, beir: bool) -> systems.Kit:
        readers = partial(readers_of, asker=asker)
        return systems.Kit(self._config, index, questions, actor=asker.actor, readers=readers, beir=beir)

    def _setup(self, data: Dataset, options: RunOptions, asker: Asker, generation: str) -> Setup:
        return Setup(
            run=new_id("r"),
            created=timestamp(),
            dataset=data.path,
            kind=data.kind,
            digest=data.digest,
            questions=len(data.cases),
            fold=options.fold,
            limit=options.limit,
            seed=options.seed,
            systems=(),
            metrics=(),
            config={},
            config_digest=self._config.digest,
            generation=generation,
            version=version("ragflow"),
            actor=asker.principals,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """What one run does."""

    setup: Setup
    cases: tuple[Case, ...]
    systems: Mapping[str, System]
    metrics: tuple[Metric, ...]

    @property
    def asked(self) -> list[Case]:
        """The cases that are not excluded."""
        return [case for case in self.cases if case.id not in self.setup.excluded]


def _may_see(setup: Setup, asker: Asker) -> bool:
    return asker.auditor or setup.actor[:1] == (asker.actor,)


def _keeping(system: System, rankings: dict[str, Sequence[Ranked]]) -> System:
    """Return the system, its whole rankings kept by case."""

    def kept(case: Case) -> Response:
        response = system(case)
        rankings[case.id] = response.ranking
        return response

    return kept


def _write_rankings(folder: Path, rankings: Mapping[str, Mapping[str, Sequence[Ranked]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in rankings.items():
        tag = name.replace(":", "_")
        trec.write(folder / f"{tag}.trec", found, tag)
