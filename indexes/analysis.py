"""Text -> terms: what the lexical index stores and what a question is looked up by."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

ANALYSER = "english-snowball/1"
"""Changes whenever ``analyse`` may give other terms for some text: it goes into digests."""

_CACHE_LIMIT = 200_000

# Words that say nothing of a text's subject. "us", "no", "not" and the months are left in: the
# United States, refusals and dates are what people ask about.
_STOP_WORDS = frozenset(
    """
    a about after again all also am an and any are aren't as at be because been before being both but by
    can can't cannot could couldn't did didn't do does doesn't doing don't during each either else ever
    for from further had hadn't has hasn't have haven't having he her here hers herself him himself his
    how however i i'd i'll i'm i've if in into is isn't it it'll itself its let me more most my myself
    neither nor of off on once one only onto or other our ours ourselves out over own shall shan't she
    should shouldn't since so some such than that the their theirs them themselves then there these they
    they'll they're they've this those though through thus to too under until up upon very was wasn't we
    we'd we'll we're we've were weren't what when where whether which while who whom whose why will with
    within without won't would wouldn't you you'd you'll you're you've your yours yourself
    """.split()
)

# In order: initials with dots (u.s.), numbers with inner points or commas (3.5, 1,000), and words with
# inner apostrophes. A part is letters and digits of any script; the underscore parts words.
_WORD = r"[^\W_]+(?:'[^\W_]+)*"
_TOKEN = re.compile(rf"(?:[^\W\d_]\.){{2,}}(?![^\W_])|\d+(?:[.,]\d+)+(?![^\W_])|{_WORD}(?:-{_WORD})*")
_BROKEN_WORD = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def analyse(text: str) -> list[str]:
    """Return the terms of a text, in order, repeats kept, stop words left out.

    Case and accents are folded and words are stemmed (Snowball English, Porter 2). ``U.S.`` and ``US``
    give ``us``; ``3.5`` stays whole; ``1,000`` is ``1000``; ``well-known`` gives its parts; a compound of
    letters and digits gives its parts and the whole, so that ``10-K`` is found by ``10k`` and by
    ``10 K``. Soft hyphens and hyphens at a line's end between lower-case letters are taken out. A text
    without words, or of stop words alone, gives ``[]``.
    """
    folded = text.casefold()
    if not folded.isascii():
        folded = (
            folded.replace("\u00ad", "").replace("\u2019", "'").replace("\u2010", "-").replace("\u2011", "-")
        )
    if "-\n" in folded:
        folded = _BROKEN_WORD.sub("", folded)
    known = _known()
    terms: list[str] = []
    for token in _TOKEN.findall(folded):
        found = known.get(token)
        if found is None:
            if len(known) >= _CACHE_LIMIT:
                known.clear()
            found = known[token] = _terms_of(token)
        terms.extend(found)
    return terms


@cache
def _known() -> dict[str, tuple[str, ...]]:
    """Return this process's cache of tokens already analysed: it makes building several times faster."""
    return {}


@cache
def _stem() -> Callable[[str], str]:
    """Return the stemmer's function, made on first use; our own cache stands before it."""
    import Stemmer

    stemmer = Stemmer.Stemmer("english", 0)
    return stemmer.stemWord  # type: ignore[no-any-return]


def _terms_of(token: str) -> tuple[str, ...]:
    """Return the terms that one token of the pattern stands for: none, one, or a compound's several."""
    if token.endswith("."):
        return (token.replace(".", ""),)
    if token[0].isdigit() and ("," in token or "." in token):
        return (token.replace(",", ""),) if _THOUSANDS.fullmatch(token) else (token,)
    parts = token.split("-")
    terms = tuple(term for part in parts if (term := _term(part)))
    mixed = any(part.isdigit() for part in parts) and any(part.isalpha() for part in parts)
    return (*terms, _plain("".join(parts))) if mixed else terms


def _term(word: str) -> str:
    """Return the stem of one word, or "" for a stop word."""
    if word in _STOP_WORDS:
        return ""
    word = _plain(word.removesuffix("'s"))
    return "" if word in _STOP_WORDS else _stem()(word)


def _plain(word: str) -> str:
    """Return a word without accents, ligatures and apostrophes."""
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word)
        word = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return word.replace("'", "")
