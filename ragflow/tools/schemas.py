"""Arguments of an HTTP action: the part of JSON Schema that is understood, as a pydantic model.

``type``: string, integer, number, boolean, object, array. ``enum``, ``minimum``, ``maximum``, ``minLength``,
``maxLength``, ``pattern`` (found anywhere, as JSON Schema has it), ``items``, ``minItems``, ``maxItems``,
``properties``, ``description``. ``required``: of an argument true (the default) or false; of an object the
list of its properties that must be there. An object has no other properties.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import SchemaError

_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
# Keyword -> (pydantic's name of it, the type that it is of).
_LIMITS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "minimum": ("ge", ("integer", "number")),
    "maximum": ("le", ("integer", "number")),
    "minLength": ("min_length", ("string",)),
    "maxLength": ("max_length", ("string",)),
    "pattern": ("pattern", ("string",)),
    "minItems": ("min_length", ("array",)),
    "maxItems": ("max_length", ("array",)),
}
_OF: Mapping[str, str] = {"items": "array", "properties": "object"}
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_YES_NO = (True, False)
_KNOWN = frozenset({"type", "enum", "description", "required", *_LIMITS, *_OF})


class SchemaUnfit(Exception):
    """A schema is none, or says what is not understood here; the message says what."""


def model(name: str, arguments: Mapping[str, Mapping[str, Any]]) -> type[BaseModel]:
    """Return the model of named arguments, each by its schema.

    Raises:
        SchemaUnfit: one of them is no schema of those that are understood.
    """
    fields: dict[str, Any] = {}
    for argument, schema in arguments.items():
        optional = schema.get("required") is False
        bare = {key: value for key, value in schema.items() if not (key == "required" and value in _YES_NO)}
        fields[argument] = _maybe(_type(argument, bare), optional=optional)
    return of_fields(name, fields)


def of_fields(name: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    """Return a model of fields (type, default); each has its name as alias only: any name will do.

    Raises:
        SchemaUnfit: pydantic takes them for no fields.
    """
    given: dict[str, Any] = {
        f"field_{at}": (Annotated[kind, Field(alias=field)], default)
        for at, (field, (kind, default)) in enumerate(fields.items())
    }
    try:
        made: type[BaseModel] = create_model(name, __config__=_STRICT, **given)
    except (SchemaError, PydanticSchemaGenerationError) as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise SchemaUnfit(f"a limit or a pattern cannot be meant: {said[-1]}") from error
    return made


def _maybe(kind: Any, *, optional: bool) -> tuple[Any, Any]:
    return (kind | None, None) if optional else (kind, ...)


def _type(name: str, schema: object) -> Any:
    if not isinstance(schema, dict):
        raise SchemaUnfit(f"the schema of {name} is no object")
    if unknown := sorted(set(schema) - _KNOWN):
        raise SchemaUnfit(f'"{unknown[0]}" in the schema of {name} is not understood')
    kind = schema.get("type")
    if kind is None and "enum" not in schema:
        raise SchemaUnfit(f"the schema of {name} has no type")
    for keyword in schema:
        of = _LIMITS[keyword][1] if keyword in _LIMITS else (_OF[keyword],) if keyword in _OF else None
        if of is not None and kind not in of:
            raise SchemaUnfit(f'"{keyword}" in the schema of {name} is of type {" or ".join(of)}')
    if "required" in schema and kind != "object":
        raise SchemaUnfit(f'"required" of {name} is true or false')
    limits = {_LIMITS[key][0]: value for key, value in schema.items() if key in _LIMITS}
    try:
        described = Field(description=schema.get("description"), **limits)
    except TypeError as error:
        raise SchemaUnfit(f"the schema of {name}: {error}") from error
    bare = _bare(name, kind, schema)
    made: Any = Annotated[bare, described]
    if "enum" in schema:
        return Annotated[made, AfterValidator(_one_of(name, schema["enum"])), _Enum(schema["enum"])]
    return made


def _bare(name: str, kind: object, schema: Mapping[str, Any]) -> Any:
    if kind is None:
        return Any
    if kind == "array":
        return list.__class_getitem__(_type(f"{name}[]", schema.get("items")))
    if kind == "object":
        return _object(name, schema)
    if not isinstance(kind, str) or kind not in _TYPES:
        raise SchemaUnfit(f"the type of {name} is one of {', '.join([*_TYPES, 'object', 'array'])}")
    return _TYPES[kind]


def _object(name: str, schema: Mapping[str, Any]) -> type[BaseModel]:
    properties, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(properties, dict):
        raise SchemaUnfit(f"the schema of {name} has no properties")
    if not isinstance(required, list) or not set(map(str, required)) <= set(properties):
        raise SchemaUnfit(f'"required" of {name} is a list of its properties')
    fields = {
        key: _maybe(_type(f"{name}.{key}", inner), optional=key not in required)
        for key, inner in properties.items()
    }
    return of_fields(name, fields)


def _one_of(name: str, values: object) -> Callable[[Any], Any]:
    if not isinstance(values, list) or not values:
        raise SchemaUnfit(f'"enum" of {name} is a list of values')

    def check(value: Any) -> Any:
        # 1 and True are equal to Python, not to JSON.
        if any(isinstance(value, bool) == isinstance(one, bool) and value == one for one in values):
            return value
        raise ValueError(f"it is one of {', '.join(map(str, values))}")

    return check


class _Enum:
    """Says in the JSON Schema that is shown which values there are."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), "enum": self._values}


def placeholder(value: object) -> str | None:
    """Return which argument ``{argument: NAME}`` stands for; None for anything else."""
    if isinstance(value, dict) and set(value) == {"argument"} and isinstance(value["argument"], str):
        return value["argument"]
    return None


def placeholders(data: object) -> set[str]:
    """Return the arguments that stand anywhere in some data."""
    name = placeholder(data)
    if name is not None:
        return {name}
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, (list, tuple)) else ()
    return {found for one in inner for found in placeholders(one)}


LEFT_OUT = object()


def filled(data: Any, arguments: Mapping[str, Any]) -> Any:
    """Return data with each ``{argument: NAME}`` replaced by that argument's value, a value for a value.

    An optional argument that was not given leaves nothing: neither key nor entry; ``LEFT_OUT`` itself where
    the data is that placeholder alone.
    """
    name = placeholder(data)
    if name is not None:
        return LEFT_OUT if arguments.get(name) is None else arguments[name]
    if isinstance(data, dict):
        inner = {key: filled(value, arguments) for key, value in data.items()}
        return {key: value for key, value in inner.items() if value is not LEFT_OUT}
    if isinstance(data, (list, tuple)):
        return [value for value in (filled(one, arguments) for one in data) if value is not LEFT_OUT]
    return data
