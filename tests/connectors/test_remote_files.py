import os
import time
import zipfile

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from connectors.archive_files import Archive, Memory
from connectors.errors import SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.globs import globs, selection
from connectors.places import protocol_of
from connectors.remote_files import RemoteFiles, remote_place
from connectors.testing import ConnectorContract


def pack(path, members, **how):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data, zipfile.ZIP_DEFLATED)
    return path


def archive(path, *, max_bytes=10**6, **choice):
    return RemoteFiles(Archive(str(path)), selection(["everyone"], **choice), max_bytes=max_bytes)


def reason_of(call):
    with pytest.raises(UnreadableDocument) as caught:
        call()
    return caught.value.reason


class TestArchiveContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, tmp_path):
        names = ["a.txt", "b/c.md", "b/cafe\u0301.txt", "b/caf\u00e9.txt", "b/"]
        self.path = pack(tmp_path / "docs.zip", [(name, f"text of {name}") for name in names])

    def connector(self):
        return archive(self.path)


class TestMemoryContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self):
        files = MemoryFileSystem()
        for name in ("a.txt", "b/c.md", ".hidden"):
            files.pipe_file(f"/contract/{name}", name.encode())
        yield
        files.rm("/contract", recursive=True)

    def connector(self):
        return RemoteFiles(Memory("contract"), selection(["everyone"]))


def test_members_are_items_with_time_globs_and_readers(tmp_path):
    path = pack(tmp_path / "a.zip", [("public/a.txt", "a"), ("b.txt", "b"), ("c.bin", "c"), ("empty/", "")])
    rules = [(globs(["public/**"])[0], ("everyone",))]
    files = RemoteFiles(Archive(str(path)), selection(["group:hr"], include=["**/*.txt"], readers_by=rules))
    assert [(item.id, item.readers) for item in files.list()] == [
        ("b.txt", ("group:hr",)),
        ("public/a.txt", ("everyone",)),
    ]
    raw = files.fetch(list(files.list())[1])
    assert (raw.name, raw.data, raw.modified) == ("a.txt", b"a", "2026-01-02T03:04:06Z")


def test_a_fingerprint_is_of_the_bytes_and_not_of_the_time(tmp_path):
    path = pack(tmp_path / "a.zip", [("a.txt", "one"), ("b.txt", "two")])
    before = list(archive(path).list())
    pack(path, [("a.txt", "one"), ("b.txt", "2.0")])
    after = list(archive(path).list())
    assert after[0] == before[0]
    assert after[1].fingerprint != before[1].fingerprint


def test_names_that_climb_out_are_left_out_and_write_nothing(tmp_path):
    names = [
        "../out.txt",
        "a/../../b.txt",
        "/abs.txt",
        "..\\win.txt",
        ".git/config",
        "__MACOSX/a",
        "good.txt",
    ]
    files = archive(pack(tmp_path / "a.zip", [(name, name) for name in names]))
    read = {item.id: files.fetch(item).data for item in list(files.list())}
    assert read == {"good.txt": b"good.txt", "/abs.txt": b"/abs.txt"}
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_there_twice_is_its_last_member(tmp_path):
    files = archive(pack(tmp_path / "a.zip", [("a.txt", "old"), ("a.txt", "new")]))
    (item,) = files.list()
    assert files.fetch(item).data == b"new"


def test_a_bomb_is_unpacked_no_further_than_the_limit(tmp_path):
    path = pack(tmp_path / "a.zip", [("bomb.txt", b"0" * 50_000_000)])
    files = archive(path, max_bytes=1000)
    (item,) = files.list()
    assert item.size == 50_000_000
    assert reason_of(lambda: files.fetch(item)) == "too_large"
    # One that says that it is small.
    data = path.read_bytes()
    small = data.replace((50_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(small)
    (item,) = files.list()
    assert item.size == 10
    assert reason_of(lambda: files.fetch(item)) in ("damaged", "too_large")


def test_an_encrypted_member_is_locked_and_a_broken_one_damaged(tmp_path):
    path = pack(tmp_path / "a.zip", [("a.txt", "a" * 100), ("b.txt", "b")])
    data = bytearray(path.read_bytes())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        data[data.index(mark) + (6 if mark[2] == 3 else 8)] |= 1
    path.write_bytes(data)
    files = archive(path)
    locked, fine = files.list()
    assert reason_of(lambda: files.fetch(locked)) == "locked"
    assert files.fetch(fine).data == b"b"
    pack(path, [("a.txt", os.urandom(100)), ("b.txt", "b")])
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    damaged, fine = files.list()
    assert reason_of(lambda: files.fetch(damaged)) == "damaged"
    assert files.fetch(fine).data == b"b"


def test_an_archive_that_is_missing_cut_or_none_is_unavailable_and_never_empty(tmp_path):
    with pytest.raises(SourceUnavailable):
        list(archive(tmp_path / "absent.zip").list())
    path = pack(tmp_path / "a.zip", [("a.txt", "a"), ("b.txt", "b")])
    data = path.read_bytes()
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(SourceUnavailable):
            list(archive(path).list())
    with pytest.raises(SourceUnavailable):
        list(archive(tmp_path).list())


def test_an_archive_that_is_replaced_is_opened_again(tmp_path):
    path = pack(tmp_path / "a.zip", [("a.txt", "old"), ("b.txt", "b")])
    files = archive(path)
    first, second = files.list()
    pack(tmp_path / "new.zip", [("a.txt", "newer")]).replace(path)
    assert files.fetch(first).data == b"newer"
    assert reason_of(lambda: files.fetch(second)) == "vanished"


def test_memory_files_change_their_fingerprint(tmp_path):
    files = MemoryFileSystem()
    source = RemoteFiles(Memory("/changes"), selection([]))
    with pytest.raises(SourceUnavailable):
        list(source.list())
    files.pipe_file("/changes/a.txt", b"one")
    (before,) = source.list()
    time.sleep(0.001)
    files.pipe_file("/changes/a.txt", b"two")
    (after,) = source.list()
    assert before.fingerprint != after.fingerprint
    assert source.fetch(after).data == b"two"
    (single,) = RemoteFiles(Memory("/changes/a.txt"), selection([])).list()
    assert single.id == "a.txt"
    assert RemoteFiles(Memory("/changes/a.txt"), selection([])).fetch(single).data == b"two"
    files.rm("/changes", recursive=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://host/a",
        "ftp://host/a",
        "sftp://me:hunter2@host/a",
        "github://o:r@/a",
        "simplecache::s3://bucket/a",
        "zip://a.txt::file:///a.zip",
        "s3://bucket/a::b",
        "filecache::memory://a",
        "reference://",
        "S3://bucket/a",
        "zip::a.zip",
    ],
)
def test_other_protocols_and_chains_are_refused_with_what_is_allowed(url):
    with pytest.raises(SourceMisconfigured) as caught:
        protocol_of(url)
    assert "s3://" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_an_archive_has_an_absolute_path():
    with pytest.raises(SourceMisconfigured, match="absolute"):
        remote_place("zip://docs.zip", None, None)
    with pytest.raises(SourceMisconfigured, match="credentials"):
        remote_place("s3://bucket", None, None)
    with pytest.raises(SourceMisconfigured, match="local"):
        remote_place("docs", None, None)
