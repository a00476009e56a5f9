"""docs/agents.md is true: its workflow runs as it stands, with its configuration, against a server."""

import importlib.util
import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from scripted_server import ScriptedServer, verdict

import ragflow.config
from ragflow.agents.loop import ConfiguredAgent
from ragflow.parts import Models
from ragflow.workflows.contracts import (
    About,
    Caller,
    Ending,
    Gate,
    Limits,
    Object,
    Offer,
    Reading,
    Steps,
)
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.flow import Flow, Means
from ragflow.workflows.remembering import RememberedSteps

QUOTE = "Every full-time employee gets 28 days of paid annual leave."
ASKED = {"question": "How many days of leave?"}


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "agents.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(found)


def shown(page: str, folder: Path) -> Workflow:
    """The page's workflow, from a file as every workflow is."""
    (folder / "helper.py").write_text(block(page, "python"))
    spec = importlib.util.spec_from_file_location("agents_page_helper", folder / "helper.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return cast(Workflow, module.helper)


@dataclass
class Searching:
    """One tool, which finds one passage."""

    called: list[Object] = field(default_factory=list)

    def offers(self, caller: Caller) -> tuple[Offer, ...]:
        takes = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
        return (Offer("search", "Search.", "read", takes),) if caller.role == "group:support" else ()

    def call(self, tool: str, arguments: Object, *, steps: Steps, caller: Caller, about: About) -> Any:
        del caller, about
        self.called.append(arguments)
        found = {"hits": [{"document": "hr/leave.md", "revision": "0" * 64, "text": QUOTE}]}
        return steps.take(f"tool {tool}", lambda _: found, kind="tool")


def test_its_workflow_looks_up_answers_and_cites(page: str, tmp_path: Path) -> None:
    helper, calls = shown(page, tmp_path), Searching()
    replies = [
        verdict({"tool": "search", "arguments": ASKED, "answer": None, "citations": None}),
        verdict({"answer": "28 days.", "citations": [{"result": 1, "quote": QUOTE}]}),
    ]
    with ScriptedServer(replies) as server:
        told = block(page, "yaml").replace("http://127.0.0.1:8080/v1", server.url)
        (tmp_path / "ragflow.yaml").write_text(told)
        config = ragflow.config.load(tmp_path / "ragflow.yaml", environ={})
        means = Means(
            RememberedSteps(),
            cast(Reading, None),
            calls,
            cast(Gate, None),
            ConfiguredAgent(config, Models(config)),
        )
        caller = Caller("user:mia", ("everyone",), ("group:support",), "r-1", "helper")
        ended = helper.function(Flow(means, caller), helper.takes(text="How many days of leave?"))
    assert (ended["outcome"], ended["text"]) == ("done", "28 days.")
    assert [(one["document"], one["quote"]) for one in ended["citations"]] == [("hr/leave.md", QUOTE)]
    assert calls.called == [ASKED]


def test_its_tables_name_every_limit_and_every_outcome(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [*(one.name for one in fields(Limits)), *get_args(Ending)]
    defaults = re.findall(r"^\| `\w+` \| ([\d.,]+) \|", page, re.MULTILINE)
    assert [float(one.replace(",", "")) for one in defaults] == [
        getattr(Limits(), one.name) for one in fields(Limits)
    ]
