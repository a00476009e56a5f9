"""Text that a person who opens the file would not see: how readers mark it, and how it is told apart.

A reader writes it between two signs that are no characters, so that they can stand in no text; the draft
takes them out at the end, together with what is between them or without.
"""

import re
from collections.abc import Iterator
from typing import Literal

Hidden = Literal["drop", "flag"]
"""What becomes of hidden text: it is left out, or it stays and its spans are flagged."""

_START, _END = "\ufdd0", "\ufdd1"
_SIGNS = re.compile(f"[{_START}{_END}]")
_REGION = re.compile(f"{_START}[^{_START}{_END}]*{_END}")


def hide(text: str) -> str:
    """Mark text as hidden; marks inside it go, empty text stays empty."""
    bare = unmarked(text)
    return f"{_START}{bare}{_END}" if bare else ""


def unmarked(text: str) -> str:
    """Return text without marks, hidden text included; readers apply it to what a file says."""
    return _SIGNS.sub("", text)


def visible(text: str) -> str:
    """Return text without marks and without what is hidden."""
    return unmarked(_REGION.sub("", text))


def wholly(text: str) -> bool:
    """Tell whether all that is not white space is hidden, and something is."""
    return _REGION.search(text) is not None and not visible(text).strip()


def regions(text: str) -> Iterator[tuple[int, int]]:
    """Give the spans of hidden text, marks included, in order; they never overlap."""
    for match in _REGION.finditer(text):
        yield match.span()
