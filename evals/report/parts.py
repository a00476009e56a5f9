"""What every section is made of: sections, tables, folds and notes, all reachable without a mouse."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evals.report.markup import Child, Markup, element, fragment


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading; ``number`` aligns it to the right, ``wide`` gives it what is left of the width."""

    name: str
    number: bool = False
    wide: bool = False

    @property
    def kind(self) -> str | None:
        """The class of its cells."""
        return "number" if self.number else "wide" if self.wide else None


@dataclass(frozen=True, slots=True)
class TableRow:
    """Cells from left to right, the first one naming the row; ``id`` may be linked to."""

    cells: Sequence[Child]
    id: str | None = None
    kind: str | None = None


def section(name: str, heading: str, *children: Child, lede: Child = "") -> Markup:
    """Return a landmark with its heading; ``name`` is what links lead to."""
    title = element("h2", {"id": f"{name}-heading"}, heading)
    opening = element("p", {"class": "lede"}, lede) if lede else ""
    return element("section", {"id": name, "aria-labelledby": f"{name}-heading"}, title, opening, *children)


def table(
    columns: Sequence[Column], rows: Iterable[TableRow], *, caption: Child, hidden: bool = False
) -> Markup:
    """Return a table whose heads have scopes; ``hidden`` leaves its caption to screen readers."""
    heads = [element("th", {"scope": "col", "class": column.kind}, column.name) for column in columns]
    body = [
        element(
            "tr",
            {"id": row.id, "class": row.kind},
            [
                element("th", {"scope": "row"}, cell)
                if number == 0
                else element("td", {"class": columns[number].kind}, cell)
                for number, cell in enumerate(row.cells)
            ],
        )
        for row in rows
    ]
    return element(
        "table",
        {},
        element("caption", {"class": "unseen" if hidden else None}, caption),
        element("thead", {}, element("tr", {}, heads)),
        element("tbody", {}, body),
    )


def scrolled(inside: Markup, *, label: str) -> Markup:
    """Return a wide table in a frame of its own: it scrolls, by keys too, and the page does not."""
    return element("div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": label}, inside)


def fold(
    summary: Child, *children: Child, kind: str = "fold", name: str | None = None, opened: bool = False
) -> Markup:
    """Return what is shown on demand, and always on paper."""
    attributes = {"class": kind, "id": name, "open": opened}
    return element("details", attributes, element("summary", {}, summary), element("div", {}, *children))


def note(*children: Child) -> Markup:
    """Return a remark in small print."""
    return element("p", {"class": "note"}, *children)


def absent(what: str, reason: str) -> Markup:
    """Return why something is not shown."""
    return element("p", {"class": "absent"}, f"{what} cannot be computed: {reason}.")


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """Return names with their values."""
    listed = [fragment(element("dt", {}, name), element("dd", {}, value)) for name, value in pairs]
    return element("dl", {"class": "facts"}, listed)


def foreign(raw: str) -> Markup:
    """Return text of a document, a question or an answer: it keeps its own writing direction."""
    return element("bdi", {}, raw)


def chip(words: str, *, kind: str = "") -> Markup:
    """Return a short label."""
    return element("span", {"class": f"chip {kind}".strip()}, words)
