"""Globs over the ids of items: which are wanted, and who reads them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.errors import SourceMisconfigured

ReadersRule = tuple[re.Pattern[str], tuple[str, ...]]
"""(pattern over ids, who reads the items that it matches)"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which items of a source are wanted, and who reads them.

    Wanted are those that a pattern of ``include`` matches and none of ``exclude``; without ``include``, none.
    """

    readers: tuple[str, ...]
    include: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...]
    rules: tuple[ReadersRule, ...] = ()

    def wants(self, item_id: str) -> bool:
        """Say whether an item is wanted."""
        return any(one.fullmatch(item_id) for one in self.include) and not any(
            one.fullmatch(item_id) for one in self.exclude
        )

    def readers_of(self, item_id: str) -> tuple[str, ...]:
        """Return who reads an item."""
        return readers_of(item_id, self.rules, self.readers)


def selection(
    readers: Sequence[str],
    *,
    include: Sequence[str] = ("**/*",),
    exclude: Sequence[str] = ("**/~$*",),
    readers_by: Sequence[ReadersRule] = (),
) -> Selection:
    """Return the selection that these globs make. Raises ``SourceMisconfigured``."""
    return Selection(tuple(readers), globs(include), globs(exclude), tuple(readers_by))


def readers_of(item_id: str, rules: Sequence[ReadersRule], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return who reads an item: the readers of the first rule that matches, else ``otherwise``."""
    return next((readers for pattern, readers in rules if pattern.fullmatch(item_id)), otherwise)


def globs(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """Return expressions to match whole ids with (``fullmatch``), case-insensitive.

    ``**`` stands for any depth, none included; ``*`` and ``?`` stay within a folder; ``[ab]`` and ``[!ab]``.

    Raises ``SourceMisconfigured`` for what is no pattern below a root.
    """
    return tuple(re.compile(_expression(pattern), re.IGNORECASE | re.DOTALL) for pattern in patterns)


def _expression(pattern: str) -> str:
    """Return a glob as a regular expression over whole ids."""
    parts = [part for part in unicodedata.normalize("NFC", pattern).split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise SourceMisconfigured(f"not a pattern below the root: {pattern!r}", hint="for example `**/*.pdf`")
    words: list[str] = []
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            # Repeating it says nothing new, and would make matching slow.
            if not (place and parts[place - 1] == "**" and not last):
                words.append(".*" if last else "(?:.*/)?")
        else:
            words.append(_segment(part) + ("" if last else "/"))
    return "".join(words)


def _segment(part: str) -> str:
    sets = re.split(r"(\[!?[^\]]+\])", part)
    words = []
    for piece in sets:
        if len(piece) > 2 and piece.startswith("[") and piece.endswith("]"):
            body = piece[1:-1].replace("\\", "\\\\").replace("^", "\\^").replace("[", "\\[")
            words.append("[^/" + body[1:] + "]" if body.startswith("!") else "[" + body + "]")
        else:
            words.append(re.sub(r"(?:\\\*)+", "[^/]*", re.escape(piece)).replace("\\?", "[^/]"))
    return "".join(words)
