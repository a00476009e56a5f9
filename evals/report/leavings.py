"""What did not count: failed questions, results that are no number, what metrics left out, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence

from evals.report.gathering import Material
from evals.report.markup import Markup, element, fragment, plain
from evals.report.parts import Column, TableRow, facts, fold, foreign, note, scrolled, section, table
from evals.results import Row

_LISTED = 100
_ERROR = 400


def failures(material: Material) -> Markup:
    """Return what went wrong or was not counted: failed cases, no numbers, reasons for leaving out."""
    failed = [row for row in material.run.rows if row.error is not None and row.case in material.cases]
    excluded = material.run.setup.excluded
    parts = [
        element("h3", {}, f"Failed: {len(failed):,}"),
        _failed(material, failed) if failed else note("No system failed on any question."),
        element("h3", {}, "Left out"),
        _left_out(material),
        element("h3", {}, f"Not asked: {len(excluded):,}"),
        _excluded(material) if excluded else note("Every question was asked."),
    ]
    if material.unknown:
        names = facts((name, reason) for name, reason in material.unknown.items())
        parts += [element("h3", {}, "Metrics that are not known here"), names]
    return section(
        "failures",
        "Failures and what was left out",
        parts,
        lede="A failed question counts with the lowest score. A result that is not a number is counted here "
        "and averaged nowhere.",
    )


def _failed(material: Material, rows: Sequence[Row]) -> Markup:
    lines = [
        TableRow(
            (
                row.system,
                foreign(plain(material.cases[row.case].question, 160)),
                foreign(plain(row.error or "", _ERROR)),
            )
        )
        for row in rows[:_LISTED]
    ]
    columns = [Column("System"), Column("Question"), Column("Error")]
    more = note(f"{len(rows) - _LISTED:,} more are in the run.") if len(rows) > _LISTED else ""
    return fragment(
        scrolled(table(columns, lines, caption="Failed questions", hidden=True), label="Failed questions"),
        more,
    )


def _left_out(material: Material) -> Markup:
    """Return reason by reason how many questions a metric did without, metrics of one fate together."""
    fates: dict[tuple[str, str, int], list[str]] = {}
    for system in material.systems:
        for metric, figure in material.figures[system].items():
            for reason, left in figure.left_out.items():
                fates.setdefault((reason, system, left), []).append(metric)
            if figure.nan:
                fates.setdefault(("its number is none (NaN)", system, figure.nan), []).append(metric)
    if not fates:
        return note("Every metric counted every question.")
    lines = [
        TableRow((plain(reason, 200), system, ", ".join(metrics), f"{left:,}"))
        for (reason, system, left), metrics in fates.items()
    ]
    columns = [Column("Reason"), Column("System"), Column("Metrics"), Column("Questions", number=True)]
    return scrolled(
        table(columns, lines, caption="Questions that metrics left out", hidden=True), label="Left out"
    )


def _excluded(material: Material) -> Markup:
    excluded: Mapping[str, str] = material.run.setup.excluded
    reasons = Counter(excluded.values())
    texts = {case.id: case.question for case in material.run.cases}
    lines = [
        TableRow((foreign(plain(texts.get(case, case), 160)), plain(reason, 200)))
        for case, reason in list(excluded.items())[:_LISTED]
    ]
    said = "; ".join(f"{plain(reason, 200)}: {left:,}" for reason, left in reasons.most_common(5))
    shown = scrolled(
        table([Column("Question"), Column("Reason")], lines, caption="Questions not asked", hidden=True),
        label="Not asked",
    )
    return fragment(note(f"{said}."), fold("Which questions", shown))
