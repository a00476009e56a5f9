"""Is the answer right, and does each of its claims stand in what it cites?

Words are compared as SQuAD does (Rajpurkar et al. 2016, ``evaluate-v1.1.py``): lower case, ASCII
punctuation and the articles a, an, the taken out. The text of an answer is that of its claims, without
the numbers of the citations.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from evals.amounts import amounts, dates
from evals.cases import Case, Response, Span
from evals.citations import NO_ANSWER, NOT_ANSWERED, answered, proves
from evals.entailment import Entailment
from evals.grounding import Passage, Quote, check
from evals.measures import Metric, Taken

NO_GOLD_ANSWER = "no gold answer"
NO_GOLD = "neither a gold answer nor a gold quote"
NEITHER = "neither answerable nor unanswerable"

_MARKS = re.compile(r"\s*\[\d+\]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORDS = re.compile(r"[^\W_]+")
_CODES = re.compile(r"\S*[^\W\d_]\S*\d\S*")
_ALIKE = 0.5


def shown(response: Response) -> str:
    """Return the answer's text without citation marks; "" when nothing was answered."""
    if not answered(response):
        return ""
    if response.claims:
        return " ".join(claim.text for claim in response.claims)
    return _MARKS.sub("", response.answer).strip()


def normalised(text: str) -> list[str]:
    """Return the words that SQuAD compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(answer: str, gold: str) -> float:
    """Return 1 when both have the same words in the same order, else 0."""
    return float(normalised(answer) == normalised(gold))


def token_f1(answer: str, gold: str) -> float:
    """Return the F1 of the words that both share, counted with repeats; both without words: 1."""
    given, wanted = normalised(answer), normalised(gold)
    if not given or not wanted:
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


def rouge_l(answer: str, gold: str) -> float:
    """Return the F1 of the longest common subsequence of words (Lin 2004, beta 1); no words: 0.

    Words are runs of letters and digits of any script, case folded; nothing is stemmed.
    """
    given, wanted = _WORDS.findall(answer.casefold()), _WORDS.findall(gold.casefold())
    if not given or not wanted:
        return 0.0
    return 2 * _common(given, wanted) / (len(given) + len(wanted))


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, one bit a word of ``first`` (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << at
    everywhere = (1 << len(first)) - 1
    state = everywhere
    for word in second:
        held = state & places.get(word, 0)
        state = ((state + held) | (state - held)) & everywhere
    return len(first) - state.bit_count()


def right(case: Case, response: Response) -> bool | str:
    """Say whether the system did right by the case, or why that cannot be known.

    *An unanswerable case*: right is not to answer. *Any other with a gold answer*: right is an answer
    in which the gold answer's words stand one after the other; or which, as a whole or in one claim, has
    a token F1 of .5 with it, or cites a gold quote at span level, and in both cases holds every date,
    amount and code of the gold answer, so that another number is never right. *With gold quotes alone*:
    right is to cite one at span level. Not to answer is not right there. What is partly answerable or
    underspecified is left out.
    """
    if response.outcome is None:
        return NO_ANSWER
    reason = _unknowable(case)
    if reason:
        return reason
    if case.answerable == "no":
        return not answered(response)
    if not answered(response):
        return False
    if case.answer is None or not normalised(case.answer):
        return proves(case, response)
    return _says(response, case.answer) or (_same_figures(response, case.answer) and proves(case, response))


def _unknowable(case: Case) -> str | None:
    if case.answerable in ("partial", "underspecified"):
        return NEITHER
    if case.answerable != "no" and not case.quotes and not normalised(case.answer or ""):
        return NO_GOLD
    return None


def _says(response: Response, gold: str) -> bool:
    answer = shown(response)
    if f" {' '.join(normalised(gold))} " in f" {' '.join(normalised(answer))} ":
        return True
    texts = [answer, *(claim.text for claim in response.claims)]
    return _same_figures(response, gold) and any(token_f1(text, gold) >= _ALIKE for text in texts)


def _same_figures(response: Response, gold: str) -> bool:
    """Say whether every date, amount and code of the gold answer stands in the answer, however written.

    An amount's unit must agree where both state one. A code is a word with a digit behind a letter.
    """
    answer = shown(response)
    wanted, given = dates(gold), dates(answer)
    if not all(any(date.fits(other) for other in given) for date in wanted):
        return False
    figures = amounts(answer, outside=[date.span for date in given])
    for amount in amounts(gold, outside=[date.span for date in wanted]):
        if not any(amount.value == other.value and _agree(amount.unit, other.unit) for other in figures):
            return False
    codes = {word for code in _CODES.findall(gold) for word in normalised(code)}
    return codes <= set(normalised(answer))


def _agree(unit: str, other: str) -> bool:
    return not unit or not other or unit == other


def groundedness(response: Response, *, question: str = "", entailment: Entailment | None = None) -> float:
    """Return the share of claims without a finding by ``evals.grounding.check``, as when they were made.

    An answer without claims proves nothing: 0. A citation that lies in a table row may be proven by that
    whole row, which is a line of its passage.
    """
    if not response.claims:
        return 0.0
    begins = {(ranked.document, ranked.text): ranked.start for ranked in response.ranking}
    passages = [Passage(span.passage, _rows(span), span.title) for span in response.citations]
    quotes: list[Quote] = []
    for number, span in enumerate(response.citations):
        begin = begins.get((span.document, span.passage))
        quotes.append(Quote(number, span.quote, None if begin is None else span.start - begin))
    grounded = [
        not check(
            claim.text,
            [quotes[at] for at in claim.citations if 0 <= at < len(quotes)],
            passages,
            question=question,
            entailment=entailment,
        )
        for claim in response.claims
    ]
    return sum(grounded) / len(grounded)


def _rows(span: Span) -> tuple[tuple[int, int], ...]:
    """Return the lines of the passage, where the citation lies in a table row: a row is a line."""
    if not any(kind == "row" for kind, _ in span.anchors):
        return ()
    found, at = [], 0
    for line in span.passage.split("\n"):
        found.append((at, at + len(line)))
        at += len(line) + 1
    return tuple(found)


def crag(case: Case, response: Response) -> Taken:
    """Return +1 for right, 0 for a refusal of what could be answered, -1 for wrong (Yang et al. 2024).

    Refusing an unanswerable case is right, answering it is wrong. ``right`` says the rest. The paper's
    score for an acceptable answer (+.5) needs a judge and is not given.
    """
    verdict = right(case, response)
    if isinstance(verdict, str):
        return verdict
    if answered(response) or case.answerable == "no":
        return (1.0 if verdict else -1.0,)
    return (0.0,)


def _by_text(compare: Callable[[str, str], float]) -> Callable[[Case, Response], Taken]:
    """Take a comparison with the gold answer; 0 when nothing was answered."""

    def take(case: Case, response: Response) -> Taken:
        if response.outcome is None:
            return NO_ANSWER
        if case.answer is None:
            return NO_GOLD_ANSWER
        return (compare(shown(response), case.answer) if answered(response) else 0.0,)

    return take


def _grounded(case: Case, response: Response, *, entailment: Entailment | None = None) -> Taken:
    if response.outcome is None:
        return NO_ANSWER
    if not answered(response):
        return NOT_ANSWERED
    # A follow-up is asked with what it leaves out, which stands in the turns before it.
    asked = [turn.text for turn in case.history if turn.role == "user"]
    text = "\n".join([*asked, case.question])
    return (groundedness(response, question=text, entailment=entailment),)


def grounded_by(entailment: Entailment | None) -> Metric:
    """Declare groundedness as an answer is validated where this model of entailment is configured."""
    return Metric("groundedness", "answer", partial(_grounded, entailment=entailment), lambda _: (0.0,))


def _always(*, refusing: bool) -> Callable[[Case], Taken]:
    """Return what CRAG gives a system that refuses every case, or that answers every case as well as can be.

    Refuse-all: 0 for what can be answered, +1 for the rest. Answer-all: +1 for what can be answered, for
    no better answerer is thinkable, -1 for the rest.
    """

    def take(case: Case) -> Taken:
        reason = _unknowable(case)
        if reason:
            return reason
        if case.answerable == "no":
            return (1.0 if refusing else -1.0,)
        return (0.0 if refusing else 1.0,)

    return take


def _baseline(name: str, *, refusing: bool) -> Metric:
    """Declare a baseline on the very cases that CRAG counts."""
    take = _always(refusing=refusing)
    return Metric(
        name,
        "answer",
        lambda case, response: NO_ANSWER if response.outcome is None else take(case),
        take,
        bounds=(-1.0, 1.0),
    )


def _text(name: str, compare: Callable[[str, str], float]) -> Metric:
    return Metric(
        name, "answer", _by_text(compare), lambda case: NO_GOLD_ANSWER if case.answer is None else (0.0,)
    )


TEXTS = (_text("exact_match", exact_match), _text("token_F1", token_f1), _text("ROUGE-L", rouge_l))
CHECKED = (
    grounded_by(None),
    # A system that raised has said nothing: neither right nor wrong.
    Metric("CRAG", "answer", crag, lambda case: _unknowable(case) or (0.0,), bounds=(-1.0, 1.0)),
    _baseline("CRAG_refuse_all", refusing=True),
    _baseline("CRAG_answer_all", refusing=False),
)
