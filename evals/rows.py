"""Rows and setups as JSON and back: the lines of ``results.jsonl`` and the object of ``run.json``."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from evals.results import Row, Setup

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = "ragflow.evaluation/1"


def row_line(row: Row) -> str:
    """Return a row as one line of ASCII JSON, without the line's end. A number that is none is null.

    Raises:
        ValueError: the response holds NaN or an infinity, which only ``numbers`` may.
    """
    shown = _fields(row)
    shown["numbers"] = {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in row.numbers.items()
    }
    return json.dumps(shown, separators=(",", ":"), allow_nan=False, default=_fields)


def _fields(value: Any) -> dict[str, Any]:
    """Return a mapping, or the fields of a value: ``asdict`` would copy every text on the way."""
    if isinstance(value, Mapping):
        return dict(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def read_row(line: str) -> Row:
    """Return the row of a line; null among its numbers is NaN. Raises ``ValueError`` when it is none."""
    shown = json.loads(line)
    if isinstance(shown, dict) and isinstance(shown.get("numbers"), Mapping):
        shown["numbers"] = {
            name: [math.nan if value is None else value for value in values]
            for name, values in shown["numbers"].items()
            if isinstance(values, list)
        }
    return _rows().validate_python(shown)


def setup_json(setup: Setup) -> dict[str, Any]:
    """Return a setup as the object of ``run.json``."""
    return {"schema": SCHEMA, **asdict(setup)}


def read_setup(text: str) -> Setup:
    """Return the setup of ``run.json``. Raises ``ValueError`` when it is none, or of another schema."""
    shown = json.loads(text)
    if not isinstance(shown, dict) or shown.pop("schema", None) != SCHEMA:
        raise ValueError(f"it is no object {SCHEMA}")
    return _setups().validate_python(shown)


# pydantic takes long to import and its validators to build: only who reads runs pays for them.
@cache
def _rows() -> "TypeAdapter[Row]":
    from pydantic import TypeAdapter

    return TypeAdapter(Row)


@cache
def _setups() -> "TypeAdapter[Setup]":
    from pydantic import TypeAdapter

    return TypeAdapter(Setup)
