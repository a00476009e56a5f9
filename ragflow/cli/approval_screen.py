"""One screen for one decision, as text. Everything that somebody else wrote is escaped.

In this order: what is asked, by whom, until when, who decides; why; the action with its arguments; the
answer that it rests on with each quote; what the validator rejected; the commands that decide.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ragflow.approvals.comparing import ABSENT, same
from ragflow.approvals.objects import as_shown
from ragflow.approvals.rows import Asked
from ragflow.cli.answers import place
from ragflow.terminal import escape, wrapped
from ragflow.workflows.contracts import Object
from ragflow.yaml_text import scalar

_KINDS = {
    "action": "wants to do",
    "gate": "wants agreement to",
    "unsettled": "MAY ALREADY HAVE DONE",
}


def screen(
    asked: Asked, now: datetime, *, width: int, may: str | None, outdated: bool = False
) -> Iterator[str]:
    """Give the lines of a request.

    ``may``: why the reader may not decide it; None where they may. ``outdated``: the rules have changed.
    """
    status = asked.status_at(now)
    until = f" until {moment(asked.expires)}" if status == "pending" else ""
    yield f"{escape(asked.approval)}  {status}{until}"
    yield wrapped(f"{asked.actor} {_KINDS[asked.kind]} {asked.tool} ({asked.effect})", width, indent="")
    yield wrapped(
        f"Run {asked.run}, workflow {asked.screen['workflow']}, asked {moment(asked.created)}", width
    )
    four = f", but not {asked.actor} (four eyes)" if asked.four_eyes else ""
    yield wrapped(f"May decide: {', '.join(asked.approvers)}{four}", width)
    for said in (asked.screen["why"], asked.screen["note"]):
        if said:
            yield wrapped(said, width)
    yield ""
    yield from _action(asked, width)
    yield from _rests_on(asked, width)
    yield from _told(asked, width)
    yield ""
    yield from _decided(asked, status, width)
    if status == "pending":
        yield from _outdated(asked, width, may) if outdated else _commands(asked, width, may)


def _action(asked: Asked, width: int) -> Iterator[str]:
    yield escape(asked.tool)
    if asked.screen["description"]:
        yield wrapped(asked.screen["description"], width, indent="  ")
    if asked.revised is None:
        yield from arguments(as_shown(asked, asked.arguments), width)
    else:
        yield from difference(as_shown(asked, asked.arguments), as_shown(asked, asked.revised), width)


def arguments(shown: Object, width: int) -> Iterator[str]:
    """Give the lines of arguments: a short value beside its name, a long one below, nothing cut."""
    names = max((len(escape(name)) for name in shown), default=0)
    if not shown:
        yield "  (no arguments)"
    for name, value in shown.items():
        yield from _argument("  ", escape(name).ljust(names), value, width)


def difference(before: Object, after: Object, width: int) -> Iterator[str]:
    """Give the lines of arguments that were revised: ``-`` what was, ``+`` what is, a blank what stayed."""
    names = [*before, *(name for name in after if name not in before)]
    widest = max((len(escape(name)) for name in names), default=0)
    for name in names:
        old, new = before.get(name, ABSENT), after.get(name, ABSENT)
        padded = escape(name).ljust(widest)
        if old is not ABSENT and new is not ABSENT and same(old, new):
            yield from _argument("  ", padded, old, width)
            continue
        if old is not ABSENT:
            yield from _argument("- ", padded, old, width)
        if new is not ABSENT:
            yield from _argument("+ ", padded, new, width)


def _argument(mark: str, name: str, value: Any, width: int) -> Iterator[str]:
    text = _text(value)
    line = f"{mark}{name}  {escape(text)}"
    if "\n" not in text and len(line) <= width:
        yield line
        return
    yield f"{mark}{name.rstrip()}:"
    for each in _text(value, indent=2).split("\n"):
        yield wrapped(each, width, indent=mark + "    ") or mark.rstrip()


def _text(value: Any, *, indent: int | None = None) -> str:
    """Write a value so that text and number cannot be taken for one another."""
    if isinstance(value, str):
        plain = scalar(value) == value and value == value.strip() and value != ""
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _rests_on(asked: Asked, width: int) -> Iterator[str]:
    answer = asked.screen["answer"]
    if not answer:
        if asked.kind != "gate":
            yield ""
            yield "It rests on no answer."
        return
    yield ""
    yield wrapped(f"Question: {answer.get('question') or ''}", width)
    if answer.get("standalone"):
        yield wrapped(f"Understood as: {answer['standalone']}", width)
    yield wrapped(f"Answer ({_measured(asked)}):", width)
    yield wrapped(answer.get("answer") or "(none)", width, indent="  ")
    for part in answer.get("missing", ()):
        yield wrapped(f"Not answered: {part}", width)
    for warning in answer.get("warnings", ()):
        yield wrapped(f"Careful: {warning}", width)
    for citation in answer.get("citations", ()):
        yield from _citation(citation, width)
    if answer.get("withheld"):
        yield ""
        count = answer["withheld"]
        noun = "quote is" if count == 1 else "quotes are"
        yield wrapped(
            f"{count} {noun} withheld, and what rests on {'it' if count == 1 else 'them'}:"
            " you may not read the document now.",
            width,
        )
    yield from _rejected(answer.get("rejected", ()), width)


def _measured(asked: Asked) -> str:
    confidence = asked.screen["confidence"]
    said = [str(asked.screen["outcome"])]
    said += [] if confidence is None else [f"confidence {confidence:.2f}"]
    said += [f"route {asked.screen['route']}"] if asked.screen["route"] else []
    return ", ".join(said)


def _citation(citation: Mapping[str, Any], width: int) -> Iterator[str]:
    yield ""
    if "quote_sha256" in citation:
        yield f"[{citation['id']}] {escape(citation['document'])}: erased"
        return
    where = place(citation["anchors"], citation["start"], citation["end"])
    yield wrapped(
        f"[{citation['id']}] {', '.join(part for part in (citation['document'], where) if part)}", width
    )
    if citation.get("flagged"):
        yield "    CAREFUL: this text gives orders to programs; somebody may have planted it"
    if citation.get("link"):
        yield f"    {escape(citation['link'])}"
    yield wrapped(f'"{citation["quote"]}"', width, indent="    ")


def _rejected(findings: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    if not findings:
        return
    yield ""
    yield "The validator rejected:"
    for one in findings:
        yield wrapped(f'{one["finding"]}: "{one["text"]}" ({one["detail"]})', width, indent="  ")


def _told(asked: Asked, width: int) -> Iterator[str]:
    failed = [one for one in asked.screen["told"] if one["error"] is not None]
    if failed:
        yield ""
    for one in failed:
        yield wrapped(f"Careful: {one['tool']} could not tell the approvers: {one['error']}", width)


def _decided(asked: Asked, status: str, width: int) -> Iterator[str]:
    if status == "pending":
        return
    if asked.decided_by is None:
        when = asked.decided or asked.expires
        yield f"Nobody decided in time; it ran out at {moment(when)}."
    else:
        word = "revised" if asked.revised is not None else "rejected" if status == "rejected" else "approved"
        yield wrapped(f"{word.capitalize()} by {asked.decided_by} at {moment(asked.decided or '')}.", width)
    if asked.comment:
        yield wrapped(f"Comment: {asked.comment}", width)
    if status == "executed":
        yield "It has been done."
    if status == "unsettled":
        yield "Nobody knows whether it was done."


def _commands(asked: Asked, width: int, may: str | None) -> Iterator[str]:
    if may is not None:
        yield wrapped(f"You may not decide it: {may}.", width)
        return
    unsettled = asked.kind == "unsettled"
    yield "To do it again:" if unsettled else "To agree:"
    yield from _command("approve", asked)
    if not unsettled:
        yield "To agree to it with other arguments:"
        yield from _command("revise", asked, " --set ARGUMENT=VALUE")
    yield "To leave it as it is:" if unsettled else "To refuse:"
    yield from _command("reject", asked, ' --comment "WHY"')


def _outdated(asked: Asked, width: int, may: str | None) -> Iterator[str]:
    words = "The rules have changed since it was asked, so that nobody can agree to it: ragflow runs resume"
    yield wrapped(f"{words} {asked.run} by {asked.actor} asks anew.", width)
    if may is None:
        yield "To refuse:"
        yield from _command("reject", asked, ' --comment "WHY"')


def _command(verb: str, asked: Asked, more: str = "") -> Iterator[str]:
    yield f"  ragflow approvals {verb} {asked.approval}{more} \\"
    yield f"    --digest {asked.digest}"


def moment(written: str) -> str:
    """Return a time for people: ``2026-12-02 02:55 UTC``."""
    return f"{written[:10]} {written[11:16]} UTC"
