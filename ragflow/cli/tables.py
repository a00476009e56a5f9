"""What an index run did, documents, runs and generations as text for people. File names are escaped."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from indexes.query import HIDDEN
from ragflow.terminal import escape, one_line

Json = Mapping[str, Any]
_COUNTS = ("added", "updated", "deleted", "moved", "access_changed", "unchanged", "unreadable")
_SHOWN_UNREADABLE = 20
_SHOWN_FLAGGED = 5


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Give the lines of a table: text to the left, numbers to the right, two blanks between."""
    cells = [[escape(str(cell)) for cell in row] for row in rows]
    widths = [
        max(len(head), *(len(row[i]) for row in cells)) if cells else len(head)
        for i, head in enumerate(heads)
    ]
    right = [bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(heads))]
    for line in ([*heads], *cells):
        aligned = (
            cell.rjust(size) if to_right else cell.ljust(size)
            for cell, size, to_right in zip(line, widths, right, strict=True)
        )
        yield "  ".join(aligned).rstrip()


def setting(value: object) -> str:
    """Return the value of a key of the configuration; "nothing" where it has none."""
    return "nothing" if value is None else str(value)


def indexed(report: Json) -> Iterator[str]:
    """Give the lines of an index run: counts of each source, what could not be read, what is live."""
    if not report["dry_run"]:
        yield from _sources(report)
    yield from _unreadable(report["unreadable"])
    yield from _flagged(report.get("flagged", []), report.get("flagged_documents", 0))
    if report.get("proven_deleted"):
        count = report["proven_deleted"]
        yield ""
        yield f"{count:,} deleted {'document is' if count == 1 else 'documents are'} proven to be gone"
    sent = report.get("embedding")
    if sent and sent["requests"]:
        yield ""
        yield (
            f"Sent to {escape(sent['model'])}: {sent['texts']:,} texts, {sent['tokens']:,} tokens in"
            f" {sent['requests']:,} requests, ${sent['usd']:.4f}; {sent['cached']:,} were there already"
        )
    yield ""
    yield from _live(report)


def _sources(report: Json) -> Iterator[str]:
    rows = [[name, *(counts[key] for key in _COUNTS)] for name, counts in report["sources"].items()]
    yield from table(["source", *("access" if key == "access_changed" else key for key in _COUNTS)], rows)
    for name, counts in report["sources"].items():
        if counts["status"] != "ok":
            because = f": {escape(str(counts['error']))}" if counts["error"] else ""
            yield f"{escape(name)} {escape(counts['status'])}{because}"
            if counts["hint"]:
                yield f"  hint: {escape(counts['hint'])}"


def _unreadable(entries: Sequence[Json]) -> Iterator[str]:
    if not entries:
        return
    yield ""
    yield "Could not be read (all else was):"
    for entry in entries[:_SHOWN_UNREADABLE]:
        hint = f" ({escape(entry['hint'])})" if entry["hint"] else ""
        yield f"  {escape(entry['document'])}: {escape(entry['reason'])}{hint}"
    rest = Counter(entry["reason"] for entry in entries[_SHOWN_UNREADABLE:])
    if rest:
        sums = ", ".join(f"{count} {escape(reason)}" for reason, count in rest.most_common())
        yield f"  and {rest.total()} more: {sums}"


def _flagged(entries: Sequence[Json], documents: int) -> Iterator[str]:
    if not entries:
        return
    names = list(dict.fromkeys(entry["document"] for entry in entries))[:_SHOWN_FLAGGED]
    hold = "1 document holds" if documents == 1 else f"{documents:,} documents hold"
    yield ""
    if any(entry["family"].startswith(HIDDEN) for entry in entries):
        yield f"{hold} text that a person would not see, or that reads like"
        yield "orders to a program; it is left out, or treated as data:"
    else:
        yield f"{hold} text that reads like orders to a program; it is treated as data:"
    for name in names:
        families = ", ".join(f"{one['count']} {one['family']}" for one in entries if one["document"] == name)
        yield f"  {escape(name)}: {escape(families)}"
    if documents > len(names):
        yield f"  and {documents - len(names):,} more (--json names up to a hundred)"


def _live(report: Json) -> Iterator[str]:
    size = f"{report['documents']:,} documents, {report['chunks']:,} chunks"
    seconds = report["timings_ms"].get("total", 0) / 1000
    if report["dry_run"]:
        seconds = report.get("estimate_s")
        if seconds is not None:
            ahead = report.get("reembedding") or {"seconds": 0}
            more = " without that" if ahead["seconds"] is None else ""
            took = "about " + duration(seconds) if seconds >= 1 else "less than a second"
            yield f"It would take {took}{more}."
    elif report["promoted"]:
        yield f"{escape(report['generation'])} is live: {size} ({duration(seconds)})"
    elif report.get("held"):
        yield (
            f"{escape(report['generation'])} stays live." if report["generation"] else "Nothing is live yet."
        )
    elif report["reason"]:
        yield f"No new generation was promoted: {escape(report['reason'])}"
    elif report["generation"]:
        yield f"{escape(report['generation'])} stays live: {size} ({duration(seconds)})"
    else:
        yield "Nothing is indexed."


def duration(seconds: float) -> str:
    """Return seconds in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sources_of(documents: Sequence[Json], types: Mapping[str, str], indexed_at: str | None) -> list[Json]:
    """Sum the readable documents by source; a source without one is not there."""
    sums: dict[str, dict[str, Any]] = {}
    for row in documents:
        name = row["document"].partition("/")[0]
        line = sums.setdefault(
            name,
            {
                "schema": "ragflow.source/1",
                "source": name,
                "type": types.get(name),
                "documents": 0,
                "chunks": 0,
                "unreadable": 0,
                "indexed": indexed_at,
            },
        )
        line["unreadable" if row["unreadable"] else "documents"] += 1
        line["chunks"] += row["chunks"]
    return [sums[name] for name in sorted(sums)]


def sources(rows: Sequence[Json]) -> Iterator[str]:
    """Give the lines of ``sources list``."""
    keys = ("source", "type", "documents", "chunks", "unreadable", "indexed")
    if not rows:
        yield "Nothing that you may read is indexed."
        return
    yield from table(keys, [["" if row[key] is None else row[key] for key in keys] for row in rows])


def document(shown: Json, width: int) -> Iterator[str]:
    """Give the lines of ``sources show``: what is known of a document, its anchors and chunks."""
    for key, value in shown.items():
        if key not in ("schema", "anchors", "chunks") and value is not None:
            listed = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield f"{key}: {one_line(listed, max(20, width - len(key) - 2))}"
    for anchor in shown.get("anchors") or ():
        label = one_line(anchor["label"], 60)
        yield f"  {anchor['start']:>9}-{anchor['end']:<9} {anchor['kind']} {label}"
    chunks = shown.get("chunks") or ()
    if isinstance(chunks, int):
        yield f"chunks: {chunks}"
        return
    for chunk in chunks:
        yield f"  {escape(chunk if isinstance(chunk, str) else str(chunk.get('chunk', chunk)))}"


def runs(rows: Sequence[Json], width: int) -> Iterator[str]:
    """Give the lines of ``runs list``: newest first, one run a line."""
    if not rows:
        yield "No run is recorded."
        return
    lines = []
    for row in rows:
        question = _about(row)
        lines.append(
            [
                row["run"],
                row["kind"],
                row["status"],
                row.get("outcome") or "",
                one_line(question, max(20, width - 54)),
            ]
        )
    yield from table(("run", "kind", "status", "outcome", "question"), lines)


def _about(row: Json) -> str:
    """Return what a run is about: the question, or which workflow, and what it waits for."""
    given = row.get("input") or {}
    if row["kind"] != "workflow":
        return str(given.get("question") or "")
    waits = [f"waits for {one['approval']}" for one in row["approvals"] if one["status"] == "pending"]
    inside = given.get("input") or {}
    said = waits or [value for value in inside.values() if isinstance(value, str)]
    return ": ".join([str(given.get("workflow", "")), *said[:1]])


def generations(rows: Sequence[Json]) -> Iterator[str]:
    """Give the lines of ``generations list``: newest first, the live one and what a gate held marked."""
    if not rows:
        yield "There is no generation yet."
        return
    keys = ("generation", "created", "documents", "chunks")
    marks = ["live" if row.get("live") else "held" if row.get("held") else "" for row in rows]
    lines = [[mark, *(row.get(key, "") for key in keys)] for mark, row in zip(marks, rows, strict=True)]
    yield from table(("", *keys), lines)
    names: dict[str, list[str]] = {}
    for row in rows:
        if name := (row.get("built_by") or {}).get("name"):
            names.setdefault(name, []).append(row["generation"])
    for name, of in names.items():
        yield f"built by {one_line(name, 70)}" + (f": {', '.join(of)}" if len(names) > 1 else "")
