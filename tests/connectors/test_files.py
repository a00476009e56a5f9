import contextlib
import os
import socket
import stat
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.files import Files
from connectors.items import Connector, Item
from connectors.testing import ConnectorContract

NOBODY = 65534


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")


def ids(connector: Files) -> list[str]:
    return [item.id for item in connector.list()]


def files(path: Path, **settings: object) -> Files:
    return Files(path, readers=["everyone"], **settings)


class TestFilesContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, tmp_path: Path) -> None:
        self.root = tmp_path / "docs"
        write(self.root, "a.txt", "sub/b.md", "sub/deep/e\u0301.txt")
        (self.root / "large.txt").write_bytes(b"0" * 5000)

    def connector(self) -> Connector:
        return files(self.root, max_bytes=1000)


def test_ids_are_paths_below_the_root(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt")
    (first, *_) = items = list(files(tmp_path).list())
    assert [item.id for item in items] == ["a/b/c.txt", "a/z.txt", "b.txt"]
    about = (tmp_path / "a/b/c.txt").stat()
    assert first == Item("a/b/c.txt", f"{about.st_size}-{about.st_mtime_ns}", ("everyone",), about.st_size)


def test_one_file_is_a_source_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.txt")
    source = files(tmp_path / "a.txt")
    (item,) = source.list()
    assert source.fetch(item).data == b"text of a.txt"


def test_a_fetched_file_carries_its_time_in_utc(tmp_path: Path) -> None:
    write(tmp_path, "sub/a.txt")
    os.utime(tmp_path / "sub/a.txt", ns=(0, 1_767_225_600_999_999_999))
    source = files(tmp_path)
    raw = source.fetch(next(source.list()))
    assert (raw.name, raw.modified, raw.link) == ("a.txt", "2026-01-01T00:00:00Z", None)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["**/*"], [], ["a.TXT", "b.md", "sub/c.txt", "sub/deep/d.txt", "sub/deep/~$d.docx"]),
        (["**/*.txt"], [], ["a.TXT", "sub/c.txt", "sub/deep/d.txt"]),
        (["*.txt"], [], ["a.TXT"]),
        (["sub/**"], ["**/~$*"], ["sub/c.txt", "sub/deep/d.txt"]),
        (["SUB/**/*.txt"], [], ["sub/c.txt", "sub/deep/d.txt"]),
        (["**/*"], ["sub/**", "**/b.*"], ["a.TXT"]),
        (["**/deep/*"], ["**/[~]*"], ["sub/deep/d.txt"]),
        (["**/?.txt"], ["**/[!cd].txt"], ["sub/c.txt", "sub/deep/d.txt"]),
        (["./b.md"], [], ["b.md"]),
        ([], [], []),
    ],
)
def test_globs_choose_without_case_and_exclude_wins(
    tmp_path: Path, include: list[str], exclude: list[str], expected: list[str]
) -> None:
    write(tmp_path, "a.TXT", "b.md", "sub/c.txt", "sub/deep/d.txt", "sub/deep/~$d.docx")
    assert ids(files(tmp_path, include=include, exclude=exclude)) == expected


@given(st.text(alphabet="a*?[]!^-\\.(){}|+$/é", min_size=1, max_size=12))
def test_any_pattern_is_a_glob_or_refused(pattern: str) -> None:
    with contextlib.suppress(SourceMisconfigured):
        Files("/nowhere", readers=[], include=[pattern])


def test_office_lock_files_are_out_unless_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "a.docx", "~$a.docx", "sub/~$b.docx")
    assert ids(files(tmp_path)) == ["a.docx"]


def test_hidden_files_and_folders_are_out(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", ".env", ".ragflow/store.txt", "sub/.git/config.txt", "sub/b.txt")
    assert ids(files(tmp_path)) == ["a.txt", "sub/b.txt"]


def test_links_never_leave_the_root_and_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    write(root, "a.txt", "sub/b.txt", ".hidden/c.txt")
    write(tmp_path, "outside/secret.txt")
    (root / "link.txt").symlink_to(root / "a.txt")
    (root / "out.txt").symlink_to(tmp_path / "outside/secret.txt")
    (root / "outside").symlink_to(tmp_path / "outside")
    (root / "sub/loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "dangling").symlink_to(root / "nothing")
    (root / "hidden.txt").symlink_to(root / ".hidden/c.txt")
    assert ids(files(root)) == ["a.txt", "link.txt", "sub/b.txt"]


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.txt")
    (tmp_path / "link").symlink_to(tmp_path / "docs")
    assert ids(files(tmp_path / "link")) == ["a.txt"]


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's name is short, a temporary folder's is not
        server.bind("socket.txt")
        os.chdir(here)
        assert ids(files(tmp_path)) == ["a.txt"]


def test_names_that_are_equal_after_nfc_both_survive(tmp_path: Path) -> None:
    for name in ("caf\u00e9.txt", "cafe\u0301.txt"):
        (tmp_path / name).write_text(name)
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system keeps one name for both")
    source = files(tmp_path)
    found = {item.id: source.fetch(item).data.decode() for item in source.list()}
    assert found.pop("caf\u00e9.txt") == "caf\u00e9.txt"
    ((other, text),) = found.items()
    assert text == "cafe\u0301.txt"
    assert other.startswith("caf\u00e9.txt~")
    assert unicodedata.is_normalized("NFC", other)


def test_a_name_that_is_no_utf8_gets_a_readable_id(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(path)).write_text("bytes")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    write(tmp_path, "caf%E9.txt")
    source = files(tmp_path)
    found = {item.id: source.fetch(item).data for item in source.list()}
    assert found.pop("caf%E9.txt") == b"text of caf%E9.txt"
    ((other, data),) = found.items()
    assert data == b"bytes"
    assert other.startswith("caf%E9.txt~")


def test_a_large_file_is_listed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"0" * 101)
    source = files(tmp_path, max_bytes=100)
    (item,) = source.list()
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(item)
    assert caught.value.reason == "too_large"
    (tmp_path / "a.txt").write_bytes(b"0" * 100)
    assert len(source.fetch(item).data) == 100


def test_a_file_that_is_gone_is_vanished(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    source = files(tmp_path)
    (item,) = source.list()
    (tmp_path / "a.txt").unlink()
    for connector in (source, files(tmp_path)):
        with pytest.raises(UnreadableDocument) as caught:
            connector.fetch(item)
        assert caught.value.reason == "vanished"


def test_a_missing_root_is_not_an_empty_source(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        ids(files(tmp_path / "nothing"))
    assert "nothing" in str(caught.value)
    assert caught.value.hint


def test_a_root_that_goes_while_it_is_listed_is_noticed(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    write(root, "a.txt", "b/c.txt")
    listing = files(root).list()
    next(listing)
    root.rename(tmp_path / "moved")
    with pytest.raises(SourceUnavailable):
        list(listing)


def test_a_root_that_is_replaced_while_it_is_listed_is_noticed(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    write(root, "a.txt")
    listing = files(root).list()
    next(listing)
    root.rename(tmp_path / "moved")
    root.mkdir()
    with pytest.raises(SourceUnavailable):
        list(listing)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Give up the rights that root has over everything, for the rest of the test."""
    opened = [path for path in (tmp_path, *tmp_path.parents) if path.stat().st_uid == os.getuid()]
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in opened}

    def change() -> None:
        if os.getuid() == 0:
            for path in opened:
                path.chmod(before[path] | 0o055)
            os.seteuid(NOBODY)

    yield change
    os.seteuid(os.getuid())
    for path, mode in before.items():
        path.chmod(mode)


def test_a_folder_without_rights_stops_the_listing(tmp_path: Path, as_nobody: Callable[[], None]) -> None:
    write(tmp_path, "a.txt", "closed/b.txt", "z.txt")
    (tmp_path / "closed").chmod(0)
    as_nobody()
    try:
        with pytest.raises(AccessDenied) as caught:
            ids(files(tmp_path))
    finally:
        os.seteuid(os.getuid())
        (tmp_path / "closed").chmod(0o700)
    assert "closed" in str(caught.value)
    assert caught.value.hint


def test_a_file_without_rights_is_denied_alone(tmp_path: Path, as_nobody: Callable[[], None]) -> None:
    write(tmp_path, "a.txt", "z.txt")
    (tmp_path / "a.txt").chmod(0)
    (tmp_path / "z.txt").chmod(0o644)
    as_nobody()
    source = files(tmp_path)
    first, last = source.list()
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(first)
    assert caught.value.reason == "denied"
    assert source.fetch(last).data == b"text of z.txt"


@pytest.mark.parametrize("pattern", ["", "/", "../*", "a/../b"])
def test_a_pattern_that_leaves_the_root_is_refused(pattern: str) -> None:
    with pytest.raises(SourceMisconfigured) as caught:
        Files("/nowhere", readers=[], exclude=[pattern])
    assert caught.value.hint


def test_another_protocol_is_refused_clearly(tmp_path: Path) -> None:
    with pytest.raises(SourceMisconfigured, match="s3"):
        Files("s3://bucket/docs", readers=[])
    write(tmp_path, "a.txt")
    assert ids(Files(f"file://{tmp_path}", readers=[])) == ["a.txt"]
