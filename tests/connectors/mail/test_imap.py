"""Folders of a real IMAP server: what is listed, what is asked for, and what a bad server can do."""

import gc
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import dovecot
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailboxes import OPEN, Mailbox, message
from tcp_faults import Proxy

from connectors.errors import (
    AccessDenied,
    ConnectorError,
    ResponseTooLarge,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.items import Connector
from connectors.mail.imap import Imap, _quoted, _ranges
from connectors.mail.remembered import Remembered, Row
from connectors.mail.source import Mail, Rules
from connectors.mail.wire import Server
from connectors.retrying import Patience
from connectors.testing import ConnectorContract

ONCE = Patience(tries=1)


class TestImapContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        mailbox.create("Archive")
        mailbox.append(message(1), message(2, Message_ID=""), message(3))
        mailbox.append(message(1), message(3, body="Another body."), folder="Archive")

    def connector(self) -> Connector:
        return self.mailbox.source("INBOX", "Archive")


def ids(source: Mail) -> list[str]:
    return [item.id for item in source.list()]


def test_what_is_added_is_listed_and_what_is_deleted_is_not(mailbox: Mailbox) -> None:
    source = mailbox.source()
    assert ids(source) == []
    mailbox.append(message(1), message(2), message(3))
    assert ids(source) == ["m1@example.org", "m2@example.org", "m3@example.org"]
    mailbox.flag("2", r"\Deleted")
    assert ids(source) == ["m1@example.org", "m3@example.org"]
    mailbox.flag("1", r"\Deleted", expunge=True)
    mailbox.append(message(4))
    assert ids(source) == ["m3@example.org", "m4@example.org"]


def test_nothing_is_marked_as_read(mailbox: Mailbox) -> None:
    mailbox.append(message(1), message(2))
    source = mailbox.source()
    for item in source.list():
        source.fetch(item)
    assert b"Seen" not in mailbox.flags()


def test_only_what_is_new_is_asked_for(mailbox: Mailbox) -> None:
    mailbox.append(*(message(number) for number in range(1000)))
    with Proxy(mailbox.server.port) as proxy:
        first = list(mailbox.source(port=proxy.port).list())
        assert len(first) == 1000
        assert proxy.count("HEADER.FIELDS") == 5
        proxy.lines.clear()
        assert list(mailbox.source(port=proxy.port).list()) == first
        assert proxy.count("UID SEARCH") == 1
        assert proxy.count("FETCH") == 0
        mailbox.append(*(message(number) for number in range(1000, 1003)))
        mailbox.flag("7", r"\Deleted", expunge=True)
        proxy.lines.clear()
        later = list(mailbox.source(port=proxy.port).list())
        assert len(later) == 1002
        assert proxy.count("FETCH") == 1
        assert proxy.count("UID FETCH 1001:1003 ") == 1


def test_what_is_kept_may_be_deleted_or_broken_and_decides_nothing(mailbox: Mailbox) -> None:
    mailbox.append(message(1), message(2, Message_ID=""), message(3))
    before = list(mailbox.source().list())
    (file,) = mailbox.state.iterdir()
    assert b"Hello" not in file.read_bytes()
    assert b"Message 1" not in file.read_bytes()
    whole = file.read_bytes()
    for broken in (
        b"",
        b"[]",
        b"[1]\nx",
        whole[:-20],
        whole.replace(b"[", b"{"),
        whole + b"[1,2]\n",
        b"\xff",
    ):
        file.write_bytes(broken)
        assert list(mailbox.source().list()) == before
        assert file.read_bytes() == whole
    file.unlink()
    mailbox.state.rmdir()
    assert list(mailbox.source().list()) == before
    assert list(mailbox.source(keep=False).list()) == before


def test_a_folder_that_was_made_anew_is_read_anew(mailbox: Mailbox) -> None:
    mailbox.create("Work")
    mailbox.append(message(1), message(2), folder="Work")
    source = mailbox.source("Work")
    first, second = source.list()
    mailbox.delete_folder("Work")
    mailbox.create("Work")
    mailbox.append(message(3, to="eve@example.org"), message(2), folder="Work")
    # UID 1 is another message now: it must not be handed over under the first one's name.
    with pytest.raises(UnreadableDocument) as caught:
        mailbox.source("Work").fetch(first)
    assert caught.value.reason == "vanished"
    assert ids(source) == ["m2@example.org", "m3@example.org"]
    assert source.fetch(second).data == message(2)
    assert second in source.list()


def test_a_listed_message_of_a_folder_made_anew_has_vanished(mailbox: Mailbox) -> None:
    mailbox.create("Work")
    mailbox.append(message(1), folder="Work")
    source = mailbox.source("Work")
    (item,) = source.list()
    source.close()
    mailbox.delete_folder("Work")
    mailbox.create("Work")
    mailbox.append(message(9), folder="Work")
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(item)
    assert caught.value.reason == "vanished"


def test_an_expunged_message_has_vanished(mailbox: Mailbox) -> None:
    mailbox.append(message(1), message(2))
    source = mailbox.source()
    first, _ = source.list()
    # A server may hold it back for who has the folder open.
    source.close()
    mailbox.flag("1", r"\Deleted", expunge=True)
    with pytest.raises(UnreadableDocument) as caught:
        source.fetch(first)
    assert caught.value.reason == "vanished"


def test_copies_in_several_folders_are_one_item_and_different_mails_of_one_id_are_two(
    mailbox: Mailbox,
) -> None:
    mailbox.create("Copies")
    mailbox.append(message(1), message(2))
    mailbox.append(message(1), message(2, to="eve@example.org"), folder="Copies")
    rules = Rules((), participants=True)
    one, two, three = mailbox.source("INBOX", "Copies", rules=rules).list()
    assert one.id == "m1@example.org"
    assert {two.id[:15], three.id[:15]} == {"m2@example.org~"}
    assert {two.readers, three.readers} == {
        ("user:bob@example.org", "user:mia@example.org"),
        ("user:eve@example.org", "user:mia@example.org"),
    }
    assert list(mailbox.source("Copies", "INBOX", rules=rules).list()) == [one, two, three]


def test_who_hides_behind_anothers_id_reads_only_the_own_message(mailbox: Mailbox) -> None:
    mailbox.append(message(1, body="Secret."))
    mailbox.append(message(1, body="Mine.", From="eve@evil.example", to="eve@evil.example"))
    source = mailbox.source(rules=Rules((), participants=True))
    for item in source.list():
        secret = b"Secret." in source.fetch(item).data
        assert ("user:eve@evil.example" in item.readers) != secret


def test_names_of_folders_may_hold_any_letter(mailbox: Mailbox) -> None:
    for number, name in enumerate(["Entw\u00fcrfe & mehr", 'A "b" \\c', "\u65e5\u672c/\u8a9e", "Sub/Sub"]):
        mailbox.ok(mailbox.talk().create(_quoted(name)))
        mailbox.ok(mailbox.talk().append(_quoted(name), "", "", message(number)))
        assert ids(mailbox.source(name)) == [f"m{number}@example.org"]


def test_several_threads_fetch_at_once(mailbox: Mailbox) -> None:
    mailbox.append(*(message(number, body=str(number) * 5000) for number in range(60)))
    source = mailbox.source()
    items = list(source.list())
    with ThreadPoolExecutor(8) as pool:
        for item, raw in zip(items, pool.map(source.fetch, items), strict=True):
            assert raw.item == item.id
            number = item.id[1:].partition("@")[0]
            assert raw.data == message(number, body=number * 5000)


def test_a_dropped_connection_is_opened_again(mailbox: Mailbox) -> None:
    mailbox.append(message(1), message(2))
    source = mailbox.source()
    first, second = source.list()
    source.fetch(first)
    # As a server does with who has been silent for long.
    wire = source._box._idle.get_nowait()
    wire.sock.shutdown(socket.SHUT_RDWR)
    source._box._idle.put(wire)
    assert source.fetch(second).data == message(2)


def test_connections_end_with_the_connector(mailbox: Mailbox) -> None:
    mailbox.append(message(1))
    server = Server("127.0.0.1", mailbox.user, mailbox.server.password, "P", mailbox.server.port, "none")
    source = Mail(Imap(server, ["INBOX"]), OPEN)
    (item,) = source.list()
    source.fetch(item)
    wire = source._box._idle.get_nowait()
    source._box._idle.put(wire)
    assert wire.sock.fileno() >= 0
    del source
    gc.collect()
    assert wire.sock.fileno() == -1


def test_a_message_over_the_limit_is_not_asked_for(mailbox: Mailbox) -> None:
    mailbox.append(message(1, body="x" * 50_000), message(2))
    with Proxy(mailbox.server.port) as proxy:
        source = mailbox.source(rules=Rules((), max_bytes=10_000), port=proxy.port)
        big, small = source.list()
        proxy.lines.clear()
        with pytest.raises(UnreadableDocument) as caught:
            source.fetch(big)
        assert caught.value.reason == "too_large"
        assert proxy.lines == []
        assert source.fetch(small).data == message(2)


# -- what is configured wrongly ---------------------------------------------------------------------


def test_a_wrong_password_names_its_variable_and_not_itself(mailbox: Mailbox) -> None:
    for password, said in (("not-the-password", "refuses"), (None, "no password")):
        with pytest.raises(AccessDenied, match=said) as caught:
            ids(mailbox.source(password=password))
        assert "MAIL_PASSWORD" in str(caught.value)
        assert "not-the-password" not in str(caught.value) + caught.value.hint + repr(caught.value.__cause__)


def test_a_folder_that_is_not_there_is_named(mailbox: Mailbox) -> None:
    mailbox.append(message(1))
    with pytest.raises(SourceMisconfigured, match="there is no folder 'Nowhere'"):
        ids(mailbox.source("INBOX", "Nowhere"))


def test_an_unreachable_server_is_no_empty_one(mailbox: Mailbox) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            ids(mailbox.source(port=closed.getsockname()[1]))


def test_a_password_never_goes_over_a_network_in_clear() -> None:
    for host in ("mail.example.org", "10.0.0.1", "127.0.0.1.example.org"):
        server = Server(host, "mia", "secret", "MAIL_PASSWORD", tls="none")
        with pytest.raises(SourceMisconfigured, match="in clear"):
            ids(Mail(Imap(server, ["INBOX"]), OPEN))


def test_a_line_break_in_a_password_or_folder_is_no_command(mailbox: Mailbox) -> None:
    with pytest.raises(SourceMisconfigured, match="line break"):
        ids(mailbox.source(password="a\r\nx DELETE INBOX"))
    with pytest.raises(SourceMisconfigured, match="no folder can be named"):
        ids(mailbox.source('INBOX"\r\nx DELETE INBOX'))


def test_a_servers_repr_hides_the_password() -> None:
    assert "secret" not in repr(Server("h", "u", "secret", "P"))


# -- TLS --------------------------------------------------------------------------------------------


def over_tls(server: dovecot.Dovecot, user: str, tls: str, *, host: str = "localhost", port: int = 0) -> Mail:
    usual = server.tls_port if tls == "implicit" else server.port
    told = Server(host, user, server.password, "MAIL_PASSWORD", port or usual, tls, 5)
    return Mail(Imap(told, ["INBOX"], patience=ONCE), OPEN)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_mail_is_read_over_tls_that_the_machine_trusts(
    mailbox: Mailbox, certificate: Path, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    mailbox.append(message(1))
    source = over_tls(mailbox.server, mailbox.user, tls)
    with pytest.raises(SourceUnavailable, match="certificate of localhost"):
        ids(source)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    assert ids(source) == ["m1@example.org"]
    source.close()
    with pytest.raises(SourceUnavailable, match="certificate of 127"):
        ids(over_tls(mailbox.server, mailbox.user, tls, host="127.0.0.1"))


def test_tls_on_a_port_without_is_said(mailbox: Mailbox) -> None:
    with pytest.raises(SourceUnavailable, match="does not speak TLS"):
        ids(over_tls(mailbox.server, mailbox.user, "implicit", port=mailbox.server.port))


# -- servers that lie, drip and flood ---------------------------------------------------------------


@contextmanager
def scripted(
    answer: Callable[[socket.socket, bytes], None], greeting: bytes = b"* OK ready\r\n"
) -> Iterator[int]:
    """A server that answers each line with ``answer``; one connection after the other."""
    listener, over = socket.create_server(("127.0.0.1", 0)), threading.Event()
    listener.settimeout(0.05)

    def talk(client: socket.socket) -> None:
        client.settimeout(5)
        client.sendall(greeting)
        for line in client.makefile("rb"):
            answer(client, line)

    def serve() -> None:
        while not over.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            with client:
                try:
                    talk(client)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        thread.join()
        listener.close()


def answers(*given: tuple[bytes, bytes]) -> Callable[[socket.socket, bytes], None]:
    """Answer the first entry whose words a line holds: its text, then OK; the rest as servers do."""
    usual = (
        (b"CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n"),
        (b"LOGIN", b""),
        (b"EXAMINE", b"* 2 EXISTS\r\n* OK [UIDVALIDITY 5] ok\r\n"),
    )

    def answer(client: socket.socket, line: bytes) -> None:
        tag = line.split(b" ")[0]
        for words, text in (*given, *usual):
            if words in line:
                client.sendall(text if text.endswith(b"!") else text + tag + b" OK done\r\n")
                return
        client.sendall(tag + b" BAD what\r\n")

    return answer


def at(port: int, *, timeout: float = 5.0, max_bytes: int = 1000) -> Mail:
    server = Server("127.0.0.1", "mia", "x", "P", port, "none", timeout)
    return Mail(
        Imap(server, ["INBOX"], patience=ONCE, max_bytes=max_bytes), Rules(("everyone",), max_bytes=max_bytes)
    )


HEADERS = b"Message-ID: <a@b>\r\n\r\n"
LISTED = (
    (b"SEARCH", b"* SEARCH 7\r\n"),
    (b"HEADER", b"* 1 FETCH (UID 7 RFC822.SIZE 9 BODY[HEADER.FIELDS (X)]<0> {21}\r\n" + HEADERS + b")\r\n"),
)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([(b"SEARCH", b"")], id="a search without an answer"),
        pytest.param([(b"SEARCH", b"* SEARCH 1 x\r\n")], id="UIDs that are none"),
        pytest.param([(b"SEARCH", b"* SEARCH " + b"1 " * 40_000_000)], id="a line without end"),
        pytest.param([(b"EXAMINE", b"* 2 EXISTS\r\n")], id="no UIDVALIDITY"),
        pytest.param([(b"SEARCH", b"* SEARCH 7\r\n"), (b"HEADER", b"")], id="no headers of what is there"),
        pytest.param(
            [LISTED[0], (b"HEADER", b"* 1 FETCH (UID 7 X {99999999999}\r\n!")], id="a literal of 100 GB"
        ),
        pytest.param(
            [LISTED[0], (b"HEADER", b"* 1 FETCH (UID 7 X {" + b"9" * 5000 + b"}\r\n!")], id="digits"
        ),
        pytest.param([(b"CAPABILITY", b"* CAPABILITY \xff\xfe\r\n")], id="capabilities that are no text"),
        pytest.param([(b"CAPABILITY", b"+ what\r\n")], id="a continuation that nobody asked for"),
        pytest.param([(b"LOGIN", b"* BYE too busy\r\n")], id="a farewell at the door"),
    ],
)
def test_a_server_that_talks_nonsense_is_unavailable_and_never_empty(
    given: Sequence[tuple[bytes, bytes]],
) -> None:
    with scripted(answers(*given)) as port, pytest.raises(SourceUnavailable) as caught:
        ids(at(port, timeout=1))
    assert len(str(caught.value)) < 600


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60),
    st.sampled_from([b"CAPABILITY", b"LOGIN", b"EXAMINE", b"SEARCH", b"HEADER", b"BODY.PEEK[]"]),
)
def test_only_errors_of_ours_leave(noise: bytes, where: bytes) -> None:
    with scripted(answers((where, b"* " + noise + b"\r\n"), *LISTED)) as port:
        source = at(port, timeout=0.2)
        with suppress(ConnectorError):
            for item in source.list():
                source.fetch(item)
        source.close()


def test_a_server_that_drips_is_given_up() -> None:
    def drip(client: socket.socket, line: bytes) -> None:
        for _ in range(200):
            client.sendall(b"*")
            threading.Event().wait(0.02)

    with scripted(drip) as port, pytest.raises(SourceUnavailable, match=r"slowly|closed"):
        ids(at(port, timeout=0.3))


def test_a_greeting_that_is_none_is_unavailable() -> None:
    for greeting in (b"", b"\x16\x03\x01\x00", b"HTTP/1.1 400 Bad Request\r\n", b"x" * 3_000_000):
        with scripted(answers(), greeting) as port, pytest.raises(SourceUnavailable):
            ids(at(port, timeout=0.3))


def test_a_message_larger_than_announced_is_refused() -> None:
    flood = b"* 1 FETCH (UID 7 BODY[] {9000000}\r\n" + b"x" * 9_000_000 + b")\r\n"
    with scripted(answers(*LISTED, (b"BODY.PEEK[]", flood))) as port:
        source = at(port)
        (item,) = source.list()
        with pytest.raises(ResponseTooLarge):
            source.fetch(item)
        source.close()


def test_headers_in_quotes_and_attributes_behind_them_are_read() -> None:
    quoted = b'* 1 FETCH (BODY[HEADER.FIELDS (X)]<0> "Message-ID: <a\\"b@c>" RFC822.SIZE 9 UID 7)\r\n'
    behind = b"* 1 FETCH (BODY[HEADER.FIELDS (X)] {21}\r\n" + HEADERS + b" RFC822.SIZE 9 UID 7)\r\n"
    for answer, name in ((quoted, 'a"b@c'), (behind, "a@b")):
        with scripted(answers(LISTED[0], (b"HEADER", answer + b"* 3 FETCH (FLAGS ())\r\n"))) as port:
            source = at(port)
            assert ids(source) == [name]
            source.close()


def test_a_message_that_names_others_than_were_listed_is_not_handed_over() -> None:
    listed = b"Message-ID: <a@b>\r\nTo: mia@x\r\n\r\n"
    header = b"* 1 FETCH (UID 7 RFC822.SIZE 9 BODY[HEADER.FIELDS (X)]<0> {%d}\r\n%b)\r\n" % (
        len(listed),
        listed,
    )
    other = b"To: eve@x\r\n\r\nsecret"
    body = b"* 1 FETCH (UID 7 BODY[] {%d}\r\n%b)\r\n" % (len(other), other)
    with scripted(answers(LISTED[0], (b"HEADER", header), (b"BODY.PEEK[]", body))) as port:
        server = Server("127.0.0.1", "mia", "x", "P", port, "none", 5)
        source = Mail(Imap(server, ["INBOX"], patience=ONCE), Rules((), participants=True))
        (item,) = source.list()
        with pytest.raises(UnreadableDocument, match="other people") as caught:
            source.fetch(item)
        source.close()
    assert caught.value.reason == "damaged"


# -- small parts ------------------------------------------------------------------------------------


@given(st.sets(st.integers(1, 60), min_size=1))
def test_ranges_say_exactly_the_uids(uids: set[int]) -> None:
    said: set[int] = set()
    for part in _ranges(sorted(uids)).split(","):
        first, _, last = part.partition(":")
        said |= set(range(int(first), int(last or first) + 1))
    assert said == uids


@given(
    st.lists(
        st.builds(Row, st.integers(1, 9), st.integers(0, 99), st.text(), st.text(), st.tuples(st.text())),
        max_size=9,
    ),
    st.sets(st.integers(1, 9)),
    st.integers(0, 40),
)
def test_what_is_kept_is_what_was_learnt(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], kept: set[int], cut: int
) -> None:
    path = tmp_path_factory.mktemp("state") / "folder.jsonl"
    known = Remembered(path, 5)
    known.add(rows)
    known.keep(kept)
    assert Remembered(path, 5).rows == known.rows == {row.uid: row for row in rows if row.uid in kept}
    assert Remembered(path, 6).rows == {}
    # A run that was killed while it wrote: what is read again was learnt.
    path.write_bytes(path.read_bytes()[: -cut or None])
    again = Remembered(path, 5)
    assert again.rows.items() <= known.rows.items()
    again.add(known.rows.values())
    assert Remembered(path, 5).rows == known.rows
