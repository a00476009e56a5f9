"""Shipped tool ``mail``: one plain message by SMTP, to addresses that the configuration allows."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.errors import ConnectorError
from ragflow.section import Section, Text
from ragflow.tools.declared import State
from ragflow.workflows.contracts import Caller, Json
from ragflow.workflows.errors import ToolFailed, WhyFailed

if TYPE_CHECKING:
    from smtplib import SMTP
    from ssl import SSLContext

# A mailbox as nearly everybody has one: nothing in it can end a header or a command.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("no plain mail address: write name@example.com")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a subject is one line without control characters")
    return value


Mailbox = Annotated[str, Field(max_length=254), AfterValidator(_address)]


class MailSettings(Section):
    """The server that takes the mail, and to whom mail may go: ``to_allowed``, as ``*@example.com``.

    ``tls``: starttls, implicit (from the first byte), or none, where nothing is to be kept secret.
    """

    host: Text
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    user: Text | None = None
    password_env: Text | None = None
    sender: Mailbox
    to_allowed: Annotated[tuple[Text, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _password_is_safe(self) -> Self:
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env belong together: name both or none")
        if self.user is not None and self.tls == "none":
            raise ValueError("tls: none would send the password in the clear: use starttls or implicit")
        return self

    def allows(self, address: str) -> bool:
        """Tell whether mail may go to an address; letter case does not count."""
        return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in self.to_allowed)


class MailArguments(BaseModel):
    """To whom, about what, and what it says. All get it, or nobody does."""

    model_config = ConfigDict(extra="forbid")
    to: Annotated[list[Mailbox], Field(min_length=1, max_length=50)]
    subject: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_one_line)]
    text: Annotated[str, Field(max_length=500_000)]


@dataclass(frozen=True, slots=True)
class MailTool:
    """Satisfies ``declared.Performer``.

    ``check``: gives the addresses of a URL's host that may be reached (``Outbound.check``). ``secret``: gives
    the value of an environment variable, or None.
    """

    name: str
    settings: MailSettings
    timeout: float
    check: Callable[[str], Sequence[str]]
    secret: Callable[[str], str | None]
    takes: type[BaseModel] = MailArguments
    about: str = "Send a plain mail."
    takes_key: bool = False  # few servers know a Message-ID again
    can_be_asked: bool = False
    lasts: bool = True

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json:  # noqa: ARG002
        from smtplib import SMTPException

        assert isinstance(arguments, MailArguments)
        for address in arguments.to:
            if not self.settings.allows(address):
                raise self._failed(f"mail to {address} is not allowed", "rejected", happened=False)
        letter = self._letter(arguments, key)
        try:
            smtp = self._opened()
        except (SMTPException, OSError) as error:
            late = isinstance(error, TimeoutError)
            raise self._failed(
                f"{self._place} cannot be used: {error}",
                "time_out" if late else "unreachable",
                happened=False,
            ) from error
        try:
            self._envelope(smtp, arguments.to)
            self._delivered(smtp, letter)
        finally:
            smtp.close()
        return {"id": str(letter["Message-ID"]), "to": list(arguments.to)}

    def state(self, arguments: BaseModel, key: str) -> State:  # noqa: ARG002
        return State("unknown")

    @property
    def _place(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    def _letter(self, arguments: MailArguments, key: str) -> EmailMessage:
        letter = EmailMessage(policy=POLICY)
        letter["From"] = Address(addr_spec=self.settings.sender)
        letter["To"] = [Address(addr_spec=one) for one in arguments.to]
        letter["Subject"] = arguments.subject
        letter["Date"] = formatdate()
        letter["Message-ID"] = f"<{key}@{self._domain}>"
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no robot need answer it
        letter.set_content(arguments.text)
        return letter

    @property
    def _domain(self) -> str:
        return self.settings.sender.rpartition("@")[2]

    def _opened(self) -> "SMTP":
        """Return a session, encrypted and signed in as the settings say, with a host that was checked."""
        settings = self.settings
        password = None
        if settings.password_env is not None:
            password = self.secret(settings.password_env)
            if password is None:
                raise self._failed(f"{settings.password_env} is not set", "error", happened=False)
        try:
            addresses = self.check(f"http://{_bracketed(settings.host)}:{settings.port}/")
        except ConnectorError as error:
            made = self._failed(str(error), "unreachable", happened=False)
            made.hint = error.hint
            raise made from error
        smtp = session(settings, addresses, self.timeout, self._domain)
        try:
            smtp.ehlo_or_helo_if_needed()
            if settings.user is not None and password is not None:
                smtp.login(settings.user, password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _envelope(self, smtp: "SMTP", to: Sequence[str]) -> None:
        from smtplib import SMTPException

        try:
            answers = [smtp.mail(self.settings.sender), *(smtp.rcpt(one) for one in to)]
        except (SMTPException, OSError) as error:
            raise self._failed(f"{self._place} hung up: {error}", "unreachable", happened=False) from error
        for code, said in answers:
            if code not in (250, 251):
                words = f"{self._place} refused it: {code} {_shown(said)}"
                raise self._failed(words, "rejected", happened=False)

    def _delivered(self, smtp: "SMTP", letter: EmailMessage) -> None:
        from smtplib import SMTPDataError, SMTPException

        try:
            code, said = smtp.data(letter.as_bytes())
        except SMTPDataError as error:  # it did not even want to hear it
            words = f"{self._place} refused it: {error.smtp_code} {_shown(error.smtp_error)}"
            raise self._failed(words, "rejected", happened=False) from error
        except (SMTPException, OSError) as error:
            late = isinstance(error, TimeoutError)
            raise self._failed(
                f"{self._place} did not say whether it took the mail: {error}",
                "time_out" if late else "unreachable",
                happened=None,
            ) from error
        if code != 250:
            words = f"{self._place} refused it: {code} {_shown(said)}"
            raise self._failed(words, "rejected", happened=False)

    def _failed(self, message: str, kind: WhyFailed, *, happened: bool | None) -> ToolFailed:
        return ToolFailed(f"the tool {self.name}: {message}", kind=kind, happened=happened)


def session(settings: MailSettings, addresses: Sequence[str], timeout: float, own: str) -> "SMTP":
    """Return an SMTP session with one of some addresses, its certificate checked for the host's name."""
    import smtplib
    import ssl

    context = None if settings.tls == "none" else ssl.create_default_context()
    implicit = context if settings.tls == "implicit" else None

    class Session(smtplib.SMTP):
        """Connects to the addresses that were checked, whatever the name means a moment later."""

        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            failed: OSError | None = None
            for address in addresses:
                try:
                    made = socket.create_connection((address, port), timeout)
                except OSError as error:
                    failed = error
                    continue
                return made if implicit is None else _encrypted(made, implicit, host)
            raise failed or OSError(f"{host} has no address")

    made = Session(settings.host, settings.port, local_hostname=own, timeout=timeout)
    try:
        if settings.tls == "starttls":
            made.starttls(context=context)
    except BaseException:
        made.close()
        raise
    return made


def _encrypted(plain: socket.socket, context: "SSLContext", host: str) -> socket.socket:
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:200]
