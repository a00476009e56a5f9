"""What is said to the program and not asked of the documents: greetings, thanks, and nothing at all."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

from indexes.analysis import analyse
from ragflow.answers import Reason
from ragflow.routing.wording import question_run

_LONGEST = 120
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

# Each line a kind, each phrase between commas. A text is small talk only when nothing else is in it: one
# word of a subject makes it a question. "Hello, how many days of leave do I get?" is a question.
_TALK = """
    hello, hi, hey, hiya, howdy, greetings, good morning, good afternoon, good evening, good day,
    good night,
    morning, evening, welcome, nice to meet you, pleased to meet you, hello world,
    thanks, thank you, thank u, thx, ty, cheers, much appreciated, i appreciate it, i appreciate that,
    many thanks, thanks a lot, thanks a bunch, thanks a million, thank you very much, thank you so much,
    thanks so much, thanks very much, thanks for your help, thank you for your help, thanks for the help,
    thank you for the help, thanks for the info, thanks for the information, thank you for the information,
    thank you for the info, thanks for explaining, thanks for that, thank you for that, thanks again,
    how are you, how are you doing, how are you today, how are you doing today, how's it going,
    how is it going,
    how do you do, what's up, whats up, sup, are you there, are you ok, are you okay, you there,
    bye, bye bye, goodbye, good bye, see you, see you later, see you soon, have a nice day, have a good day,
    have a great day, take care, farewell, cya,
    you're welcome, no problem, never mind, nevermind, no worries, sorry, my bad, excuse me, i'm sorry,
    ok, okay, great, cool, nice, awesome, perfect, wonderful, excellent, fantastic, amazing, good job,
    well done, good to know, got it, i see, understood, i understand, makes sense, that makes sense,
    that's great, that is great, that's good, that is good, that's nice, that's cool, that's awesome,
    that's interesting, interesting, that's all, that is all, that helps, that's helpful, very helpful,
    that is fine, that's fine, that is ok, that's ok, that is okay, that's okay, it is fine, it's fine, it
    is ok, it's ok, it is okay, it's okay, very interesting, very good, very nice, very useful, my
    apologies, apologies, i apologize, i apologise, sounds good, all good, all right, alright, lol, haha,
    wow, love it, i love you, i like you,
    hallo, guten morgen, guten tag, guten abend, gute nacht, moin, moin moin, servus, grüezi, grüß gott,
    grüß dich, danke, danke schön, dankeschön, danke sehr, danke dir, danke ihnen, vielen dank, besten dank,
    herzlichen dank, tausend dank, wie geht's, wie gehts, wie geht es dir, wie geht es ihnen, wie geht es,
    tschüss, tschüß, auf wiedersehen, bis bald, bis später, schönen tag, schönen tag noch, alles klar,
    bonjour, bonsoir, salut, coucou, merci, merci beaucoup, merci bien, mille mercis, ça va, ca va,
    comment ça va, comment ca va, comment allez vous, comment vas tu, au revoir, à bientôt, bonne journée,
    bonne soirée, enchanté,
    hola, buenos días, buenos dias, buenas tardes, buenas noches, buenas, gracias, muchas gracias,
    mil gracias, qué tal, que tal, cómo estás, como estas, cómo está usted, cómo está, adiós, adios,
    hasta luego, hasta pronto, hasta mañana, de nada
"""
_META = """
    help, help me, i need help, please help, can you help, can you help me, could you help me,
    what can you do,
    what can you do for me, what can i ask, what can i ask you, what do you do, what do you know,
    what are you able to do, what are you, who are you, what is your name, what's your name,
    how do you work,
    how does this work, how do i use this, how do i use you, who made you, who built you, are you a bot,
    are you a robot, are you human, are you a human, are you an ai, are you real, are you a machine,
    are you a person, are you chatgpt, what model are you, which model are you, tell me about yourself,
    introduce yourself, how can you help, how can you help me, what questions can i ask,
    what questions can i ask you, what questions can you answer, what can you answer,
    wer bist du, wer sind sie, was bist du, was kannst du, was können sie, was kannst du tun, hilfe,
    was kann ich dich fragen, kannst du mir helfen, können sie mir helfen, wie heißt du,
    bist du ein mensch, bist du ein bot, bist du ein roboter,
    qui es tu, qui êtes vous, que peux tu faire, que pouvez vous faire, que sais tu faire, aide,
    peux tu m'aider, pouvez vous m'aider, comment t'appelles tu,
    quién eres, quien eres, qué eres, qué puedes hacer, que puedes hacer, ayuda, puedes ayudarme,
    cómo te llamas, eres un robot, eres humano
"""
# These go with small talk, and say nothing alone.
_BESIDES = """
    oh, ah, aha, um, hmm, well, so, then, and, but, please, there, again, everyone, everybody, all, team,
    folks, guys, friend, my friend, buddy, dear, sir, madam, bot, chatbot, assistant, robot, ragflow,
    very much, a lot, so much, for now, today, bitte, noch, s'il vous plaît, s'il te plaît, por favor, yes,
    yeah, no, ja, nein, oui, non, sí
"""


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said to the program. ``reason``: why no document is searched for it."""

    by: Literal["small_talk", "empty"]
    because: str
    reason: Reason


def smalltalk(text: str) -> Talk | None:
    """Return what is said to the program in a text, None for a question.

    A text counts only as a whole: each of its words must belong to a greeting, thanks, a farewell, a word
    of agreement, or a question about the program itself; English, and a little German, French and Spanish.
    A text of marks and small words alone ("What is it?") asks about nothing.
    """
    if len(text) <= _LONGEST:
        shown = unicodedata.normalize("NFC", text).casefold().replace("’", "'")
        kinds = _kinds(tuple(_WORD.findall(shown.replace("-", " "))))
        if kinds is not None and "meta" in kinds:
            return Talk("small_talk", "it asks about this program, not about the documents", "off_topic")
        if kinds is not None and "talk" in kinds:
            return Talk("small_talk", "it is small talk", "off_topic")
    if not analyse(text) and question_run(text) == question_run(text).casefold():
        return Talk("empty", "no word of it says what it asks about", "underspecified")
    return None


def _kinds(words: tuple[str, ...]) -> set[str] | None:
    """Return the kinds of the phrases that make up the words, None where a word is of no phrase.

    Where words can be cut in several ways, the cut with the longest phrases at its end counts.
    """
    if not words:
        return None
    phrases = _phrases()
    cuts: list[set[str] | None] = [set()]
    for end in range(1, len(words) + 1):
        cuts.append(None)
        for start in range(max(0, end - _most_words()), end):
            before, kind = cuts[start], phrases.get(words[start:end])
            if before is not None and kind is not None:
                cuts[end] = before | {kind}
                break
    return cuts[-1]


@cache
def _phrases() -> dict[tuple[str, ...], str]:
    return {
        tuple(phrase.split()): kind
        for kind, phrases in (("besides", _BESIDES), ("meta", _META), ("talk", _TALK))
        for phrase in " ".join(phrases.split()).split(", ")
    }


@cache
def _most_words() -> int:
    return max(map(len, _phrases()))
