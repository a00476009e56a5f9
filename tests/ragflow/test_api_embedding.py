"""Vectors from an API: the laws of an embedder, what is sent, what is refused, what is done when it fails."""

import random
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import small_model
from embedding_server import (
    EmbeddingServer,
    backwards,
    fewer,
    longer,
    nan,
    ragged,
    twice,
    words,
    zero,
)
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import (
    Reply,
    ScriptedServer,
    chosen,
    dripping,
    garbage,
    half,
    hang_up,
    redirect,
    refused,
    slow,
    status,
    text,
)

from ragflow.errors import ConfigError, EmbeddingFailed, ExtraMissing
from ragflow.model_sections import Budget
from ragflow.models import litellm_client, litellm_vectors, pieces, prices
from ragflow.models.accounts import Account, Used
from ragflow.models.embedding import ConfiguredEmbedder, Sending, batched, price, where
from ragflow.models.litellm_vectors import WAYS
from ragflow.models.providers import PROVIDERS
from ragflow.models.vector_costs import Cost, Counts, cost
from ragflow.sections import Embed

KEY = "sk-Q9x7secretsecretsecret42"
TEXTS = [
    f"Note {number}: the warehouse in hall {number} opens at {number % 12} o'clock." for number in range(40)
]


@pytest.fixture(scope="module", autouse=True)
def loaded():
    for provider in WAYS:
        litellm_vectors.load(provider, 600)


def section(url, **values):
    return Embed(engine="litellm", **{"model": "openai/any", "api_base": url, **values})


@pytest.fixture
def account(tmp_path):
    return Account(Budget(), tmp_path / "models.sqlite")


@pytest.fixture
def opened(account):
    """Open an embedder at a server's address; ``waited`` of it lists the seconds it wanted to wait."""

    def open_it(url, *, booked=None, secret={"KEY": KEY}.get, hidden=(), fetch=None, **values):
        waited = []
        given = {"fetch": fetch} if fetch else {}
        sending = Sending(
            booked or account, secret, hidden, sleep=waited.append, chance=random.Random(1), **given
        )
        embedder = ConfiguredEmbedder(section(url, **values), sending)
        embedder_waits[id(embedder)] = waited
        return embedder

    embedder_waits = {}
    open_it.waited = lambda embedder: embedder_waits[id(embedder)]
    return open_it


# -- the laws of an embedder -------------------------------------------------------------------------


@pytest.mark.parametrize("provider", list(WAYS))
def test_every_provider_gives_the_models_own_vectors(provider, embedder, opened):
    with EmbeddingServer(embedder) as server:
        model = opened(server.url, model=f"{provider}/any", api_key_env="KEY")
        vectors = model.embed(TEXTS[:3])
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, embedder.dimensions)
    np.testing.assert_allclose(vectors, embedder.embed(TEXTS[:3]), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert server.paths == ["/v1/embeddings"]
    assert server.keys == [f"Bearer {KEY}"]


@given(order=st.permutations(range(12)), most=st.integers(1, 12), parallel=st.integers(1, 4))
def test_texts_keep_their_places_whatever_the_batches(order, most, parallel):
    def fetch(request, seconds):
        rows = [[float(text.removeprefix("n")) + 1, 1.0] for text in request.texts]
        vectors = np.array(rows, np.float32)
        return litellm_vectors.Fetched(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 1)

    sending = Sending(nowhere(), {}.get, fetch=fetch, load=lambda *_: None)
    model = ConfiguredEmbedder(section("http://127.0.0.1:1", batch_texts=most, parallel=parallel), sending)
    vectors = model.embed([f"n{number}" for number in order])
    np.testing.assert_allclose(vectors[:, 0] / vectors[:, 1], [number + 1 for number in order], rtol=1e-5)


def nowhere(**limits):
    return Account(Budget(**limits), Path("/nonexistent/models.sqlite"))


def test_batches_keep_both_limits_and_every_text():
    texts = ["word " * length for length in (1, 5, 50, 1, 1, 1, 300, 2)]
    found = list(batched(texts, 3, 60))
    assert [text for batch in found for text in batch] == texts
    assert all(len(batch) <= 3 for batch in found)
    assert all(sum(map(prices.count, batch)) <= 60 for batch in found if len(batch) > 1)
    assert any(len(batch) == 1 and prices.count(batch[0]) > 60 for batch in found), "it is sent all the same"


def test_several_requests_are_in_flight_and_equal_texts_are_sent_once(embedder, opened):
    together = threading.Barrier(3)

    def meet(request):
        together.wait(60)
        return server._reply(request)

    with EmbeddingServer(embedder) as server:
        server.replies = [chosen(meet), chosen(meet), chosen(meet)]
        model = opened(server.url, batch_texts=2, parallel=3)
        vectors = model.embed([*TEXTS[:6], TEXTS[0]])
    assert sorted(server.texts) == sorted(TEXTS[:6])
    assert vectors[0].tobytes() == vectors[6].tobytes()


def test_no_text_is_no_request(opened):
    with ScriptedServer() as server:
        assert opened(server.url, dimensions=8).embed([]).shape == (0, 8)
    assert server.requests == []


def test_the_order_of_a_reply_is_that_of_its_numbers_and_length_is_made_1(embedder, opened):
    with EmbeddingServer(embedder, [backwards, longer]) as server:
        model = opened(server.url)
        first, second = model.embed(TEXTS[:3]), model.embed(TEXTS[:3])
    np.testing.assert_allclose(first, embedder.embed(TEXTS[:3]), atol=1e-6)
    np.testing.assert_allclose(second, first, atol=1e-6)


def test_the_key_names_all_that_changes_a_vector(opened):
    url = "http://127.0.0.1:1/v1"
    values = [{"model": "openai/other"}, {"dimensions": 3}, {"max_tokens": 99}, {"api_base": "http://h/v1"}]
    keys = {opened(url, **one).key for one in [{}, *values]}
    keys |= {opened(url, api_base="http://h/v1", hidden=("secret",)).key}
    assert len(keys) == 6
    ways = {"timeout": 1, "retries": 0, "batch_texts": 1, "parallel": 1, "usd_per_million_tokens": 1.0}
    assert opened(url, **ways).key == opened(url + "/").key, "how it is asked changes no vector"
    assert opened(url, hidden=("secret",)).key == opened(url).key, "nothing is hidden from this machine"


# -- what is sent ------------------------------------------------------------------------------------


@given(st.text())
def test_pieces_are_in_order_apart_and_hold_every_letter(given_text):
    spans = pieces.offsets(given_text)
    assert all(0 < end - start <= 4 for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    held = {at for start, end in spans for at in range(start, end)}
    assert all(given_text[at].isspace() for at in range(len(given_text)) if at not in held)


@given(st.text(), st.integers(16, 64))
def test_what_is_sent_is_a_beginning_within_the_limit(given_text, most):
    sent = pieces.cut(given_text, most)
    assert given_text.startswith(sent)
    assert prices.count(sent) <= most or len(pieces.offsets(sent)) == 1
    if prices.count(given_text) <= most:
        assert sent == given_text


def test_a_long_text_is_cut_at_a_piece_and_a_blank_one_is_sent_as_a_sign(embedder, opened):
    with EmbeddingServer(embedder) as server:
        opened(server.url, max_tokens=20).embed(["Zwischenlager " * 50, " \n"])
    first, blank = server.texts
    assert ("Zwischenlager " * 50).startswith(first)
    assert 10 < prices.count(first) <= 20
    assert blank == "."


def test_what_is_private_is_masked_for_another_machine_alone(embedder, opened):
    secret = "The key is AKIAIOSFODNN7EXAMPLE, keep it."
    with EmbeddingServer(embedder) as server:
        local = opened(server.url, hidden=("secret",))
        assert local.shown(secret) == secret
    away = opened("https://api.example.com/v1", hidden=("secret",))
    assert "AKIA" not in away.shown(secret)
    assert away.shown("Nothing to hide.") == "Nothing to hide."


def test_dimensions_are_asked_for_and_expected(embedder, opened):
    with EmbeddingServer(embedder) as server:
        assert opened(server.url, dimensions=64).embed(TEXTS[:2]).shape == (2, 64)
        assert server.requests[0]["dimensions"] == 64
        own = opened(server.url)
        assert own.dimensions == 0, "nothing is sent just to see"
        assert len(server.requests) == 1
        own.embed(TEXTS[:1])
        assert own.dimensions == embedder.dimensions
    assert "dimensions" not in server.requests[1]


def test_a_server_that_takes_no_dimensions_is_asked_without_them_then_and_later(embedder, opened):
    def reply(request):
        if "dimensions" in request:
            return status(400, "Unknown parameter: dimensions")
        return server._reply(request)

    with EmbeddingServer(embedder) as server:
        server.replies = [chosen(reply)]
        model = opened(server.url, dimensions=embedder.dimensions)
        assert model.embed(TEXTS[:1]).shape == (1, embedder.dimensions)
        model.embed(TEXTS[1:2])
    assert ["dimensions" in request for request in server.requests] == [True, False, False]


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", [nan, zero, ragged, fewer, twice, words], ids=lambda spoil: spoil.__name__)
def test_vectors_that_are_none_are_refused_and_asked_for_again(spoil, embedder, opened, account):
    with EmbeddingServer(embedder, [spoil]) as server:
        model = opened(server.url)
        np.testing.assert_allclose(model.embed(TEXTS[:3]), embedder.embed(TEXTS[:3]), atol=1e-6)
        assert len(server.requests) == 2
    with EmbeddingServer(embedder, [spoil, spoil, spoil]) as server, pytest.raises(EmbeddingFailed) as caught:
        opened(server.url).embed(TEXTS[:3])
    assert "the reply is no list of vectors" in str(caught.value)
    assert len(server.requests) == 3


def test_another_number_of_dimensions_than_before_is_refused_at_once(embedder, opened):
    with EmbeddingServer(embedder) as server:
        model = opened(server.url)
        model.embed(TEXTS[:2])
        server.width = 100
        with pytest.raises(EmbeddingFailed, match="gives 100 numbers for a text where it gave 384") as caught:
            model.embed(TEXTS[2:4])
        assert "embed.dimensions: 100" in caught.value.hint
        with pytest.raises(EmbeddingFailed, match=r"gives 100 numbers .* embed.dimensions says 99"):
            opened(server.url, dimensions=99, fetch=without_dimensions).embed(TEXTS[:1])
    assert caught.value.exit_code == 4


def without_dimensions(request, seconds):
    return litellm_vectors.fetch(replace(request, dimensions=None), seconds)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"model": "any"}, "any names no provider: write openai/any"),
        ({"model": "voyage/any"}, "voyage is no provider whose vectors can be used here"),
        ({"model": "anthropic/any"}, "anthropic is no provider whose vectors can be used here"),
        ({"model": "hosted_vllm/any", "api_base": None}, "has no address"),
        ({"api_base": "ftp://x"}, "is no http or https address"),
    ],
)
def test_a_model_that_nobody_can_find_is_a_mistake_in_the_configuration(values, told):
    with pytest.raises(ConfigError, match=told) as caught:
        where(section("http://127.0.0.1:1/v1", **values))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", [None, " ", "sk-schl\u00fcssel", "a\nb"])
def test_a_key_that_is_none_is_told_by_its_variable_and_nothing_is_sent(value, opened):
    with ScriptedServer() as server:
        model = opened(server.url, api_key_env="KEY", secret={"KEY": value}.get)
        with pytest.raises(ConfigError, match=r"^KEY ") as caught:
            model.embed(["one"])
    assert server.requests == []
    assert caught.value.exit_code == 2
    assert value is None or value.strip() == "" or value not in str(caught.value)


def test_without_the_extra_it_is_told_which_one(opened, monkeypatch):
    monkeypatch.setattr(litellm_client, "installed", lambda: False)
    with pytest.raises(ExtraMissing) as caught:
        opened("http://127.0.0.1:1/v1").embed(["one"])
    assert caught.value.hint == litellm_client.INSTALL


# -- when it fails -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (status(429), True),
        (status(500), True),
        (status(503), True),
        (hang_up(), True),
        (half(), True),
        (garbage(), True),
        (text("a completion"), True),
        (redirect("http://192.0.2.1/v1/embeddings"), True),
        (status(401), False),
        (status(403), False),
        (status(404), False),
        (status(400, "input too long"), False),
    ],
    ids=str,
)
def test_what_may_pass_is_asked_again_and_what_a_person_mends_is_not(fault, again, embedder, opened):
    with EmbeddingServer(embedder, [fault, fault]) as server:
        model = opened(server.url, api_key_env="KEY")
        if again:
            assert model.embed(TEXTS[:1]).shape == (1, 384)
            assert len(server.requests) == 3
            assert len(opened.waited(model)) == 2
        else:
            with pytest.raises(EmbeddingFailed) as caught:
                model.embed(TEXTS[:1])
            assert len(server.requests) == 1
            assert KEY not in f"{caught.value}{caught.value.hint}{caught.value.__cause__}"
            assert caught.value.exit_code == 4


def test_a_server_that_is_not_there_is_told_in_one_sentence(opened):
    with refused() as url, pytest.raises(EmbeddingFailed) as caught:
        opened(url, retries=1).embed(["one"])
    assert str(caught.value) == "no vectors from openai/any: no connection to its address"
    assert "run the same command again" in caught.value.hint


def test_a_wait_is_never_less_than_the_server_asks_for_and_a_long_one_is_not_begun(embedder, opened):
    def told(seconds):
        reply = status(429)
        return Reply(reply.body, 429, {**reply.headers, "Retry-After": seconds})

    with EmbeddingServer(embedder, [told("7")]) as server:
        model = opened(server.url)
        model.embed(TEXTS[:1])
        [waited] = opened.waited(model)
    assert waited >= 7
    with EmbeddingServer(embedder, [told("900")]) as server:
        with pytest.raises(EmbeddingFailed, match="asks to be left alone for 900 s"):
            opened(server.url).embed(TEXTS[:1])
        assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [slow(60), dripping(0.2)], ids=["late", "dripping"])
def test_a_slow_server_is_given_up_in_time_and_asked_again(reply, embedder, opened):
    with EmbeddingServer(embedder, [reply]) as server:
        model = opened(server.url, timeout=0.5, retries=0)
        with pytest.raises(EmbeddingFailed, match="no whole reply within"):
            model.embed(TEXTS[:1])
        again = opened(server.url, timeout=60)
        assert again.embed(TEXTS[:1]).shape == (1, 384)


def test_a_question_never_waits_longer_than_it_may_take(opened, account):
    account.begin(0.5)
    with ScriptedServer([slow(60)]) as server, pytest.raises(EmbeddingFailed, match="no whole reply within"):
        opened(server.url, timeout=60, retries=5).embed(["one"])
    assert len(server.requests) == 1


def test_one_batch_that_fails_ends_the_others_waits(embedder, account):
    """No sleep of a test's here: whoever waits to ask again is woken."""
    asked = threading.Barrier(2)

    def reply(request):
        asked.wait(60)
        if request["input"][0] == TEXTS[0]:
            return status(404)
        late = status(429)
        return Reply(late.body, 429, {**late.headers, "Retry-After": "100"})

    with ScriptedServer([chosen(reply)]) as server:
        model = ConfiguredEmbedder(section(server.url, batch_texts=1, parallel=2), Sending(account, {}.get))
        with pytest.raises(EmbeddingFailed):
            model.embed(TEXTS[:2])
    assert len(server.requests) == 2


# -- what it costs -----------------------------------------------------------------------------------


def test_requests_texts_tokens_and_dollars_are_counted(embedder, opened, account):
    with EmbeddingServer(embedder) as server:
        opened(server.url, usd_per_million_tokens=2.0, batch_texts=2).embed(TEXTS[:4])
        told = sum(len(embedder.token_offsets(one)) + 2 for one in TEXTS[:4])
        assert account.used == Used(2, 4, told, 2000 * told)
        server.tokens = False
        opened(server.url, usd_per_million_tokens=2.0).embed(TEXTS[:1])
    counted = prices.count(TEXTS[0])
    assert account.used.since(Used(2, 4, told, 2000 * told)) == Used(1, 1, counted, 2000 * counted)
    assert account.spending.usd == pytest.approx(2e-6 * (told + counted))


@pytest.mark.parametrize("limit", [{"run_usd": 1e-6}, {"day_usd": 1e-6}])
def test_what_may_cost_more_than_is_left_is_not_sent(limit, tmp_path, opened):
    booked = Account(Budget(**limit), tmp_path / "models.sqlite")
    with ScriptedServer() as server:
        model = opened(server.url, booked=booked, usd_per_million_tokens=1000.0)
        with pytest.raises(EmbeddingFailed, match=f"budget.{next(iter(limit))}") as caught:
            model.embed(TEXTS[:1])
    assert server.requests == []
    assert "what is embedded is kept" in caught.value.hint


def test_a_day_that_cannot_be_counted_is_no_day_to_spend_in(opened):
    booked = nowhere(day_usd=5.0)
    with (
        ScriptedServer() as server,
        pytest.raises(EmbeddingFailed, match="what was spent today is not known"),
    ):
        opened(server.url, booked=booked, usd_per_million_tokens=1.0).embed(["one"])
    assert server.requests == []


def test_each_run_may_spend_its_own_limit_and_days_are_shared(tmp_path):
    account = Account(Budget(run_usd=1.0), tmp_path / "models.sqlite")
    first = account.spending
    first.settle(first.hold(900_000_000, tier="embed", tier_usd=None), 900_000_000)
    account.begin()
    assert account.spending.usd == 0
    assert account.spending.ledger.spent() == 900_000_000


@pytest.mark.parametrize(
    ("values", "usd"),
    [
        ({"usd_per_million_tokens": 0.5}, 0.5),
        ({}, 0.0),
        ({"model": "openai/text-embedding-3-small", "api_base": None}, 0.02),
        ({"model": "openai/no-such-model", "api_base": None}, None),
    ],
)
def test_a_price_is_the_configured_one_or_0_here_or_litellms(values, usd):
    found = price(section("http://127.0.0.1:1/v1", **values))
    assert (found.usd_in if found else None) == usd


@given(
    texts=st.integers(0, 1000),
    tokens=st.integers(0, 10**6),
    characters=st.floats(0, 1e7),
    items=st.integers(0, 50),
)
def test_an_estimate_is_exact_where_nothing_is_guessed_and_never_less_than_what_is_counted(
    texts, tokens, characters, items
):
    known = cost(Counts(texts, tokens), chunk=(200, 40), model="m", price=prices.Price(1.0, 0.0))
    assert known == Cost("m", texts, tokens, 0, pytest.approx(tokens / 1e6), exact=True)
    whole = cost(
        Counts(texts, tokens, 3, characters, items if characters else 0),
        chunk=(200, 40),
        model="m",
        price=None,
    )
    assert (whole.texts, whole.tokens) >= (texts, tokens)
    assert whole.usd is None
    assert whole.exact == (characters == 0)


def test_every_way_to_vectors_belongs_to_a_provider():
    assert set(WAYS) <= set(PROVIDERS)


# -- a server that is no test's ----------------------------------------------------------------------


def test_vectors_come_from_llama_cpp_too(need_system, opened):
    need_system("xllamacpp", small_model.WHAT, present=small_model.present())
    with small_model.serving(embedding=True) as url:
        model = opened(url, timeout=120, batch_texts=2)
        vectors = model.embed(["The cat sits on the mat.", "A cat is on a mat.", "Interest rates rose."])
    assert vectors.shape[0] == 3
    assert model.dimensions == vectors.shape[1] == 576
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
