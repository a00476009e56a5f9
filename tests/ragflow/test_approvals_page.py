"""docs/approvals.md is true: its rules are read as they stand, and its session runs on a real request."""

import importlib.util
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ragflow
from ragflow import identity
from ragflow.answering import AskOptions
from ragflow.approvals.gate import ConfiguredGate
from ragflow.approvals.rows import found
from ragflow.cli import main
from ragflow.config import load
from ragflow.tools.policy import policy_digest
from ragflow.workflows.contracts import About, Action, Caller, Request
from ragflow.workflows.database import Database

ID = "a-20261129T120030-7c0ffe"
DIGEST = "00000000000000000000000000000000000000000000000000000000000d16e5"
CALLER = Caller("user:mia", ("everyone",), ("group:support",), "r-20261129T120000-aaaaaa", "support")
HEAD = """\
version: 1
sources: {docs: {type: files, path: docs, readers: [everyone]}}
identity: {principals: {LOGIN: [user:leo, group:leads]}}
"""


def moment(written: str) -> str:
    return f"{written[:10]} {written[11:16]}"


def test_the_session_does_what_it_shows(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "approvals.md").read_text(encoding="utf-8")
    clone = tmp_path / "clone"
    (clone / "docs").mkdir(parents=True)
    (clone / "docs" / "refunds.md").write_text(
        "# Refunds\n\nA refund above 100 euros needs a second person.\n"
    )
    (rules,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (clone / "ragflow.yaml").write_text(HEAD.replace("LOGIN", identity.login()) + rules)
    assert main(["-C", str(clone), "index"]) == 0
    config = load(clone / "ragflow.yaml")
    with ragflow.open(clone) as app:
        answer = app.answer(
            "When does a refund need a second person?", asker=app.asker(), options=AskOptions()
        ).to_json()
    with Database.of_file(config.workspace / "runs.sqlite") as database:
        gate = ConfiguredGate(config, database)
        arguments = {"order": "A-17", "amount": 140, "iban": "DE89"}
        action = Action("refund", "write", arguments, "7", policy_digest(config), "k")
        about = About(answer, None, answer["confidence"], answer["outcome"])
        need = gate.need(action, CALLER, about)
        assert need is not None
        approval = gate.open(Request("action", action, need, CALLER, about))
        with database.begin() as connection:
            asked = found(connection, approval)
    assert asked is not None
    # What is random in a session stands in the page as one example.
    real = {
        ID: approval,
        DIGEST: asked.digest,
        "2026-12-02 12:00": moment(asked.expires),
        "2026-11-29 12:00": moment(asked.created),
    }
    for shown, meant in real.items():
        assert shown in page
        page = page.replace(shown, meant)
    assert datetime.fromisoformat(asked.expires) - datetime.now(UTC) <= timedelta(hours=72)

    spec = importlib.util.spec_from_file_location("readme_sessions", repository / "tests" / "test_readme.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up by name
    spec.loader.exec_module(module)
    steps = module.sessions(page)
    assert len(steps) == 3
    assert module.play(steps, clone) == []
