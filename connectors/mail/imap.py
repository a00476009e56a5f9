"""Folders of an IMAP server (RFC 3501): what is new is asked for, nothing is changed there."""

import base64
import hashlib
import imaplib
import queue
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from connectors.errors import (
    AccessDenied,
    ResponseTooLarge,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.mail.letters import FIELDS, Letter, envelope, weighed
from connectors.mail.remembered import Remembered, Row
from connectors.mail.source import gone
from connectors.mail.wire import CHATTER, GARBAGE, Flooded, Server, Wire, connect, hang_up
from connectors.retrying import Passing, Patience, retried

_BATCH = 200
_MOST_UIDS = 64_000_000
_MOST_HEADERS = 65_536
_HEADERS = f"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({' '.join(FIELDS).upper()})]<0.{_MOST_HEADERS}>)"
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")
_QUOTED = re.compile(rb'\bBODY\[[^\]]*\](?:<\d+>)? (?:"((?:[^"\\]|\\.)*)"|(NIL))')
_MESSAGE = re.compile(rb"\d+ \(")
_ABSENT = re.compile(rb"\[(?:NONEXISTENT|TRYCREATE)\]", re.IGNORECASE)
_FORBIDDEN = re.compile(rb"\[NOPERM\]", re.IGNORECASE)
_AGAIN = "try again later: `ragflow index` goes on where it stopped"
_Given = TypeVar("_Given")
Spot = tuple[str, int, int]


class Imap:
    """The messages of some folders; place: folder, UIDVALIDITY, UID. Messages flagged as deleted are none.

    Folders are opened read-only and nothing is marked as read. Each run lists all UIDs, and asks for the
    headers of those that it does not know from before (``state``: a folder to keep them in; None: none).
    A folder whose UIDVALIDITY changed is read anew. Connections are kept for further calls, one for each
    thread that asks at once, and closed with the object.
    """

    def __init__(
        self,
        server: Server,
        folders: Sequence[str],
        *,
        state: Path | None = None,
        max_bytes: int = 100_000_000,
        patience: Patience | None = None,
    ) -> None:
        self._server = server
        self._folders = tuple(dict.fromkeys(folders))
        self._state = state
        self._max_bytes = max_bytes
        self._patience = patience or Patience()
        self._idle: queue.SimpleQueue[Wire] = queue.SimpleQueue()
        # A connector is not told that it is no longer needed: its connections end with it.
        weakref.finalize(self, _hang_up_all, self._idle)

    def close(self) -> None:
        """Close the connections."""
        _hang_up_all(self._idle)

    def letters(self) -> Iterator[Letter[Spot]]:
        """Yield each message, folder by folder.

        Raises:
            SourceMisconfigured: a folder is not there.
            AccessDenied: the password or a folder is refused.
            SourceUnavailable: no answer after all tries, or a folder made anew meanwhile.
        """
        for folder in self._folders:
            yield from self._folder(folder)

    def data(self, letter: Letter[Spot]) -> bytes:
        """Return a listed message.

        Raises ``UnreadableDocument`` (``vanished``, ``unreachable``, ``too_large``), ``SourceUnavailable``.
        """
        folder, validity, uid = letter.place
        name = letter.message_id or letter.content[:16]

        def ask(wire: Wire) -> bytes | None:
            if self._opened(wire, folder) != validity:
                return None
            wire.allow(self._max_bytes + CHATTER)
            answer, data = wire.uid("FETCH", str(uid), "(UID BODY.PEEK[])")
            if answer != "OK":
                raise Passing(f"{self._server.shown} does not give {name}")
            return dict(_fetched(data)).get(uid, (None, None))[1]

        try:
            found = self._retried(ask)
        except Flooded as error:
            raise ResponseTooLarge(
                f"{name} has more than {self._max_bytes} bytes", hint="raise `max_bytes`"
            ) from error
        except _NoAnswer as error:
            raise UnreadableDocument(str(error), reason="unreachable", hint=_AGAIN) from error
        if found is None:
            raise gone(name)
        return found

    def _folder(self, folder: str) -> Iterator[Letter[Spot]]:
        try:
            validity, uids = self._retried(lambda wire: self._survey(wire, folder))
            known = Remembered(self._file(folder), validity)
            new = sorted(uids - known.rows.keys())
            for start in range(0, len(new), _BATCH):
                ask = partial(
                    self._headers, folder=folder, validity=validity, uids=new[start : start + _BATCH]
                )
                known.add(self._retried(ask))
            known.keep(uids)
        except (_NoAnswer, Flooded) as error:
            raise SourceUnavailable(f"folder {folder!r}: {error}", hint=_AGAIN) from error
        except OSError as error:
            raise SourceUnavailable(
                f"cannot keep what was learnt of {folder!r}: {error.strerror}", hint="check the disk"
            ) from error
        for row in known.rows.values():
            place = (folder, validity, row.uid)
            yield Letter(row.message_id, row.participants, row.content, row.content[:32], row.size, place)

    def _survey(self, wire: Wire, folder: str) -> tuple[int, set[int]]:
        """Return a folder's UIDVALIDITY, and the UIDs of what is not flagged as deleted."""
        wire.selected = None
        validity = self._opened(wire, folder)
        return validity, self._search(wire, "UNDELETED")

    def _headers(self, wire: Wire, folder: str, validity: int, uids: Sequence[int]) -> list[Row]:
        if self._opened(wire, folder) != validity:
            raise SourceUnavailable(f"folder {folder!r} was made anew while it was listed", hint=_AGAIN)
        wire.allow(len(uids) * (_MOST_HEADERS + 4096) + CHATTER)
        answer, data = wire.uid("FETCH", _ranges(uids), _HEADERS)
        if answer != "OK":
            raise Passing(f"{self._server.shown} does not give headers of {folder!r}")
        found = {
            uid: _row(uid, size, headers)
            for uid, (size, headers) in _fetched(data)
            if size is not None and headers is not None
        }
        if missing := [uid for uid in uids if uid not in found]:
            # Gone since they were counted, or kept back: what is there must not be taken for deleted.
            kept_back = self._search(wire, "UID", _ranges(missing), "UNDELETED")
            if kept_back:
                raise Passing(f"{self._server.shown} tells nothing of UID {min(kept_back)} of {folder!r}")
        return [found[uid] for uid in uids if uid in found]

    def _search(self, wire: Wire, *criteria: str) -> set[int]:
        wire.allow(_MOST_UIDS)
        answer, data = wire.uid("SEARCH", *criteria)
        if answer != "OK" or data == [None]:
            raise Passing(f"{self._server.shown} does not answer a search")
        return {int(uid) for line in data for uid in bytes(line).split()}

    def _opened(self, wire: Wire, folder: str) -> int:
        """Return the UIDVALIDITY of a folder, opened read-only."""
        if wire.selected is None or wire.selected[0] != folder:
            wire.selected = None
            wire.allow(CHATTER)
            answer, data = wire.select(_quoted(folder), readonly=True)
            if answer != "OK":
                self._refused(wire, folder, bytes(data[-1] or b""))
            _, validity = wire.response("UIDVALIDITY")
            wire.selected = folder, int(validity[-1])
        return wire.selected[1]

    def _refused(self, wire: Wire, folder: str, said: bytes) -> NoReturn:
        where = f"folder {folder!r} of {self._server.user} at {self._server.shown}"
        if _FORBIDDEN.search(said):
            raise AccessDenied(f"no right to read {where}", hint="give the user the right to read it")
        if not _ABSENT.search(said):
            wire.allow(CHATTER)
            _, found = wire.list('""', _quoted(folder))
            if found != [None]:
                raise Passing(f"{where} cannot be opened now")
        raise SourceMisconfigured(
            f"there is no {where}",
            hint="correct `folders`; the server's own names count, with their separator",
        )

    def _file(self, folder: str) -> Path | None:
        if self._state is None:
            return None
        whose = f"{self._server.host}\n{self._server.number}\n{self._server.user}\n{folder}"
        return self._state / f"imap-{hashlib.sha256(whose.encode()).hexdigest()[:16]}.jsonl"

    def _retried(self, act: Callable[[Wire], _Given]) -> _Given:
        """Return what ``act`` gives, over a kept connection or new ones.

        Raises ``_NoAnswer`` (the server let us in, and did not answer), ``SourceUnavailable``, and at once
        whatever else ``act`` raises.
        """
        try:
            return retried(lambda: self._once(act), self._patience)
        except _NoAnswer:
            raise
        except Passing as error:
            raise SourceUnavailable(str(error), hint=_AGAIN) from error

    def _once(self, act: Callable[[Wire], _Given]) -> _Given:
        wire = self._connection()
        try:
            given = act(wire)
        except Flooded:
            hang_up(wire)
            raise
        except (Passing, OSError, imaplib.IMAP4.error, *GARBAGE) as error:
            hang_up(wire)
            raise _NoAnswer(f"{self._server.shown} gave no usable answer: {_said(error)}") from error
        except BaseException:
            hang_up(wire)
            raise
        self._idle.put(wire)
        return given

    def _connection(self) -> Wire:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return connect(self._server)


class _NoAnswer(Passing):
    """The server let us in, and gave no answer that could be read."""


def _hang_up_all(idle: "queue.SimpleQueue[Wire]") -> None:
    with suppress(queue.Empty):
        while True:
            hang_up(idle.get_nowait())


def _fetched(data: Sequence[Any]) -> Iterator[tuple[int, tuple[int | None, bytes | None]]]:
    """Yield (UID, (size, literal)) of each message in an answer to FETCH; one without a UID was not asked."""
    told, literal = b"", None
    for part in [*data, b"0 ("]:
        text = bytes(part[0] if isinstance(part, tuple) else part or b"")
        if _MESSAGE.match(text):
            uid, size = _UID.search(told), _SIZE.search(told)
            if uid is not None:
                if literal is None and (quoted := _QUOTED.search(told)):
                    literal = re.sub(rb"\\(.)", rb"\1", quoted[1] or b"")
                yield int(uid[1]), (int(size[1]) if size else None, literal)
            told, literal = b"", None
        told += text
        if isinstance(part, tuple):
            literal = bytes(part[1])


def _row(uid: int, size: int, headers: bytes) -> Row:
    said = envelope(headers, cut=len(headers) >= _MOST_HEADERS)
    return Row(uid, size, said.message_id, weighed(said, size), said.participants)


def _ranges(uids: Sequence[int]) -> str:
    """Write UIDs, rising, as IMAP does: ``3:5,9``."""
    spans: list[list[int]] = []
    for uid in uids:
        if spans and spans[-1][1] == uid - 1:
            spans[-1][1] = uid
        else:
            spans.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in spans)


def _quoted(folder: str) -> str:
    """Write a folder's name as it goes over the wire: modified UTF-7 (RFC 3501, 5.1.3), in quotes."""
    if re.search(r"[\x00\r\n]", folder):
        raise SourceMisconfigured(f"no folder can be named {folder!r}", hint="correct `folders`")
    coded = re.sub(r"&|[^\x20-\x7e]+", _shifted, folder)
    return '"' + coded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shifted(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    coded = base64.b64encode(match[0].encode("utf-16-be")).decode("ascii")
    return "&" + coded.rstrip("=").replace("/", ",") + "-"


def _said(error: BaseException) -> str:
    """Return an error's words on one line; the server's may be long or odd."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(char for char in text if char.isprintable())[:200]
