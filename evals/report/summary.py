"""The section that is read first: verdicts in words, main figures, what exactly was evaluated."""

import math

from evals.answers import right
from evals.report.gathering import Material, Pair, refused
from evals.report.markup import Child, Markup, element, fragment, plain
from evals.report.parts import Column, TableRow, facts, fold, foreign, note, scrolled, section, table
from evals.report.wording import GLYPHS, count, date, judged, listed, number
from evals.results import EvalRun

_COLUMNS = 4


def summary(material: Material) -> Markup:
    """Return the verdicts in words, the main figures, and what exactly was evaluated."""
    groups = [("", _answered(material)), ("Against the other run", _against(material))]
    groups.append(("Systems of this run" if material.other else "", _within(material)))
    verdicts = [
        fragment(element("h3", {}, heading) if heading else "", element("ul", {"class": "verdicts"}, said))
        for heading, said in groups
        if said
    ]
    return section("summary", "Summary", verdicts, _leading(material), _identity(material))


def _against(material: Material) -> list[Markup]:
    if material.other is None:
        return []
    if not material.against:
        return [_verdict("neutral", "The other run", "shares no system with this one")]
    return [
        said
        for pair in sorted(material.against, key=lambda pair: pair.system not in material.answering())
        for said in _said(material, pair, subject=pair.system, than="the other run")
    ]


def _within(material: Material) -> list[Markup]:
    return [
        said
        for pair in material.pairs
        for said in _said(material, pair, subject=pair.b_name, than=pair.a_name)
    ]


def _said(material: Material, pair: Pair, *, subject: str, than: str) -> list[Markup]:
    if pair.reason:
        return [_verdict("not_distinguishable", subject, "cannot be compared", pair.reason)]
    kinds = {metric.name: metric.kind for metric in material.headlines}
    whole = [each for each in pair.comparisons if not each.slice and each.metric in kinds]
    return [_verdict(each.verdict, subject, *judged(each, kinds[each.metric], than=than)) for each in whole]


def _verdict(kind: str, subject: str, said: str, behind: str = "") -> Markup:
    glyph = element("span", {"class": "glyph", "aria-hidden": "true"}, GLYPHS[kind])
    sentence = element("span", {}, element("b", {}, subject), f" {said}.")
    return element(
        "li", {"class": kind}, glyph, element("div", {}, sentence, note(f"{behind}.") if behind else "")
    )


def _answered(material: Material) -> list[Markup]:
    """Return for each answering system what it did with the questions, beside refusing and answering all."""
    said = []
    for system in material.answering():
        rows = material.run.of(system)
        pairs = [(case, rows[case.id].response) for case in material.cases.values() if case.id in rows]
        given = [(case, response) for case, response in pairs if response is not None and response.outcome]
        verdicts = [(refused(response), right(case, response)) for case, response in given]
        no, due = sum(1 for no, _ in verdicts if no), verdicts.count((True, True))
        wrong = count(verdicts.count((False, False)), "wrong answer")
        told = [f"gave {verdicts.count((False, True)):,} right and {wrong}"]
        told.append(f"refused {count(no, 'question')}" + (f", {due:,} of them rightly" if no else ""))
        unjudged = sum(1 for no, verdict in verdicts if not no and isinstance(verdict, str))
        also = f"; {count(unjudged, 'answer')} could not be judged" if unjudged else ""
        said.append(_verdict("neutral", system, f"{listed(told)}{also}", _scored(material, system)))
    return said


def _scored(material: Material, system: str) -> str:
    """Return the CRAG score beside what a system would get that refused, or answered, everything."""
    figures = material.figures[system]
    if "CRAG" not in figures or not figures["CRAG"].n:
        return ""
    beside = [
        f"{number(figures[name].value)} for {words}"
        for name, words in (("CRAG_refuse_all", "refusing all"), ("CRAG_answer_all", "answering all at best"))
        if name in figures
    ]
    score = f"CRAG score {number(figures['CRAG'].value)} (right +1, refused 0, wrong \N{MINUS SIGN}1)"
    return f"{score}, beside {listed(beside)}" if beside else score


def _leading(material: Material) -> Markup:
    """Return the few figures that stand for all, the best of each in bold."""
    names = _leading_names(material)
    columns = [Column("System"), *(Column(name, number=True) for name in names)]
    best = {name: _best(material, name) for name in names}
    rows = [
        TableRow(
            (
                system,
                *(
                    element(
                        "b" if system in best[name] else "span",
                        {},
                        number(material.figures[system][name].value, metric=name),
                    )
                    for name in names
                ),
            )
        )
        for system in material.systems
    ]
    if not names:
        return note("No metric could be computed.")
    shown = table(columns, rows, caption="Main figures; the best of each column in bold", hidden=True)
    return scrolled(shown, label="Main figures")


def _leading_names(material: Material) -> list[str]:
    counted = [
        name
        for name in material.metrics
        if any(material.figures[system][name].n for system in material.systems)
    ]
    first = [metric.name for metric in material.headlines if metric.name in counted]
    later = [
        name
        for name in ("R@100", "MRR@10", "refusal_F1", "latency_ms")
        if name in counted and name not in first
    ]
    others = [name for name in counted if name not in first and name not in later]
    return [*first, *later, *others][:_COLUMNS]


def _best(material: Material, name: str) -> set[str]:
    values = {system: material.figures[system][name].value for system in material.systems}
    known = {system: value for system, value in values.items() if not math.isnan(value)}
    if len(known) < 2:
        return set()
    choose = max if material.metrics[name].higher_is_better else min
    top = choose(known.values())
    return {system for system, value in known.items() if number(value) == number(top)}


def _identity(material: Material) -> Markup:
    pairs = _facts_of(material.run)
    if material.other is None:
        return fold("What was evaluated", facts(pairs), name="evaluated")
    others = dict(_facts_of(material.other))
    rows = [TableRow((name, value, others.get(name, ""))) for name, value in pairs]
    columns = [Column("What"), Column("This run"), Column("Other run")]
    both = scrolled(
        table(columns, rows, caption="What was evaluated", hidden=True), label="What was evaluated"
    )
    return fold("What was evaluated", both, name="evaluated")


def _facts_of(run: EvalRun) -> list[tuple[str, Child]]:
    setup = run.setup
    chosen = [
        f"{name} {value}"
        for name, value in (("fold", setup.fold), ("limit", setup.limit), ("seed", setup.seed))
        if value is not None
    ]
    return [
        ("Run", setup.run),
        ("Date", date(setup.created)),
        ("Data set", foreign(plain(setup.dataset, 300))),
        ("Kind", setup.kind),
        ("Data digest", _code(setup.digest)),
        (
            "Questions",
            f"{setup.questions:,}"
            + (f" ({', '.join(chosen)})" if chosen else "")
            + (f", {len(setup.excluded):,} not asked" if setup.excluded else ""),
        ),
        ("Systems", ", ".join(setup.systems)),
        ("Generation", _code(setup.generation)),
        ("Configuration digest", _code(setup.config_digest)),
        ("Program", f"ragflow {setup.version}"),
        ("Asked as", foreign(plain(", ".join(setup.actor), 300))),
        ("State", "finished" if setup.status == "done" else "not finished: more rows may come"),
    ]


def _code(digest: str) -> Markup:
    return element("code", {}, digest)
