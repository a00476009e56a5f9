"""``ragflow init`` writes a file that works at once, and never over another."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragflow.config import load
from ragflow.errors import AlreadyThere, UsageError
from ragflow.sections import Gate, OnInconclusive, Settings
from ragflow.starter import _quoted, next_commands, write
from ragflow.yaml_text import read


def test_the_folder_itself_is_the_source_and_its_creator_may_stand_in_for_others(tmp_path):
    config = load(write(tmp_path, beir=None, login="mia"), environ={})
    (source,) = config.sources.values()
    assert (source.type, source.path, source.readers) == ("files", ".", ("everyone",))
    assert "ragflow.yaml" in source.exclude
    assert config.identity.impersonate == ("mia",)


def test_a_corpus_is_one_chunk_a_document(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "corpus.jsonl").write_text("")
    config = load(write(tmp_path / "W", beir=tmp_path / "set", login="mia"), environ={})
    (source,) = config.sources.values()
    assert (source.type, source.path, source.readers) == ("beir", str(tmp_path / "set"), ("everyone",))
    assert config.chunk.mode == "document"


def test_without_a_corpus_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"no corpus\.jsonl"):
        write(tmp_path / "W", beir=tmp_path, login="mia")
    assert not (tmp_path / "W").exists()


def test_an_existing_file_is_kept(tmp_path):
    file = tmp_path / "ragflow.yaml"
    file.write_text("mine")
    with pytest.raises(AlreadyThere):
        write(tmp_path, beir=None, login="mia")
    assert file.read_text() == "mine"


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write(tmp_path / "x", beir=None, login="mia")


def test_every_default_that_is_shown_is_the_default_and_every_key_is_shown(tmp_path):
    file = write(tmp_path, beir=None, login="mia")
    before = load(file, environ={})
    uncommented = re.sub(r"(?m)^( *)# ( *[a-z_0-9]+:.*)$", r"\1\2", file.read_text())
    # Examples, not the default.
    bare = re.sub(r"(?m)^  principals: .*$", "  principals: {}", uncommented)
    file.write_text(re.sub(r"(?m)^models:.*\n  small: .*$", "models: {}", bare))
    assert load(file, environ={}) == before
    shown = read(file.read_text()).data
    assert set(shown) == set(Settings.model_fields)
    for name, section in shown.items():
        if name not in {
            "version",
            "sources",
            "gates",
            "routes",
            "models",
            "workflows",
            "tools",
            "approvals",
            "notify",
        }:
            fields = Settings.model_fields[name].annotation.model_fields
            assert set(section) == set(fields)


def test_the_examples_of_models_and_routes_are_right(tmp_path):
    file = write(tmp_path, beir=None, login="mia")
    file.write_text(re.sub(r"(?m)^# (models:|  small:|routes:|  - \{name)", r"\1", file.read_text()))
    config = load(file, environ={})
    assert config.models["small"].try_[0].api_key_env == "OPENAI_API_KEY"
    assert [rule.name for rule in config.routes] == ["holidays"]


def test_the_gate_that_is_shown_has_every_key_at_its_default(tmp_path):
    file = write(tmp_path, beir=None, login="mia")
    file.write_text(re.sub(r"(?m)^# (gates:|  - \{dataset|     \{content)", r"\1", file.read_text()))
    shown = read(file.read_text()).data["gates"]
    assert load(file, environ={}).gates == (Gate(dataset="questions.jsonl"),)
    assert [set(gate) for gate in shown] == [set(Gate.model_fields)]
    assert set(shown[0]["on_inconclusive"]) == set(OnInconclusive.model_fields)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_login_or_path_survives_the_file(text):
    assert read(f"- {_quoted(text)}").data == [text]


def test_the_next_commands_can_be_typed(tmp_path):
    assert next_commands(tmp_path / "my docs")[0] == f"ragflow -C '{tmp_path}/my docs' index"
