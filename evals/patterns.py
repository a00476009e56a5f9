"""Plain English statements turned round into the questions that they answer: one function a pattern.

Each takes a sentence without its full stop, the first word lowered unless it is a name, and gives the
question without its mark and how well such questions read (0 to 1), or None.
"""

import re
from collections.abc import Callable

from evals.grammar import (
    PEOPLE,
    TIME,
    VERBS,
    begins_clause,
    has_clause,
    is_one_clause,
    is_subject,
    turned,
    words,
)

Asked = tuple[str, float] | None
Pattern = Callable[[str], Asked]

_PHRASE = r"[\w'\u2019/&-]+(?: [\w'\u2019/&()-]+)"
_SUBJECT = rf"(?P<subject>{_PHRASE}{{0,7}}?)"
_MODAL = r"(?P<modal>must|should|may|can|needs? to|have to|has to)"
_UNTIL = (
    r"(?:in|per|each|for|during|at|by|from|to|after|before|on|when|if|with|within|every|without|unless|as|"
    r"and|or)"
)
_ABOUT = r"(?:(?:up to|at least|a maximum of|no more than|about|around|approximately|between|only|roughly) )?"
_NUMBER = r"(?:[$\u20ac\u00a3]?\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_CONDITION = _compiled(r"(?P<when>if|when|whenever|once|after|before) (?P<clause>.+)")
_NO_ACTOR = _compiled(r"(?:\w+(?:ing|ed)|written|given|done) ")
_ADVICE = words("must should can may need have")


def condition(sentence: str) -> Asked:
    """``If your laptop breaks, tell IT`` -> ``What should you do if your laptop breaks``."""
    match = _CONDITION.fullmatch(sentence)
    if not match:
        return None
    for comma in re.finditer(", ", match["clause"]):
        clause = match["clause"][: comma.start()]
        main = match["clause"][comma.end() :].removeprefix("then ").removeprefix("please ")
        if main and begins_clause(main):
            first, second = [*main.lower().split(), ""][:2]
            advised = first in VERBS or first == "do" or (first == "you" and second in _ADVICE)
            if len(clause.split()) < 3 or not is_one_clause(clause) or _NO_ACTOR.match(clause):
                return None
            does = "should you do" if advised else "happens"
            return f"what {does} {match['when'].lower()} {clause}", 0.75 if advised else 0.5
    return None


_PURPOSE = _compiled(r"(?:in order )?to (?P<deed>(?P<verb>\w+) .+)")


def purpose(sentence: str) -> Asked:
    """``To get a badge, fill in the form`` -> ``How do you get a badge``."""
    match = _PURPOSE.fullmatch(sentence)
    if not match or match["verb"].lower() not in VERBS:
        return None
    for comma in re.finditer(", ", match["deed"]):
        deed, main = match["deed"][: comma.start()], match["deed"][comma.end() :]
        if main and begins_clause(main) and is_one_clause(deed) and len(deed.split()) >= 3:
            ours = re.match(r"(?:we|our)\b(?! (?:recommend|suggest|encourage|ask|advise))", main)
            who = "we" if ours and not re.search(r"\byour?\b", deed) else "you"
            return f"how do {who} {deed}", 1.0
    return None


_CONTACT = _compiled(
    r"(?:please |you (?:should|can|must|may) )?"
    r"(?:contact|email|ask|reach out to|message|notify|talk to|call|call or message) "
    r"(?P<whom>.{2,60}?) (?P<rest>(?:if|about|when|before|regarding|with questions|for) .+)"
)
_SOMEONE_AT_WORK = re.compile(PEOPLE, re.IGNORECASE)
_SOMEONE = re.compile(rf"(?i:{PEOPLE})|[A-Z]|\S@\S")


def contact(sentence: str) -> Asked:
    """``Contact HR if a payslip is wrong`` -> ``Who should you contact if a payslip is wrong``."""
    match = _CONTACT.fullmatch(sentence)
    if not match or re.search(", | to ", match["whom"]) or not _SOMEONE.search(match["whom"]):
        return None
    return f"who should you contact {match['rest']}", 0.9


_CHARGE = _compiled(
    rf"{_SUBJECT} (?:(?P<be>is|are)(?: also)? (?P<charge>responsible for|in charge of)|"
    r"(?P<verb>approves?|oversees?|owns?|maintains?|administers?)) (?P<rest>.+)"
)


def charge(sentence: str) -> Asked:
    """``The payroll team is responsible for bonuses`` -> ``Who is responsible for bonuses``."""
    match = _CHARGE.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or not _SOMEONE_AT_WORK.search(match["subject"]):
        return None
    if has_clause(match["rest"].partition(", and ")[2]):
        return None
    verb = f"is {match['charge']}" if match["be"] else match["verb"].removesuffix("s") + "s"
    return f"who {verb} {match['rest']}", 0.9


_DEFINITION = _compiled(
    rf"{_SUBJECT} (?P<be>is|are) (?P<rest>(?:an?|the|our|your|to|how|what|where|any|\$?\d[\d.,]*) .+)"
)
_VAGUE = _compiled(
    r"an? (?:(?:very|really|pretty|quite) )?(?:good|great|nice|bad|bit|lot|little|few|common|key|big|fun|"
    r"huge|important|priority|must|work in progress|high|valuable|critical|perfect|concern|option|delight)\b|"
    r"the (?:same|case|best|only|hardest|first|most)\b|to be\b"
)


def definition(sentence: str) -> Asked:
    """``The travel allowance is the amount paid a day`` -> ``What is the travel allowance``."""
    match = _DEFINITION.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or _VAGUE.match(match["rest"]):
        return None
    subject = match["subject"]
    if subject.split()[0].endswith("ing") or " or " in subject or subject.lower() in {"you", "we"}:
        return None
    return f"what {match['be'].lower()} {subject}", 0.9 if len(subject.split()) > 2 else 0.7


_MEANING = _compiled(
    rf"{_SUBJECT} (?P<verb>means?|refers? to|stands? for|consists? of|depends? on|includes?|covers?|"
    r"requires?|provides?) .+"
)


def meaning(sentence: str) -> Asked:
    """``Net pay means pay after tax`` -> ``What does net pay mean``."""
    match = _MEANING.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or match["subject"].lower() in {"we", "you"}:
        return None
    verb, _, rest = match["verb"].lower().partition(" ")
    does = "does" if verb.endswith("s") else "do"
    return f"what {does} {match['subject']} {verb.removesuffix('s')} {rest}".rstrip(), 0.7


_POSSESSED = _compiled(
    rf"{_SUBJECT} (?P<verb>has|have|gets?|receives?|earns?|accrues?|(?:is|are) (?:entitled to|allowed)) "
    rf"{_ABOUT}{_NUMBER} (?P<unit>(?P<plural>[a-z-]+(?: (?!{_UNTIL} |of )[a-z-]+){{0,3}}?)"
    rf"(?: of(?: (?!{_UNTIL} )[\w-]+){{1,5}})?)(?P<rest>(?: {_UNTIL}\b.*)?)"
)


def how_many(sentence: str) -> Asked:
    """``You have 28 days of leave in a year`` -> ``How many days of leave do you have in a year``."""
    match = _POSSESSED.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or not match["plural"].lower().endswith("s"):
        return None
    be, _, entitled = match["verb"].lower().partition(" ")
    if entitled:
        to = "to " if entitled.endswith(" to") else ""
        return (
            f"{to}how many {match['unit']} {be} {match['subject']} {entitled.split()[0]}{match['rest']}",
            1.0,
        )
    plain = "have" if be == "has" else be.removesuffix("s")
    does = "does" if be.endswith("s") else "do"
    return f"how many {match['unit']} {does} {match['subject']} {plain}{match['rest']}", 1.0


_LASTING = _compiled(rf"{_SUBJECT} (?P<verb>takes?|lasts?|costs?) (?P<given>{_ABOUT}{_NUMBER}\b.*)")


def how_long(sentence: str) -> Asked:
    """``A review takes two days`` -> ``How long does a review take``."""
    match = _LASTING.fullmatch(sentence)
    if not match or not is_subject(match["subject"]):
        return None
    verb = match["verb"].lower()
    costs = verb.startswith("cost")
    if not costs and not TIME.search(match["given"]):
        return None
    does = "does" if verb.endswith("s") else "do"
    return f"how {'much' if costs else 'long'} {does} {match['subject']} {verb.removesuffix('s')}", 1.0


_WITHIN = _compiled(
    rf"{_SUBJECT} {_MODAL} (?P<deed>[a-z]+ .+?),? (?P<within>within|no later than|at least) \w+ "
    r"(?P<unit>(?:business |working |calendar )?(?:hours?|days?|weeks?|months?|years?))"
    r"(?P<near>(?: in advance)?(?: (?:of|before|after|prior to|from)\b(?: [\w'\u2019/-]+){1,7})?)"
    r"(?P<rest>(?: to [^,]+)?)"
)


def within(sentence: str) -> Asked:
    """``You must file claims within 30 days`` -> ``Within how many days must you file claims``."""
    match = _WITHIN.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or has_clause(match["deed"].lower().removeprefix("be ")):
        return None
    lead = "within how many" if match["within"].lower() == "within" else "how many"
    unit = match["unit"].removesuffix("s") + "s" + match["near"]
    return (
        f"{lead} {unit} {turned(match['modal'].lower(), match['subject'])} {match['deed']}{match['rest']}",
        1.0,
    )


_STATE = _compiled(
    rf"{_SUBJECT} (?P<be>is|are|was|were|(?:must|should|can|may|will) be) "
    r"(?P<state>[a-z]+ed|due|available|held|paid|kept|sent|open|made|given|found|built) "
    r"(?P<prep>on|by|at|before|until|every|each|in|no later than|within|to|under|using|through|via|during) "
    r"(?P<rest>.+)"
)
_PLACED = words(
    "located stored kept posted documented listed hosted found available saved filed uploaded recorded"
)


def state(sentence: str) -> Asked:
    """``Bonuses are paid in March`` -> ``When are bonuses paid``; a place asks where, a means how."""
    match = _STATE.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or match["subject"].lower() in {"we", "you"}:
        return None
    prep, (modal, *be) = match["prep"].lower(), match["be"].lower().split()
    asked = " ".join([modal, match["subject"], *be, match["state"]])
    if prep in {"using", "through", "via"}:
        return f"how {asked}", 0.7
    opening = " ".join(match["rest"].split()[:4])
    if prep != "to" and TIME.search(opening) and not _SOMEONE_AT_WORK.search(opening):
        lead = "by when" if prep in {"by", "before", "no later than"} else "when"
        return f"{lead} {asked}", 0.9
    if match["state"].lower() in _PLACED and prep in {"in", "on", "at", "under", "to"}:
        return f"where {asked}", 0.8
    return None


_DUTY = _compiled(
    rf"{_SUBJECT} (?P<modal>must|should|needs? to|ha(?:ve|s) to) (?:(?:also|first|always) )?(?P<verb>[a-z]+) "
    rf"(?:a|an|the|your|their|all|any|each|our|its|at least|only) {_PHRASE}{{0,5}}? "
    r"(?P<rest>(?:before|after|when|if|by|to|for|from|on|during|within|at|in|until|unless) .+)"
)
_EMPTY_VERBS = words("make take get give set go keep view see visit run turn open")


def duty(sentence: str) -> Asked:
    """``Staff must sign the form before travelling`` -> ``What must staff sign before travelling``."""
    match = _DUTY.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or match["verb"].lower() not in VERBS - _EMPTY_VERBS:
        return None
    return f"what {turned(match['modal'].lower(), match['subject'])} {match['verb']} {match['rest']}", 0.8


_LEAVE = _compiled(rf"{_SUBJECT} (?P<modal>may|can|must)(?: ?not)? (?P<deed>(?P<verb>[a-z]+) [^,]+)")


def leave(sentence: str) -> Asked:
    """``Guests may not park in the yard`` -> ``May guests park in the yard``; orders are not turned round."""
    match = _LEAVE.fullmatch(sentence)
    if not match or not is_subject(match["subject"]) or match["verb"].lower() not in VERBS - _EMPTY_VERBS:
        return None
    if match["modal"].lower() == "must" and " must not " not in sentence:
        return None
    return f"{'can' if match['modal'].lower() == 'can' else 'may'} {match['subject']} {match['deed']}", 0.6


_REASON = _compiled(rf"{_SUBJECT} (?P<be>is|are|must|should) (?P<rest>.+?),? because .+")


def reason(sentence: str) -> Asked:
    """``Doors are locked because of thefts`` -> ``Why are doors locked``."""
    match = _REASON.fullmatch(sentence)
    if not match or not is_subject(match["subject"]):
        return None
    return f"why {match['be'].lower()} {match['subject']} {match['rest']}", 0.9


_USE = _compiled(r"(?P<who>we|you can|you should|teams|employees) use (?P<what>.+?) (?P<rest>(?:to|for) .+)")


def use(sentence: str) -> Asked:
    """``We use Slack for questions to HR`` -> ``What do we use for questions to HR``."""
    match = _USE.fullmatch(sentence)
    if not match or len(match["what"].split()) > 6 or " which " in match["rest"]:
        return None
    you, _, modal = match["who"].lower().partition(" ")
    return f"what {modal or 'do'} {you} use {match['rest']}", 0.8


PATTERNS: tuple[Pattern, ...] = (
    *(purpose, reason, contact, charge, how_many, how_long, within, state),
    *(use, definition, meaning, condition, duty, leave),
)
"""In the order they are tried: the first that fits is the one."""
