"""A stored run as the program leaves one, made by the real metrics: what reports are drawn from."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from evals import metrics
from evals.cases import Case, GoldQuote, Ranked, Response, Span, Statement
from evals.report import render
from evals.results import EvalRun, Row, Setup

NAMES = (
    *("nDCG@10", "R@100", "token_F1", "citation_precision@document", "CRAG", "CRAG_refuse_all"),
    *("CRAG_answer_all", "refusal_F1", "AUROC", "AURC", "latency_ms", "tokens"),
)
WORDS = "How many days of leave are there in case"
MODULUS = {"bm25": 9, "dense": 5, "hybrid": 3}


def question(number: int, words: str) -> Case:
    """Every sixth has no answer; the others have a document, a quote and an answer."""
    source, tags = ("hr", "finance")[number % 2], ("docx",) * (number % 3 == 0)
    case = Case(f"q{number:03d}", f"{words} {number}?", source=source, tags=tags)
    if number % 6 == 5:
        return replace(case, answerable="no", judgements={})
    gold, quote = (
        f"hr/leave-{number}.docx",
        f"Employees get {number + 20} days of leave in each calendar year.",
    )
    known = replace(case, judgements={gold: 1}, quotes=(GoldQuote(gold, quote),))
    return replace(known, answerable="yes", answer=f"{number + 20} days")


def response(case: Case, system: str, number: int, words: str) -> Response:
    """The right document at a rank that depends on system and question; hybrid answers or refuses."""
    gold = next(iter(case.judgements or {}), None)
    documents = [f"finance/{words[:200]}-{number}-{rank}" for rank in range(10)]
    if gold:
        documents[(number * 7 + len(system)) % MODULUS.get(system, 7)] = gold
    hits = tuple(
        Ranked(document, 1 - at / 20, chunk=f"c{at}", title=f"{words[:200]} {at}", text=f"{words} text {at}")
        for at, document in enumerate(documents)
    )
    given = Response(hits, timings_ms={"total": 10.0 + number % 7})
    return _answered(case, given, number, words) if system == "hybrid" else given


def _answered(case: Case, given: Response, number: int, words: str) -> Response:
    if number % 5 == 0:
        return replace(given, outcome="not_found", reason="low_confidence", confidence=0.2)
    right = bool(case.quotes) and number % 4
    said = case.quotes[0].quote if right else f"{words[:120]} is all that the document says of it."
    document = case.quotes[0].document if right else "finance/x"
    cited = Span(document, 0, len(said), said, said, (("page", "3"),))
    stated = replace(given, claims=(Statement(said, (0,)),), citations=(cited,))
    return replace(stated, outcome="answered", confidence=0.55 + number % 9 / 20, answer=f"{said} [1]")


def rows(cases: list[Case], system: str, names: tuple[str, ...], words: str, shift: int) -> list[Row]:
    """One question of hybrid fails, one number of dense is NaN."""
    chosen, found = metrics.parse(names), []
    for number, case in enumerate(cases):
        failed = system == "hybrid" and number == 7
        # Measured on tame names: what a hostile one does to a metric is not the report's matter.
        tame = response(case, system, number + shift, "words")
        taken = metrics.failed_all(chosen, case) if failed else metrics.take_all(chosen, case, tame)
        if system == "dense" and number == 3:
            taken["R@100"] = (float("nan"),)
        numbers = {name: each for name, each in taken.items() if not isinstance(each, str)}
        left = {name: each for name, each in taken.items() if isinstance(each, str)}
        given = None if failed else response(case, system, number + shift, words)
        found.append(Row(system, case.id, numbers, left, f"TimeoutError: {words}" if failed else None, given))
    return found


@pytest.fixture(scope="session")
def evaluated() -> Callable[..., EvalRun]:
    """``evaluated(24, words=..., systems=..., names=..., name=..., shift=...)``: a run of so many questions.

    One more question was not asked. ``words`` stand wherever a document or a question could put text;
    with another ``shift`` the systems find and answer differently.
    """

    def make(count=24, *, words=WORDS, systems=tuple(MODULUS), names=NAMES, name="r-1", shift=0):
        cases = [question(number, words) for number in range(count)]
        found = [row for system in systems for row in rows(cases, system, names, words, shift)]
        gone = Case("gone", "What did the old policy say?", judgements={"hr/old.docx": 1})
        setup = Setup(
            run=name,
            created="2026-11-22T18:30:00Z",
            dataset="work/questions.jsonl",
            kind="questions",
            digest="ab" * 32,
            questions=count + 1,
            fold=None,
            limit=None,
            seed=None,
            systems=systems,
            metrics=names,
            config={"search": {"k": 10}},
            config_digest="cd" * 32,
            generation="g-20261122T183011-1c9e02",
            version="0.1.0",
            actor=("user:mia",),
            excluded={"gone": "its gold document hr/old.docx is not in the index"},
            status="done",
        )
        return EvalRun(setup, (*cases, gone), tuple(found))

    return make


@pytest.fixture(scope="session")
def page(evaluated: Callable[..., EvalRun]) -> str:
    """The report of a run."""
    return render(evaluated())


@pytest.fixture(scope="session")
def both(evaluated: Callable[..., EvalRun]) -> str:
    """The report of a run beside another one: the report with most in it."""
    return render(evaluated(name="r-2", shift=1), evaluated())


@pytest.fixture(scope="session")
def hostile_words() -> str:
    """What a document may hold to break out of a page, hide in it, or stretch it."""
    return (
        "<script>document.title='stolen'</script><img src=x onerror=\"document.title='stolen'\">"
        "</style></title><svg onload=alert(1)> & \"quotes' \u202egnp.exe \u2066hidden\x00\x1b[31m \ud800 "
        "\u05e9\u05dc\u05d5\u05dd z\u0335\u0321\u0334\u0336\u0337\u0338 " + "W" * 3000
    )
