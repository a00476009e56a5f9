"""``write_file``: whole or not at all, inside one folder, through no symlink, whoever else is there."""

import os
import threading
from contextlib import suppress
from itertools import count

import pytest
from tool_parts import Made

from ragflow.workflows.errors import ToolFailed, ToolRefused


def writing(folder, **settings):
    (folder / "out").mkdir(parents=True)
    tool = {
        "use": "write_file",
        "effect": "write",
        "roles": ["everyone"],
        "settings": {"folder": "out", **settings},
    }
    return Made(folder, tools={"write": tool})


def test_a_file_is_written_whole_and_never_over_another(tmp_path):
    workspace = writing(tmp_path)
    result = workspace.call("write", {"path": "replies/A-17.txt", "text": "Dear Mia, ö\n"})
    file = tmp_path / "out" / "replies" / "A-17.txt"
    assert file.read_text(encoding="utf-8") == "Dear Mia, ö\n"
    assert (result["path"], result["bytes"]) == ("replies/A-17.txt", 13)
    workspace.new_run(2)
    with pytest.raises(ToolFailed, match="is there already") as failed:
        workspace.call("write", {"path": "replies/A-17.txt", "text": "other"})
    assert failed.value.happened is False
    assert file.read_text(encoding="utf-8") == "Dear Mia, ö\n"
    assert [one.name for one in file.parent.iterdir()] == ["A-17.txt"]
    workspace.database.close()


def test_a_file_may_be_replaced_where_the_settings_say_so(tmp_path):
    workspace = writing(tmp_path, overwrite=True)
    for number, text in enumerate(["one", "two"]):
        workspace.new_run(number)
        workspace.call("write", {"path": "a.txt", "text": text})
    assert (tmp_path / "out" / "a.txt").read_text(encoding="utf-8") == "two"
    (tmp_path / "out" / "link.txt").symlink_to(tmp_path / "ragflow.yaml")
    os.mkfifo(tmp_path / "out" / "pipe.txt")
    before = (tmp_path / "ragflow.yaml").read_bytes()
    for number, name in enumerate(["link.txt", "pipe.txt"], start=5):
        workspace.new_run(number)
        with pytest.raises(ToolFailed, match="symlink"):
            workspace.call("write", {"path": name, "text": "x"})
    assert (tmp_path / "ragflow.yaml").read_bytes() == before
    workspace.database.close()


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "a/../../b",
        "/etc/passwd",
        "a//b",
        "",
        ".",
        "..",
        ".git/hooks/x",
        "a/.b",
        "~/a",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        "x" * 201,
        "a/",
    ],
)
def test_no_path_leaves_the_folder_or_hides_in_it(tmp_path, path):
    workspace = writing(tmp_path)
    with pytest.raises(ToolRefused) as refused:
        workspace.call("write", {"path": path, "text": "x"})
    assert refused.value.kind == "arguments"
    assert list((tmp_path / "out").iterdir()) == []
    workspace.database.close()


def test_no_symlink_on_the_way_is_followed(tmp_path):
    workspace = writing(tmp_path)
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (tmp_path / "out" / "link").symlink_to(outside)
    (tmp_path / "out" / "real").mkdir()
    (tmp_path / "out" / "real" / "deep").symlink_to(outside / "deep")
    for number, path in enumerate(["link/a.txt", "link/deep/a.txt", "real/deep/a.txt"]):
        workspace.new_run(number)
        with pytest.raises(ToolFailed, match="symlink") as failed:
            workspace.call("write", {"path": path, "text": "x"})
        assert failed.value.happened is False
    assert [one.name for one in outside.rglob("*")] == ["deep"]
    workspace.database.close()


def test_a_folder_that_is_swapped_for_a_symlink_meanwhile_leads_nowhere(tmp_path, rounds):
    workspace = writing(tmp_path)
    outside, inside = tmp_path / "outside", tmp_path / "out" / "sub"
    outside.mkdir()
    inside.mkdir()
    over = threading.Event()

    def swap():
        for number in count():
            if over.is_set():
                return
            # The tool makes the folder where it is gone: then there is nothing to swap this time.
            with suppress(OSError):
                inside.rename(tmp_path / "out" / f"aside{number}")
            with suppress(OSError):
                inside.symlink_to(outside)
            with suppress(OSError):
                inside.unlink()

    swapping = threading.Thread(target=swap)
    swapping.start()
    kinds = []
    try:
        for number in range(rounds(fast=60, soak=2000)):
            action = workspace.toolbox.check(
                "write", {"path": f"sub/{number}.txt", "text": "x"}, workspace.caller, str(number)
            )
            try:
                workspace.toolbox.attempt(action, workspace.caller)
                kinds.append("written")
            except ToolFailed as error:
                kinds.append(error.kind)
    finally:
        over.set()
        swapping.join()
    assert list(outside.iterdir()) == []
    assert set(kinds) <= {"written", "rejected", "error"}
    assert len(list((tmp_path / "out").rglob("*.txt"))) >= kinds.count("written")
    workspace.database.close()


def test_a_file_that_is_there_with_that_text_was_written(tmp_path):
    workspace = writing(tmp_path)
    wanted = {"path": "sub/a.txt", "text": "x"}
    action = workspace.toolbox.check("write", wanted, workspace.caller, "0")
    assert workspace.toolbox.state(action).known == "not_done"
    given = workspace.toolbox.attempt(action, workspace.caller)
    told = workspace.toolbox.state(action)
    assert (told.known, told.result) == ("done", given)
    (tmp_path / "out" / "sub" / "a.txt").write_text("y", encoding="utf-8")
    assert workspace.toolbox.state(action).known == "not_done"
    workspace.database.close()
