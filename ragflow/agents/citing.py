"""An agent's citations, held against what its tools gave: a quote that stands in no result is dropped."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evals.grounding import locate
from indexes.analysis import analyse
from ragflow.agents.wording import Turn
from ragflow.workflows.contracts import Json, Object


@dataclass(frozen=True, slots=True)
class _Passage:
    """A text of a result. ``source``: the object that it stands in, where that names a document."""

    text: str
    source: Object | None


def proven(cited: Sequence[Object], turns: Sequence[Turn]) -> tuple[Object, ...]:
    """Return the citations whose quote stands, whole, in the result that they name or in another one.

    Each as ``tool``, ``result`` (counted from 1), ``quote`` as it stands there, and ``document``,
    ``revision``, ``start``, ``end`` (code points of the document) as far as the result tells them, else None.
    A quote without a word that says something proves nothing. None twice.
    """
    found: list[Object] = []
    for one in cited:
        first = one["result"]
        numbers = sorted(range(1, len(turns) + 1), key=lambda number: number != first)
        done = [number for number in numbers if turns[number - 1].outcome == "done"]
        quote = one["quote"] if analyse(one["quote"]) else ""
        places = (place for number in done if (place := _place(quote, number, turns[number - 1])))
        place = next(places, None)
        if place is not None and place not in found:
            found.append(place)
    return tuple(found)


def _place(quote: str, number: int, turn: Turn) -> dict[str, Any] | None:
    passages = sorted(
        _passages(turn.result), key=lambda one: one.source is None
    )  # a document's before others
    for passage in passages:
        span = locate(quote, passage.text)
        if span is not None:
            start, end = span
            return {
                "tool": turn.tool,
                "result": number,
                "quote": passage.text[start:end],
                **_source(passage, start, end),
            }
    return None


def _source(passage: _Passage, start: int, end: int) -> dict[str, Any]:
    named = passage.source or {}
    first = _offset(passage)
    return {
        "document": named.get("document"),
        "revision": named.get("revision"),
        "start": None if first is None else first + start,
        "end": None if first is None else first + end,
    }


def _offset(passage: _Passage) -> int | None:
    """Return where a passage begins in its document; None where it is not told, or the text was changed."""
    named = passage.source or {}
    start, end = named.get("start"), named.get("end")
    if isinstance(start, int) and isinstance(end, int):
        return start if end - start == len(passage.text) else None
    whole = hashlib.sha256(passage.text.encode(errors="replace")).hexdigest() == named.get("revision")
    return 0 if whole else None


def _passages(value: Json) -> Iterator[_Passage]:
    if isinstance(value, str):
        yield _Passage(value, None)
    elif isinstance(value, list):
        for inside in value:
            yield from _passages(inside)
    elif isinstance(value, dict):
        for key, inside in value.items():
            if (
                key in ("text", "quote")
                and isinstance(inside, str)
                and isinstance(value.get("document"), str)
            ):
                yield _Passage(inside, value)
            else:
                yield from _passages(inside)
