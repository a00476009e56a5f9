"""Python functions as tools: what a signature says is checked, before and after; what hangs is left."""

import sys

import pytest
from tool_parts import LEADS, Made

from ragflow.errors import ConfigError
from ragflow.importing import found, imported
from ragflow.workflows.contracts import Suspended
from ragflow.workflows.errors import ToolFailed, ToolRefused

MODULE = '''
import os
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path
from pydantic import BaseModel
from ragflow.tools import tool
from ragflow.workflows import ToolFailed

HANG, CALLS = threading.Event(), []

class Order(BaseModel):
    order: str
    amount: Decimal = Decimal(1)

class Refund(BaseModel):
    refund: str
    on: date

def whole(order: Order) -> Refund:
    """Give money back.

    More about it."""
    CALLS.append(order)
    return Refund(refund=f"R-{order.amount}", on=date(2026, 11, 22))

def names(schema: str, copy: int = 3, *, json: bool = False) -> dict[str, object]:
    return {"schema": schema, "copy": copy, "json": json}

def nothing() -> None: pass
def untold(text: str): return {"text": text}
def wrong(text: str) -> Refund: return {"refund": 3}
def no_json(text: str): return object()
def endless(text: str) -> float: return float("nan")
def large(n: int) -> str: return "x" * n
def hang(text: str) -> str:
    CALLS.append("hang")
    HANG.wait(30)
    return text
def hang_key(text: str, *, idempotency_key: str) -> str: return hang(text)
def raises(text: str) -> str: raise KeyError(f"no {text} with {os.environ.get('DESK_TOKEN')}")
def offline(text: str) -> str:
    CALLS.append("offline")
    raise ConnectionError("gone")
def sure(text: str) -> str: raise ToolFailed("the order is closed", kind="rejected", happened=False)
def leaks(text: str) -> dict:
    return {"said": text, "token": os.environ["DESK_TOKEN"], "iban": "x", "deep": [{"iban": "y"}]}
def got(iban: str, text: str = "") -> dict:
    CALLS.append((iban, text))
    return {}

@tool(state_of=lambda key: "done" if CALLS else "not_done")
def known(text: str) -> str: return text

async def later(text: str) -> str: return text
def loose(text): return text
def many(*texts: str) -> str: return ""
def more(**texts: str) -> str: return ""
def odd(text: "Nowhere") -> str: return text
def thing(text: threading.Event) -> str: return ""
class Kind: pass
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ragflow_functions.py").write_text(MODULE, encoding="utf-8")
    yield tmp_path
    module = sys.modules.pop("ragflow_functions", None)
    if module is not None:
        module.HANG.set()


def made(folder, *names, **more):
    tools = {name: {"python": f"ragflow_functions:{name}", "roles": ["everyone"], **more} for name in names}
    return Made(folder, tools=tools)


def module():
    return sys.modules["ragflow_functions"]


def test_one_model_takes_all_arguments_and_another_is_the_result(folder):
    workspace = made(folder, "whole")
    assert workspace.call("whole", {"order": "A-1", "amount": "12.50"}) == {
        "refund": "R-12.50",
        "on": "2026-11-22",
    }
    assert str(module().CALLS[0].amount) == "12.50"
    (offer,) = workspace.calls.offers(workspace.caller)
    assert (offer.description, offer.schema["required"]) == ("Give money back.", ["order"])
    with pytest.raises(ToolRefused, match="x: Extra inputs are not permitted"):
        workspace.toolbox.check("whole", {"order": "A-1", "x": 1}, workspace.caller, "9")
    workspace.database.close()


def test_annotated_parameters_are_arguments_whatever_their_names(folder):
    workspace = made(folder, "names", "nothing", "untold", "known")
    assert workspace.call("names", {"schema": "s", "json": True}) == {"schema": "s", "copy": 3, "json": True}
    assert [offer.name for offer in workspace.calls.offers(workspace.caller)] == [
        "known",
        "names",
        "nothing",
        "untold",
    ]
    for number, (tool, arguments, wanted) in enumerate(
        [("nothing", {}, None), ("untold", {"text": "ü"}, {"text": "ü"})]
    ):
        workspace.new_run(number)
        assert workspace.call(tool, arguments) == wanted
    workspace.database.close()


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("wrong", {"text": "x"}, "garbage"),
        ("no_json", {"text": "x"}, "garbage"),
        ("endless", {"text": "x"}, "garbage"),
        ("large", {"n": 1_000_001}, "too_large"),
    ],
)
def test_what_is_no_result_was_done_once_and_fails(folder, name, arguments, kind):
    workspace = made(folder, name, effect="write")
    workspace.gate.needs, workspace.gate.answers = (lambda _: LEADS), ["approved"]
    with pytest.raises(ToolFailed) as failed:
        workspace.call(name, arguments)
    assert (failed.value.kind, failed.value.happened) == (kind, True)
    assert [settled for _, settled in workspace.gate.done] == [True]
    workspace.database.close()


def test_a_read_that_hangs_is_left_behind(folder):
    workspace = made(folder, "hang", timeout=0.05)
    with pytest.raises(ToolFailed, match=r"longer than 0\.05 s") as failed:
        workspace.call("hang", {"text": "x"})
    assert (failed.value.kind, failed.value.happened) == ("time_out", False)
    workspace.database.close()


def test_a_write_that_hangs_is_not_done_again(folder):
    workspace = made(folder, "hang", "hang_key", effect="write", timeout=0.05)
    for tool in ("hang", "hang_key"):
        workspace.new_run(tool)
        for _ in range(2):
            with pytest.raises(Suspended):
                workspace.call(tool, {"text": "x"})
    assert module().CALLS == ["hang", "hang"]
    workspace.database.close()


def test_only_what_another_try_may_cure_is_tried_again(folder):
    workspace = made(folder, "offline", "raises", retries=2)
    with pytest.raises(ToolFailed, match="gone"):
        workspace.call("offline", {"text": "x"})
    assert module().CALLS == ["offline"] * 3
    assert workspace.waited == [0.5, 1.0]
    workspace.new_run(2)
    with pytest.raises(ToolFailed, match="KeyError"):
        workspace.call("raises", {"text": "x"})
    assert workspace.kept[-1]["step"].tries == 1
    workspace.database.close()


def test_a_function_may_say_that_nothing_was_done(folder):
    workspace = made(folder, "sure", "raises", effect="write")
    with pytest.raises(ToolFailed, match="the order is closed"):
        workspace.call("sure", {"text": "x"})
    workspace.new_run(2)
    with pytest.raises(Suspended):  # any other error leaves it open
        workspace.call("raises", {"text": "x"})
    workspace.database.close()


def test_no_secret_and_no_redacted_field_is_kept_anywhere(folder, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "hunter2-hunter2")
    tools = {
        name: {
            "python": f"ragflow_functions:{name}",
            "roles": ["everyone"],
            "redact": ["iban"],
            "effect": effect,
        }
        for name, effect in [("leaks", "read"), ("raises", "write"), ("got", "write")]
    }
    tools["other"] = {
        "http": {"url": "http://x/", "credential_env": "DESK_TOKEN"},
        "effect": "write",
        "roles": ["group:none"],
    }
    workspace = Made(folder, tools=tools)
    text = "it is hunter2-hunter2 and sk-abcdefghijklmnopqrstuvwx"
    assert workspace.call("leaks", {"text": text}) == {
        "said": "it is [secret] and [secret]",
        "token": "[secret]",
        "iban": "[redacted]",
        "deep": [{"iban": "[redacted]"}],
    }
    told = workspace.everything()
    workspace.new_run(2)
    with pytest.raises(Suspended):
        workspace.call("raises", {"text": text})
    told += workspace.everything()
    workspace.new_run(3)
    workspace.gate.needs, workspace.gate.answers = (lambda _: LEADS), ["approved"]
    assert workspace.call("got", {"iban": "DE02120300000000202051", "text": text}) == {}
    assert [
        ("DE02120300000000202051", text)
    ] == module().CALLS  # the tool itself gets what it was called with
    told += workspace.everything()
    assert "hunter2" not in told
    assert "DE0212" not in told
    assert "sk-abc" not in told
    assert "[redacted]" in told
    workspace.database.close()


def test_a_redacted_argument_cannot_be_revised(folder):
    workspace = made(folder, "got", effect="write", redact=["iban"])
    workspace.gate.needs = lambda _: LEADS
    workspace.gate.answers = [("revised", {"iban": "other", "text": "x"}, "user:leo")]
    with pytest.raises(ToolRefused, match="is redacted"):
        workspace.call("got", {"iban": "DE02120300000000202051"})
    workspace.new_run(2)
    workspace.gate.answers = [("revised", {"iban": "[redacted]", "text": "y"}, "user:leo")]
    workspace.call("got", {"iban": "DE02120300000000202051"})
    assert module().CALLS == [("DE02120300000000202051", "y")]
    workspace.database.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("later", "is async"),
        ("loose", "does not say the type of text"),
        ("many", r"takes \*texts"),
        ("more", r"takes \*\*texts"),
        ("odd", "annotation that is unknown"),
        ("thing", "cannot be checked"),
        ("Kind", "is no function"),
        ("HANG", "is no function"),
        ("absent", "has nothing that is called absent"),
    ],
)
def test_a_function_that_is_no_tool_is_said_before_any_run(folder, name, words):
    with pytest.raises(ConfigError, match=words) as wrong:
        Made(folder, tools={"one": {"python": f"ragflow_functions:{name}", "roles": ["everyone"]}})
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({"effect": "write", "retries": 1}, "takes an idempotency key"),
        ({"budget": {"argument": "amount", "day": 1}}, 'no argument "amount"; it has text'),
    ],
)
def test_what_a_function_cannot_do_is_not_configured(folder, tool, words):
    with pytest.raises(ConfigError, match=words):
        made(folder, "hang", **tool)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ragflow_nowhere:f", "cannot be imported: ModuleNotFoundError"),
        ("ragflow_broken:f", "cannot be imported: SyntaxError"),
        ("ragflow_functions", "names no function"),
        (":f", "names no function"),
    ],
)
def test_a_module_that_cannot_be_imported_is_said_in_one_line(folder, name, words):
    (folder / "ragflow_broken.py").write_text("def (", encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        found(folder, name)


def test_two_workspaces_have_modules_of_one_name_each_its_own(tmp_path):
    for name in ("a", "b"):
        package = tmp_path / name / "ragflow_desk_pack"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("", encoding="utf-8")
        (package / "own.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")
    before = list(sys.path)
    try:
        assert [imported(tmp_path / name, "ragflow_desk_pack.own").NAME for name in "abba"] == [
            "a",
            "b",
            "b",
            "a",
        ]
        again = imported(tmp_path / "a", "ragflow_desk_pack.own")
        assert again is imported(tmp_path / "a", "ragflow_desk_pack.own")
    finally:
        sys.path[:] = before
        for known in [one for one in sys.modules if one.startswith("ragflow_desk_pack")]:
            del sys.modules[known]


def test_arguments_that_no_database_takes_do_not_fit(folder):
    workspace = made(folder, "untold")
    with pytest.raises(ToolRefused, match="do not fit"):
        workspace.call("untold", {"text": "half of a pair: \ud800"})
    workspace.database.close()
