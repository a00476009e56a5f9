"""A reply's text -> a value of the asked shape. Strict: nothing is mended, but a fence is taken off."""

import json
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from ragflow.models.calls import Shape
from ragflow.models.failures import CallFailed

_FENCED = re.compile(r"\s*```[A-Za-z0-9]*[ \t]*\n(?P<inside>.*?)\n?[ \t]*```\s*", re.DOTALL)
_DECLINES = re.compile(
    r"""\W*(?:
        (?:i['\u2019]?m\ |i\ am\ |we['\u2019]?re\ )?(?:so\ |very\ |really\ )?sorry\b
      | i\ apologi[sz]e\b | my\ apologies\b
      | (?:unfortunately,?\ )?i\ (?:can['\u2019]?t|can\ ?not|won['\u2019]?t|will\ not)\b
      | i(?:['\u2019]?m|\ am)\ (?:unable|not\ able|not\ allowed)\b
      | as\ an\ ai\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_KEPT = frozenset(
    "$defs $ref additionalProperties anyOf const description enum items properties required type".split()
)


def parse(text: str, shape: type[Shape]) -> Shape:
    """Return the value that a reply's text holds.

    The text is JSON and nothing else, or one Markdown fence with JSON and nothing else: models put one
    around what they were asked for, and to take it off guesses nothing. NaN, infinity, a key given twice
    and nesting without end are no JSON here.

    Raises:
        CallFailed: ``refusal`` (plain words that decline, no JSON at all), else ``bad_json`` with the
            parser's complaint in one line.
    """
    if "{" not in text and _DECLINES.match(text):
        raise CallFailed("refusal", "the model declined to answer")
    fenced = _FENCED.fullmatch(text)
    bare = fenced["inside"] if fenced else text
    try:
        json.loads(bare, object_pairs_hook=_once_each, parse_constant=_no_constant)
        return shape.model_validate_json(bare)
    except ValidationError as error:
        complaint = _said(error)
    except RecursionError:
        complaint = "it is nested too deeply"
    except ValueError as error:  # JSONDecodeError is one
        complaint = str(error) if bare.strip() else "it is empty"
    raise CallFailed("bad_json", "the reply is not JSON of the asked shape", complaint=_one_line(complaint))


def schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a shape as servers take it with ``strict``: every key named, none beyond.

    Bounds and patterns are left out: few servers take them, and ``parse`` holds a reply to them all the
    same.
    """
    kept = _bare(shape.model_json_schema())
    assert isinstance(kept, dict)
    return kept


def _bare(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _bare(inside) for name, inside in value.items()}
        elif key == "items":
            made[key] = _bare(value)
        elif key in ("anyOf", "oneOf"):
            made["anyOf"] = [_bare(inside) for inside in value]
        elif key in _KEPT:
            made[key] = value
    if "properties" in made:
        made |= {"required": list(made["properties"]), "additionalProperties": False}
    return made


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValueError("a key is given twice in one object")
    return given


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
