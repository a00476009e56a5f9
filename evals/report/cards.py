"""Single questions with what was given for them: the worst, and those that changed between two runs."""

from collections.abc import Callable

from evals.cases import Case, Ranked, Response, Span
from evals.measures import Metric
from evals.report.gathering import Material, Pair, first
from evals.report.markup import Child, Markup, element, fragment, plain
from evals.report.parts import chip, facts, fold, foreign, note, section
from evals.report.wording import ANSWERABLE, GLYPHS, count, number, outcome, signed
from evals.results import Changed, Row

WORST = 30
PRINTED = 5  # the style sheet hides the others on paper
HITS = 5
_SNIPPET, _ANSWER, _QUESTION, _ERROR = 240, 900, 400, 400


def worst(material: Material) -> Markup:
    """Return the questions that each system did worst on, with what it found and answered."""
    answering = material.answering()
    ordered = sorted(material.systems, key=lambda system: system not in answering)
    return section(
        "worst",
        "Worst questions",
        [_worst_of(material, system, opened=at == 0) for at, system in enumerate(ordered)],
        element("p", {"class": "note printed"}, f"On paper, the {PRINTED} worst of each system are shown."),
        lede=f"At most {WORST} a system, the worst first, with the first {HITS} hits and texts cut short: "
        "the run itself holds the rest.",
    )


def changed(material: Material) -> Markup:
    """Return the questions that moved most between the two runs, both answers side by side."""
    moved = sorted((pair for pair in material.against if pair.changed), key=_answering_first(material))
    return section(
        "changed",
        "Questions that changed most",
        [_changed_of(pair, opened=at == 0) for at, pair in enumerate(moved)]
        or note("No question changed, or the runs cannot be compared."),
        lede="The other run on the left, this run on the right.",
    )


def _answering_first(material: Material) -> Callable[[Pair], bool]:
    answering = material.answering()
    return lambda pair: pair.system not in answering


def _changed_of(pair: Pair, *, opened: bool) -> Markup:
    cards = [_change(each, pair) for each in pair.changed]
    said = f"the {count(len(cards), 'question')} that moved most"
    head = element("h3", {}, pair.system, " ", element("small", {}, said))
    return fold(head, element("div", {"class": "cards"}, cards), kind="fold system", opened=opened)


def _worst_of(material: Material, system: str, *, opened: bool) -> Markup:
    rows = [row for row in material.run.of(system).values() if row.case in material.cases]
    badness = {row.case: bad for row in rows if (bad := _badness(material, row)) is not None}
    ordered = sorted(
        (row for row in rows if row.case in badness), key=lambda row: (badness[row.case], row.case)
    )
    said = f"{count(len(ordered), 'question')} fell short" if ordered else "no question fell short"
    if len(ordered) > WORST:
        said += f"; the worst {WORST}"
    cards = [_card(material, row) for row in ordered[:WORST]]
    head = element("h3", {}, system, " ", element("small", {}, said))
    return fold(head, element("div", {"class": "cards"}, cards), kind="fold system", opened=opened)


def _badness(material: Material, row: Row) -> tuple[float, ...] | None:
    """Return what sorts a row, the worst first: failed, answered wrongly, lowest; None: not short."""
    values = [first(row, metric.name) for metric in reversed(material.headlines)]
    best = [metric.bounds[1] for metric in reversed(material.headlines)]
    short = [value is not None and value < top for value, top in zip(values, best, strict=True)]
    if row.error is None and not any(short):
        return None
    tops = [top if value is None else value for value, top in zip(values, best, strict=True)]
    return (0.0 if row.error is not None else 1.0, *tops)


def _card(material: Material, row: Row) -> Markup:
    case = material.cases[row.case]
    values = [
        _score(metric, value)
        for metric in material.headlines
        if row.error is None and (value := first(row, metric.name)) is not None
    ] or [chip("▼ failed", kind="worse")]
    head = fragment(
        element("span", {"class": "asked"}, foreign(plain(case.question, _QUESTION))),
        element("span", {"class": "chips"}, values),
    )
    return fold(head, _gold(case), _given(case, row), kind="card")


def _score(metric: Metric, value: float) -> Markup:
    """Return a number as a chip; CRAG's three values as the words they stand for."""
    if metric.name != "CRAG":
        return chip(f"{metric.name} {number(value)}")
    if value:
        return chip("▲ right", kind="better") if value > 0 else chip("▼ wrong answer", kind="worse")
    return chip("◆ refused")


def _gold(case: Case) -> Markup:
    right = [document for document, grade in (case.judgements or {}).items() if grade > 0]
    pairs: list[tuple[str, Child]] = [("Question", foreign(plain(case.id, 80)))]
    if case.answerable:
        pairs.append(("Answerable", ANSWERABLE[case.answerable]))
    if case.answer:
        pairs.append(("Expected answer", foreign(plain(case.answer, _ANSWER))))
    if case.judgements is not None:
        names = [element("li", {}, foreign(plain(document, 160))) for document in right[:10]]
        more = element("li", {}, f"and {len(right) - 10} more") if len(right) > 10 else ""
        pairs.append(("Right documents", element("ul", {}, names, more) if right else "none"))
    if case.quotes:
        quotes = [
            element("li", {}, element("q", {}, foreign(plain(each.quote, _SNIPPET))))
            for each in case.quotes[:5]
        ]
        pairs.append(("Proof", element("ul", {}, quotes)))
    return facts(pairs)


def _given(case: Case, row: Row, *, brief: bool = False) -> Markup:
    """Return what a system gave: its error, or its answer with citations and its hits; brief: no texts."""
    if row.response is None:
        return element(
            "p", {"class": "absent"}, "Failed: ", foreign(plain(row.error or "no response", _ERROR))
        )
    parts: list[Child] = []
    if row.response.outcome is not None:
        parts.append(_answer(row.response))
    parts.append(_hits(case, row.response, brief=brief))
    return fragment(*parts)


def _answer(response: Response) -> Markup:
    sure = "" if response.confidence is None else f", confidence {number(response.confidence)}"
    said = plain(response.answer, _ANSWER)
    cited = [element("li", {}, _citation(span)) for span in response.citations[:8]]
    return fragment(
        element("h4", {}, "Answer ", element("small", {}, f"{outcome(response)}{sure}")),
        element("blockquote", {}, foreign(said)) if said else "",
        element("ol", {"class": "cited"}, cited) if cited else "",
    )


def _citation(span: Span) -> Markup:
    anchors = ", ".join(f"{kind} {label}" for kind, label in span.anchors[:3])
    place = f", {plain(anchors, 120)}" if anchors else ""
    return fragment(
        element("q", {}, foreign(plain(span.quote, _SNIPPET))),
        " ",
        element("small", {}, foreign(plain(span.document, 160)), place),
    )


def _hits(case: Case, response: Response, *, brief: bool) -> Markup:
    heading = element("h4", {}, "Hits")
    if not response.ranking:
        return fragment(heading, note("Nothing was found."))
    shown = response.ranking[:HITS]
    items = [
        element("li", {"class": "right" if _relevant(case, hit) else None}, _hit(case, hit, brief=brief))
        for hit in shown
    ]
    return fragment(heading, element("ol", {"class": "hits"}, items))


def _relevant(case: Case, hit: Ranked) -> bool:
    return (case.judgements or {}).get(hit.document, 0) > 0


def _hit(case: Case, hit: Ranked, *, brief: bool) -> Markup:
    title = plain(hit.title, 160) or plain(hit.document, 160)
    return fragment(
        element("b", {}, foreign(title)),
        " ",
        fragment(chip("✓ right", kind="better"), " ") if _relevant(case, hit) else "",
        element("small", {}, foreign(plain(hit.document, 160)), f", score {number(hit.score)}"),
        element("p", {}, foreign(plain(hit.text, _SNIPPET))) if hit.text and not brief else "",
    )


def _change(each: Changed, pair: Pair) -> Markup:
    kind = "better" if each.difference > 0 else "worse"
    head = fragment(
        element("span", {"class": "asked"}, foreign(plain(each.case.question, _QUESTION))),
        element(
            "span",
            {"class": "chips"},
            chip(f"{GLYPHS[kind]} {each.metric} {signed(each.difference)}", kind=kind),
        ),
    )
    sides = [
        element("div", {}, element("h4", {"class": "side"}, name), _given(each.case, row, brief=True))
        for name, row in ((pair.a_name, each.a), (pair.b_name, each.b))
    ]
    return fold(head, _gold(each.case), element("div", {"class": "sides"}, sides), kind="card")
