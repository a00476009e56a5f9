"""An evaluation run for other programs: JUnit XML for CI, CSV for spreadsheets, Markdown for a review.

Each gives one string. Questions, answers and errors come from people and documents: what would be read
as mark-up, as a formula or as a control sequence is made plain text.
"""

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from csv import writer
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from evals.cases import Case
from evals.results import Comparison, EvalRun, Figure, Row

Figures = Mapping[str, Mapping[str, Figure]]
"""System -> metric -> figure."""

# All that XML 1.0 cannot hold, not even as a reference.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_MARKED = re.compile(r"([\\`*_\[\]<>|~&])")
# A spreadsheet takes a cell that begins so as a formula, in full-width forms too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_FIELDS = ("system", "case", "question", "source", "answerable", "tags", "error", "outcome", "confidence")


def number(value: float) -> str:
    """Return a figure for people: three decimals below 10, fewer above, ``-`` where it is none."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.1g}"
    decimals = 3 if size < 10 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}"


def span(low: float, high: float, *, signed: bool = False) -> str:
    """Return an interval for people, ``-`` where there is none; ``signed`` puts + before 0 and up."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "-"
    ends = (f"{'+' if signed and end >= 0 else ''}{number(end)}" for end in (low, high))
    return " to ".join(ends)


def left_out(figures: Mapping[str, Figure]) -> list[tuple[str, int, tuple[str, ...]]]:
    """Return why metrics left cases out: (reason, how many, the metrics), in the metrics' order."""
    found: dict[tuple[str, int], list[str]] = {}
    for metric, figure in figures.items():
        for reason, count in figure.left_out.items():
            found.setdefault((reason, count), []).append(metric)
    return [(reason, count, tuple(metrics)) for (reason, count), metrics in found.items()]


# -- JUnit ---------------------------------------------------------------------------------------


def junit(run: EvalRun, figures: Figures) -> str:
    """Return the run as JUnit XML: a test suite a system, a test case a question, figures as properties.

    A case whose system raised is a ``failure`` with what it said, one with a number that is none an
    ``error``, one that every metric left out is ``skipped`` with the reasons. A wrong answer is no
    failure here: gates judge figures, not single cases. Characters that XML cannot hold are left out.
    """
    root = Element("testsuites", {"name": _xml(f"{run.setup.run} {run.setup.dataset}")})
    sums = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for system in run.setup.systems:
        suite = SubElement(root, "testsuite", {"name": _xml(system), "timestamp": _xml(run.setup.created)})
        _properties(suite, run, figures.get(system, {}))
        rows = [row for row in _ordered(run) if row.system == system]
        counts = dict.fromkeys(sums, 0)
        for row in rows:
            counts["tests"] += 1
            if kind := _testcase(suite, row):
                counts[kind] += 1
        suite.attrib.update({key: str(count) for key, count in counts.items()})
        suite.set("time", f"{sum(_seconds(row) for row in rows):.3f}")
        sums = {key: sums[key] + count for key, count in counts.items()}
    root.attrib.update({key: str(count) for key, count in sums.items()})
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _properties(suite: Element, run: EvalRun, figures: Mapping[str, Figure]) -> None:
    setup = run.setup
    about = {"dataset_digest": setup.digest, "generation": setup.generation, "version": setup.version}
    about["config_digest"] = setup.config_digest
    for metric, figure in figures.items():
        about[metric] = repr(figure.value)
    listed = SubElement(suite, "properties")
    for name, value in about.items():
        SubElement(listed, "property", {"name": _xml(name), "value": _xml(value)})


def _testcase(suite: Element, row: Row) -> str | None:
    """Add a test case; return what it counts as besides a test."""
    name = {"classname": _xml(row.system), "name": _xml(row.case), "time": f"{_seconds(row):.3f}"}
    case = SubElement(suite, "testcase", name)
    if row.error is not None:
        SubElement(case, "failure", {"message": _xml(_line(row.error))}).text = _xml(row.error)
        return "failures"
    broken = [metric for metric, numbers in row.numbers.items() if any(math.isnan(each) for each in numbers)]
    if broken:
        message = f"no number came of {', '.join(broken)}"
        SubElement(case, "error", {"message": _xml(message)}).text = _xml(message)
        return "errors"
    if not row.numbers and row.left_out:
        SubElement(case, "skipped", {"message": _xml("; ".join(dict.fromkeys(row.left_out.values())))})
        return "skipped"
    written = (f"{metric} {' '.join(map(repr, numbers))}" for metric, numbers in row.numbers.items())
    SubElement(case, "system-out").text = _xml("\n".join(written))
    return None


def _seconds(row: Row) -> float:
    return (row.response.timings_ms.get("total", 0.0) if row.response else 0.0) / 1000


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)


# -- CSV -----------------------------------------------------------------------------------------


def csv(run: EvalRun) -> str:
    """Return a row for each system and case, with a column for each number (RFC 4180, lines end CR LF).

    A metric of several numbers has the columns ``name[0]``, ``name[1]``. What was left out, and the
    numbers of a metric that was not asked, are empty; NaN is ``nan``. A text that a spreadsheet would
    take for a formula has an apostrophe before it; numbers are bare.
    """
    widths: dict[str, int] = dict.fromkeys(run.setup.metrics, 1)
    for row in run.rows:
        for metric, numbers in row.numbers.items():
            widths[metric] = max(widths.get(metric, 1), len(numbers))
    heads = [name if width == 1 else f"{name}[{at}]" for name, width in widths.items() for at in range(width)]
    cases = {case.id: case for case in run.cases}
    file = io.StringIO()
    table = writer(file)
    table.writerow([_plain(head) for head in (*_FIELDS, "answer", *heads)])
    for row in _ordered(run):
        taken = (
            number
            for name, width in widths.items()
            for number in (*map(repr, row.numbers.get(name, ())), *[""] * width)[:width]
        )
        table.writerow([*_described(row, cases.get(row.case)), *taken])
    return file.getvalue()


def _described(row: Row, case: Case | None) -> Iterator[str]:
    response = row.response
    told = (
        (case.question, case.source or "", case.answerable or "", " ".join(case.tags)) if case else ("",) * 4
    )
    for text in (row.system, row.case, *told, row.error or "", (response and response.outcome) or ""):
        yield _plain(text)
    yield repr(response.confidence) if response and response.confidence is not None else ""
    yield _plain(response.answer if response else "")


def _plain(text: str) -> str:
    """Return a text that no spreadsheet runs; half surrogate pairs, which no file holds, are replaced."""
    whole = text.encode(errors="replace").decode()
    return f"'{whole}" if whole.startswith(_FORMULA) else whole


# -- Markdown ------------------------------------------------------------------------------------


def markdown(run: EvalRun, figures: Figures, comparisons: Sequence[Comparison] = ()) -> str:
    """Return what was evaluated, a table of figures for each system, and the comparisons, as Markdown."""
    return "\n".join((*_head(run), *_tables(run, figures), *_compared(comparisons)))


def _head(run: EvalRun) -> Iterator[str]:
    setup = run.setup
    yield f"# Evaluation {_md(setup.run)}\n"
    yield f"- data set: {_md(setup.dataset)}, {setup.questions} questions, digest {_md(setup.digest)}"
    yield f"- generation: {_md(setup.generation)}"
    yield f"- configuration: {_md(setup.config_digest)}, version {_md(setup.version)}"
    yield f"- created: {_md(setup.created)}"
    if setup.excluded:
        yield f"- not asked: {len(setup.excluded)} questions"
        for reason in dict.fromkeys(setup.excluded.values()):
            yield f"  - {_md(reason)}"
    yield ""


def _tables(run: EvalRun, figures: Figures) -> Iterator[str]:
    for system in run.setup.systems:
        yield f"## {_md(system)}\n"
        yield "| metric | value | 95 % interval | n | failed | NaN |"
        yield "|---|--:|--:|--:|--:|--:|"
        for metric, one in figures.get(system, {}).items():
            cells = (metric, number(one.value), span(one.low, one.high), one.n, one.failed, one.nan)
            yield _row(cells)
        yield ""
        for reason, count, metrics in left_out(figures.get(system, {})):
            yield f"- left out {count}: {_md(reason)} ({_md(', '.join(metrics))})"
        yield ""


def _compared(comparisons: Sequence[Comparison]) -> Iterator[str]:
    if not comparisons:
        return
    yield "## Comparisons\n"
    yield "| A | B | metric | slice | n | B - A | 95 % interval | p | verdict |"
    yield "|---|---|---|---|--:|--:|--:|--:|---|"
    for one in comparisons:
        p = "-" if one.p is None else number(one.p)
        difference = f"{'+' if one.difference >= 0 else ''}{number(one.difference)}"
        between = span(one.low, one.high, signed=True)
        verdict = one.verdict.replace("_", " ")
        yield _row((one.a, one.b, one.metric, one.slice, one.n, difference, between, p, verdict))
    yield ""


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_md(str(cell)) for cell in cells)} |"


def _md(text: str) -> str:
    return _MARKED.sub(r"\\\1", _line(text))


def _line(text: str) -> str:
    """Return the text on one line, control characters and runs of white space turned into one blank."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _ordered(run: EvalRun) -> list[Row]:
    """Return the rows in the order of systems and cases; a resumed run has written them in another."""
    systems = {name: at for at, name in enumerate(run.setup.systems)}
    cases = {case.id: at for at, case in enumerate(run.cases)}
    return sorted(
        run.rows, key=lambda row: (systems.get(row.system, len(systems)), cases.get(row.case, len(cases)))
    )
