"""A follow-up is made standalone: what it leaves out is taken from what the asker said before.

Nothing is invented: each word of the result stands in the question or in an earlier question. Answers are
not drawn from: they are made of documents, and no document's text may come to choose a route. It would
not help either (``benchmarks/threads.py``).
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from evals.cases import Turn
from indexes.analysis import analyse
from ragflow.deadlines import Deadline
from ragflow.errors import MAX_QUESTION
from ragflow.models.calls import Message, Model, ModelFailed, Prompt
from ragflow.prompts import PromptFile
from ragflow.routing.followups import depends, naming, subjects
from ragflow.routing.talk import smalltalk

_TURNS = 12  # what was asked before these has been left since
_SUBJECTS = 6
_LONGEST_SUBJECT = 200
# The analyser drops some of these, so that they are looked for by themselves.
_DENIAL = re.compile(
    r"\b(?:no|not|nor|neither|never|none|nothing|nobody|without|cannot|\w+n't)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that can be read alone. ``because`` says in a sentence what was done, or why nothing."""

    text: str
    changed: bool
    because: str
    cost_usd: float = 0.0
    tokens: int = 0


def standalone(question: str, turns: Sequence[Turn]) -> Standalone:
    """Return the question followed by the subject that it leaves out, by rules; the same in, the same out.

    A question that stands alone, small talk, and one before which nothing was asked stay as they are. The
    result has at most 8,000 characters.
    """
    asked = _asked(turns)
    if not asked:
        return Standalone(question, changed=False, because="nothing was asked before")
    if _is_talk(question):
        return Standalone(question, changed=False, because="it is small talk")
    why = depends(question)
    if why is None:
        return Standalone(question, changed=False, because="it stands alone")
    added = _missing(question, _subject(asked))
    if not added:
        return Standalone(question, changed=False, because=f"{why}, but nothing before it names a subject")
    text = f"{question.rstrip()} ({', '.join(added)})"
    return Standalone(text, changed=True, because=f"{why}: taken from before: {', '.join(added)}")


def _asked(turns: Sequence[Turn]) -> list[str]:
    asked = [turn.text[:MAX_QUESTION] for turn in turns if turn.role == "user"]
    return [text for text in asked[-_TURNS:] if not _is_talk(text)]


def _is_talk(text: str) -> bool:
    """Tell small talk; a question that names nothing ("What is it?") is none here: it lacks its subject."""
    talk = smalltalk(text)
    return talk is not None and talk.by == "small_talk"


def _subject(asked: Iterable[str]) -> list[str]:
    """Return what a thread is about after these questions, the newest first.

    A question that stands alone starts anew; one that depends adds to what was there.
    """
    about: list[str] = []
    for question in asked:
        named = [subject[:_LONGEST_SUBJECT] for subject in subjects(question)]
        before = about if depends(question) is not None else []
        about = list(dict.fromkeys([*named, *before]))[:_SUBJECTS]
    return about


def _missing(question: str, about: Iterable[str]) -> list[str]:
    """Return the subjects that the question does not name, each once, as far as there is room for them."""
    said, room = set(naming(question)), MAX_QUESTION - len(question) - len(" ()")
    added: list[str] = []
    for subject in about:
        length = len(subject) + len(", ")
        if not naming(subject) <= said and length <= room:
            added.append(subject)
            said |= naming(subject)
            room -= length
    return added


class Rewritten(BaseModel):
    """The shape of a model's reply."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str


def by_model(
    question: str,
    turns: Sequence[Turn],
    model: Model,
    prompt: PromptFile,
    deadline: Deadline,
    *,
    mask: Callable[[str], str] = str,
) -> Standalone:
    """Let a model write the question so that it stands alone, or do it by rules where it does not do well.

    Its wording is taken only when every term of it, numbers and names too, stands in the question or in an
    earlier question, and every term of the question still stands in it. Where ``mask`` would take
    something out, nothing is sent.
    """
    asked = _asked(turns)
    ruled = standalone(question, turns)
    if not asked or _is_talk(question):
        return ruled
    if any(mask(text) != text for text in (question, *asked)):
        return _instead(ruled, f"{model.name} was not asked: the thread holds what it must not see")
    told = {"conversation": [{"role": "user", "text": text} for text in asked], "question": question}
    shown = json.dumps(told, ensure_ascii=False, indent=1)
    messages = (Message("system", prompt.text), Message("user", shown))
    try:
        reply = model.ask(Prompt(messages, name="standalone"), Rewritten, deadline=deadline)
    except ModelFailed as failed:
        because = f"{model.name} could not be asked ({failed.kind})"
        return _instead(ruled, because, spent=(failed.cost_usd, failed.tokens))
    text = reply.value.question.strip()
    cost, tokens = reply.cost_usd, reply.tokens_in + reply.tokens_out
    if text == question:
        return Standalone(
            text, changed=False, because=f"{model.name} left it as it is", cost_usd=cost, tokens=tokens
        )
    if not faithful(text, question, asked):
        return _instead(ruled, f"what {model.name} wrote is not in the thread", spent=(cost, tokens))
    return Standalone(text, changed=True, because=f"{model.name} rewrote it", cost_usd=cost, tokens=tokens)


def faithful(text: str, question: str, asked: Sequence[str]) -> bool:
    """Tell whether a rewriting says nothing that was not asked, and leaves nothing out of the question.

    A "not" counts too: one of the question stays, and one that nobody said does not come in.
    """
    if not 0 < len(text) <= MAX_QUESTION:
        return False
    terms = set(analyse(text))
    allowed = {term for said in (question, *asked) for term in analyse(said)}
    denies = _denies(text)
    kept = denies if _denies(question) else not denies or any(map(_denies, asked))
    return kept and terms <= allowed and naming(question) <= terms


def _denies(text: str) -> bool:
    return _DENIAL.search(text.replace("’", "'")) is not None


def _instead(ruled: Standalone, because: str, *, spent: tuple[float, int] = (0.0, 0)) -> Standalone:
    return Standalone(ruled.text, ruled.changed, f"{because}; by rules: {ruled.because}", *spent)
