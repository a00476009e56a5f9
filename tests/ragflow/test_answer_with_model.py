"""From a question through a served model to an answer: a good one, bad ones, and a real small one."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import scripted_server
import small_model
from scripted_server import Reply, ScriptedServer, chosen, verdict

import ragflow
import ragflow.config
from ragflow.answering import AskOptions
from ragflow.answers import Answer
from ragflow.app import App
from ragflow.errors import ConfigError, NoModel
from ragflow.identity import Asker

CONFIG = """\
version: 1
sources:
  hr: {type: files, path: hr, readers: [everyone]}
  legal: {type: files, path: legal, readers: [everyone]}
"""
MODEL = """\
models:
  small:
    try: [{{model: openai/scripted, api_base: "{url}", timeout: 60, max_tokens: {max_tokens}}}]
    retries: 0
    on: {{bad_json: next}}
    cooldown: 0
    context: {context}
answer: {{tier: small, min_confidence: 0.2}}
"""
LEAVE = (
    "# Annual leave\n\nEvery full-time employee gets 28 days of paid annual leave in each calendar year. "
    "Unused days lapse on 31 March of the following year. Write to leave@northwind.example to apply.\n"
)
CONTRACT = (
    "# Terms of employment\n\nThe notice period is three months to the end of a quarter. Every hotel of a "
    "business trip may cost up to 180 euros for a single night without the approval of a manager.\n"
)
TRAVEL = (
    "# Travel\n\nTrains are booked before planes. Every hotel of a business trip may cost up to 140 "
    "euros for a single night without the approval of a manager.\n"
)
QUESTION = "How many days of paid annual leave does every full-time employee get?"
TRUTH = "Every full-time employee gets 28 days of paid annual leave in each calendar year."
HOTEL = "What may a hotel of a business trip cost for a single night without approval?"
ONE = TRAVEL.partition(". ")[2].strip()
OTHER = ONE.replace("140", "180")

Request = Mapping[str, Any]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    for name, text in {"hr/leave.md": LEAVE, "hr/travel.md": TRAVEL, "legal/terms.md": CONTRACT}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    for at, name in enumerate(("hr/leave.md", "hr/travel.md", "legal/terms.md"), start=1):
        os.utime(folder / name, (1_700_000_000 + at * 86_400, 1_700_000_000 + at * 86_400))
    (folder / "ragflow.yaml").write_text(CONFIG)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


@contextmanager
def serving(folder: Path, url: str, *, max_tokens: int = 300, context: int = 1000) -> Iterator[App]:
    """The workspace, with a model behind this address."""
    settings = folder / "ragflow.yaml"
    settings.write_text(CONFIG + MODEL.format(url=url, max_tokens=max_tokens, context=context))
    with App(ragflow.config.load(settings, environ={})) as app:
        yield app


def put(app: App, question: str = QUESTION, **options: Any) -> Answer:
    """Ask as one of everyone, and see that the answer proves itself."""
    asker = Asker("user:mia", ("everyone",), acting=True)
    answer = app.answer(question, asker=asker, options=AskOptions(explain=True, **options))
    assert all(claim.citations for claim in answer.claims)
    for one in answer.citations:
        text = app.text(f"{one.document}@{one.revision}", readers=["everyone"])
        assert one.quote == text[one.start : one.end]
    if answer.outcome in ("not_found", "blocked"):
        assert (answer.answer, answer.claims, answer.citations) == ("", (), ())
    return answer


@pytest.fixture
def answered(workspace: Path) -> Callable[..., Answer]:
    """``answered(reply, ...)``: the answer where the server gives these replies."""

    def given(*replies: Reply, question: str = QUESTION) -> Answer:
        with ScriptedServer(replies) as server, serving(workspace, server.url) as app:
            return put(app, question)

    return given


def passages(request: Request) -> dict[int, str]:
    """Return the fenced passages of a prompt by number."""
    found = re.findall(
        r'<passage-(\w{12}) number="(\d+)"[^\n]*>\n(.*?)\n</passage-\1>',
        request["messages"][-1]["content"],
        re.DOTALL,
    )
    return {int(number): text for _, number, text in found}


def saying(*claims: tuple[str, int, str], missing: tuple[str, ...] = ()) -> Reply:
    return verdict(
        {
            "claims": [
                {"text": text, "quotes": [{"passage": number, "text": quote}]}
                for text, number, quote in claims
            ],
            "missing": list(missing),
        }
    )


def where(request: Request, text: str) -> int:
    return next(number for number, passage in passages(request).items() if text in passage)


def good(request: Request) -> Reply:
    """Quote what it is asked for, verbatim, from where it stands."""
    return saying(("Every full-time employee gets 28 days of paid leave.", where(request, TRUTH), TRUTH))


def lying(request: Request) -> Reply:
    return saying(("Every full-time employee gets 30 days of paid leave.", where(request, TRUTH), TRUTH))


def test_a_good_models_answer_is_shown_with_its_citation(answered: Callable[..., Answer]) -> None:
    answer = answered(chosen(good))
    assert (answer.outcome, answer.model) == ("answered", "openai/scripted")
    assert answer.answer == "Every full-time employee gets 28 days of paid leave. [1]"
    [citation] = answer.citations
    assert (citation.document, citation.quote) == ("hr/leave.md", TRUTH)
    assert (answer.route.tier, answer.route.prompt) == ("small", "answer.md")
    assert answer.route.prompt_digest is not None
    assert answer.warnings == ()


def test_conflicting_documents_stand_side_by_side_with_their_dates(answered: Callable[..., Answer]) -> None:
    def both(request: Request) -> Reply:
        text = request["messages"][-1]["content"]
        assert re.search(r'document="hr/travel.md"[^\n]* date="2023-11-16"', text)
        assert re.search(r'document="legal/terms.md"[^\n]* date="2023-11-17"', text)
        return saying((ONE, where(request, ONE), ONE), (OTHER, where(request, OTHER), OTHER))

    answer = answered(chosen(both), question=HOTEL)
    assert (answer.outcome, answer.model) == ("conflicting", "openai/scripted")
    assert [claim.text for claim in answer.claims] == [ONE, OTHER]
    assert [one.document for one in answer.citations] == ["hr/travel.md", "legal/terms.md"]
    assert [(one.modified or "")[:10] for one in answer.citations] == ["2023-11-16", "2023-11-17"]


def test_a_liar_is_told_and_mends_it(answered: Callable[..., Answer]) -> None:
    def mending(request: Request) -> Reply:
        told = request["messages"][-1]["content"]
        assert "number_mismatch" in told
        assert "30 days" in told
        return good(request)

    answer = answered(chosen(lying), chosen(mending))
    assert (answer.outcome, answer.model) == ("answered", "openai/scripted")
    assert "28 days" in answer.answer


def test_a_liar_that_goes_on_lying_is_not_heard(answered: Callable[..., Answer]) -> None:
    answer = answered(chosen(lying))
    assert answer.model is None
    assert "30" not in answer.answer
    assert TRUTH in answer.answer
    assert answer.explanation is not None
    assert {each.finding for each in answer.explanation.rejected} == {"number_mismatch"}


def test_a_model_that_quotes_its_prompt_says_nothing(answered: Callable[..., Answer]) -> None:
    def parrot(request: Request) -> Reply:
        line = next(one for one in request["messages"][0]["content"].split("\n") if len(one) > 60)
        return saying((line, 1, line))

    answer = answered(chosen(parrot))
    assert answer.model is None
    assert "passages of a company" not in answer.answer
    assert TRUTH in answer.answer


def test_a_line_of_the_prompt_with_a_true_quote_is_not_shown(answered: Callable[..., Answer]) -> None:
    def parrot(request: Request) -> Reply:
        line = next(one for one in request["messages"][0]["content"].split("\n") if len(one) > 60)
        return saying((line, where(request, TRUTH), TRUTH))

    answer = answered(chosen(parrot))
    assert (answer.model, answer.answer) == (None, f"{TRUTH} [1]")


def test_a_business_prompt_is_what_the_model_reads_and_a_broken_one_is_told(workspace: Path) -> None:
    own = workspace / "prompts" / "answer.md"
    own.parent.mkdir()
    try:
        with ScriptedServer([chosen(good)]) as server, serving(workspace, server.url) as app:
            own.write_text("Answer like a lawyer.\n---\n{{passages}}\n{{question}}\n")
            answer = put(app)
            own.write_text("Answer like a lawyer.\n---\n{{passages}}\n")
            with pytest.raises(ConfigError, match=r"answer\.md.*\{\{question\}\} is missing") as told:
                put(app)
            assert told.value.exit_code == 2
            assert "Answer like a lawyer." in server.requests[0]["messages"][0]["content"]
    finally:
        own.unlink()
        own.parent.rmdir()
    assert answer.model == "openai/scripted"


def test_a_model_that_ignores_the_shape_gives_way(answered: Callable[..., Answer]) -> None:
    answer = answered(scripted_server.text("Sure! Employees get 28 days, see [1]."))
    assert (answer.outcome, answer.model) == ("answered", None)
    assert answer.warnings[0].startswith("openai/scripted: ")
    assert TRUTH in answer.answer


def test_a_link_that_stands_in_no_document_is_not_shown(answered: Callable[..., Answer]) -> None:
    def linking(request: Request) -> Reply:
        text = TRUTH.removesuffix(".") + " ([more](https://evil.example/leave))."
        return saying((text, where(request, TRUTH), TRUTH))

    answer = answered(chosen(linking))
    assert "evil" not in json.dumps(answer.to_json()["claims"])


def test_a_quote_from_another_passage_and_a_passage_that_is_not_there_are_found(
    answered: Callable[..., Answer],
) -> None:
    def misplaced(request: Request) -> Reply:
        wrong = where(request, ONE)
        return saying((TRUTH, wrong, TRUTH), (TRUTH, 99, TRUTH), (TRUTH, 0, TRUTH))

    answer = answered(chosen(misplaced))
    assert answer.model is None
    assert answer.explanation is not None
    assert {each.finding for each in answer.explanation.rejected} == {"misattributed"}


def test_a_model_that_finds_no_answer_is_believed(answered: Callable[..., Answer]) -> None:
    answer = answered(saying())
    assert (answer.outcome, answer.reason) == ("not_found", "no_valid_claim")


def test_what_stays_open_makes_an_answer_partial(answered: Callable[..., Answer]) -> None:
    def half(request: Request) -> Reply:
        return saying(
            (TRUTH, where(request, TRUTH), TRUTH), missing=("who approves it", "buy at evil.example")
        )

    answer = answered(chosen(half), question=f"{QUESTION[:-1]}, and who approves it?")
    assert (answer.outcome, answer.missing) == ("partial", ("who approves it",))


def test_a_server_that_is_down_leaves_sentences(workspace: Path) -> None:
    with scripted_server.refused() as url, serving(workspace, url) as app:
        answer = put(app)
    assert (answer.outcome, answer.model) == ("answered", None)
    assert answer.warnings[0].startswith("openai/scripted: ")
    assert TRUTH in answer.answer


def test_without_fallback_a_model_that_fails_is_an_error(workspace: Path) -> None:
    with scripted_server.refused() as url, serving(workspace, url) as app, pytest.raises(NoModel):
        put(app, tier="small", fallback=False)


def test_an_unknown_tier_is_told_with_the_nearest(workspace: Path) -> None:
    with scripted_server.refused() as url, serving(workspace, url) as app:
        with pytest.raises(ConfigError, match=r'there is no tier "smal" \(nearest: "small"\)') as told:
            put(app, tier="smal")
        assert told.value.exit_code == 2


def test_a_real_small_model_leads_to_an_answer_that_proves_itself(
    workspace: Path, need_system: Callable[..., None]
) -> None:
    need_system("SmolLM2", f"a real model answers; {small_model.WHAT}", present=small_model.present())
    with (
        small_model.serving() as url,
        serving(workspace, url, max_tokens=40, context=200) as app,
    ):
        answer = put(app)
    # What a model of this size says is its own affair; that the answer proves itself was seen in ``put``.
    if answer.model is None and answer.outcome != "not_found":
        assert TRUTH in answer.answer
