"""The plan of an index run, and what could not be read, as text for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragflow.cli.tables import duration, setting, table
from ragflow.terminal import escape, one_line

if TYPE_CHECKING:
    from indexes.report import SyncPlan

_HEADS = (
    "source",
    "add",
    "update",
    "delete",
    "moved",
    "access",
    "unreadable",
    "unchanged",
    "size",
    "time",
)


def planned(plan: "SyncPlan") -> Iterator[str]:
    """Give the lines of a plan: a row for each source, and why one failed or is held."""
    rows = [
        [
            name,
            one.added,
            one.updated,
            one.deleted,
            one.moved,
            one.access_changed,
            one.unreadable,
            one.unchanged,
            size(one.bytes),
            duration(plan.seconds[name]) if name in plan.seconds else "",
        ]
        for name, one in plan.sources.items()
    ]
    yield from table(_HEADS, rows)
    for name, one in plan.sources.items():
        if one.status != "ok":
            yield f"{escape(name)} {escape(one.status)}: {escape(one.error or '')}"
            if one.hint:
                yield f"  hint: {escape(one.hint)}"
    yield from map(escape, plan.notes)


def reembedded(ahead: Mapping[str, Any]) -> Iterator[str]:
    """Give the lines of what another model or chunking asks for: what changed, how much, about how long."""
    changed = ahead["changed"]
    yield f"{escape(ahead['reason'].capitalize())} since the live index was built{':' if changed else '.'}"
    for one in changed:
        yield "  " + one_line(f"{one['key']}: {setting(one['live'])} -> {setting(one['configured'])}", 78)
    fresh, cached = ahead["chunks"] - ahead["cached"], ahead["cached"]
    if not fresh:
        yield f"{_chunks(ahead['chunks'])}, all embedded already: none is embedded again."
        return
    already = f" ({cached:,} more need none: their text was embedded, or comes twice)" if cached else ""
    yield f"{_chunks(fresh)} to embed{already}, beside the live index: {about(ahead['seconds'])}."


def _chunks(count: int) -> str:
    return f"{count:,} chunk{'' if count == 1 else 's'}"


def about(seconds: float | None) -> str:
    """Return an estimate as no more than it is."""
    if seconds is None:
        return "how long is known after the first run with this model"
    if seconds < 1:
        return "less than a second"
    if seconds < 60:
        return f"about {seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"


def failures(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give the lines of ``sources failures``."""
    if not rows:
        yield "Everything that you may read could be read."
        return
    yield from table(
        ("document", "reason", "tries", "since"),
        [[row["document"], row["reason"], row["tries"], row["since"]] for row in rows],
    )
    hints = dict.fromkeys((row["reason"], row["hint"]) for row in rows if row["hint"])
    for reason, hint in hints:
        yield f"{escape(reason)}: {escape(hint)}"


def size(count: int) -> str:
    """Return bytes in the unit that fits (10^3)."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
