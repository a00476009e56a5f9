"""A workflow's run as a story: what was asked, done, agreed to by whom, and what came of it.

Every text in a record may come from a document or a stranger: all of it is escaped.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ragflow.cli.answers import place
from ragflow.cli.tables import duration
from ragflow.terminal import escape, one_line, wrapped

Json = Mapping[str, Any]
_DEEP = " " * 22  # where what a step gave begins: after its number, when it began and how long it took
_LINES = 8  # of one text that a step gave
_MOST = 60  # of one text of the input or the result
_DIGESTS = (("policy", "policy"), ("source_digest", "source"))
_SETTLED = {
    "asked": "asked afterwards: it had been done",
    "missed": "asked afterwards: it had not been done, and was done then",
    "repeated": "nobody knew whether it had been done: done again with the same key, which counts once",
}
_ENTRIES = 6  # of one list of an answer's


def told(record: Json, width: int) -> Iterator[str]:
    """Give the lines of a run's story, each at most ``width`` characters where its words allow it."""
    yield from _headed(record, width)
    yield ""
    yield "Input"
    yield from _fields((record["input"] or {}).get("input"), width, indent="  ", most=_MOST)
    if record["steps"]:
        yield ""
        yield "Steps: when each began, how long it took, what it gave"
    given = (step["output"] for step in record["steps"] if step["name"].startswith("request "))
    asked = {one["approval"]: one for one in given if isinstance(one, dict) and "approval" in one}
    for number, step in enumerate(record["steps"]):
        yield from _step(number, step, asked, width)
    if record["status"] == "waiting":
        yield from _awaited(record, width)
    yield ""
    yield from _ended(record, width)


def _headed(record: Json, width: int) -> Iterator[str]:
    given = record["input"] or {}
    actor, *readers = record["actor"]
    yield one_line(f"{record['run']}  {given.get('workflow', 'workflow')}  {_state(record)}", width)
    reads = f", reading as {', '.join(readers)}" if readers else ""
    yield from _text(f"Begun {_day(record['created'])} by {actor}{reads}", width)
    if given.get("retry_of"):
        yield from _text(f"It begins {given['retry_of']} again.", width)
    facts = [f"Generation {record['generation'] or 'none'}", f"settings {record['config_digest'][:12]}"]
    facts += [f"{words} {given[key][:12]}" for key, words in _DIGESTS if given.get(key)]
    yield from _text(", ".join(facts), width)
    steps = record["steps"]
    if not steps:
        return
    spent, tokens = sum(one["cost_usd"] for one in steps), sum(one["tokens"] for one in steps)
    took = max((one["started_ms"] + one["ms"] for one in steps), default=0) / 1000
    worked = sum(one["ms"] for one in steps) / 1000
    cost = f", ${spent:.4f}, {tokens:,} tokens" if spent or tokens else ", no model was asked"
    count = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    yield f"{count}, {duration(took)} from first to last, {duration(worked)} of it at work{cost}"


def _state(record: Json) -> str:
    if record["status"] in ("running", "waiting"):
        return str(record["status"])
    outcome = f": {record['outcome']}" if record["outcome"] else ""
    return escape(f"{record['status']}{outcome} (exit code {record['exit_code']})")


def _step(number: int, step: Json, asked: Mapping[str, Json], width: int) -> Iterator[str]:
    tries = f", {step['attempt']} tries" if step["attempt"] > 1 else ""
    cost = f", ${step['cost_usd']:.4f}" if step["cost_usd"] else ""
    failed = " FAILED" if step["status"] == "failed" else ""
    began, took = _short(step["started_ms"]), _short(step["ms"])
    what = one_line(f"{step['name']}{failed}{tries}{cost}", width - len(_DEEP))
    yield f"{number:>4} {began:>8} {took:>7} {what}"
    for line in _gave(step, asked, width - len(_DEEP)):
        yield (_DEEP + line).rstrip()


def _gave(step: Json, asked: Mapping[str, Json], width: int) -> list[str]:
    """Return what a step gave, in the words of its kind; plainly where it has not the shape of that."""
    output = step["output"]
    if output is None:
        return []
    try:
        if step["status"] == "failed":
            error = output["error"]
            return list(_text(f"{error['type']}: {error['message']}", width))
        if step["kind"] == "approval":
            return list(_agreed(output, asked, width))
        return list(_BY_KIND[step["kind"]](output, width))
    except (KeyError, TypeError, AttributeError):  # erased in part, or written by another version
        return list(_value(output, width))


def _asked(output: Json, width: int) -> Iterator[str]:
    yield from _answer(output["answer"], width)


def _routed(output: Json, width: int) -> Iterator[str]:
    yield from _text(f"{output['route']['workflow']}: {output['because']}", width)


def _let_through(output: Json, width: int) -> Iterator[str]:
    yield from _fields(output["action"]["arguments"], width, indent="")
    need = output["need"]
    if need is None:
        yield "let through; nobody need agree"
        return
    rule = "" if need["rule"] is None else f" (rule {need['rule'] + 1} of approvals)"
    yield from _text(f"let through when {_people(need)} agrees{rule}", width)


def _called(output: Json, width: int) -> Iterator[str]:
    if "unsettled" in output:
        yield from _text(f"NOBODY KNOWS whether it happened: {output['unsettled']}", width)
    elif "result" in output:
        yield from _value(output["result"], width)
        if how := _SETTLED.get(output.get("settled", "")):
            yield from _text(how, width)
    else:
        yield from _text("not done: the rules have changed since they let it through", width)


def _answer(answer: Json, width: int) -> Iterator[str]:
    yield from _text(f'"{answer["question"]}"', width)
    sure = f"{answer['outcome']}, confidence {answer['confidence']:.2f}"
    rule = answer["route"]["rule"]
    yield from _text(f"{sure}, route {rule}" if rule else sure, width)
    for claim in answer["claims"][:_ENTRIES]:
        marks = "".join(f"[{number}]" for number in claim["citations"])
        yield from _text(f"{claim['text']} {marks}", width)
    for one in answer["citations"][:_ENTRIES]:
        where = place(one["anchors"], one["start"], one["end"])
        yield from _text(f"[{one['id']}] {one['document']}{', ' if where else ''}{where}", width)


def _found(report: Json, width: int) -> Iterator[str]:
    yield from _text(f'"{report["question"]}": {len(report["hits"])} hits', width)
    for hit in report["hits"][:3]:
        yield one_line(f"{hit['score']:.3f} {hit['document']}", width)


def _agreed(output: Json, asked: Mapping[str, Json], width: int) -> Iterator[str]:
    """Say what was asked of whom, or what was decided by whom: and what that changed."""
    request = asked.get(output["approval"], {})
    if "approvers" in output:
        others = ", but not who wants it," if output["four_eyes"] else ""
        until = f"until {_day(output['expires'])}"
        again = "to do it again, or to leave it: " if output["kind"] == "unsettled" else ""
        yield from _text(f"{again}asks {_people(output)}{others} {until}", width)
        yield from _text(output["approval"], width)
        if output["kind"] == "gate":
            yield from _fields(output["arguments"], width, indent="")
        return
    by = f" by {output['by']}" if output["by"] else ""
    yield from _text(f"{output['status']}{by}", width)
    if output["comment"]:
        yield from _text(f'"{output["comment"]}"', width)
    before = request.get("arguments", output["arguments"])
    for key in dict.fromkeys([*before, *output["arguments"]]):
        was, now = before.get(key), output["arguments"].get(key)
        if was != now:
            yield from _text(f"{key}: {_flat(was)} -> {_flat(now)}", width)


def _people(asked: Json) -> str:
    return ", ".join(asked["approvers"]) or "nobody"


_BY_KIND: Mapping[str, Callable[[Any, int], Iterator[str]]] = {
    "ask": _asked,
    "search": _found,
    "route": _routed,
    "policy": _let_through,
    "tool": _called,
}


def _awaited(record: Json, width: int) -> Iterator[str]:
    pending = [one for one in record["approvals"] if one["status"] == "pending"]
    for one in pending:
        yield ""
        yield from _text(f"Waits for {_people(one)} to decide on:", width)
        yield from _fields({"tool": one["tool"], **one["arguments"]}, width, indent="  ")
        yield f"  ragflow approvals show {escape(one['approval'])}"
    if not pending:
        yield ""
        yield f"It can go on: ragflow runs resume {escape(record['run'])}, or a worker takes it up."


def _ended(record: Json, width: int) -> Iterator[str]:
    output = record["output"]
    error = output.get("error") if output and record["status"] != "done" else None
    if error:
        yield from _text(f"Ended by {error['type']}: {error['message']}", width)
        if error.get("hint"):
            yield from _text(f"hint: {error['hint']}", width)
    elif record["status"] in ("running", "waiting"):
        yield "It has not ended." if record["steps"] else "It has not ended; no step of it is done yet."
    elif record["status"] != "done":
        yield f"It was {escape(record['status'])}."
    elif output is None:
        yield "Its result has been erased."
    else:
        yield "Result"
        yield from _fields(output, width, indent="  ", most=_MOST)


def _fields(value: Any, width: int, *, indent: str, most: int = _LINES) -> Iterator[str]:
    """Give an object's fields a line each, long texts below their names, in ``most`` lines at most."""
    if value is None:
        yield f"{indent}erased"
        return
    if not isinstance(value, Mapping):
        yield from (indent + line for line in _value(value, width - len(indent)))
        return
    size = max((len(key) for key in value), default=0)
    for key, each in value.items():
        if isinstance(each, list) and any(isinstance(one, Mapping) for one in each):
            yield f"{indent}{escape(key)}"
            for one in each[:_ENTRIES]:
                first, *rest = _text(_flat(one), width - len(indent) - 4, most)
                yield f"{indent}  - {first}"
                yield from (f"{indent}    {line}" for line in rest)
            continue
        flat = _flat(each)
        if "\n" in flat or len(flat) > width - len(indent) - size - 2:
            yield f"{indent}{escape(key)}"
            yield from (f"{indent}  {line}".rstrip() for line in _text(flat, width - len(indent) - 2, most))
        else:
            yield f"{indent}{escape(key).ljust(size)}  {one_line(flat, width)}"


def _value(value: Any, width: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _fields(value, width, indent="")
    else:
        yield from _text(_flat(value), width)


def _text(text: str, width: int, most: int = _LINES) -> Iterator[str]:
    lines = wrapped(text, max(20, width)).split("\n")
    yield from lines[:most]
    if len(lines) > most:
        yield f"... and {len(lines) - most} more lines (--json shows all)"


def _flat(value: Any) -> str:
    """Return a value on one line, as a person writes it."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "yes", False: "no"}[value]
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_flat(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_flat(each) for each in value) or "none"
    return str(value)


def _short(ms: float) -> str:
    """Return a time in at most seven characters."""
    if ms < 10_000:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 3600:
        return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"


def _day(stamp: str) -> str:
    """Return an ISO time as a person reads it, UTC."""
    try:
        return f"{datetime.fromisoformat(stamp):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return escape(stamp)
