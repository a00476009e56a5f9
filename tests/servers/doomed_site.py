"""A workspace whose workflow does four things to an ``EffectServer``, one of them after a person agreed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from doomed import Doomed, Ended
from effect_server import EffectServer

MODULE = '''
"""Does four things, each once."""

from pydantic import BaseModel

from ragflow.workflows import Flow, NotApproved, Unsettled, workflow


class Given(BaseModel):
    name: str


@workflow("chain", takes=Given)
def chain(flow: Flow, given: Given) -> dict:
    """Do four things."""
    name = flow.step("prepare", str.upper, given.name)
    flow.tool("keyed", what=f"{name} keyed")
    flow.now()
    try:
        agreed = flow.tool("guarded", what=f"{name} guarded", amount=140)
    except NotApproved as refused:
        return {"outcome": refused.status, "name": name}
    flow.step("between", len, name)
    flow.tool("askable", what=f"{name} askable")
    try:
        flow.tool("blind", what=f"{name} blind")
        left = False
    except Unsettled:
        left = True
    return {"outcome": "done", "name": name, "agreed": agreed, "left": left}
'''

CONFIG = """\
version: 1
sources:
  docs: {{type: files, path: docs, readers: [everyone]}}
identity:
  principals:
    mia: [user:mia, group:support]
    lea: [user:lea, group:leads]
outbound: {{allow: [127.0.0.1]}}
database: {{url: {database}, password_env: {password_env}}}
workflows: [chain_workflow]
tools:
  keyed:
    http: {{url: "{url}/do", arguments: {{what: {{type: string}}}}, body: {{what: {{argument: what}}}},
      key_header: Idempotency-Key}}
    effect: write
    roles: [group:support]
  guarded:
    http: {{url: "{url}/do", arguments: {{what: {{type: string}}, amount: {{type: number}}}},
      body: {{what: {{argument: what}}, amount: {{argument: amount}}}}, key_header: Idempotency-Key}}
    effect: write
    roles: [group:support]
  askable:
    http: {{url: "{url}/blind", arguments: {{what: {{type: string}}}}, body: {{what: {{argument: what}}}},
      key_header: Idempotency-Key, ask: {{url: "{url}/state"}}}}
    effect: write
    roles: [group:support]
  blind:
    http: {{url: "{url}/blind", arguments: {{what: {{type: string}}}}, body: {{what: {{argument: what}}}}}}
    effect: write
    roles: [group:support]
approvals:
  - {{when: {{tool: guarded, amount_over: 100}}, approvers: [group:leads], four_eyes: true, expires: 72h}}
  - {{when: {{effect: write}}, skip: true}}
"""
MIA, LEA = {"DOOMED_LOGIN": "mia"}, {"DOOMED_LOGIN": "lea"}


class Site:
    """One workspace and the server that its tools reach."""

    def __init__(
        self, folder: Path, server: EffectServer, *, database: str | None, password: str | None
    ) -> None:
        self.folder, self.server = folder, server
        (folder / "docs").mkdir(parents=True)
        (folder / "docs" / "leave.md").write_text("# Leave\n\nEmployees get 28 days of leave.\n")
        (folder / "chain_workflow.py").write_text(MODULE)
        named = "null" if database is None else f'"{database}"'
        (folder / "ragflow.yaml").write_text(
            CONFIG.format(
                url=server.url, database=named, password_env="DOOMED_PASSWORD" if password else "null"
            )
        )
        self.environ = {"DOOMED_PASSWORD": password} if password else {}

    def __call__(self, doomed: Doomed, *argv: object, who: dict[str, str] = MIA, **kill: Any) -> Ended:
        return doomed.run(["-C", self.folder, *argv], environ={**self.environ, **who}, **kill)

    def start(self, doomed: Doomed, name: str, *, detach: bool = False, **kill: Any) -> Ended:
        flags = ["--json", *(["--detach"] if detach else [])]
        return self(doomed, "run", "chain", "--input", json.dumps({"name": name}), *flags, **kill)

    def run_of(self, doomed: Doomed, name: str) -> str | None:
        """The run of that name, if it was begun."""
        rows = self(doomed, "runs", "list", "--limit", "1000", "--json").out.splitlines()
        found = [one["run"] for one in map(json.loads, rows) if one["input"]["input"]["name"] == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    def record(self, doomed: Doomed, run: str) -> dict[str, Any]:
        shown = self(doomed, "runs", "show", run, "--json")
        assert shown.code == 0, shown
        return shown.json()

    def open(self, doomed: Doomed) -> list[str]:
        """The runs of mia that have not ended."""
        rows = self(doomed, "runs", "list", "--limit", "1000", "--json").out.splitlines()
        return [one["run"] for one in map(json.loads, rows) if one["status"] in ("running", "waiting")]

    def pending(self, doomed: Doomed, run: str | None) -> list[dict[str, Any]]:
        """What waits for a decision: of one run, or of all."""
        listed = [self(doomed, "approvals", "list", "--json", who=who).out for who in (LEA, MIA)]
        found = {one["approval"]: one for out in listed for one in map(json.loads, out.splitlines())}
        return [one for one in found.values() if run in (None, one["run"]) and one["status"] == "pending"]

    def decide(
        self,
        doomed: Doomed,
        one: dict[str, Any],
        verdict: str = "approve",
        *,
        detach: bool = False,
        **kill: Any,
    ) -> Ended:
        """Let who may decide; of what nobody can tell they look at the server first."""
        if one["kind"] == "unsettled":
            verdict = "reject" if self.server.done[one["arguments"]["what"]] else "approve"
        flags = ["--digest", one["digest"], "--json", *(["--detach"] if detach else [])]
        who = MIA if one["approvers"] == ["user:mia"] else LEA
        return self(doomed, "approvals", verdict, one["approval"], *flags, who=who, **kill)

    def carry(self, doomed: Doomed, run: str, verdict: str = "approve") -> dict[str, Any]:
        """Resume and decide until the run has ended; return its record."""
        for _ in range(20):
            record = self.record(doomed, run)
            if record["status"] in ("done", "failed", "cancelled"):
                return record
            asked = self.pending(doomed, run)
            for one in asked:
                self.decide(doomed, one, verdict)
            if not asked:
                self(doomed, "runs", "resume", run)
        raise AssertionError(f"the run never ended: {self.record(doomed, run)}")

    def done(self, name: str) -> Counter[str]:
        """How often each thing of a run was done."""
        prefix = f"{name.upper()} "
        found = Counter()
        for what, count in self.server.done.items():
            if what.startswith(prefix):
                found[what.removeprefix(prefix)] += count
        return found
