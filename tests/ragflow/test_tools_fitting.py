"""Arguments that a person put in place are looked at as the tool would, before anything is decided."""

import sys
from pathlib import Path
from typing import Any

import pytest

from ragflow.config import load
from ragflow.errors import UsageError
from ragflow.tools.fitting import fitting
from ragflow.workflows.errors import ToolRefused

CONFIG = """\
version: 1
sources: {docs: {type: files, path: ., readers: [everyone]}}
tools:
  pay: {python: "fit_shop:pay", effect: write, redact: [iban]}
  note: {python: "fit_shop:note", effect: write}
  gone: {python: "fit_nowhere:pay", effect: write}
"""
SHOP = """\
from typing import Annotated
from pydantic import BaseModel, ConfigDict, Field

class Account(BaseModel):
    holder: str
    iban: Annotated[str, Field(pattern="^[A-Z]{2}[0-9]+$")]

def pay(amount: Annotated[float, Field(gt=0, le=200)], account: Account, note: str = "") -> None: ...

class Free(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str

def note(free: Free) -> None: ...
"""
BEFORE = {"amount": 140, "account": {"holder": "Ann", "iban": "[redacted]"}, "note": ""}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "fit_shop.py").write_text(SHOP)
    (tmp_path / "ragflow.yaml").write_text(CONFIG)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fit_shop", raising=False)
    return load(tmp_path / "ragflow.yaml")


def put(config: Any, **changes: Any) -> Any:
    reads = fitting(config, "pay")
    assert reads is not None
    return reads(BEFORE, BEFORE | changes)


def test_what_fits_is_as_the_schema_reads_it_and_what_is_redacted_is_not_judged(config: Any) -> None:
    assert put(config, amount=90.0)["amount"] == 90
    account = BEFORE["account"] | {"holder": "Bo"}  # type: ignore[operator]
    assert put(config, account=account)["account"] == account


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "ninety"}, "amount: Input should be a valid number"),
        ({"amount": 900}, "amount: Input should be less than or equal to 200"),
        ({"account": {"iban": "[redacted]"}}, "account.holder: Field required"),
        ({"account": {"holder": "Ann", "iban": "mine"}}, "account.iban: String should match"),
        ({"note": "x" * 2_000_000}, "more than 1,"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_place_named(
    config: Any, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ToolRefused) as refused:
        put(config, **changes)
    assert words in str(refused.value)


def test_a_name_that_the_tool_does_not_know_is_told_with_the_nearest(config: Any) -> None:
    with pytest.raises(UsageError, match=r'no argument amuont \(nearest: "amount"\)'):
        put(config, amuont=3)
    reads = fitting(config, "note")
    assert reads is not None
    assert reads({"text": "a"}, {"text": "a", "more": 1}) == {"text": "a", "more": 1}


def test_where_the_tool_cannot_be_made_the_run_looks(config: Any) -> None:
    assert fitting(config, "gone") is None
    assert fitting(config, "unheard-of") is None
