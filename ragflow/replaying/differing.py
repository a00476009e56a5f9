"""In what two JSON objects differ: sentences for people, and a unified diff for who wants all of it."""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST = 60


def changes(was: Mapping[str, Any], today: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Give one sentence for each field that differs, in order of their names; none where nothing does."""
    for key in sorted({*was, *today}):
        name = f"{path}{key}"
        before, after = was.get(key), today.get(key)
        if before == after and (key in was) == (key in today):
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from changes(before, after, f"{name}.")
        elif isinstance(before, list) and isinstance(after, list) and not _short(before, after):
            counts = f"{len(before)} became {len(after)}" if len(before) != len(after) else "not the same"
            yield f"{name}: {counts}"
        else:
            then, now = (said(one[key]) if key in one else "nothing" for one in (was, today))
            yield f"{name}: {then} became {now}"


def _short(before: list[Any], after: list[Any]) -> bool:
    return all(isinstance(one, str | int) for one in (*before, *after)) and len(before) + len(after) < 10


def said(value: object) -> str:
    """Return a value in few words."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "none"
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"


def unified(was: object, now: object, name: str) -> tuple[str, ...]:
    """Return the lines of a unified diff of two JSON values, pretty-printed; a list of lines as it is."""
    lines = difflib.unified_diff(
        _lines(was), _lines(now), f"recorded {name}", f"replayed {name}", lineterm="", n=2
    )
    return tuple(lines)


def _lines(value: object) -> list[str]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value)
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).split("\n")
