"""Lies about quotes: invented, stitched, cited from a wrong passage, trivial. The claim is the true one."""

import random
import re
from collections.abc import Callable

from honest_claims import Honest
from lying import words_of

from evals.grounding import Quote
from indexes.analysis import analyse
from indexes.sentences import sentences

Options = list[tuple[str, tuple[Quote, ...]]]
"""Variant and quotes. Passage 0 is the honest one, the others follow it."""

_WORD = re.compile(r"\b[a-z]{5,}\b")
_FILLER = re.compile(
    r"\b(?:the|a|an|of|in|and|to|is|are|was|were|with|that|this|which|it|by|for|on|as|at|from|be|or)\b"
)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _nowhere(quote: str, honest: Honest) -> bool:
    return all(_plain(quote) not in _plain(text) for text in (honest.passage, *honest.others))


def invented(honest: Honest, generator: random.Random) -> Options:
    """Quote what stands in no passage: a word or figure changed, words left out, or the claim itself."""
    quote = honest.basis
    words = list(_WORD.finditer(quote))
    if len(words) < 3:
        return []
    word = generator.choice(words)
    stranger = generator.choice(_WORD.findall(honest.others[0]) or ["nothing"])
    figures = list(re.finditer(r"\d+", quote))
    options = [
        ("word", quote[: word.start()] + stranger + quote[word.end() :]),
        ("dropped", _plain(quote[: word.start()] + quote[word.end() :])),
        ("claim", honest.claim),
        ("added", quote[: word.start()] + "not " + quote[word.start() :]),
    ]
    if figures:
        figure = generator.choice(figures)
        changed = str(int(figure[0]) + generator.choice((1, 2, 10)))
        options.append(("figure", quote[: figure.start()] + changed + quote[figure.end() :]))
    return [
        (variant, (Quote(0, said),))
        for variant, said in options
        if _nowhere(said, honest) and len(analyse(said)) >= 5
    ]


def stitched(honest: Honest, generator: random.Random) -> Options:
    """Quote a text put together from two places of the passage, or of two passages, with and without dots."""
    told = [honest.passage[start:end] for start, end in sentences(honest.passage)]
    told = [sentence for sentence in told if len(sentence.split(" ")) >= 8]
    beside = [sentence for sentence in told if sentence not in honest.basis and honest.basis not in sentence]
    head = honest.basis.split(" ")
    if len(head) < 8 or not beside:
        return []
    cut = generator.randint(4, len(head) - 4)
    other = generator.choice(beside).split(" ")
    start = generator.randint(3, len(other) - 4)
    first, last = " ".join(head[:cut]), " ".join(other[start:])
    options = [
        ("plain", f"{first} {last}"),
        ("dots", f"{first} ... {last}"),
        ("ellipsis", f"{first} […] {last}"),
        ("gap", " ".join((*head[: max(3, cut - 2)], *head[cut:]))),  # the middle of one sentence left out
    ]
    return [(variant, (Quote(0, said),)) for variant, said in options if _nowhere(said, honest)]


def wrong_passage(honest: Honest, generator: random.Random) -> Options:
    """Cite the honest quotes from another passage; or a sentence of another that is near in its words.

    Proof of the latter: the sentence lacks a number or half of the content words of the claim, and
    neither is the claim's passage's sentence.
    """
    options: Options = []
    moved = generator.randint(1, len(honest.others))
    if not any(_plain(quote) in _plain(honest.others[moved - 1]) for quote in honest.quotes):
        options.append(("moved", tuple(Quote(moved, quote) for quote in honest.quotes)))
    words, best = words_of(honest.claim), (0, 0, "")
    figures = set(re.findall(r"\d[\d,.]*\d|\d", honest.claim))
    for at, other in enumerate(honest.others, 1):
        for start, end in sentences(other):
            said = other[start:end]
            shared = len(words & words_of(said))
            lacks = not figures <= set(re.findall(r"\d[\d,.]*\d|\d", said)) or shared * 2 < len(words)
            if lacks and said not in honest.passage and len(analyse(said)) >= 5:
                best = max(best, (shared, at, said))
    if best[2]:
        options.append(("near", (Quote(best[1], best[2]),)))
    return options


def trivial(honest: Honest, generator: random.Random) -> Options:
    """Quote what stands there and proves nothing: a fragment, filler, a line that says something else.

    Proof: under five content words, or under half of the claim's content words.
    """
    words = words_of(honest.claim)
    pieces = honest.basis.split(" ")
    size = generator.randint(1, 4)
    at = generator.randint(0, max(0, len(pieces) - size))
    fragment = " ".join(pieces[at : at + size]).strip()
    options = []
    if fragment and len(analyse(fragment)) < 5 and fragment in honest.passage and fragment != honest.basis:
        options.append(("fragment", fragment))
    for start, end in sentences(honest.passage):
        said = honest.passage[start:end]
        if said not in honest.quotes and len(words & words_of(said)) * 2 < len(words):
            options.append(("another sentence", said))
    filler = [match for match in re.finditer(r"(?:\S+ ){6,9}\S+", honest.basis) if len(analyse(match[0])) < 5]
    options += [("filler", match[0]) for match in filler if len(_FILLER.findall(match[0])) >= 3]
    return [(variant, (Quote(0, said),)) for variant, said in options]


QUOTE_LIES: dict[str, Callable[[Honest, random.Random], Options]] = {
    "invented quote": invented,
    "stitched quote": stitched,
    "wrong passage": wrong_passage,
    "trivial quote": trivial,
}
