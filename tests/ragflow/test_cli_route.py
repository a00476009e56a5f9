"""``ragflow route``: where a question would go, shown to people and to programs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import ragflow
from ragflow import identity
from ragflow.cli import main

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: hr, readers: [everyone], description: Leave and holidays of the staff}
  prices: {type: files, path: prices, readers: [everyone], description: What paper and envelopes cost}
  pay: {type: files, path: pay, readers: [group:pay], description: Salary bands}
identity:
  principals: {LOGIN: [user:mia]}
  impersonate: [LOGIN]
routes:
- {name: salaries, when: {any: [salary]}, sources: [pay]}
- {name: holidays, when: {any: [holiday, annual leave], metadata: {channel: web}}, sources: [hr]}
- {name: parcels, when: {regex: '\\bparcel-\\d+'}}
"""
HR = "# Leave\n\nEvery employee gets 28 days of annual leave in a year, and may carry five over.\n"
PRICES = "# Prices\n\nA box of paper costs 19 euros, and a hundred envelopes cost 4 euros.\n"
PAY = "# Bands\n\nThe salary band of a senior engineer ends at 74,000 euros a year.\n"


def made(folder: Path, *, secret: bool = True) -> Path:
    login = identity.login()
    texts = {"hr/leave.md": HR, "prices/list.md": PRICES, **({"pay/bands.md": PAY} if secret else {})}
    for name in ("hr", "prices", "pay"):
        (folder / name).mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (1_790_000_000, 1_790_000_000))
    (folder / "ragflow.yaml").write_text(CONFIG.replace("LOGIN", login))
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("routes"))


@pytest.fixture
def run(workspace: Path, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str, folder: Path = workspace) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["-C", str(folder), "route", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def shown(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_rule_is_shown_with_every_rule_looked_at(run) -> None:
    code, out, _ = run("How many holidays?", "--meta", "channel=web", "--json")
    report = shown(out)
    assert code == 0
    assert list(report) == [
        "schema", "question", "readers", "route", "by", "because", "reason", "rules", "scores", "generation",
        "timings_ms",
    ]  # fmt: skip
    assert report["schema"] == "ragflow.route/1"
    assert report["readers"] == ["everyone", "user:mia"]
    assert report["route"] == {
        "sources": ["hr"], "workflow": "answer", "prompt": None, "prompt_digest": None, "tier": None,
        "rule": "holidays",
    }  # fmt: skip
    assert (report["by"], report["reason"], report["scores"]) == ("rule", None, [])
    assert report["rules"] == [
        {
            "rule": "salaries",
            "matched": False,
            "because": "none of its sources holds anything that you may read",
        },
        {"rule": "holidays", "matched": True, "because": '"channel" is "web", and it says "holiday"'},
    ]
    assert report["generation"].startswith("g-")
    assert set(report["timings_ms"]) == {"guard", "route", "total"}


def test_people_see_what_programs_see(run) -> None:
    code, out, _ = run("Where is Parcel-17?")
    assert code == 0
    assert out.splitlines() == [
        "sources: hr, prices",
        'decided by: the rule "parcels"',
        r"because: the pattern \bparcel-\d+ is in it",
        "workflow: answer",
        "tier: (no model)",
        "",
        "rule      matched  because",
        "salaries  no       none of its sources holds anything that you may read",
        'holidays  no       the "channel" that the question came with is not the rule\'s',
        r"parcels   yes      the pattern \bparcel-\d+ is in it",
    ]


def test_scores_are_shown_where_no_rule_decides(run) -> None:
    code, out, _ = run("What does a box of paper cost?", "--json")
    report = shown(out)
    assert code == 0
    assert report["by"] in ("scores", "all")
    assert "prices" in report["route"]["sources"]
    assert [one["source"] for one in report["scores"]] == ["prices", "hr"]
    assert sum(one["probability"] for one in report["scores"]) == pytest.approx(1, abs=1e-5)
    _, out, _ = run("What does a box of paper cost?")
    assert any(line.split()[:2] == ["source", "probability"] for line in out.splitlines())


@pytest.mark.parametrize(
    ("text", "by", "reason"),
    [("Hello!", "small_talk", "off_topic"), ("What is it?", "empty", "underspecified")],
)
def test_what_is_refused_has_no_sources_and_exits_with_6(run, text: str, by: str, reason: str) -> None:
    code, out, _ = run(text, "--json")
    report = shown(out)
    assert (code, report["by"], report["reason"]) == (6, by, reason)
    assert report["route"]["sources"] == []
    code, out, _ = run(text)
    assert code == 6
    assert out.splitlines()[0] == "sources: (none)"
    assert f"refused: {reason}" in out.splitlines()


def test_a_source_that_is_asked_for_switches_the_rules_off(run) -> None:
    code, out, _ = run("How many holidays?", "--source", "prices", "--meta", "channel=web", "--json")
    report = shown(out)
    assert (code, report["by"], report["route"]["sources"], report["rules"]) == (0, "asked", ["prices"], [])


def test_other_readers_have_other_routes(run) -> None:
    code, out, _ = run("Which salary band?", "--as", "group:pay", "--json")
    report = shown(out)
    assert (code, report["route"]["sources"], report["route"]["rule"]) == (0, ["pay"], "salaries")


def test_the_same_bytes_without_what_is_hidden(run, tmp_path: Path) -> None:
    alone = made(tmp_path / "alone", secret=False)
    for text in ("Which salary band?", "holidays", "What does paper cost?", "Hello", "the age of the moon"):
        given = []
        for folder in (None, alone):
            code, out, _ = run(text, "--json") if folder is None else run(text, "--json", folder=folder)
            report = shown(out)
            for key in ("generation", "timings_ms"):
                del report[key]
            given.append((code, json.dumps(report)))
        assert given[0] == given[1]
    hidden = [run("x", "--source", name) for name in ("pay", "nothing")]
    assert [code for code, _, _ in hidden] == [2, 2]
    assert hidden[0][2].replace("pay", "nothing") == hidden[1][2]


def test_a_route_names_the_prompt_and_the_tier_that_a_model_would_get(run, workspace: Path) -> None:
    text = (workspace / "ragflow.yaml").read_text()
    tiers = "models:\n  small: {try: [{model: openai/m, api_base: 'http://127.0.0.1:9/v1'}]}\n"
    try:
        (workspace / "ragflow.yaml").write_text(text.replace("'}}", "'}, tier: small}") + tiers)
        code, out, _ = run("Where is parcel-17?", "--json")
    finally:
        (workspace / "ragflow.yaml").write_text(text)
    route = shown(out)["route"]
    assert (code, route["tier"], route["prompt"]) == (0, "small", "answer.md")
    assert len(route["prompt_digest"]) == 64


def test_where_nothing_is_readable_the_exit_code_is_6_and_no_rule_is_shown(run, tmp_path: Path) -> None:
    (tmp_path / "pay").mkdir()
    (tmp_path / "pay" / "bands.md").write_text(PAY)
    rules = "routes:\n- {name: salaries, when: {any: [salary]}, sources: [pay]}\n"
    sources = "sources:\n  pay: {type: files, path: pay, readers: [group:pay]}\n"
    (tmp_path / "ragflow.yaml").write_text(f"version: 1\n{sources}{rules}")
    assert main(["-C", str(tmp_path), "index"]) == 0
    code, out, _ = run("Which salary band?", "--json", folder=tmp_path)
    report = shown(out)
    assert (code, report["by"], report["route"]["sources"], report["rules"]) == (6, "all", [], [])
    assert report["because"] == "nothing indexed is readable for you"


def test_mistakes_are_told_with_exit_code_2(run) -> None:
    assert run("")[0] == 2
    assert run("x", "--meta", "channel")[0] == 2
    code, out, _ = run("x" * 8_001, "--json")
    assert (code, shown(out)["error"]["type"]) == (2, "QuestionError")


def test_python_gives_what_the_command_line_gives(run, workspace: Path) -> None:
    with ragflow.open(workspace) as app:
        report = app.route("How many holidays?", readers=["user:mia"], metadata={"channel": "web"}).to_json()
    _, out, _ = run("How many holidays?", "--meta", "channel=web", "--json")
    other = shown(out)
    del report["timings_ms"], other["timings_ms"]
    assert report == other
