"""Evaluations as text for people: figures, comparisons, gates, calibrations. All of it is escaped."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evals.exports import number, span
from ragflow.cli.tables import setting
from ragflow.terminal import escape, one_line, wrapped

Json = Mapping[str, Any]
Cells = Sequence[Sequence[str]]
# Shown under the metric that they put into proportion.
BESIDE = {"CRAG_refuse_all": "  refuse all", "CRAG_answer_all": "  answer all"}
COSTS = ("cost_usd", "tokens")
_ERRORS_SHOWN = 5


def aligned(heads: Sequence[str], rows: Cells, *, left: Sequence[int] = (0,)) -> Iterator[str]:
    """Give the lines of a table: the columns ``left`` to the left, all others to the right."""
    lines = [[escape(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        cells = (
            cell.ljust(size) if at in left else cell.rjust(size)
            for at, (cell, size) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


# -- a run ---------------------------------------------------------------------------------------


def evaluated(report: Json, width: int) -> Iterator[str]:
    """Give the lines of a run: what was evaluated, a table for each system, comparisons with the first."""
    dataset = report["dataset"]
    unfinished = "" if report["status"] == "done" else " (not finished)"
    about = f"{escape(report['run'])}{unfinished}: {_questions(dataset['questions'])} of "
    yield about + tail(dataset["path"], width - len(about))
    yield wrapped(f"generation {report['generation']}, configuration {report['config_digest'][:12]}", width)
    yield from _excluded(dataset["excluded"], width)
    for name, system in report["systems"].items():
        yield ""
        yield from _system(name, system, width)
    for b in dict.fromkeys(one["b"] for one in report["comparisons"]):
        chosen = [one for one in report["comparisons"] if one["b"] == b]
        yield ""
        yield f"{escape(b)} against {escape(chosen[0]['a'])}"
        yield from compared(chosen, width)


def _excluded(excluded: Mapping[str, str], width: int) -> Iterator[str]:
    counts: dict[str, int] = {}
    for reason in excluded.values():
        counts[reason] = counts.get(reason, 0) + 1
    for reason, count in counts.items():
        yield wrapped(f"not asked, {_questions(count)}: {reason}", width)


def _system(name: str, system: Json, width: int) -> Iterator[str]:
    measured = {metric: one for metric, one in system["metrics"].items() if one["n"] or one["nan"]}
    rows = [
        [
            BESIDE.get(metric, metric),
            figure(one["value"]),
            _span(one["low"], one["high"]),
            f"{one['n']:,}",
            str(one["failed"] or ""),
            str(one["nan"] or ""),
        ]
        for metric, one in _ordered(measured).items()
        # Nothing that runs on this machine alone costs anything.
        if metric not in COSTS or one["value"]
    ]
    yield from aligned((name, "value", "95 % interval", "n", "failed", "NaN"), rows)
    spent = system["latency_ms"]
    if spent["p50"] is not None:
        yield f"latency: p50 {number(spent['p50'])} ms, p95 {number(spent['p95'])} ms"
    yield from left_out(system["metrics"], width)
    if system["failed"]:
        yield f"{_questions(system['failed'])} failed:"
        for error in system["errors"][:_ERRORS_SHOWN]:
            yield f"  {one_line(error, width - 2)}"


def _ordered(metrics: Json) -> dict[str, Json]:
    """Put what CRAG is compared with right after it."""
    beside = [name for name in BESIDE if name in metrics]
    ordered: dict[str, Json] = {}
    for name in (name for name in metrics if name not in BESIDE):
        ordered[name] = metrics[name]
        if name == "CRAG":
            ordered |= {each: metrics[each] for each in beside}
    return ordered | {name: metrics[name] for name in beside}


def left_out(metrics: Json, width: int) -> Iterator[str]:
    """Say why metrics left questions out: one line for a reason, its metrics together."""
    found: dict[str, list[str]] = {}
    for metric, one in metrics.items():
        for reason, count in one["left_out"].items():
            whole = not one["n"] and not one["nan"] and len(one["left_out"]) == 1
            start = "no figure" if whole else f"left out {count:,}"
            found.setdefault(f"{start}: {reason}", []).append(metric)
    for said, names in found.items():
        # One name more is no longer than "and 1 more".
        named = names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"]
        yield wrapped(f"{said} ({', '.join(named)})", width)


# -- comparisons ---------------------------------------------------------------------------------


def compared(comparisons: Sequence[Json], width: int) -> Iterator[str]:
    """Give a table of comparisons; the column ``n`` goes where the lines would be too long.

    Metrics in which nothing differs are named in a line below it.
    """
    same = [one["metric"] for one in comparisons if _same(one) and not one["slice"]]
    heads = ["metric", "n", "B - A", "low", "high", "p", "verdict"]
    rows = [
        [
            one["metric"] + (f", {one['slice']}" if one["slice"] else ""),
            f"{one['n']:,}",
            signed(one["difference"]),
            signed(one["low"]),
            signed(one["high"]),
            _p(one["p"]),
            one["verdict"].replace("_", " "),
        ]
        for one in comparisons
        if one["slice"] or not _same(one)
    ]
    lines = list(aligned(heads, rows, left=(0, 6))) if rows else []
    if max(map(len, lines), default=0) > width:
        lines = list(aligned(heads[:1] + heads[2:], [row[:1] + row[2:] for row in rows], left=(0, 5)))
    yield from lines
    named = [metric for metric in same if metric not in (*BESIDE, *COSTS)]
    if named:
        yield wrapped(f"no difference at all: {', '.join(named)}", width)


def _same(one: Json) -> bool:
    return bool(one["difference"] == one["low"] == one["high"] == 0)


def comparison(report: Json, width: int) -> Iterator[str]:
    """Give the lines of ``eval compare``: each pair of systems over all questions, then the slices."""
    yield f"A {escape(report['a'])}"
    yield f"B {escape(report['b'])}"
    for one in report["settings"]:
        yield one_line(f"  {one['key']}: {setting(one['a'])} -> {setting(one['b'])}", width)
    pairs = dict.fromkeys((one["a"], one["b"]) for one in report["comparisons"])
    for a, b in pairs:
        mine = [one for one in report["comparisons"] if (one["a"], one["b"]) == (a, b)]
        whole = [one for one in mine if not one["slice"]]
        parts = [one for one in mine if one["slice"]]
        moved = [one for one in parts if one["verdict"] != "not_distinguishable"]
        yield ""
        yield f"{escape(b)} (B) against {escape(a)} (A)"
        yield from compared(whole, width)
        if whole:
            yield wrapped(_verdict(whole), width)
        if moved:
            yield ""
            yield from compared(moved, width)
        if rest := len(parts) - len(moved):
            yield f"{rest:,} comparisons within slices are not distinguishable (--json lists them)"


def _verdict(comparisons: Sequence[Json]) -> str:
    """Say in a sentence what came out, and what so many questions could have shown."""
    said = [
        f"{word} in {', '.join(named)}"
        for word in ("better", "worse")
        if (named := [one["metric"] for one in comparisons if one["verdict"] == word])
    ]
    open_ = [one for one in comparisons if one["verdict"] == "not_distinguishable" and not _same(one)]
    if open_:
        said.append(f"not distinguishable in {len(open_)}")
    sentence = f"B is {'; '.join(said)}." if said else "B is no different from A."
    shown = [
        one for one in open_ if one["detectable"] is not None and one["metric"] not in (*COSTS, "latency_ms")
    ]
    if shown:
        first = shown[0]
        sentence += (
            f" {first['n']:,} questions show a difference in {first['metric']} from about"
            f" {number(first['detectable'])} up."
        )
    return sentence


# -- gates, calibration, lists ---------------------------------------------------------------------


def gated(report: Json, width: int) -> Iterator[str]:
    """Give the lines of a gate: one for each check, then what came out."""
    for check in report["checks"]:
        # Most reasons name the metric.
        named = "" if check["metric"] in check["reason"] else f"{check['metric']}: "
        yield wrapped(f"{check['status']}: {named}{check['reason']}", width)
    against = f" against {escape(report['against'])}" if report["against"] else ""
    yield f"gate {report['status']}: {escape(report['run'])}{against}, {escape(report['system'])}"


def calibration(shown: Json, width: int) -> Iterator[str]:
    """Give the lines of a calibration: what the confidence is worth, thresholds, what is recommended."""
    yield wrapped(f"{shown['run']}, {shown['system']}: {shown['n']:,} questions with a confidence", width)
    for reason, count in shown["left_out"].items():
        yield wrapped(f"left out {count:,}: {reason}", width)
    yield ""
    auroc = shown["auroc"]
    between = _span(auroc["low"], auroc["high"])
    yield f"AUROC, unanswerable questions told by low confidence: {figure(auroc['value'])} ({between})"
    for words, trust in (
        ("as given", shown["given"]),
        ("after Platt scaling, cross-fitted", shown["scaled"]),
    ):
        if trust["ece"] is not None:
            error, brier = figure(trust["ece"]), figure(trust["brier"])
            yield f"confidence of {trust['n']:,} answers, {words}: ECE {error}, Brier {brier}"
    if shown["operating"]:
        yield ""
        heads = ("min_confidence", "answered", "wrong of those", "score")
        keys = ("threshold", "coverage", "risk", "score")
        yield from aligned(heads, [[figure(point[key]) for key in keys] for point in shown["operating"]])
    yield ""
    yield from _recommended(shown, width)


def _recommended(shown: Json, width: int) -> Iterator[str]:
    if shown["recommended"] is None:
        yield wrapped(f"No threshold is recommended: {shown['reason']}.", width)
        return
    score, run, gain = shown["score"], shown["as_run"], shown["gain"]
    yield wrapped(
        f"Recommended: answer.min_confidence {figure(shown['recommended'])} ({shown['target']}); it is"
        f" {figure(shown['min_confidence'])} now.",
        width,
    )
    yield wrapped(
        f"Cross-fitted, it scores {figure(score['value'])} ({_span(score['low'], score['high'])}) where the"
        f" run scored {figure(run['value'])}; difference {signed(gain['difference'])}"
        f" ({signed(gain['low'])} to {signed(gain['high'])}). It answers"
        f" {figure(shown['coverage']['value'])}, wrong of those {figure(shown['risk']['value'])}.",
        width,
    )
    if not (gain["low"] or 0) > 0:
        yield "These questions do not show that it is better than what it is now."


def runs(rows: Sequence[Json], width: int) -> Iterator[str]:
    """Give the lines of ``eval list``: newest first, one run a line."""
    if not rows:
        yield "Nothing has been evaluated yet."
        return
    room = max(16, width - 24 - 7 - 9 - 8)
    lines = [
        [
            row["run"],
            row["status"],
            f"{row['dataset']['questions']:,}",
            tail(row["dataset"]["path"], room // 2),
            one_line(",".join(row["systems"]), room - room // 2),
        ]
        for row in rows
    ]
    yield from aligned(("run", "status", "questions", "data set", "systems"), lines, left=(0, 1, 3, 4))


def tail(path: str, width: int) -> str:
    """Return a path on one line, cut at its beginning: the name of the file is at its end."""
    shown = escape(path)
    return shown if len(shown) <= width else f"...{shown[3 - max(width, 12) :]}"


def _questions(count: int) -> str:
    return f"{count:,} question{'' if count == 1 else 's'}"


def figure(value: float | None) -> str:
    """Return a figure; ``-`` where there is none."""
    return "-" if value is None else number(value)


def signed(value: float | None) -> str:
    """Return a difference with its sign; ``-`` where there is none."""
    return "-" if value is None else f"{'+' if value >= 0 else ''}{number(value)}"


def _span(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else span(low, high)


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<.001" if value < 0.001 else f"{value:.3f}"
