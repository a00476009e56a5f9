"""The addresses in one address header (RFC 5322), read strictly: what is not clear is nobody's.

Readers of a message are made from them, so that this reading fails closed: a header that is broken
anywhere gives no address at all, an address that is odd is left out, and no word of a display name, a
comment or an encoded word is ever taken for an address. The readers of the standard library mend what is
broken, each release in another way.
"""

import re

_LONGEST = 254
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[()<>,;:"\\]|[^()<>,;:"\\]+', re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[()]|[^()\\]+", re.DOTALL)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


class _Broken(Exception):
    """The header cannot be read in one way only."""


def addresses(value: str) -> frozenset[str]:
    """Return the addresses of an unfolded header's value, in lower case; none where it is broken.

    Left out: local parts in quotes, source routes, addresses beyond ASCII or over 254 characters, and
    whatever has no ``@``. Groups (``team: a@x, b@y;``) give their members.
    """
    if _CONTROL.search(value):
        return frozenset()
    try:
        return frozenset(_Reading(value).found)
    except _Broken:
        return frozenset()


class _Reading:
    """One pass over a value; ``found`` are its addresses. Raises ``_Broken``."""

    def __init__(self, value: str) -> None:
        self.found: set[str] = set()
        self._grouped = False
        self._begin()
        position = 0
        while position < len(value):
            match = _TOKEN.match(value, position)
            if match is None:
                raise _Broken
            position = match.end()
            if match[0] == "(":
                position = _after_comment(value, position)
                self._word(" ")
            else:
                self._mark(match[0])
        if self._grouped or self._open:
            raise _Broken
        self._end()

    def _begin(self) -> None:
        self._outside: list[str] = []
        self._inside: list[str] | None = None
        self._open = False
        self._odd = False

    def _mark(self, mark: str) -> None:
        match mark:
            case "<":
                self._odd |= self._inside is not None
                if self._open:
                    raise _Broken
                self._inside, self._open = [], True
            case ">":
                if not self._open:
                    raise _Broken
                self._open = False
            case "," | ";" | ":":
                self._separator(mark)
            case ")" | '"' | "\\":
                raise _Broken
            case _:
                self._odd |= mark.startswith("\\")
                self._word(mark)

    def _separator(self, mark: str) -> None:
        if self._open:
            # `<@relay:mia@x>` was a route once: odd. A comma there may be one, or a lost bracket.
            if mark != ":":
                raise _Broken
            self._odd = True
        elif mark == ":":
            if self._grouped or self._inside is not None:
                raise _Broken
            self._grouped = True
            self._begin()
        else:
            if mark == ";":
                if not self._grouped:
                    raise _Broken
                self._grouped = False
            self._end()

    def _word(self, text: str) -> None:
        if self._open and self._inside is not None:
            self._inside.append(text)
        else:
            # Words after `<...>` would be a second address without its comma.
            self._odd |= self._inside is not None and not text.isspace()
            self._outside.append(text)

    def _end(self) -> None:
        written = "".join(self._outside if self._inside is None else self._inside).strip(" \t")
        clear = not self._odd and len(written) <= _LONGEST and "=?" not in written
        if clear and _ADDRESS.fullmatch(written):
            self.found.add(written.lower())
        self._begin()


def _after_comment(value: str, position: int) -> int:
    depth = 1
    while depth:
        match = _IN_COMMENT.match(value, position)
        if match is None:
            raise _Broken
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        position = match.end()
    return position
