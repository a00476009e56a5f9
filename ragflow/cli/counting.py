"""``stats``: what came of the runs."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import typer

from ragflow.cli.frame import Frame, emit, say, width
from ragflow.cli.options import Json, unicode_only
from ragflow.terminal import one_line, wrapped

By = Literal["route", "model", "source", "day", "workflow"]
Shown = Mapping[str, Any]

_LABEL = 12
_NONE = "(none)"
_HEADS = ("runs", "success", "refused", "p50 ms", "p95 ms", "$ each")


def add(program: typer.Typer) -> None:
    """Add the commands of this module."""
    program.command("stats")(stats)


def stats(
    ctx: typer.Context,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            callback=unicode_only,
            help="Only runs since then: 12h, 7d, 2026-11-01.",
        ),
    ] = None,
    by: Annotated[By | None, typer.Option("--by", help="Show each of these apart.")] = None,
    as_json: Json = False,
) -> None:
    """Show what came of your runs, and what it took.

    An auditor's figures are those of all. Success is an answer in whole or part, or a workflow that is
    done; cost per success counts what failed too.
    """
    frame: Frame = ctx.obj
    with frame.app() as app:
        report = app.stats(app.asker(), since=since, by=by)
    if as_json:
        emit(report)
        return
    for line in lines(report, width()):
        say(line)


def lines(report: Shown, columns: int) -> Iterator[str]:
    """Give the lines of a report."""
    since = f" since {report['since']}" if report["since"] else ""
    whose = "of all" if report["actor"] is None else f"of {report['actor']}"
    if not report["runs"]:
        yield one_line(f"No question and no workflow {whose} is recorded{since}.", columns)
    else:
        yield one_line(f"Runs {whose}{since}", columns)
        yield ""
        yield from _figures(report, columns)
    yield from _approvals(report, columns)
    if report["runs"]:
        yield ""
        yield from _latency(report, columns)
    if report["groups"]:
        yield ""
        yield from _groups(report, columns)


def _figures(report: Shown, columns: int) -> Iterator[str]:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report["kinds"].items())
    yield from _line("runs", f"{report['runs']:,} ({kinds})", columns)
    good = f"{report['succeeded']:,} of {report['runs']:,} ({report['success']:.1%})"
    yield from _line("success", good, columns)
    for name in ("outcomes", "refusals", "errors", "findings"):
        if report[name]:
            yield from _line(name, _counts(report[name]), columns)
    if report["retries"] or report["fallbacks"]:
        fallbacks = report["fallbacks"]
        plural = "" if fallbacks == 1 else "s"
        yield from _line("retries", f"{report['retries']:,}, and {fallbacks:,} fallback{plural}", columns)
    each = report["cost_per_success_usd"]
    per = "" if each is None else f", {_usd(each)} for each success"
    yield from _line("cost", f"{_usd(report['cost_usd'])}{per}; {report['tokens']:,} tokens", columns)


def _approvals(report: Shown, columns: int) -> Iterator[str]:
    told, live = report["approvals"], report["live"]
    if told["requests"] or told["pending"]:
        statuses = f" ({_counts(told['statuses'])})" if told["statuses"] else ""
        yield from _line(
            "approvals", f"{told['requests']:,} asked{statuses}; {told['pending']:,} wait now", columns
        )
        if told["waited_s"]["n"]:
            half, most = _length(told["waited_s"]["p50"]), _length(told["waited_s"]["p95"])
            yield from _line("waited", f"half of them up to {half}, 95 % up to {most}", columns)
    if any(live.values()):
        yield from _line("now", f"{live['running']:,} running, {live['waiting']:,} waiting", columns)


def _latency(report: Shown, columns: int) -> Iterator[str]:
    latency = report["latency_ms"]
    rows = [("whole run", latency["run"]), *latency["steps"].items()]
    size = min(max(len(name) for name, _ in rows), columns - 30)
    yield f"{'step':{size}}  {'times':>8}  {'p50 ms':>8}  {'p95 ms':>8}"
    for name, found in rows:
        yield f"{one_line(name, size):{size}}  {found['n']:>8,}  {found['p50']:>8,.0f}  {found['p95']:>8,.0f}"


def _groups(report: Shown, columns: int) -> Iterator[str]:
    keys = [_NONE if one["key"] is None else one["key"] for one in report["groups"]]
    size = min(max(len(report["by"]), *map(len, keys)), columns - 10 * len(_HEADS))
    yield f"{report['by']:{size}}" + "".join(f"{head:>10}" for head in _HEADS)
    for key, one in zip(keys, report["groups"], strict=True):
        whole, each = one["latency_ms"]["run"], one["cost_per_success_usd"]
        yield f"{one_line(key, size):{size}}" + "".join(
            f"{cell:>10}"
            for cell in (
                f"{one['runs']:,}",
                f"{one['success']:.1%}",
                f"{sum(one['refusals'].values()):,}",
                f"{whole['p50']:,.0f}",
                f"{whole['p95']:,.0f}",
                "-" if each is None else f"{each:.4f}",
            )
        )


def _line(label: str, text: str, columns: int) -> Iterator[str]:
    first, *rest = wrapped(text, columns - _LABEL).split("\n")
    yield f"{label:{_LABEL}}{first}"
    for more in rest:
        yield " " * _LABEL + more


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _usd(amount: float) -> str:
    return f"${amount:.4f}"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
