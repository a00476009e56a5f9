"""Stores as earlier programs wrote them."""

import sqlite3


def without_embedders(store: sqlite3.Connection) -> None:
    """Bring the table of chunks back to schema 3, when a chunk did not know its embedder."""
    columns = 'version, chunker, start, "end", embedding'
    store.execute(f"create table cut as select {columns} from chunks")
    store.execute("drop table chunks")
    store.execute(
        "create table chunks (version integer not null, chunker varchar not null, start integer not null,"
        ' "end" integer not null, embedding blob not null, primary key (version, chunker, start, "end"))'
    )
    store.execute(f"insert into chunks select {columns} from cut")
    store.execute("drop table cut")
    store.execute("create index ix_chunks_embedding on chunks (embedding)")
