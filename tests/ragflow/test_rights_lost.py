"""A run that names what its user may not read any more is shown to them by no command of ``runs``."""

import sys

import pytest

import ragflow
from ragflow.cli import main
from ragflow.errors import NotFound

CONFIG = """\
version: 1
sources: {{docs: {{type: files, path: docs, readers: [{readers}]}}}}
workflows: [telling]
identity: {{principals: {{{login}: [user:mia]}}}}
"""
WORKFLOW = '''\
from datetime import timedelta

from pydantic import BaseModel

from ragflow.workflows import Flow, workflow


class Nothing(BaseModel):
    pass


@workflow("telling", takes=Nothing)
def telling(flow: Flow, nothing: Nothing):
    """Tell what a document says."""
    return flow.step("read", lambda: {"document": "docs/pay.md", "text": "Ada earns 9,000."})


@workflow("asking", takes=Nothing)
def asking(flow: Flow, nothing: Nothing):
    """Read, and ask a person."""
    read = flow.step("read", lambda: {"document": "docs/pay.md", "text": "Ada earns 9,000."})
    flow.approve("tell", read, approvers=["group:leads"], expires=timedelta(hours=1))
    return read
'''


def configure(folder, readers):
    from ragflow.identity import login

    (folder / "ragflow.yaml").write_text(CONFIG.format(readers=readers, login=login()))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "telling", raising=False)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pay.md").write_text("# Pay\n\nAda earns 9,000.\n")
    (tmp_path / "telling.py").write_text(WORKFLOW)
    configure(tmp_path, "everyone")
    assert main(["-C", str(tmp_path), "index"]) == 0
    return tmp_path


def begun(folder, name):
    with ragflow.open(folder) as app, app.orchestration() as running:
        report = running.start(name, {}, asker=app.asker())
    assert "9,000" in str(report.record)
    return report.record["run"]


def lost(folder):
    configure(folder, "group:board")
    assert main(["-C", str(folder), "index"]) == 0


def test_what_has_ended_is_neither_resumed_cancelled_nor_retried(folder):
    run = begun(folder, "telling")
    lost(folder)
    with ragflow.open(folder) as app, app.orchestration() as running:
        for command in (running.resume, running.cancel, running.retry):
            for name in (run, "last"):
                with pytest.raises(NotFound):
                    command(name, app.asker())


def test_what_goes_on_ends_and_its_contents_are_not_shown(folder):
    run = begun(folder, "asking")
    lost(folder)
    with ragflow.open(folder) as app, app.orchestration() as running:
        assert "9,000" not in str(running.resume(run, app.asker()))
        ended = running.cancel(run, app.asker())
    assert (ended.record["status"], ended.exit_code) == ("cancelled", 0)
    assert "9,000" not in str(ended)
