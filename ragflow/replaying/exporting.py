"""One run in one file, for a ticket: record, tape, rules, and a summary that people read first."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ragflow.errors import UsageError
from ragflow.records import Run, digest_of, timestamp
from ragflow.replaying.tape import digest_of_tape, packed

SCHEMA = "ragflow.export/1"
_MOST_BYTES = 256_000_000

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file holds: the record, its tape and rules (None where it has none), and why it is not sound."""

    record: Run
    tape: Json | None
    rules: Json | None
    wrong: str | None


def export(record: Run, tape: Json | None, rules: Json | None) -> dict[str, Any]:
    """Return the object ``ragflow.export/1``."""
    answer, citations = told(record)
    return {
        "schema": SCHEMA,
        "summary": list(summary(record)),
        "run": record.run,
        "answer": answer,
        "citations": citations,
        "approvals": [dict(one) for one in record.approvals],
        "config_digest": record.config_digest,
        "policy": record.policy,
        "version": record.version,
        "exported": timestamp(),
        "exported_by": version("ragflow"),
        "record": record.to_json(),
        "tape": tape,
        "rules": rules,
    }


def told(record: Run) -> tuple[str | None, list[Json]]:
    """Return what a run answered, of several answers the last, and all that it cites."""
    if record.kind == "workflow":
        asked = [
            step["output"] for step in record.steps if step["kind"] == "ask" and step["output"] is not None
        ]
        answers = [output["answer"] for output in asked if "answer" in output]
    else:
        answers = [record.output] if record.output else []
    citations = [one for answer in answers for one in answer.get("citations", [])]
    return (answers[-1].get("answer") if answers else None), citations


def summary(record: Run) -> Iterator[str]:
    """Give a run in a few lines of plain text."""
    yield f"{record.kind} {record.run} of {record.actor[0]}, {record.created}"
    ended = record.status if record.outcome is None else f"{record.status}: {record.outcome}"
    yield f"{ended}; exit code {record.exit_code}; generation {record.generation or 'none'}"
    given, output = record.input, record.output
    if given is None and output is None:
        yield "its contents have expired; digests are left"
        return
    if record.kind == "ask":
        yield f"Question: {(given or {}).get('question', '')}"
        yield f"Answer: {(output or {}).get('answer') or 'none'}"
    for one in told(record)[1]:
        yield f'[{one["id"]}] {one["document"]} {one["start"]}-{one["end"]}: "{one["quote"]}"'
    for step in record.steps if record.kind == "workflow" else ():
        yield f"- {step['name']}: {step['status']}, {step['ms']} ms"
    for one in record.approvals:
        yield f"{one['approval']}: {one['tool']} {one['status']} by {one.get('decided_by') or 'nobody'}"


def read(path: Path) -> Exported:
    """Read a file that ``export`` wrote.

    Raises:
        UsageError: it cannot be read, or is no such file.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path} is larger than {_MOST_BYTES:,} bytes: it is no exported run")
        shown = json.loads(path.read_bytes())
        record = Run.from_json(shown["record"])
        tape, rules, schema = shown["tape"], shown["rules"], shown["schema"]
        copies = (shown["answer"], shown["citations"], shown["approvals"])
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="check its path and mode"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is no exported run", hint="ragflow runs export RUN -o FILE") from error
    if schema != SCHEMA:
        raise UsageError(f"{path} is no {SCHEMA}", hint="export the run anew, or upgrade ragflow")
    return Exported(record, tape, rules, _wrong(record, tape, copies))


def _wrong(record: Run, tape: Json | None, copies: tuple[Any, ...]) -> str | None:
    """Return what does not hold together; None: the record is what its digest says, the tape the record's."""
    try:
        if record.digest != digest_of(record.to_json()):
            return "the record is not what its digest says"
        if tape is not None and record.tape != digest_of_tape(packed(tape)):
            return "the tape is not the one that the record names"
        own = (*told(record), [dict(one) for one in record.approvals])
        return None if copies == own else "answer, citations or approvals are not those of the record"
    except (KeyError, TypeError, ValueError, AttributeError):
        return "the record is not what its digest says"
