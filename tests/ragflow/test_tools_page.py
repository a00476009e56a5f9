"""docs/tools.md is true: its configuration is read, its function is a tool, every key of a tool is shown."""

import re
import sys

import pytest
import yaml
from sqlalchemy import select
from tool_parts import MIA, Made, Shelf

from ragflow.config import load
from ragflow.tool_sections import HttpAction, Rate, StateOf, Tool, ToolBudget
from ragflow.tools.files import FileSettings
from ragflow.tools.mail import MailSettings
from ragflow.tools.making import SETTINGS
from ragflow.tools.toolbox import Toolbox
from ragflow.tools.webhook import WebhookSettings
from ragflow.workflows.database import Database
from ragflow.workflows.errors import ToolRefused
from ragflow.workflows.tables import effects


@pytest.fixture
def page(repository, tmp_path):
    """The snippets of the page, laid out as it says; the page itself."""
    text = (repository / "docs" / "tools.md").read_text(encoding="utf-8")
    snippets = dict(re.findall(r"```(yaml|python)\n(.*?)```", text, re.DOTALL))
    (tmp_path / "ragflow.yaml").write_text(snippets["yaml"], encoding="utf-8")
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "money.py").write_text(snippets["python"], encoding="utf-8")
    yield text, snippets, tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0] == "desk"]:
        del sys.modules[name]


def test_the_configuration_of_the_page_makes_its_tools(page):
    _, _, folder = page
    with Database.of_file(folder / "runs.sqlite") as database:
        toolbox = Toolbox(load(folder / "ragflow.yaml", environ={}), reading=Shelf(), database=database)
        offers = {offer.name: offer for offer in toolbox.offers(MIA)}
    assert list(offers) == ["answer", "find", "letter", "note", "read", "refund", "tell", "ticket"]
    assert set(offers["refund"].schema["properties"]) == {"order", "amount", "iban"}
    assert offers["refund"].schema["required"] == ["order", "amount"]


def test_the_function_of_the_page_is_called_checked_and_asked(page):
    _, snippets, folder = page
    refund = yaml.safe_load(snippets["yaml"])["tools"]["refund"]
    made = Made(folder, tools={"refund": refund})
    wanted = {"order": "A-17", "amount": 140.0, "iban": "DE02120300000000202051"}
    assert made.call("refund", wanted) == {"refund": "R-A-17", "amount": 140.0}
    with made.database.begin() as connection:
        (row,) = connection.execute(select(effects)).mappings()
    assert row["state"] == "settled"
    action = made.toolbox.check("refund", wanted, made.caller, "0")
    assert made.toolbox.state(action).known == "done"
    for wrong in (
        {"order": "17", "amount": 1.0},
        {"order": "A-1", "amount": "1"},
        {"order": "A-1", "amount": 501.0},
    ):
        with pytest.raises(ToolRefused):
            made.toolbox.check("refund", wrong, made.caller, "9")
    assert "DE0212" not in made.everything()
    made.database.close()


def test_the_page_shows_every_key(page):
    _, snippets, _ = page
    shown = set(re.findall(r"(\w+):", snippets["yaml"]))
    for section in (Tool, HttpAction, StateOf, Rate, ToolBudget, MailSettings, WebhookSettings, FileSettings):
        assert set(section.model_fields) <= shown, section.__name__


def test_the_page_names_every_shipped_tool(page):
    text, _, _ = page
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(SETTINGS)
