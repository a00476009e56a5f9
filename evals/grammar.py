"""As much English grammar as turning plain statements into questions needs: word lists and small tests."""

import re


def words(listed: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(listed.split())


VERBS = words(
    """
    accept access achieve add adjust allow analyze announce answer apply approve archive arrange ask
    assess assign attend avoid back book bring build buy calculate call cancel carry change charge check
    choose claim clean clear close collect communicate complete comply conduct configure confirm connect
    contact continue contribute convert coordinate copy create debug decide define delegate delete deliver
    deploy describe design determine develop disable discuss display distribute document donate download
    draft edit email enable encrypt engage enroll ensure enter escalate establish estimate evaluate
    expense explain export extend file fill find finish fix follow format gain gather generate get give go
    grant hand handle help hire host identify implement import improve include increase inform initiate
    install interview invite join keep launch leave link list log maintain make manage mark measure meet
    merge migrate minimize monitor move name navigate notify obtain offer onboard open order organize pack
    park participate pay perform pick plan post prepare prevent prioritize process promote propose protect
    provide provision publish purchase push put raise reach read receive recommend record recruit reduce
    refer register reimburse release remove rename renew replace reply report request reschedule reserve
    reset resolve respond restart return review revoke rotate run save schedule search secure select sell
    send set share ship sign solve speak start stop store submit subscribe suggest support switch sync
    take talk tell terminate test track train transfer travel trigger troubleshoot turn uninstall update
    upgrade upload use validate verify view visit volunteer vote wait withdraw work write
    """
)
PEOPLE = (
    r"\b(?:teams?|managers?|directors?|offices?|officers?|departments?|leads?|committees?|councils?|staff|hr|"
    r"employees?|supervisors?|boards?|owners?|engineers?|partners?|teammates?|coordinators?|leaders?|"
    r"administrators?|ceo|cto|cfo|president|specialists?|analysts?|designers?|executives?|chiefs?|members?)\b"
)
TIME = re.compile(
    r"\b(?:\d{1,2}:\d\d|(?:19|20)\d\d|\d+(?:st|nd|rd|th)|january|february|march|april|june|july|august|september|"
    r"october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|days?|weeks?|months?|quarters?|"
    r"years?|hours?|minutes?|noon|midnight|annually|yearly|monthly|weekly|daily|quarterly)\b",
    re.IGNORECASE,
)
_NO_SUBJECT = words(
    """
    this that these those it they he she there here such both either neither another others one some many
    most several few much more none nothing something everything anything everyone anyone someone what who
    whom whose why how where when which while whether although though because since as in on at by for from
    with without under over during per now today yes no not please note also however but and or so then
    therefore thus hence instead otherwise additionally furthermore moreover finally first second third next
    last again if unless until once after before to than like see read click let's i i'm i've you'll we'll
    example examples people just only even all its their his her my sometimes often usually generally
    typically currently always never
    """
)
_NO_END = words("a an the of for in to and or at by on with from your our their its not also only more most")
_INNER = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|will|would|can|could|may|must|should|do|does|did|that|which|who|"
    r"when|if|because|where|while|but|what|how|why|whose|cannot|gets?|means?|\w+n['\u2019]t|not)\b",
    re.IGNORECASE,
)
_OPENERS = words("you we your the our they please a an do be it")
_LAST_OF_LIST = re.compile(r"\b(?:or|and)\b")


def has_clause(phrase: str) -> bool:
    """Say whether a phrase holds a finite verb or a word that opens a clause."""
    return _INNER.search(phrase) is not None


def is_subject(phrase: str) -> bool:
    """Say whether a phrase may be what a sentence is about: no verb in it, and whole at both ends."""
    found = phrase.lower().split()
    if found[0] in {"you", "we"} and len(found) > 1:
        return False
    return found[0] not in _NO_SUBJECT and found[-1] not in _NO_END and not has_clause(phrase)


def turned(modal: str, subject: str) -> str:
    """Return modal and subject in the order of a question: ``must you``, ``do you need to``."""
    if not modal.endswith(" to"):
        return f"{modal} {subject}"
    does = "do" if _is_plural(subject) else "does"
    return f"{does} {subject} {'have' if modal.startswith('ha') else 'need'} to"


def begins_clause(words_after_comma: str) -> bool:
    """Say whether a main clause may begin so: by an order, or by what it is about."""
    first = words_after_comma.split(maxsplit=1)[0].lower()
    return first in VERBS or first in _OPENERS


def is_one_clause(clause: str) -> bool:
    """Say whether the commas in a clause only part a list."""
    return "," not in clause or _LAST_OF_LIST.search(clause.rpartition(", ")[2]) is not None


def _is_plural(subject: str) -> bool:
    if subject.lower() in {"you", "we"} or " and " in subject:
        return True
    head = re.split(r" (?:of|for|in|on|with|at|from|to) ", subject)[0].lower()
    return head.endswith("s") and not head.endswith("ss")
