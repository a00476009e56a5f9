"""Shipped tools: reading as the run's readers may, mail to a real server."""

import shutil
import ssl
import subprocess
from dataclasses import replace
from email import message_from_bytes
from email.policy import default as policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from tool_parts import Made

from ragflow.workflows.contracts import Suspended
from ragflow.workflows.errors import ToolFailed, ToolRefused


class Mailbox:
    """Takes what it is sent; ``answers`` are what it says to DATA, in turn, else that it took it."""

    def __init__(self):
        self.taken, self.answers, self.unknown, self.logins = [], [], set(), []

    async def handle_RCPT(  # noqa: N802 - the name is the library's
        self, server, session, envelope, address, options
    ):
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name is the library's
        self, server, session, envelope
    ):
        answer = self.answers.pop(0) if self.answers else "250 taken"
        if answer.startswith("250"):
            self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        if answer.endswith("hang up"):
            server.transport.abort()
        return answer

    def login(self, server, session, envelope, mechanism, given):
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=given.password == b"open sesame", handled=False, auth_data=given)


class Server(Controller):
    """Takes a port that is free, and knows which."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of ``localhost`` that no machine trusts, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    assert shutil.which("openssl"), "openssl makes the certificate of this test"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def post(certificate):
    """Start mail servers on free ports of this machine; all are stopped at the end."""
    started = []

    def start(tls="none"):
        box = Mailbox()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        more = {"none": {}, "starttls": {"tls_context": context}, "implicit": {"ssl_context": context}}[tls]
        if tls != "none":
            more |= {"authenticator": box.login, "auth_require_tls": tls == "starttls"}
        made = Server(box, hostname="127.0.0.1", port=0, **more)
        made.start()
        started.append(made)
        box.port = made.port
        return box

    yield start
    for one in started:
        one.stop(no_assert=True)


def mailing(folder, box, **settings):
    given = {
        "host": "127.0.0.1",
        "port": box.port,
        "tls": "none",
        "sender": "desk@northwind.example",
        "to_allowed": ["*@northwind.example"],
        **settings,
    }
    tool = {"use": "mail", "effect": "write", "roles": ["everyone"], "timeout": 5, "settings": given}
    return Made(folder, tools={"mail": tool}, outbound={"allow": ["127.0.0.1", "localhost"]})


LETTER = {"to": ["mia@northwind.example"], "subject": "Your refund – ö", "text": "Dear Mia,\n.\n..dots\nü\n"}


def test_a_mail_arrives_as_it_was_written_and_bears_its_key(tmp_path, post):
    box = post()
    workspace = mailing(tmp_path, box)
    result = workspace.call("mail", LETTER)
    ((sender, to, raw),) = box.taken
    letter = message_from_bytes(raw, policy=policy)
    key = workspace.kept[0]["value"].split('"key":"')[1].partition('"')[0]
    assert result == {"id": f"<{key}@northwind.example>", "to": ["mia@northwind.example"]}
    assert (sender, to, letter["Message-ID"]) == ("desk@northwind.example", LETTER["to"], result["id"])
    assert (letter["Subject"], letter["To"]) == (LETTER["subject"], "mia@northwind.example")
    assert letter.get_content().replace("\r\n", "\n") == LETTER["text"]
    workspace.database.close()


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "x\r\nBcc: eve@evil.example"},
        {"subject": "x\nBcc: eve@evil.example"},
        {"subject": "x\u2028Bcc: eve@evil.example"},
        {"to": ["mia@northwind.example\r\nRCPT TO:<eve@evil.example>"]},
        {"to": ["mia@northwind.example, eve@evil.example"]},
        {"to": ["<mia@northwind.example>"]},
        {"to": ["mia"]},
        {"to": []},
        {"to": "mia@northwind.example"},
        {"bcc": ["eve@evil.example"]},
    ],
)
def test_no_header_and_no_recipient_can_be_smuggled_in(tmp_path, post, change):
    box = post()
    workspace = mailing(tmp_path, box)
    with pytest.raises(ToolRefused) as refused:
        workspace.call("mail", {**LETTER, **change})
    assert refused.value.kind == "arguments"
    assert box.taken == []
    workspace.database.close()


def test_mail_goes_only_where_the_settings_allow_it_and_to_all_or_nobody(tmp_path, post):
    box = post()
    workspace = mailing(tmp_path, box)
    with pytest.raises(ToolFailed, match=r"eve@evil\.example is not allowed") as failed:
        workspace.call("mail", {**LETTER, "to": ["mia@northwind.example", "eve@evil.example"]})
    assert failed.value.happened is False
    box.unknown.add("leo@northwind.example")
    workspace.new_run(2)
    with pytest.raises(ToolFailed, match="550 no such mailbox") as failed:
        workspace.call("mail", {**LETTER, "to": ["mia@northwind.example", "leo@northwind.example"]})
    assert failed.value.happened is False
    assert box.taken == []
    workspace.database.close()


@pytest.mark.parametrize(
    ("answer", "happened"), [("554 no", False), ("451 later", False), ("250 and hang up", None)]
)
def test_a_mail_that_fails_says_whether_it_may_have_gone(tmp_path, post, answer, happened):
    box = post()
    box.answers = [answer]
    workspace = mailing(tmp_path, box)
    action = workspace.toolbox.check("mail", LETTER, workspace.caller, "0")
    with pytest.raises(ToolFailed) as failed:
        workspace.toolbox.attempt(action, workspace.caller)
    assert failed.value.happened is happened
    workspace.database.close()


def test_a_mail_that_may_have_gone_is_not_sent_again(tmp_path, post):
    box = post()
    box.answers = ["250 and hang up"]
    workspace = mailing(tmp_path, box)
    for _ in range(2):
        with pytest.raises(Suspended):
            workspace.call("mail", LETTER)
    assert len(box.taken) == 1
    workspace.database.close()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_password_goes_only_over_a_line_whose_certificate_is_trusted(
    tmp_path, post, certificate, monkeypatch, tls
):
    box = post(tls)
    monkeypatch.setenv("MAIL_PASSWORD", "open sesame")
    settings = {"host": "localhost", "tls": tls, "user": "desk", "password_env": "MAIL_PASSWORD"}
    workspace = mailing(tmp_path, box, **settings)
    with pytest.raises(ToolFailed, match="CERTIFICATE_VERIFY_FAILED") as failed:
        workspace.call("mail", LETTER)
    assert (failed.value.happened, box.logins) == (False, [])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    workspace.new_run(2)
    workspace.call("mail", LETTER)
    assert (box.logins, len(box.taken)) == ([("desk", "open sesame")], 1)
    monkeypatch.setenv("MAIL_PASSWORD", "open barley")
    workspace.new_run(3)
    with pytest.raises(ToolFailed, match="535") as failed:
        workspace.call("mail", LETTER)
    assert failed.value.happened is False
    assert "open sesame" not in workspace.everything()
    assert "open barley" not in workspace.everything()
    monkeypatch.delenv("MAIL_PASSWORD")
    workspace.new_run(4)
    with pytest.raises(ToolFailed, match="MAIL_PASSWORD is not set"):
        workspace.call("mail", LETTER)
    workspace.database.close()


def test_a_server_without_encryption_gets_nothing_where_that_is_asked_for(tmp_path, post):
    box = post()
    workspace = mailing(tmp_path, box, tls="starttls")
    with pytest.raises(ToolFailed, match="STARTTLS") as failed:
        workspace.call("mail", LETTER)
    assert (failed.value.happened, box.taken) == (False, [])
    workspace.database.close()


def test_a_mail_server_is_reached_under_the_rules_of_outbound(tmp_path, post):
    box = post()
    workspace = mailing(tmp_path, box)
    tools = {"mail": workspace.config.tools["mail"].model_dump(mode="json", exclude_defaults=True)}
    workspace.use(tools=tools, outbound={"allow": []})
    with pytest.raises(ToolFailed, match="not public"):
        workspace.call("mail", LETTER)
    assert box.taken == []
    workspace.database.close()


# -- reading -----------------------------------------------------------------------------------------


def test_reading_tools_read_as_the_readers_of_the_run_may(tmp_path):
    tools = {name: {"use": name, "roles": ["everyone"]} for name in ("search", "ask", "fetch")}
    workspace = Made(tmp_path, tools=tools)
    caller = replace(workspace.caller, readers=("group:hr",))
    for number, (name, arguments, wanted) in enumerate(
        [
            (
                "ask",
                {"question": "leave?"},
                {"schema": "ragflow.ask/1", "question": "leave?", "readers": ["group:hr"]},
            ),
            (
                "search",
                {"question": "leave?", "k": 3},
                {"schema": "ragflow.search/1", "question": "leave?", "hits": [], "k": 3},
            ),
            (
                "fetch",
                {"document": "hr/leave.md"},
                {
                    "document": "hr/leave.md",
                    "revision": "0" * 64,
                    "title": "Leave",
                    "text": "28 days of leave.",
                },
            ),
        ]
    ):
        workspace.new_run(number)
        assert workspace.call(name, arguments, caller=caller) == wanted
    workspace.new_run(9)
    with pytest.raises(ToolFailed, match="not found: hr/x") as failed:
        workspace.call("fetch", {"document": "hr/x"})
    assert failed.value.happened is False
    workspace.database.close()
