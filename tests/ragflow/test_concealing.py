"""No word of a secret goes to an embedding model elsewhere: not in a chunk, not in half of one."""

from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.build import Chunking
from indexes.query import Query
from indexes.recalling import Recalling
from indexes.testing import EVERYONE, Planted
from ragflow.concealing import ConcealingWeigher, concealed
from ragflow.config import load
from ragflow.evidence import SentenceWeigher
from ragflow.sight import seen

BODY = [f"MIIEpAIBAAKCAQEA{line:02}" + "abCdEf9/" * 5 for line in range(24)]
KEY = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *BODY, "-----END RSA PRIVATE KEY-----"])
TEXT = (
    f"# Gate\n\nThe gate of hall 7 opens with this key.\n\n{KEY}\n\nAsk the guard of hall 7 for a new one.\n"
)
AWAY = "embed: {engine: litellm, model: openai/any, api_base: 'https://api.example.com/v1'}\n"
HERE = "embed: {engine: litellm, model: openai/any, api_base: 'http://127.0.0.1:1/v1'}\n"


@pytest.fixture
def configured(tmp_path):
    def write(more):
        path = tmp_path / "ragflow.yaml"
        path.write_text(f"version: 1\nsources: {{hr: {{type: files, path: docs}}}}\n{more}")
        return load(path, environ={})

    return write


@pytest.mark.parametrize("more", ["", HERE, AWAY + "guards: {redact: []}\n"])
def test_a_model_on_this_machine_or_one_that_may_sees_everything(more, configured):
    assert seen(configured(more)) is None


def test_no_span_of_a_document_shows_a_word_of_the_key_that_it_cuts(configured):
    look = seen(configured(AWAY))
    for start in range(0, len(TEXT), 97):
        for length in (60, 300, 900):
            shown = look(TEXT, start, min(len(TEXT), start + length))
            assert not [line for line in BODY if line in shown or line[8:40] in shown]
    assert look(TEXT, 0, 40) == TEXT[:40]


def test_the_index_sends_nothing_of_it_and_finds_the_document_all_the_same(new_world, embedder, configured):
    class Watching:
        key, dimensions, max_tokens = embedder.key, embedder.dimensions, embedder.max_tokens
        token_offsets = staticmethod(embedder.token_offsets)
        sent: ClassVar[list[str]] = []

        def embed(self, texts, *, queries=False):
            self.sent.extend(texts)
            return embedder.embed(texts)

    world = new_world()
    world.embedder, world.chunking = Watching(), Chunking(tokens=60, overlap=10)
    options = replace(world.options(), seen=seen(configured(AWAY)))
    assert world.sync([Planted("hr/gate.txt", TEXT)], options=options).chunks > 3, "edges cut the key"
    assert "gate.txt\n[secret 1]" in Watching.sent
    assert not [text for text in Watching.sent if any(line[8:40] in text for line in BODY)]
    found = world.index().search(Query("Which key opens the gate of hall 7?", frozenset(EVERYONE)))
    assert found.hits[0].document == "hr/gate.txt"

    sent = []

    def embed(texts, *, queries=False):
        sent.append(list(texts))
        return embedder.embed(texts)

    weigher = ConcealingWeigher(embed, needed=0.5, kinds=("secret",), text_of=lambda _: TEXT)
    evidence = weigher.weigh("Which key opens the gate of hall 7?", found)
    assert not [text for texts in sent for text in texts if any(line[8:40] in text for line in BODY)]
    assert evidence.ranked, "the sentences are those of the document, whole"
    assert all(one.candidate.text in TEXT for one in evidence.ranked)


def test_without_secrets_it_weighs_as_with_a_model_on_this_machine_in_one_call(new_world, embedder):
    world = new_world()
    world.sync([Planted("hr/leave.txt", "Every employee gets 28 days of paid annual leave in each year.")])
    found = world.index().search(Query("How many days of leave?", frozenset(EVERYONE)))
    calls = []

    class Counting:
        key, dimensions, max_tokens = embedder.key, embedder.dimensions, embedder.max_tokens
        token_offsets = staticmethod(embedder.token_offsets)

        def embed(self, texts, *, queries=False):
            calls.append(texts)
            return embedder.embed(texts)

    model = Recalling(Counting())
    concealing = ConcealingWeigher(model.embed, needed=0.5, kinds=("secret",), text_of=lambda hit: hit.text)
    plain = SentenceWeigher(embed=embedder.embed, needed=0.5)
    question = "How many days of leave?"
    assert concealing.weigh(question, found) == plain.weigh(question, found)
    assert [len(call) for call in calls] == [1, 3], "the question, then all else at once"


@given(words=st.sets(st.text("abc+.", min_size=1, max_size=4)), text=st.text("abc+. ", max_size=30))
def test_no_word_that_is_concealed_is_left(words, text):
    pattern = concealed(words)
    left = pattern.sub("|", text) if pattern else text
    assert not [word for word in words if word in left]
