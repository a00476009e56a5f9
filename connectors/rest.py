"""A paged JSON API as a source, described by paths into its answers: a wiki, a document store, a data base.

A full listing reads every entry. Where the API has a cheaper one that still tells every id (``Slim``), that
one is read instead, with what changed since the last time where it does not tell versions. Either way the
items are those that a full listing would give: where that is not sure, the listing is full.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path as Folder

from connectors import rest_state
from connectors.errors import SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.items import Item, Raw
from connectors.lookups import LATER
from connectors.paging import Answer, Ask, BrokeOff, Entry, Listing, Page
from connectors.rest_api import About, Api, Clock, Slim
from connectors.rest_client import RestClient
from connectors.rest_content import damaged, raw_of
from connectors.rest_state import Remembered

_LISTINGS = 3
_PAGES_KEPT = 2
_SEARCHES = 3
_SILENT = 20


def _once(item: Item, items: dict[str, Item]) -> None:
    if item.id in items:
        raise BrokeOff(f"it lists {item.id!r} twice")
    items[item.id] = item


class Rest:
    """Lists and fetches from one JSON API. ``fetch`` may be called from several threads.

    ``readers`` may read all of it; with ``Api.access``, an item's own readers come on top. ``state``: a
    folder for what a listing remembers, which ``Slim.changes`` alone needs.
    """

    def __init__(
        self, api: Api, client: RestClient, *, readers: tuple[str, ...], state: Folder | None = None
    ) -> None:
        self._api = api
        self._client = client
        self._readers = readers
        self._state = state
        self._described = api.described
        self._digest = hashlib.sha256(repr(api).encode()).hexdigest()
        own = api.fields.url
        self._own = own if own is not None and own.names <= {api.fields.id.text} else None
        self._known: dict[str, About] = {}
        self._scanned = False
        self._searches = 0
        self._silent = 0
        self._kept: OrderedDict[Ask, dict[str, Entry]] = OrderedDict()
        self._lock = threading.RLock()

    def list(self) -> Iterator[Item]:
        """Yield every item of the API, in its order.

        Raises:
            AccessDenied: the API does not let us in.
            SourceMisconfigured: an entry lacks its id or version, or a path leads nowhere.
            SourceUnavailable: the API does not answer, or its listing breaks off at each of three tries.
        """
        with self._lock:
            self._known, self._scanned, self._searches = {}, False, 0
            self._kept.clear()
            items = self._whole(short=True)
        yield from items

    def fetch(self, item: Item) -> Raw:
        """Return an item's content with its title, link, author and time.

        Raises:
            UnreadableDocument: ``vanished``, ``denied``, ``damaged``, ``too_large``, ``unreachable``.
            SourceUnavailable: the API does not answer, or not for many items in a row.
            AccessDenied: the credentials hold no longer.
        """
        try:
            about, entry = self._about(item)
            raw = raw_of(item, about, entry, self._api.content, self._client)
        except UnreadableDocument as error:
            if error.reason == "denied":
                # One item, or an expired token? The listing knows: it was read a moment ago.
                self._client.page(self._api.listing.begin(), first=True)
            self._silent = self._silent + 1 if error.reason == "unreachable" else 0
            if self._silent >= _SILENT:
                raise SourceUnavailable(
                    f"no answer for {_SILENT} items in a row: {error}", hint=LATER
                ) from error
            raise
        self._silent = 0
        return raw

    # -- listing -----------------------------------------------------------------------------------

    def _whole(self, *, short: bool) -> Sequence[Item]:
        """Return the items of a listing that came to its end, by a short way where that is sure."""
        broken = ""
        for _ in range(_LISTINGS):
            try:
                found = self._short() if short else None
                return self._full() if found is None else found
            except BrokeOff as error:
                broken = str(error)
        raise SourceUnavailable(
            f"the listing of {self._client.shown} broke off {_LISTINGS} times: {broken}",
            hint="try again when less changes there; if that does not help, check `pages`",
        )

    def _full(self) -> Sequence[Item]:
        known: dict[str, About] = {}
        items: dict[str, Item] = {}
        clock = Clock()
        for page in self._pages(self._api.listing):
            clock.page(page.date)
            for entry in self._api.fields.wanted(page.entries):
                item = Item(self._id(entry), self._fingerprint(entry), self._admitted(entry))
                _once(item, items)
                self._keep(known, item.id, entry, page)
                clock.saw(self._api.fields.time(entry))
        self._known, self._scanned = known, True
        watermark = clock.watermark(None)
        if watermark is not None:
            self._remember(items.values(), watermark, 0)
        return list(items.values())

    def _short(self) -> Sequence[Item] | None:
        """Return the items by the slim listing; None where only a full one is sure to be right."""
        slim = self._api.slim
        if slim is None:
            return None
        if slim.versions:
            return self._slim(slim, None)
        before = self._remembered(slim)
        if slim.changes is None or before is None:
            return None
        # Ids first: what is made in between is then unknown at worst, and never taken for gone.
        there = self._slim(slim, before)
        clock = Clock()
        changed: dict[str, str] = {}
        known: dict[str, About] = {}
        for page in self._pages(slim.since(slim.changes, before.watermark)):
            clock.page(page.date)
            for entry in self._api.fields.wanted(page.entries):
                item_id = self._id(entry)
                changed[item_id] = self._fingerprint(entry)
                self._keep(known, item_id, entry, page)
                clock.saw(self._api.fields.time(entry))
        watermark = clock.watermark(before.watermark)
        items = [Item(one.id, changed.get(one.id, one.fingerprint), one.readers) for one in there]
        if watermark is None or not all(item.fingerprint for item in items):
            return None
        self._remember(items, watermark, before.turns + 1)
        self._known = known
        return items

    def _slim(self, slim: Slim, before: Remembered | None) -> Sequence[Item]:
        """Return the items of the slim listing, with the fingerprint "" where none is remembered."""
        items: dict[str, Item] = {}
        for page in self._pages(slim.listing):
            for entry in self._api.fields.wanted(page.entries):
                item_id = self._id(entry)
                known = self._fingerprint(entry) if before is None else before.fingerprints.get(item_id, "")
                _once(Item(item_id, known, self._admitted(entry)), items)
        return list(items.values())

    def _pages(self, listing: Listing) -> Iterator[Page]:
        first = True

        def get(ask: Ask) -> Answer:
            nonlocal first
            answer = self._client.page(ask, first=first)
            first = False
            return answer

        return listing.pages(get)

    def _id(self, entry: Entry) -> str:
        found = self._api.fields.named(entry)
        if found is None:
            raise SourceMisconfigured(
                f"an entry of {self._client.shown} has no `{self._api.fields.id.text}`",
                hint="look at what the API answers, and correct `item.id`",
            )
        return found

    def _fingerprint(self, entry: Entry) -> str:
        values = [path.all(entry) for path in self._api.fields.version]
        if not any(values):
            named = " or ".join(f"`{path.text}`" for path in self._api.fields.version)
            raise SourceMisconfigured(
                f"{self._id(entry)} has no {named} in {self._client.shown}",
                hint="without a version no change can be seen: correct `item.version`",
            )
        told = self._described + json.dumps(values, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def _admitted(self, entry: Entry) -> tuple[str, ...]:
        access = self._api.access
        return self._readers if access is None else tuple(sorted({*self._readers, *access.readers(entry)}))

    def _keep(self, known: dict[str, About], item_id: str, entry: Entry, page: Page) -> None:
        # What can be asked for by the id alone needs no memory.
        if self._own is None:
            known[item_id] = self._api.about(entry, page.ask)

    # -- remembering -------------------------------------------------------------------------------

    def _remembered(self, slim: Slim) -> Remembered | None:
        before = None if self._state is None else rest_state.load(self._state, self._digest)
        return before if before is not None and before.turns + 1 < slim.full_every else None

    def _remember(self, items: Iterable[Item], watermark: datetime, turns: int) -> None:
        slim = self._api.slim
        if self._state is not None and slim is not None and slim.changes is not None:
            fingerprints = {item.id: item.fingerprint for item in items}
            rest_state.save(self._state, self._digest, Remembered(fingerprints, watermark, turns))

    # -- fetching ----------------------------------------------------------------------------------

    def _about(self, item: Item) -> tuple[About, Entry | None]:
        """Return what is known about an item, and its entry where it was read just now."""
        if self._api.fields.url is None:
            about = self._found(item)
            return (about, None) if about.page is None else self._reread(item, about.page)
        place = self._own.filled_by(item.id) if self._own is not None else self._found(item).own
        if place is None:
            raise damaged(item, "a field of its address is missing")
        entry = self._client.item(Ask(place), item.id, self._api.content.most).document
        if not isinstance(entry, dict) or self._api.fields.named(entry) != item.id:
            raise damaged(item, "its own address answers with something else")
        return self._api.about(entry, None), entry

    def _found(self, item: Item) -> About:
        """Return what a listing told of an item; where none did yet, one is made for it."""
        with self._lock:
            if item.id not in self._known and not self._scanned:
                self._whole(short=False)
            if item.id not in self._known:
                raise UnreadableDocument(
                    f"{item.id} is gone",
                    reason="vanished",
                    hint="it was there when the source was listed: the next index run notices",
                )
            return self._known[item.id]

    def _reread(self, item: Item, page: Ask) -> tuple[About, Entry]:
        """Return an item's entry from its page, asked for again: its content was too much to keep."""
        with self._lock:
            entry = self._page_of(page).get(item.id)
            if entry is None and self._searches < _SEARCHES:
                # It stands on another page by now, or is gone.
                self._searches += 1
                self._whole(short=False)
                again = self._found(item).page
                entry = None if again is None else self._page_of(again).get(item.id)
        if entry is None:
            raise UnreadableDocument(
                f"{item.id} is no longer on its page of the listing",
                reason="unreachable",
                hint="the next index run asks again; set `item.url` if entries move often",
            )
        return self._api.about(entry, None), entry

    def _page_of(self, ask: Ask) -> dict[str, Entry]:
        """Return the entries of a page by id; a few pages are kept, for those who ask for the next item."""
        if ask not in self._kept:
            listing, fields = self._api.listing, self._api.fields
            try:
                entries = listing.entries(self._client.page(ask, first=False))
            except BrokeOff:
                return {}
            self._kept[ask] = {fields.named(entry) or "": entry for entry in fields.wanted(entries)}
            if len(self._kept) > _PAGES_KEPT:
                self._kept.popitem(last=False)
        return self._kept[ask]
