"""`index --gate`: what answers its questions worse does not become live; who lost access never waits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import ragflow
from ragflow.cli import main
from ragflow.errors import RagflowError, UsageError
from ragflow.reports import IndexReport

TOPICS = "pump valve boiler crane ladder forklift helmet lathe".split()
RULE: dict[str, Any] = {"dataset": "questions.jsonl", "metric": "nDCG@10", "margin": 0.05, "min_questions": 5}
EVERYONE = ["everyone"]
Clone = Callable[[Path, Path], Path]


def text(topic: str) -> str:
    return f"Every {topic} is inspected each spring by the {topic} warden, who keeps the {topic} log.\n"


def configure(folder: Path, *gates: dict[str, Any], **sections: Any) -> None:
    data = {
        "version": 1,
        "sources": {"docs": {"type": "files", "path": "docs", "readers": ["everyone", "group:hr"]}},
        "gates": list(gates),
        **sections,
    }
    (folder / "ragflow.yaml").write_text(yaml.safe_dump(data))


def ask_for(folder: Path, cases: list[dict[str, Any]]) -> None:
    lines = [json.dumps(case) for case in cases]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")


def question(topic: str, number: int) -> dict[str, Any]:
    return {
        "id": f"q-{topic}",
        "question": f"Who inspects the {topic}?",
        "documents": [f"docs/d{number}.txt"],
        "reviewed": True,
    }


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gates") / "indexed"
    (folder / "docs").mkdir(parents=True)
    for number, topic in enumerate(TOPICS):
        (folder / "docs" / f"d{number}.txt").write_text(text(topic))
    ask_for(folder, [question(topic, number) for number, topic in enumerate(TOPICS)])
    configure(folder, RULE)
    first = index(folder)
    assert (first.exit_code, first.sync.promoted) == (0, True)
    assert first.sync.reason == "no baseline: nothing was live to compare it with"
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path, clone: Clone) -> Path:
    return clone(indexed, tmp_path / "workspace")


def index(folder: Path, *, gate: bool = True, **options: Any) -> IndexReport:
    with ragflow.open(folder) as app:
        return app.index(gate=gate, **options)


def found(folder: Path, words: str) -> set[str]:
    with ragflow.open(folder) as app:
        return {hit.document for hit in app.search(words, readers=EVERYONE)}


def spoil(folder: Path) -> None:
    """Give each document the text of another topic: every question finds the wrong one first."""
    for number in range(len(TOPICS)):
        (folder / "docs" / f"d{number}.txt").write_text(text(TOPICS[number - 1]))


def test_worse_content_is_held_and_said_so_and_promoted_by_hand_all_the_same(folder: Path) -> None:
    with ragflow.open(folder) as app:
        live = app.generations()[0]["generation"]
    spoil(folder)
    held = index(folder)
    shown = held.to_json()
    assert (held.exit_code, shown["promoted"], shown["generation"]) == (8, False, live)
    assert shown["reason"].startswith("the gate said no. questions.jsonl: nDCG@10 went from 1 to ")
    gate = shown["gate"]
    assert (gate["status"], gate["held"], gate["baseline"], gate["change"]) == (
        "failed",
        True,
        live,
        "content",
    )
    (check,) = gate["checks"]
    assert (check["baseline"], check["status"], check["held"]) == (1.0, "failed", True)
    assert check["candidate"] < 0.9
    assert [data["digest"] for data in gate["datasets"]] != [""]
    assert gate["datasets"][0]["candidate"]["metrics"]["nDCG@10"]["n"] == len(TOPICS)
    manifest = json.loads((folder / ".ragflow" / "generations" / f"{gate['candidate']}.json").read_text())
    assert manifest["report"] == gate
    again = index(folder).to_json()  # the same once more, and nothing is built anew
    assert (again["gate"]["status"], again["gate"]["candidate"]) == ("failed", gate["candidate"])
    with ragflow.open(folder) as app:
        assert [one["generation"] for one in app.generations()] == [gate["candidate"], live]
        difference = app.compared(None, None, app.asker())
        assert difference["updated"] == [f"docs/d{number}.txt" for number in range(len(TOPICS))]
        assert difference["gate"]["status"] == "failed"
        assert app.promote(gate["candidate"])["generation"] == gate["candidate"]
        assert app.rollback()["generation"] == live


def test_without_the_flag_what_was_held_is_promoted(folder: Path) -> None:
    spoil(folder)
    held = index(folder).to_json()
    plain = index(folder, gate=False).to_json()
    assert (plain["promoted"], plain["generation"], plain["gate"]) == (True, held["gate"]["candidate"], None)


def test_what_is_no_worse_is_promoted_and_says_why(folder: Path) -> None:
    (folder / "docs" / "more.txt").write_text("The canteen opens at noon.\n")
    report = index(folder).to_json()
    assert (report["promoted"], report["gate"]["status"]) == (True, "passed")
    assert report["reason"].startswith("the gate said yes. questions.jsonl: nDCG@10 went from 1 to 1")


def test_a_deletion_in_a_held_sync_holds_at_once_and_its_question_is_left_out(folder: Path) -> None:
    spoil(folder)
    (folder / "docs" / "d7.txt").unlink()
    held = index(folder).to_json()
    assert held["promoted"] is False
    assert held["gate"]["datasets"][0]["excluded"] == {
        "q-lathe": "its gold has left the sources: docs/d7.txt"
    }
    assert held["gate"]["datasets"][0]["candidate"]["metrics"]["nDCG@10"]["n"] == len(TOPICS) - 1
    assert "docs/d7.txt" not in found(folder, "lathe warden")
    assert "docs/d0.txt" in found(folder, "pump warden")


def test_a_lost_right_holds_at_once_in_a_held_sync(folder: Path) -> None:
    spoil(folder)
    source = {"type": "files", "path": "docs", "readers": ["group:hr"]}
    configure(folder, RULE | {"margin": 0.0}, sources={"docs": source}, identity=_as_hr())
    assert index(folder).exit_code == 8
    assert found(folder, "pump warden") == set()


def _as_hr() -> dict[str, Any]:
    from ragflow import identity

    return {"principals": {identity.login(): ["user:operator", "group:hr"]}}


def test_a_document_that_cannot_be_read_any_more_counts_against_the_candidate(folder: Path) -> None:
    for number in range(len(TOPICS)):
        (folder / "docs" / f"d{number}.txt").write_bytes(b"\x00\x01\x02" * 50)
    report = index(folder).to_json()
    assert len(report["unreadable"]) == len(TOPICS)
    assert (report["gate"]["status"], report["gate"]["datasets"][0]["excluded"]) == ("failed", {})
    assert len(found(folder, "warden")) == len(TOPICS)  # the live one still answers


@pytest.mark.parametrize(("policy", "exit_code"), [({}, 0), ({"content": "hold"}, 9)])
def test_too_few_questions_promote_content_unless_told_to_hold(
    folder: Path, policy: dict[str, str], exit_code: int
) -> None:
    configure(folder, RULE | {"min_questions": 100, "on_inconclusive": policy})
    spoil(folder)
    report = index(folder)
    assert report.exit_code == exit_code
    assert report.sync.promoted is (exit_code == 0)
    assert report.to_json()["gate"]["status"] == "inconclusive"
    assert "the gate cannot tell, and a change of content is " in str(report.sync.reason)


@pytest.mark.parametrize(("policy", "exit_code"), [({}, 9), ({"configuration": "promote"}, 0)])
def test_too_few_questions_hold_another_configuration_unless_told_to_promote(
    folder: Path, policy: dict[str, str], exit_code: int
) -> None:
    rule = RULE | {"min_questions": 100, "on_inconclusive": policy}
    configure(folder, rule, chunk={"tokens": 100})
    report = index(folder)
    assert (report.exit_code, report.to_json()["gate"]["change"]) == (exit_code, "configuration")
    with ragflow.open(folder) as app:
        difference = app.compared(None, None, app.asker())
    assert {"key": "chunk.tokens", "a": 200, "b": 100} in difference["configuration"]


def test_the_live_one_is_measured_with_the_model_that_built_it(folder: Path) -> None:
    configure(folder, RULE, embed={"precision": "int8"})
    report = index(folder).to_json()
    assert (report["promoted"], report["gate"]["status"], report["gate"]["change"]) == (
        True,
        "passed",
        "configuration",
    )
    assert [one["failed"] for one in _sides(report)] == [0, 0]
    assert [one["mean"] for one in _sides(report)] == [1.0, 1.0]


def _sides(report: dict[str, Any]) -> list[dict[str, Any]]:
    (data,) = report["gate"]["datasets"]
    return [data[side]["metrics"]["nDCG@10"] for side in ("baseline", "candidate")]


def test_a_live_one_whose_model_is_gone_cannot_be_compared_and_holds(folder: Path) -> None:
    manifests = list((folder / ".ragflow" / "generations").glob("g-*.json"))
    for path in manifests:
        manifest = json.loads(path.read_text())
        manifest |= {"embedder": "a model of long ago", "state": "what it gave"}
        path.write_text(json.dumps(manifest))
    report = index(folder)
    assert report.exit_code == 9
    assert "The model that the live generation was built by is not there any more." in str(report.sync.reason)


def test_every_rule_must_agree_and_answers_can_be_a_rule(folder: Path) -> None:
    cases = [
        question(topic, number) | {"answer": text(topic).strip(), "answerable": True}
        for number, topic in enumerate(TOPICS)
    ]
    ask_for(folder, cases)
    configure(folder, RULE, RULE | {"metric": "token_F1"})
    for number, topic in enumerate(TOPICS):
        (folder / "docs" / f"d{number}.txt").write_text(f"The {topic} was painted green in the year 1999.\n")
    report = index(folder).to_json()
    assert [(one["metric"], one["status"]) for one in report["gate"]["checks"]] == [
        ("nDCG@10", "passed"),
        ("token_F1", "failed"),
    ]
    assert report["promoted"] is False
    assert len(report["gate"]["datasets"]) == 1  # one evaluation for both


def test_cases_are_asked_with_their_own_readers(folder: Path) -> None:
    cases = [question(topic, number) for number, topic in enumerate(TOPICS)]
    ask_for(folder, [case | {"readers": ["group:hr"]} for case in cases])
    source = {"type": "files", "path": "docs", "readers": ["group:hr"]}
    configure(folder, RULE, sources={"docs": source})
    (folder / "docs" / "more.txt").write_text("The canteen opens at noon.\n")
    report = index(folder).to_json()
    assert [one["mean"] for one in _sides(report)] == [1.0, 1.0]  # the actor itself may read nothing
    with ragflow.open(folder) as app:
        own, other = app.asker(), ragflow.identity.Asker("user:other", ("everyone",))
        assert app.compared(None, None, own)["gate"]["status"] == "passed"
        assert app.compared(None, None, other)["gate"] is None
        assert app.compared(None, None, own)["added"] == []


def test_a_gate_on_a_beir_folder(folder: Path) -> None:
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{number}", "title": "", "text": text(one)} for number, one in enumerate(TOPICS)]
    queries = [{"_id": f"q{number}", "text": f"{one} warden"} for number, one in enumerate(TOPICS)]
    (beir / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corpus))
    (beir / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
    qrels = "".join(f"q{number}\td{number}\t1\n" for number in range(len(TOPICS)))
    (beir / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}")
    source = {"type": "beir", "path": "beir", "readers": ["everyone"]}
    configure(folder, RULE | {"dataset": "beir"}, sources={"set": source})
    index(folder, gate=False, allow_deletes=True)
    kept = [one for number, one in enumerate(corpus) if number != 3]
    kept[0]["text"] = kept[0]["text"].replace("pump", "hose")
    (beir / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in kept))
    (beir / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}")
    report = index(folder).to_json()
    assert report["gate"]["datasets"][0]["kind"] == "beir"
    assert report["gate"]["datasets"][0]["excluded"] == {"q3": "its gold has left the sources: set/d3"}
    baseline, candidate = _sides(report)
    assert baseline["mean"] == 1.0 > candidate["mean"]


BROKEN = [
    ({"gates": []}, "ragflow.yaml has no gates"),
    ({"gates": [RULE | {"dataset": "absent.jsonl"}]}, "absent.jsonl"),
    ({"gates": [RULE | {"metric": "nDGC@10"}]}, "nDGC@10"),
    ({"gates": [RULE | {"dataset": "broken.jsonl"}]}, "broken.jsonl:2"),
]


@pytest.mark.parametrize(("sections", "message"), BROKEN)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_cannot_be_applied_is_told_before_anything_is_built(
    folder: Path, sections: dict[str, Any], message: str, *, dry_run: bool
) -> None:
    (folder / "broken.jsonl").write_text('{"id": "a", "question": "Who?"}\n{"id": "b", "question": 7}\n')
    configure(folder, **sections)
    (folder / "docs" / "d7.txt").unlink()
    with pytest.raises(RagflowError, match=message) as caught:
        index(folder, dry_run=dry_run)
    assert isinstance(caught.value, UsageError)
    assert caught.value.hint
    assert "docs/d7.txt" in found(folder, "lathe warden")  # not even the deletion was committed


def test_a_dry_run_evaluates_nothing(folder: Path) -> None:
    spoil(folder)
    report = index(folder, dry_run=True).to_json()
    assert (report["gate"], report["sources"]["docs"]["updated"]) == (None, len(TOPICS))


CHILD = """
import os, signal, sys
import ragflow
from ragflow.gate_runs import Bench

real = Bench.measure

def measure(self, *args, **options):
    found = real(self, *args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
    return found

Bench.measure = measure
with ragflow.open(sys.argv[1]) as app:
    app.index(gate=True)
"""


def test_killed_inside_the_gate_the_live_one_stays_and_the_next_run_goes_on(folder: Path) -> None:
    with ragflow.open(folder) as app:
        live = app.generations()[0]["generation"]
    (folder / "docs" / "more.txt").write_text("The canteen opens at noon.\n")
    (folder / "docs" / "d7.txt").unlink()
    command = [sys.executable, "-c", CHILD, str(folder)]
    died = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    with ragflow.open(folder) as app:
        (current,) = [one["generation"] for one in app.generations() if one["live"]]
        assert current == live
        waiting = app.generations()[0]["generation"]
    assert "docs/d7.txt" not in found(folder, "lathe warden")
    report = index(folder).to_json()
    assert (report["promoted"], report["generation"]) == (True, waiting)
    assert "docs/more.txt" in found(folder, "canteen noon")


def test_the_command_line_says_what_was_held_and_how_to_promote_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    assert main(["-C", str(folder), "index", "--gate"]) == 8
    out = capsys.readouterr().out
    assert "No new generation was promoted: the gate said no." in out
    assert "ragflow generations promote g-" in out
    assert main(["-C", str(folder), "generations", "diff"]) == 0
    out = capsys.readouterr().out
    assert "~ docs/d0.txt" in out
    assert "gate: failed, held: the gate said no." in out
    assert main(["-C", str(folder), "generations", "diff", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == [
        "schema",
        "a",
        "b",
        "added",
        "removed",
        "updated",
        "moved",
        "access_changed",
        "unchanged",
        "configuration",
        "gate",
    ]


def test_a_promoted_doubt_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(folder, RULE | {"min_questions": 100})
    spoil(folder)
    assert main(["-C", str(folder), "index", "--gate"]) == 0
    assert (
        "warning: the gate cannot tell, and a change of content is promoted then." in capsys.readouterr().err
    )
