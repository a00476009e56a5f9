"""What can go wrong while reading a source.

ConnectorError
|-- SourceUnavailable     the whole source cannot be listed or reached now: try again later
|-- SourceMisconfigured   the source's settings point nowhere or contradict each other
|-- AccessDenied          the source refuses our credentials or rights
`-- UnreadableDocument    this one item cannot be read: report it, go on with the rest
"""


class ConnectorError(Exception):
    """Base of this floor. ``hint`` says what a person can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SourceUnavailable(ConnectorError):
    """The source cannot be listed or reached now. The only one that a retry can cure."""


class SourceMisconfigured(ConnectorError):
    """The source's settings point nowhere or contradict each other."""


class AccessDenied(ConnectorError):
    """The source refuses our credentials, or the operating system our rights."""


class UnreadableDocument(ConnectorError):
    """One item cannot be read. ``reason`` is a stable word (``locked``, ``empty``, ``too_large`` ...)."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
