"""The table of groups: who is in which, and what a broken one stops."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ragflow
from ragflow import identity
from ragflow.cli import main
from ragflow.errors import ConfigError
from ragflow.groups import read
from ragflow.identity import Asker, resolve
from ragflow.sections import Identity

GROUPS = {"user:mia": frozenset({"group:hr", "group:leads"}), "user:bob": frozenset({"group:sales"})}


def table(folder: Path, text: str | bytes) -> Path:
    file = folder / "groups.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_lines_pair_a_group_with_a_user(tmp_path):
    text = (
        "\ufeffgroup,user\r\n# the office\r\nhr,mia\r\n\r\ngroup:leads, user:mia\r\n"
        '"sales","bob"\r\nhr,mia\r\n  # end\r\n'
    )
    assert read(table(tmp_path, text)) == GROUPS


def test_an_empty_table_has_nobody_in_a_group(tmp_path):
    assert read(table(tmp_path, "")) == {}
    assert read(table(tmp_path, "# nobody yet\n\n")) == {}


def test_a_heading_is_one_in_the_first_line_only(tmp_path):
    assert read(table(tmp_path, "a,b\ngroup,user\n")) == {
        "user:b": frozenset({"group:a"}),
        "user:user": frozenset({"group:group"}),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hr,mia\nsales\n", r"groups\.csv:2: this is no pair"),
        ("hr,mia\n\nsales,bob,joe\n", r"groups\.csv:3: this is no pair"),
        ("hr,\n", r'groups\.csv:1: "" is no name of a user'),
        (",mia\n", r'groups\.csv:1: "" is no name of a group'),
        ("hr,mia meyer\n", r'groups\.csv:1: "mia meyer" is no name of a user'),
        ("hr,group:sales\n", r"groups\.csv:1: .*a group cannot hold a group"),
        ("user:mia,hr\n", r"groups\.csv:1: .*the first column names a group"),
        ('hr,"mia\nsales,bob"\n', r"groups\.csv:1: "),
        ("hr,m\x00ia\n", r"groups\.csv:1: "),
        (b"hr,mia\nhr,m\xe9l\n", r"groups\.csv:2: this is not UTF-8"),
        (b"\xff\xfeh\x00r\x00", r"groups\.csv:1: this is not UTF-8"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_read(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read(table(tmp_path, text))
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(ConfigError, match=f"identity.groups: {path} cannot be read"):
            read(path)


names = st.from_regex(r"[a-z][a-z0-9.@-]{0,6}", fullmatch=True)


@given(st.lists(st.tuples(names, names)))
def test_what_is_written_is_what_is_read(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("groups")
    read_back = read(table(folder, "# pairs\n" + "".join(f"{group},{user}\n" for group, user in pairs)))
    expected = {(f"group:{group}", f"user:{user}") for group, user in pairs}
    assert {(group, user) for user, groups in read_back.items() for group in groups} == expected


def test_each_user_of_a_login_brings_its_groups():
    both = Identity(principals={"mia": ("user:mia", "user:bob")}, impersonate=("mia",))
    assert resolve(both, "mia", groups=GROUPS).readers == (
        "everyone", "group:hr", "group:leads", "group:sales", "user:bob", "user:mia",
    )  # fmt: skip
    assert resolve(Identity(), "bob", groups=GROUPS) == Asker(
        "user:bob", ("everyone", "group:sales", "user:bob")
    )
    assert resolve(Identity(), "joe", groups=GROUPS).readers == ("everyone", "user:joe")


def test_as_a_user_sees_what_the_user_sees_and_as_a_group_that_group_alone():
    may = Identity(impersonate=("joe",))
    assert resolve(may, "joe", as_=["user:mia"], groups=GROUPS).readers == (
        "everyone", "group:hr", "group:leads", "user:mia",
    )  # fmt: skip
    assert resolve(may, "joe", as_=["group:hr"], groups=GROUPS).readers == ("everyone", "group:hr")


# -- in the whole program ----------------------------------------------------------------------------

LOGIN = identity.login()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pay.md").write_text("# Pay\n\nThe salary is paid on the 25th of each month.\n")
    (tmp_path / "ragflow.yaml").write_text(
        "version: 1\n"
        "sources:\n  hr: {type: files, path: docs, readers: [group:hr]}\n"
        f"identity: {{groups: groups.csv, impersonate: [{LOGIN}]}}\n"
    )
    table(tmp_path, "# nobody\n")
    with ragflow.open(tmp_path) as app:
        assert app.index().exit_code == 0
    return tmp_path


def test_the_table_is_read_anew_by_each_command(workspace, capfd):
    search = ["-C", str(workspace), "search", "salary", "--system", "lexical", "--json"]
    assert main(search) == 6
    table(workspace, f"hr,{LOGIN}\n")
    capfd.readouterr()
    assert main(search) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["readers"] == ["everyone", "group:hr", f"user:{LOGIN}"]
    assert [hit["document"] for hit in shown["hits"]] == ["hr/pay.md"]
    table(workspace, "sales,bob\n")
    assert main(search) == 6
    assert main([*search, "--as", "user:bob"]) == 6
    assert main([*search, "--as", "user:bob", "--as", "group:hr"]) == 0


@pytest.mark.parametrize(
    "command",
    [
        ["search", "salary", "--system", "lexical"],
        ["search", "salary", "--as", "group:hr"],
        ["ask", "salary"],
        ["route", "salary"],
        ["sources", "list"],
        ["sources", "show", "hr/pay.md"],
        ["sources", "text", "hr/pay.md"],
        ["runs", "list"],
        ["runs", "show", "last"],
        ["verify", "last"],
        ["generations", "diff"],
    ],
)
def test_a_broken_table_stops_every_command_that_reads_for_somebody(workspace, capfd, command):
    table(workspace, f"hr,{LOGIN}\nbroken\n")
    assert main(["-C", str(workspace), *command]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "groups.csv:2: this is no pair" in err


def test_a_broken_table_stops_no_index_run(workspace):
    (workspace / "groups.csv").unlink()
    assert main(["-C", str(workspace), "index"]) == 0


def test_readers_of_the_python_face_are_exact(workspace):
    table(workspace, f"hr,{LOGIN}\n")
    with ragflow.open(workspace) as app:
        assert app.search("salary", readers=[f"user:{LOGIN}"]) == ()
        (hit,) = app.search("salary", readers=["group:hr"])
    assert hit.document == "hr/pay.md"
