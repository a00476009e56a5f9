"""Hits of different documents that say the same, shown once: the best ranked stands for the others.

What differs in a number, a date, a symbol or a negation is never the same, however much else is. Only hits
come in here, so only what the asker may read: a hidden copy changes nothing.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from indexes.query import Hit, Merge

SHARED = 0.9
"""The least share of the shingles of both texts that near ones have in common (Jaccard; Broder 1997)."""
_SHINGLE = 3

_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# Numbers with what stands inside and before them, words, and the symbols that change what a number says.
_TOLD = re.compile(r"(?<!\w)[-+]?\d+(?:[.,:/'-]\d+)*[^\W_]*|[^\W_]+(?:'[^\W_]+)*|[<>=±≤≥≠$€£¥%‰°§]")
# Words that say how many, when, or not: of the languages that the lexical index stems.
_TELLING = frozenset(
    """
    no not none never neither nor without cannot except unless only zero one two three four five six seven
    eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty hundred thousand million billion
    half quarter third double twice once first second monday tuesday wednesday thursday friday saturday
    sunday january february march april may june july august september october november december
    nicht kein keine keinen keinem keiner keines nie niemals ohne weder ausser außer nur null eins zwei drei
    vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend halb einmal zweimal
    montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli oktober
    dezember ne pas jamais aucun aucune sans ni sauf deux trois quatre cinq sept huit neuf dix cent mille
    lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet août septembre
    octobre novembre décembre nunca jamás ningún ninguna sin salvo dos tres cuatro cinco seis siete ocho
    nueve diez cien mil lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo
    junio julio agosto septiembre octubre noviembre diciembre non mai nessun nessuno nessuna senza né due tre
    quattro cinque sette otto nove dieci cento lunedì martedì mercoledì giovedì venerdì sabato domenica
    gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre niet geen nooit zonder noch een
    twee drie vijf zes zeven negen tien honderd duizend maandag dinsdag woensdag donderdag vrijdag zaterdag
    zondag januari februari maart mei juni juli augustus
    """.split()
)
_DENYING = frozenset("不没沒无無未非勿")  # within a word: there are no spaces around them


@dataclass(frozen=True, slots=True)
class _Folded:
    """A hit as it is compared. ``said``: headings and text, folded. ``shingles``: sorted."""

    document: str
    title: str
    said: str
    words: tuple[str, ...]
    shingles: tuple[int, ...]


class Merging:
    """Takes hits one by one, best first, and keeps those that say what no better one said.

    ``near``: texts whose words are the same, or that share 90 % of their shingles of three words.
    ``equal``: words and title are the same. ``none``: every hit is kept. Case, spaces and punctuation never
    count; heading paths do; titles count for ``equal`` alone, for many are names of files, and those of
    copies differ. Chunks of one document are never merged.
    """

    def __init__(self, merge: Merge) -> None:
        self._merge = merge
        self._kept: list[Hit] = []
        self._also: list[list[str]] = []
        self._folded: list[_Folded | None] = []
        self._by_words: dict[tuple[str, ...], list[int]] = {}
        self._by_shingle: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, hits: Iterable[Hit], k: int) -> None:
        """Take hits until ``k`` are kept."""
        for hit in hits:
            if len(self._kept) >= k:
                return
            folded = _folded(hit) if self._merge != "none" else None
            at = None if folded is None else self._same(folded)
            if at is None:
                self._keep(hit, folded)
            else:
                self._also[at].append(hit.chunk)

    def hits(self) -> tuple[Hit, ...]:
        """Give what was kept, ranked from 1, each with the chunks that it stands for."""
        return tuple(
            replace(hit, rank=rank, also=tuple(also))
            for rank, (hit, also) in enumerate(zip(self._kept, self._also, strict=True), start=1)
        )

    def _keep(self, hit: Hit, folded: _Folded | None) -> None:
        at = len(self._kept)
        self._kept.append(hit)
        self._also.append([])
        self._folded.append(folded)
        if folded is None:
            return
        self._by_words.setdefault(folded.words, []).append(at)
        for shingle in _first(folded.shingles):
            self._by_shingle.setdefault(shingle, []).append(at)

    def _same(self, one: _Folded) -> int | None:
        """Return the best kept hit that says the same; None where there is none."""
        found = [at for at in self._by_words.get(one.words, ()) if self._alike(one, at)]
        if self._merge == "near":
            # Two sets that share nine tenths share one of their first tenth (Chaudhuri et al. 2006).
            near = {at for shingle in _first(one.shingles) for at in self._by_shingle.get(shingle, ())}
            found += [at for at in near if self._shares(one, at) and self._alike(one, at)]
        return min(found, default=None)

    def _alike(self, one: _Folded, at: int) -> bool:
        other = self._folded[at]
        assert other is not None
        if one.document == other.document:
            return False
        if self._merge == "equal" and _WORDS.findall(_plain(one.title)) != _WORDS.findall(
            _plain(other.title)
        ):
            return False
        return one.said == other.said or _told(one.said) == _told(other.said)

    def _shares(self, one: _Folded, at: int) -> bool:
        other = self._folded[at]
        assert other is not None
        both = len(set(one.shingles).intersection(other.shingles))
        return both >= SHARED * (len(one.shingles) + len(other.shingles) - both)


def _folded(hit: Hit) -> _Folded | None:
    """Return a hit as it is compared; None where its text has no word."""
    if not _WORDS.search(_plain(hit.text)):
        return None
    said = _plain("\n".join((*hit.headings, hit.text)))
    words = tuple(_WORDS.findall(said))
    shingles = sorted(set(map(hash, zip(*(words[at:] for at in range(_SHINGLE)), strict=False))))
    return _Folded(hit.document, hit.title, said, words, tuple(shingles))


def _told(said: str) -> list[str]:
    """Return what two texts must have in common, in its order, to say the same."""
    return [each for each in _TOLD.findall(said) if _tells(each)]


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold().translate(_LIKE_ASCII)


_LIKE_ASCII = str.maketrans({"’": "'", "−": "-", "‐": "-", "\u2011": "-", "–": "-", "—": " "})


def _tells(word: str) -> bool:
    if len(word) == 1:
        return word not in "aiyoàeéè"  # a digit, a symbol, or the B of "appendix B"
    said = word in _TELLING or word.endswith("n't")
    return said or any(one.isnumeric() or one in _DENYING for one in word)


def _first(shingles: tuple[int, ...]) -> tuple[int, ...]:
    """Return as many of the sorted shingles as two sets that share nine tenths must meet in."""
    return shingles[: len(shingles) - math.ceil(SHARED * len(shingles)) + 1]
