"""Charts as SVG: they scale, print, follow the colours of the page and need no script.

Bars and differences are measured in per cent of their cell, so that a table of them fits any width; the
others are drawn in user units, ``SIDE`` wide. Meaning never hangs on colour alone: what is better points
up, what is worse points down, lines differ by their dashes, and every number also stands in a table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evals.report.markup import Attributes, Markup, element, fragment, plain

SIDE = 380
_LEFT, _TOP, _PLOT = 58, 12, 310  # the square that is framed
_INSET = 10  # so that marks on the edge cover neither the frame nor its numbers
_BAR = 20
_UP, _DOWN = "M0 -6L5.5 4H-5.5Z", "M0 6L5.5 -4H-5.5Z"
_MIDDLE = "M0 -5L5 0L0 5L-5 0Z"


@dataclass(frozen=True, slots=True)
class Point:
    """Questions that fell on one place. ``x``, ``y`` in data units; ``href`` "" leads nowhere."""

    x: float
    y: float
    count: int
    heading: str
    body: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Axes:
    """What a square chart says around its plot; ``low`` to ``high`` in data units on both axes."""

    title: str
    description: str
    x: str
    y: str
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A single place on a chart with its label, ``lift`` higher where another label is near."""

    x: float
    y: float
    label: str
    lift: float = 0.0


@dataclass(frozen=True, slots=True)
class Whisker:
    """A point with its interval on the vertical axis and how many cases stand behind it."""

    x: float
    y: float
    low: float
    high: float
    n: int


def bar(value: float, low: float, high: float, *, domain: tuple[float, float], accent: bool) -> Markup:
    """Return a horizontal bar from zero (or the nearer bound) to ``value`` with its interval on it."""
    zero = min(max(0.0, domain[0]), domain[1])
    start, end = sorted((_share(zero, domain), _share(value, domain)))
    inside = [
        element("rect", {"class": "track", "width": "100%", "height": 8, "y": 6, "rx": 2}),
        element(
            "rect",
            {
                "class": "fill accent" if accent else "fill",
                "x": _percent(start),
                "width": _percent(end - start),
                "height": 8,
                "y": 6,
                "rx": 1,
            },
        ),
    ]
    if domain[0] < 0:
        inside.append(_upright("zero", zero, domain, 1, 19))
    return _cell([*inside, *_interval(low, high, domain)])


def difference(value: float, low: float, high: float, *, span: float, direction: int) -> Markup:
    """Return a difference with its interval around zero; ``direction`` 1 better, -1 worse, 0 neither."""
    domain = (-span, span)
    name = {1: "better", -1: "worse", 0: "same"}[direction]
    shape = {1: _UP, -1: _DOWN, 0: _MIDDLE}[direction]
    mark = element("path", {"class": f"mark {name}", "d": shape})
    place: Attributes = {"x": _percent(_share(value, domain)), "y": _BAR / 2, "overflow": "visible"}
    return _cell(
        [_upright("zero", 0.0, domain, 0, _BAR), *_interval(low, high, domain), element("svg", place, mark)]
    )


def scatter(points: Sequence[Point], axes: Axes, *, name: str) -> Markup:
    """Return points over a diagonal: above it the second system is better. Points may be links."""
    drawn = [_point(point, axes) for point in points]
    hint = element(
        "text",
        {"class": "hint", "x": SIDE / 2, "y": 398, "text-anchor": "middle"},
        "Point at a mark to read its question",
    )
    diagonal = _line("diagonal", axes, (axes.low, axes.low), (axes.high, axes.high))
    return _square(axes, name, [diagonal, hint, *drawn], height=442, role="group")


def curve(steps: Sequence[tuple[float, float]], marks: Sequence[Mark], axes: Axes, *, name: str) -> Markup:
    """Return a stepped line through ``steps`` (x, y) with single places marked and labelled."""
    places = [(_x(x, axes), _y(y, axes)) for x, y in steps]
    path = "".join(
        f"M{x:.1f} {y:.1f}" if number == 0 else f"H{x:.1f}V{y:.1f}" for number, (x, y) in enumerate(places)
    )
    line = [element("path", {"class": "line", "d": path})] if places else []
    labels = [_labelled(mark, axes) for mark in marks]
    return _square(axes, name, [*labels, *line, *(_placed(mark, axes) for mark in marks)])


def reliability(bins: Sequence[Whisker], axes: Axes, *, name: str) -> Markup:
    """Return how often each bin was right against how sure it was, with intervals; nothing is empty."""
    most = max((each.n for each in bins), default=1)
    inside = [_line("diagonal", axes, (axes.low, axes.low), (axes.high, axes.high))]
    for each in bins:
        x = _x(each.x, axes)
        inside.append(
            element(
                "line",
                {"class": "whisker", "x1": x, "x2": x, "y1": _y(each.low, axes), "y2": _y(each.high, axes)},
            )
        )
        inside.append(
            element(
                "circle",
                {"class": "dot", "cx": x, "cy": _y(each.y, axes), "r": 3 + 5 * math.sqrt(each.n / most)},
            )
        )
    return _square(axes, name, inside)


def _cell(children: Sequence[Markup]) -> Markup:
    # The numbers stand beside it in the same row: nothing here is news to who cannot see it.
    return element("svg", {"class": "cell", "width": "100%", "height": _BAR, "aria-hidden": "true"}, children)


def _interval(low: float, high: float, domain: tuple[float, float]) -> list[Markup]:
    if math.isnan(low) or math.isnan(high):
        return []
    place: Attributes = {
        "x1": _percent(_share(low, domain)),
        "x2": _percent(_share(high, domain)),
        "y1": 10,
        "y2": 10,
    }
    return [
        element("line", {"class": "halo", **place}),
        element("line", {"class": "whisker", **place}),
        _upright("whisker", low, domain, 6, 14),
        _upright("whisker", high, domain, 6, 14),
    ]


def _upright(kind: str, at: float, domain: tuple[float, float], top: float, bottom: float) -> Markup:
    x = _percent(_share(at, domain))
    return element("line", {"class": kind, "x1": x, "x2": x, "y1": top, "y2": bottom})


def _share(value: float, domain: tuple[float, float]) -> float:
    low, high = domain
    if math.isnan(value) or high <= low:
        return 0.0
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"


def _x(value: float, axes: Axes) -> float:
    return _LEFT + _INSET + (_PLOT - 2 * _INSET) * _share(value, (axes.low, axes.high))


def _y(value: float, axes: Axes) -> float:
    return _TOP + _INSET + (_PLOT - 2 * _INSET) * (1 - _share(value, (axes.low, axes.high)))


def _square(
    axes: Axes, name: str, inside: Sequence[Markup], *, height: int = SIDE, role: str = "img"
) -> Markup:
    ticks = [axes.low + (axes.high - axes.low) * quarter / 4 for quarter in range(5)]
    grid = [
        fragment(
            _ruled(_x(tick, axes), _TOP, _x(tick, axes), _TOP + _PLOT),
            _ruled(_LEFT, _y(tick, axes), _LEFT + _PLOT, _y(tick, axes)),
            _label(_tick(tick), _x(tick, axes), _TOP + _PLOT + 16, "middle"),
            _label(_tick(tick), _LEFT - 8, _y(tick, axes) + 4, "end"),
        )
        for tick in ticks
    ]
    middle = _TOP + _PLOT / 2
    names = [
        _label(axes.x, _LEFT + _PLOT / 2, _TOP + _PLOT + 34, "middle", kind="axis"),
        element(
            "text",
            {
                "class": "axis",
                "x": 0,
                "y": 0,
                "text-anchor": "middle",
                "transform": f"translate(11 {middle:.0f}) rotate(-90)",
            },
            axes.y,
        ),
    ]
    return element(
        "svg",
        {
            "class": "square",
            "viewBox": f"0 0 {SIDE} {height}",
            "role": role,
            "aria-labelledby": f"{name}-title",
            "aria-describedby": f"{name}-description",
        },
        element("title", {"id": f"{name}-title"}, axes.title),
        element("desc", {"id": f"{name}-description"}, axes.description),
        element("g", {"aria-hidden": "true"}, grid, names),
        inside,
    )


def _tick(value: float) -> str:
    return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")


def _line(kind: str, axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    (x1, y1), (x2, y2) = start, end
    return element(
        "line",
        {"class": kind, "x1": _x(x1, axes), "y1": _y(y1, axes), "x2": _x(x2, axes), "y2": _y(y2, axes)},
    )


def _ruled(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element("line", {"class": "grid", "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _label(words: str, x: float, y: float, anchor: str, *, kind: str = "tick") -> Markup:
    return element("text", {"class": kind, "x": x, "y": y, "text-anchor": anchor}, words)


def _labelled(mark: Mark, axes: Axes) -> Markup:
    x, y = _x(mark.x, axes), _y(mark.y, axes)
    right, above = x > _LEFT + _PLOT / 2, y > _TOP + _PLOT / 2
    height = (y - 10 if above else y + 18) - mark.lift
    return _label(mark.label, x - 9 if right else x + 9, height, "end" if right else "start", kind="note")


def _placed(mark: Mark, axes: Axes) -> Markup:
    x, y = _x(mark.x, axes), _y(mark.y, axes)
    return element("path", {"class": "place", "d": _MIDDLE, "transform": f"translate({x:.1f} {y:.1f})"})


def _point(point: Point, axes: Axes) -> Markup:
    """Return a mark; its words appear below the chart while it is pointed at or has the focus."""
    kind, shape = "same", "M4.5 0A4.5 4.5 0 1 1 -4.5 0A4.5 4.5 0 1 1 4.5 0Z"
    if point.y > point.x:
        kind, shape = "better", _UP
    elif point.y < point.x:
        kind, shape = "worse", _DOWN
    x, y = _x(point.x, axes), _y(point.y, axes)
    size = min(1 + math.log2(point.count) / 4, 2.5)
    mark = element(
        "path",
        {"class": f"mark {kind}", "d": shape, "transform": f"translate({x:.1f} {y:.1f}) scale({size:.2f})"},
    )
    tip = element(
        "foreignObject",
        {"class": "tip", "x": 0, "y": 378, "width": SIDE, "height": 64},
        element("p", {}, element("b", {}, point.heading), " ", element("bdi", {}, plain(point.body, 160))),
    )
    said = f"{point.heading} {plain(point.body, 160)}"
    if not point.href:
        return element("g", {"class": "point"}, mark, tip)
    return element("a", {"class": "point", "href": point.href, "aria-label": said}, mark, tip)
