"""Source -> store: fetch what the plan names, parse it, store it, a few items at a time.

A kill loses what was not stored yet: at most 64 items, or those of two seconds.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from connectors.documents import Parsed, Unreadable
from connectors.errors import ConnectorError, UnreadableDocument
from connectors.items import Item, Raw
from indexes import ingest
from indexes.failures import PASSING
from indexes.fetching import Fetching
from indexes.ingest import Fetched, KnownItem, Seen
from indexes.plan import ParseKeys, Plan, SourceSpec
from indexes.report import Parsers, Progress
from indexes.store import Store

_COMMIT_ITEMS = 64
_COMMIT_SECONDS = 2.0


@dataclass(slots=True)
class Tally:
    """What became of the items of one source. ``kept`` counts those that stayed as they were.

    ``bytes`` were fetched; ``characters``: code points of text that those which were parsed hold.
    """

    added: int = 0
    moved: int = 0
    updated: int = 0
    kept: int = 0
    bytes: int = 0
    characters: int = 0
    error: ConnectorError | None = None

    @property
    def done(self) -> int:
        """How many items are dealt with."""
        return self.added + self.updated + self.kept


@dataclass(slots=True)
class _Pending:
    """What waits to be stored."""

    fetched: list[Fetched] = field(default_factory=list)
    same: list[Item] = field(default_factory=list)
    kept: list[Unreadable] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.fetched) + len(self.same) + len(self.kept)


class Reading:
    """Reads one source by its plan. ``step`` is called after each durable state, ``progress`` as it goes."""

    def __init__(
        self,
        store: Store,
        spec: SourceSpec,
        plan: Plan,
        keys: ParseKeys,
        *,
        step: Callable[[str], None],
        progress: Callable[[Progress], None],
    ) -> None:
        self._store = store
        self._spec = spec
        self._plan = plan
        self._keys = keys
        self._step = step
        self._progress = progress
        self._tally = Tally()
        self._pending = _Pending()
        self._since = time.monotonic()
        self._open: dict[str, tuple[Item, str]] = {}
        self._left = {plan.before[one].raw_digest for one in plan.deleted} - {None}
        self._new = {item.id for item in plan.added}
        self._total = len(plan.added) + len(plan.changed)

    def run(self, pool: Parsers) -> Tally:
        """Read everything; ``Tally.error`` tells why it ended early, when the source itself failed."""
        items = self._plan.items
        with Fetching(self._spec.connector, items, fetchers=self._spec.fetchers) as fetching:
            for item_id, parsed in pool.parse_all(self._raws(fetching)):
                item, digest = self._open.pop(item_id)
                self._store_later(item, digest, parsed)
            self._flush()
        self._tally.error = fetching.error
        return self._tally

    def _raws(self, fetching: Fetching) -> Iterator[Raw]:
        """Give what has to be parsed; the same bytes as before, and what cannot be read, go no further."""
        for item, result in fetching.results():
            before = self._plan.before.get(item.id)
            if isinstance(result, UnreadableDocument):
                self._failed(item, before, result)
                continue
            digest = hashlib.sha256(result.data).hexdigest()
            self._tally.bytes += len(result.data)
            # What the source tells besides (a page's new title) is no part of the bytes.
            told = result.title or result.link or result.author
            if before is not None and not told and self._already(before, digest):
                self._tally.kept += 1
                self._pending.same.append(item)
                self._settle()
                continue
            self._open[item.id] = item, digest
            formats = self._spec.unstructured
            yield replace(result, unstructured=formats) if formats else result

    def _already(self, before: KnownItem, digest: str) -> bool:
        """Tell whether these bytes were parsed before, in the way that they would be now."""
        if self._plan.again or (before.unreadable and before.fingerprint == ingest.UNSETTLED):
            return False
        expected = self._keys.failed if before.unreadable else self._keys.read
        return before.raw_digest == digest and before.parsed_by == expected

    def _failed(self, item: Item, before: KnownItem | None, error: UnreadableDocument) -> None:
        failed = Unreadable(item.id, error.reason, error.hint)
        if error.reason not in PASSING:
            self._store_later(item, None, Parsed((), (failed,)))
        elif before is None or (before.unreadable and before.raw_digest is None):
            unsettled = replace(item, fingerprint=ingest.UNSETTLED)
            self._store_later(unsettled, None, Parsed((), (failed,)))
        else:
            self._tally.kept += 1
            self._pending.kept.append(failed)
            self._settle()

    def _store_later(self, item: Item, digest: str | None, parsed: Parsed) -> None:
        parsed_by = self._keys.read if parsed.documents else self._keys.failed
        self._pending.fetched.append(Fetched(item, digest, parsed_by, parsed))
        self._tally.characters += sum(len(one.text) for one in parsed.documents)
        if item.id not in self._new:
            self._tally.updated += 1
        else:
            self._tally.added += 1
            self._tally.moved += digest in self._left
        self._settle()

    def _settle(self) -> None:
        """Tell how far it is, and store what waits when it is enough."""
        self._progress(Progress("read", self._spec.name, self._tally.done, self._total))
        if len(self._pending) >= _COMMIT_ITEMS or time.monotonic() - self._since > _COMMIT_SECONDS:
            self._flush()

    def _flush(self) -> None:
        waiting, self._pending = self._pending, _Pending()
        if len(waiting):
            seen = Seen(waiting.same, waiting.kept)
            ingest.store_items(self._store, self._spec.name, waiting.fetched, seen)
        self._since = time.monotonic()
        self._step("fetched")
