"""All that a person needs to decide, gathered when the request is opened: the ``screen`` of its row.

Private data is taken out here, as ``runs.redact`` and a tool's own ``redact`` say. The arguments that the
digest binds stay in their column as they are: they are what will be done.
"""

from collections.abc import Collection
from typing import Any

from ragflow.approvals.rules import judged
from ragflow.config import Config
from ragflow.records import without
from ragflow.redact import Kind, redact, redact_all
from ragflow.workflows.contracts import About, Object, Request

_KEPT = (
    "run", "question", "standalone", "outcome", "reason", "confidence", "answer", "claims", "citations",
    "missing", "related", "warnings", "route", "generation", "model", "rejected",
)  # fmt: skip
_QUESTIONS = ("question", "standalone")


def gathered(request: Request, config: Config) -> dict[str, Any]:
    """Return what is shown of a request besides its columns. JSON; without lone surrogates or NaN."""
    tool = config.tools.get(request.action.tool) if request.kind != "gate" else None
    names = list(tool.redact) if tool else []
    kinds = config.runs.redact
    shown = concealed(request.action.arguments, names, kinds)
    return {
        "workflow": request.caller.workflow,
        "note": redact(request.note, kinds),
        "rule": request.need.rule,
        "why": _why(request, config, shown),
        "description": tool.description if tool else "",
        "arguments": shown,
        "redact": {"names": names, "kinds": list(kinds)},
        "route": request.about.route,
        "confidence": request.about.confidence,
        "outcome": request.about.outcome,
        "answer": _answer(request.about, kinds),
        "told": [],
    }


def _why(request: Request, config: Config, shown: Object) -> str:
    if request.kind == "gate":
        return f"The workflow {request.caller.workflow} asks for it."
    if request.kind == "unsettled":
        return "It may have happened: the run ended in the middle of it, and the tool cannot say."
    found = judged(config.approvals, request.action, request.about, shown=shown)
    if found.need != request.need:
        return "The rules of approvals asked for it."
    return found.why


def _answer(about: About, kinds: Collection[Kind]) -> dict[str, Any] | None:
    if about.answer is None:
        return None
    kept = {key: about.answer[key] for key in _KEPT if key in about.answer}
    hidden: dict[str, Any] = {key: redact(kept[key], kinds) for key in _QUESTIONS if kept.get(key)}
    if "missing" in kept:
        hidden["missing"] = [redact(part, kinds) for part in kept["missing"]]
    if "rejected" in kept:
        hidden["rejected"] = [{**one, "text": redact(one["text"], kinds)} for one in kept["rejected"]]
    return {**kept, **hidden}


def concealed(value: Any, names: Collection[str], kinds: Collection[Kind]) -> Any:
    """Return arguments as they may be shown: named keys (at any depth) closed, private data taken out."""
    return redact_all(value, kinds, closed=names)


def readable(answer: Object | None, hidden: Collection[str]) -> dict[str, Any] | None:
    """Return an answer without any word or name of hidden documents; ``withheld`` counts their citations.

    What the validator rejected goes too: it does not say where its words came from.
    """
    if answer is None:
        return None
    shown = dict(answer)
    cited = [each for each in answer.get("citations", []) if each["document"] in hidden]
    related = [name for name in answer.get("related", []) if name not in hidden]
    for document in {each["document"] for each in cited}:
        shown = without(document, shown)
    if not cited:
        return {**shown, "related": related}
    gone = {each["id"] for each in cited}
    return shown | {
        "related": related,
        "rejected": [],
        "claims": [claim for claim in shown["claims"] if not gone.intersection(claim["citations"])],
        "citations": [each for each in shown["citations"] if each["id"] not in gone],
        "withheld": len(cited),
    }


def documents(answer: Object | None) -> frozenset[str]:
    """Return the documents that an answer names."""
    if answer is None:
        return frozenset()
    cited = (each["document"] for each in answer.get("citations", []))
    return frozenset([*cited, *answer.get("related", [])])
