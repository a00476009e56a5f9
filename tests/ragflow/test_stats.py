"""``stats`` counts what the records hold: each run once, only what the asker may see, nothing made up."""

import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.engine import make_url

import ragflow
from ragflow.cli import main
from ragflow.errors import UsageError
from ragflow.identity import login
from ragflow.records import Run, canonical, timestamp
from ragflow.runs import RunStore
from ragflow.watching.stats import beginning
from ragflow.watching.tallies import Tally, keys, percentiles
from ragflow.workflows.database import Database
from ragflow.workflows.errors import DatabaseGone
from ragflow.workflows.tables import flows, requests

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def step(name, ms=10, *, kind=None, attempt=1, status="ok", output=None, usd=0.0, tokens=0):
    basic = {
        "name": name,
        "attempt": attempt,
        "started_ms": 0,
        "ms": ms,
        "status": status,
        "input_digest": "",
    }
    shown = {**basic, "output": output, "cost_usd": usd, "tokens": tokens}
    return shown if kind is None else {**shown, "kind": kind}


def answer(
    outcome="answered", *, reason=None, model=None, rule=None, sources=("docs",), rejected=(), ms=50.0
):
    return {
        "schema": "ragflow.ask/1", "outcome": outcome, "reason": reason, "model": model,
        "claims": [] if reason else [{"text": "x", "citations": [1]}], "citations": [], "related": [],
        "route": {"rule": rule, "sources": list(sources), "workflow": "answer"},
        "rejected": [{"finding": one} for one in rejected], "timings_ms": {"total": ms},
    }  # fmt: skip


_number = iter(range(10**9))


def a_run(kind="ask", *, steps=(), output=None, actor="user:mia", at=NOW, **keys):
    outcome = (output or {}).get("outcome") if kind == "ask" else "done"
    basic = Run(
        run=f"r-20261120T120000-{next(_number):06x}", kind=kind, created=timestamp(at), actor=(actor,),
        status="done", outcome=outcome, exit_code=0, config_digest="c", generation=None, version="0.1.0",
        input={"workflow": "support"} if kind == "workflow" else {"question": "?"},
        output=output or {}, steps=tuple(steps),
    )  # fmt: skip
    return replace(basic, **keys)


def tallied(*runs):
    tally = Tally()
    for run in runs:
        tally.add(run)
    return tally.to_json()


# -- what is counted -----------------------------------------------------------------------------


def test_success_is_an_answer_in_whole_or_part_or_a_workflow_that_is_done():
    outcomes = ["answered", "answered", "partial", "conflicting", "not_found", "blocked"]
    asks = [a_run(output=answer(one, reason="no_hits" if one == "not_found" else None)) for one in outcomes]
    flows_ = [
        a_run("workflow"),
        a_run("workflow", outcome="refunded"),
        a_run("workflow", outcome="not_found", exit_code=6),
        a_run("workflow", status="failed", outcome="rejected", exit_code=8,
              output={"error": {"type": "NotApproved"}}),
        a_run("workflow", status="cancelled", outcome="cancelled"),
    ]  # fmt: skip
    found = tallied(*asks, *flows_)
    assert (found["runs"], found["succeeded"], found["success"]) == (11, 5, round(5 / 11, 4))
    assert found["kinds"] == {"ask": 6, "workflow": 5}
    assert found["outcomes"]["answered"] == 2
    assert found["refusals"] == {"no_hits": 1}
    assert found["errors"] == {"NotApproved": 1}


def test_cost_of_a_success_counts_what_failed_too():
    paid = [step("generate", usd=0.02, tokens=100)]
    found = tallied(
        a_run(output=answer(), steps=paid),
        a_run(output=answer("not_found", reason="no_valid_claim"), steps=paid),
        a_run("workflow", status="failed", exit_code=1, steps=[step("model", kind="model", usd=0.04)]),
    )
    assert (found["cost_usd"], found["cost_per_success_usd"], found["tokens"]) == (0.08, 0.08, 200)


def test_without_a_success_there_is_no_cost_of_one():
    found = tallied(a_run(output=answer("blocked"), steps=[step("generate", usd=0.02)]))
    assert (found["cost_usd"], found["cost_per_success_usd"], found["success"]) == (0.02, None, 0.0)


def drafts(*models):
    return [step("generate", attempt=at + 1, output={"model": one}) for at, one in enumerate(models)]


@pytest.mark.parametrize(
    ("models", "retries", "fallbacks"),
    [
        ([], 0, 0),
        ([None], 0, 0),
        (["a"], 0, 0),
        (["a", "a"], 1, 0),
        (["a", "a", "b"], 1, 1),
        (["a", "b", None], 0, 2),
        (["a", "a", "b", "b", None], 2, 2),
    ],
)
def test_a_model_told_its_faults_is_a_retry_and_another_one_a_fallback(models, retries, fallbacks):
    found = tallied(a_run(output=answer(), steps=drafts(*models)))
    assert (found["retries"], found["fallbacks"]) == (retries, fallbacks)


def test_of_a_workflow_further_tries_are_retries_and_its_fallback_steps_fallbacks():
    steps = [step("send", kind="step", attempt=3, status="failed"), step("send.fallback", kind="step")]
    found = tallied(a_run("workflow", steps=steps))
    assert (found["retries"], found["fallbacks"]) == (2, 1)


def test_findings_come_from_the_validator_of_questions_and_of_workflows():
    validate = step("validate", output={"claims": 1, "rejected": ["fabricated", "unsupported"]})
    asked = step("ask", kind="ask", output={"answer": answer(rejected=["unsupported"]), "tape": None})
    other = step("validate", kind="step", output={"rejected": ["of the author's own"]})
    found = tallied(a_run(output=answer(), steps=[validate]), a_run("workflow", steps=[asked, other]))
    assert found["findings"] == {"unsupported": 2, "fabricated": 1}


def test_a_run_takes_as_long_as_it_worked_not_as_long_as_it_waited():
    waited = [step("request refund", 5, kind="approval"), replace_start(step("tool refund", 20, kind="tool"))]
    found = tallied(
        a_run("workflow", steps=waited), a_run(output=answer(ms=75.0), steps=[step("search", 60)])
    )
    assert found["latency_ms"]["run"] == {"n": 2, "p50": 50.0, "p95": 72.5}
    assert found["latency_ms"]["steps"]["search"] == {"n": 1, "p50": 60.0, "p95": 60.0}


def replace_start(shown):
    return {**shown, "started_ms": 86_400_000}


def test_what_has_expired_is_counted_without_its_contents():
    kept = [step("generate", 30, usd=0.5, output=None)]
    found = tallied(a_run(output=None, input=None, steps=kept, outcome="answered"))
    assert (found["runs"], found["succeeded"], found["cost_usd"]) == (1, 1, 0.5)
    assert found["latency_ms"]["run"]["p50"] == 30.0


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([], None, None), ([7], 7.0, 7.0), ([3, 3, 3], 3.0, 3.0), ([0, 10], 5.0, 9.5), ([1, 2, 100], 2.0, 90.2)],
)
def test_percentiles_of_none_one_ties_and_few(values, p50, p95):
    assert percentiles(values) == {"n": len(values), "p50": p50, "p95": p95}


def test_a_run_is_in_the_group_of_each_source_model_and_route_that_it_used():
    two = answer(model="m", rule="pay", sources=("hr", "it"))
    asked = step("ask", kind="ask", output={"answer": answer(rule="trips", sources=("it",))})
    chose = step("model", kind="model", output={"model": "n"})
    flow = a_run("workflow", steps=[asked, chose])
    assert keys(a_run(output=two), "source") == {"hr", "it"}
    assert keys(a_run(output=two), "model") == {"m"}
    assert keys(flow, "model") == {"extractive", "n"}
    assert keys(flow, "route") == {"trips"}
    assert keys(flow, "workflow") == {"support"}
    assert keys(a_run(output=two), "workflow") == {"answer"}
    refused = a_run(output=answer("not_found", reason="no_hits", sources=()))
    assert [keys(refused, by) for by in ("model", "source", "route")] == [{None}] * 3
    assert keys(flow, "day") == {"2026-11-20"}


made = st.builds(
    lambda kind, outcome, day, cost, tries, source: a_run(
        kind,
        output=answer(outcome, sources=(source,)) if kind == "ask" else {},
        at=NOW + timedelta(days=day),
        steps=[step("a", tries, kind="step", usd=cost, attempt=tries)],
    ),
    st.sampled_from(["ask", "workflow"]),
    st.sampled_from(["answered", "partial", "conflicting", "not_found"]),
    st.integers(0, 3),
    st.floats(0, 10, allow_nan=False),
    st.integers(1, 4),
    st.sampled_from(["hr", "it"]),
)


@given(st.lists(made, max_size=12))
def test_the_days_add_up_to_the_whole_and_all_of_it_is_json(runs):
    whole, days = tallied(*runs), {}
    for run in runs:
        [day] = keys(run, "day")
        days.setdefault(day, Tally()).add(run)
    parts = [one.to_json() for one in days.values()]
    for key in ("runs", "succeeded", "retries", "fallbacks", "tokens"):
        assert sum(one[key] for one in parts) == whole[key]
    assert sum(one["cost_usd"] for one in parts) == pytest.approx(whole["cost_usd"], abs=1e-6)
    json.dumps([whole, *parts], allow_nan=False)


# -- since ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("90m", "2026-11-20T10:30:00Z"),
        ("12h", "2026-11-20T00:00:00Z"),
        ("7d", "2026-11-13T12:00:00Z"),
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        ("2026-11-01T08:00:00+02:00", "2026-11-01T06:00:00Z"),
        ("2026-11-01 08:00", "2026-11-01T08:00:00Z"),
    ],
)
def test_since_is_a_length_of_time_or_a_day(written, meant):
    assert beginning(written, NOW) == meant


@pytest.mark.parametrize("written", ["", "yesterday", "7", "0d", "-1d", "2026-13-01", "999999d"])
def test_anything_else_is_refused(written):
    with pytest.raises(UsageError, match="neither a length of time nor a day"):
        beginning(written, datetime(3, 1, 1, tzinfo=UTC))


# -- whose runs ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """A folder whose actor is mia, with a document that everyone reads and one that only lea reads."""
    tmp_path = tmp_path_factory.mktemp("counted")
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(
            "# Leave\n\nEvery employee gets 28 days of paid leave a year.\n"
        )
    lines = [
        "version: 1",
        "sources:",
        "  open: {type: files, path: open, readers: [everyone]}",
        "  closed: {type: files, path: closed, readers: [user:lea]}",
        f"identity: {{principals: {{{login()}: [user:mia]}}, auditors: []}}",
    ]
    (tmp_path / "ragflow.yaml").write_text("\n".join(lines) + "\n")
    assert main(["-C", str(tmp_path), "index"]) == 0
    (tmp_path / ".ragflow" / "runs.sqlite").unlink()
    for left in (tmp_path / ".ragflow").glob("runs.sqlite-*"):
        left.unlink()
    return tmp_path


@pytest.fixture
def workspace(indexed, tmp_path, clone):
    """A copy of it, without any run."""
    return clone(indexed, tmp_path / "copy")


def store(folder):
    return RunStore(folder / ".ragflow" / "runs.sqlite")


def shown(folder, capsys, *flags):
    capsys.readouterr()
    code = main(["-C", str(folder), "stats", "--json", *flags])
    return code, json.loads(capsys.readouterr().out)


def citing(document):
    cited = {"id": 1, "document": document, "revision": "r", "quote": "q"}
    return {**answer(), "citations": [cited]}


def test_only_what_the_asker_may_see_is_counted(workspace, capsys):
    for run in (
        a_run(output=citing("open/a.md")),
        a_run(output=citing("closed/a.md")),
        a_run(output=citing("open/a.md"), actor="user:lea"),
    ):
        store(workspace).add(run)
    code, found = shown(workspace, capsys)
    assert (code, found["runs"], found["actor"]) == (0, 1, "user:mia")


def test_an_auditor_counts_the_runs_of_all_that_he_may_read(workspace, capsys):
    file = workspace / "ragflow.yaml"
    file.write_text(file.read_text().replace("auditors: []", f"auditors: [{login()}]"))
    for run in (
        a_run(output=citing("open/a.md")),
        a_run(output=citing("open/a.md"), actor="user:lea"),
        a_run(output=citing("closed/a.md"), actor="user:lea"),
    ):
        store(workspace).add(run)
    code, found = shown(workspace, capsys)
    assert (code, found["runs"], found["actor"]) == (0, 2, None)


def test_figures_are_the_same_bytes_with_and_without_a_run_that_is_hidden(workspace, capsys):
    store(workspace).add(a_run(output=citing("open/a.md")))
    alone = shown(workspace, capsys, "--by", "source")
    store(workspace).add(a_run(output=citing("closed/a.md"), steps=[step("generate", usd=1.0)]))
    assert shown(workspace, capsys, "--by", "source") == alone


def test_runs_that_are_no_tasks_are_counted_apart(workspace, capsys):
    assert main(["-C", str(workspace), "index"]) == 0
    _, found = shown(workspace, capsys)
    assert (found["runs"], found["other"]) == (0, {"index": 1})


def test_since_leaves_out_what_is_older(workspace, capsys):
    for days in (0, 1, 2):
        store(workspace).add(a_run(output=answer(), at=NOW + timedelta(days=days)))
    _, found = shown(workspace, capsys, "--since", "2026-11-21", "--by", "day")
    assert found["runs"] == 2
    assert [one["key"] for one in found["groups"]] == ["2026-11-21", "2026-11-22"]


def test_looking_makes_nothing_and_says_that_there_is_nothing(workspace, capsys):
    before = sorted(workspace.rglob("*"))
    capsys.readouterr()
    assert main(["-C", str(workspace), "stats"]) == 0
    assert capsys.readouterr() == ("No question and no workflow of user:mia is recorded.\n", "")
    code, found = shown(workspace, capsys)
    assert (code, found["runs"], found["success"], found["groups"]) == (0, 0, None, [])
    assert found["approvals"]["waited_s"] == {"n": 0, "p50": None, "p95": None}
    assert sorted(workspace.rglob("*")) == before


def test_what_is_no_time_is_a_usage_error(workspace, capsys):
    code, found = shown(workspace, capsys, "--since", "yesterday")
    assert (code, found["error"]["type"]) == (2, "UsageError")


def test_records_are_read_one_at_a_time(workspace):
    many, size = 200, 50_000
    for _ in range(many):
        store(workspace).add(a_run("workflow", output={"text": "x" * size}))
    with ragflow.open(workspace) as app:
        asker = app.asker()
        app.stats(asker, since="2999-01-01")
        tracemalloc.start()
        try:
            assert app.stats(asker)["runs"] == many
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < many * size / 2


# -- approvals, and runs that are not over -------------------------------------------------------


def a_request(status="pending", *, waited=None, actor="user:mia", expires="2999-01-01T00:00:00Z"):
    decided = None if waited is None else timestamp(NOW + timedelta(seconds=waited))
    return {
        "approval": f"a-{next(_number)}", "run": "r-1", "call": "1", "kind": "action", "status": status,
        "tool": "refund", "effect": "write", "arguments": "{}", "digest": "", "policy": "", "actor": actor,
        "approvers": "[]", "four_eyes": True, "created": timestamp(NOW), "expires": expires,
        "decided": decided, "screen": "{}",
    }  # fmt: skip


def a_flow(status, *, actor="user:mia", record=None, run=None):
    return {
        "run": run or f"r-{next(_number)}", "workflow": "support", "created": timestamp(NOW),
        "actor": json.dumps([actor]), "status": status, "exit_code": 0, "source_digest": "",
        "config_digest": "", "policy": "", "version": "", "input": "{}", "record": record,
    }  # fmt: skip


def put(database, table, *rows):
    with database.begin() as connection:
        for row in rows:
            connection.execute(insert(table).values(**row))


def test_waiting_is_from_the_request_to_the_decision_of_a_person(workspace, capsys):
    with Database.of_file(workspace / ".ragflow" / "runs.sqlite") as database:
        put(
            database, requests,
            a_request("executed", waited=60),
            a_request("rejected", waited=120),
            a_request("revised", waited=180),
            a_request("expired", waited=259_200),
            a_request(),
            a_request(expires="2026-11-20T12:00:01Z"),
            a_request(actor="user:lea"),
        )  # fmt: skip
        put(database, flows, a_flow("running"), a_flow("waiting"), a_flow("waiting", actor="user:lea"))
    code, found = shown(workspace, capsys)
    assert code == 0
    assert found["approvals"] == {
        "requests": 6,
        "statuses": {"executed": 1, "expired": 2, "pending": 1, "rejected": 1, "revised": 1},
        "pending": 1,
        "waited_s": {"n": 3, "p50": 120.0, "p95": 174.0},
    }
    assert found["live"] == {"running": 1, "waiting": 1}


def test_what_waits_now_is_told_however_old_it_is(workspace, capsys):
    with Database.of_file(workspace / ".ragflow" / "runs.sqlite") as database:
        put(database, requests, a_request(), a_request("executed", waited=60))
    _, found = shown(workspace, capsys, "--since", "2026-12-01")
    assert (found["approvals"]["requests"], found["approvals"]["pending"]) == (0, 1)


def test_a_server_s_runs_are_counted_once_wherever_they_ended(workspace, capsys, postgres, monkeypatch):
    url = make_url(postgres.database())
    monkeypatch.setenv("DATABASE_PASSWORD", url.password)
    plain = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    here, there, other = a_run("workflow"), a_run("workflow"), a_run("workflow", actor="user:lea")
    store(workspace).add(here)
    with Database.of_url(plain, url.password) as database:
        rows = [a_flow("done", run=one.run, record=canonical(one.to_json())) for one in (here, there, other)]
        put(database, flows, *rows, a_flow("running"))
    flags = ["--set", f"database.url={plain}", "--set", "database.password_env=DATABASE_PASSWORD"]
    capsys.readouterr()
    assert main(["-C", str(workspace), *flags, "stats", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["live"]) == (2, {"running": 1, "waiting": 0})


def test_a_server_that_does_not_answer_is_an_outside_cause(workspace):
    with (
        ragflow.open(workspace, overrides=["database.url=postgresql://me@127.0.0.1:9/none"]) as app,
        pytest.raises(DatabaseGone),
    ):
        app.stats(app.asker())


# -- what is printed -----------------------------------------------------------------------------

PAGE = """\
Runs of user:mia

runs        4 (3 ask, 1 workflow)
success     2 of 4 (50.0%)
outcomes    1 answered, 1 not_found, 1 partial, 1 rejected
refusals    1 low_confidence
errors      1 NotApproved
findings    1 number_mismatch
retries     1, and 1 fallback
cost        $0.0300, $0.0150 for each success; 120 tokens
approvals   2 asked (1 pending, 1 rejected); 1 wait now
waited      half of them up to 90 min, 95 % up to 90 min
now         0 running, 1 waiting

step            times    p50 ms    p95 ms
whole run           4        75     1,120
generate            3       200       290
tool refund         1     1,300     1,300
validate            1        10        10

route       runs   success   refused    p50 ms    p95 ms    $ each
pay            2     50.0%         1        75        98    0.0300
(none)         2     50.0%         0       675     1,238    0.0000
"""


def test_the_page_at_80_columns(workspace, capsys):
    draft = drafts("a", "a", None)
    draft = [{**one, "ms": ms} for one, ms in zip(draft, (100, 200, 300), strict=True)]
    draft[0] |= {"cost_usd": 0.03, "tokens": 120}
    validate = step("validate", output={"claims": 0, "rejected": ["number_mismatch"]})
    for run in (
        a_run(output=answer(rule="pay", ms=100), steps=[*draft, validate]),
        a_run(output=answer("not_found", reason="low_confidence", rule="pay")),
        a_run(output=answer("partial")),
        a_run("workflow", status="failed", outcome="rejected", exit_code=8,
              output={"error": {"type": "NotApproved"}}, steps=[step("tool refund", 1_300, kind="tool")]),
    ):  # fmt: skip
        store(workspace).add(run)
    with Database.of_file(workspace / ".ragflow" / "runs.sqlite") as database:
        put(database, requests, a_request(), a_request("rejected", waited=5_400))
        put(database, flows, a_flow("waiting"))
    capsys.readouterr()
    assert main(["-C", str(workspace), "stats", "--by", "route"]) == 0
    page = capsys.readouterr().out
    assert page == PAGE
    assert max(map(len, page.splitlines())) <= 80


def test_names_of_others_cannot_reach_the_terminal_or_break_the_table(workspace, capsys):
    long = "a\x1b[31m" + "b" * 300
    run = a_run("workflow", steps=[step(long, kind="step")], input={"workflow": long}, outcome=long)
    store(workspace).add(run)
    capsys.readouterr()
    assert main(["-C", str(workspace), "stats", "--by", "workflow"]) == 0
    page = capsys.readouterr().out
    assert "\x1b" not in page
    assert max(map(len, page.splitlines())) <= 80
