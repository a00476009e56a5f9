"""YAML as plain data that knows its lines.

Stricter and plainer than PyYAML's own loading: a key given twice is refused, aliases and tags are
refused, only ``true`` and ``false`` are truth values (in YAML 1.1 ``off`` and ``no`` are too, so that
``ocr: off`` would not be the word), dates stay text, and ``1e6`` is a number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""Keys and list positions that lead to a value, outermost first."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class YamlProblem(Exception):
    """The text is not YAML, or not the plain part of it. ``line`` counts from 1; 0 where unknown."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Located:
    """Plain data (dict, list, str, int, float, bool, None), and the line of each key and list entry."""

    data: Any
    lines: Mapping[Place, int]


def read(text: str) -> Located:
    """Return the data of one YAML document; an empty one is None.

    Raises:
        YamlProblem: the text is not plain YAML.
    """
    try:
        # Only nodes are built here: none of the loader's constructors ever runs.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise YamlProblem(_plain_problem(error.problem or "this is not YAML"), line) from error
    except yaml.YAMLError as error:
        raise YamlProblem(f"this is not YAML: {str(error).splitlines()[0]}", 0) from error
    if node is None:
        return Located(None, {})
    lines: dict[Place, int] = {(): node.start_mark.line + 1}
    return Located(_value(node, (), lines, set()), lines)


def scalar(text: str) -> Any:
    """Return a plain scalar as its value: null, truth, whole number, number, else the text itself."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 100 else text
    if _REAL.fullmatch(text):
        return float(text)
    return text


def _value(node: yaml.Node, place: Place, lines: dict[Place, int], seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise YamlProblem("aliases (*name) are not read here: write the value again", line)
    seen.add(id(node))
    if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
        raise YamlProblem(f'tags ("{node.tag}") are not read here', line)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, lines, seen)
    if isinstance(node, yaml.SequenceNode):
        entries = []
        for position, child in enumerate(node.value):
            lines[(*place, position)] = child.start_mark.line + 1
            entries.append(_value(child, (*place, position), lines, seen))
        return entries
    # A quoted scalar, or a block of text, is text whatever it looks like.
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return scalar(node.value) if plain else str(node.value)


def _mapping(node: yaml.MappingNode, place: Place, lines: dict[Place, int], seen: set[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlProblem("a key must be a word, not a list or a section", line)
        key = str(key_node.value)
        inside = (*place, key)
        if key in found:
            raise YamlProblem(f'key "{key}" is given twice (first on line {lines[inside]})', line)
        lines[inside] = line
        found[key] = _value(value_node, inside, lines, seen)
    return found


def _plain_problem(problem: str) -> str:
    """Say the commonest complaints of the YAML reader in plain words."""
    if "'\\t'" in problem:
        return "a tab indents this line: YAML takes spaces only"
    if "mapping values are not allowed" in problem:
        return 'there is a ":" too much, or the indentation is off'
    if "could not find expected ':'" in problem:
        return 'a ":" is missing after the key'
    return f"this is not YAML: {problem}"
