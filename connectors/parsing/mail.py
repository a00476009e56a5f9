"""Mail messages (RFC 5322, MIME): one ``message`` anchor, the attachments as members."""

import email
import email.policy
import email.utils
from collections.abc import Callable, Iterator
from datetime import UTC
from email.message import EmailMessage, MIMEPart

from connectors.items import Raw
from connectors.parsing.draft import Draft
from connectors.parsing.failures import failure
from connectors.parsing.plain import decode
from connectors.parsing.web import walk

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_SUFFIX = {"text/plain": "txt", "text/html": "html", "message/rfc822": "eml", "application/pdf": "pdf"}


Body = Callable[[str, str, Draft], None]
"""(text, its media type, draft): writes the body of a message."""


def write_body(text: str, media_type: str, draft: Draft) -> None:
    """Write a body as it stands, or what a reader of its page sees."""
    if media_type == "text/html":
        draft.title = draft.title or "-"
        walk(text, draft)
        draft.end_sections()
    else:
        draft.write(text)


def read_mail(
    data: bytes, item: str, *, write: Body = write_body, parser: str = "email/1"
) -> tuple[Draft, tuple[Raw, ...]]:
    """Read one message: its shown headers, its body (plain text, else html), then its attachments.

    ``write`` writes the body, ``parser`` names what that is.
    """
    if b"\x00" in data[:200]:
        # Saved as UTF-16 by a mail program: the headers are ASCII all the same.
        data = decode(data).encode(errors="ignore")
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not message.keys():
        raise failure("damaged" if data.strip() else "empty", "no mail headers")
    draft = Draft(parser)
    for name in _SHOWN:
        if shown := _header(message, name):
            draft.line(f"{name}: {shown}")
    draft.gap()
    body = message.get_body(("plain", "html"))
    if body is not None and _payload(body):
        text = decode(_payload(body), declared=body.get_content_charset() or "")
        write(text, body.get_content_type(), draft)
        draft.gap()
    draft.title = _header(message, "Subject")
    draft.modified = _date(message)
    draft.mark("message", draft.title or "(no subject)", 0)
    return draft, tuple(_attachments(message, item))


def _attachments(message: EmailMessage, item: str) -> Iterator[Raw]:
    """Give each attachment that holds something; inline pictures of the body are no documents."""
    number = 0
    for part in message.iter_attachments():
        kind = part.get_content_type()
        data = _payload(part)
        if not data or (kind.startswith("image/") and part.get_content_disposition() != "attachment"):
            continue
        number += 1
        name = part.get_filename() or f"attachment-{number}.{_SUFFIX.get(kind, 'bin')}"
        yield Raw(item=f"{item}!/{name}", data=data, name=name, media_type=kind)


def _payload(part: MIMEPart) -> bytes:
    """Return the decoded bytes of a part; a message inside a message is given as it stands."""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], EmailMessage) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(message: EmailMessage, name: str) -> str:
    # Parsing a broken header can fail in many ways inside the standard library; the raw text is there.
    try:
        return " ".join(str(message[name] or "").split())
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):
        raw = dict(message.raw_items()).get(name, "")
        return " ".join(str(raw).split())


def _date(message: EmailMessage) -> str | None:
    try:
        moment = email.utils.parsedate_to_datetime(_header(message, "Date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # A date without a zone is taken as UTC: the machine's own zone must not matter.
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
