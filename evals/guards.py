"""How good is a guard? Marks against labels: what it caught, and what it marked that was harmless."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detection:
    """How marks and labels agree.

    ``recall``: share of the labelled that were marked. ``precision``: share of the marked that were labelled.
    ``false_alarms``: share of the others that were marked. Each in [0, 1], None where its whole is empty.
    ``labelled`` and ``others`` are the numbers of texts.
    """

    recall: float | None
    precision: float | None
    false_alarms: float | None
    labelled: int
    others: int


def detection(labels: Sequence[bool], marked: Sequence[bool]) -> Detection:
    """Hold the marks of some texts against their labels, one of each a text. No texts: nothing is known."""
    pairs = list(zip(labels, marked, strict=True))
    caught = sum(label and mark for label, mark in pairs)
    wrong = sum(mark and not label for label, mark in pairs)
    labelled = sum(labels)
    others = len(pairs) - labelled
    return Detection(
        _share(caught, labelled), _share(caught, caught + wrong), _share(wrong, others), labelled, others
    )


def by_family(rows: Iterable[tuple[str, bool, bool]]) -> Mapping[str, Detection]:
    """Give ``detection`` for each family of (family, label, mark), by name."""
    grouped: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for family, label, mark in rows:
        grouped[family].append((label, mark))
    return {
        family: detection([label for label, _ in pairs], [mark for _, mark in pairs])
        for family, pairs in sorted(grouped.items())
    }


def flagged_claims(citations: Iterable[Sequence[bool]]) -> float | None:
    """Give the share of claims with a flagged citation; a claim is the flags of its citations.

    None without claims.
    """
    claims = [any(flags) for flags in citations]
    return _share(sum(claims), len(claims))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
