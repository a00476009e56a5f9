"""Numbers and verdicts in words: what a person who has never heard of nDCG reads."""

import math
import re
from collections.abc import Mapping

from evals.cases import Response
from evals.results import Comparison, Figure

MINUS = "\N{MINUS SIGN}"
GLYPHS = {"better": "▲", "worse": "▼", "not_distinguishable": "◆", "neutral": "●"}
VERDICTS = {"better": "better", "worse": "worse", "not_distinguishable": "not distinguishable"}

KINDS = {
    "retrieval": "Finding the right documents",
    "answer": "Answering rightly, with proof",
    "refusal": "Knowing when not to answer",
    "routing": "Choosing where to look",
    "cost": "Time and cost",
}

ANSWERABLE = {
    "yes": "answerable",
    "no": "not answerable",
    "partial": "partly answerable",
    "underspecified": "underspecified",
    "unknown": "not known",
}

_MEANINGS: Mapping[str, str] = {
    "nDCG": "how near the best possible order the first {k} documents are; 1 is perfect",
    "R": "share of the right documents among the first {k}",
    "MRR": "1 divided by the rank of the first right document, within the first {k}",
    "RR": "1 divided by the rank of the first right document, within the first {k}",
    "P": "share of the first {k} documents that are right",
    "Success": "share of questions with a right document among the first {k}",
    "MAP": "precision at each right document, averaged over all of them",
    "AP": "precision at each right document, averaged over all of them",
    "exact_match": "share of answers that equal the expected one, word for word",
    "token_F1": "words shared with the expected answer",
    "ROUGE-L": "longest run of words, in order, shared with the expected answer",
    "citation_precision": "share of citations that point at the right {k}",
    "citation_recall": "share of the right {k}s that are cited",
    "groundedness": "share of claims that their quotes prove",
    "CRAG": "right +1, refused 0, wrong " + MINUS + "1, averaged",
    "CRAG_refuse_all": "what CRAG would be if nothing were ever answered",
    "CRAG_answer_all": "what CRAG would be if nothing were ever refused",
    "refusal_precision": "share of refusals that were right to refuse",
    "refusal_recall": "share of unanswerable questions that were refused",
    "refusal_F1": "balance of the two above",
    "AUROC": "how well confidence tells answerable from unanswerable; 0.5 is chance",
    "AURC": "share of wrong answers, averaged over every share answered; lower is better",
    "outcome_accuracy": "share of questions that were answered or refused as they should be",
    "route_accuracy": "share of questions searched in the right source",
    "route_top1": "share of questions whose likeliest source is right",
    "route_recall": "share of questions whose right sources were all searched",
    "route_searched": "share of the readable sources that was searched; lower is better",
    "route_macro_F1": "balance of right sources, each source counting the same",
    "route_regret": "ranking quality lost against searching everything; lower is better",
    "cost_usd": "US dollars a question",
    "tokens": "model tokens a question",
    "latency_ms": "milliseconds a question",
}


def meaning(metric: str) -> str:
    """Return what a metric says, in a few words; "" for one that is not known here."""
    name, _, depth = metric.partition("@")
    return _MEANINGS.get(name, "").format(k=depth or "found")


def number(value: float | None, *, metric: str = "") -> str:
    """Return a figure as it is read: three decimals, whole milliseconds; "–" where there is none."""
    if value is None or math.isnan(value):
        return "–"
    places = {"latency_ms": 0 if abs(value) >= 10 else 1, "tokens": 0, "cost_usd": 4}.get(metric, 3)
    shown = f"{value:,.{places}f}"
    return shown.replace("-", MINUS) if re.search("[1-9]", shown) else shown.removeprefix("-")


def signed(value: float, *, metric: str = "") -> str:
    """Return a difference with its sign; one that rounds to nothing has none."""
    shown = number(value, metric=metric)
    return shown if value <= 0 or not re.search("[1-9]", shown) else f"+{shown}"


def interval(figure: Figure | Comparison, *, metric: str = "", sign: bool = False) -> str:
    """Return the 95 % interval, ``0.612 to 0.734``; "–" where there is none."""
    if math.isnan(figure.low) or math.isnan(figure.high):
        return "–"
    show = signed if sign else number
    return f"{show(figure.low, metric=metric)} to {show(figure.high, metric=metric)}"


def count(number_of: int, one: str, many: str = "") -> str:
    """Return ``1 question``, ``1,204 questions``."""
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """Return ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def chance(p: float | None) -> str:
    """Return a p value: ``< 0.001`` rather than zero."""
    if p is None or math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def judged(comparison: Comparison, kind: str, *, than: str) -> tuple[str, str]:
    """Return a comparison as a sentence without its subject, and the figures behind it."""
    metric = comparison.metric
    topic = {"retrieval": "at finding the right documents", "answer": "at answering"}.get(
        kind, f"on {metric}"
    )
    said = {
        "better": f"is better than {than} {topic}",
        "worse": f"is worse than {than} {topic}",
        "not_distinguishable": f"cannot be told apart from {than} {topic}",
    }[comparison.verdict]
    if comparison.difference == comparison.low == comparison.high == 0:
        said = f"does exactly as {than} does {topic}"
    b, a = number(comparison.b_value, metric=metric), number(comparison.a_value, metric=metric)
    shift = signed(comparison.difference, metric=metric)
    spread = interval(comparison, metric=metric, sign=True)
    behind = f"{metric} {b} against {a}: {shift}, 95 % interval {spread}, {count(comparison.n, 'question')}"
    seen = number(comparison.detectable, metric=metric)
    if comparison.verdict == "not_distinguishable" and seen != "–":
        behind += f", which would show a difference of {seen} or more"
    return said, behind


def outcome(response: Response) -> str:
    """Return how an answer came out, with the reason of a refusal."""
    shown = (response.outcome or "only searched").replace("_", " ")
    return f"{shown} ({response.reason.replace('_', ' ')})" if response.reason else shown


def date(created: str) -> str:
    """Return a moment as it is read: ``2026-11-22 18:30:00 UTC``."""
    return created.replace("T", " ").replace("Z", " UTC")
