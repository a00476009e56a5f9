"""The page around the sections: head, summary, contents, how it was measured."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import PurePath

from evals.report import answering, cards, leavings, scatters, scores, summary
from evals.report.gathering import Material, gather
from evals.report.markup import Markup, element, fragment, plain
from evals.report.parts import Column, TableRow, fold, foreign, note, scrolled, section, table
from evals.report.wording import count, date
from evals.results import EvalRun

_METHOD = (
    "Intervals are 95 % bootstrap intervals over the questions. Two systems are compared on the questions "
    "that both were measured on, by a paired permutation test; p is adjusted for the number of comparisons "
    "(Holm), over all metrics of a pair together, and over its slices together, which are compared on the "
    "main metrics alone. Better or worse is said only where the adjusted p is below 0.05 and the interval "
    "leaves out zero. Detectable is the smallest difference that so many questions would show four times in "
    "five. All figures are computed from the stored rows of the run."
)


def render(run: EvalRun, other: EvalRun | None = None) -> str:
    """Return a run, and how it differs from ``other``, as one HTML file that asks nothing of the network.

    It needs no script, and its content security policy lets none run. A figure that is not defined, or a
    section without data, says why.
    """
    material = gather(run, other)
    sections = _sections(material)
    body = fragment(
        element("a", {"class": "skip", "href": "#report"}, "Skip to the report"),
        _header(material),
        _contents([(name, heading) for name, heading, _ in sections]),
        element("main", {"id": "report", "tabindex": "-1"}, [part for _, _, part in sections]),
        element("footer", {}, note(f"Written by ragflow {run.setup.version} from run {run.setup.run}.")),
    )
    page = element("html", {"lang": "en"}, _head(f"Evaluation of {_name(run)}"), element("body", {}, body))
    return f"<!DOCTYPE html>\n{page.html}\n"


def _sections(material: Material) -> list[tuple[str, str, Markup]]:
    against, pairs = material.against, material.pairs
    found = [
        ("summary", "Summary", summary.summary(material)),
        ("figures", "Figures", scores.figures(material)),
    ]
    if material.other is not None:
        lede = "A is the other run, B is this one; each system against itself."
        heading = "Compared with the other run"
        part = scores.comparisons(against, material.metrics, name="against", heading=heading, lede=lede)
        found.append(("against", "Other run", part))
        found.append(("changed", "Changed", cards.changed(material)))
    lede = f"A is {material.systems[0]}, the baseline; B is each of the others, on the same questions."
    heading = "Systems compared"
    part = scores.comparisons(pairs, material.metrics, name="comparisons", heading=heading, lede=lede)
    return [
        *found,
        ("comparisons", "Comparisons", part),
        ("questions", "Question by question", scatters.scatters(material, [*against, *pairs])),
        ("answers", "Answers", answering.answers(material)),
        ("slices", "Slices", scores.slices(material)),
        ("worst", "Worst questions", cards.worst(material)),
        ("failures", "Left out", leavings.failures(material)),
        ("about", "How measured", _about(material)),
    ]


@cache
def _style() -> str:
    return resources.files("evals.report").joinpath("style.css").read_text(encoding="utf-8")


def _head(title: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("link", {"rel": "icon", "href": "data:,"}),
        element("title", {}, title),
        # The style is a file of ours, never data; escaping it would break its quotes.
        element("style", {}, Markup(_style())),
    )


def _name(run: EvalRun) -> str:
    return plain(PurePath(run.setup.dataset).name or run.setup.dataset, 80)


def _header(material: Material) -> Markup:
    setup = material.run.setup
    counts = f"{count(len(material.cases), 'question')}, {count(len(material.systems), 'system')}"
    return element(
        "header",
        {},
        element("p", {"class": "eyebrow"}, "Evaluation report"),
        element("h1", {}, foreign(_name(material.run))),
        element("p", {"class": "asked-of"}, f"{counts}, {date(setup.created)}"),
    )


def _contents(sections: Sequence[tuple[str, str]]) -> Markup:
    items = [element("li", {}, element("a", {"href": f"#{name}"}, heading)) for name, heading in sections]
    return element("nav", {"aria-label": "Contents"}, element("ul", {}, items))


def _about(material: Material) -> Markup:
    config: Mapping[str, object] = material.run.setup.config
    lines = [TableRow((key, foreign(plain(value, 400)))) for key, value in _flat(config, "")]
    shown = scrolled(
        table([Column("Key"), Column("Value")], lines, caption="Configuration", hidden=True),
        label="Configuration",
    )
    return section(
        "about",
        "How it was measured",
        element("p", {}, _METHOD),
        fold("Configuration", shown) if lines else note("The run holds no configuration."),
    )


def _flat(value: object, path: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [
            pair
            for key, inner in value.items()
            for pair in _flat(inner, f"{path}.{key}" if path else str(key))
        ]
    return [(path, str(value))] if path else []
