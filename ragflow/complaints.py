"""What pydantic found wrong in a configuration, in plain words and with the place it came from."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ragflow.sections import Settings
from ragflow.source_sections import BUILT_IN, PLUGIN, SOURCE_TYPES, PluginSource, plugin_types
from ragflow.yaml_text import Place

_MOST_COMPLAINTS = 10


def complain(error: ValidationError, data: Mapping[str, Any], origins: Mapping[Place, str]) -> str:
    """Return every complaint in plain words, one a line, in the file's order."""
    found = [(details, _place(details)) for details in error.errors(include_url=False)]
    misspelt = {
        (*place[:-1], *_nearest(str(place[-1]), _known_keys(place[:-1], data)))
        for details, place in found
        if details["type"] == "extra_forbidden"
    }
    # A key that is missing because it is misspelt is one mistake, not two; so is a list that counts as
    # empty because of what is wrong with its entries.
    entries = {place[:depth] for _, place in found for depth in range(len(place))}
    return listed(
        [
            (place, _words(details, place, data))
            for details, place in found
            if (details["type"] != "missing" or place not in misspelt)
            and (details["type"] != "too_short" or place not in entries)
        ],
        origins,
    )


def listed(found: Iterable[tuple[Place, str]], origins: Mapping[Place, str]) -> str:
    """Return complaints (place, words) behind where they come from, one a line, in the file's order."""
    complaints: dict[str, int] = {}
    for place, words in found:
        origin, line = _origin(place, origins)
        complaints[f"{origin}: {words}"] = line
    ordered = sorted(complaints, key=lambda text: complaints[text])
    more = len(ordered) - _MOST_COMPLAINTS
    return "\n".join(ordered[:_MOST_COMPLAINTS] + ([f"and {more} more"] if more > 0 else []))


def _place(details: ErrorDetails) -> Place:
    """Return where the mistake is in the file's own terms."""
    place = tuple(details["loc"])
    # pydantic adds the chosen kind of source to the path, and "[key]" for a key itself.
    if place[:1] == ("sources",) and place[2:3] == (BUILT_IN,):
        place = place[:2] + place[4:] if place[3:4] and place[3] in SOURCE_TYPES else place[:2] + place[3:]
    elif place[:1] == ("sources",) and place[2:3] == (PLUGIN,):
        place = place[:2] + place[3:]
    return tuple(step for step in place if step != "[key]")


def _name(place: Place) -> str:
    """Write a place as a person would: ``sources.hr.readers, entry 2``."""
    words = ".".join(step for step in place if isinstance(step, str))
    entries = "".join(f", entry {step + 1}" for step in place if isinstance(step, int))
    return words + entries


def _origin(place: Place, origins: Mapping[Place, str]) -> tuple[str, int]:
    for length in range(len(place), -1, -1):
        if place[:length] in origins:
            origin = origins[place[:length]]
            number = origin.rpartition(":")[2]
            return origin, int(number) if number.isdecimal() else 0
    return "ragflow.yaml", 0


def _words(details: ErrorDetails, place: Place, data: Mapping[str, Any]) -> str:
    """Say in plain words what is wrong at a place."""
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    name, parent = _name(place), _name(place[:-1])
    match kind:
        case "extra_forbidden":
            known = near(str(place[-1]), _known_keys(place[:-1], data))
            words = f'unknown key "{place[-1]}"{f" in {parent}" if parent else ""}{known}'
        case "missing":
            words = f'"{place[-1]}" is missing{f" in {parent}" if parent else ": name at least one source"}'
        case "union_tag_not_found" if isinstance(value, dict):
            words = f'"type" is missing in {name}: {_either(tuple(SOURCE_TYPES))}'
        case "union_tag_invalid":
            words = f'unknown type "{context["tag"]}" in {name} ({_types(str(context["tag"]))})'
        case "value_error":
            words = f"{name}: {context['error']}"
        case "none_required":
            # The value is not shown: an address may hold a password.
            words = f"{name} must be null in this version"
        case "too_short":
            words = f"{name} is empty: name at least one {'source' if place == ('sources',) else 'entry'}"
        case "model_type" | "model_attributes_type" | "dict_type" | "union_tag_not_found":
            words = f"{name} must be a section (key: value), not {said(value)}"
        case _:
            words = f"{name} {_expected(kind, context)}, not {said(value)}"
    return words


def _expected(kind: str, context: Mapping[str, Any]) -> str:
    """Say in plain words what a value of the wrong type or range should have been."""
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(chr(39), '')}"
    limits = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
    limits |= {"greater_than": ("gt", "more than"), "less_than": ("lt", "less than")}
    if kind in limits:
        key, words = limits[kind]
        return f"must be {words} {context[key]:g}"
    types = {"int": "a whole number", "float": "a number", "finite": "a number", "bool": "true or false"}
    types |= {"string": "text", "tuple": "a list, like [a, b]", "list": "a list, like [a, b]"}
    return f"must be {types.get(kind.partition('_')[0], 'something else')}"


def said(value: Any) -> str:
    """Say in plain words what a value is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:40] + "..."}"'
    if isinstance(value, dict):
        return "a section"
    return "a list" if isinstance(value, list) else str(value)


def near(wrong: str, known: Sequence[str]) -> str:
    """Return the nearest of the known names, or all of them, in brackets."""
    for close in _nearest(wrong, known):
        return f' (nearest: "{close}")'
    return f" (known: {', '.join(known)})" if known else ""


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _types(wrong: str) -> str:
    """Return the nearest type of source, those built in, and those that others bring."""
    ours, others = tuple(SOURCE_TYPES), plugin_types()
    close = [f'nearest: "{one}"' for one in _nearest(wrong, (*ours, *others))]
    return "; ".join(
        [*close, f"built in: {', '.join(ours)}", f"installed: {', '.join(others) or 'no others'}"]
    )


def _nearest(wrong: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(wrong.lower(), known, n=1, cutoff=0.5)


def _known_keys(place: Place, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys that the section at ``place`` may have."""
    model: type[BaseModel] = Settings
    if place[:1] == ("sources",):
        model, place = SOURCE_TYPES.get(data["sources"][place[1]]["type"], PluginSource), place[2:]
    named = False
    for step in place:
        if named or isinstance(step, int):
            # An entry of a list, or a name that the file gives: its section was found with the step before.
            named = False
            continue
        annotation = _fields(model)[step].annotation
        named = get_origin(annotation) is dict
        for section in (annotation, *get_args(annotation)):
            if isinstance(section, type) and issubclass(section, BaseModel):
                model = section
    return tuple(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a section by the names that they have in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}
