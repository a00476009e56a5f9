"""Mail on disk: mbox files and Maildir folders, and the ids that messages get."""

import errno
import random
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailboxes import OPEN, message

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.items import Connector
from connectors.mail import mbox as mbox_module
from connectors.mail.letters import Letter, fields, named, split_headers
from connectors.mail.maildir import Maildir
from connectors.mail.mbox import Mbox
from connectors.mail.source import Mail, Rules
from connectors.parsing import parse
from connectors.testing import ConnectorContract

FROM = b"From mia@example.org Mon Nov  2 10:00:00 2026\n"


def mbox(path: Path, *messages: bytes) -> Path:
    path.write_bytes(b"".join(FROM + one.replace(b"\r\n", b"\n") + b"\n" for one in messages))
    return path


def maildir(root: Path, **folders: dict[str, bytes]) -> Path:
    """``inbox`` is the root; names are those of files."""
    for name, files in folders.items():
        folder = root if name == "inbox" else root / f".{name}"
        for part in ("new", "cur", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (folder / ("cur" if ":2," in file else "new") / file).write_bytes(data)
    return root


def ids(box: object, rules: Rules = OPEN) -> list[str]:
    return [item.id for item in Mail(box, rules).list()]


class TestMboxContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, tmp_path: Path) -> None:
        twice = message(3, body="One.")
        self.path = mbox(
            tmp_path / "mail.mbox",
            message(1),
            message(2, Message_ID=""),
            twice,
            twice,
            message(3, body="Two."),
        )

    def connector(self) -> Connector:
        return Mail(Mbox(self.path), OPEN)


class TestMaildirContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, tmp_path: Path) -> None:
        self.path = maildir(
            tmp_path,
            inbox={"1.a": message(1), "2.b:2,S": message(2, Message_ID=""), "3.c:2,": message(3)},
            Archive={"1.a:2,S": message(1), "4.d:2,": message(3, body="Another.")},
        )

    def connector(self) -> Connector:
        return Mail(Maildir(self.path), OPEN)


# -- ids ----------------------------------------------------------------------------------------------


def letter(message_id: str, content: str, fingerprint: str = "f") -> Letter[int]:
    return Letter(message_id, (), content * 64, fingerprint, 1, 0)


LETTERS = st.lists(
    st.builds(
        letter,
        st.sampled_from(["", "a", "b", "a~11111111", "sha256-2222222222222222"]),
        st.sampled_from("123"),
        st.sampled_from("xyz"),
    ),
    max_size=8,
)


@given(LETTERS, st.randoms())
def test_ids_depend_on_what_is_there_and_not_on_its_order(
    letters: list[Letter[int]], chance: random.Random
) -> None:
    given_first = named(letters)
    chance.shuffle(letters)
    assert named(letters) == given_first
    assert {(one.message_id, one.content) for one in letters} == {
        (one.message_id, one.content) for one in given_first.values()
    } or any(not one.message_id for one in letters)


def test_two_messages_of_one_id_take_nothing_from_each_other() -> None:
    first, second = letter("a", "1"), letter("a", "2")
    assert named([first]) == {"a": first}
    assert named([first, second]) == {"a~11111111": first, "a~22222222": second}


def test_an_id_that_looks_like_anothers_gets_its_own() -> None:
    spoof = letter("a~11111111", "3")
    found = named([letter("a", "1"), letter("a", "2"), spoof])
    assert len(found) == 3
    assert found["a~11111111~33333333"] == spoof
    long, other = (
        Letter("a", (), "1" * 8 + "a" * 56, "f", 1, 0),
        Letter("a", (), "1" * 8 + "b" * 56, "f", 1, 0),
    )
    assert set(named([long, other])) == {f"a~{long.content}", f"a~{other.content}"}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("<a.b@c>", "a.b@c"),
        (" <a@b> (comment)", "a@b"),
        ("a@b", "a@b"),
        ("<a b@c>", "a%20b@c"),
        ("<x!/secret.pdf@y>", "x!%2Fsecret.pdf@y"),
        ("<caf\u0065\u0301@x>", "caf\u00e9@x"),
        ("<a\u202eb@x>", "a%E2%80%AEb@x"),
        ("<a\x1bb@x>", "a%1Bb@x"),
        ("<folded\r\n @x>", "folded%20@x"),
    ],
)
def test_a_message_id_becomes_an_id_that_is_seen_and_is_no_members(
    tmp_path: Path, header: str, name: str
) -> None:
    assert ids(Mbox(mbox(tmp_path / "m", message(1, Message_ID=header)))) == [name]


def test_bytes_that_are_no_text_in_an_id_are_kept_apart(tmp_path: Path) -> None:
    data = message(1, Message_ID="<a?b@x>")
    box = Mbox(mbox(tmp_path / "m", data.replace(b"?", b"\xff"), data.replace(b"?", b"\xfe")))
    assert ids(box) == ["a%FEb@x", "a%FFb@x"]


@pytest.mark.parametrize("header", ["", "<>", "<" + "a" * 300 + "@x>"])
def test_a_message_without_a_usable_id_is_named_by_its_bytes(tmp_path: Path, header: str) -> None:
    (name,) = ids(Mbox(mbox(tmp_path / "m", message(1, Message_ID=header))))
    assert re.fullmatch(r"sha256-[0-9a-f]{16}", name)
    mbox(tmp_path / "m", message(2), message(1, Message_ID=header))
    assert name in ids(Mbox(tmp_path / "m"))


# -- what a message is ----------------------------------------------------------------------------------


def test_a_thread_bears_one_title_and_attachments_are_members(tmp_path: Path) -> None:
    body = (
        "--x\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n--x\r\nContent-Type: text/plain\r\n"
        'Content-Disposition: attachment; filename="plan.txt"\r\n\r\nThe plan.\r\n--x--'
    )
    parts = {"MIME_Version": "1.0", "Content_Type": "multipart/mixed; boundary=x"}
    subject = "Re: AW: [2] Fwd: =?utf-8?q?R=C3=A9union?="
    source = Mail(
        Mbox(
            mbox(
                tmp_path / "m",
                message(1, Subject="=?utf-8?q?R=C3=A9union?="),
                message(2, body=body, Subject=subject.replace("[2] ", ""), **parts),
            )
        ),
        OPEN,
    )
    first, second = (source.fetch(item) for item in source.list())
    assert first.title == second.title == "R\u00e9union"
    assert second.author == "Mia <mia@example.org>"
    whole, member = parse(second).documents
    assert (whole.item, member.item) == ("m2@example.org", "m2@example.org!/plan.txt")
    assert whole.title == "R\u00e9union"
    assert [anchor.kind for anchor in whole.anchors] == ["message"]
    assert member.text == "The plan."


@pytest.mark.parametrize("subject", ["", "Re:", "Re: re:", "=?utf-8?q??="])
def test_a_message_without_a_subject_says_so(tmp_path: Path, subject: str) -> None:
    source = Mail(Mbox(mbox(tmp_path / "m", message(1, Subject=subject))), OPEN)
    assert [source.fetch(item).title for item in source.list()] == ["(no subject)"]


@pytest.mark.parametrize("subject", ["=?no-such-charset?q?x?=", "=?utf-8?b?!!!?=", "=?utf-8?q?=FF?="])
def test_a_broken_subject_stops_nothing(tmp_path: Path, subject: str) -> None:
    source = Mail(Mbox(mbox(tmp_path / "m", message(1, Subject=subject))), OPEN)
    assert [bool(source.fetch(item).title) for item in source.list()] == [True]


def test_participants_read_and_the_sources_readers_besides(tmp_path: Path) -> None:
    path = mbox(
        tmp_path / "m",
        message(1, to="Bob@Example.org, eve@example.org", Cc="undisclosed-recipients:;"),
        message(2, to='"everyone" <mia@example.org>', From="broken <"),
        message(3, to="", From="", Message_ID="<m3@x>"),
    )
    mine = [item.readers for item in Mail(Mbox(path), Rules((), participants=True)).list()]
    assert mine == [
        ("user:bob@example.org", "user:eve@example.org", "user:mia@example.org"),
        ("user:mia@example.org",),
        (),
    ]
    with_group = [item.readers for item in Mail(Mbox(path), Rules(("group:it",), participants=True)).list()]
    assert with_group == [tuple(sorted({*one, "group:it"})) for one in mine]
    assert {item.readers for item in Mail(Mbox(path), Rules(("group:it",))).list()} == {("group:it",)}


def test_one_broken_message_stops_no_other(tmp_path: Path) -> None:
    broken = b"\xff\xfe\x00 no header at all\n\nbody\n"
    deep = message(2, body="--x\r\n" * 2000, MIME_Version="1.0", Content_Type="multipart/mixed; boundary=x")
    source = Mail(Mbox(mbox(tmp_path / "m", broken, message(1), deep, b"")), OPEN)
    read = {item.id: parse(source.fetch(item)) for item in source.list()}
    assert len(read) == 4
    assert read["m1@example.org"].documents[0].text.endswith("Hello.")
    assert sum(bool(one.unreadable) for one in read.values()) >= 2


def test_a_message_over_the_limit_is_listed_and_refused(tmp_path: Path) -> None:
    big = message(1, body="x" * 5000)
    for box in (Mbox(mbox(tmp_path / "m", big)), Maildir(maildir(tmp_path / "d", inbox={"1.a": big}))):
        source = Mail(box, Rules((), max_bytes=1000))
        (item,) = source.list()
        with pytest.raises(UnreadableDocument) as caught:
            source.fetch(item)
        assert caught.value.reason == "too_large"


# -- mbox -----------------------------------------------------------------------------------------------


def texts(path: Path) -> list[bytes]:
    source = Mail(Mbox(path), OPEN)
    return [source.fetch(item).data for item in source.list()]


BODY = st.lists(
    st.sampled_from(["", "Hello.", "x" * 200, ">From me", "From", " From x", "\xe9", "Status: RO"]),
    max_size=8,
)


@given(st.lists(BODY, min_size=1, max_size=6), st.sampled_from([300, 4000, 1 << 20]), st.booleans())
def test_what_was_written_into_an_mbox_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    bodies: list[list[str]],
    block: int,
    crlf: bool,  # noqa: FBT001
) -> None:
    path = tmp_path_factory.mktemp("mbox") / "m"
    written = [
        message(number, body="\r\n".join(body)).replace(b"\r\n", b"\n") for number, body in enumerate(bodies)
    ]
    whole = b"".join(FROM + one + b"\n" for one in written)
    path.write_bytes(whole.replace(b"\n", b"\r\n") if crlf else whole)
    before, mbox_module._BLOCK = mbox_module._BLOCK, block
    try:
        found = [one.replace(b"\r\n", b"\n") for one in texts(path)]
    finally:
        mbox_module._BLOCK = before
    assert sorted(found) == sorted(written)


def test_a_line_that_begins_with_from_splits_behind_an_empty_line_or_with_a_time(tmp_path: Path) -> None:
    path = tmp_path / "m"
    first = message(1, body="text\nFrom here on it is ours").replace(b"\r\n", b"\n")
    path.write_bytes(FROM + first + FROM + message(2).replace(b"\r\n", b"\n"))
    assert [len(fields(one)) for one in texts(path)] == [5, 5]
    assert b"From here on" in texts(path)[0]


def test_reading_marks_are_no_part_of_a_message(tmp_path: Path) -> None:
    path = mbox(tmp_path / "m", message(1, body="Status: stays"))
    (before,), read = Mail(Mbox(path), OPEN).list(), texts(path)
    mbox(path, message(1, body="Status: stays", Status="RO", X_Status="A", X_UID="7"))
    assert [*Mail(Mbox(path), OPEN).list()] == [before]
    assert texts(path) == read
    assert b"Status: stays" in read[0]


def test_appending_changes_no_other_message(tmp_path: Path) -> None:
    path = mbox(tmp_path / "m", message(1), message(2))
    before = list(Mail(Mbox(path), OPEN).list())
    mbox(path, message(1), message(2), message(3))
    assert list(Mail(Mbox(path), OPEN).list())[:2] == before


def test_an_mbox_that_changes_while_it_is_listed_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = mbox(tmp_path / "m", message(1), message(2))
    letters = Mbox(path).letters()
    next(letters)
    mbox(path, message(1), message(2), message(3))
    with pytest.raises(SourceUnavailable, match="changed while it was listed"):
        list(letters)


def test_a_message_that_moved_in_the_file_is_not_mistaken_for_another(tmp_path: Path) -> None:
    path = mbox(tmp_path / "m", message(1), message(2))
    source = Mail(Mbox(path), OPEN)
    first, second = source.list()
    mbox(path, message(2))
    for item in (first, second):
        with pytest.raises(UnreadableDocument) as caught:
            source.fetch(item)
        assert caught.value.reason == "vanished"


def test_an_empty_mbox_holds_nothing_and_another_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert ids(Mbox(tmp_path / "empty")) == []
    for data in (b"To: x\n\nno mbox\n", b"x" * 3000 + b"\n\n" + FROM + message(1), b"Hello\n\n" + FROM):
        (tmp_path / "other").write_bytes(data)
        with pytest.raises(SourceMisconfigured, match="no mbox file"):
            ids(Mbox(tmp_path / "other"))


def test_a_box_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    for box in (Mbox(tmp_path / "none"), Maildir(tmp_path / "none")):
        with pytest.raises(SourceUnavailable, match="cannot read"):
            ids(box)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceMisconfigured, match="no Maildir"):
        ids(Maildir(tmp_path / "empty"))


def test_a_large_mbox_and_a_line_without_end_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with path.open("wb") as file:
        for number in range(5):
            file.write(FROM + message(number).replace(b"\r\n", b"\n") + b"y" * 20_000_000 + b"\n\n")
    tracemalloc.start()
    try:
        assert len(ids(Mbox(path))) == 5
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_headers_that_do_not_end_name_nobody(tmp_path: Path) -> None:
    endless = b"Message-ID: <a@b>\nTo: mia@x\n" + b"X: y\n" * 60_000 + b"\nbody\n"
    for box in (
        Mbox(mbox(tmp_path / "m", endless)),
        Maildir(maildir(tmp_path / "d", inbox={"1.a": endless})),
    ):
        (item,) = Mail(box, Rules((), participants=True)).list()
        assert (item.id, item.readers) == ("a@b", ())


# -- Maildir --------------------------------------------------------------------------------------------


def test_trashed_hidden_and_unfinished_files_are_left_out(tmp_path: Path) -> None:
    root = maildir(
        tmp_path,
        inbox={"1.a": message(1), "2.b:2,ST": message(2), ".nfs3:2,": message(3)},
        Archive={"4.d:2,S": message(4)},
    )
    (root / "tmp" / "5.e").write_bytes(message(5))
    (root / "cur" / "6.f:2,").symlink_to(root / "new" / "1.a")
    (root / "Sub" / "new").mkdir(parents=True)
    (root / "Sub" / "cur").mkdir()
    (root / "Sub" / "cur" / "7.g:2,").write_bytes(message(7))
    assert ids(Maildir(root)) == ["m1@example.org", "m4@example.org", "m7@example.org"]


def test_flags_change_neither_fingerprint_nor_what_is_fetched(tmp_path: Path) -> None:
    root = maildir(tmp_path, inbox={"1.a": message(1)})
    source = Mail(Maildir(root), OPEN)
    (item,) = source.list()
    (root / "new" / "1.a").rename(root / "cur" / "1.a:2,S")
    assert source.fetch(item).data == message(1)
    assert list(source.list()) == [item]
    (root / "cur" / "1.a:2,S").rename(root / "cur" / "1.a:2,ST")
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(item)
    assert caught.value.reason == "vanished"
    assert list(source.list()) == []


def test_a_folder_that_moves_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.mail import maildir as module

    root = maildir(tmp_path, inbox={"1.a": message(1), "2.b": message(2)})
    real, moves = module._letter, iter(["1.a", "2.b"])

    def moving(path: str, place: tuple[str, str]) -> object:
        name = next(moves, None)
        if name is not None:
            (root / "new" / name).rename(root / "cur" / f"{name}:2,S")
        return real(path, place)

    monkeypatch.setattr(module, "_letter", moving)
    assert ids(Maildir(root)) == ["m1@example.org", "m2@example.org"]


def test_a_folder_that_never_stands_still_is_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.mail import maildir as module

    root, count = maildir(tmp_path, inbox={"1.a": message(1)}), iter(range(1000))
    real = module._files

    def busy(folder: str) -> dict[str, str]:
        (root / "new" / f"9{next(count)}.x").write_bytes(message(9))
        return real(folder)

    monkeypatch.setattr(module, "_files", busy)
    with pytest.raises(SourceUnavailable, match="faster than it can be listed"):
        ids(Maildir(root))


def test_a_message_that_may_not_be_read_is_not_taken_for_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.mail import maildir as module

    def denied(path: str, place: tuple[str, str]) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    root = maildir(tmp_path, inbox={"1.a": message(1)})
    monkeypatch.setattr(module, "_letter", denied)
    with pytest.raises(AccessDenied, match=r"1\.a"):
        ids(Maildir(root))


@given(st.binary(max_size=60))
def test_headers_and_rest_are_the_whole(data: bytes) -> None:
    parts = split_headers(data)
    if parts is not None:
        assert b"".join(parts) == data
        assert re.match(rb"\r?\n", parts[1])
