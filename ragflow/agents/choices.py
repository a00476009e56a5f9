"""What a model may reply: one tool with its arguments, or its last word. Anything else is no reply."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from ragflow.generation.shapes import MAX_QUOTE, bounded, plain
from ragflow.workflows.contracts import Object, Offer

MAX_ANSWER = 20_000  # code points
MAX_CITED = 50
DEEPEST = 20  # objects and lists inside each other


def _shallow(arguments: dict[str, Any] | None) -> dict[str, Any] | None:
    if arguments is not None and _depth(arguments) > DEEPEST:
        raise ValueError(f"the arguments are nested more than {DEEPEST} deep")
    return arguments


def _short(answer: str | None) -> str | None:
    if answer is not None and len(answer) > MAX_ANSWER:
        raise ValueError(f"the answer has {len(answer)} characters; at most {MAX_ANSWER} are allowed")
    return None if answer is None else plain(answer)


class Cited(BaseModel):
    """Words copied letter by letter from the result of that number, counted from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    result: int
    quote: Annotated[str, bounded(MAX_QUOTE)]


class Choice(BaseModel):
    """Either ``tool`` and ``arguments``, or ``answer`` and ``citations``; the others null or left out.

    An empty answer says that there is none. A name that is no tool's is no matter of shape: it is refused
    where tools are called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tool: str | None = None
    arguments: Annotated[dict[str, Any] | None, AfterValidator(_shallow)] = None
    answer: Annotated[str | None, AfterValidator(_short)] = None
    citations: Annotated[list[Cited] | None, Field(max_length=MAX_CITED)] = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.tool and self.answer:
            raise ValueError("give a tool or an answer, not both")
        if not self.tool and self.answer is None:
            raise ValueError("give a tool or an answer")
        return self


def choice_shape(offers: Sequence[Offer]) -> type[Choice]:
    """Return the shape of a reply whose JSON Schema names these tools and what they take."""
    none: dict[str, Any] = {"type": "null"}
    names = [{"type": "string", "enum": [offer.name for offer in offers]}] if offers else []
    takes = [strict(offer.schema) for offer in offers]

    class Chosen(Choice):
        tool: Annotated[str | None, WithJsonSchema({"anyOf": [*names, none]})] = None
        arguments: Annotated[
            dict[str, Any] | None, AfterValidator(_shallow), WithJsonSchema({"anyOf": [*takes, none]})
        ] = None

    return Chosen


def strict(schema: Object) -> dict[str, Any]:
    """Return a tool's schema as servers take it with ``strict``, where every key must be given.

    References are put in. A key that may be left out may be null instead; ``meant`` takes it out again.
    """
    whole = _inlined(schema, schema.get("$defs") or {}, 0)
    assert isinstance(whole, dict)
    keys, required = whole.get("properties"), whole.get("required") or ()
    if not isinstance(keys, dict):
        return {**whole, "type": "object", "properties": {}}
    whole["properties"] = {
        name: inner if name in required or _takes_null(inner) else {"anyOf": [inner, {"type": "null"}]}
        for name, inner in keys.items()
    }
    return whole


def meant(arguments: Object, schema: Object) -> dict[str, Any]:
    """Return arguments without those that ``strict`` made null because they are left out."""
    keys, required = schema.get("properties") or {}, schema.get("required") or ()
    return {
        name: value
        for name, value in arguments.items()
        if value is not None or name in required or name not in keys or _takes_null(keys[name])
    }


def without(schema: Object, hidden: Sequence[str]) -> Object:
    """Return a schema without the keys that no model gives, because no model sees them."""
    keys = schema.get("properties")
    if not hidden or not isinstance(keys, Mapping):
        return schema
    return {
        **schema,
        "properties": {name: inner for name, inner in keys.items() if name not in hidden},
        "required": [name for name in schema.get("required") or () if name not in hidden],
    }


def _inlined(node: Any, defs: Object, depth: int) -> Any:
    if isinstance(node, list):
        return [_inlined(inside, defs, depth + 1) for inside in node]
    if not isinstance(node, Mapping):
        return node
    if depth > DEEPEST:
        return {}  # it refers to itself: policy looks at what is given there
    made = {key: value for key, value in node.items() if key not in ("$ref", "$defs")}
    named = node.get("$ref")
    if isinstance(named, str):
        made = {**defs.get(named.removeprefix("#/$defs/"), {}), **made}
    return {
        key: {name: _inlined(inside, defs, depth + 1) for name, inside in value.items()}
        if key == "properties" and isinstance(value, Mapping)
        else _inlined(value, defs, depth + 1)
        for key, value in made.items()
    }


def _takes_null(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return False
    kinds = schema.get("type")
    among = [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    return kinds == "null" or (isinstance(kinds, list) and "null" in kinds) or any(map(_takes_null, among))


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level and deepest <= DEEPEST:
        deepest += 1
        inside = [list(one.values()) if isinstance(one, dict) else one for one in level]
        level = [each for one in inside if isinstance(one, list) for each in one]
    return deepest
