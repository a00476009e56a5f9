"""What can go wrong while reading a source.

ConnectorError
|-- SourceUnavailable     the whole source cannot be listed or reached now: try again later
|   `-- Unanswered        it is there, and gave no answer to this request after all tries
|       `-- LedAstray     it redirects the request, too often or to where nothing is
|-- SourceMisconfigured   the source's settings point nowhere or contradict each other
|-- AccessDenied          the source refuses our credentials or rights
|-- AddressRefused        we refuse to connect to that address
|-- ExtraMissing          an optional part of the program is not installed
|-- PluginFailed          a connector of others broke down or broke the laws of connectors
`-- UnreadableDocument    this one item cannot be read: report it, go on with the rest
    `-- ResponseTooLarge  its bytes are over the limit
"""


class ConnectorError(Exception):
    """Base of this floor. ``hint`` says what a person can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SourceUnavailable(ConnectorError):
    """The source cannot be listed or reached now. The only one that a retry can cure.

    ``status``: of the HTTP answer that says so; None where there was none.
    """

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Unanswered(SourceUnavailable):
    """The server is there, and gave no answer to this request after all tries."""


class LedAstray(Unanswered):
    """The server redirects this request, too often or to where nothing is: another try will not cure it."""


class SourceMisconfigured(ConnectorError):
    """The source's settings point nowhere or contradict each other."""


class AccessDenied(ConnectorError):
    """The source refuses our credentials, or the operating system our rights."""


class AddressRefused(ConnectorError):
    """The address is not public, and not listed among those that may be reached all the same."""


class ExtraMissing(ConnectorError):
    """An optional part of the program is not installed."""


class PluginFailed(ConnectorError):
    """A connector that another distribution brings broke down, or broke a law of ``items.Connector``."""


class UnreadableDocument(ConnectorError):
    """One item cannot be read. ``reason`` is a stable word (``locked``, ``empty``, ``too_large`` ...)."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ResponseTooLarge(UnreadableDocument):
    """The bytes of one item are over the limit: reason ``too_large``."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, reason="too_large", hint=hint)
