"""Question by question: a chart of A against B for each pair, with the same in a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evals.cases import Case
from evals.measures import Metric
from evals.report import charts
from evals.report.charts import Axes, Point
from evals.report.gathering import Material, Pair, first
from evals.report.markup import Child, Markup, element, plain
from evals.report.parts import Column, TableRow, fold, foreign, note, scrolled, section, table
from evals.report.wording import GLYPHS, count, number, signed

LINKED = 40
_LISTED = 100


@dataclass(frozen=True, slots=True)
class Placed:
    """A question with the number that each of two systems has for it."""

    case: Case
    x: float
    y: float


def scatters(material: Material, pairs: Sequence[Pair]) -> Markup:
    """Return a point a question: how A did on it and how B did."""
    wanted = [(metric, pair) for metric in material.headlines for pair in pairs]
    drawn = [_scatter(material, pair, metric, f"scatter-{at}") for at, (metric, pair) in enumerate(wanted)]
    shown = [chart for chart in drawn if chart is not None]
    nothing = note("It takes two systems, or two runs, measured on the same questions.")
    return section(
        "questions",
        "Question by question",
        element("div", {"class": "grid charts"}, shown) if shown else nothing,
        lede=f"Each mark is a question, a larger one several. {GLYPHS['better']} above the line B did "
        f"better, {GLYPHS['worse']} below it A did. Tab visits the {LINKED} marks that differ most.",
    )


def _scatter(material: Material, pair: Pair, metric: Metric, name: str) -> Markup | None:
    """Return the chart of a pair with its table; None where no question has both numbers."""
    places = _places(material, pair, metric)
    if not places:
        return None
    points = [
        Point(
            x,
            y,
            len(found),
            _heading(x, y, len(found)),
            found[0].case.question,
            href=f"#{name}-{at}" if at < LINKED and x != y else "",
        )
        for at, ((x, y), found) in enumerate(places)
    ]
    counts = {
        side: sum(len(found) for (x, y), found in places if (y > x) - (y < x) == side) for side in (-1, 0, 1)
    }
    axes = Axes(
        f"{metric.name}, {pair.b_name} against {pair.a_name}, question by question",
        f"Of {count(sum(counts.values()), 'question')}, B is better on {counts[1]:,}, A on {counts[-1]:,}, "
        f"{counts[0]:,} are equal.",
        f"A: {pair.a_name}",
        f"B: {pair.b_name}",
        *_range(metric, places),
    )
    return element(
        "figure",
        {"class": "panel"},
        element(
            "figcaption",
            {},
            element("b", {}, f"{pair.b_name} against {pair.a_name}"),
            element("span", {}, metric.name),
        ),
        element("a", {"class": "skip inner", "href": f"#{name}-after"}, "Skip the points of this chart"),
        charts.scatter(points, axes, name=name),
        element("div", {"id": f"{name}-after", "tabindex": "-1"}, note(axes.description)),
        _differing(places, name, axes.title),
    )


def _places(material: Material, pair: Pair, metric: Metric) -> list[tuple[tuple[float, float], list[Placed]]]:
    """Return the questions by where they fall, rounded to a hundredth, those that differ most first."""
    places: dict[tuple[float, float], list[Placed]] = {}
    for case in material.cases.values():
        x, y = first(pair.a.get(case.id), metric.name), first(pair.b.get(case.id), metric.name)
        if x is not None and y is not None:
            places.setdefault((round(x, 2), round(y, 2)), []).append(Placed(case, x, y))
    return sorted(places.items(), key=lambda each: (-abs(each[0][1] - each[0][0]), each[0]))


def _range(metric: Metric, places: Sequence[tuple[tuple[float, float], list[Placed]]]) -> tuple[float, float]:
    low, high = metric.bounds
    values = [value for place, _ in places for value in place]
    return (low if math.isfinite(low) else min(values), high if math.isfinite(high) else max(values))


def _differing(places: Sequence[tuple[tuple[float, float], list[Placed]]], name: str, title: str) -> Child:
    """Return the table that the points lead to: the chart's alternative in words and numbers."""
    rows = [
        TableRow(
            (
                foreign(plain(each.case.question, 160)),
                number(each.x),
                number(each.y),
                signed(each.y - each.x),
            ),
            id=f"{name}-{at}" if each is found[0] else None,
        )
        for at, ((x, y), found) in enumerate(places)
        for each in (found if x != y else ())
    ][:_LISTED]
    columns = [
        Column("Question"),
        Column("A", number=True),
        Column("B", number=True),
        Column("B minus A", number=True),
    ]
    listed = scrolled(table(columns, rows, caption=title, hidden=True), label=title)
    return (
        fold(f"The {count(len(rows), 'question')} that differ most", listed, kind="fold small")
        if rows
        else ""
    )


def _heading(x: float, y: float, here: int) -> str:
    shift = "equal" if x == y else signed(y - x)
    return f"A {number(x)}, B {number(y)} ({shift})." + (
        f" {here} questions, one of them:" if here > 1 else ""
    )
