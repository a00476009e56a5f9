"""Does the validator stop a lying model, and let an honest one pass? python benchmarks/lies.py DATA.

``python benchmarks/lies.py DATA [--each 150] [--seed 0] [--held-out] [--missed KIND] [--rejected GROUP]``

DATA holds clapnq/, tatqa/ and handbooks/. Lies of eight kinds are made from true claims with real quotes,
each proven not to be true elsewhere in its evidence (``lying``, ``lying_quotes``); one that cannot be
proven is thrown away and counted, and so is one whose true claim is turned down already, which would be
stopped for a wrong reason. Documents of a third (pinned by hash) are held out: their figures stand apart,
and the rules were made without them. Prints, per kind, how many were caught and by which finding, then
how many of the honest claims were turned down; the goal for those counts both parts. Exits 8 when a figure
is missed.
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from honest_claims import Honest, claims, clapnq, held_out, with_its_sentence
from lying import CLAIM_LIES, Lie
from lying_quotes import QUOTE_LIES

from evals.grounding import Finding, Passage, Quote, check
from evals.scaling import wilson

CAUGHT, REJECTED = 0.95, 0.05
ANSWERS = "answers, all quotes"
MOST_OF_A_DOCUMENT = 3
KINDS = (*CLAIM_LIES, *QUOTE_LIES)


@dataclass(frozen=True, slots=True)
class Thrown:
    """How many draws of a kind were no case: not provable, or the true claim is turned down itself."""

    unproven: int
    base: int


def passages(honest: Honest) -> tuple[Passage, ...]:
    """Return what was shown: the passage of the claim, then those beside it."""
    return tuple(
        Passage(text, _rows(text), honest.title if not at else "")
        for at, text in enumerate((honest.passage, *honest.others))
    )


def _rows(text: str) -> tuple[tuple[int, int], ...]:
    found, at = [], 0
    for line in text.split("\n"):
        if " | " in line:
            found.append((at, at + len(line)))
        at += len(line) + 1
    return tuple(found)


def judged(claim: str, quotes: Sequence[Quote], honest: Honest) -> tuple[Finding, ...]:
    """Return what the validator says of a claim."""
    return check(claim, quotes, passages(honest), question=honest.question)


def lies(
    kind: str, source: Sequence[Honest], each: int, generator: random.Random
) -> tuple[list[Lie], Thrown]:
    """Return up to ``each`` lies of a kind, rare variants first, and how many claims gave none."""
    made: list[Lie] = []
    unproven = base = 0
    documents: Counter[str] = Counter()
    variants: Counter[str] = Counter()
    for honest in source:
        if len(made) == each:
            break
        if documents[honest.document] == MOST_OF_A_DOCUMENT or not honest.others:
            continue
        options = _options(kind, honest, generator)
        if not options:
            unproven += 1
            continue
        if judged(honest.claim, [Quote(0, quote) for quote in honest.quotes], honest):
            base += 1
            continue
        fewest = min(variants[option.variant] for option in options)
        lie = generator.choice([option for option in options if variants[option.variant] == fewest])
        variants[lie.variant] += 1
        documents[honest.document] += 1
        made.append(lie)
    return made, Thrown(unproven, base)


def _options(kind: str, honest: Honest, generator: random.Random) -> list[Lie]:
    if kind in CLAIM_LIES:
        quotes = tuple(Quote(0, quote) for quote in honest.quotes)
        told = CLAIM_LIES[kind](honest, generator)
        return [Lie(kind, variant, honest, claim, quotes) for variant, claim in told]
    drawn = QUOTE_LIES[kind](honest, generator)
    return [Lie(kind, variant, honest, honest.claim, quotes) for variant, quotes in drawn]


def table(kind: str, made: Sequence[Lie]) -> tuple[int, int]:
    """Print a kind's line and one of each variant; give how many were caught, and of how many."""
    by_variant: dict[str, list[str | None]] = {}
    for lie in made:
        found = judged(lie.claim, lie.quotes, lie.honest)
        by_variant.setdefault(lie.variant, []).append(found[0].kind if found else None)
    everything = [found for group in by_variant.values() for found in group]
    print(_line(kind, everything))
    for variant, group in sorted(by_variant.items()):
        print(_line(f"  - {variant}", group))
    return sum(found is not None for found in everything), len(everything)


def _line(name: str, found: Sequence[str | None], word: str = "caught") -> str:
    count = sum(one is not None for one in found)
    low, high = wilson(count, len(found))
    by = ", ".join(f"{kind} {many}" for kind, many in Counter(filter(None, found)).most_common())
    share = count / len(found) if found else float("nan")
    return f"{name:32} n {len(found):4}  {word} {share:6.1%}  [{low:.3f}, {high:.3f}]  {by}"


def lies_table(part: str, source: Sequence[Honest], given: argparse.Namespace) -> bool:
    """Print the table of a part; say whether enough lies were caught."""
    print(f"\nLies, {part}")
    caught = total = 0
    for kind in KINDS:
        made, thrown = lies(kind, source, given.each, random.Random(f"{given.seed} {kind}"))
        one, of = table(kind, made)
        print(f"    thrown away: {thrown.unproven} not provable, {thrown.base} turned down when true")
        caught, total = caught + one, total + of
        if given.missed == kind and part == "dev":
            _print_missed(made)
    low, high = wilson(caught, total)
    print(f"{'all kinds':32} n {total:4}  caught {caught / total:6.1%}  [{low:.3f}, {high:.3f}]")
    return caught >= CAUGHT * total


def _print_missed(made: Sequence[Lie]) -> None:
    for lie in made:
        if not judged(lie.claim, lie.quotes, lie.honest):
            print(f"      {lie.variant}: {lie.claim}\n        true: {lie.honest.claim}")
            print("        quoted:", " || ".join(quote.text for quote in lie.quotes))


def honest_table(groups: dict[str, list[Honest]], rejected: str | None) -> list[str | None]:
    """Print how many honest claims are turned down and the median time; return the answers' findings."""
    answers: list[str | None] = []
    for name, group in groups.items():
        found: list[str | None] = []
        times = []
        for one in group:
            start = time.perf_counter()
            wrong = judged(one.claim, [Quote(0, quote) for quote in one.quotes], one)
            times.append((time.perf_counter() - start) * 1000)
            found.append(wrong[0].kind if wrong else None)
            if wrong and name == rejected:
                print(f"      {one.claim}\n        {[each.detail for each in wrong]}")
                print(f"        {one.question} | {one.title} |", " || ".join(one.quotes))
        print(_line(f"honest: {name}", found, "rejected"), f" {statistics.median(times):.2f} ms")
        answers = found if name == ANSWERS else answers
    return answers


def honest_groups(data: Path, source: Sequence[Honest], *, held: bool) -> dict[str, list[Honest]]:
    """Return the honest claims of a part: answers with all their quotes, with the best alone, the rest."""
    alone = "answers, best quote alone"  # often not the whole of what they say: no goal
    rested = [with_its_sentence(one) for one in clapnq(data)]
    answers = {
        ANSWERS: list(clapnq(data)),
        "answers, what they rest on": rested,
        alone: list(clapnq(data, best_only=True)),
    }
    groups = {
        name: [one for one in group if held_out(one.document) == held] for name, group in answers.items()
    }
    groups["report sentences"] = [one for one in source if one.set == "tatqa" and not one.table]
    groups["table cells"] = [one for one in source if one.table]
    groups["handbook sentences"] = [one for one in source if one.set == "handbooks"]
    return groups


def main() -> int:
    """Print the tables; return 0, or 8 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--each", type=int, default=150, help="cases of each kind and part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", action="store_true", help="the held-out third too")
    parser.add_argument("--missed", help="print the lies of this kind that got through (dev alone)")
    parser.add_argument("--rejected", help="print the honest claims of this group turned down (dev alone)")
    given = parser.parse_args()
    everything = claims(given.data, given.seed)
    good = True
    answers: list[str | None] = []
    for held, part in ((False, "dev"), (True, "held out")) if given.held_out else ((False, "dev"),):
        source = [one for one in everything if held_out(one.document) == held]
        good &= lies_table(part, source, given)
        groups = honest_groups(given.data, source, held=held)
        answers += honest_table(groups, None if held else given.rejected)
    print(_line(f"\nboth, {ANSWERS}", answers, "rejected"))
    good &= sum(found is not None for found in answers) <= REJECTED * len(answers)
    return 0 if good else 8


if __name__ == "__main__":
    sys.exit(main())
