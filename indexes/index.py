"""The embedded index: a generation of a workspace, searched under the asker's mask."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.documents import Anchor
from connectors.lines import LINE, line_at, opened, within
from indexes.analysis import LANGUAGES, analyse, question_words
from indexes.embedding import Embedder, embed
from indexes.errors import NoGeneration
from indexes.generations import Generations
from indexes.languages import told
from indexes.lexical import Words, readable_idf, readable_idfs
from indexes.merging import Merging
from indexes.mismatch import changed, mismatch
from indexes.nominating import Nominator, Wish, among
from indexes.query import HIDDEN, Flag, Found, Hit, Query, Ranking, Scores
from indexes.ranking import Analysed, Candidate, rank
from indexes.recent import Recent
from indexes.segments import Slice
from indexes.store import Access, Store
from indexes.versions import Version
from indexes.view import Readable, View

_TEXTS = 64  # read from the store at once
_SPARE = 10  # candidates behind the first k that are named, to stand in for merged ones
_MASKS = 8
_VERSIONS = 50_000


@dataclass(frozen=True, slots=True)
class Place:
    """A chunk and where it stands; ``text`` is "" where it was not read. ``score`` as in ``Hit``."""

    chunk: str
    document: str
    revision: str
    start: int
    end: int
    title: str
    score: float
    text: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What ranking a query gave, before anything is read of what was found."""

    generation: str
    readable: Readable
    asked: "_Asked"
    candidates: list[Candidate]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's terms and their idf: see ``Analysed`` and ``Found``."""

    terms: list[str]
    words: Words
    idf: dict[str, float]
    language: str
    idfs: dict[str, dict[str, float]] = field(default_factory=dict)


class EmbeddedIndex:
    """Satisfies ``indexes.query.Index``. Not for several threads at once; open one for each.

    Each search looks whether another generation was promoted, or access changed, since the last one;
    so a process that stays open sees revocations and deletions at once. With ``generation`` it stays with
    that one, whatever is live; access and deletions hold there too. With ``nominator`` only the rows that it
    names are scored; what is readable, and every statistic, is of the generation even so. ``settings`` gives
    the configuration of today, as manifests have it, to say in what the model of a generation differs.
    """

    def __init__(  # noqa: PLR0913 - each is a part that a test or another wiring puts in its place
        self,
        workspace: Path,
        store: Store,
        embedder: Callable[[], Embedder],
        ranking: Ranking,
        *,
        generation: str | None = None,
        nominator: Nominator | None = None,
        settings: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._generations = Generations(workspace)
        self._store = store
        self._embedder = embedder
        self._ranking = ranking
        self._generation = generation
        self._nominator = nominator
        self._settings = settings
        self._view: View | None = None
        self._access: Access | None = None
        self._masks: OrderedDict[tuple[frozenset[str], tuple[str, ...] | None], Readable] = OrderedDict()
        self._versions: dict[int, Version] = {}
        self._texts: Recent[str] = Recent()
        self._layouts: Recent[tuple[Anchor, ...]] = Recent()
        self._flags: Recent[tuple[Flag, ...]] = Recent()

    def close(self) -> None:
        """Give the generation back."""
        if self._view is not None:
            self._view.close()
            self._view = None
        self._masks.clear()  # they hold the mapped files

    def search(self, query: Query) -> Found:
        """Find the chunks nearest to a question among those its readers may read.

        Raises ``NoGeneration``, ``ModelMismatch`` (dense or hybrid only) or ``StoreDamaged``.
        """
        most = self._deepest(query)
        depth = query.k if query.merge == "none" else min(query.k + _SPARE, most)
        while True:
            ranked = self._rank(replace(query, k=depth))
            merging = Merging(query.merge)
            # What stands behind is read only where something was merged.
            at, count = 0, min(query.k, len(ranked.candidates))
            while at < count:
                merging.add(self._hits(ranked, at, count), query.k)
                at, count = count, min(count + query.k - len(merging), len(ranked.candidates))
            if len(merging) >= query.k or len(ranked.candidates) < depth or depth >= most:
                break
            depth = min(4 * depth, most)
        readable, asked = ranked.readable, ranked.asked
        return Found(
            merging.hits(),
            ranked.generation,
            asked.idf,
            readable.rows,
            readable.sources,
            asked.language,
            asked.idfs,
        )

    def _deepest(self, query: Query) -> int:
        """Return how deep a ranking may be without other scores than those of the first ``k``."""
        legs = 2 if query.system == "hybrid" else 1
        return query.k if query.merge == "none" else max(query.k, legs * self._ranking.candidates)

    def places(self, query: Query, *, texts: int = 10) -> tuple[list[Place], list[str]]:
        """Give what ``search`` finds, in its order: the first ``texts`` with text, of the rest the documents.

        For rankings a thousand deep, whose end nobody reads. Raises as ``search``.
        """
        ranked = self._rank(query)
        slices = ranked.readable.slices
        first = [
            self._located(slices[one.slice], np.array([one.row]), [one.chunk], [one.score])[0]
            for one in ranked.candidates[:texts]
        ]
        self._texts.load([one.revision for one in first], self._store.texts)
        # A chunk's id is its document, "@" and the rest, which has none.
        rest = [one.chunk.rpartition("@")[0] for one in ranked.candidates[texts:]]
        return [self._read(one) for one in first], rest

    def chunks(self, readers: frozenset[str], sources: tuple[str, ...] | None = None) -> Iterator[Place]:
        """Give every chunk that these readers may read, with its text; any order. Raises ``NoGeneration``."""
        for part in self.readable(readers, sources).slices:
            rows = np.flatnonzero(part.mask)
            for at in range(0, len(rows), _TEXTS):
                batch = rows[at : at + _TEXTS]
                names = self._names(part, batch)
                found = self._located(part, batch, names, [0.0] * len(names))
                self._texts.load([one.revision for one in found], self._store.texts)
                yield from map(self._read, found)

    def readable(self, readers: frozenset[str], sources: tuple[str, ...] | None = None) -> Readable:
        """Give what these readers may read now. Raises ``NoGeneration``."""
        view = self._refresh()
        if self._access is None or self._store.epoch() != self._access.epoch:
            self._access = self._store.access()
            self._masks.clear()
        key = (readers, sources)
        found = self._masks.get(key)
        if found is None:
            found = self._masks[key] = view.readable(readers, sources, self._access)
            if len(self._masks) > _MASKS:
                self._masks.popitem(last=False)
        return found

    def _rank(self, query: Query) -> "_Ranked":
        view = self._refresh()
        readable = self.readable(query.readers, query.sources)
        with ThreadPoolExecutor(1) as pool:
            # The model and the lexical leg need nothing of each other: they run side by side.
            wanted = query.system != "lexical" and readable.rows > 0
            vector = pool.submit(self._embed, view, query.text) if wanted else None
            asked = _asked(query.text, readable)
            candidates = rank(
                self._worth(view, query, readable, asked, vector),
                Analysed(asked.terms, None if vector is None else vector.result, asked.words),
                ranking=self._ranking,
                k=query.k,
                system=query.system,
                name=lambda part, rows: self._names(readable.slices[part], rows),
            )
        return _Ranked(view.manifest.id, readable, asked, candidates)

    def _worth(
        self,
        view: View,
        query: Query,
        readable: Readable,
        asked: "_Asked",
        vector: "Future[NDArray[np.float32]] | None",
    ) -> tuple[Slice, ...]:
        """Give the readable rows with those that are worth scoring."""
        if self._nominator is None or not readable.rows:
            return readable.slices
        depth = (
            self._ranking.candidates if query.system == "hybrid" else max(self._ranking.candidates, query.k)
        )
        nominees = self._nominator.nominate(
            Wish(
                generation=view.manifest,
                readers=query.readers,
                sources=query.sources,
                lost=readable.lost,
                terms=[*asked.terms, *(term for word in asked.words for term in word.values())],
                vector=None if vector is None else vector.result(),
                system=query.system,
                # Twice as deep as is scored: its statistics are not quite ours.
                count=2 * depth,
            )
        )
        return among(readable.slices, nominees)

    def view(self) -> View:
        """Give the generation that is searched, opened."""
        return self._refresh()

    def versions(self, readable: Readable) -> list[Version]:
        """Give the versions that have a readable row, by name."""
        ids: set[int] = set()
        for part in readable.slices:
            ids.update(np.unique(part.segment.rows.versions[part.mask]).tolist())
        return sorted(self._store.versions(sorted(ids)).values(), key=lambda one: one.name)

    def text(self, revision: str) -> str:
        """Give the canonical text of a stored revision, kept in memory for the next call."""
        self._texts.load([revision], self._store.texts)
        return self._texts.get(revision, "")

    def anchors(self, document: str, revision: str) -> tuple[Anchor, ...]:
        """Give all anchors of a stored document's revision; none where it is not stored."""
        for version in self._store.versions_of(document):
            if version.revision == revision:
                self._layouts.load([version.layout], self._store.layouts)
                return self._layouts.get(version.layout, ())
        return ()

    def _refresh(self) -> View:
        wanted = self._generation or self._generations.live()
        if self._view is None or wanted != self._view.manifest.id:
            self.close()
            self._view = View(self._generations, self._generation)
            self._access = None
            self._masks.clear()
        if not self._view.manifest.chunks:
            raise NoGeneration(
                "the index holds no text at all", hint="ragflow index, then see `ragflow sources list`"
            )
        return self._view

    def _embed(self, view: View, text: str) -> NDArray[np.float32]:
        embedder, width = self._embedder(), view.segments[0].vectors.shape[1]
        if embedder.key != view.manifest.embedder or embedder.dimensions not in (0, width):
            raise mismatch(view.manifest, embedder, self._settings(), width=width)
        found: NDArray[np.float32] = embed(embedder, [text], queries=True)[0]
        if len(found) != width:
            raise changed(len(found), width)
        return found

    def _names(self, part: Slice, rows: NDArray[np.int64]) -> list[str]:
        held = part.segment.rows
        # Python's own numbers: a thousand of NumPy's, one by one, would cost more than the search.
        ids, starts, ends = held.versions[rows].tolist(), held.starts[rows].tolist(), held.ends[rows].tolist()
        self._know(set(ids))
        known = self._versions
        return [
            known[version].chunk(start, end) for version, start, end in zip(ids, starts, ends, strict=True)
        ]

    def _know(self, ids: set[int]) -> None:
        missing = sorted(ids - self._versions.keys())
        if missing:
            if len(self._versions) > _VERSIONS:
                self._versions = {key: self._versions[key] for key in ids & self._versions.keys()}
            self._versions |= self._store.versions(missing)

    def _located(
        self, part: Slice, rows: NDArray[np.int64], names: Sequence[str], scores: Sequence[float]
    ) -> list[Place]:
        held = part.segment.rows
        versions = [self._versions[number] for number in held.versions[rows].tolist()]
        spans = (held.starts[rows].tolist(), held.ends[rows].tolist())
        return [
            Place(
                name,
                version.name,
                version.revision,
                start,
                end,
                version.title,
                score,
                language=_language(part, row),
            )
            for name, version, start, end, score, row in zip(
                names, versions, *spans, scores, rows.tolist(), strict=True
            )
        ]

    def _read(self, place: Place) -> Place:
        return replace(place, text=self.text(place.revision)[place.start : place.end])

    def _hits(self, ranked: "_Ranked", start: int, end: int) -> list[Hit]:
        """Read the candidates from ``start`` to ``end``; each has its place as its rank."""
        found = [(ranked.readable.slices[one.slice], one) for one in ranked.candidates[start:end]]
        versions = [self._versions[int(part.segment.rows.versions[one.row])] for part, one in found]
        self._texts.load([one.revision for one in versions], self._store.texts)
        self._layouts.load([one.layout for one in versions], self._store.layouts)
        self._flags.load([one.revision for one in versions], self._store.flags)
        return [self._hit(number, part, one) for number, (part, one) in enumerate(found, start=start + 1)]

    def _hit(self, number: int, part: Slice, candidate: Candidate) -> Hit:
        rows, row = part.segment.rows, candidate.row
        version = self._versions[int(rows.versions[row])]
        start, end = int(rows.starts[row]), int(rows.ends[row])
        anchors = self._layouts.get(version.layout, ())
        whole = self.text(version.revision)
        text = whole[start:end]
        asks = version.link is not None and LINE in version.link
        lines = within(version.line_pairs(), whole, start, end) if asks else ()
        return Hit(
            rank=number,
            chunk=candidate.chunk,
            document=version.name,
            revision=version.revision,
            start=start,
            end=end,
            title=version.title,
            headings=tuple(
                one.label for one in anchors if one.kind == "heading" and one.start <= start < one.end
            ),
            anchors=tuple(one for one in anchors if one.start < end and one.end > start),
            link=opened(version.link, line_at(lines, text, start, start=start)),
            modified=version.modified,
            text=text,
            score=candidate.score,
            scores=Scores(candidate.lexical, candidate.dense),
            flags=self._flagged(version, start, text),
            unseen=version.unseen,
            language=_language(part, row),
            unopened=version.link if asks else None,
            lines=lines,
        )

    def _flagged(self, version: Version, start: int, text: str) -> tuple[Flag, ...]:
        flags = self._flags.get(version.revision, None)
        if flags is None:
            # Indexed by an older program and not synced since: the chunk is looked at by itself.
            from indexes.injection import scan  # its rules are needed here alone

            flags = tuple(Flag(start + one.start, start + one.end, one.family) for one in scan(text))
        both = (*flags, *(Flag(*span, HIDDEN) for span in version.unseen))
        return tuple(one for one in both if one.start < start + len(text) and one.end > start)


def _asked(text: str, readable: Readable) -> _Asked:
    """Analyse a question for what is readable: in one language, or word by word in several."""
    languages = readable.languages
    if len(languages) <= 1:
        language = languages[0] if languages else "en"
        terms = analyse(text, language)
        return _Asked(terms, (), readable_idf(readable.slices, terms), language)
    spoken = told(text)
    if spoken not in languages:
        spoken = None
    words = question_words(text, languages, spoken=spoken)
    idfs = readable_idfs(readable.slices, words, languages)
    main = spoken or languages[0]
    return _Asked([], words, idfs[main], main, idfs)


def _language(part: Slice, row: int) -> str:
    return LANGUAGES[int(part.segment.postings.languages[row])]
