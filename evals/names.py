"""Are the names of a claim those of its quotes, each in its own place?

A name that no quote has may still be what the question asks about, what the cited passage is called, or
what the quote's "she" means: then the passage has it. Nothing else around a quote proves anything.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evals.amounts import is_unit
from evals.folding import plain
from evals.slots import Slot, exchanged, names, usurped
from indexes.analysis import analyse

_SHORT = re.compile(r"[A-Z]\.?(?:[A-Z]\.?){1,5}s?")
_WORD = re.compile(r"[^\W_]+")
_BASIS = 0.6  # of the claim's words: who has so many says it
_MIN_JOINED = 6  # letters: a shorter name is found in other words by chance
_MIN_ROOT, _MAX_ENDING = 4, 3  # "Japan" and "Japanese", "Canada" and "Canadian"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the quotes: the question, the titles and the texts of the cited passages.

    ``meant``: what stands right before the quotes that begin with a pronoun.
    """

    question: str
    titles: str
    texts: str
    meant: str = ""


def misnamed(claim: str, quotes: Sequence[str], around: Surroundings) -> Iterator[str]:
    """Say which names the quotes do not have, and which stand where the quotes have others."""
    mine = names(claim)
    if not mine:
        return
    theirs = [names(quote) for quote in quotes]
    text = "\n".join(quotes)
    held = set(analyse(text))
    known: list[Slot] = []
    for name in mine:
        missing = [term for term in name.terms if term not in held]
        written = claim[slice(*name.span)]
        if not missing:
            known.append(name)
        elif name.opens or is_unit(written) or _written_otherwise(written, missing, text, theirs):
            continue
        elif _granted(name, missing, written, around):
            known.append(name)
        else:
            yield f"a name that is not in the quotes: {written}"
    words = set(analyse(claim))
    basis = [len(words & set(analyse(quote))) >= _BASIS * len(words) for quote in quotes]
    for slot, _ in usurped(known, theirs, basis):
        yield f"in the quotes another name stands where the claim has {claim[slice(*slot.span)]}"
    for quote, found in zip(quotes, theirs, strict=True):
        for one, two in exchanged(claim, mine, quote, found):
            both = f"{claim[slice(*one.span)]}, {claim[slice(*two.span)]}"
            yield f"in the quotes they stand the other way round: {both}"


def _written_otherwise(
    written: str, missing: Sequence[str], text: str, theirs: Sequence[Sequence[Slot]]
) -> bool:
    """Is the name in the quotes as one word, as initials, or as that of a people for its country?"""
    joined = "".join(sign for sign in written.casefold().removesuffix("'s") if sign.isalnum())
    if len(joined) >= _MIN_JOINED and joined in _runs_together(text):
        return True
    others = {term for slots in theirs for slot in slots for term in slot.terms}
    if all(any(_related(term, other) for other in others) for term in missing):
        return True
    runs = [slot.terms for slots in theirs for slot in slots if len(slot.terms) > 1]
    initials = {"".join(term[0] for term in terms) for terms in runs}
    if _SHORT.fullmatch(written):
        return joined.removesuffix("s") in initials or joined in initials
    return "".join(word[0] for word in written.split()).casefold() in others


def _runs_together(text: str) -> set[str]:
    """Return each word of the text, and each two and three that follow each other, as one."""
    words = _WORD.findall(text.casefold())
    pairs = pairwise(words)
    triples = zip(words, words[1:], words[2:], strict=False)
    return {*words, *map("".join, pairs), *map("".join, triples)}


def _related(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    root = shorter.rstrip("aeiouy")
    return len(root) >= _MIN_ROOT and longer.startswith(root) and len(longer) - len(root) <= _MAX_ENDING


def _granted(name: Slot, missing: Sequence[str], written: str, around: Surroundings) -> bool:
    """Is it what a pronoun means, the passage is called, the question asks about, or quoted in part?"""
    if len(missing) < len(name.terms) and plain(written) in plain(around.texts):
        return True
    if around.meant and plain(written) in plain(around.meant):
        return True
    titled = set(analyse(around.titles))
    if all(term in titled for term in missing):
        return True
    asked = set(analyse(around.question))
    return all(term in asked for term in missing) and set(missing) <= set(analyse(around.texts)) | titled
