"""Messages, and a mailbox on a real server that a test changes as a mail program would."""

import imaplib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dovecot

from connectors.mail.imap import Imap
from connectors.mail.source import Mail, Rules
from connectors.mail.wire import Server
from connectors.retrying import Patience

QUICK = Patience(tries=8, first=0.001, longest=0.002)
OPEN = Rules(("everyone",))


def message(number: object, *, to: str = "bob@example.org", body: str = "Hello.", **headers: str) -> bytes:
    """A message; ``headers`` replace or add to its own, an empty one leaves it out."""
    given = {
        "Message_ID": f"<m{number}@example.org>",
        "Date": "Mon, 02 Nov 2026 10:00:00 +0000",
        "From": "Mia <mia@example.org>",
        "To": to,
        "Subject": f"Message {number}",
        **headers,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value]
    return ("\r\n".join([*lines, "", body]) + "\r\n").encode()


@dataclass
class Mailbox:
    """One user's mailbox on the server, changed as a mail program would."""

    server: dovecot.Dovecot
    user: str
    state: Path
    made: list[Mail] = field(default_factory=list)
    client: imaplib.IMAP4 | None = None

    def ok(self, answer: tuple[str, object]) -> object:
        assert answer[0] == "OK", answer
        return answer[1]

    def talk(self) -> imaplib.IMAP4:
        if self.client is None:
            self.client = self.server.client(self.user)
        return self.client

    def append(self, *messages: bytes, folder: str = "INBOX") -> None:
        for one in messages:
            self.ok(self.talk().append(folder, "", "", one))

    def create(self, folder: str) -> None:
        self.ok(self.talk().create(folder))

    def delete_folder(self, folder: str) -> None:
        self.ok(self.talk().delete(folder))

    def flag(self, number: str, flag: str, *, expunge: bool = False, folder: str = "INBOX") -> None:
        self.ok(self.talk().select(folder))
        self.ok(self.talk().store(number, "+FLAGS", flag))
        if expunge:
            self.ok(self.talk().expunge())
        self.ok(self.talk().unselect())

    def flags(self, folder: str = "INBOX") -> bytes:
        self.ok(self.talk().select(folder, readonly=True))
        _, data = self.talk().fetch("1:*", "(FLAGS)")
        self.ok(self.talk().unselect())
        return b"\n".join(part for part in data if isinstance(part, bytes))

    def source(
        self,
        *folders: str,
        rules: Rules = OPEN,
        port: int = 0,
        timeout: float = 20,
        keep: bool = True,
        password: str | None = "",
    ) -> Mail:
        told = self.server.password if password == "" else password
        server = Server(
            "127.0.0.1", self.user, told, "MAIL_PASSWORD", port or self.server.port, "none", timeout
        )
        box = Imap(
            server,
            folders or ["INBOX"],
            state=self.state if keep else None,
            max_bytes=rules.max_bytes,
            patience=QUICK,
        )
        self.made.append(Mail(box, rules))
        return self.made[-1]

    def close(self) -> None:
        for source in self.made:
            source.close()
        if self.client is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                self.client.logout()
