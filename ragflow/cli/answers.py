"""Answers, hits and proofs as text for people. Everything from a document is escaped."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ragflow.terminal import escape, one_line, wrapped

Json = Mapping[str, Any]
_SNIPPET_LINES = 2
_REASONS = {
    "no_hits": "nothing in the documents that you may read resembles it",
    "low_confidence": "what was found does not answer it surely enough",
    "no_valid_claim": "no sentence that was found could be proven",
    "underspecified": "it is not clear what it asks about",
    "off_topic": "it is about something else than the documents",
    "input_blocked": "it was blocked",
}


_OUTCOMES = {
    "partial": "This answers a part of the question.",
    "conflicting": "The documents disagree; this is what each says.",
}


_SEARCHED = ("no_hits", "low_confidence", "no_valid_claim")


def answered(answer: Json, width: int) -> Iterator[str]:
    """Give the lines of an answer: its text, its numbered citations, and how to check them."""
    if answer["standalone"] is not None:
        yield wrapped(f"Understood as: {answer['standalone']}", width)
        yield ""
    if answer["citations"]:
        yield from _cited(answer, width)
    else:
        yield from _refused(answer, width)
    if answer["related"]:
        yield ""
        yield "See also:" if answer["citations"] else "Nearest documents:"
        yield from (f"  {escape(document)}" for document in answer["related"])
    yield from _explained(answer, width)
    if answer["run"] is not None and answer["citations"]:
        yield ""
        yield f"Check it: ragflow verify {escape(answer['run'])}"


def _cited(answer: Json, width: int) -> Iterator[str]:
    if answer["outcome"] in _OUTCOMES:
        yield _OUTCOMES[answer["outcome"]]
        yield ""
    yield wrapped(answer["answer"], width)
    for part in answer["missing"]:
        yield wrapped(f"Not answered: {part}", width)
    for citation in answer["citations"]:
        yield ""
        where = place(citation["anchors"], citation["start"], citation["end"])
        dated = (citation["modified"] or "no date")[:10] if answer["outcome"] == "conflicting" else ""
        parts = [escape(citation["document"]), where, escape(dated)]
        yield f"[{citation['id']}] {', '.join(part for part in parts if part)}"
        if citation["flagged"]:
            yield "    CAREFUL: this text gives orders to programs; somebody may have planted it"
        if citation["link"]:
            yield f"    {escape(citation['link'])}"
        yield wrapped(f'"{citation["quote"]}"', width, indent="    ")


def _refused(answer: Json, width: int) -> Iterator[str]:
    blocked = answer["outcome"] == "blocked"
    yield (
        "This question is not answered."
        if blocked
        else ("No answer was found in the documents that you may read.")
    )
    reason = _REASONS.get(answer["reason"], answer["reason"] or "")
    # Where nothing was searched there is nothing to be sure of.
    sure = f" (confidence {answer['confidence']:.2f})" if answer["reason"] in _SEARCHED else ""
    yield wrapped(f"Why: {reason}{sure}.", width)


def _explained(answer: Json, width: int) -> Iterator[str]:
    if "hits" not in answer:
        return
    yield ""
    route = answer["route"]
    said = [f"sources {', '.join(route['sources']) or 'none'}"]
    said += [f"{key} {route[key]}" for key in ("rule", "tier", "prompt") if route[key]]
    yield wrapped(f"Route: {'; '.join(said)}", width)
    if answer["model"]:
        yield f"Model: {escape(answer['model'])}"
    yield f"Confidence {answer['confidence']:.2f}, from:"
    yield from (f"  {escape(name)} {value:.3f}" for name, value in answer["features"].items())
    if answer["rejected"]:
        yield "Rejected:"
        for each in answer["rejected"]:
            yield wrapped(f'{each["finding"]}: "{each["text"]}" ({each["detail"]})', width, indent="  ")
    yield "Found:"
    for hit in answer["hits"]:
        yield f"  {hit['rank']:>3}  {hit['score']:.3f}  {escape(hit['chunk'])}"


def estimated(report: Json) -> Iterator[str]:
    """Give the lines of an estimate: each model of the tier, what it would take and cost at most."""
    if report["reason"] is not None:
        yield f"No model would be asked: {_REASONS[report['reason']]}."
    elif not report["models"]:
        yield "No model would be asked: no tier is configured for this question."
    else:
        yield f"Tier {escape(report['tier'])}, prompt {escape(report['prompt'])}; one draft at most takes:"
        for one in report["models"]:
            usd = "price unknown" if one["usd"] is None else f"${one['usd']:.4f}"
            yield f"  {escape(one['model'])}  {one['tokens_in']} + {one['tokens_out']} tokens  {usd}"
        yield "A draft that does not hold is written once more; the next model is asked where one fails."


def found(report: Json, width: int) -> Iterator[str]:
    """Give the lines of a search: rank, score, document and place, then a snippet."""
    if not report["hits"]:
        yield "Nothing was found."
    for hit in report["hits"]:
        where = place(hit["anchors"], hit["start"], hit["end"])
        yield f"{hit['rank']:>3}  {hit['score']:.3f}  {escape(hit['document'])}{', ' if where else ''}{where}"
        snippet = one_line(hit["text"], (width - 5) * _SNIPPET_LINES - 5)
        yield wrapped(snippet, width, indent="     ")
        if hit.get("also"):
            names = dict.fromkeys(escape(chunk.rpartition("@")[0]) for chunk in hit["also"])
            yield wrapped(f"the same in {', '.join(names)}", width, indent="     ")


def proven(proof: Json) -> Iterator[str]:
    """Give the lines of a proof: the record, one line for each citation, the sum."""
    records = {"intact": "the record is intact", "changed": "THE RECORD WAS CHANGED", "none": "no record"}
    title = "this answer" if proof["run"] is None else escape(proof["run"])
    yield f"{title}: {records.get(proof['record'], escape(str(proof['record'])))}"
    for citation in proof["citations"]:
        detail = f": {escape(citation['detail'])}" if citation["detail"] else ""
        status = citation["status"].replace("_", " ")
        yield f"[{citation['id']}] {status}, source {citation['source_now']}{detail}"
    if not proof["citations"]:
        yield "it has no citation: there is nothing to prove"
    yield f"{proof['proven']} proven, {proof['failed']} failed, {proof['unavailable']} unavailable"


def place(anchors: Sequence[Json], start: int, end: int) -> str:
    """Say where a span is: ``page 3``, ``sheet Prices, row 5``, ``Leave > Carry-over``; "" if unknown.

    Headings count where they contain the start of the span; everything else where it overlaps it.
    """
    touching = [each for each in anchors if each["start"] < max(end, start + 1) and start < each["end"]]
    words: list[str] = []
    for kind, plural in (("page", "pages"), ("slide", "slides"), ("sheet", "sheets")):
        words += _labels(kind, plural, touching)
    path = [each for each in touching if each["kind"] == "heading" and each["start"] <= start]
    if path:
        words.append(" > ".join(one_line(each["label"], 60) for each in path))
    words += _labels("row", "rows", touching)
    words += _labels("cell", "cells", touching)
    for each in touching:
        if each["kind"] == "message":
            words.append(f'message "{one_line(each["label"], 60)}"')
            break
    return ", ".join(words)


def _labels(kind: str, plural: str, anchors: Sequence[Json]) -> list[str]:
    labels = [one_line(each["label"], 40) for each in anchors if each["kind"] == kind]
    if not labels:
        return []
    if len(labels) == 1:
        return [f"{kind} {labels[0]}"]
    return [f"{plural} {labels[0]}-{labels[-1]}" if kind != "sheet" else f"{plural} {', '.join(labels)}"]
