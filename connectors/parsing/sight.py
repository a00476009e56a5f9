"""What of a web page a person would see: hidden elements, by attributes, inline styles and simple rules.

No browser: rules of ``<style>`` count where their selector is one element's tag, classes or id, rules
inside ``@media`` do not, scripts are not run. Where a background may come from a style sheet that is not
in the page, text in the colour of paper counts as seen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

Styles = dict[str, str]
Colour = tuple[int, int, int]

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_NAMED: dict[str, Colour] = {
    "white": _WHITE,
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "black": _BLACK,
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
}
_ALIKE = 10  # of 255, in every channel: no screen shows the difference to a reader
_TINY = {"px": 2.0, "pt": 1.5, "em": 0.1, "rem": 0.1, "%": 10.0, "": 1.0}
_FAR = 500.0
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_NUMBER = re.compile(r"([-+]?\d*\.?\d+)\s*(px|pt|r?em|%|)")
_HEX = re.compile(r"#([0-9a-f]{3,8})\b")
_RGB = re.compile(r"rgba?\(([^)]*)\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SELECTOR = re.compile(r"([a-z][a-z0-9]*|\*)?((?:\.[\w-]+)*)(#[\w-]+)?", re.IGNORECASE)
_CLIPPED = re.compile(r"rect\((?:\s*0(?:px)?\s*,?){4}\)|inset\((?:50|100)%")
# What an open element of the first kind is ended by, unless one of the last stands between.
_ENDED_BY = {
    "p": frozenset(
        "address article aside blockquote div dl fieldset footer form h1 h2 h3 h4 h5 h6 header hr main nav ol"
        " p pre section table ul".split()
    ),
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "td": frozenset({"td", "th", "tr", "tbody", "tfoot"}),
    "th": frozenset({"td", "th", "tr", "tbody", "tfoot"}),
    "tr": frozenset({"tr", "tbody", "tfoot"}),
}
_HOLDERS = frozenset({"ul", "ol", "table", "dl", "button"})


@dataclass(frozen=True, slots=True)
class _Look:
    """How text of an element looks. ``ground`` None: nobody here knows."""

    gone: bool = False
    veiled: bool = False
    tiny: bool = False
    colour: Colour | None = _BLACK
    ground: Colour | None = _WHITE

    @property
    def unseen(self) -> bool:
        same = self.colour is not None and self.ground is not None and _alike(self.colour, self.ground)
        return self.gone or self.veiled or self.tiny or same


@dataclass(slots=True)
class Sight:
    """Follows a page tag by tag and tells whether text there would be seen. Unclosed tags do no harm."""

    _open: list[tuple[str, _Look]] = field(default_factory=list)
    _rules: list[tuple[str, frozenset[str], str, Styles]] = field(default_factory=list)
    _look: _Look = field(default_factory=_Look)

    @property
    def unseen(self) -> bool:
        """Tell whether text at this place would not be seen."""
        return self._look.unseen

    def enter(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        """Take a start tag."""
        if tag == "link" and "stylesheet" in (attributes.get("rel") or "").lower():
            self._look = replace(self._look, ground=None)
        if tag in _VOID:
            return
        self._end_implied(tag)
        self._open.append((tag, self._look))
        self._look = _styled(self._look, self._styles(tag, attributes), attributes)

    def leave(self, tag: str) -> None:
        """Take an end tag; one that ends nothing is ignored."""
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                self._close(place)
                return

    def learn(self, sheet: str) -> None:
        """Take the text of a ``<style>``."""
        for selectors, body in _RULE.findall(_outside_at_rules(_COMMENT.sub(" ", sheet))):
            styles = _declared(body)
            for selector in selectors.split(","):
                match = _SELECTOR.fullmatch(selector.strip())
                if match and selector.strip():
                    classes = frozenset(filter(None, (match[2] or "").split(".")))
                    self._rules.append(((match[1] or "*").lower(), classes, (match[3] or "")[1:], styles))

    def _close(self, place: int) -> None:
        ground = self._look.ground
        tag, look = self._open[place]
        # A style sheet is linked in the head and holds for what comes after it.
        self._look = replace(look, ground=None) if tag == "head" and ground is None else look
        del self._open[place:]

    def _end_implied(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            name = self._open[place][0]
            if tag in _ENDED_BY.get(name, ()):
                self._close(place)
            elif name in _HOLDERS:
                return

    def _styles(self, tag: str, attributes: Mapping[str, str | None]) -> Styles:
        styles: Styles = {}
        if self._rules:
            classes = set((attributes.get("class") or "").split())
            name = attributes.get("id") or ""
            for wanted, needed, own, given in self._rules:
                if wanted in ("*", tag) and needed <= classes and own in ("", name):
                    styles |= given
        if bgcolor := attributes.get("bgcolor"):
            styles["background-color"] = bgcolor.lower()
        return styles | _declared(attributes.get("style") or "")


def _styled(look: _Look, styles: Styles, attributes: Mapping[str, str | None]) -> _Look:
    if "hidden" in attributes and (attributes["hidden"] or "").lower() != "until-found":
        look = replace(look, gone=True)
    if not styles:
        return look
    seen = styles.get("visibility", "")
    size = styles.get("font-size", "")
    ground = styles.get("background-color") or styles.get("background")
    return _Look(
        gone=look.gone or _taken_away(styles),
        veiled=seen in ("hidden", "collapse") if seen in ("hidden", "collapse", "visible") else look.veiled,
        tiny=_tiny(size) if _NUMBER.match(size) else look.tiny,
        colour=_coloured(styles["color"], look.ground) if "color" in styles else look.colour,
        ground=_grounded(ground, look.ground) if ground else look.ground,
    )


def _taken_away(styles: Styles) -> bool:
    if styles.get("display") == "none" or _CLIPPED.search(
        styles.get("clip", "") + styles.get("clip-path", "")
    ):
        return True
    opacity = _NUMBER.match(styles.get("opacity", ""))
    if opacity and float(opacity[1]) / (100 if opacity[2] == "%" else 1) <= 0.05:
        return True
    places = ("left", "top", "right", "bottom") if styles.get("position") in ("absolute", "fixed") else ()
    if any(_length(styles.get(key, "")) <= -_FAR for key in (*places, "text-indent")):
        return True
    flat = any(key in styles and _length(styles[key]) == 0 for key in ("height", "width", "max-height"))
    return flat and styles.get("overflow", "") == "hidden"


def _length(text: str) -> float:
    """Return a length in pixels, roughly; not a number counts as 1."""
    match = _NUMBER.match(text)
    return float(match[1]) * (16 if match[2] in ("em", "rem") else 1) if match else 1.0


def _tiny(size: str) -> bool:
    match = _NUMBER.match(size)
    return match is not None and float(match[1]) < _TINY[match[2]]


def _coloured(text: str, ground: Colour | None) -> Colour | None:
    """Return the colour of text; where it is see-through, that of its ground."""
    colour, opaque = _colour(text)
    return colour if opaque else ground


def _grounded(text: str, below: Colour | None) -> Colour | None:
    if "url(" in text or "gradient" in text or "var(" in text:
        return None
    colour, opaque = _colour(text)
    return colour if opaque else below


def _colour(text: str) -> tuple[Colour | None, bool]:
    """Return the colour that a value names (None: not known here), and whether anything of it is seen."""
    if found := _HEX.search(text):
        digits = found[1]
        if len(digits) in (3, 4):
            digits = "".join(digit * 2 for digit in digits)
        if len(digits) in (6, 8):
            red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
            return (red, green, blue), len(digits) == 6 or int(digits[6:], 16) > 12
        return None, True
    if found := _RGB.search(text):
        numbers = [float(one[0]) for one in _NUMBER.findall(found[1])]
        if len(numbers) >= 3:
            red, green, blue = (min(255, int(number)) for number in numbers[:3])
            return (red, green, blue), len(numbers) < 4 or numbers[3] > 0.05
        return None, True
    words = text.split()
    named = next((word for word in words if word in _NAMED), None)
    if named is not None:
        return _NAMED[named], True
    return None, "transparent" not in words and "none" not in words


def _alike(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) <= _ALIKE for a, b in zip(one, other, strict=True))


def _declared(text: str) -> Styles:
    pairs = (one.partition(":") for one in text.lower().split(";"))
    return {key.strip(): value.replace("!important", "").strip() for key, colon, value in pairs if colon}


def _outside_at_rules(sheet: str) -> str:
    """Return a style sheet without its ``@`` rules and all that they hold."""
    return "".join(_pieces(sheet))


def _pieces(sheet: str) -> Iterator[str]:
    at = 0
    while (start := sheet.find("@", at)) >= 0:
        yield sheet[at:start]
        brace, stop = sheet.find("{", start), sheet.find(";", start)
        if brace < 0 or 0 <= stop < brace:
            at = stop + 1 if stop >= 0 else len(sheet)
            continue
        at = _behind(sheet, brace)
    yield sheet[at:]


def _behind(sheet: str, brace: int) -> int:
    depth = 0
    for place in range(brace, len(sheet)):
        depth += {"{": 1, "}": -1}.get(sheet[place], 0)
        if not depth:
            return place + 1
    return len(sheet)


def told(comment: str) -> bool:
    """Tell whether a comment says something to a reader: words, no code, no condition of a browser."""
    words: Sequence[str] = re.findall(r"[^\W\d_]{2,}", comment)
    return len(words) >= 5 and not comment.lstrip().startswith("[") and not set(comment) & set("<>{};=")
