"""The one wiring file: configuration in, the floors put together, the Python face out."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from indexes.embedding import Embedder, opened_late
from indexes.errors import NoGeneration
from indexes.generations import Generations
from indexes.index import EmbeddedIndex
from indexes.locks import writer_lock
from indexes.query import Hit, Query, System
from indexes.recalling import Recalling
from indexes.store import Store
from ragflow import identity, parts, upkeep
from ragflow.answering import Answering, AskOptions
from ragflow.answers import Answer
from ragflow.config import Config, find, load
from ragflow.cross_encoders import CrossEncoders
from ragflow.errors import check_question, map_errors
from ragflow.history import History, begun
from ragflow.identity import Asker
from ragflow.library import DocumentRow, Library
from ragflow.proving import Archive, prove
from ragflow.records import Run, timestamp
from ragflow.reports import SearchReport
from ragflow.runs import RunStore
from ragflow.verify import Proof

if TYPE_CHECKING:
    from indexes.reembedding import Reembedding
    from indexes.report import Progress, SyncPlan, Watch
    from ragflow.doctor import Check
    from ragflow.evaluation import Evaluation
    from ragflow.failing import Failing
    from ragflow.indexing import Wanted
    from ragflow.orchestration import Orchestration
    from ragflow.replaying.replaying import Replaying
    from ragflow.reports import EstimateReport, IndexReport
    from ragflow.routing.explaining import RouteReport
    from ragflow.watching.tallies import By

__all__ = ["App", "open"]


def open(folder: str | Path = ".", *, overrides: Sequence[str] = ()) -> "App":  # noqa: A001  the pinned name
    """Open the workspace of ``folder`` or the nearest parent that has a ``ragflow.yaml``.

    ``overrides`` are ``KEY=VALUE`` as after ``--set``. Raises ``RagflowError`` (ConfigError).
    """
    with map_errors():
        return App(load(find(Path(folder)), overrides=overrides))


class App:
    """A workspace, open. Only ``RagflowError`` and its children leave its methods. One thread at a time."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.workspace = config.workspace
        self._store_path = self.workspace / "store.sqlite"
        self._generations = Generations(self.workspace)
        self._runs = RunStore(self.workspace / "runs.sqlite")
        self._opened_store: Store | None = None
        self._opened_index: EmbeddedIndex | None = None
        self._opened_answering: Answering | None = None
        self._opened_embedder: Embedder | None = None
        self._encoders = CrossEncoders(config)
        self._account = parts.account(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the generation back and close the store."""
        if self._opened_index is not None:
            self._opened_index.close()
            self._opened_index = self._opened_answering = None
        if self._opened_store is not None:
            self._opened_store.close()
            self._opened_store = None

    # -- who asks --------------------------------------------------------------------------------

    @map_errors()
    def asker(self, as_: Sequence[str] = ()) -> Asker:
        """Give who asks: the operating system's user, standing in for ``as_`` where it may."""
        return identity.asking(self.config, as_=as_)

    def _actor(self) -> Asker:
        """Who acts, without the groups of the table: for what no reader is asked for."""
        return identity.resolve(self.config.identity, identity.login())

    def _standing_for(self, readers: Sequence[str]) -> Asker:
        own, given = self._actor(), identity.readers(readers)
        return replace(own, readers=given, acting=not set(own.readers) <= set(given), auditor=False)

    # -- the three walks -------------------------------------------------------------------------

    @map_errors()
    def index(  # noqa: PLR0913 - each is a flag of the command
        self,
        sources: Sequence[str] | None = None,
        *,
        dry_run: bool = False,
        full: bool = False,
        allow_deletes: bool = False,
        gate: bool = False,
        hold: bool = False,
        wait: float = 0.0,
        progress: "Callable[[Progress], None]" = lambda _: None,
        planned: "Callable[[SyncPlan], None]" = lambda _: None,
        foreseen: "Callable[[Reembedding], None]" = lambda _: None,
    ) -> "IndexReport":
        """Bring the index up to date with its sources (all, or the named ones), or say what that would do.

        ``planned`` is told what is to be done before any of it is, ``foreseen`` what is to be embedded anew.

        Raises ``RagflowError``: LockHeld, WeightsMissing, DiskFull, NoRight. A failed source does not
        raise: the report names it and its ``exit_code`` is 4. With ``gate`` a new generation is live only
        when the rules of ``gates`` agree, else held, exit code 8 or 9; with ``hold`` it is held in any case.
        """
        # What only indexing needs is imported there: a cold `ask` is over before it would be loaded.
        from indexes.report import Watch
        from ragflow.indexing import Wanted

        judge = upkeep.gating(self.config, self.asker(), self._embedder, progress) if gate else None
        wanted = Wanted(self.config.choose(sources), dry_run, full, allow_deletes, judge, hold=hold)
        return self._indexed(wanted, wait, Watch(progress, planned, foreseen))

    def _indexed(self, wanted: "Wanted", wait: float, watch: "Watch") -> "IndexReport":
        from ragflow.indexing import Work, run

        noted = (self._runs, self._new_run, self._account)
        work = Work(self.config, self._generations, self._embedder, *noted)
        return run(work, wanted, lambda: self._writing(wait=wait), watch)

    @map_errors()
    def find(
        self,
        question: str,
        *,
        readers: Sequence[str],
        sources: Sequence[str] | None = None,
        k: int | None = None,
        system: System = "hybrid",
    ) -> SearchReport:
        """Search what these readers may read. A search without hits is no error."""
        began = time.perf_counter()
        text = check_question(question)
        self._account.begin(self.config.answer.timeout)
        asker = identity.readers(readers)
        where = self._sources(sources, asker)
        query = Query(text, frozenset(asker), where, k or self.config.search.k, system)
        found = self._encoders.searched(self._index(), system).search(query)
        spent = {"total": round((time.perf_counter() - began) * 1000, 1)}
        return SearchReport(text, asker, system, found, spent)

    def search(self, question: str, *, readers: Sequence[str], k: int | None = None) -> tuple[Hit, ...]:
        """Give the hits of ``find``."""
        return self.find(question, readers=readers, k=k).hits

    def ask(
        self,
        question: str,
        *,
        readers: Sequence[str],
        sources: Sequence[str] | None = None,
        thread: str | None = None,
        tier: str | None = None,
    ) -> Answer:
        """Answer from what these readers may read, or say that it cannot be answered.

        ``thread``: the run that it follows. ``tier``: of the models; None leaves it to the route.
        """
        options = AskOptions(sources=sources, thread=thread, tier=tier)
        with map_errors():
            return self.answer(question, asker=self._standing_for(readers), options=options)

    @map_errors()
    def answer(self, question: str, *, asker: Asker, options: AskOptions = AskOptions()) -> Answer:  # noqa: B008
        """Answer for an asker and record the run; ``run`` is None where it could not be recorded."""
        return self.answering().answer(*self._asked(question, asker, options), asker, options)

    @map_errors()
    def route(
        self,
        question: str,
        *,
        readers: Sequence[str],
        sources: Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> "RouteReport":
        """Say where a question of these readers would go, and why. Nothing is recorded."""
        asker, options = self._standing_for(readers), AskOptions(sources=sources, metadata=metadata or {})
        return self.answering().route(*self._asked(question, asker, options), asker, options)

    @map_errors()
    def estimate(self, question: str, *, asker: Asker, options: AskOptions) -> "EstimateReport":
        """Say what an answer by models would cost at most; none of them is asked."""
        return self.answering().estimate(*self._asked(question, asker, options), asker, options)

    @map_errors()
    def verify(self, run: str | Mapping[str, Any], *, readers: Sequence[str]) -> Proof:
        """Prove the citations of a recorded run, or of an answer's object, again.

        Raises ``NotFound`` for a run that is not there, not the actor's, or that cites what the readers
        may not read now.
        """
        who = frozenset(identity.readers(readers))
        archive = Archive(self._library(), self._runs, self._history)
        return prove(run, archive, who, self._standing_for(readers))

    # -- looking up ------------------------------------------------------------------------------

    @map_errors()
    def documents(self, *, readers: Sequence[str], sources: Sequence[str] | None = None) -> list[DocumentRow]:
        """Give the documents that these readers may read."""
        who = identity.readers(readers)
        return self._library().documents(frozenset(who), self._sources(sources, who))

    @map_errors()
    def show(self, document: str, *, readers: Sequence[str]) -> dict[str, Any]:
        """Give what is known of a document. Raises ``NotFound``."""
        return self._library().show(document, frozenset(identity.readers(readers)))

    @map_errors()
    def text(self, document: str, *, readers: Sequence[str]) -> str:
        """Give the canonical text of a document or of one revision of it. Raises ``NotFound``."""
        return self._library().text(document, frozenset(identity.readers(readers)))

    @map_errors()
    def runs(self, limit: int, asker: Asker) -> list[dict[str, Any]]:
        """Give the newest runs of the asker; of all for an auditor. What may not be read now is left out."""
        return [one.to_json() for one in self._history.newest(limit, asker)]

    @map_errors()
    def run(self, run: str, asker: Asker) -> dict[str, Any]:
        """Give one run record; ``last`` is the asker's newest. Raises ``NotFound``."""
        return self._history.get(run, asker).to_json()

    @map_errors()
    def stats(self, asker: Asker, *, since: str | None = None, by: "By | None" = None) -> dict[str, Any]:
        """Give what came of the runs that the asker may see: ``ragflow.stats/1``."""
        from ragflow.watching.stats import stats

        return stats(self.config, self._history, asker, since=since, by=by)

    @map_errors()
    def health(self, *, fix: bool) -> "list[Check]":
        """Check the store, the live generation and orphans; ``fix`` removes what killed runs left."""
        from ragflow.health import examine

        return examine(self.workspace, fix=fix)

    def failing(self) -> "Failing":
        """Give what lists what could not be read, and reads it again."""
        from ragflow.failing import Failing

        return Failing(self.config, store=self._store, index=self._index, run=self._indexed)

    def orchestration(self) -> "Orchestration":
        """Give what runs workflows. Close it, or use it in a ``with``."""
        from ragflow.orchestration import Orchestration

        return Orchestration(self, self._runs, self._history)

    def replaying(self) -> "Replaying":
        """Give what verifies, replays and exports recorded runs."""
        from ragflow.replaying.real import Real
        from ragflow.replaying.replaying import Replaying

        real = Real(self.config, self._account, self._open_index, self._embedder)
        return Replaying(self.config, self._runs, self._history, self._library, real)

    def evaluation(self) -> "Evaluation":
        """Give what evaluates this workspace."""
        from ragflow.evaluation import Evaluation

        self._account.begin()
        index, store, look = self._open_index, self._store, self._library
        embedder, runs = self._embedder, self._runs
        return Evaluation(self.config, index=index, store=store, library=look, embedder=embedder, runs=runs)

    # -- generations and erasing -----------------------------------------------------------------

    @map_errors()
    def generations(self, *, readers: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Give the kept generations, newest first, sized as the readers may know; None: as they are."""
        if not self.workspace.exists():
            return []
        who = None if readers is None else frozenset(identity.readers(readers))
        return upkeep.listed(self._generations, self._store, who)

    @map_errors()
    def promote(self, generation: str) -> dict[str, Any]:
        """Make a kept generation live. Access stays as it is now; what was deleted stays deleted."""
        with self._writing() as store:
            return upkeep.promote(self.config, self._generations, store, generation)

    @map_errors()
    def rollback(self) -> dict[str, Any]:
        """Make the generation before the live one live again."""
        with self._writing() as store:
            return upkeep.rollback(self.config, self._generations, store)

    @map_errors()
    def push(self, generation: str | None, progress: "Callable[[Progress], None]") -> dict[str, Any]:
        """Bring a kept generation (None: the live one) to the server of ``index.url``."""
        with self._writing() as store:
            return upkeep.push(self.config, self._generations, store, generation, progress)

    @map_errors()
    def compared(self, a: str | None, b: str | None, asker: Asker) -> dict[str, Any]:
        """Give what differs between two kept generations, of what the asker may read in each."""
        return upkeep.diff(self._store(), self._generations, (a, b), asker)

    @map_errors()
    def forget(self, document: str) -> dict[str, Any]:
        """Erase a document from store, index and records; digests stay. Raises ``NotFound``."""
        from ragflow import forgetting

        created = timestamp()
        with self._writing() as store:
            library = Library(store, self._index)
            work = forgetting.Work(self.config, store, self._generations, self._runs, self.evaluation())
            forgetting.there(library, document)
            if self._opened_index is not None:
                self._opened_index.close()  # or this process would hold what it erases
            return forgetting.run(work, document, lambda live: self._new_run("forget", created, live))

    # -- wiring ----------------------------------------------------------------------------------

    @contextmanager
    def _writing(self, *, wait: float = 0.0) -> Iterator[Store]:
        """Hold the workspace's one write lock and its store, both made when absent."""
        self.workspace.mkdir(mode=0o700, exist_ok=True)
        self._generations.prepare()
        with (
            writer_lock(self.workspace / "lock", wait=wait),
            Store.open(self._store_path, write=True) as store,
        ):
            yield store

    def _store(self) -> Store:
        if self._opened_store is None:
            if not self._store_path.exists():
                raise NoGeneration("nothing has been indexed yet", hint="ragflow index")
            self._opened_store = Store.open(self._store_path)
        return self._opened_store

    def answering(self) -> Answering:
        """Give what answers questions from the live generation."""
        if self._opened_answering is None:
            work = parts.Workshop(self.config, self._index(), opened_late(self._embedder), self._encoders)
            self._opened_answering = Answering(self.config, work, self._runs, self._history, self._account)
        return self._opened_answering

    def _index(self) -> EmbeddedIndex:
        if self._opened_index is None:
            self._opened_index = self._open_index(self._embedder)
        return self._opened_index

    def _open_index(self, embedder: Callable[[], Embedder], generation: str | None = None) -> EmbeddedIndex:
        return parts.index(self.config, self._store(), embedder, generation)

    def _library(self) -> Library:
        return Library(self._store(), self._index)

    def _embedder(self) -> Embedder:
        if self._opened_embedder is None:
            self._opened_embedder = Recalling(parts.embedder(self.config, spending=self._account))
        return self._opened_embedder

    def _asked(self, question: str, asker: Asker, options: AskOptions) -> tuple[str, tuple[str, ...]]:
        return check_question(question), self._sources(options.sources, asker.readers)

    def _sources(self, sources: Sequence[str] | None, readers: Sequence[str]) -> tuple[str, ...]:
        """Give the sources to search, of those in which the readers can read anything.

        One that is hidden from them is unknown to them; one that is not configured any more is not searched.
        """
        if not sources:
            return tuple(self.config.sources)  # the index shows none of them that is not readable
        readable = self._index().readable(frozenset(readers)).sources
        return self.config.choose(sources, readable=readable)

    @property
    def _history(self) -> History:
        return History(self._runs, self._library, partial(parts.live_runs, self.config, self._runs.path))

    def _new_run(self, kind: str, created: str, generation: str | None) -> Run:
        return begun(self.config, kind, asker=self._actor(), created=created, generation=generation)
