"""Does a question lean on the one before it, and what is a question about? By words alone, English first.

The rules and their numbers were chosen with ``benchmarks/threads.py`` on both folds of mtrag_un.
"""

import re

from indexes.analysis import analyse

_WORD = re.compile(r"[^\W_]+(?:['.\-&][^\W_]+)*")

# Words that point at something that was said.
_POINTERS = frozenset(
    """it its itself they them their theirs themselves he him his she hers her this that these
    those""".split()
)
_POINTING = frozenset({"this", "that", "these", "those"})
_TIMES = frozenset(
    """year month week day morning evening spring summer autumn fall winter quarter season century
    decade""".split()
)
# "Is it possible to ...", "it takes ...", "does it snow ...": this "it" points at nothing.
_EMPTY_IT = re.compile(
    r"\b(?:is|was|isn't|wasn't|be|will|would|can|does|did) it (?:be )?(?:\w+ )?\w+"
    r" (?:to|that|if|for|when|with|without|doing)\b"
    r"|\bit(?:'s| is| was| would be| becomes?| will be) (?:\w+ )?\w+ (?:to|that|if|for|when|without)\b"
    r"|\bit (?:takes?|took|costs?|means? (?:to|when|if|that|by)|snows?|rains?|gets?)\b|\bis it worth\b",
    re.IGNORECASE,
)
# A question that goes on where the one before stopped, and one that is no more than its first word.
_GOES_ON = re.compile(
    r"\W*(?:(?:and|or|but|so|then|also|what about|how about|what if|how so|how come|which ones?|what else"
    r"|who else|where else|anything else|any others?|any more|more (?:about|on|of|details?|examples?)|i mean"
    r"|i meant|i am talking|i'm talking|i was talking|i was asking|oops|correction to|for example|such as"
    r"|instead(?! of)|in that case|und|oder|aber|et|ou|mais|y|pero)(?![-\w])"
    r"|(?:no|yes|yeah|sorry|correction)[,.:!]"
    r"|(?:why|how|when|where|who|which|what|more)(?: not| so| exactly| much| many| long| often| then)?\W*$)",
    re.IGNORECASE,
)
_DEFINES = re.compile(
    r"\W*(?:please )?(?:what(?:'s| is| are| was| were| does| do)|who(?:'s| is| was| are)|define|explain)\b",
    re.IGNORECASE,
)
_ASKING = frozenset(
    """what what's who who's whom whose which when where why how is are was were do does did can
    could will would should shall may might must has have had am isn't aren't wasn't don't doesn't
    didn't can't""".split()
)
_JOINING = frozenset(
    "and or if when after before that while because than as where who how which so then but".split()
)
# Words that name no subject, beside those that the analyser drops.
_VAGUE = frozenset(
    term
    for word in """able actually additional affect against anyone anything aware become best better
    between big bit bring call case cause change come compare consider could curious current currently
    define describe detail details different difference discuss elaborate especially etc everyone
    everything exact exactly example examples explain explanation fact famous far find fine first follow
    general generally get give go going good great happen happened happens hear heard hello help hey hi
    important include included info inform information interested interesting involved issue kind know
    known last learn let like list little long look lot main major make many may maybe mean meaning
    means meant mention mentioned might much must name named names need never new nice no not nothing
    now often ok okay old once oops opinion order part particular people plan please possible possibly
    provide question really recommend regarding relate related right same say says see shall share shed
    show similar someone something sometimes sorry sort speak specific start still suggest sure take
    talk talking tell term terms thank thanks thing things think thought time today told topic true try
    type types understand us use used useful using usual usually various via vs want way ways well
    whenever wonder work works would yes yet always""".split()
    for term in analyse(word)
)

_MOST_OWN = 6  # a question with more words of its own has what it needs
_MOST_JOINED = 6
_SHORT = 2


def words(text: str) -> list[str]:
    """Return the words of a text as they are written."""
    return _WORD.findall(text.replace("’", "'"))


def naming(text: str) -> frozenset[str]:
    """Return the stems of a text that may name a subject."""
    return frozenset(term for term in analyse(text) if term not in _VAGUE)


def depends(question: str) -> str | None:
    """Return in a sentence what a question lacks without the one before it, None where it stands alone."""
    question = question.replace("’", "'")
    own = len(naming(question))
    if not own:
        return "it names nothing"
    if own <= _MOST_OWN and (pointer := _pointer(question)):
        return f'"{pointer}" points back'
    if own <= _MOST_JOINED and (opening := _GOES_ON.match(question)):
        return f'"{opening.group().strip()}" goes on from the question before'
    asks = any(word.casefold() in _ASKING for word in words(question)[:3])
    if own <= _SHORT and not asks:
        return "it is a few words and no question"
    if own == 1 and not _DEFINES.match(question):
        return "it names one thing alone"
    return None


def _pointer(question: str) -> str | None:
    """Return the first word that points out of the question; one that points into it is none."""
    spoken = words(question)
    lower = [word.casefold() for word in spoken]
    named, joined = 0, False
    for at, word in enumerate(lower):
        after = lower[at + 1] if at + 1 < len(lower) else ""
        before = lower[at - 1] if at else ""
        if _points(word, before, after) and not (word == "it" and _EMPTY_IT.search(question)):
            # What stands before it in the same clause, if it is much, is what it points at.
            return spoken[at] if not named or (named < 3 and not joined) else None
        if naming(word):
            named += 1
        elif named and word in _JOINING:
            joined = True
    return None


def _points(word: str, before: str, after: str) -> bool:
    word = word.removesuffix("'s")
    if word in ("one", "ones"):  # "which one", not "season one" or "one of the causes"
        return after != "of" and not naming(after) and not naming(before)
    if word not in _POINTERS or (word in _POINTING and after in _TIMES):
        return False
    # "forms that I can file", "say that it is": a joining word.
    joins = word == "that" and after and before and (naming(before) or before in ("those", "so", "all", "it"))
    return not joins


def subjects(question: str) -> list[str]:
    """Return what a question names, as it is written: words in a row that name something, in order."""
    found: list[str] = []
    text = question.replace("’", "'")
    end = -1
    for match in _WORD.finditer(text):
        if not naming(match.group()):
            continue
        between = text[end : match.start()] if end >= 0 else None
        if between is not None and not between.strip(" \"'"):
            found[-1] += f" {match.group()}"
        else:
            found.append(match.group())
        end = match.end()
    return found
