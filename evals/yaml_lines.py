"""A YAML list as plain data with the line of each entry.

Plainer than PyYAML's own loading, so that a file means what it seems to: only ``true`` and ``false`` are
truth values, dates stay text, and a key given twice, an alias or a tag is refused.
"""

import re
from typing import Any

import yaml

from evals.lines import invalid

_PLAIN: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)")
_HINT = "write a list: each question begins with `- id:` at the beginning of the line"


def read_list(text: str, name: str) -> list[tuple[int, Any]]:
    """Return each entry of the list with its line from 1; an empty text has none.

    Raises:
        DatasetInvalid: the text is not plain YAML, or no list.
    """
    try:
        # Only nodes are built here: none of the loader's constructors ever runs.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise invalid(f"{name}:{_line(node)}", "not a list of questions", _HINT)
        seen: set[int] = set()
        return [(_line(entry), _value(entry, name, seen)) for entry in node.value]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1 if mark else 1}"
        raise invalid(where, f"not YAML: {_said(error.problem or '')}", _HINT) from error
    except yaml.YAMLError as error:
        what = f"not YAML: {str(error).splitlines()[0]}"
        raise invalid(f"{name}:{_unreadable_line(error, text)}", what, _HINT) from error
    except RecursionError as error:
        raise invalid(f"{name}:1", "nested too deeply", _HINT) from error


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _unreadable_line(error: yaml.YAMLError, text: str) -> int:
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1


def _value(node: yaml.Node, name: str, seen: set[int]) -> Any:
    where = f"{name}:{_line(node)}"
    if id(node) in seen:
        raise invalid(where, "an alias (*name) is not read here", "write the value again")
    seen.add(id(node))
    if node.tag.startswith("tag:yaml.org,2002:python") or not node.tag.startswith("tag:yaml.org,2002:"):
        raise invalid(where, f'a tag ("{node.tag}") is not read here', "take it out")
    if isinstance(node, yaml.SequenceNode):
        return [_value(entry, name, seen) for entry in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, name, seen)
    # A quoted scalar, or a block of text, is text whatever it looks like.
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return _scalar(str(node.value)) if plain else str(node.value)


def _mapping(node: yaml.MappingNode, name: str, seen: set[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        where = f"{name}:{_line(key)}"
        if not isinstance(key, yaml.ScalarNode):
            raise invalid(where, "a key must be a word, not a list or a section", _HINT)
        if key.value in found:
            raise invalid(where, f'key "{key.value}" is given twice', "keep one of them")
        found[str(key.value)] = _value(value, name, seen)
    return found


def _scalar(text: str) -> Any:
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else text


def _said(problem: str) -> str:
    """Say the commonest complaints of the YAML reader in plain words."""
    if "'\\t'" in problem:
        return "a tab indents this line, and YAML takes spaces only"
    if "mapping values are not allowed" in problem:
        return 'there is a ":" too much (put the text in double quotes), or the indentation is off'
    if "could not find expected ':'" in problem:
        return 'a ":" is missing after the key'
    return problem or "it cannot be read"
