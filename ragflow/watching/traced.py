"""A finished run as the spans of a trace, plain values: ids, counts, digests and outcomes, no wording.

Names follow OpenTelemetry's GenAI conventions (the attributes ``gen_ai.*``, as version 0.66b2 of
opentelemetry-semantic-conventions has them); what these do not know is ``ragflow.*``. Nothing of a
question, an answer, a document or an argument is taken over, nor a digest of one: short texts can be
guessed from theirs. A workflow's steps keep their names where these read like names in code; a tool is
named where policy let it through, since what a model calls may be no tool but words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]
Value = str | int | float | bool | tuple[str, ...]

OTHER = "_OTHER"  # the conventions' word for an error without a name
UNNAMED = "step"

_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LONGEST = 100
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,31}( [a-z][a-z0-9_.-]{0,31}){0,3}")
_ERROR = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_PROVIDERS = {"mistral": "mistral_ai", "xai": "x_ai"}  # the conventions spell them otherwise
_COUNTED: Mapping[str, Mapping[str, str]] = {
    "guard": {"blocked": "ragflow.blocked"},
    "search": {"hits": "ragflow.hits"},
    "weigh": {"confidence": "ragflow.confidence"},
    "generate": {"claims": "ragflow.claims"},
    "validate": {"claims": "ragflow.claims"},
    "compare": {"conflicts": "ragflow.conflicts"},
    "cite": {"citations": "ragflow.citations"},
}


@dataclass(frozen=True, slots=True)
class Traced:
    """One span. Times in milliseconds since 1970; ``error``: the kind of error that it ended with.

    ``client``: something else was asked (a model, an index), as the conventions have it.
    """

    name: str
    start_ms: int
    end_ms: int
    attributes: Mapping[str, Value]
    client: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Shown:
    name: str
    attributes: Mapping[str, Value]
    client: bool = False
    error: str | None = None


def traced(record: Json) -> tuple[Traced, ...]:
    """Return the spans of a ``ragflow.run/1``: first the run, then its steps in their order.

    ``created`` has whole seconds: the times between steps are exact, the trace as a whole to the second.
    A run ends with its last step, or when its answer says that it did.
    """
    began = round(datetime.fromisoformat(record["created"]).timestamp() * 1000)
    listed = frozenset(
        step["name"].partition(" ")[2]
        for step in record["steps"]
        if step.get("kind") == "policy" and step["status"] == "ok"
    )
    steps = tuple(_step(record, step, began, listed) for step in record["steps"])
    total = (_object(record.get("output")).get("timings_ms") or {}).get("total", 0)
    end = max([began + round(total), *(one.end_ms for one in steps)])
    shown = _root(record)
    return (Traced(shown.name, began, end, shown.attributes, error=shown.error), *steps)


def _root(record: Json) -> _Shown:
    output, kind = _object(record.get("output")), record["kind"]
    route = _object(output.get("route"))
    steps = record["steps"]
    told: dict[str, Any] = {
        "ragflow.run": record["run"],
        "ragflow.kind": kind,
        "ragflow.status": record["status"],
        "ragflow.outcome": _word(record.get("outcome")),
        "ragflow.exit_code": record["exit_code"],
        "ragflow.generation": record.get("generation"),
        "ragflow.config_digest": record["config_digest"],
        "ragflow.run_digest": record.get("digest") or None,
        "ragflow.steps": len(steps),
        "ragflow.cost_usd": float(sum(step["cost_usd"] for step in steps)),
        "ragflow.tokens": sum(step["tokens"] for step in steps),
        "ragflow.approvals": len(record.get("approvals") or ()),
    }
    name = kind
    if kind == "ask":
        name = _label(route.get("workflow")) or "answer"
        told |= _answer(output)
    elif kind == "workflow":
        name = _label(_object(record.get("input")).get("workflow")) or "workflow"
    elif kind == "index":
        counts = _object(output.get("sources")).values()
        keys = ("added", "updated", "deleted", "unchanged", "unreadable")
        told |= {f"ragflow.{key}": sum(each.get(key, 0) for each in counts) for key in keys}
    if kind in ("ask", "workflow"):
        told |= {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": name,
            "gen_ai.agent.name": name,  # what later versions of the conventions call it
        }
        name = f"invoke_workflow {name}"
    failed = record["status"] == "failed"
    return _Shown(name, _given(told), error=_error(output) if failed else None)


def _step(record: Json, step: Json, began: int, listed: frozenset[str]) -> Traced:
    start = began + step["started_ms"]
    if record["kind"] == "ask":
        shown = _of_ask(step, _object(record.get("output")))
    else:
        shown = _of_workflow(step, listed)
    common: dict[str, Any] = {
        "ragflow.kind": _word(step.get("kind")),
        "ragflow.attempt": step["attempt"],
        "ragflow.status": step["status"],
        "ragflow.cost_usd": float(step["cost_usd"]),
        "ragflow.tokens": step["tokens"],
    }
    error = shown.error
    if step["status"] == "failed" and error is None:
        error = _error({**_object(step.get("output")), **_object(step)})
    return Traced(
        shown.name, start, start + step["ms"], _given({**common, **shown.attributes}), shown.client, error
    )


def _of_ask(step: Json, answer: Json) -> _Shown:
    """Show a step of the pipeline: its names and the keys of its output are this program's own."""
    name, output = step["name"], _object(step.get("output"))
    told: dict[str, Any] = {attribute: output.get(key) for key, attribute in _COUNTED.get(name, {}).items()}
    if name == "search":
        return _retrieval(told, _labels(_object(answer.get("route")).get("sources")))
    if name == "generate" and output.get("model"):
        return _chat(told, output)
    if name == "route":
        told["ragflow.route.by"] = _word(output.get("by"))
    if name == "validate":
        told["ragflow.findings"] = _labels(output.get("rejected"))
    return _Shown(_name(name) or UNNAMED, _given(told))


def _of_workflow(step: Json, listed: frozenset[str]) -> _Shown:  # noqa: PLR0911 - one for each kind
    """Show a step of a workflow: its name is its author's, its output may be anything."""
    kind, output = step.get("kind"), _object(step.get("output"))
    about = step["name"].partition(" ")[2]
    tool = about if about in listed else None
    if kind == "search":
        found = output.get("hits")
        return _retrieval({"ragflow.hits": len(found) if isinstance(found, list) else None}, ())
    if kind == "model":
        return _chat({}, output)
    if kind == "ask":
        answer = _object(output.get("answer"))
        return _Shown("ask", _given(_answer(answer)))
    if kind == "tool":
        told = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
        }
        return _Shown(f"execute_tool {tool or ''}".rstrip(), _given(told))
    if kind == "policy":
        return _Shown("policy", _given({"gen_ai.tool.name": tool}))
    if kind == "approval":
        told = {"gen_ai.tool.name": tool, "ragflow.decision": _word(output.get("status"))}
        verb = "decision" if step["name"].startswith("decision ") else "request"
        return _Shown(verb, _given(told))
    return _Shown(_name(step["name"]) or UNNAMED, {})


def _answer(answer: Json) -> dict[str, Any]:
    route = _object(answer.get("route"))
    return {
        "ragflow.outcome": _word(answer.get("outcome")),
        "ragflow.reason": _word(answer.get("reason")),
        "ragflow.confidence": answer.get("confidence"),
        "ragflow.claims": len(answer.get("claims") or ()),
        "ragflow.citations": len(answer.get("citations") or ()),
        "ragflow.route.rule": _label(route.get("rule")),
        "ragflow.route.tier": _label(route.get("tier")),
        "ragflow.sources": _labels(route.get("sources")),
    }


def _retrieval(told: Mapping[str, Any], sources: Sequence[str]) -> _Shown:
    one = sources[0] if len(sources) == 1 else None
    known = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": one}
    return _Shown(f"retrieval {one or ''}".rstrip(), _given({**told, **known}), client=True)


def _chat(told: Mapping[str, Any], output: Json) -> _Shown:
    written = output.get("model") if isinstance(output.get("model"), str) else ""
    provider, slash, model = str(written).partition("/")
    if not slash:
        provider, model = "", provider
    known = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider) or OTHER,
        "gen_ai.request.model": model or None,
        "gen_ai.usage.input_tokens": _count(output.get("tokens_in")),
        "gen_ai.usage.output_tokens": _count(output.get("tokens_out")),
    }
    failure = _word(output.get("failure"))
    return _Shown(f"chat {model}".rstrip(), _given({**told, **known}), client=True, error=failure)


def _error(output: Json) -> str:
    """Return the kind of an error: the name of its class, never its message."""
    found = _object(output.get("error")).get("type")
    return found if isinstance(found, str) and _ERROR.fullmatch(found) else OTHER


def _given(told: Mapping[str, Any]) -> dict[str, Value]:
    return {key: value for key, value in told.items() if value is not None and value != ()}


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(value: object) -> str | None:
    """Return a word of this program's own: an outcome, a reason, a kind."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _name(value: str) -> str | None:
    """Return a step's name where it reads like one in code: up to four words of small letters."""
    return value if _NAME.fullmatch(value) else None


def _label(value: object) -> str | None:
    """Return a name that stands in the configuration."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None


def _labels(values: object) -> tuple[str, ...]:
    found = map(_label, values) if isinstance(values, list | tuple) else ()
    return tuple(one for one in found if one is not None)
