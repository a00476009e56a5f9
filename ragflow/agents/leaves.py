"""The texts inside a JSON value: all keys and strings, in order."""

from collections.abc import Callable, Iterator

from ragflow.workflows.contracts import Json


def texts(value: Json) -> Iterator[str]:
    """Give every string of a value, keys too, in the order in which ``changed`` meets them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield str(key)
            yield from texts(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from texts(inside)


def changed(value: Json, change: Callable[[str], str]) -> Json:
    """Return the same value with every string as ``change`` gives it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(key)): changed(inside, change) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [changed(inside, change) for inside in value]
    return value
