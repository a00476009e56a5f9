"""``parser`` of a source: what it changes, what it leaves alone, and what is said where it cannot be used."""

import json

import pytest

from connectors.parsing import second
from ragflow.cli import main
from ragflow.config import load
from ragflow.section import Common
from ragflow.source_sections import SOURCE_TYPES, PluginSource
from ragflow.sources import spec
from ragflow.upkeep import settings_of

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: hr, readers: [everyone]%s}
  notes: {type: files, path: notes, readers: [everyone]}
"""
LEAVE = (
    "Every employee gets 28 days of paid leave a year.\n\n* Trains come first.\n* Flights need a reason.\n"
)


@pytest.fixture
def need_unstructured(need_system):
    why = second.absent()
    need_system("unstructured", why, present=not why)


@pytest.fixture
def office(tmp_path, capsys):
    """Two sources; ``choose`` sets the parser of one, ``run`` gives (exit code, JSON, errors)."""
    for name, text in (
        ("hr/leave.txt", LEAVE),
        ("hr/more.html", "<p>Ask the desk.</p>"),
        ("notes/a.md", "# Keys"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    class Office:
        folder = tmp_path

        def choose(self, parser=""):
            (tmp_path / "ragflow.yaml").write_text(CONFIG % (f", parser: {parser}" if parser else ""))

        def run(self, *words):
            code = main(["-C", str(tmp_path), *words, "--json"])
            said = capsys.readouterr()
            return code, json.loads(said.out) if said.out else None, said.err

        def updated(self):
            code, report, _ = self.run("index")
            assert code == 0
            return {name: one["updated"] for name, one in report["sources"].items()}

        def parser(self, document):
            return self.run("sources", "show", document)[1]["parser"]

    office = Office()
    office.choose()
    return office


@pytest.mark.usefixtures("need_unstructured")
def test_another_parser_reads_the_items_of_its_source_again_and_no_others(office):
    assert office.run("index")[0] == 0
    _, answer, _ = office.run("ask", "How many days of paid leave does every employee get?")
    assert answer["citations"]
    office.choose("{text: unstructured}")
    assert office.updated() == {"hr": 2, "notes": 0}
    assert office.parser("hr/leave.txt") == f"unstructured/{second.VERSION} text/1"
    assert office.parser("hr/more.html").startswith("html/")
    assert office.updated() == {"hr": 0, "notes": 0}
    code, proof, _ = office.run("verify", answer["run"])
    assert code == 0
    assert [(one["status"], one["source_now"]) for one in proof["citations"]] == [("proven", "reparsed")]
    office.choose()
    assert office.updated() == {"hr": 2, "notes": 0}
    assert office.parser("hr/leave.txt").startswith("text/")


@pytest.mark.usefixtures("need_unstructured")
def test_what_our_mapping_gives_is_part_of_the_key(office, monkeypatch):
    office.choose("unstructured")
    assert office.run("index")[0] == 0
    monkeypatch.setattr(second, "_REVISION", 999)
    assert office.updated() == {"hr": 2, "notes": 0}


@pytest.mark.usefixtures("need_unstructured")
def test_doctor_tells_which_formats_it_reads(office):
    office.choose("{html: unstructured, pdf: kreuzberg}")
    (check,) = [one for one in office.run("doctor")[1]["checks"] if one["name"] == "parsers"]
    assert check["status"] == "ok"
    assert check["message"].startswith(f"unstructured {second.VERSION} reads html of hr;")


def test_where_it_is_not_installed_nothing_is_read_and_the_live_index_stays(office, monkeypatch):
    assert office.run("index")[0] == 0
    live = (office.folder / ".ragflow" / "current").read_text()
    monkeypatch.setattr(second, "_MODULES", ("no_such_module_here",))
    office.choose("unstructured")
    (office.folder / "hr" / "leave.txt").unlink()
    (office.folder / "notes" / "a.md").unlink()
    code, said, _ = office.run("index")
    assert (code, said["error"]["hint"]) == (2, 'pip install "ragflow[unstructured]"')
    assert said["error"]["message"].startswith("the parser of source hr cannot be used: unstructured is not")
    assert (office.folder / ".ragflow" / "current").read_text() == live
    assert office.run("ask", "How many days of paid leave does every employee get?")[1]["citations"]
    code, report, _ = office.run("doctor")
    (check,) = [one for one in report["checks"] if one["name"] == "parsers"]
    assert (code, check["status"], check["cure"]) == (8, "fail", 'pip install "ragflow[unstructured]"')


def test_every_type_of_source_has_a_parser():
    for kind in (*SOURCE_TYPES.values(), PluginSource):
        assert issubclass(kind, Common)
        assert kind.model_fields["parser"].default == "kreuzberg"


@pytest.mark.usefixtures("need_unstructured")
@pytest.mark.parametrize(
    "source",
    [
        "type: files, path: x",
        "type: git, path: x",
        "type: beir, path: x",
        "type: mail, path: x",
        "type: web, start: [https://a.example/]",
        'type: sql, url: "sqlite:///a", query: SELECT 1, key: id, text: "{id}"',
    ],
)
def test_the_choice_goes_with_the_source(tmp_path, source):
    (tmp_path / "ragflow.yaml").write_text(
        "version: 1\nsources:\n"
        f"  a: {{{source}, parser: {{html: unstructured}}}}\n  b: {{{source}, parser: {{html: kreuzberg}}}}\n"
    )
    config = load(tmp_path / "ragflow.yaml", environ={})
    chosen, plain = spec(config, "a"), spec(config, "b")
    assert chosen.unstructured == {"html"}
    assert "for html" in chosen.keys.read
    assert (plain.unstructured, plain.keys) == (frozenset(), None)


def test_a_generation_tells_the_parser_only_where_another_one_is_used(tmp_path):
    def parse_settings(parser):
        (tmp_path / "ragflow.yaml").write_text(CONFIG % parser)
        return settings_of(load(tmp_path / "ragflow.yaml", environ={}))["parse"]

    assert set(parse_settings("")) == {"ocr", "hidden_text"}
    told = parse_settings(", parser: {html: unstructured}")["unstructured"]
    assert list(told) == ["hr"]
    assert told["hr"].endswith("for html")
