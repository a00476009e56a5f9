"""What is wrong with routes and tiers before any question is asked: said when the file is read."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragflow.complaints import near
from ragflow.route_sections import RouteRule, When
from ragflow.routing.wording import says, terms

if TYPE_CHECKING:
    from ragflow.sections import Settings
    from ragflow.yaml_text import Place


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A mistake that no section can see alone. ``place``: the key in the file that it is told of."""

    place: "Place"
    words: str


def contradictions(settings: "Settings") -> list[Contradiction]:
    """Return what cannot be meant, in the file's order; none is the good case.

    Two rules of one name; a rule that can never match, since an earlier one matches whenever it does; a
    rule for a source that is not configured; a tier that is not in ``models``.
    """
    return [*_rules(settings), *_tiers(settings)]


def _rules(settings: "Settings") -> Iterator[Contradiction]:
    for at, rule in enumerate(settings.routes):
        earlier = settings.routes[:at]
        if any(rule.name == other.name for other in earlier):
            yield Contradiction(("routes", at, "name"), f'a rule before this one is named "{rule.name}" too')
        for position, source in enumerate(rule.sources):
            if source not in settings.sources:
                known = near(source, tuple(settings.sources))
                words = f'the rule "{rule.name}" names a source "{source}" that is not configured{known}'
                yield Contradiction(("routes", at, "sources", position), words)
        yield from _shadow(rule, at, earlier)
        yield from _tier(settings, rule.tier, ("routes", at, "tier"), f'the rule "{rule.name}"')


def _shadow(rule: RouteRule, at: int, earlier: Sequence[RouteRule]) -> Iterator[Contradiction]:
    for other in earlier:
        if covers(other.when, rule.when):
            words = (
                f'the rule "{rule.name}" can never match: "{other.name}" before it matches whenever it does'
            )
            yield Contradiction(("routes", at), words)
            return


def _tiers(settings: "Settings") -> Iterator[Contradiction]:
    yield from _tier(settings, settings.router.tier, ("router", "tier"), "router.tier")
    yield from _tier(settings, settings.answer.tier, ("answer", "tier"), "answer.tier")


def _tier(settings: "Settings", tier: str | None, place: "Place", who: str) -> Iterator[Contradiction]:
    if tier is not None and tier not in settings.models:
        known = near(tier, tuple(settings.models)) or " (there is no section models)"
        yield Contradiction(place, f'{who} names a tier "{tier}" that is not in models{known}')


def covers(earlier: When, later: When) -> bool:
    """Tell whether ``earlier`` surely holds whenever ``later`` does; False where that cannot be told.

    Patterns are compared by their wording alone.
    """
    return (
        _any_covers(earlier, later)
        and all(_said(phrase, later) for phrase in earlier.all)
        and earlier.regex in (None, later.regex)
        and _within(later.readers, earlier.readers)
        and _within(later.language, earlier.language)
        and earlier.metadata.items() <= later.metadata.items()
    )


def _within(later: Collection[str], earlier: Collection[str]) -> bool:
    # Whoever asks is "everyone" besides.
    return not earlier or "everyone" in earlier or (bool(later) and set(later) <= set(earlier))


def _any_covers(earlier: When, later: When) -> bool:
    if not earlier.any:
        return True

    def enough(phrase: str) -> bool:
        return any(says(terms(phrase), terms(other)) for other in earlier.any)

    return any(map(enough, later.all)) or (bool(later.any) and all(map(enough, later.any)))


def _said(phrase: str, later: When) -> bool:
    """Tell whether a question that ``later`` matches says the phrase."""

    def holds(other: str) -> bool:
        return says(terms(other), terms(phrase))

    return any(map(holds, later.all)) or (bool(later.any) and all(map(holds, later.any)))
