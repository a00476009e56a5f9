"""ragas' metrics, and a model as judge: against a scripted server and a real one, both on loopback."""

import asyncio
import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import small_model
from scripted_server import (
    Reply,
    ScriptedServer,
    as_json,
    chosen,
    content_filter,
    dripping,
    garbage,
    hang_up,
    refused,
    slow,
    status,
    text,
    verdict,
)

from evals import judges, metrics, ragas_metrics
from evals.cases import Case, GoldQuote, Ranked, Response, Statement
from evals.chat import ChatFailed, Endpoint, client, complete
from evals.errors import ExtraMissing, UnknownMetric
from evals.judges import JUDGED, Judge, advise
from evals.results import EvalRun, Row, Setup

CASE = Case(
    "q1",
    "How many days of leave does an employee get?",
    judgements={"hr/leave.md": 1, "hr/rules.md": 2, "hr/pay.md": 0},
    quotes=(GoldQuote("hr/leave.md", "28 days of leave"), GoldQuote("hr/rules.md", "a year and no more")),
    answer="28 days",
)
RANKING = (
    Ranked("hr/leave.md", 3.0, text="28 days of leave"),
    Ranked("hr/pay.md", 2.0, text="Wages are paid on the last working day."),
    Ranked("hr/leave.md", 1.0, text="28 days of leaves"),
)
ANSWER = Response(
    RANKING,
    outcome="answered",
    answer="They get 28 days of leave. [1]",
    claims=(Statement("They get 28 days of leave.", (0,)),),
    confidence=0.8,
)
REFUSAL = Response(RANKING, outcome="not_found", reason="low_confidence", confidence=0.2)
YES = {"reason": "it says so", "verdict": 1}
NO = {"reason": "it does not", "verdict": 0}


class Letters:
    """An embedder that counts letters: equal texts have cosine 1, others less."""

    key, dimensions, max_tokens = "letters", 26, 1000

    def embed(self, texts, *, queries=False):
        counts = [[text.lower().count(chr(97 + letter)) for letter in range(26)] for text in texts]
        vectors = np.array(counts, dtype=np.float32) + 1e-6
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_offsets(self, text):
        return [(at, at + 1) for at in range(len(text))]


def taken(name, case=CASE, response=ANSWER):
    [metric] = judges.parse([f"ragas:{name}"])
    return metric.take(case, response)


def statements(*verdicts):
    """What a judge says of as many statements."""
    return verdict(
        {
            "statements": [
                {"statement": f"s{at}", "reason": "r", "verdict": each} for at, each in enumerate(verdicts)
            ]
        }
    )


def split(count):
    """What a judge says when it takes an answer apart."""
    return verdict({"statements": [f"s{at}" for at in range(count)]})


def judged(replies, metric="Faithfulness", **changes):
    """Judge the answer by a server with these replies; give the judgement and what was asked."""
    with ScriptedServer(replies) as server:
        judge = replace(Judge(server.url, "scripted", embedder=Letters()), **changes)
        return judge.judge(CASE, ANSWER, f"ragas:{metric}"), server.requests


# -- without a model -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IDBasedContextPrecision", 1 / 2),  # hr/leave.md of hr/leave.md, hr/pay.md
        ("IDBasedContextRecall", 1 / 2),  # hr/leave.md of hr/leave.md, hr/rules.md
        ("NonLLMContextRecall", 1 / 2),
        ("NonLLMContextPrecisionWithReference", (1 + 2 / 3) / 2),  # ranks 1 and 3 resemble a gold quote
        ("ExactMatch", 0.0),
        ("StringPresence", 1.0),
        ("NonLLMStringSimilarity", 1 - 19 / 26),  # 19 letters to delete of the longer text's 26
    ],
)
def test_ragas_own_figures_come_out(name, expected):
    assert taken(name) == (pytest.approx(expected, abs=1e-6),)


def test_a_refusal_is_an_empty_answer():
    assert taken("ExactMatch", response=REFUSAL) == (0.0,)
    assert taken("NonLLMStringSimilarity", response=REFUSAL) == (0.0,)


@pytest.mark.parametrize(
    ("name", "changes", "response", "reason"),
    [
        ("IDBasedContextRecall", {"judgements": None, "quotes": None}, ANSWER, "no gold document"),
        ("NonLLMContextRecall", {"quotes": None}, ANSWER, "no gold quote"),
        ("StringPresence", {"answer": None}, ANSWER, "no gold answer"),
        ("ExactMatch", {}, replace(ANSWER, outcome=None), "this system gives no answer"),
        (
            "NonLLMContextRecall",
            {},
            replace(ANSWER, ranking=(Ranked("hr/leave.md", 1.0),)),
            "the texts of the hits are not known",
        ),
    ],
)
def test_a_case_without_its_gold_is_left_out_with_the_reason(name, changes, response, reason):
    assert taken(name, replace(CASE, **changes), response) == reason


@pytest.mark.parametrize("name", [each for each in ragas_metrics.PLAIN if "Context" in each])
def test_a_question_without_hits_counts_nothing(name):
    assert taken(name.removeprefix("ragas:"), response=replace(ANSWER, ranking=())) == (0.0,)


def test_a_failed_case_counts_nothing_unless_its_gold_is_lacking():
    for metric in judges.parse(ragas_metrics.PLAIN):
        assert metric.failed(CASE) == (0.0,)
        assert isinstance(metric.failed(Case("q", "What?")), str)


def test_ragas_metrics_are_metrics_like_any_other():
    found = metrics.parse(["nDCG@10", "ragas:ExactMatch"])
    assert [metric.name for metric in found] == ["nDCG@10", "ragas:ExactMatch"]
    numbers = metrics.take_all(found, CASE, replace(ANSWER, claims=(Statement("28 days", ()),)))
    assert numbers["ragas:ExactMatch"] == (1.0,)


@pytest.mark.parametrize("name", JUDGED)
def test_what_a_model_judges_is_no_metric_that_a_gate_could_rest_on(name):
    with pytest.raises(UnknownMetric) as raised:
        metrics.parse([name])
    assert "advice" in raised.value.hint


def test_an_unknown_name_is_refused_and_the_known_ones_told():
    with pytest.raises(UnknownMetric, match="unknown metric 'ragas:Bleu'") as raised:
        judges.parse(["ragas:Bleu"])
    assert "ragas:ExactMatch" in raised.value.hint
    with pytest.raises(UnknownMetric):
        Judge("http://127.0.0.1:1/v1", "m").judge(CASE, ANSWER, "ragas:Bleu")


def test_a_missing_extra_is_told_before_anything_is_asked(monkeypatch):
    monkeypatch.setattr(ragas_metrics, "find_spec", lambda _: None)
    with pytest.raises(ExtraMissing, match="ragas is not installed") as raised:
        judges.parse(["ragas:ExactMatch"])
    assert raised.value.extra == "ragas"
    assert raised.value.hint == 'pip install "ragflow[ragas]" from the checkout'


# -- with a model --------------------------------------------------------------------------------


def test_faithfulness_is_the_share_of_supported_statements():
    found, asked = judged([split(4), statements(1, 1, 0, 1)], repeats=1)
    assert found.values == (0.75,)
    assert found.mean == 0.75
    assert math.isnan(found.spread)
    assert len(asked) == 2
    assert "They get 28 days of leave." in asked[0]["messages"][0]["content"]
    assert "Wages are paid on the last working day." in asked[1]["messages"][0]["content"]


def test_context_precision_is_the_average_precision_of_the_verdicts():
    found, asked = judged([verdict(YES), verdict(NO), verdict(YES)], "ContextPrecision", repeats=1)
    assert found.values == (pytest.approx((1 + 2 / 3) / 2),)
    assert len(asked) == len(RANKING)


def test_context_recall_is_the_share_of_attributed_statements():
    said = [{"statement": "s", "reason": "r", "attributed": each} for each in (1, 0)]
    found, _ = judged([verdict({"classifications": said})], "ContextRecall", repeats=1)
    assert found.values == (0.5,)


def test_answer_relevancy_compares_the_questions_that_the_answer_would_answer():
    same = verdict({"question": CASE.question, "noncommittal": 0})
    evasive = verdict({"question": CASE.question, "noncommittal": 1})
    assert judged([same], "AnswerRelevancy", repeats=1)[0].values == (pytest.approx(1.0, abs=1e-5),)
    assert judged([evasive], "AnswerRelevancy", repeats=1)[0].values == (0.0,)


def test_judgements_are_repeated_and_their_spread_is_told():
    found, asked = judged(
        [split(2), statements(1, 1), split(2), statements(1, 0), split(2), statements(0, 0)], repeats=3
    )
    assert found.values == (1.0, 0.5, 0.0)
    assert found.mean == 0.5
    assert found.spread == 1.0
    assert [each["seed"] for each in asked] == [0, 0, 1, 1, 2, 2]


def test_the_server_is_asked_for_json_of_the_shape_and_given_the_key():
    with ScriptedServer([split(1), statements(1)]) as server:
        judge = Judge(f"{server.url}/", "some-model", api_key="secret-1", repeats=1)
        assert judge.judge(CASE, ANSWER, "ragas:Faithfulness").values == (1.0,)
        assert "secret-1" not in repr(judge)
    assert server.paths == ["/v1/chat/completions"] * 2
    assert server.keys == ["Bearer secret-1"] * 2
    asked = server.requests[0]
    assert asked["model"] == "some-model"
    assert asked["response_format"]["json_schema"]["schema"]["required"] == ["statements"]


def test_what_is_not_json_is_asked_for_once_more():
    found, asked = judged([text("Sure! Here you go."), split(1), statements(1)], repeats=1)
    assert found.values == (1.0,)
    assert asked[1]["messages"][1] == {"role": "assistant", "content": "Sure! Here you go."}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (text("I would rather not say."), "garbage"),
        (text(""), "garbage"),
        (text('{"statements": NaN}'), "garbage"),
        (text('{"statements": ["a"'), "garbage"),
        (verdict({"statements": "one"}), "garbage"),
        (garbage(), "garbage"),
        (garbage(b""), "garbage"),
        (as_json({"choices": []}), "garbage"),
        (as_json({"error": "odd, with status 200"}), "garbage"),
        (Reply(b'{"choices":' + b" " * 1_100_000), "garbage"),
        (text("{", finish_reason="length"), "cut off"),
        (content_filter(), "content filter"),
        (status(400, "blocked by policy", kind="content_filter"), "content filter"),
        (status(429), "HTTP 429"),
        (status(500), "HTTP 500"),
        (status(401, "wrong key"), "HTTP 401"),
        (Reply(status=302, headers={"Location": "http://192.0.2.1/"}), "HTTP 302"),
        (hang_up(), "no connection"),
        (slow(30), "time-out"),
        (dripping(0.05), "time-out"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_way_of_failing_is_counted_by_its_kind_and_never_averaged(reply, kind):
    limit = 0.4 if kind == "time-out" else 30.0
    with ScriptedServer([split(1), statements(1), reply]) as server:
        warm = Judge(server.url, "m", repeats=1).judge(CASE, ANSWER, "ragas:Faithfulness")
        found = Judge(server.url, "m", repeats=2, timeout=limit).judge(CASE, ANSWER, "ragas:Faithfulness")
    assert warm.values == (1.0,)
    assert found.values == ()
    assert math.isnan(found.mean)
    assert [error.partition(":")[0] for error in found.errors] == [kind, kind]


def test_a_failure_between_two_verdicts_leaves_their_mean_alone():
    found, _ = judged([split(1), statements(1), status(500), split(2), statements(1, 0)], repeats=3)
    assert found.values == (1.0, 0.5)
    assert found.mean == 0.75
    assert len(found.errors) == 1


def test_no_number_is_counted_and_never_averaged():
    found, _ = judged([split(0), split(1), statements(1)], repeats=2)
    assert (found.values, found.nan, found.errors) == ((1.0,), 1, ())


def test_a_verdict_beyond_the_scale_is_an_error():
    found, _ = judged([verdict({"reason": "very", "verdict": 7})], "ContextPrecision", repeats=1)
    assert found.values == ()
    assert found.errors == ("out of range: 7",)


def test_a_server_that_is_not_there_is_counted():
    with refused() as url:
        found = Judge(url, "m", repeats=2).judge(CASE, ANSWER, "ragas:Faithfulness")
    assert [error.partition(":")[0] for error in found.errors] == ["no connection"] * 2


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/", "http://[", "http://127.0.0.1:99999/v1"])
def test_an_address_that_is_none_is_counted_too(url):
    found = Judge(url, "m", repeats=1).judge(CASE, ANSWER, "ragas:Faithfulness")
    assert [error.partition(":")[0] for error in found.errors] == ["no connection"]


@pytest.mark.parametrize(
    ("metric", "case", "response", "reason"),
    [
        ("Faithfulness", CASE, REFUSAL, "not answered"),
        ("Faithfulness", CASE, Response(RANKING), "this system gives no answer"),
        ("Faithfulness", CASE, replace(ANSWER, ranking=()), "nothing was found"),
        ("ContextRecall", replace(CASE, answer=None), ANSWER, "no gold answer"),
        ("ContextPrecision", CASE, Response((Ranked("d", 1.0),)), "the texts of the hits are not known"),
        ("AnswerRelevancy", CASE, ANSWER, "no embedding model is given"),
    ],
)
def test_what_cannot_be_judged_is_left_out_and_not_asked(metric, case, response, reason):
    with ScriptedServer() as server:
        found = Judge(server.url, "m").judge(case, response, f"ragas:{metric}")
    assert found.left_out == reason
    assert server.requests == []


# -- over a run ----------------------------------------------------------------------------------


def a_run(pairs, excluded=()):
    setup = Setup(
        run="r-1",
        created="2026-11-22T18:30:00Z",
        dataset="questions.jsonl",
        kind="questions",
        digest="d",
        questions=len(pairs),
        fold=None,
        limit=None,
        seed=None,
        systems=("hybrid",),
        metrics=(),
        config={},
        config_digest="c",
        generation="g-1",
        version="0.1.0",
        actor=("everyone",),
        excluded=dict.fromkeys(excluded, "its gold has left"),
    )
    rows = tuple(
        Row("hybrid", case.id, {}, error=None if given else "Boom: no", response=given)
        for case, given in pairs
    )
    return EvalRun(setup, tuple(case for case, _ in pairs), rows)


def numbered(count):
    return [replace(CASE, id=f"q{number}") for number in range(count)]


def test_advice_over_a_run_accounts_for_every_judgement():
    first, second, third, refusal, failed, raw, gone = numbered(7)
    run = a_run(
        [
            (first, ANSWER),
            (second, ANSWER),
            (third, ANSWER),
            (refusal, REFUSAL),
            (failed, None),
            (replace(raw, reviewed=False), ANSWER),
            (gone, ANSWER),
        ],
        excluded=[gone.id],
    )
    replies = [split(1), statements(1), split(2), statements(1, 0)]  # first: 1 and .5
    replies += [split(0), split(1), statements(0)]  # second: no number, and 0
    replies += [status(500), garbage()]  # third: nothing
    heard = []
    with ScriptedServer(replies) as server:
        judge = Judge(server.url, "m", repeats=2)
        [advice] = advise(judge, run, metrics=["ragas:Faithfulness"], progress=lambda *at: heard.append(at))
    assert advice.mean == pytest.approx((0.75 + 0.0) / 2)
    assert advice.spread == 0.5
    assert (advice.n, advice.nan, advice.unjudged) == (2, 1, 1)
    assert advice.errors == {"HTTP 500": 1, "garbage": 1}
    assert advice.left_out == {"not answered": 1}
    assert heard == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_judge_that_is_dead_is_not_asked_for_ever():
    run = a_run([(case, ANSWER) for case in numbered(20)])
    with refused() as url:
        found = advise(Judge(url, "m", repeats=1), run, metrics=["ragas:Faithfulness", "ragas:ContextRecall"])
    assert found[0].errors == {"no connection": judges.PATIENCE}
    assert found[0].left_out == {judges.DEAD: 20 - judges.PATIENCE}
    assert found[1].left_out == {judges.DEAD: 20}
    assert all(math.isnan(each.mean) for each in found)


def test_a_judge_that_replies_now_and_then_is_asked_on():
    replies = [hang_up(), hang_up(), split(1), statements(1)] * 3
    run = a_run([(case, ANSWER) for case in numbered(9)])
    with ScriptedServer(replies) as server:
        [advice] = advise(Judge(server.url, "m", repeats=1), run, metrics=["ragas:Faithfulness"])
    assert advice.n == 3
    assert advice.errors == {"no connection": 6}


def test_a_run_without_answers_gives_no_advice():
    found = advise(Judge("http://127.0.0.1:1/v1", "m"), a_run([]))
    assert [each.metric for each in found] == list(JUDGED)
    assert all(math.isnan(each.mean) and each.n == 0 for each in found)


# -- what leaves the process ---------------------------------------------------------------------

ALONE = """
import sys
reached = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        reached.append(str(arguments[1] if event == "socket.connect" else arguments[0]))
sys.addaudithook(watch)
from evals.cases import Case, GoldQuote, Ranked, Response
from evals.judges import Judge, parse
from evals.ragas_metrics import PLAIN
case = Case("q", "How?", judgements={"a": 1}, quotes=(GoldQuote("a", "so"),), answer="so")
response = Response((Ranked("a", 1.0, text="so"),), outcome="answered", answer="so", confidence=1.0)
for metric in parse(PLAIN):
    assert abs(metric.take(case, response)[0] - 1) < 1e-6, metric.name
found = Judge(sys.argv[1], "m", repeats=1).judge(case, response, "ragas:Faithfulness")
assert found.values == (1.0,), found
print([each for each in reached if "127.0.0.1" not in each])
"""


def test_nothing_but_the_judge_is_contacted_no_proxy_is_asked_and_home_stays_empty(tmp_path, repository):
    home = tmp_path / "home"
    home.mkdir()
    with refused() as proxy, ScriptedServer([split(1), statements(1)]) as server:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HTTP_PROXY": proxy,
            "ALL_PROXY": proxy,
            "OPENAI_API_KEY": "not-for-them",
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", ALONE, server.url],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
    assert server.keys == [None, None]
    assert [str(path.relative_to(home)) for path in home.rglob("*")] == []


# -- a real model --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_model():
    with small_model.serving() as url:
        yield url


@pytest.fixture
def need_model(need_system):
    need_system("SmolLM2", f"a real model judges; {small_model.WHAT}", present=small_model.present())


def test_a_real_server_replies_in_the_asked_shape(need_model, real_model):
    schema = {"type": "object", "properties": {"verdict": {"type": "integer"}}, "required": ["verdict"]}

    async def ask(limit):
        endpoint = Endpoint(real_model, small_model.MODEL, timeout=120, max_tokens=limit)
        async with client(endpoint) as over:
            asked = [{"role": "user", "content": "Is Paris in France? 1 for yes, 0 for no, as JSON."}]
            return await complete(over, endpoint, asked, schema=schema, seed=1)

    assert isinstance(json.loads(asyncio.run(ask(60)))["verdict"], int)
    with pytest.raises(ChatFailed, match="cut off"):
        asyncio.run(ask(2))


def test_a_real_model_judges_and_every_repeat_is_accounted_for(need_model, real_model):
    # Of ragas' prompts this is the shortest: a machine that is busy reads some 25 tokens a second.
    judge = Judge(real_model, small_model.MODEL, timeout=120, repeats=2, embedder=Letters(), max_tokens=100)
    found = judge.judge(CASE, ANSWER, "ragas:AnswerRelevancy")
    assert len(found.values) + found.nan + len(found.errors) == 2
    assert all(0 <= value <= 1 for value in found.values)
    # What so small a model writes may be anything; that the server is reached and understood is not.
    kinds = {error.partition(":")[0] for error in found.errors}
    assert kinds <= {"garbage", "cut off", "out of range"}


def test_the_scripted_server_replies_by_what_was_asked():
    def choose(request):
        prompt = request["messages"][0]["content"]
        return split(1) if "statements" in prompt and "verdict" not in prompt else statements(1)

    found, _ = judged([chosen(choose)], repeats=2)
    assert found.values == (1.0, 1.0)
