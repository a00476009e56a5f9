"""The laws of an ``Index`` as tests, for whoever implements one; and small real parts to build one with.

Subclass ``IndexContract``, give ``build`` and ``drop``, and let pytest collect it.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from connectors.documents import Parsed
from connectors.items import Item, Raw
from connectors.parsing import parse
from indexes.build import Chunking
from indexes.embedding import Embedder
from indexes.generations import Generations
from indexes.index import EmbeddedIndex
from indexes.nominating import Nominator
from indexes.plan import Brake, ParseKeys, SourceSpec
from indexes.query import Found, Index, Query, Ranking
from indexes.report import SyncOptions, SyncReport, Watch
from indexes.store import Store
from indexes.sync import Sync

EVERYONE = ("everyone",)


@dataclass(frozen=True, slots=True)
class Planted:
    """A plain text document to index: ``<source>/<item>``, its text, and who may read it."""

    name: str
    text: str
    readers: tuple[str, ...] = EVERYONE


class MemorySource:
    """A connector over planted documents of one source."""

    def __init__(self, planted: Iterable[Planted]) -> None:
        self._planted = {one.name.partition("/")[2]: one for one in planted}

    def list(self) -> Iterator[Item]:
        """Give every planted document."""
        for item, one in self._planted.items():
            yield Item(item, hashlib.sha256(one.text.encode()).hexdigest(), one.readers, len(one.text))

    def fetch(self, item: Item) -> Raw:
        """Give its text as bytes."""
        return Raw(item.id, self._planted[item.id].text.encode(), f"{item.id}.txt", "text/plain")


class InlinePool:
    """Parses in this process: for tests of small texts, where a worker's limits are not the point."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def parse_all(self, raws: Iterable[Raw]) -> Iterator[tuple[str, Parsed]]:
        """Yield what each item gives."""
        for raw in raws:
            yield raw.item, parse(raw)


class World:
    """A workspace in a folder whose sources are planted documents: synced and searched for real."""

    def __init__(self, folder: Path, embedder: Embedder, *, chunking: Chunking | None = None) -> None:
        self.folder = folder
        self.embedder = embedder
        self.chunking = chunking or Chunking()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.store = Store.open(folder / "store.sqlite", write=True)
        self.generations = Generations(folder)
        self._opened: list[EmbeddedIndex] = []

    def sync(
        self,
        planted: Iterable[Planted],
        *,
        options: SyncOptions | None = None,
        ceilings: Mapping[str, Collection[str]] | None = None,
    ) -> SyncReport:
        """Make the sources hold exactly these documents, and sync. ``ceilings`` default to all readers."""
        by_source: dict[str, list[Planted]] = {name: [] for name in ceilings or {}}
        for one in planted:
            by_source.setdefault(one.name.partition("/")[0], []).append(one)
        specs = [
            SourceSpec(name, "memory", MemorySource(some), self._ceiling(name, some, ceilings))
            for name, some in by_source.items()
        ]
        return self.run(specs, options=options)

    def run(
        self,
        specs: Sequence[SourceSpec],
        *,
        options: SyncOptions | None = None,
        configured: Collection[str] | None = None,
        watch: Watch = Watch(),  # noqa: B008 - a frozen value
    ) -> SyncReport:
        """Sync these sources. ``configured``: all that there are; without it, no others are."""
        chosen = options or self.options()
        sync = Sync(self.store, self.generations, lambda: self.embedder, InlinePool, chosen, watch)
        return sync.run(specs, configured=configured or [spec.name for spec in specs])

    def options(self) -> SyncOptions:
        """Give plain options: no brake."""
        return SyncOptions("r-test", ParseKeys("1", "1"), self.chunking, brake=Brake(1.0, 10**9))

    def index(
        self, ranking: Ranking | None = None, *, nominator: Callable[[Store], Nominator] | None = None
    ) -> EmbeddedIndex:
        """Open the live generation, as another process would."""
        store = Store.open(self.folder / "store.sqlite")
        opened = EmbeddedIndex(
            self.folder,
            store,
            lambda: self.embedder,
            ranking or Ranking(),
            nominator=nominator(store) if nominator else None,
        )
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """Close everything that was opened."""
        for one in self._opened:
            one.close()
        self.store.close()

    @staticmethod
    def _ceiling(
        name: str, planted: Sequence[Planted], ceilings: Mapping[str, Collection[str]] | None
    ) -> frozenset[str]:
        if ceilings is not None and name in ceilings:
            return frozenset(ceilings[name])
        return frozenset(reader for one in planted for reader in one.readers)


def shown(found: Found) -> Found:
    """Give all of what a search gave but the generation's name: what two equal indexes agree on."""
    return replace(found, generation="")


class IndexContract(ABC):
    """The laws of ``indexes.query.Index``. Documents are plain texts of one or two sentences."""

    DOCUMENTS = (
        Planted(
            "a/leave", "Employees get 28 days of annual leave. Unused days lapse in March.", ("everyone",)
        ),
        Planted(
            "a/travel", "Book trains before planes. Hotels above 140 euro need an approval.", ("everyone",)
        ),
        Planted("b/salary", "The salary band of a senior engineer starts at 74,000 euro.", ("group:hr",)),
        Planted("b/bonus", "The annual bonus is paid with the salary of April.", ("group:hr", "user:mia")),
        Planted("c/nobody", "The annual leave of the board is a secret of 99 days.", ()),
    )
    QUESTIONS = ("How many days of annual leave?", "salary of an engineer", "hotel approval", "zebra")

    @abstractmethod
    def build(self, documents: Sequence[Planted]) -> Index:
        """Give a new index that holds these documents."""

    @abstractmethod
    def drop(self, index: Index, name: str) -> None:
        """Delete a document from the index; an unknown one is no error."""

    def test_gives_at_most_k_hits_best_first(self) -> None:
        """``search`` gives at most ``k`` hits, best first, ties by chunk id."""
        index = self.build(self.DOCUMENTS)
        for text in self.QUESTIONS:
            for k in (1, 2, 10):
                hits = index.search(Query(text, frozenset({"everyone", "group:hr"}), k=k)).hits
                assert len(hits) <= k
                assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
                order = [(-hit.score, hit.chunk) for hit in hits]
                assert order == sorted(order)

    def test_finds_only_what_the_readers_may_read(self) -> None:
        """No hit is outside the readers' rights; nobody reads what has no readers."""
        index = self.build(self.DOCUMENTS)
        readers_of = {one.name: set(one.readers) for one in self.DOCUMENTS}
        for asker in (
            {"everyone"},
            {"group:hr"},
            {"user:mia"},
            {"everyone", "group:hr"},
            {"group:x"},
            set[str](),
        ):
            for text in self.QUESTIONS:
                for hit in index.search(Query(text, frozenset(asker))).hits:
                    assert readers_of[hit.document] & asker

    def test_hidden_documents_change_nothing(self) -> None:
        """What is hidden from the asker changes no hit, score or count."""
        whole, part = (
            self.build(self.DOCUMENTS),
            self.build([one for one in self.DOCUMENTS if "everyone" in one.readers]),
        )
        for text in self.QUESTIONS:
            query = Query(text, frozenset({"everyone"}))
            assert shown(whole.search(query)) == shown(part.search(query))

    def test_hits_are_exact_spans(self) -> None:
        """A hit's text is what its span of the document holds."""
        texts = {one.name: one.text for one in self.DOCUMENTS}
        for hit in self.build(self.DOCUMENTS).search(Query("annual leave", frozenset({"everyone"}))).hits:
            assert hit.text == texts[hit.document][hit.start : hit.end]

    def test_sources_narrow_a_search(self) -> None:
        """Only the named sources are searched, and counted."""
        index = self.build(self.DOCUMENTS)
        query = Query("annual leave", frozenset({"everyone", "group:hr"}))
        found = index.search(replace(query, sources=("b",)))
        assert {hit.document for hit in found.hits} == {"b/salary", "b/bonus"}
        assert found.sources == ("b",)

    def test_what_was_dropped_is_gone(self) -> None:
        """A dropped document is in no hit; dropping an unknown one is no error."""
        index = self.build(self.DOCUMENTS)
        self.drop(index, "a/leave")
        self.drop(index, "a/never-there")
        found = index.search(Query("How many days of annual leave?", frozenset({"everyone"})))
        assert "a/leave" not in {hit.document for hit in found.hits}
        assert "a/travel" in {hit.document for hit in found.hits}

    def test_writing_twice_is_writing_once(self) -> None:
        """The same documents given twice are there once."""
        once, twice = self.build(self.DOCUMENTS), self.build((*self.DOCUMENTS, *self.DOCUMENTS))
        query = Query("annual leave", frozenset({"everyone"}))
        assert shown(once.search(query)) == shown(twice.search(query))
