"""The connector: messages of one box as items, their participants as readers if wanted."""

import email.errors
import email.header
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from connectors.errors import UnreadableDocument
from connectors.items import Item, Raw
from connectors.mail.letters import MOST_HEADERS, Letter, envelope, fields, named, split_headers
from connectors.parsing.failures import failure

_ANSWERED = re.compile(r"\s*(?:re|fwd?|aw|wg|sv|antw|tr|rv|odp)\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_SHOWN = frozenset({"subject", "from"})
Place = TypeVar("Place")


class Box(Protocol[Place]):
    """Where messages lie.

    Laws:

    - ``letters`` gives every copy of every message once, or raises ``ConnectorError``.
    - ``data`` gives the bytes of the very copy that was listed, or raises ``UnreadableDocument`` or
      ``SourceUnavailable``; from several threads at once.
    - ``close`` closes what is open; both others open it again.
    """

    def letters(self) -> Iterator[Letter[Place]]: ...

    def data(self, letter: Letter[Place]) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """Who reads the messages, and how large one may be, in bytes.

    With ``participants`` each message is read by those that its address headers name (``user:<address>``,
    see ``addresses``) and by ``readers``; without, by ``readers`` alone.
    """

    readers: tuple[str, ...]
    participants: bool = False
    max_bytes: int = 100_000_000


class Mail(Generic[Place]):
    """Lists a box and hands over its messages; ids as ``letters.named`` gives them.

    A message over the limit is listed, and refused when fetched, so that it is reported.
    """

    def __init__(self, box: Box[Place], rules: Rules) -> None:
        self._box = box
        self._rules = rules
        self._letters: Mapping[str, Letter[Place]] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections of a server; the next call opens new ones."""
        self._box.close()

    def list(self) -> Iterator[Item]:
        """Yield each message, sorted by id. Raises ``ConnectorError`` as the box does, before the first."""
        letters = named(self._box.letters())
        self._letters = letters
        for name in sorted(letters):
            yield self._item(name, letters[name])

    def fetch(self, item: Item) -> Raw:
        """Return a listed message. Its title is the subject without `Re:` and the like.

        Raises:
            UnreadableDocument: ``vanished``, ``too_large``, ``unreachable``, or ``damaged`` where the
                message names other people than the listing did.
            SourceUnavailable: the disk fails, or the server is not to be reached.
        """
        with self._lock:
            known = self._letters if self._letters is not None else named(self._box.letters())
            self._letters = known
        letter = known.get(item.id)
        if letter is None or letter.fingerprint != item.fingerprint:
            raise gone(item.id)
        if letter.size > self._rules.max_bytes:
            raise failure("too_large", f"{item.id} has more than {self._rules.max_bytes} bytes")
        data = self._box.data(letter)
        parts = split_headers(data[:MOST_HEADERS])
        headers = parts[0] if parts is not None else data[:MOST_HEADERS]
        if self._rules.participants and not set(letter.participants) <= set(envelope(headers).participants):
            # Readers were given by the listed headers: nothing else may be handed over under their names.
            raise UnreadableDocument(
                f"{item.id} names other people than were listed for it",
                reason="damaged",
                hint="delete the source's folder of state, and index again",
            )
        shown = _shown(headers)
        return Raw(
            item=item.id,
            data=data,
            name="message.eml",
            media_type="message/rfc822",
            title=_subject(shown.get("subject", "")) or "(no subject)",
            author=shown.get("from") or None,
        )

    def _item(self, name: str, letter: Letter[Place]) -> Item:
        who = [f"user:{address}" for address in letter.participants] if self._rules.participants else []
        return Item(name, letter.fingerprint, tuple(sorted({*who, *self._rules.readers})), letter.size)


def gone(name: str) -> UnreadableDocument:
    """Return the error for a message that is not where it was listed."""
    return UnreadableDocument(
        f"{name} is gone", reason="vanished", hint="it was there when the source was listed: index again"
    )


def _subject(text: str) -> str:
    """Return a subject without the marks of replying and forwarding: one for all messages of a thread."""
    while match := _ANSWERED.match(text):
        text = text[match.end() :]
    return text.strip()


def _shown(headers: bytes) -> dict[str, str]:
    """Return subject and sender as a person reads them, one line each; absent ones are left out."""
    found: dict[str, str] = {}
    for name, value in fields(headers):
        if name in _SHOWN and name not in found:
            found[name] = " ".join(_decoded(value).split())
    return found


def _decoded(value: str) -> str:
    """Return a header with its encoded words read; as it stands where they are broken."""
    plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(email.header.make_header(email.header.decode_header(plain)))
    except (email.errors.MessageError, LookupError, ValueError):
        return plain
