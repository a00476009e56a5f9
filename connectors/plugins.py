"""Connectors of others: found by entry point, made when first used, their mistakes kept to their source."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import ConnectorError, ExtraMissing, PluginFailed, SourceMisconfigured
from connectors.items import Connector, Item, Raw
from connectors.readers import READER

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from connectors.outbound import Outbound

GROUP = "ragflow.connectors"
_BUG = "report it to whoever wrote the connector; the other sources are not touched by it"


@dataclass(frozen=True, slots=True)
class Context:
    """What a connector is made from: ``make(context) -> Connector``.

    ``name`` of the source; ``options`` as they stand in ``ragflow.yaml``; ``readers`` that the source names;
    ``folder`` of ``ragflow.yaml``, where relative paths start; ``state``: a folder for what it would else
    have to ask again, which may be deleted at any time and never holds text of documents; ``secret``: the
    name of an environment variable -> its value, or None; ``outbound`` makes all its requests.
    """

    name: str
    options: Mapping[str, Any]
    readers: tuple[str, ...]
    folder: Path
    state: Path
    secret: Callable[[str], str | None]
    outbound: "Outbound"


Make = Callable[[Context], Connector]


@dataclass(frozen=True, slots=True)
class Installed:
    """A type of source that another distribution brings. ``distribution``: its name and version."""

    type: str
    distribution: str


def _entries() -> tuple["EntryPoint", ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def installed() -> tuple[Installed, ...]:
    """Return the types that installed distributions bring, sorted; none of them is loaded."""
    return tuple(
        sorted({Installed(one.name, _distribution(one)) for one in _entries()}, key=lambda one: one.type)
    )


def maker(kind: str) -> Make:
    """Return what makes connectors of a type.

    Raises:
        ExtraMissing: nobody brings it.
        SourceMisconfigured: two distributions do.
        PluginFailed: it cannot be imported, or is nothing that can be called.
    """
    found = [one for one in _entries() if one.name == kind]
    if not found:
        raise ExtraMissing(
            f'no connector "{kind}" is installed', hint="install the distribution that brings it"
        )
    if len({one.value for one in found}) > 1:
        names = ", ".join(sorted(_distribution(one) for one in found))
        raise SourceMisconfigured(
            f'more than one connector "{kind}" is installed: {names}', hint="uninstall all but one"
        )
    try:
        make = found[0].load()
    except Exception as error:
        raise PluginFailed(
            f'the connector "{kind}" ({_distribution(found[0])}) cannot be loaded: {_said(error)}', hint=_BUG
        ) from error
    if not callable(make):
        raise PluginFailed(f'the connector "{kind}" ({found[0].value}) cannot be called', hint=_BUG)
    made: Make = make
    return made


class Guarded:
    """A connector of others that keeps our laws, or fails its source.

    It is made at its first use. What it raises that is no ``ConnectorError``, and what it gives that is no
    item, becomes ``PluginFailed`` with its name; secrets that it was given are taken out of its words.
    """

    def __init__(self, kind: str, make: Callable[[], Connector], *, secrets: "Secrets") -> None:
        self._kind = kind
        self._make = make
        self._secrets = secrets
        self._made: Connector | None = None

    def list(self) -> Iterator[Item]:
        """Yield what it lists, each checked.

        Raises ``ConnectorError``; ``PluginFailed`` where it breaks a law or breaks down.
        """
        try:
            for item in self._connector().list():
                self._check(item)
                yield item
        except ConnectorError as error:
            self._clean(error)
            raise
        except Exception as error:
            raise self._broken("listing", error) from error

    def fetch(self, item: Item) -> Raw:
        """Return what it fetches.

        Raises ``ConnectorError``; ``PluginFailed`` where it breaks down or gives something else.
        """
        try:
            raw: object = self._connector().fetch(item)
        except ConnectorError as error:
            self._clean(error)
            raise
        except Exception as error:
            raise self._broken(f"fetching {item.id}", error) from error
        if not isinstance(raw, Raw) or raw.item != item.id or not raw.name or not _is(raw.data, bytes):
            raise self._unlawful(f"fetching {item.id} gave no Raw of it, with bytes and a name")
        return raw

    def _connector(self) -> Connector:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _check(self, item: object) -> None:
        if not isinstance(item, Item):
            raise self._unlawful(f"it lists a {type(item).__name__}, not an Item")
        if not _is(item.id, str) or not item.id or not unicodedata.is_normalized("NFC", item.id):
            raise self._unlawful(f"the id {item.id!r} is empty or not NFC text")
        if not _is(item.fingerprint, str) or not item.fingerprint:
            raise self._unlawful(f"{item.id} has no fingerprint")
        if not _is(item.readers, tuple) or not all(
            _is(one, str) and READER.fullmatch(one) for one in item.readers
        ):
            raise self._unlawful(
                f"the readers of {item.id} are no tuple of user:NAME, group:NAME or everyone"
            )

    def _unlawful(self, what: str) -> PluginFailed:
        return PluginFailed(self._secrets.scrubbed(f'the connector "{self._kind}": {what}'), hint=_BUG)

    def _broken(self, doing: str, error: Exception) -> PluginFailed:
        words = f'the connector "{self._kind}" broke down while {doing}: {_said(error)}'
        return PluginFailed(self._secrets.scrubbed(words), hint=_BUG)

    def _clean(self, error: ConnectorError) -> None:
        """Take secrets out of an error's words."""
        error.args = tuple(self._secrets.scrubbed(str(one)) for one in error.args)
        error.hint = self._secrets.scrubbed(error.hint)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Gives secrets by name, and remembers which it gave."""

    find: Callable[[str], str | None]
    given: set[str] = field(default_factory=set)

    def __call__(self, name: str) -> str | None:
        """Return a secret, or None where there is none of that name."""
        value = self.find(name)
        if value:
            self.given.add(value)
        return value

    def scrubbed(self, text: str) -> str:
        """Return the text without any secret that was given."""
        for value in sorted(self.given, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


class Unmade:
    """A source that cannot be made now: each call raises why, so that the other sources go on."""

    def __init__(self, error: ConnectorError) -> None:
        self._error = error

    def list(self) -> Iterator[Item]:
        """Raise why there is no connector."""
        raise self._error

    def fetch(self, item: Item) -> Raw:
        """Raise why there is no connector."""
        del item
        raise self._error


def _is(value: object, kind: type) -> bool:
    """Tell what a value truly is, whatever its annotation says."""
    return isinstance(value, kind)


def _distribution(entry: "EntryPoint") -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _said(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:500]}" if words else type(error).__name__
