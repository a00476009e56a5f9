"""Which language a question is written in, or None where that cannot be told."""

import re
import unicodedata
from functools import lru_cache

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
    """Return the language of a text as ISO 639-1, None where it is not sure.

    English, German, French, Spanish, Italian, Dutch and Portuguese are told by their small words; a text
    with too few of them, and any other language, by the counts of letters of whatlang, and only where that
    is sure. Only the first 2,000 characters are read.
    """
    shown = unicodedata.normalize("NFC", text[:_READ]).replace("’", "'")
    words = _LETTERS.findall(shown.casefold())
    if not words:
        return None
    votes = _votes(shown, words)
    best = max(votes.values(), default=0.0)
    leading = sorted(name for name in votes if votes[name] == best)
    second = max((count for name, count in votes.items() if name not in leading), default=0.0)
    # One small word of a language's own may still be a name's; so it must stand well before the rest.
    if len(leading) == 1 and best >= 1 and (best >= 2 or best >= 2 * second):
        return leading[0]
    if best < 0.5:  # what two languages and more share says little
        return _by_letters(shown, sure=True)
    guess = _by_letters(shown, sure=False)
    return guess if guess in leading else None


def _votes(shown: str, words: list[str]) -> dict[str, float]:
    """Return language -> how many of the words are its small words; a word of several counts in part."""
    votes: dict[str, float] = {}
    for word in words:
        known = _TABLE.get(word) or _TABLE.get(word.removesuffix("'"), frozenset())
        for name in known:
            votes[name] = votes.get(name, 0.0) + 1 / len(known)
    for mark, name in _MARKS.items():
        if mark in shown.casefold():
            votes[name] = votes.get(name, 0.0) + 1
    return votes


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
