"""What is wrong with routes and tiers before any question is asked: said when the file is read."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragflow.complaints import near
from ragflow.route_sections import RouteRule, When
from ragflow.routing.wording import parts, run, says

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
    names: set[str] = set()
    before = Before()
    for at, rule in enumerate(settings.routes):
        if rule.name in names:
            yield Contradiction(("routes", at, "name"), f'a rule before this one is named "{rule.name}" too')
        for position, source in enumerate(rule.sources):
            if source not in settings.sources:
                known = near(source, tuple(settings.sources))
                words = f'the rule "{rule.name}" names a source "{source}" that is not configured{known}'
                yield Contradiction(("routes", at, "sources", position), words)
        if (other := before.covering(rule.when)) is not None:
            words = (
                f'the rule "{rule.name}" can never match: "{other.name}" before it matches whenever it does'
            )
            yield Contradiction(("routes", at), words)
        yield from _tier(settings, rule.tier, ("routes", at, "tier"), f'the rule "{rule.name}"')
        names.add(rule.name)
        before.add(rule)


class Before:
    """The rules before one, by their phrases: only those that share one can cover it, and those without."""

    def __init__(self) -> None:
        self._rules: list[RouteRule] = []
        self._wordless: list[int] = []
        self._by_phrase: dict[str, list[int]] = {}

    def add(self, rule: RouteRule) -> None:
        phrases = {run(phrase) for phrase in (*rule.when.any, *rule.when.all)}
        for phrase in phrases:
            self._by_phrase.setdefault(phrase, []).append(len(self._rules))
        if not phrases:
            self._wordless.append(len(self._rules))
        self._rules.append(rule)

    def covering(self, when: When) -> RouteRule | None:
        """Return the first rule that covers a condition."""
        found = set(self._wordless)
        for phrase in (*when.any, *when.all):
            for part in parts(run(phrase)):
                found.update(self._by_phrase.get(part, ()))
        for at in sorted(found):
            if covers(self._rules[at].when, when):
                return self._rules[at]
        return None


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
        return any(says(run(phrase), run(other)) for other in earlier.any)

    return any(map(enough, later.all)) or (bool(later.any) and all(map(enough, later.any)))


def _said(phrase: str, later: When) -> bool:
    """Tell whether a question that ``later`` matches says the phrase."""

    def holds(other: str) -> bool:
        return says(run(other), run(phrase))

    return any(map(holds, later.all)) or (bool(later.any) and all(map(holds, later.any)))
