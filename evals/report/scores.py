"""Sections of figures: bars with intervals, comparisons with verdicts, slices."""

import math
from collections.abc import Iterable, Mapping, Sequence

from evals.measures import Kind, Metric
from evals.report import charts
from evals.report.gathering import Material, Pair
from evals.report.markup import Child, Markup, element, fragment, plain
from evals.report.parts import Column, TableRow, chip, fold, foreign, note, scrolled, section, table
from evals.report.wording import (
    GLYPHS,
    KINDS,
    VERDICTS,
    chance,
    count,
    interval,
    listed,
    meaning,
    number,
    signed,
)
from evals.results import Comparison, Figure

_ORDER: tuple[Kind, ...] = ("retrieval", "answer", "refusal", "routing", "cost")
_BARS = (
    Column("System"),
    Column("", wide=True),
    Column("Value", number=True),
    Column("95 % interval", number=True),
)
_DIRECTIONS = {"better": 1, "worse": -1, "not_distinguishable": 0}


def figures(material: Material) -> Markup:
    """Return every metric of every system as bars with intervals, grouped by what they tell."""
    counted = [metric for metric in material.metrics.values() if _counted(material, metric)]
    nothing = [metric.name for metric in counted if _nothing(material, metric)]
    empty = [name for name in material.metrics if name not in {metric.name for metric in counted}]
    notes = []
    if nothing:
        notes.append(note(f"0 for every question of every system: {listed(nothing)}."))
    if empty:
        notes.append(note(f"No question had what these need, as Left out tells: {listed(empty)}."))
    groups = [
        _group(material, KINDS[kind], metrics)
        for kind in _ORDER
        if (metrics := [each for each in counted if each.kind == kind and each.name not in nothing])
    ]
    return section(
        "figures",
        "Figures with 95 % intervals",
        groups or note("No metric was measured."),
        notes,
        lede="A whisker spans where the figure would lie, 19 times in 20, on other such questions.",
    )


def comparisons(
    pairs: Sequence[Pair], metrics: Mapping[str, Metric], *, name: str, heading: str, lede: str
) -> Markup:
    """Return each pair's differences with their intervals around zero, then its slices."""
    blocks = [_compared(pair, metrics) for pair in pairs]
    return section(
        name,
        heading,
        blocks or note("There is nothing to compare: only one system was evaluated."),
        lede=lede,
    )


def slices(material: Material) -> Markup:
    """Return the headline metrics on every slice of the questions."""
    lede = "The same figures on parts of the questions. Few questions make wide intervals."
    if not material.slices:
        nothing = note(
            "These questions have no source, no answerable mark and no tag with at least five of them."
        )
        return section("slices", "Slices", nothing, lede=lede)
    return section(
        "slices", "Slices", [_sliced(material, metric) for metric in material.headlines], lede=lede
    )


def verdict(comparison: Comparison) -> Markup:
    """Return a verdict as shape, word and colour."""
    shown = f"{GLYPHS[comparison.verdict]} {VERDICTS[comparison.verdict]}"
    return chip(shown, kind=comparison.verdict)


def _counted(material: Material, metric: Metric) -> bool:
    return any(figure.n or figure.nan for figure in _by_system(material, metric).values())


def _nothing(material: Material, metric: Metric) -> bool:
    """Tell whether a cost is nought throughout: a bar of it would say nothing."""
    return metric.kind == "cost" and not any(
        figure.value or figure.nan for figure in _by_system(material, metric).values() if figure.n
    )


def _by_system(material: Material, metric: Metric) -> dict[str, Figure]:
    """Return the figures of the systems that have one."""
    found = {system: material.figures[system][metric.name] for system in material.systems}
    return {system: figure for system, figure in found.items() if figure.n or figure.nan}


def _group(material: Material, heading: str, metrics: Sequence[Metric]) -> Markup:
    """Return a bar a system for each metric; metrics that one system alone has come in one list."""
    alone: dict[str, list[Metric]] = {}
    panels = []
    for metric in metrics:
        shown = _by_system(material, metric)
        if len(shown) == 1:
            alone.setdefault(next(iter(shown)), []).append(metric)
        else:
            panels.append(_panel(metric, shown, baseline=material.systems[0]))
    lists = [_list(material, system, several) for system, several in alone.items()]
    grid = element("div", {"class": "grid"}, panels) if panels else ""
    return fragment(element("h3", {}, heading), grid, lists)


def _panel(metric: Metric, shown: Mapping[str, Figure], *, baseline: str) -> Markup:
    domain = _domain(metric, shown.values())
    rows = [
        TableRow((system, *_bar_cells(metric, figure, domain, accent=system != baseline)))
        for system, figure in shown.items()
    ]
    caption = fragment(
        element("b", {}, metric.name),
        element("span", {}, _told(metric)),
        element("span", {}, _asked(shown)),
    )
    return element("div", {"class": "panel"}, table(_BARS, rows, caption=caption))


def _list(material: Material, system: str, metrics: Sequence[Metric]) -> Markup:
    rows = []
    for metric in metrics:
        figure = material.figures[system][metric.name]
        name = fragment(metric.name, element("small", {}, _told(metric)))
        cells = _bar_cells(metric, figure, _domain(metric, [figure]), accent=True)
        rows.append(TableRow((name, *cells, _asked({system: figure}).replace(" questions", ""))))
    columns = (Column("Metric"), *_BARS[1:], Column("Questions", number=True))
    shown = table(columns, rows, caption=system, hidden=len(material.systems) == 1)
    return element("div", {"class": "list"}, scrolled(shown, label=f"Figures of {system}"))


def _bar_cells(metric: Metric, figure: Figure, domain: tuple[float, float], *, accent: bool) -> list[Child]:
    if math.isnan(figure.value):
        return ["not defined", "–", "–"]
    return [
        charts.bar(figure.value, figure.low, figure.high, domain=domain, accent=accent),
        number(figure.value, metric=metric.name),
        interval(figure, metric=metric.name),
    ]


def _told(metric: Metric) -> str:
    said = meaning(metric.name)
    if metric.higher_is_better or "lower is better" in said:
        return said
    return f"{said}; lower is better" if said else "lower is better"


def _asked(shown: Mapping[str, Figure]) -> str:
    """Return how many questions counted, and what went wrong with any."""
    numbers = sorted({figure.n for figure in shown.values()})
    said = count(numbers[-1], "question")
    if len(numbers) > 1:
        said = f"{numbers[0]:,} to {said}"
    named = {system: "" if len(shown) == 1 else f"{system}: " for system in shown}
    wrong = [f"{named[system]}{figure.failed} failed" for system, figure in shown.items() if figure.failed]
    wrong += [f"{named[system]}{figure.nan} not a number" for system, figure in shown.items() if figure.nan]
    return "; ".join([said, *wrong])


def _domain(metric: Metric, shown: Iterable[Figure]) -> tuple[float, float]:
    low, high = metric.bounds
    tops = [each for figure in shown for each in (figure.high, figure.value) if not math.isnan(each)]
    top = max(tops, default=1.0)
    return (low if math.isfinite(low) else min(0.0, top), high if math.isfinite(high) else max(top, 1e-9))


def _compared(pair: Pair, metrics: Mapping[str, Metric]) -> Markup:
    heading = element("h3", {}, pair.b_name, element("small", {}, f" against {pair.a_name}"))
    if pair.reason:
        return fragment(heading, note(f"These cannot be compared: {pair.reason}."))
    # Costs that both have none of are no finding.
    whole = [each for each in pair.comparisons if not each.slice and (each.a_value or each.b_value)]
    parts = [each for each in pair.comparisons if each.slice]
    if not whole:
        return fragment(heading, note("No metric has a question that both were measured on."))
    told = sum(1 for each in parts if each.verdict != "not_distinguishable")
    summary = f"By slice: {count(len(parts), 'comparison')}, {told or 'none'} that can be told apart"
    return fragment(
        heading,
        scrolled(_differences(whole, metrics), label=f"{pair.b_name} against {pair.a_name}"),
        fold(summary, scrolled(_differences(parts, metrics), label=f"{pair.b_name} by slice"))
        if parts
        else "",
    )


def _differences(shown: Sequence[Comparison], metrics: Mapping[str, Metric]) -> Markup:
    sliced = bool(shown and shown[0].slice)
    columns = [
        Column("Slice" if sliced else "Metric"),
        *([Column("Metric")] if sliced else []),
        Column("Verdict"),
        Column("Difference", number=True),
        Column("", wide=True),
        Column("95 % interval", number=True),
        Column("A", number=True),
        Column("B", number=True),
        Column("p", number=True),
        Column("Detectable", number=True),
        Column("Questions", number=True),
    ]
    span = _span(shown, metrics)
    rows = [TableRow(_difference_cells(each, metrics, span=span)) for each in shown]
    return table(columns, rows, caption="B minus A, paired by question", hidden=True)


def _difference_cells(each: Comparison, metrics: Mapping[str, Metric], *, span: float) -> list[Child]:
    if not _bounded(metrics[each.metric]):
        span = _widest([each])
    return [
        *([foreign(plain(each.slice.replace(":", ": ", 1), 80))] if each.slice else []),
        each.metric,
        verdict(each),
        signed(each.difference, metric=each.metric),
        charts.difference(
            each.difference, each.low, each.high, span=span, direction=_DIRECTIONS[each.verdict]
        ),
        interval(each, metric=each.metric, sign=True),
        number(each.a_value, metric=each.metric),
        number(each.b_value, metric=each.metric),
        chance(each.p),
        number(each.detectable, metric=each.metric),
        f"{each.n:,}",
    ]


def _span(shown: Sequence[Comparison], metrics: Mapping[str, Metric]) -> float:
    """Return half the width of the axis that all shares have in common, so that rows compare by eye."""
    return max(_widest([each for each in shown if _bounded(metrics[each.metric])]), 0.05)


def _bounded(metric: Metric) -> bool:
    return all(math.isfinite(bound) for bound in metric.bounds)


def _widest(shown: Sequence[Comparison]) -> float:
    ends = [
        abs(end) for each in shown for end in (each.low, each.high, each.difference) if math.isfinite(end)
    ]
    return 1.1 * max(ends, default=0.0) or 1.0


def _sliced(material: Material, metric: Metric) -> Markup:
    systems = [system for system in material.systems if material.figures[system][metric.name].n]
    if not systems:
        return note(f"No question had what {metric.name} needs.")
    columns = [Column("Slice"), Column("Questions", number=True)]
    for system in systems:
        columns += [Column(system, number=True), Column("95 % interval", number=True)]
    rows = [
        TableRow(
            ("all", f"{len(material.cases):,}", *_values(material.figures, systems, metric.name)),
            kind="whole",
        ),
        *(
            TableRow(
                (
                    foreign(plain(each.name.replace(":", ": ", 1), 80)),
                    f"{each.questions:,}",
                    *_values(each.figures, systems, metric.name),
                )
            )
            for each in material.slices
        ),
    ]
    whole = table(columns, rows, caption=f"{metric.name} by slice", hidden=True)
    return fragment(element("h3", {}, metric.name), scrolled(whole, label=f"{metric.name} by slice"))


def _values(figures: Mapping[str, Mapping[str, Figure]], systems: Sequence[str], metric: str) -> list[Child]:
    cells: list[Child] = []
    for system in systems:
        figure = figures[system][metric]
        cells += [number(figure.value, metric=metric), interval(figure, metric=metric)]
    return cells
