import pytest

from connectors.errors import SourceMisconfigured
from connectors.files import Files
from connectors.globs import globs, readers_of, selection


def rules(*pairs):
    return tuple((globs((glob,))[0], tuple(readers)) for glob, readers in pairs)


def test_the_first_rule_that_matches_gives_the_readers():
    given = rules(("public/**", ["everyone"]), ("**/*.md", ["group:a"]), ("**/*", ["group:b"]))
    assert readers_of("public/a.md", given, ("user:x",)) == ("everyone",)
    assert readers_of("b/a.md", given, ("user:x",)) == ("group:a",)
    assert readers_of("b/a.txt", given, ("user:x",)) == ("group:b",)


def test_where_no_rule_matches_the_sources_readers_stand():
    assert readers_of("a.txt", rules(("b/**", ["everyone"])), ("user:x",)) == ("user:x",)
    assert readers_of("a.txt", (), ()) == ()


def test_a_rule_without_readers_hides_what_it_matches():
    assert readers_of("Secret/a.txt", rules(("secret/**", [])), ("everyone",)) == ()


def test_exclude_wins_and_without_include_nothing_is_wanted():
    assert selection([], include=["**/*"], exclude=["**/b.*"]).wants("a/a.txt")
    assert not selection([], include=["**/*"], exclude=["**/b.*"]).wants("a/B.txt")
    assert not selection([], include=[]).wants("a.txt")


def test_files_have_the_readers_of_their_rule(tmp_path):
    (tmp_path / "public").mkdir()
    for name in ("public/a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    source = Files(tmp_path, readers=["group:hr"], readers_by=rules(("public/**", ["everyone"])))
    assert {item.id: item.readers for item in source.list()} == {
        "public/a.txt": ("everyone",),
        "b.txt": ("group:hr",),
    }


def test_a_rule_that_leaves_the_root_is_refused():
    with pytest.raises(SourceMisconfigured):
        globs(["../**"])
