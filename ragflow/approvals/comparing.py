"""Values of arguments: found by name, compared as JSON compares them."""

import math
from collections.abc import Mapping
from typing import Any

ABSENT = object()
"""What ``argument`` gives where there is none; None is a value."""


def number(value: object) -> int | float | None:
    """Return a finite number; None for text, truth values, NaN, infinity and everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def same(one: object, other: object) -> bool:
    """Tell whether two values are one in JSON: 1 is 1.0, and neither is ``true``."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def argument(arguments: Mapping[str, Any], name: str) -> Any:
    """Return an argument by its name, or by a dotted path into it; ``ABSENT`` where it is not there."""
    if name in arguments:
        return arguments[name]
    inside: Any = arguments
    for key in name.split("."):
        if not isinstance(inside, Mapping) or key not in inside:
            return ABSENT
        inside = inside[key]
    return inside
