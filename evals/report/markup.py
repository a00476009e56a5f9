"""HTML that is escaped by construction: text becomes markup only through ``element``.

A document or a question may hold anything: tags, overrides of the writing direction, control
characters. A plain string is always text here; only what ``element`` made is taken as markup.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

VOID = frozenset({"meta", "link", "br", "col"})

# What cannot stand in a page, or would show text other than it is: controls but tab and line feed, lone
# surrogates, direction overrides and other format characters, tags, noncharacters. Joiners and the soft
# hyphen are kept: scripts need them.
_UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is safe to put into a page."""

    html: str


Child = Markup | str | Iterable["Markup | str"]
Attributes = Mapping[str, str | float | bool | None]


def text(raw: str) -> str:
    """Return ``raw`` escaped for HTML; what cannot be shown stands as its code point, ``[U+202E]``."""
    shown = _UNSHOWABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", raw.replace("\r\n", "\n"))
    return escape(shown, quote=True)


def plain(raw: str, limit: int) -> str:
    """Return ``raw`` on one line and at most ``limit`` characters long, the cut shown by an ellipsis.

    Combining marks beyond three on one letter are dropped: they would paint over other lines.
    """
    line = re.sub(r"\s+", " ", raw[: 4 * limit]).strip()
    kept: list[str] = []
    marks = 0
    for letter in line:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= 3:
            kept.append(letter)
    return "".join(kept[: limit - 1]) + "…" if len(kept) > limit else "".join(kept)


def element(name: str, attributes: Attributes, *children: Child) -> Markup:
    """Return one element; an attribute that is None or False is left out, one that is True stands bare."""
    return Markup(
        f"<{name}{_attributes(attributes)}>{_joined(children)}" + ("" if name in VOID else f"</{name}>")
    )


def fragment(*children: Child) -> Markup:
    """Return the children one after the other, without an element around them."""
    return Markup(_joined(children))


def _attributes(attributes: Attributes) -> str:
    parts = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        parts.append(f" {key}" if value is True else f' {key}="{text(_number(value))}"')
    return "".join(parts)


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def _joined(children: Iterable[Child]) -> str:
    parts = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child.html)
        elif isinstance(child, str):
            parts.append(text(child))
        else:
            parts.append(_joined(child))
    return "".join(parts)
