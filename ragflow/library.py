"""What an asker may look up besides asking: documents, texts, evidence. Forbidden and absent look alike."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from connectors.lines import opened
from indexes import schema
from indexes.errors import NoGeneration
from indexes.index import EmbeddedIndex
from indexes.store import Store, Version, read_acls
from indexes.view import Readable
from ragflow.answers import anchor_json
from ragflow.errors import NotFound
from ragflow.verify import Kept, Standing


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document of ``sources list``. ``unreadable``: the reason why it has no text, else None."""

    document: str
    title: str
    revision: str | None
    characters: int
    chunks: int
    modified: str | None
    unreadable: str | None


class Library:
    """Looks into the store under the asker's rights: readable now, and alive in the live generation."""

    def __init__(self, store: Store, index: Callable[[], EmbeddedIndex]) -> None:
        self._store = store
        self._index = index

    def documents(self, readers: frozenset[str], sources: tuple[str, ...] | None) -> list[DocumentRow]:
        """Give the readable documents by name; a source without any readable chunk gives none."""
        index = self._index()
        readable = index.readable(readers, sources)
        chunks = _chunks(readable)
        versions = index.versions(readable)
        sizes = self._sizes([one.revision for one in versions])
        rows = [
            DocumentRow(
                one.name,
                one.title,
                one.revision,
                sizes.get(one.revision, 0),
                chunks[one.id],
                one.modified,
                None,
            )
            for one in versions
        ]
        unreadable = [
            DocumentRow(name, "", None, 0, 0, None, why) for name, why in self._unreadable(readers, readable)
        ]
        return sorted([*rows, *unreadable], key=lambda row: row.document)

    def show(self, document: str, readers: frozenset[str]) -> dict[str, Any]:
        """Give what is known of a readable document. Raises ``NotFound``."""
        version = self._live(document, readers)
        segments = self._index().view().segments
        spans = sorted(
            (int(start), int(end))
            for segment in segments
            for start, end in zip(
                segment.rows.starts[segment.rows.versions == version.id],
                segment.rows.ends[segment.rows.versions == version.id],
                strict=True,
            )
        )
        return {
            "schema": "ragflow.document/1",
            "document": version.name,
            "title": version.title,
            "revision": version.revision,
            "characters": len(self._index().text(version.revision)),
            "modified": version.modified,
            "author": version.author,
            "language": None if version.language == schema.UNDECIDED else version.language,
            "link": opened(version.link, None),
            "parser": version.parser,
            "readers": sorted(self._access_of(version.name) & readers),
            "anchors": [anchor_json(one) for one in self._store.anchors(version.layout)],
            "chunks": [f"{version.name}@{version.revision[:12]}:{start}-{end}" for start, end in spans],
        }

    def text(self, document: str, readers: frozenset[str]) -> str:
        """Give the canonical text of DOCUMENT or DOCUMENT@REVISION (12 to 64 hex). Raises ``NotFound``."""
        name, _, revision = document.rpartition("@")
        if not name or not _is_revision(revision):
            return self._index().text(self._live(document, readers).revision)
        if self.may_read(name, readers):
            for version in self._store.versions_of(name):
                text = self._store.text(version.revision) if version.revision.startswith(revision) else None
                if text is not None:
                    return text
        raise _not_found(document)

    def may_read(self, document: str, readers: frozenset[str]) -> bool:
        """Tell whether the document, deleted or not, is or was last open to one of the readers."""
        return not self._access_of(document).isdisjoint(readers)

    def hidden(self, documents: Collection[str], readers: frozenset[str] | None) -> frozenset[str]:
        """Give those that the readers may not know of; one that was erased hides nothing any more.

        ``readers`` None: those that nobody may read.
        """
        known = self._store.readers_of(documents) if documents else {}
        return frozenset(name for name, who in known.items() if not _meet(who, readers))

    def known(self, documents: Collection[str], readers: frozenset[str] | None) -> frozenset[str]:
        """Give those that are, or were, open to the readers; None: to anybody."""
        known = self._store.readers_of(documents) if documents else {}
        return frozenset(name for name, who in known.items() if _meet(who, readers))

    def sources(self, readers: frozenset[str]) -> frozenset[str]:
        """Give the sources that the readers can read anything of now."""
        try:
            return frozenset(self._index().readable(readers).sources)
        except NoGeneration:
            return frozenset()

    def exists(self, document: str) -> bool:
        """Tell whether the store still knows the document at all."""
        with self._store.read() as connection:
            where = schema.documents.c.name == document
            return connection.scalar(sa.select(schema.documents.c.id).where(where).limit(1)) is not None

    def evidence(self, document: str, revision: str) -> Kept | None:
        """Give the kept text of one revision of a document, for whoever was already let through."""
        for version in self._store.versions_of(document):
            if version.revision == revision:
                text = self._store.text(revision)
                return None if text is None else Kept(text, version.raw_digest)
        return None

    def standing(self, document: str, readers: frozenset[str]) -> Standing | None:
        """Give what a document is now to these readers, under its new name when it has moved."""
        d = schema.documents.c
        current = sa.select(d.name, schema.versions.c.revision, schema.versions.c.raw_digest).join(
            schema.versions, schema.versions.c.id == d.version
        )
        with self._store.read() as connection:
            found = connection.execute(current.where(d.name == document, ~d.dead)).first()
            if found is None:
                digests = [one.raw_digest for one in self._store.versions_of(document)]
                moved = connection.execute(
                    current.where(~d.dead, schema.versions.c.raw_digest.in_(digests)).order_by(d.name)
                ).all()
            else:
                moved = [found]
        for row in moved:
            if self.may_read(row.name, readers):
                return Standing(row.name, row.revision, row.raw_digest)
        return None

    def _live(self, document: str, readers: frozenset[str]) -> Version:
        readable = self._index().readable(readers)
        ids = [one.id for one in self._store.versions_of(document)]
        for part in readable.slices:
            shown = np.intersect1d(part.segment.rows.versions[part.mask], ids)
            if len(shown):
                version = self._store.versions([int(shown[0])])
                return version[int(shown[0])]
        raise _not_found(document)

    def _access_of(self, document: str) -> frozenset[str]:
        query = (
            sa.select(schema.documents.c.acl)
            .where(schema.documents.c.name == document)
            .order_by(schema.documents.c.id.desc())
            .limit(1)
        )
        with self._store.read() as connection:
            acl = connection.scalar(query)
            return frozenset() if acl is None else read_acls(connection).get(acl, frozenset())

    def _sizes(self, revisions: list[str]) -> dict[str, int]:
        t = schema.texts.c
        with self._store.read() as connection:
            known = connection.execute(sa.select(t.revision, t.characters)).all() if revisions else []
        return {row.revision: row.characters for row in known}

    def _unreadable(self, readers: frozenset[str], readable: Readable) -> list[tuple[str, str]]:
        """Give documents without text that the readers may know of: those of sources they can read in."""
        d = schema.documents.c
        query = sa.select(d.name, d.reason, d.acl).where(
            ~d.dead, d.reason.is_not(None), d.source.in_(readable.sources)
        )
        with self._store.read() as connection:
            known = read_acls(connection)
            rows = connection.execute(query).all()
        return [
            (row.name, row.reason) for row in rows if not known.get(row.acl, frozenset()).isdisjoint(readers)
        ]


def _meet(who: frozenset[str], readers: frozenset[str] | None) -> bool:
    return bool(who) if readers is None else not who.isdisjoint(readers)


def _chunks(readable: Readable) -> dict[int, int]:
    counts: dict[int, int] = {}
    for part in readable.slices:
        ids, numbers = np.unique(part.segment.rows.versions[part.mask], return_counts=True)
        for version, number in zip(ids.tolist(), numbers.tolist(), strict=True):
            counts[version] = counts.get(version, 0) + number
    return counts


def _is_revision(text: str) -> bool:
    return 12 <= len(text) <= 64 and all(one in "0123456789abcdef" for one in text)


def _not_found(document: str) -> NotFound:
    return NotFound(f"not found: {document}")
