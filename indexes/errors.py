"""What can go wrong while storing, indexing or searching.

StorageError
|-- NoGeneration        nothing has been indexed yet
|-- LockHeld            another process is writing this workspace
|-- StoreTooNew         the workspace was written by a newer program
|-- StoreDamaged        a file of the workspace is missing or not what its digest says
|-- StoreNotWritable    no right or no space to write the workspace
|-- UnknownGeneration   no such generation is kept
|-- ModelMissing        the embedding model is not there, incomplete or damaged
|-- ModelMismatch       the live generation was built by another model
`-- ModelChanged        under the same key, the model gives vectors of another length
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
    """The embedding model is not there, incomplete or damaged."""


class ModelMismatch(StorageError):
    """The live generation was built by another model than the one configured."""


class ModelChanged(StorageError):
    """Under the same key, the model gives vectors of another length than those that the index holds."""
