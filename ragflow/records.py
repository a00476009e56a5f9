"""The value of one run, the object ``ragflow.run/1``, and the digests that keep it honest."""

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ragflow.answers import Answer
from ragflow.naming import cited, names

SCHEMA = "ragflow.run/1"
FIRST = "0" * 64  # what the first run of all has as ``previous``

Status = Literal["running", "waiting", "done", "failed", "cancelled"]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One recorded execution.

    ``actor``: the acting user first, then its groups; the run belongs to ``actor[0]``. ``input`` and
    ``output`` are None when expired. ``erased`` holds the original digests of contents that were
    rewritten or removed later, by slot: ``input``, ``output``, ``steps.0`` and so on.
    ``policy``: the digest of the rules that decided. ``tape``: the digest of what the run took from outside
    (see ``replaying``). Each is None where there is none. ``previous`` and ``digest`` are set by
    ``RunStore.add``.
    """

    run: str
    kind: str
    created: str
    actor: tuple[str, ...]
    status: Status
    outcome: str | None
    exit_code: int
    config_digest: str
    generation: str | None
    version: str
    input: Json | None
    output: Json | None
    steps: tuple[Json, ...] = ()
    approvals: tuple[Json, ...] = ()
    previous: str = ""
    digest: str = ""
    erased: Mapping[str, str] | None = None
    policy: str | None = None
    tape: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.run/1``; ``policy``, ``tape``, ``erased`` only where there is one."""
        shown = {
            "schema": SCHEMA,
            "run": self.run,
            "kind": self.kind,
            "created": self.created,
            "actor": list(self.actor),
            "status": self.status,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "config_digest": self.config_digest,
            "generation": self.generation,
            "version": self.version,
            "input": self.input,
            "steps": [dict(step) for step in self.steps],
            "output": self.output,
            "approvals": [dict(approval) for approval in self.approvals],
            "previous": self.previous,
            "digest": self.digest,
        }
        given = {"policy": self.policy, "tape": self.tape, "erased": self.erased and dict(self.erased)}
        return shown | {key: value for key, value in given.items() if value is not None}

    @classmethod
    def from_json(cls, shown: Json) -> "Run":
        """Build a run from its object. Raises ``KeyError`` or ``TypeError`` when it is not one."""
        fields = {key: value for key, value in shown.items() if key != "schema"}
        for key in ("actor", "steps", "approvals"):
            fields[key] = tuple(fields[key])
        return cls(**fields)


def blank(
    kind: str,
    *,
    actor: Sequence[str],
    created: str,
    generation: str | None,
    config_digest: str,
    version: str,
) -> Run:
    """Return a run that is done, with nothing in it yet. ``actor``: the acting user first."""
    return Run(
        run=new_id("r"),
        kind=kind,
        created=created,
        actor=tuple(actor),
        status="done",
        outcome=None,
        exit_code=0,
        config_digest=config_digest,
        generation=generation,
        version=version,
        input={},
        output={},
    )


def asked(
    answer: Answer,
    *,
    actor: Sequence[str],
    steps: Sequence[Json],
    config_digest: str,
    version: str,
) -> Run:
    """Return the run of an answer, which bears its id. ``actor``: the acting user first."""
    if answer.run is None:
        raise AssertionError("an answer without a run cannot be recorded")
    return Run(
        run=answer.run,
        kind="ask",
        created=answer.created,
        actor=tuple(actor),
        status="done",
        outcome=answer.outcome,
        exit_code=answer.exit_code,
        config_digest=config_digest,
        generation=answer.generation,
        version=version,
        input={"question": answer.question},
        output=answer.to_json(),
        steps=tuple(steps),
    )


def new_id(prefix: str = "r", *, now: datetime | None = None) -> str:
    """Return a fresh id: prefix, UTC to the second, six random hex digits."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{prefix}-{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def timestamp(now: datetime | None = None) -> str:
    """Return a moment as every JSON object shows it: ISO 8601, UTC, whole seconds, ``Z``."""
    return f"{(now or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def canonical(value: object) -> str:
    """Return sorted-key, compact JSON. Raises ``ValueError`` on NaN and infinity."""
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def sha256(value: object) -> str:
    """Return the SHA-256 (64 hex) of a value's canonical JSON as UTF-8."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


# Of an approval, what a person was shown and said: it is erased with what it rests on.
_TOLD = ("arguments", "before", "comment", "note", "revised", "screen")


def contents(shown: Json) -> dict[str, Any]:
    """Return what can be erased of a ``ragflow.run/1`` object, by slot: ``input``, ``steps.0`` and so on."""
    found = {"input": shown["input"], "output": shown["output"]}
    found |= {f"steps.{at}": step["output"] for at, step in enumerate(shown["steps"])}
    for at, approval in enumerate(shown["approvals"]):
        told = {key: approval[key] for key in _TOLD if key in approval}
        if told:
            found[f"approvals.{at}"] = told if any(one is not None for one in told.values()) else None
    return found


def digest_of(shown: Json) -> str:
    """Return the digest that a ``ragflow.run/1`` object should bear; erased contents by what they were."""
    kept = shown.get("erased") or {}
    bare = {key: value for key, value in shown.items() if key not in ("digest", "erased")}
    digests = {slot: kept.get(slot) or sha256(content) for slot, content in contents(shown).items()}
    for slot in ("input", "output"):
        bare[slot] = digests[slot]
    bare["steps"] = [{**step, "output": digests[f"steps.{at}"]} for at, step in enumerate(shown["steps"])]
    bare["approvals"] = [
        {**_untold(approval), "told": digests[f"approvals.{at}"]}
        if f"approvals.{at}" in digests
        else approval
        for at, approval in enumerate(shown["approvals"])
    ]
    return sha256(bare)


def _untold(approval: Json) -> dict[str, Any]:
    return {key: value for key, value in approval.items() if key not in _TOLD}


def citations(run: Run) -> list[tuple[str, str]]:
    """Return the (document, revision) pairs that a run cites, sorted, each once."""
    if run.kind == "workflow":
        return sorted(set(cited([run.output, [step["output"] for step in run.steps]])))
    found = (run.output or {}).get("citations", []) if run.kind == "ask" else []
    return sorted({(each["document"], each["revision"]) for each in found})


def named(run: Run) -> frozenset[str]:
    """Return the documents that a run names: cited, related, found, unreadable, flagged, forgotten."""
    if run.kind == "workflow":
        return frozenset(names([run.output, [step["output"] for step in run.steps], list(run.approvals)]))
    output = run.output or {}
    found = [each["document"] for each in output.get("citations", [])]
    found += output.get("related", [])
    for hit in output.get("hits", []):
        found += [hit["document"], *(chunk.rpartition("@")[0] for chunk in hit.get("also", []))]
    for key in ("unreadable", "flagged"):
        found += [each["document"] for each in output.get(key, [])]
    return frozenset([*found, output["document"]] if "document" in output else found)


def emptied(run: Run) -> Run:
    """Return the run without its contents, with their digests in ``erased``."""
    return _emptied(run, contents(run.to_json()))


def _emptied(run: Run, slots: Collection[str]) -> Run:
    """Return the run with these slots empty, and the digest of what was in them in ``erased``."""
    digests = {slot: sha256(content) for slot, content in contents(run.to_json()).items() if slot in slots}
    return replace(
        run,
        input=None if "input" in slots else run.input,
        output=None if "output" in slots else run.output,
        steps=tuple(
            {**step, "output": None} if f"steps.{at}" in slots else step for at, step in enumerate(run.steps)
        ),
        approvals=tuple(
            {key: None if key in _TOLD else value for key, value in approval.items()}
            if f"approvals.{at}" in slots
            else approval
            for at, approval in enumerate(run.approvals)
        ),
        erased=digests | dict(run.erased or {}),
    )


def forgetting(document: str, run: Run) -> Run:
    """Return the run without any wording of a document; the run itself where it holds none.

    An answer keeps its shape. Of a workflow, the first step that names the document and all that came after
    it are emptied: their words may come from it without naming it.
    """
    if run.kind == "workflow":
        touched = [at for at, step in enumerate(run.steps) if document in names(step["output"])]
        if not touched and document not in named(run):
            return run
        first = touched[0] if touched else len(run.steps)
        later = {f"steps.{at}" for at in range(first, len(run.steps))}
        filled = {slot for slot, content in contents(run.to_json()).items() if content is not None}
        return _emptied(
            run, filled & (later | {"output"} | {f"approvals.{at}" for at in range(len(run.approvals))})
        )
    output = run.output and without(document, run.output)
    if output is None or output == run.output:
        return run
    return replace(run, output=output, erased={"output": sha256(run.output), **(run.erased or {})})


def standing(run: Run) -> str:
    """Return the digest by which a ``forget`` names what it left of a run."""
    if run.kind != "workflow":
        return sha256(run.output)
    return sha256(contents(run.to_json()))


def without(document: str, output: Json) -> dict[str, Any]:
    """Return an answer's object without any wording of the document; each quote leaves its digest."""
    erased = dict(output)
    gone: set[int] = set()
    citations = []
    for citation in output.get("citations", []):
        each = citation
        if each["document"] == document and "quote_sha256" not in each:
            digest = hashlib.sha256(each["quote"].encode()).hexdigest()
            each = {
                **each,
                "quote": "",
                "anchors": [],
                "link": None,
                "modified": None,
                "quote_sha256": digest,
            }
        if "quote_sha256" in each:
            gone.add(each["id"])
        citations.append(each)
    claims = [
        {**claim, "text": ""} if gone.intersection(claim["citations"]) else claim
        for claim in output.get("claims", [])
    ]
    erased |= {"citations": citations, "claims": claims}
    if gone:
        shown = [
            [claim["text"], *(f"[{at}]" for at in claim["citations"])] for claim in claims if claim["text"]
        ]
        erased["answer"] = " ".join(" ".join(parts) for parts in shown)
        erased["warnings"] = []  # where documents disagree, they say what about
    hits = output.get("hits", [])
    if gone or any(hit["document"] == document for hit in hits):
        if "rejected" in output:  # a dropped claim does not say which document its words came from
            erased["rejected"] = []
        blank: dict[str, Any] = {"title": "", "text": "", "anchors": [], "link": None}
        if hits:
            erased["hits"] = [{**hit, **blank} if hit["document"] == document else hit for hit in hits]
    return erased
