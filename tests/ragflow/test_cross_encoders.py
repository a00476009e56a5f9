"""A CrossEncoder is one line of configuration: with it search and answers use one, without it none."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_cross_encoders as tiny
import yaml
from scripted_server import ScriptedServer, chosen, verdict

import ragflow
from indexes.query import Query
from indexes.reranking import passage
from ragflow import cross_encoders, systems
from ragflow.answering import AskOptions
from ragflow.config import load
from ragflow.doctor import examine
from ragflow.errors import ConfigError, ExtraMissing, UnknownSystem, WeightsMissing
from ragflow.evaluation import RunOptions
from ragflow.gate_runs import Bench
from ragflow.identity import Asker
from ragflow.remembering import Remembering

TOPICS = "annual leave,parental leave,unpaid leave,hotels,trains,laptops,parking,the canteen,badges,visitors"
QUESTION = "How many days of leave are there?"
EVERYONE = ["everyone"]
LABELS = ("contradiction", "entailment", "neutral")


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cross-encoders") / "indexed"
    (folder / "hr").mkdir(parents=True)
    (folder / "closed").mkdir()
    for number, topic in enumerate(TOPICS.split(",")):
        text = f"For {topic} there are {number + 20} days in each year, and the office knows {topic} well.\n"
        (folder / "hr" / f"{number}.md").write_text(f"# About {topic}\n\n{text}")
    (folder / "closed" / "board.md").write_text(
        "# Board\n\nThe board has 99 secret days of leave in each year.\n"
    )
    tiny.write(folder / "models" / "reranker")
    tiny.write(folder / "models" / "nli", LABELS, bias=(0, 0, 9))
    configure(folder)
    with ragflow.open(folder) as app:
        assert app.index().exit_code == 0
    return folder


def configure(folder, **sections):
    data = {
        "version": 1,
        "sources": {
            "hr": {"type": "files", "path": "hr", "readers": ["everyone"]},
            "closed": {"type": "files", "path": "closed", "readers": ["group:board"]},
        },
        **sections,
    }
    (folder / "ragflow.yaml").write_text(yaml.safe_dump(data))
    return folder


@pytest.fixture
def folder(indexed, tmp_path, clone):
    return clone(indexed, tmp_path / "workspace")


@pytest.fixture
def reranked(folder):
    return configure(folder, search={"rerank": "models/reranker"})


def command(folder, *arguments):
    """Run the program as a person does."""
    line = [sys.executable, "-m", "ragflow.cli", "-C", str(folder), *arguments]
    told = {
        **os.environ,
        "PYTHONPATH": str(Path(ragflow.__file__).parents[1]),
        "COLUMNS": "80",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(line, capture_output=True, text=True, check=False, env=told)


def test_search_shows_the_rerankers_scores_and_order(reranked):
    result = command(reranked, "search", QUESTION, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    hits = json.loads(result.stdout)["hits"]
    given = [hit["scores"]["rerank"] for hit in hits]
    assert None not in given
    assert given == sorted(given, reverse=True)
    assert [hit["score"] for hit in hits] == [(1 + one) / 2 for one in given]
    with ragflow.open(reranked) as app:
        plain = app._index().search(Query(QUESTION, frozenset(EVERYONE), k=10)).hits
    read = [(QUESTION, passage(hit)) for hit in plain]
    numbers = [row[0] for row in tiny.logits(reranked / "models" / "reranker", read)]
    order = [hit.chunk for _, hit in sorted(zip(numbers, plain, strict=True), key=lambda one: -one[0])]
    assert [hit["chunk"] for hit in hits] == order
    assert order != [hit.chunk for hit in plain]


@pytest.mark.parametrize("system", ["lexical", "dense"])
def test_one_leg_alone_needs_no_reranker(reranked, system):
    shutil.rmtree(reranked / "models")
    result = command(reranked, "search", QUESTION, "--system", system, "--json")
    assert result.returncode == 0
    assert {hit["scores"]["rerank"] for hit in json.loads(result.stdout)["hits"]} == {None}


def test_without_the_line_nothing_of_it_is_imported_and_nothing_is_null_but_the_score(indexed):
    script = (
        "import sys, ragflow\n"
        "with ragflow.open('.') as app:\n"
        f"    hits = app.search({QUESTION!r}, readers=['everyone'])\n"
        f"    app.ask({QUESTION!r}, readers=['everyone'])\n"
        "assert all(hit.scores.rerank is None and hit.scores.fused is None for hit in hits)\n"
        "print([name for name in sys.modules if name.startswith(('torch', 'transformers',"
        " 'sentence_transformers', 'huggingface_hub', 'indexes.cross_encoder'))])\n"
    )
    told = {**os.environ, "PYTHONPATH": str(Path(ragflow.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=indexed, capture_output=True, text=True, check=False, env=told
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_what_was_indexed_stays_when_the_reranker_changes(reranked):
    with ragflow.open(reranked) as app:
        before = app.find(QUESTION, readers=EVERYONE).found.generation
        assert app.index().sync.generation in (None, before)
    with ragflow.open(configure(reranked)) as app:
        assert app.find(QUESTION, readers=EVERYONE).found.generation == before


def test_what_is_hidden_never_comes_to_the_model(reranked, monkeypatch):
    from indexes.cross_encoder import CrossEncoder

    read, numbers = [], CrossEncoder.numbers

    def spying(self, pairs):
        read.extend(pairs)
        return numbers(self, pairs)

    monkeypatch.setattr(CrossEncoder, "numbers", spying)
    with ragflow.open(reranked) as app:
        app.search(QUESTION, readers=EVERYONE)
        app.ask(QUESTION, readers=EVERYONE)
        assert read
        assert not any("secret" in text for pair in read for text in pair)
        assert "closed/board.md" in {hit.document for hit in app.search(QUESTION, readers=["group:board"])}
        assert any("secret" in text for pair in read for text in pair)


def test_without_the_hidden_source_every_byte_is_the_same(reranked, tmp_path, clone):
    alone = clone(reranked, tmp_path / "alone")
    (alone / "closed" / "board.md").unlink()
    given = []
    for folder in (reranked, alone):
        with ragflow.open(folder) as app:
            assert app.index(allow_deletes=True).exit_code == 0
            hits = app.search(QUESTION, readers=EVERYONE)
            answer = app.ask(QUESTION, readers=EVERYONE).to_json()
            differing = ("run", "created", "timings_ms", "generation")
            given.append((hits, {key: told for key, told in answer.items() if key not in differing}))
    assert given[0] == given[1]


def test_ask_answers_from_reranked_passages_and_weighs_them_by_what_it_was_fitted_on(reranked):
    asker, options = Asker("user:mia", tuple(EVERYONE), acting=True), AskOptions(explain=True)
    with ragflow.open(reranked) as app:
        answer = app.answer(QUESTION, asker=asker, options=options)
        again = app.answer(QUESTION, asker=asker, options=options)
    hits = answer.explanation.hits
    assert [hit.scores.rerank for hit in hits] == sorted((hit.scores.rerank for hit in hits), reverse=True)
    assert (answer.answer, answer.confidence) == (again.answer, again.confidence)
    with ragflow.open(configure(reranked)) as app:
        plain = app.answer(QUESTION, asker=asker, options=options)
    assert {hit.chunk for hit in plain.explanation.hits} == {hit.chunk for hit in hits}
    same = ("passage_cosine", "lexical_share")  # of all hits, whatever their order
    assert [answer.explanation.features[one] for one in same] == [
        plain.explanation.features[one] for one in same
    ]
    fused = {hit.chunk: hit.score for hit in plain.explanation.hits}
    assert {hit.chunk: hit.fused for hit in hits} == fused


@pytest.mark.parametrize(
    ("model", "type_", "told"),
    [
        ("models/absent", "WeightsMissing", "there is no model folder models/absent"),
        ("models/nli", "ConfigError", "tells contradiction, entailment, neutral apart"),
        ("./models/absent", "WeightsMissing", "there is no model folder"),
    ],
)
def test_a_model_that_is_none_is_one_sentence_and_exit_code_2(folder, model, type_, told):
    configure(folder, search={"rerank": model})
    for words in (["search", QUESTION], ["ask", QUESTION]):
        result = command(folder, *words, "--json")
        assert result.returncode == 2
        error = json.loads(result.stdout)["error"]
        assert (error["type"], told in error["message"], bool(error["hint"])) == (type_, True, True)
        assert result.stderr == ""


def test_the_wrong_model_of_entailment_is_told_before_anything_is_answered(folder):
    configure(folder, answer={"entailment": "models/reranker"})
    with ragflow.open(folder) as app, pytest.raises(ConfigError, match="tells LABEL_0 apart"):
        app.ask(QUESTION, readers=EVERYONE)


def test_without_the_extra_it_says_what_to_install(reranked, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with ragflow.open(reranked) as app:
        with pytest.raises(ExtraMissing, match="needs the extra transformers") as caught:
            app.search(QUESTION, readers=EVERYONE)
        assert caught.value.exit_code == 2
        assert app.find(QUESTION, readers=EVERYONE, system="lexical").hits


def test_doctor_looks_at_both_models(folder, monkeypatch):
    def look(**sections):
        configure(folder, **sections)
        found = examine(folder, overrides=(), opener=lambda *_: ragflow.open(folder), fix=False)
        return {check.name: check for check in found}

    assert not {"reranker", "entailment"} & set(look())
    both = look(search={"rerank": "models/reranker"}, answer={"entailment": "models/nli"})
    assert [both[name].status for name in ("reranker", "entailment")] == ["ok", "ok"]
    assert "models/reranker, digest of its files" in both["reranker"].message
    wrong = look(search={"rerank": "models/nli"}, answer={"entailment": "models/absent"})
    assert [wrong[name].status for name in ("reranker", "entailment")] == ["fail", "fail"]
    assert all(wrong[name].cure for name in ("reranker", "entailment"))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    absent = look(search={"rerank": "models/reranker"})["reranker"]
    assert (absent.status, absent.cure) == ("fail", 'pip install "ragflow[transformers]"')


def test_both_forms_on_the_page_are_one_setting(repository, tmp_path):
    page = (repository / "docs" / "models.md").read_text().partition("## A reranker")[2]
    found = []
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        (tmp_path / "ragflow.yaml").write_text(block)
        found.append(load(tmp_path / "ragflow.yaml", environ={}))
    short, long, brief, whole = found
    assert (short.digest, brief.digest) == (long.digest, whole.digest)
    assert (short.search.rerank.model, brief.answer.entailment.model) == (
        "models/my-reranker",
        "models/my-nli",
    )


# -- evaluations ------------------------------------------------------------------------------------------


@pytest.fixture
def questions(folder):
    cases = [
        {
            "id": f"q{number}",
            "question": f"How many days are there for {topic}?",
            "documents": [f"hr/{number}.md"],
        }
        for number, topic in enumerate(TOPICS.split(","))
    ]
    file = folder / "questions.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in cases))
    return file


def test_an_evaluation_compares_both_and_binds_the_models_files(reranked, questions):
    with ragflow.open(reranked) as app:
        run = app.evaluation().run(questions, RunOptions(metrics=("nDCG@10", "token_F1")))
        hits = app.search("How many days are there for hotels?", readers=EVERYONE)
    assert run.setup.systems == ("bm25", "lexical", "dense", "hybrid", "reranked")
    (row,) = [row for row in run.rows if (row.case, row.system) == ("q3", "reranked")]
    (plain,) = [row for row in run.rows if (row.case, row.system) == ("q3", "hybrid")]
    assert [one.chunk for one in row.response.ranking] == [hit.chunk for hit in hits]
    assert [one.score for one in row.response.ranking] == [hit.score for hit in hits]
    assert [one.chunk for one in plain.response.ranking] != [hit.chunk for hit in hits]
    assert (row.response.outcome is None, plain.response.outcome is None) == (False, False)
    digests = run.setup.config["cross_encoders"]
    assert set(digests) == {"search.rerank"}
    tiny.change(reranked / "models" / "reranker", hidden_dropout_prob=0.2)
    with ragflow.open(reranked) as app:
        other = app.evaluation().run(
            questions, RunOptions(systems=("hybrid", "reranked"), metrics=("nDCG@10",))
        )
        plain_run = app.evaluation().run(questions, RunOptions(systems=("hybrid",), metrics=("nDCG@10",)))
    assert other.setup.config["cross_encoders"] != digests
    assert other.setup.config_digest == run.setup.config_digest
    assert "cross_encoders" not in plain_run.setup.config


def test_reranked_needs_a_reranker_before_the_first_question(folder, questions):
    with ragflow.open(folder) as app, pytest.raises(UnknownSystem, match="no reranker is configured"):
        app.evaluation().run(questions, RunOptions(systems=("reranked",)))
    (folder / "models" / "reranker" / "model.safetensors").write_bytes(b"x" * 99)
    configure(folder, search={"rerank": "models/reranker"})
    with ragflow.open(folder) as app:
        with pytest.raises(WeightsMissing, match="does not load"):
            app.evaluation().run(questions, RunOptions(systems=("reranked",)))
        assert app.evaluation().runs() == []


def test_who_is_measured_and_who_answers(folder):
    plain = load(configure(folder) / "ragflow.yaml", environ={})
    with_one = load(configure(folder, search={"rerank": "models/reranker"}) / "ragflow.yaml", environ={})
    assert (systems.shipped(plain), systems.shipped(with_one)) == ("hybrid", "reranked")
    assert systems.configured(plain) == systems.BUILT_IN
    assert systems.configured(with_one) == (*systems.BUILT_IN, "reranked")
    assert systems.answers("reranked", beir=False)
    assert not systems.answers("reranked", beir=True)
    assert cross_encoders.CrossEncoders(plain).keys(reranked=True) == {}


@pytest.mark.parametrize("metric", ["nDCG@10", "token_F1"])
def test_a_gate_measures_what_people_get(reranked, questions, metric):
    from evals.datasets import load as load_data
    from evals.metrics import parse

    with ragflow.open(reranked) as app:
        remembering = Remembering(app._embedder)
        encoders = cross_encoders.CrossEncoders(app.config)
        bench = Bench(app.config, app._store(), app.asker(), lambda _: None, encoders)
        live = app._index().view().manifest
        run = bench.measure(load_data(questions), parse([metric]), {}, live, remembering, name="x")
        for row in run.rows:
            question = next(case.question for case in run.cases if case.id == row.case)
            hits = app.search(question, readers=EVERYONE)
            assert [one.document for one in row.response.ranking][:10] == [hit.document for hit in hits]


# -- entailment -------------------------------------------------------------------------------------------

TRUTH = "For annual leave there are 20 days in each year, and the office knows annual leave well."
CLAIM = "For annual leave there are 20 days in each year."


def good(request):
    content = request["messages"][-1]["content"]
    number = content.partition(TRUTH)[0].rpartition('number="')[2].partition('"')[0]
    quotes = [{"passage": int(number), "text": TRUTH}]
    return verdict({"claims": [{"text": CLAIM, "quotes": quotes}], "missing": []})


@pytest.mark.parametrize(
    ("bias", "finding"),
    [(None, None), ((0, 9, 0), None), ((0, 0, 9), "unsupported"), ((9, 0, 0), "contradicted")],
)
def test_a_models_claim_must_pass_the_entailment_too(folder, bias, finding):
    entailment = None
    if bias is not None:
        entailment = "models/own"
        tiny.write(folder / "models" / "own", LABELS, bias=bias)
    with ScriptedServer([chosen(good)]) as server:
        entry = {"model": "openai/scripted", "api_base": server.url, "timeout": 60}
        models = {"small": {"try": [entry], "cooldown": 0, "retries": 0}}
        answer = {"tier": "small", "min_confidence": 0.1, "entailment": entailment}
        with ragflow.open(configure(folder, models=models, answer=answer)) as app:
            asker, options = Asker("user:mia", tuple(EVERYONE), acting=True), AskOptions(explain=True)
            given = app.answer("How many days are there for annual leave?", asker=asker, options=options)
    rejected = [one.finding for one in given.explanation.rejected]
    if finding is None:
        assert (given.model, [claim.text for claim in given.claims], rejected) == (
            "openai/scripted",
            [CLAIM],
            [],
        )
    else:
        assert rejected == [finding] * 2, "once, and once more after it was told"
        assert given.model is None
        assert given.outcome in ("answered", "not_found")
        assert CLAIM not in given.answer.replace(TRUTH, "")


def test_an_extractive_answer_asks_no_model_of_entailment(folder):
    configure(folder, answer={"entailment": "models/nli", "min_confidence": 0.1})
    with ragflow.open(folder) as app:
        given = app.ask("How many days are there for annual leave?", readers=EVERYONE)
        assert given.claims
        assert "_model" not in vars(app._encoders.entailment._encoder)
