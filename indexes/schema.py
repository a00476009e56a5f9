"""The tables of ``store.sqlite``, in SQLAlchemy Core so that the same ones can live in PostgreSQL.

An *item* is what a source lists; a *document* is an item or a member of one. Ids are incarnations: a
document that was deleted and comes back gets a new id, so that a tombstone (``dead``) on the old one
also holds in every older generation. A *version* is one content of one document: revision, layout
(its anchors), title, link. Versions, texts and layouts are only ever added, until collected. *Flags* are
spans of a text that read like orders to a program; a text without a *scan* was not looked at yet.
A *failure* is an item that could not be fetched or read in the last sync that tried. A *chunk* of a
version is there once for each model and chunking that it was embedded with.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA = 4
"""What older ones lack: 1 scans and flags, 2 authors, languages and failures, 3 chunks of several models.

``migration`` brings one up.
"""

TOLD = 3
"""The first schema whose versions hold what sources and parsers tell besides: authors, hidden text."""

UNDECIDED = "und"
"""The language of a text whose language cannot be told, as ISO 639-2 names it."""

metadata = MetaData()

meta = Table(
    "meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False)
)

acls = Table(
    "acls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("readers", String, nullable=False, unique=True, doc="sorted JSON list"),
)

items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String, nullable=False),
    Column("item", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("raw_digest", String, nullable=True, doc="SHA-256 of the bytes; null while never fetched"),
    Column("parsed_by", String, nullable=False, doc="key of the parsing that gave the documents"),
    Column("acl", Integer, ForeignKey("acls.id"), nullable=False),
    UniqueConstraint("source", "item"),
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item_id", Integer, nullable=False, index=True),
    Column("name", String, nullable=False, doc="<source>/<item>[!member]"),
    Column("source", String, nullable=False),
    Column("acl", Integer, ForeignKey("acls.id"), nullable=False),
    Column("dead", Boolean, nullable=False, default=False),
    Column("version", Integer, nullable=True, doc="the current one; null while unreadable or dead"),
    Column("reason", String, nullable=True, doc="why it is unreadable"),
    Column("hint", String, nullable=True),
    Index("documents_name", "name"),
    sqlite_autoincrement=True,
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", Integer, ForeignKey("documents.id"), nullable=False, index=True),
    Column("revision", String, nullable=False, index=True),
    Column("layout", String, nullable=False),
    Column("title", String, nullable=False),
    Column("link", String, nullable=True),
    Column("modified", String, nullable=True),
    Column("parser", String, nullable=False),
    Column("raw_digest", String, nullable=False),
    Column("author", String, nullable=True, doc="who changed it last, where the source tells"),
    Column("language", String, nullable=True, doc="ISO 639-1, or UNDECIDED; null: never looked at"),
    Column("lines", LargeBinary, nullable=True, doc="zstd of JSON [[start, line], ...]: see Document.lines"),
    Column("unseen", Integer, nullable=True, doc="passages that a person would not see, left out or kept"),
    Column("hidden", String, nullable=True, doc="JSON [[start, end], ...] of those that are kept"),
    sqlite_autoincrement=True,
)

texts = Table(
    "texts",
    metadata,
    Column("revision", String, primary_key=True),
    Column("text", LargeBinary, nullable=False, doc="zstd of the UTF-8 canonical text"),
    Column("characters", Integer, nullable=False),
)

layouts = Table(
    "layouts",
    metadata,
    Column("digest", String, primary_key=True),
    Column("anchors", LargeBinary, nullable=False, doc="zstd of JSON [[kind, label, start, end], ...]"),
)

scans = Table(
    "scans",
    metadata,
    Column("revision", String, primary_key=True),
    Column("scanner", String, nullable=False, doc="version of the scanner that gave the flags"),
)

flags = Table(
    "flags",
    metadata,
    Column("revision", String, primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("end", Integer, primary_key=True),
    Column("family", String, primary_key=True),
)

chunks = Table(
    "chunks",
    metadata,
    Column("version", Integer, ForeignKey("versions.id"), primary_key=True),
    Column("chunker", String, primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("end", Integer, primary_key=True),
    Column("embedding", LargeBinary, primary_key=True, index=True),
    Column("embedder", String, nullable=False, default="", doc="key of the model; empty: not known"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("key", LargeBinary, primary_key=True, doc="SHA-256 of embedder key and the exact string"),
    Column("vector", LargeBinary, nullable=False, doc="float32, little endian"),
)

failures = Table(
    "failures",
    metadata,
    Column("source", String, primary_key=True),
    Column("item", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("hint", String, nullable=False),
    Column("tries", Integer, nullable=False, doc="index runs in which it failed, one after the other"),
    Column("first", String, nullable=False, doc="ISO 8601, UTC"),
    Column("last", String, nullable=False, doc="ISO 8601, UTC"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", String, nullable=False),
    Column("state", String, nullable=False),
    Column("at", String, nullable=False),
    Column("detail", String, nullable=True),
)
