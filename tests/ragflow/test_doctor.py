"""``ragflow doctor`` finds what is wrong, says what mends it, and shows no document."""

import json
from contextlib import nullcontext

import pytest

from ragflow import doctor
from ragflow.doctor import Check, examine, exit_code, to_json
from ragflow.errors import ConfigError, StoreDamaged

GOOD = "sources:\n  hr: {type: files, path: ., readers: [everyone]}\n"


class Sound:
    """A workspace whose store, generation and orphans are as told."""

    def __init__(self, *checks):
        self.checks = list(checks)
        self.fixed = []

    def health(self, *, fix):
        self.fixed.append(fix)
        return self.checks


@pytest.fixture
def look(tmp_path):
    (tmp_path / "ragflow.yaml").write_text(GOOD)

    def look(workspace=None, *, fix=False, overrides=()):
        workspace = workspace or Sound(Check("store", "ok", "sound"))
        found = examine(tmp_path, overrides=overrides, opener=lambda *_: nullcontext(workspace), fix=fix)
        return {check.name: check for check in found}

    return look


def test_every_part_is_looked_at(look):
    names = {"configuration", "model", "rights", "space", "ocr", "extras", "store"}
    assert set(look()) == names
    assert {check.status for name, check in look().items() if name != "ocr"} == {"ok"}


def test_variables_of_sources_that_are_not_set_are_named(look, tmp_path, monkeypatch):
    bucket = "{type: files, path: 's3://docs/x', storage: {key_env: THE_KEY, secret_env: THE_SECRET}}"
    (tmp_path / "ragflow.yaml").write_text(f"sources:\n  hr: {bucket}\n")
    monkeypatch.setenv("THE_SECRET", "hunter2")
    monkeypatch.delenv("THE_KEY", raising=False)
    check = look()["variables"]
    assert (check.status, "THE_KEY (hr)" in check.message) == ("warn", True)
    assert "THE_SECRET" not in check.message + check.cure
    monkeypatch.setenv("THE_KEY", "hunter3")
    assert "variables" not in look()


def test_the_installed_weights_are_the_published_ones(look):
    assert look()["model"].status == "ok"


def test_an_unknown_model_is_a_failure_with_its_cure(look):
    check = look(overrides=["embed.model=./absent"])["model"]
    assert check.status == "fail"
    assert check.cure


def test_a_workspace_open_to_others_is_found_and_mended(look, tmp_path):
    workspace = tmp_path / ".ragflow"
    workspace.mkdir(mode=0o755)
    workspace.chmod(0o755)
    assert look()["rights"].status == "warn"
    assert look(fix=True)["rights"].status == "ok"
    assert workspace.stat().st_mode & 0o777 == 0o700
    assert look()["rights"].status == "ok"


def test_fix_reaches_the_workspace_only_when_asked_for(look):
    workspace = Sound()
    look(workspace)
    look(workspace, fix=True)
    assert workspace.fixed == [False, True]


def test_a_workspace_that_cannot_be_opened_is_a_finding(tmp_path):
    (tmp_path / "ragflow.yaml").write_text(GOOD)

    def broken(*_):
        raise StoreDamaged("store.sqlite is not what its digest says")

    found = examine(tmp_path, overrides=(), opener=broken, fix=False)
    assert found[-1] == Check("workspace", "fail", "store.sqlite is not what its digest says", found[-1].cure)
    assert exit_code(found) == 8


def test_without_a_configuration_there_is_nothing_to_examine(tmp_path):
    with pytest.raises(ConfigError):
        examine(tmp_path, overrides=(), opener=lambda *_: nullcontext(Sound()), fix=False)


def test_a_source_that_nobody_may_read_is_told(look, tmp_path):
    (tmp_path / "ragflow.yaml").write_text("sources:\n  hr: {type: files, path: .}\n")
    assert look()["configuration"].status == "warn"


@pytest.mark.parametrize(
    ("free", "status"), [(50_000_000, "fail"), (500_000_000, "warn"), (2_000_000_000, "ok")]
)
def test_little_space_is_told(look, monkeypatch, free, status):
    class Usage:
        pass

    Usage.free = free
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage)
    assert look()["space"].status == status


@pytest.mark.parametrize(
    ("where", "setting", "status"), [(None, "auto", "warn"), (None, "off", "ok"), ("/t", "auto", "ok")]
)
def test_missing_ocr_is_a_warning_only_where_it_is_wanted(look, monkeypatch, where, setting, status):
    monkeypatch.setattr(doctor.shutil, "which", lambda _: where)
    assert look(overrides=[f"parse.ocr={setting}"])["ocr"].status == status


def test_a_warning_is_no_failure():
    assert exit_code([Check("a", "ok", ""), Check("b", "warn", "", "")]) == 0
    assert exit_code([Check("a", "ok", ""), Check("b", "fail", "", "")]) == 8


def test_every_finding_has_a_cure(look):
    assert all(check.cure for check in look().values() if check.status != "ok")


def test_the_json_shape():
    shown = to_json([Check("ocr", "warn", "no tesseract", "install it")])
    assert json.loads(json.dumps(shown)) == {
        "schema": "ragflow.doctor/1",
        "checks": [{"name": "ocr", "status": "warn", "message": "no tesseract", "cure": "install it"}],
    }


def test_a_copy_that_a_killed_test_left_behind_is_named_and_removed_and_a_living_one_stays(tmp_path):
    from ragflow.copies import abandoned, copy_folder, remove_abandoned

    (tmp_path / ".access-dead").mkdir()
    (tmp_path / ".access-dead" / "store.sqlite").write_text("secret")
    with copy_folder(tmp_path) as living:
        assert abandoned(tmp_path) == [tmp_path / ".access-dead"]
        assert remove_abandoned(tmp_path) == 1
        assert list(tmp_path.iterdir()) == [living]
    assert list(tmp_path.iterdir()) == []
