"""Who may read an item, from what a JSON API tells of it: when in doubt, nobody."""

import re
from dataclasses import dataclass

from connectors.json_paths import Path, text_of

_NAME = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class Access:
    """Where an item's JSON lists who may read it.

    ``users`` and ``groups``: paths to names, or to lists of names; each must be there, also when it is empty.
    ``unrestricted``: readers of an item whose lists are all empty. ``inherited``: path to what is above the
    item (its ancestors), each with lists of its own at the same paths.
    """

    users: tuple[Path, ...]
    groups: tuple[Path, ...]
    unrestricted: tuple[str, ...] = ()
    inherited: Path | None = None

    def readers(self, entry: object) -> tuple[str, ...]:
        """Return who may read an item, sorted; nobody where a list is missing or is none.

        Names that are no readers (with a space or comma, empty, no text) are left out, and do not make an
        item unrestricted. With ``inherited``, only who is named at each level that restricts: a group above
        and its member below are two names, so such an item has fewer readers than in the source, never more.
        """
        above = [] if self.inherited is None else _listed(self.inherited, entry)
        if above is None:
            return ()
        admitted: set[str] | None = None
        for level in (entry, *above):
            named = self._named(level)
            if named is None:
                return ()
            if named:
                valid = {one for one in named if one}
                admitted = valid if admitted is None else admitted & valid
        return tuple(sorted(self.unrestricted if admitted is None else admitted))

    def _named(self, level: object) -> list[str] | None:
        """Return the readers that one level names, "" for each that is none; None where a list is missing."""
        readers: list[str] = []
        for kind, paths in (("user", self.users), ("group", self.groups)):
            for path in paths:
                values = _listed(path, level)
                if values is None:
                    return None
                texts = [text_of(value) or "" for value in values]
                readers += [f"{kind}:{one}" if _NAME.fullmatch(one) else "" for one in texts]
        return readers


def _listed(path: Path, document: object) -> list[object] | None:
    """Return what stands at a path, a list there taken apart; None where there is nothing or an object."""
    found = path.every(document)
    if found is None or path.many:
        return found
    (value,) = found
    if isinstance(value, list):
        return value
    return None if isinstance(value, dict | bool) else found
