"""What can go wrong while storing, indexing or searching.

StorageError
|-- NoGeneration        nothing has been indexed yet
|-- LockHeld            another process is writing this workspace
|-- StoreTooNew         the workspace was written by a newer program
|-- StoreDamaged        a file of the workspace is missing or not what its digest says
|-- StoreNotWritable    no right or no space to write the workspace
|-- UnknownGeneration   no such generation is kept
|-- ModelMissing        a model is not there, incomplete or damaged
|   `-- EngineMissing      what computes with it is not installed
|-- ModelMismatch       the live generation was built by another model
|-- ModelChanged        under the same key, the model gives vectors of another length
|-- ModelUnfit          a model is there, and not of the kind that is wanted
|-- ExtraMissing        a package that an extra brings is not installed
|-- VectorsUnsound      the embedding model gave no unit vectors, or some of another width
|-- ServerUnavailable   the index server does not answer, or not as it should
|   `-- ServerRefused   it refuses the key
|-- NotPushed           the server does not hold this generation
`-- CollectionForeign   what is there under that name was made by somebody else
"""


class StorageError(Exception):
    """Base of this floor. ``hint`` says what a person can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NoGeneration(StorageError):
    """Nothing has been indexed yet."""


class LockHeld(StorageError):
    """Another process is writing this workspace; the message names it."""


class StoreTooNew(StorageError):
    """The workspace was written by a newer program."""


class StoreDamaged(StorageError):
    """A file of the workspace is missing, or is not what its digest says."""


class StoreNotWritable(StorageError):
    """There is no right, or no space, to write the workspace."""


class UnknownGeneration(StorageError):
    """No such generation is kept."""


class ModelMissing(StorageError):
    """A model is not there, incomplete or damaged."""


class EngineMissing(ModelMissing):
    """What computes with the embedding model is an extra that is not installed."""


class ModelMismatch(StorageError):
    """The live generation was built by another model than the one configured."""


class ModelUnfit(StorageError):
    """A model is there, and not of the kind that is wanted: it has another head."""


class ExtraMissing(StorageError):
    """A package that an extra brings is not installed."""


class VectorsUnsound(StorageError):
    """The embedding model gave what is no unit vector, or one of another width than it says."""


class ServerUnavailable(StorageError):
    """The index server does not answer, or not as asked. ``status``: of HTTP; None without an answer."""

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ServerRefused(ServerUnavailable):
    """The index server refuses the key, or the key may not do this."""


class NotPushed(StorageError):
    """The index server does not hold this generation, or not all of it."""


class CollectionForeign(StorageError):
    """A collection or an alias of this name is on the server, made by somebody else."""


class ModelChanged(StorageError):
    """Under the same key, the model gives vectors of another length than those that the index holds."""
