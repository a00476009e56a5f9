"""Single questions of evaluations as text for people: gold, answers, hits, and two answers side by side.

All of it is escaped.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from ragflow.cli.eval_tables import BESIDE, COSTS, figure, signed, tail
from ragflow.terminal import escape, one_line, wrapped

Json = Mapping[str, Any]
_HITS_SIDE_BY_SIDE = 3


def question(shown: Json, width: int) -> Iterator[str]:
    """Give a question with its gold, then what each system gave: numbers, answer, hits."""
    case = shown["case"]
    yield wrapped(f"{case['id']}: {case['question']}", width)
    for key in ("answerable", "answer", "documents", "source", "tags", "readers"):
        if (value := case.get(key)) not in (None, [], {}):
            yield wrapped(f"  {key}: {_words(value)}", width)
    for quote in case.get("quotes") or ():
        yield wrapped(f'  quote: "{quote["quote"]}" ({quote["document"]})', width)
    if shown["excluded"]:
        yield wrapped(f"  not asked: {shown['excluded']}", width)
    for row in shown["rows"]:
        yield ""
        yield from _answered(row, width)


def _answered(row: Json, width: int) -> Iterator[str]:
    yield escape(row["system"])
    if row["error"] is not None:
        yield wrapped(f"failed: {row['error']}", width, indent="  ")
        return
    if row["numbers"]:
        # Several numbers of one case (a confusion, a confidence and its truth) tell people nothing.
        single = (metric for metric, given in row["numbers"].items() if len(given) == 1)
        numbers = (f"{metric} {_value(row, metric)}" for metric in single if metric not in (*BESIDE, *COSTS))
        yield wrapped(", ".join(numbers), width, indent="  ")
    response = row["response"]
    if response["outcome"] is not None:
        sure = "" if response["confidence"] is None else f", confidence {response['confidence']:.2f}"
        reason = f" ({response['reason']})" if response["reason"] else ""
        yield f"  {response['outcome']}{reason}{sure}"
        if response["answer"]:
            yield wrapped(response["answer"], width, indent="  ")
    for one in response["citations"]:
        yield wrapped(f'cited {one["document"]}: "{one["quote"]}"', width, indent="    ")
    for rank, hit in enumerate(response["ranking"], 1):
        yield f"  {rank:>2}  {hit['score']:.3f}  {one_line(hit['document'], width - 13)}"
        if snippet := one_line(hit["text"], width - 6):
            yield f"      {snippet}"


def changed(entries: Sequence[Json], width: int) -> Iterator[str]:
    """Give the questions that changed most, both answers side by side."""
    head = ""
    for one in entries:
        metric = one["metric"]
        systems = dict.fromkeys((one["a"]["system"], one["b"]["system"]))
        wanted = f"Changed most in {escape(metric)}, {escape(' and '.join(systems))}"
        if wanted != head:
            yield ""
            yield wanted
        head = wanted
        yield ""
        yield wrapped(f"{one['question']}: {one['text']}", width)
        before, after = (_value(one[side], metric) for side in ("a", "b"))
        yield f"{before} -> {after} ({signed(one['difference'])})"
        room = (width - 5) // 2
        yield from side_by_side(_given(one["a"], "A", room), _given(one["b"], "B", room), width)


def side_by_side(left: Sequence[str], right: Sequence[str], width: int) -> Iterator[str]:
    """Give two columns, each in half of the width, their lines wrapped."""
    half = (width - 5) // 2
    columns = [
        [piece for line in side for piece in wrap(escape(line), half, break_on_hyphens=False) or [""]]
        for side in (left, right)
    ]
    for one, other in zip_longest(*columns, fillvalue=""):
        yield f"  {one.ljust(half)} | {other}".rstrip()


def _given(row: Json, name: str, width: int) -> list[str]:
    """Return what a system gave, in a few lines: its answer, else the first documents it found."""
    if row["error"] is not None:
        return [f"{name} failed", " ".join(row["error"].split())]
    response = row["response"] or {}
    found = [
        f"{at}. {tail(hit['document'], width - 4)}" for at, hit in enumerate(response.get("ranking") or (), 1)
    ]
    if response.get("outcome") is None:
        return [name, *(found[:_HITS_SIDE_BY_SIDE] or ["nothing found"])]
    cited = dict.fromkeys(one["document"] for one in response["citations"])
    answer = " ".join(response["answer"].split()) or "no answer"
    return [
        f"{name} {response['outcome']}",
        answer,
        *(f"- {tail(document, width - 2)}" for document in cited),
    ]


def _value(row: Json, metric: str) -> str:
    if row["error"] is not None:
        return "failed"
    numbers = row["numbers"].get(metric)
    return " ".join(map(figure, numbers)) if numbers else "left out"


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
