"""The section of answers: outcomes against gold, risk against coverage, confidence against truth."""

import math
from collections.abc import Mapping, Sequence

from evals.cases import Case
from evals.report import charts
from evals.report.charts import Axes, Mark, Whisker
from evals.report.gathering import Material
from evals.report.markup import Child, Markup, element, fragment
from evals.report.parts import Column, TableRow, absent, fold, note, scrolled, section, table
from evals.report.wording import ANSWERABLE, count, number
from evals.results import Row

_RIGHT = {"yes": {"answered"}, "no": {"not_found", "blocked"}, "partial": {"partial"}}
_NO_DATA = "no answer has both a confidence and a gold"

_ROWS = 15
_LIFT = 18.0

Threshold = tuple[float, tuple[float, float]]
"""A confidence, and (coverage, risk) when it and all above it are answered."""

Judged = tuple[float, float, float]
"""Confidence, right (1) or wrong (0), answered (1) or refused (0)."""


def answers(material: Material) -> Markup:
    """Return how each answering system answered and refused; one that only searches is not there."""
    systems = material.answering()
    if not systems:
        nothing = note("Every system of this run only searches: there are no answers to judge.")
        return section("answers", "Answers and refusals", nothing)
    shown = [
        fragment(
            element("h3", {}, system),
            element("div", {"class": "grid charts"}, _system(material, system, f"{number}")),
        )
        for number, system in enumerate(systems)
    ]
    return section(
        "answers",
        "Answers and refusals",
        shown,
        lede="A wrong answer is worse than none. This is what was answered, what was refused, and whether "
        "the system's confidence tells right from wrong.",
    )


def _system(material: Material, system: str, name: str) -> list[Markup]:
    rows = material.run.of(system)
    judged = [found for case in material.cases.values() if (found := _judge(case, rows.get(case.id)))]
    unanswerable = [case for case in material.cases.values() if case.answerable == "no" and case.id in rows]
    parts = (
        _confusion(material, rows, system),
        _coverage(judged, len(unanswerable), system, name),
        _reliability(judged, system, name),
    )
    return [element("figure", {"class": "panel"}, part) for part in parts]


def _judge(case: Case, row: Row | None) -> Judged | None:
    """Return what the AURC metric takes from a case, so that curve and figure agree."""
    from evals.metrics import parse

    if row is None:
        return None
    metric = parse(["AURC"])[0]
    taken = metric.failed(case) if row.response is None else metric.take(case, row.response)
    if isinstance(taken, str) or not 0 <= taken[0] <= 1:
        return None
    return taken[0], taken[1], taken[2]


def _caption(heading: str, told: str) -> Markup:
    return element("figcaption", {}, element("b", {}, heading), element("span", {}, told))


def _confusion(material: Material, rows: Mapping[str, Row], system: str) -> Markup:
    from evals.refusals import confusion

    counts = confusion(material.cases.values(), rows)
    golds = [gold for gold in counts if any(counts[gold].values())]
    outcomes = [each for each in next(iter(counts.values())) if any(counts[gold][each] for gold in golds)]
    columns = [Column("The question is"), *(Column(each.replace("_", " "), number=True) for each in outcomes)]
    lines = [
        TableRow((ANSWERABLE[gold], *(_confused(counts[gold], outcome, gold) for outcome in outcomes)))
        for gold in golds
    ]
    matrix = table(columns, lines, caption=f"Outcomes of {system}", hidden=True)
    return fragment(
        _caption("Outcomes", "what the system did, against what the question called for"),
        element(
            "div",
            {"class": "scroll matrix", "tabindex": "0", "role": "region", "aria-label": "Outcomes"},
            matrix,
        ),
        note("✓ marks the outcome that is called for. Shares are of the row."),
    )


def _confused(counts: Mapping[str, int], outcome: str, gold: str) -> Child:
    here, whole = counts[outcome], sum(counts.values())
    called_for = outcome in _RIGHT.get(gold, ())
    kind = f"tally shade-{math.ceil(4 * here / whole) if whole else 0}{' due' if called_for else ''}"
    share = f"{here / whole:.0%}" if whole else ""
    return element(
        "span",
        {"class": kind},
        element("b", {}, f"{here:,}"),
        element("small", {}, f"{share}{' ✓' if called_for else ''}"),
    )


def _coverage(judged: Sequence[Judged], unanswerable: int, system: str, name: str) -> Markup:
    """Return risk against coverage: the surest answers first, out of all questions that could be judged."""
    from evals.refusals import risk_coverage

    caption = _caption("Risk and coverage", "share of wrong answers, when only the surest are given")
    kept = [each for each in judged if each[2]]
    if not kept:
        return fragment(caption, absent("The curve", _NO_DATA))
    curve = risk_coverage([each[0] for each in kept], [bool(each[1]) for each in kept])
    share = len(kept) / len(judged)
    steps = [(coverage * share, risk) for coverage, risk in zip(curve.coverages, curve.risks, strict=True)]
    worst = min(unanswerable / len(judged), 1.0)
    axes = Axes(
        f"Risk-coverage curve of {system}",
        f"{count(len(judged), 'question')} judged; answered {share:.0%}, of which {steps[-1][1]:.0%} wrong. "
        f"Answering all would be wrong for at least {worst:.0%}.",
        "share of questions answered",
        "share of answers that are wrong",
    )
    near = share > 0.6 and abs(steps[-1][1] - worst) < 0.15
    marks = [
        Mark(0.0, 0.0, "refuse all"),
        Mark(*steps[-1], "this run"),
        Mark(1.0, worst, "answer all, at best", lift=_LIFT if near else 0.0),
    ]
    columns = [
        Column("Confidence from", number=True),
        Column("Answered", number=True),
        Column("Wrong", number=True),
    ]
    rows = [
        TableRow((number(threshold), f"{coverage:.1%}", f"{risk:.1%}"))
        for threshold, (coverage, risk) in _thinned(list(zip(curve.thresholds, steps, strict=True)))
    ]
    shown = scrolled(table(columns, rows, caption=axes.title, hidden=True), label=axes.title)
    return fragment(
        caption,
        charts.curve(steps, marks, axes, name=f"curve-{name}"),
        note(f"{axes.description} Area under the curve (AURC): {number(curve.area)}."),
        fold("Numbers", shown, kind="fold small"),
    )


def _thinned(points: Sequence[Threshold]) -> list[Threshold]:
    """Return every point, or some at even steps with the last, where there are too many to read."""
    step = math.ceil(len(points) / _ROWS)
    return [point for at, point in enumerate(points, 1) if at % step == 0 or at == len(points)]


def _reliability(judged: Sequence[Judged], system: str, name: str) -> Markup:
    from evals.calibration import reliability

    caption = _caption("Reliability", "how often answers were right, against how sure the system was")
    kept = [each for each in judged if each[2]]
    bins = reliability([each[0] for each in kept], [bool(each[1]) for each in kept])
    if not bins:
        return fragment(caption, absent("The diagram", _NO_DATA))
    axes = Axes(
        f"Reliability diagram of {system}",
        "On the dashed line confidence means what it says; below it the system is too sure of itself.",
        "confidence",
        "share of answers that were right",
    )
    dots = [
        Whisker(each.mean_confidence, each.accuracy, each.accuracy_low, each.accuracy_high, each.n)
        for each in bins
    ]
    columns = [
        Column("Confidence"),
        Column("Answers", number=True),
        Column("Mean", number=True),
        Column("Right", number=True),
        Column("95 % interval", number=True),
    ]
    rows = [
        TableRow(
            (
                f"{each.low:.1f} to {each.high:.1f}",
                f"{each.n:,}",
                number(each.mean_confidence),
                number(each.accuracy),
                f"{number(each.accuracy_low)} to {number(each.accuracy_high)}",
            )
        )
        for each in bins
    ]
    shown = scrolled(table(columns, rows, caption=axes.title, hidden=True), label=axes.title)
    return fragment(
        caption,
        charts.reliability(dots, axes, name=f"reliability-{name}"),
        note(f"{axes.description} A larger dot stands for more answers."),
        fold("Numbers", shown, kind="fold small"),
    )
