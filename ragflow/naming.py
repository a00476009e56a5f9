"""Which documents a piece of JSON names or cites, wherever in it: for what a workflow's steps gave."""

from collections.abc import Iterator, Mapping
from typing import Any


def names(value: Any) -> Iterator[str]:
    """Give the documents that a value names, with repeats: under ``document``, ``related``, ``also``.

    A tool's own value under such a key counts too; nothing is known of a document of that name then.
    """
    for key, one in _fields(value):
        if key == "document" and isinstance(one, str):
            yield one
        elif key == "related" and isinstance(one, list):
            yield from (each for each in one if isinstance(each, str))
        elif key == "also" and isinstance(one, list):
            yield from (each.rpartition("@")[0] for each in one if isinstance(each, str))


def cited(value: Any) -> Iterator[tuple[str, str]]:
    """Give the (document, revision) pairs of the citations in a value, with repeats."""
    for key, one in _fields(value):
        if key == "citations" and isinstance(one, list):
            for each in one:
                if isinstance(each, Mapping) and {"document", "revision", "quote"} <= each.keys():
                    yield str(each["document"]), str(each["revision"])


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Give every key with its value, of all objects inside."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield from one.items()
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
