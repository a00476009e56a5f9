"""Text -> terms: what the lexical index stores and what a question is looked up by."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

from indexes.languages import DETECTOR
from indexes.stop_words import STOP_WORDS

ANALYSER = f"snowball/2 languages/{DETECTOR}"
"""Changes whenever ``analyse`` may give other terms for some text, or a text another language.

It goes into digests: a generation of another analyser is written anew, from the vectors that are there.
"""

_CACHE_LIMIT = 200_000

_STEMMERS = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
    "sv": "swedish",
    "da": "danish",
    "no": "norwegian",
    "fi": "finnish",
    "pl": "polish",
    "ru": "russian",
}
LANGUAGES = tuple(_STEMMERS)
"""The languages with rules of their own, as ISO 639-1. Segments hold places in it: it only ever grows."""

# In order: initials with dots (u.s.), numbers with inner points or commas (3.5, 1,000), and words with
# inner apostrophes. A part is letters and digits of any script; the underscore parts words.
_WORD = r"[^\W_]+(?:'[^\W_]+)*"
_TOKEN = re.compile(rf"(?:[^\W\d_]\.){{2,}}(?![^\W_])|\d+(?:[.,]\d+)+(?![^\W_])|{_WORD}(?:-{_WORD})*")
_BROKEN_WORD = re.compile(r"(?<=[a-zß-öø-ÿ])-\n(?=[a-zß-öø-ÿ])")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_THOUSANDS_BY_POINTS = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_DECIMAL_COMMA = frozenset(LANGUAGES) - {"en"}

# Han, Hiragana, Katakana, Hangul: written without spaces, or with endings grown to the word.
_CJK = (
    "\u1100-\u11ff\u3005\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003347f"
)
_UNSPACED = re.compile(f"[{_CJK}]")
_RUN = re.compile(f"[{_CJK}]+|[^{_CJK}]+")

# What is put before a noun without its vowel: l'hôtel, dell'albergo.
_ELIDED = {
    "fr": re.compile(r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|presqu|quelqu)'(?=.)"),
    "it": re.compile(
        r"^(?:[cdlmnstv]|un|gl|all|agl|dall|dagl|dell|degl|nell|negl|sull|sugl|coll|quell|quest|sant|tutt"
        r"|mezz|anch|senz|com|cos|dov|quand|quant|nessun|ciascun|bell|buon|grand)'(?=.)"
    ),
    "pt": re.compile(r"^d'(?=.)"),
}
# Plurals of what rules are full of, which the stemmers miss.
_PLURALS = {"nl": ("dagen", "dag"), "es": ("días", "día")}


class _Piece(NamedTuple):
    """What gives one term at most, in any language. ``exact``: it is its own term, but for accents."""

    text: str
    kind: Literal["exact", "number", "word"]


def analyse(text: str, language: str | None = "en") -> list[str]:
    """Return the terms of a text, in order, repeats kept, stop words left out.

    Case and accents are folded and words are stemmed by the language's Snowball stemmer; a language that
    is not among ``LANGUAGES``, and None, is treated as English. ``U.S.`` and ``US`` give ``us``; ``3.5``
    stays whole; ``1,000`` is ``1000``, and so is ``1.000`` where commas part decimals; ``well-known`` gives
    its parts; a compound of letters and digits gives its parts and the whole, so that ``10-K`` is found by
    ``10k`` and by ``10 K``. Runs of Chinese, Japanese and Korean letters give each two neighbours, in any
    language; a single letter gives itself. Soft hyphens and hyphens at a line's end between lower-case
    letters are taken out. A text without words, or of stop words alone, gives ``[]``.
    """
    rules = analysed_as(language)
    known = _known().setdefault(rules, {})
    terms: list[str] = []
    for token in _tokens(text):
        found = known.get(token)
        if found is None:
            if len(known) >= _CACHE_LIMIT:
                known.clear()
            found = known[token] = _terms_of(token, rules)
        terms.extend(found)
    return terms


def analysed_as(language: str | None) -> str:
    """Return the language whose rules are applied to a text of this one: itself, or English."""
    return language if language in _STEMMERS else "en"


def question_words(
    text: str, languages: Sequence[str], *, spoken: str | None = None
) -> tuple[Mapping[str, str], ...]:
    """Return a question word by word, each as its term in every one of ``languages`` where it has one.

    For each language, the words that have a term in it are ``analyse`` of the text in it, in order, but
    for the stop words of ``spoken``, the language that the question is written in, which are left out of
    all. A word without any term is left out.
    """
    found = []
    for token in _tokens(text):
        for piece in _pieces(token):
            if spoken is not None and not _term(piece, spoken):
                continue
            terms = {language: term for language in languages if (term := _term(piece, language))}
            if terms:
                found.append(terms)
    return tuple(found)


def _tokens(text: str) -> list[str]:
    folded = text.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", folded)
        folded = (
            folded.replace("\u00ad", "").replace("\u2019", "'").replace("\u2010", "-").replace("\u2011", "-")
        )
    if "-\n" in folded:
        folded = _BROKEN_WORD.sub("", folded)
    return _TOKEN.findall(folded)


@cache
def _known() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return this process's cache, by language, of tokens already analysed: it makes building much faster."""
    return {}


@cache
def _stem(language: str) -> Callable[[str], str]:
    """Return the stemmer's function, made on first use; our own cache stands before it."""
    import Stemmer

    stemmer = Stemmer.Stemmer(_STEMMERS[language], 0)
    return stemmer.stemWord  # type: ignore[no-any-return]


def _terms_of(token: str, language: str) -> tuple[str, ...]:
    """Return the terms that one token of the pattern stands for: none, one, or a compound's several."""
    return tuple(term for piece in _pieces(token) if (term := _term(piece, language)))


def _pieces(token: str) -> Iterator[_Piece]:
    """Give the pieces of one token of the pattern: the same ones in every language."""
    if token.endswith("."):
        yield _Piece(token.replace(".", ""), "exact")
    elif token[0].isdigit() and ("," in token or "." in token):
        yield _Piece(token, "number")
    else:
        parts = token.split("-")
        for part in parts:
            if not part.isascii() and _UNSPACED.search(part):
                yield from _unspaced(part)
            else:
                yield _Piece(part, "word")
        if any(part.isdigit() for part in parts) and any(part.isalpha() for part in parts):
            yield _Piece("".join(parts), "exact")


def _unspaced(part: str) -> Iterator[_Piece]:
    """Give each two neighbours of runs of letters written without spaces; what else is in it are words."""
    for run in _RUN.findall(unicodedata.normalize("NFKC", part)):
        if not _UNSPACED.match(run):
            yield from (_Piece(word, "word") for word in _TOKEN.findall(run))
        elif len(run) == 1:
            yield _Piece(run, "exact")
        else:
            yield from (_Piece(run[at : at + 2], "exact") for at in range(len(run) - 1))


def _term(piece: _Piece, language: str) -> str:
    """Return the term of a piece, or "" for a stop word."""
    if piece.kind == "exact":
        return piece.text if _UNSPACED.match(piece.text) else _plain(piece.text)
    if piece.kind == "number":
        return _number(piece.text, language)
    return _english(piece.text) if language == "en" else _foreign(piece.text, language)


def _number(text: str, language: str) -> str:
    if language in _DECIMAL_COMMA:
        if _THOUSANDS_BY_POINTS.fullmatch(text):
            text = text.replace(".", "")
        return text.replace(",", ".")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def _english(word: str) -> str:
    """Return the stem of one word, or "" for a stop word."""
    stop_words = STOP_WORDS["en"]
    if word in stop_words:
        return ""
    word = _plain(word.removesuffix("'s"))
    return "" if word in stop_words else _stem("en")(word)


def _foreign(word: str, language: str) -> str:
    """Return the stem of one word, or "" for a stop word: accents are folded last, for stemmers read them."""
    if "'" in word:
        elided = _ELIDED.get(language)
        word = elided.sub("", word) if elided else word.removesuffix("'s")
    if word in _stop_words(language):
        return ""
    ending, single = _PLURALS.get(language, ("", ""))
    if ending and word.endswith(ending):
        word = word.removesuffix(ending) + single
    return _plain(_stem(language)(word.replace("'", "")))


@cache
def _stop_words(language: str) -> frozenset[str]:
    """Return a language's stop words, each also as it is typed where the accents are not at hand."""
    spelled = STOP_WORDS[language]
    typed = {_plain(word) for word in spelled}
    if language == "de":
        typed |= {word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue") for word in spelled}
    return spelled | typed


def _plain(word: str) -> str:
    """Return a word without accents, ligatures and apostrophes."""
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word)
        word = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return word.replace("'", "")
