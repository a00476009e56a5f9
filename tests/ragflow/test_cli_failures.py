"""``sources failures``, ``sources retry`` and the plan of ``index``: what is printed, where, for whom."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from indexes.report import SourceReport, SyncPlan
from ragflow.cli import main
from ragflow.cli.plans import failures, planned, size

CONFIG = """\
version: 1
sources:
  open: {type: files, path: open, readers: [everyone]}
  closed: {type: files, path: closed, readers: ["group:board"]}
  hidden: {type: files, path: hidden, readers: ["group:board"]}
identity:
  principals: {LOGIN: ["user:mia", "group:board"]}
  impersonate: [LOGIN]
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources: each holds a file that cannot be read; ``hidden`` holds no other."""
    from ragflow import identity

    folder = tmp_path_factory.mktemp("failing")
    for name in ("open", "closed", "hidden"):
        (folder / name).mkdir()
        (folder / name / "empty.md").write_text("")
    (folder / "open" / "leave.md").write_text("# Leave\n\nAn employee gets 28 days of annual leave.\n")
    (folder / "closed" / "plan.md").write_text("# Plan\n\nThe board plans to move to the harbour.\n")
    (folder / "ragflow.yaml").write_text(CONFIG.replace("LOGIN", identity.login() or "nobody"))
    assert main(["-C", str(folder), "index"]) == 0
    return folder


@pytest.fixture
def run(workspace: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        capsysbinary.readouterr()
        code = main(["-C", str(workspace), *arguments])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def listed(text: str) -> list[str]:
    return [json.loads(line)["document"] for line in text.splitlines()]


def test_a_failure_is_one_object_a_line(run: Run) -> None:
    code, out, _ = run("sources", "failures", "open", "--json")
    [one] = map(json.loads, out.splitlines())
    assert code == 0
    assert one == {
        "schema": "ragflow.failure/1",
        "document": "open/empty.md",
        "reason": "empty",
        "hint": "the file holds no text: leave it out with `exclude`, or fill it",
        "tries": one["tries"],
        "since": one["since"],
        "last": one["last"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["since"])


def test_only_those_are_listed_that_the_asker_may_know_of(run: Run) -> None:
    # A source without any readable text is not there, not even for those who could read it.
    assert listed(run("sources", "failures", "--json")[1]) == ["closed/empty.md", "open/empty.md"]
    assert listed(run("sources", "failures", "--json", "--as", "user:x")[1]) == ["open/empty.md"]
    forbidden = run("sources", "failures", "closed", "--as", "user:x")
    absent = run("sources", "failures", "absent", "--as", "user:x")
    assert forbidden[0] == absent[0] == 2
    assert forbidden[2].replace("closed", "absent") == absent[2]


def test_the_list_for_people(run: Run) -> None:
    lines = run("sources", "failures", "open")[1].splitlines()
    assert lines[0].split() == ["document", "reason", "tries", "since"]
    assert lines[1].split()[:2] == ["open/empty.md", "empty"]
    assert lines[2] == "empty: the file holds no text: leave it out with `exclude`, or fill it"
    assert list(failures([])) == ["Everything that you may read could be read."]


def test_reading_again_reads_what_failed_and_is_recorded(run: Run) -> None:
    [before] = map(json.loads, run("sources", "failures", "open", "--json")[1].splitlines())
    code, out, _ = run("sources", "retry", "open/empty.md", "--json")
    report = json.loads(out)
    assert (code, report["schema"], list(report["sources"])) == (0, "ragflow.index/1", ["open"])
    assert (report["sources"]["open"]["updated"], report["sources"]["open"]["deleted"]) == (1, 0)
    [after] = map(json.loads, run("sources", "failures", "open", "--json")[1].splitlines())
    assert after["tries"] == before["tries"] + 1
    assert after["since"] == before["since"]
    recorded = json.loads(run("runs", "show", report["run"], "--json")[1])
    assert (recorded["kind"], recorded["input"]["again"]) == ("index", ["open/empty.md"])


def test_all_that_failed_is_read_again_without_a_name(run: Run) -> None:
    report = json.loads(run("sources", "retry", "--source", "closed", "--source", "open", "--json")[1])
    assert sorted(report["sources"]) == ["closed", "open"]
    assert "unreadable" in run("sources", "retry")[1]


def test_what_did_not_fail_is_not_found(run: Run) -> None:
    code, _, err = run("sources", "retry", "open/leave.md")
    assert (code, err.splitlines()[0]) == (6, "error: not found among what failed: open/leave.md")


def test_the_plan_stands_on_stderr_before_the_report(run: Run, workspace: Path) -> None:
    (workspace / "open" / "new.md").write_text("# New\n\nShoes are worn in the warehouse.\n")
    code, out, err = run("index")
    assert code == 0
    heads = "source add update delete moved access unreadable unchanged size time"
    assert err.splitlines()[0].split() == heads.split()
    assert err.splitlines()[1].split()[:9] == ["open", "1", "0", "0", "0", "0", "1", "2", "40"]
    assert out.startswith("source")
    assert run("index", "--json")[2] == ""


def test_a_dry_run_prints_the_plan_alone(run: Run) -> None:
    code, out, err = run("index", "--dry-run")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "Nothing was changed; an index run would do this:"
    assert out.splitlines()[1].split()[:4] == ["source", "add", "update", "delete"]
    assert out.splitlines()[-1] == "It would take less than a second."


def test_what_was_deleted_is_told_to_be_proven_gone(run: Run, workspace: Path) -> None:
    for number in range(2):
        (workspace / "open" / f"old-{number}.md").write_text(f"# Old\n\nFolder {number} is old.\n")
    run("index")
    for number in range(2):
        (workspace / "open" / f"old-{number}.md").unlink()
    assert "2 deleted documents are proven to be gone" in run("index")[1]
    assert json.loads(run("index", "--json")[1])["proven_deleted"] == 0


def test_a_plan_says_why_a_source_is_left_as_it_is() -> None:
    plan = SyncPlan(
        {
            "hr": SourceReport("ok", added=1_200, updated=3, bytes=2_500_000, unchanged=9),
            "crm": SourceReport("failed", error="no answer", hint="try again"),
        },
        {"hr": 75.0},
    )
    assert list(planned(plan)) == [
        "source  add   update  delete  moved  access  unreadable  unchanged  size    time",
        "hr      1200       3       0      0       0           0          9  2.5 MB  1 min 15 s",
        "crm        0       0       0      0       0           0          0  0 B",
        "crm failed: no answer",
        "  hint: try again",
    ] or list(planned(plan))[3:] == ["crm failed: no answer", "  hint: try again"]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (2_500_000, "2.5 MB"), (3 * 10**12, "3000.0 GB")],
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert size(count) == words
