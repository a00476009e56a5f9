"""What an order to a program looks like: the parts of the scanner's rules. See ``injection``.

A rule sees one sentence at a time, lower case, on one line, look-alike letters brought back to Latin.
Most orders on a company's pages are for people ("ignore the previous version of this policy", "send the
form to HR"), so a rule asks for what only a text model is told: to drop its instructions, to change its
answer, to hide something from its user, to be somebody else. Families follow those of BIPIA
(arXiv:2312.14197), AgentDojo (arXiv:2406.13352) and Greshake et al. (arXiv:2302.12173).
"""

import re
from dataclasses import dataclass
from functools import cache

_NO_VERBS = frozenset(
    """a about above according after again all also although always am among an and another any anyone are as
    at based be because been before being below besides between both but by can could did do does during each
    either even ever every everyone everything few for from given had has have having he hence her here his
    how however i if in instead into is it its last later less lots many may maybe might mine more moreover
    most much must my near neither never next no nobody none nor not nothing now of off often on once one only
    or other others our ours out over part per perhaps rather same several shall she should similarly since so
    some someone something sometimes soon still such than thank thanks that the their theirs them then there
    therefore these they this those though three through thus to today together too two under unless until
    upon usually very via was we were what whatever when whenever where whereas whether which while who whom
    whose why will with within without would yes yet you your yours""".split()
)
_VERBS_IN_S = frozenset("focus canvas bias".split())
_VERBS_IN_ED = frozenset("embed feed need seed shed shred speed wed proceed succeed exceed".split())
_VERBS_IN_ING = frozenset("bring fling ping ring sing string swing".split())


def imperative(word: str) -> bool:
    """Tell whether a lower-case word that opens a clause may be a verb in its base form. English; rough."""
    if len(word) < 2 or word in _NO_VERBS or not word.isalpha():
        return False
    if word.endswith("s"):
        return word.endswith("ss") or word in _VERBS_IN_S
    if word.endswith("ed"):
        return word in _VERBS_IN_ED
    if word.endswith("ing"):
        return word in _VERBS_IN_ING
    return not word.endswith(("tion", "ment", "ness", "ity"))


@dataclass(frozen=True, slots=True)
class Rule:
    """A family's mark.

    ``words``: one of each group stands in every text that ``pattern`` matches; whole words, or marks, which
    are what is no word. With ``verb`` the pattern's group of that name must be a verb in the imperative.
    """

    family: str
    words: tuple[tuple[str, ...], ...]
    pattern: str
    verb: bool = False

    def match(self, sentence: str) -> bool:
        """Tell whether a folded sentence bears the mark."""
        pattern = _compiled(self.pattern)
        if not self.verb:
            return pattern.search(sentence) is not None
        return any(imperative(found["verb"]) for found in pattern.finditer(sentence))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # All of them at import would take a third of a second, which every command would pay.
    return re.compile(pattern)


def rule(family: str, words: str, pattern: str, *, verb: bool = False) -> Rule:
    """Put a rule together; ``words``: groups parted by " & ", the words of a group by blanks."""
    groups = tuple(tuple(group.split()) for group in words.split(" & "))
    return Rule(family, groups, pattern, verb)


# -- words and phrases that several rules share ------------------------------------------------------

POLITE = (
    r"(?:please|kindly|now|then|also|first|next|just|simply|always|only|and|so|afterwards?|instead"
    r"|[a-z]+ly|to proceed|you (?:must|should|shall|will|need to|have to|are to|can|could|may)(?: now|"
    r" also| only| always)?|(?:i|we) (?:need|want|would like|require|ask|order|command|instruct|urge)"
    r" you(?: now| all)? to|(?:can|could|would|will) you(?: please)?|(?:make|be) (?:absolutely )?(?:sure"
    r"|certain)(?: that you| to| you)?|(?:remember|try|proceed|continue|feel free|it is (?:important"
    r"|necessary|required|crucial)(?: for you)?) to|(?:don't|do not) (?:hesitate|forget)(?: to)?)"
)
"""What may stand before the verb of an order."""

ORDER = rf"^[\W_]{{0,12}}(?:\w{{3,12}}[:!]+\s)?(?:{POLITE}[, ]+){{0,3}}"
"""The beginning of a sentence that is an order; its verb comes next."""

CLAUSE = (
    rf"(?:^|[:;,!?(\"] ?|\band |\bthen |\bonly )[\W_]{{0,12}}(?:\w{{3,12}}[:!]+"
    rf" )?(?:{POLITE}[, ]+){{0,3}}"
)
"""The beginning of a clause that may be an order."""

VERB = (
    r"(?P<verb>[a-z]+)\b(?! (?:\w+ ){0,2}(?:will|is|are|was|were|has|can|should|must|would|may|might"
    r"|could)\b)"
)
"""An order's verb: no subject, which would have an auxiliary near."""

OUTPUT = (
    r"(?:answer|response|responses|reply|replies|output|completion|generated (?:text|answer"
    r"|content))\b(?! (?:times?|rates?|plan|team|prompts?|letter|form|sheet|files?|folder|to (?:the|this"
    r"|our|my|a)\b|within\b|until\b|no later|at least|by (?:the|end|close|next|tomorrow|noon|\w+day"
    r"|e-?mail)\b|\d))"
)
YOUR = r"your (?:own |final |next |entire |whole |full |complete |current |main |first |last |original )?"
DISGUISE = (
    r"(?:base ?(?:64|32|16)|emojis?\b|morse|rot-?13|caesar|binary\b|hexadecimal|pig latin|leet ?speak"
    r"|reverse|backwards|all (?:caps|uppercase|lowercase)|uppercase|ciphers?|anagrams?|pirate|rhym|haiku"
    r"|riddles?\b|shakespear|ascii art|(?:french|german|spanish|italian|chinese|japanese|russian|arabic"
    r"|portuguese|dutch|korean|hindi|latin|klingon|greek|polish)\b)"
)
DISGUISE_WORDS = (
    "base base64 base32 base16 emoji emojis morse rot rot13 caesar binary hexadecimal pig leet leetspeak"
    " reverse reversed backward backwards rhymed caps uppercase lowercase cipher ciphers anagram"
    " anagrams anagrammed pirate rhyme rhymes rhyming haiku riddle riddles shakespeare shakespearean"
    " ascii french german spanish italian chinese japanese russian arabic portuguese dutch korean hindi"
    " latin klingon greek polish"
)
MODEL = (
    r"(?:a\.?i\.?(?: (?:assistant|model|agent|system|bot|chatbot|tool))?|llms?|(?:large )?language"
    r" models?|chat ?bots?|chatgpt|gpt(?:-?\d\w*)?|claude|gemini|copilot|bard|llama|mistral|(?:virtual"
    r"|digital|automated|helpful|language) (?:assistant|agent|model)s?)"
)
MODEL_WORDS = (
    "ai a.i llm llms model models chatbot chatbots bot bots chatgpt gpt claude gemini copilot bard llama"
    " mistral assistant assistants agent agents"
)
INSTRUCTIONS = (
    r"(?:instructions?|prompts?|directives?|commands?|guidelines?|programming|training|restrictions?"
    r"|constraints?|safety (?:rules?|measures?|filters?|policy|policies)|system message|rules|orders?"
    r"|messages?|context|conversation|tasks?|requests?|directions)"
)
INSTRUCTION_WORDS = (
    "instruction instructions prompt prompts directive directives command commands guideline guidelines"
    " programming training restriction restrictions constraint constraints safety rules order orders"
    " message messages context conversation task tasks request requests directions"
)
