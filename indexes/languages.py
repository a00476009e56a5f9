"""Which language a question or a document is written in, or None where that cannot be told."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from indexes.stop_words import STOP_WORDS

DETECTOR = "1"
"""Changes whenever a document may be told another language: its number goes into the analyser's key."""

# Small words of one language that stand in questions; those that two languages share are in both. A
# question of a handful of words is told by these; whatlang, which kreuzberg brings, counts letters and
# needs a sentence or two.
_SMALL_WORDS = {
    "en": """a about an and are as at be been but by can could did do does for from get has have how i if in
        is it its many may me much must my need of on one or our should that the their there they this to
        was we were what when where which who whom whose why will with would you your""",
    "de": """ab aber alle als am an auf aus bei bekomme bekommt bin bis brauche braucht braucht das dass dem
        den denn der des die dies diese diesen dieser du durch ein eine einem einen einer eines er es fuer
        für gegen gibt habe haben hat hatte ich ihr ihre im in ist kann kannst kein keine koennen
        können man mein meine meinem meinen meiner mir mit muss müssen nach nicht noch ob oder ohne sein
        seine sich sie sind soll um und uns unser unsere unter viel viele vom von vor wann warum was welche
        welchem welchen welcher welches wem wen wenn wer werden wessen wie wieviel wieso wird wo wofür woher
        wohin wurde während zu zum zur zwischen über""",
    "fr": """a ai au aux avec avons avez ce cela ces cette chez ci combien comment dans de depuis des dois
        doit du elle en entre est et faire faut il ils j' je l' d' n' c' s' qu' jusqu la laquelle le les
        lequel leur
        lui ma mais mes mon ne nos notre nous on ont ou où par pas peut peux plus pour pourquoi qu
        quand que quel quelle quelles quels qui quoi sa sans se ses si son sont sous sur ta te tes ton tu un
        une vers vos votre vous y à ça été être""",
    "es": """a al algo antes como con cual cuales cuando cuanta cuantas cuanto cuantos cuál cuáles cuándo
        cuánta cuántas cuánto cuántos cómo de debe debo del desde donde dónde e el ella ellos en entre es
        esta estas este esto estos está están fue fueron ha hace hacer hasta hay la las le les lo los me mi
        mis más necesito no nos nuestra nuestro o para pero por porque puede puedo que quien quién qué se
        ser si sin sobre son su sus también te tengo tiene tienen tu un una uno unos y ya yo él""",
    "it": """a abbiamo ai al alla alle anche che chi ci come con cos' cosa così d' da dal dall' dalla
        degli dei del
        della delle dell di do dov' dove e ed l' all' nell' dell' quell' fa fra gli ha hanno ho i il in
        io l la le lo loro ma mi mia
        mio ne nei nel nella non nostra nostro o per perché perche più po può posso prima qual quale quali
        quando quanta quante quanti quanto quest questa queste questi questo se sei senza si sia sono su sua
        sul sulla suo tra tu un una uno vi è""",
    "nl": """aan al als bij dan dat de deze die dit door een en er geen haar heb hebben heeft het hij hoe
        hoeveel hoelang ik in is je kan kun kunnen maar met mij mijn moet moeten naar niet nog of om onder
        ons onze ook op over te tot uit van veel voor waar waarom wanneer wat we welke werd wie wij word
        worden wordt ze zich zijn zonder""",
    "pt": """a ao aos as até com como da das de dela dele desde do dos e ela ele em entre essa esse esta
        este
        está eu foi há isso isto já lhe mais mas me meu minha muito na nas no nos nosso não o onde os ou
        para
        pela pelo por porque posso pode qual quais quando quanta quantas quanto quantos que quem se sem ser
        seu sua são só também te tem tenho um uma você à é""",
}
# With the apostrophe of an elision: l'hôtel is l' and hôtel.
_LETTERS = re.compile(r"[^\W\d_]+'?")
_TABLE = {
    word: frozenset(name for name, words in _SMALL_WORDS.items() if word in words.split())
    for words in _SMALL_WORDS.values()
    for word in words.split()
}
# Letters that one of them has and English has not.
_MARKS = {"ß": "de", "ä": "de", "¿": "es", "¡": "es", "ñ": "es", "œ": "fr", "ã": "pt", "õ": "pt"}
_READ = 2_000
_PLACES, _PLACE = 4, 1_000
_SHORT_TEXT = 200  # below, a document's title is read with it
_VOTES, _AHEAD, _DENSE = 3.0, 1.5, 0.05
_OWN = 1.5
_ADDRESS = re.compile(r"[/@_\\]|\w\.\w")  # links, paths, names of files: of no language
_MARKED = re.compile(r"[ß-öø-ÿāăąćčďđēęěğģīįıķłńňőœŕřśşšťũūůűųžżź\u0400-\u0fff]")
_KANA = 0.05  # so many of a Japanese text's letters are no ideographs

_LATIN = re.compile(r"[a-zß-öø-ÿāăąćčďđēęěğģīįıķłńňőœŕřśşšťũūůűųžżź]")
_FOREIGN = re.compile(r"[^\x00-\u02ff]+")
_SCRIPTS = {
    name: re.compile(f"[{letters}]")
    for name, letters in {
        "zh": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003347f",
        "ja": "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f",
        "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
        "el": "\u0370-\u03ff\u1f00-\u1fff",
        "hy": "\u0530-\u058f",
        "he": "\u0590-\u05ff",
        "th": "\u0e00-\u0e7f",
        "ka": "\u10a0-\u10ff",
    }.items()
}

_STOPPING = {
    word: frozenset(name for name, words in STOP_WORDS.items() if word in words)
    for words in STOP_WORDS.values()
    for word in words
}

# ISO 639-3, as whatlang names languages, to ISO 639-1.
_SHORT = dict(
    pair.split(":")
    for pair in """afr:af amh:am ara:ar aze:az bel:be ben:bn bul:bg cat:ca ces:cs cmn:zh cym:cy dan:da
        deu:de
        ell:el eng:en epo:eo est:et fin:fi fra:fr guj:gu heb:he hin:hi hrv:hr hun:hu hye:hy ind:id ita:it
        jav:jv jpn:ja kan:kn kat:ka khm:km kor:ko lat:la lav:lv lit:lt mal:ml mar:mr mkd:mk mya:my nep:ne
        nld:nl nob:no ori:or pan:pa pes:fa pol:pl por:pt ron:ro rus:ru sin:si slk:sk slv:sl sna:sn spa:es
        srp:sr swe:sv tam:ta tel:te tgl:tl tha:th tuk:tk tur:tr ukr:uk urd:ur uzb:uz vie:vi yid:yi zul:zu
        """.split()
)


def language(text: str) -> str | None:
    """Return the language of a question as ISO 639-1, None where it is not sure.

    English, German, French, Spanish, Italian, Dutch and Portuguese are told by their small words; a text
    with too few of them, and any other language, by the counts of letters of whatlang, and only where that
    is sure. Only the first 2,000 characters are read.
    """
    shown = _shown(text[:_READ])
    votes = _votes(shown)
    if votes is None:
        return None
    leading, best, second = _leading(votes)
    if _clear(leading, best, second):
        return leading[0]
    if best < 0.5:  # what two languages and more share says little
        return _by_letters(shown, sure=True)
    guess = _by_letters(shown, sure=False)
    return guess if guess in leading else None


def told(text: str) -> str | None:
    """Return what ``language`` does where small words alone tell it, else None: in a fraction of the time."""
    votes = _votes(_shown(text[:_READ]))
    if votes is None:
        return None
    leading, best, second = _leading(votes)
    return leading[0] if _clear(leading, best, second) else None


def of_document(title: str, text: str) -> str | None:
    """Return the language that most of a document is written in, as ISO 639-1; None where it is not sure.

    Told by its script, then by the shares of stop words, then by whatlang. Four places of a long text are
    read, the beginning and the end among them; of a short one the title too. The same title and text give
    the same language, whatever else there is.
    """
    sample = _sample(title, text)
    script = _by_script(sample)
    if script is not None:
        return script
    words = _LETTERS.findall(sample.casefold())
    votes = _counted(words, _STOPPING)
    leading, best, second = _leading(votes)
    if len(leading) == 1 and best >= _AHEAD * second and best >= max(_VOTES, _DENSE * len(words)):
        return leading[0]
    return _guessed(sample, votes)


def _shown(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("’", "'")


def _votes(shown: str) -> dict[str, float] | None:
    """Return language -> how many of the words are its small words; None where there is no word.

    A word of several languages counts in part.
    """
    folded = shown.casefold()
    words = _LETTERS.findall(folded)
    if not words:
        return None
    votes = _counted(words, _TABLE)
    for mark, name in _MARKS.items():
        if mark in folded:
            votes[name] = votes.get(name, 0.0) + 1
    return votes


def _counted(words: Iterable[str], table: Mapping[str, frozenset[str]]) -> dict[str, float]:
    votes: dict[str, float] = {}
    for word in words:
        known = table.get(word) or table.get(word.removesuffix("'"), frozenset())
        for name in known:
            votes[name] = votes.get(name, 0.0) + 1 / len(known)
    return votes


def _leading(votes: Mapping[str, float]) -> tuple[list[str], float, float]:
    """Return the languages with the most votes, how many those are, and how many the next one has."""
    best = max(votes.values(), default=0.0)
    leading = sorted(name for name in votes if votes[name] == best)
    second = max((count for name, count in votes.items() if name not in leading), default=0.0)
    return leading, best, second


def _clear(leading: list[str], best: float, second: float) -> bool:
    # One small word of a language's own may still be a name's; so it must stand well before the rest.
    return len(leading) == 1 and best >= 1 and (best >= 2 or best >= 2 * second)


def _guessed(sample: str, votes: Mapping[str, float]) -> str | None:
    """Return the language of a text of few or rare words: a guess that something else speaks for.

    Small words and whatlang both take an English line of rare words for anything: so a letter that English
    lacks must stand in the text, or well more stop words of the guess than of English.
    """
    if _MARKED.search(sample.casefold()) is not None:
        guess = _by_letters(sample, sure=False)
        return _by_letters(sample, sure=True) or told(sample) or (guess if guess in STOP_WORDS else None)
    guess = told(sample) or _by_letters(sample, sure=True)
    own, english = votes.get(guess or "", 0.0), votes.get("en", 0.0)
    return guess if guess == "en" or own >= max(_OWN, 2 * english) else None


def _sample(title: str, text: str) -> str:
    """Return what of a document is read: all of a short one, else four places of it, evenly apart."""
    if len(text) <= _PLACES * _PLACE:
        read = text if len(text) >= _SHORT_TEXT else f"{title}\n{text}"
    else:
        step = (len(text) - _PLACE) // (_PLACES - 1)
        read = "\n".join(text[at * step : at * step + _PLACE] for at in range(_PLACES))
    return _shown(" ".join(word for word in read.split() if not _ADDRESS.search(word)))


def _by_script(sample: str) -> str | None:
    """Return the language of a text in a script that is one language's, or nearly so."""
    foreign = "".join(_FOREIGN.findall(sample))
    scripts = Counter({name: len(pattern.findall(foreign)) for name, pattern in _SCRIPTS.items()})
    if not foreign:
        return None
    latin = len(_LATIN.findall(sample.casefold()))
    ideographs = scripts["zh"] + scripts["ja"] + scripts["ko"]
    # A Chinese or Korean letter is worth about two of an alphabet.
    if 2 * ideographs > latin:
        if scripts["ja"] >= _KANA * ideographs:
            return "ja"
        return "ko" if scripts["ko"] > scripts["zh"] else "zh"
    name, count = max(scripts.items(), key=lambda pair: (pair[1], pair[0]))
    return name if count > latin else None


@lru_cache(maxsize=64)
def _by_letters(text: str, *, sure: bool) -> str | None:
    from kreuzberg import ExtractionConfig, LanguageDetectionConfig, extract_bytes_sync

    detection = LanguageDetectionConfig(
        enabled=True, min_confidence=0.5 if sure else 0.0, detect_multiple=not sure
    )
    found = extract_bytes_sync(
        text.encode(errors="replace"), "text/plain", ExtractionConfig(language_detection=detection)
    ).detected_languages
    return _SHORT.get(found[0]) if found else None
