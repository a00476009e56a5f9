"""What a gate measures: one generation, live or not, asked the questions of one data set.

Nothing is stored: the figures stand in the manifest of the generation that the gate was asked about.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import isfinite
from typing import Any

import sqlalchemy as sa

from evals.cases import Case, Dataset, Response, System
from evals.figures import figures
from evals.measures import Metric
from evals.results import EvalRun, Setup
from evals.running import rows
from indexes import schema
from indexes.embedding import Embedder
from indexes.errors import ModelMissing
from indexes.generations import Manifest
from indexes.index import EmbeddedIndex
from indexes.report import Progress
from indexes.store import Store, batches
from ragflow import identity, parts, systems
from ragflow.config import Config
from ragflow.cross_encoders import CrossEncoders
from ragflow.identity import Asker
from ragflow.records import timestamp
from ragflow.remembering import Remembering
from ragflow.sections import Embed
from ragflow.source_sections import BeirSource

SYSTEM = "hybrid"
"""What a gate calls what it measures: search as people get it, with the reranker where one is configured."""

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Bench:
    """Where generations are measured: with today's settings and under today's access, by one asker."""

    config: Config
    store: Store
    asker: Asker
    progress: Callable[[Progress], None]
    encoders: CrossEncoders

    def measure(
        self,
        data: Dataset,
        metrics: Sequence[Metric],
        excluded: Mapping[str, str],
        generation: Manifest,
        questions: Remembering,
        *,
        name: str,
    ) -> EvalRun:
        """Ask one generation all cases that are not ``excluded``. ``name`` is what progress calls it."""
        cases = [case for case in data.cases if case.id not in excluded]
        opened = parts.index(self.config, self.store, lambda: questions, generation.id)
        with closing(opened) as index:
            system = self._system(data, metrics, index, questions)
            found = []
            self.progress(Progress(name, None, 0, len(cases)))
            for done, row in enumerate(rows(cases, system, SYSTEM, metrics), start=1):
                found.append(row)
                self.progress(Progress(name, None, done, len(cases)))
        return EvalRun(self._setup(data, metrics, excluded, generation), data.cases, tuple(found))

    def _system(
        self,
        data: Dataset,
        metrics: Sequence[Metric],
        index: EmbeddedIndex,
        questions: Remembering,
    ) -> System:
        beir = data.kind == "beir"
        kit = systems.Kit(
            self.config,
            index,
            questions,
            self.asker.actor,
            self.readers_of,
            beir=beir,
            encoders=self.encoders,
        )
        if beir or any(one.kind != "retrieval" for one in metrics):
            return systems.make(systems.shipped(self.config), kit)
        searched = self.encoders.reranked(index) or index

        # The same ranking as under an answer, where no answer is measured.
        def retrieve(case: Case) -> Response:
            return Response(
                ranking=kit.ranked(searched.places(kit.query(case, "hybrid", systems.DEPTH), texts=0))
            )

        return retrieve

    def readers_of(self, case: Case) -> frozenset[str]:
        """Return whose rights count for a case: its own readers', else the asker's."""
        return frozenset(self.asker.readers if case.readers is None else identity.readers(case.readers))

    def embedder_of(self, generation: Manifest, configured: Embedder) -> Embedder | None:
        """Open the model that a generation was built by; None where it is not to be had any more."""
        if configured.key == generation.embedder:
            return configured
        if "embed" not in generation.settings:
            return None
        embed = Embed.model_validate(generation.settings["embed"])
        try:
            found = parts.embedder(replace(self.config, embed=embed))
        except ModelMissing:
            return None
        return found if found.key == generation.embedder else None

    def _setup(
        self, data: Dataset, metrics: Sequence[Metric], excluded: Mapping[str, str], generation: Manifest
    ) -> Setup:
        return Setup(
            run=generation.id,
            created=timestamp(),
            dataset=data.path,
            kind=data.kind,
            digest=data.digest,
            questions=len(data.cases),
            fold=None,
            limit=None,
            seed=None,
            systems=(SYSTEM,),
            metrics=tuple(metric.name for metric in metrics),
            config={},
            config_digest=self.config.digest,
            generation=generation.id,
            version=version("ragflow"),
            actor=self.asker.principals,
            excluded=excluded,
            status="done",
        )


def departed(store: Store, config: Config, data: Dataset) -> dict[str, str]:
    """Return the cases none of whose gold documents is in a source any more, each with the reason.

    A document that is still there and cannot be read any more has not left: a question for it counts.
    """
    wanted = {case.id: _gold(case, config, data) for case in data.cases}
    there = _living(store, sorted({name for names in wanted.values() for group in names for name in group}))
    return {
        case: f"its gold has left the sources: {', '.join(group[0] for group in names[:_SHOWN])}"
        for case, names in wanted.items()
        if names and not any(there.intersection(group) for group in names)
    }


def _gold(case: Case, config: Config, data: Dataset) -> list[tuple[str, ...]]:
    """Return the gold documents of a case, each under the names that it may have in the store."""
    found = dict.fromkeys(name for name, grade in (case.judgements or {}).items() if grade > 0)
    found |= dict.fromkeys(one.document for one in case.quotes or ())
    if data.kind != "beir":
        return [(name,) for name in found]
    sources = [name for name, one in config.sources.items() if isinstance(one, BeirSource)]
    return [tuple(f"{source}/{item}" for source in sources or config.sources) for item in found]


def _living(store: Store, names: Sequence[str]) -> set[str]:
    d = schema.documents.c
    found: set[str] = set()
    with store.read() as connection:
        for batch in batches(names):
            found.update(connection.scalars(sa.select(d.name).where(~d.dead, d.name.in_(batch))))
    return found


def summary(run: EvalRun) -> dict[str, Any]:
    """Return a run's figures as a plain object; what is not defined is None."""
    return {
        "generation": run.setup.generation,
        "metrics": {
            name: {
                "mean": _number(one.value),
                "low": _number(one.low),
                "high": _number(one.high),
                "n": one.n,
                "failed": one.failed,
                "nan": one.nan,
            }
            for name, one in figures(run, SYSTEM).items()
        },
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
