"""A real IMAP server: Dovecot on loopback, in a folder of its own, as root or as an ordinary user.

```python
with Dovecot(tmp_path) as server:
    box = server.client("mia")      # imaplib, logged in; any user has a mailbox
    box.append("INBOX", None, None, b"Subject: hello\\r\\n\\r\\n...")
    ...  # connect to 127.0.0.1 at server.port
```
``certificate``: a PEM file with key and certificate for `localhost`; with it, STARTTLS works on ``port`` and
TLS from the first byte on ``tls_port``. The log stays in the folder that is given.
"""

import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

WAIT = 30.0
CONFIG = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
protocols = imap
listen = 127.0.0.1
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
auth_failure_delay = 0
auth_mechanisms = plain login
disable_plaintext_auth = no
mail_location = maildir:{mail}/%u/Maildir
mail_fsync = never
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 1000
login_greeting = ready
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={mail_user} gid={mail_group} home={mail}/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
  service_count = 0
  process_min_avail = 1
}}
service anvil {{
  chroot =
  # No waiting for everybody after somebody's wrong password.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
{tls}
"""


def program() -> str | None:
    """The server's program, which may lie outside PATH."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Dovecot:
    """Runs while the ``with`` lasts, with a mailbox for every name."""

    password = "correct-horse"

    def __init__(self, folder: Path, *, certificate: Path | None = None) -> None:
        # Paths of sockets must be short, and pytest keeps its folders from the server's own users.
        self._base = Path(tempfile.mkdtemp(prefix="dv"))
        self._folder = folder
        self._certificate = certificate
        self.mail = self._base / "mail"
        self.port, self.tls_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> str:
        """What the server said."""
        log = self._base / "dovecot.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def client(self, user: str) -> imaplib.IMAP4:
        """Give a connection, logged in."""
        client = imaplib.IMAP4("127.0.0.1", self.port, 30)
        client.login(user, self.password)
        return client

    def __enter__(self) -> Self:
        names = self._names()
        if os.geteuid() == 0:
            # The server's processes run as users of their own.
            self._base.chmod(0o755)
        self.mail.mkdir()
        shutil.chown(self.mail, names["mail_user"], names["mail_group"])
        config = self._base / "dovecot.conf"
        config.write_text(
            CONFIG.format(
                base=self._base,
                password=self.password,
                mail=self.mail,
                port=self.port,
                tls_port=self.tls_port if self._certificate else 0,
                tls=self._tls(),
                **names,
            )
        )
        command = [program() or "dovecot", "-F", "-c", str(config)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            self._await()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None
        (self._folder / "dovecot.log").write_text(self.logs)
        shutil.rmtree(self._base, ignore_errors=True)

    def _names(self) -> dict[str, str]:
        if os.geteuid() == 0:
            return {
                "internal": "dovecot",
                "group": "dovecot",
                "login": "dovenull",
                "mail_user": "mail",
                "mail_group": "mail",
            }
        me = pwd.getpwuid(os.geteuid()).pw_name
        mine = grp.getgrgid(os.getegid()).gr_name
        return {"internal": me, "group": mine, "login": me, "mail_user": me, "mail_group": mine}

    def _tls(self) -> str:
        if self._certificate is None:
            return "ssl = no"
        return f"ssl = yes\nssl_cert = <{self._certificate}\nssl_key = <{self._certificate}"

    def _await(self) -> None:
        assert self._process is not None
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            if self._process.poll() is not None:
                said = self._process.stderr.read() if self._process.stderr is not None else b""
                raise RuntimeError(f"dovecot ended: {said.decode(errors='replace')} {self.logs}")
            try:
                self.client("nobody").logout()
            except (OSError, imaplib.IMAP4.error):
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"dovecot does not let us in: {self.logs}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
