"""The contract of a connector as tests: subclass it in a test module, give a connector, run pytest."""

# ruff: noqa: PT017 - these are tests, told by their names; pytest is not needed to import them

import unicodedata
from abc import ABC, abstractmethod

from connectors.errors import ConnectorError, UnreadableDocument
from connectors.items import Connector, Item, Raw

SAMPLE = 20


class ConnectorContract(ABC):
    """Checks the laws of ``items.Connector``.

    A subclass is named ``Test...`` and gives ``connector``: each call a new one over the same source,
    which holds at least one item that can be fetched and stays as it is during a test.
    """

    @abstractmethod
    def connector(self) -> Connector:
        """Return a new connector over the same, unchanged source."""

    def test_lists_every_item_exactly_once(self) -> None:
        ids = [item.id for item in self.connector().list()]
        assert ids, "the source under test must hold an item"
        assert len(ids) == len(set(ids))

    def test_ids_are_nfc_and_not_empty(self) -> None:
        for item in self.connector().list():
            assert item.id
            assert item.id == unicodedata.normalize("NFC", item.id)
            assert item.id.encode()

    def test_lists_the_same_from_run_to_run(self) -> None:
        first, second = self.connector(), self.connector()
        once = sorted(first.list(), key=_by_id)
        assert sorted(second.list(), key=_by_id) == once
        assert sorted(first.list(), key=_by_id) == once

    def test_fingerprints_are_not_empty(self) -> None:
        assert all(item.fingerprint for item in self.connector().list())

    def test_fetches_what_it_lists(self) -> None:
        connector = self.connector()
        fetched = 0
        for item in list(connector.list())[:SAMPLE]:
            try:
                raw = connector.fetch(item)
            except UnreadableDocument as error:
                assert error.reason
                continue
            assert isinstance(raw, Raw)
            assert raw.item == item.id
            assert raw.name
            fetched += 1
        assert fetched, "the source under test must hold an item that can be fetched"

    def test_fetching_changes_no_fingerprint(self) -> None:
        connector = self.connector()
        before = sorted(connector.list(), key=_by_id)
        for item in before[:SAMPLE]:
            _fetched(connector, item)
        assert sorted(connector.list(), key=_by_id) == before

    def test_fetches_the_same_bytes_twice_also_from_a_new_connector(self) -> None:
        connector = self.connector()
        for item in list(connector.list())[:SAMPLE]:
            once = _fetched(connector, item)
            assert _fetched(connector, item) == once
            assert _fetched(self.connector(), item) == once

    def test_an_item_that_is_not_there_is_a_connector_error(self) -> None:
        connector = self.connector()
        absent = Item("absent\u2020item", "none", ())
        try:
            connector.fetch(absent)
        except ConnectorError as error:
            assert str(error)
        else:
            raise AssertionError("fetched an item that the source does not hold")


def _by_id(item: Item) -> str:
    return item.id


def _fetched(connector: Connector, item: Item) -> Raw | str:
    try:
        return connector.fetch(item)
    except UnreadableDocument as error:
        return error.reason
