"""The languages of stored versions, told once for each and kept in the store."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from indexes import schema
from indexes.languages import DETECTOR, of_document
from indexes.store import Store, batches

_BATCH = 64
_KEY = "language_detector"


def tell_languages(store: Store, *, progress: Callable[[int, int], None] = lambda _, __: None) -> int:
    """Tell the language of every version whose language this detector has not told. Gives how many.

    Nothing is parsed or embedded again. Each batch is one transaction, so that a kill loses little. A version
    whose text was erased is left as it is.
    """
    v, t = schema.versions.c, schema.texts.c
    with store.read() as connection:
        detector = connection.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.key == _KEY))
    if detector != DETECTOR:
        with store.write() as connection:
            connection.execute(schema.versions.update().values(language=None))
        store.remember(_KEY, DETECTOR)
    unknown = sa.select(v.id).join(schema.texts, t.revision == v.revision).where(v.language.is_(None))
    with store.read() as connection:
        waiting = connection.scalars(unknown.order_by(v.id)).all()
    for number, batch in enumerate(batches(waiting, _BATCH)):
        progress(number * _BATCH, len(waiting))
        _tell(store, batch)
    return len(waiting)


def _tell(store: Store, ids: Sequence[int]) -> None:
    v = schema.versions.c
    with store.read() as connection:
        rows = connection.execute(sa.select(v.id, v.title, v.revision).where(v.id.in_(ids))).all()
    texts = store.texts([row.revision for row in rows])
    told = [
        {"number": row.id, "told": of_document(row.title, texts[row.revision]) or schema.UNDECIDED}
        for row in rows
        if row.revision in texts
    ]
    if told:
        wanted = schema.versions.update().where(v.id == sa.bindparam("number"))
        with store.write() as connection:
            connection.execute(wanted.values(language=sa.bindparam("told")), told)
