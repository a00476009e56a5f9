"""Shipped tool ``write_file``: a text file inside one folder, whole or not at all, through no symlink."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ragflow.section import Section, Text
from ragflow.tools.declared import State
from ragflow.workflows.contracts import Caller, Json
from ragflow.workflows.errors import ToolFailed, WhyFailed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_LONGEST = 200  # bytes of one name


def _inside(value: str) -> str:
    """Take a relative path of plain names: nothing that leaves the folder, nothing that hides."""
    for name in value.split("/"):
        if not name or name.startswith((".", "~")) or not name.isprintable() or "\\" in name:
            raise ValueError("a path is names with / between them, none empty, hidden or ..")
        if len(name.encode()) > _LONGEST:
            raise ValueError(f"a name has at most {_LONGEST} bytes")
    return value


class FileSettings(Section):
    """``folder``: from ``ragflow.yaml``, it must be there. ``overwrite``: a file may be replaced."""

    folder: Text
    overwrite: bool = False


class FileArguments(BaseModel):
    """Where in the folder, and what the file holds."""

    model_config = ConfigDict(extra="forbid")
    path: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_inside)]
    text: Annotated[str, Field(max_length=900_000)]


@dataclass(frozen=True, slots=True)
class FileTool:
    """Satisfies ``declared.Performer``. ``folder``: absolute."""

    name: str
    folder: Path
    overwrite: bool
    takes: type[BaseModel] = FileArguments
    about: str = "Write a text file."
    takes_key: bool = False
    can_be_asked: bool = True
    lasts: bool = False  # it ends with this process

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json:  # noqa: ARG002
        assert isinstance(arguments, FileArguments)
        data = arguments.text.encode("utf-8")
        *folders, name = arguments.path.split("/")
        try:
            with self._opened(folders, make=True) as folder:
                self._written(folder, name, data, f".{key}.part")
        except OSError as error:
            raise self._failed(arguments.path, error) from error
        return {"path": arguments.path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def state(self, arguments: BaseModel, key: str) -> State:  # noqa: ARG002
        """Say ``done`` where the file holds that very text."""
        assert isinstance(arguments, FileArguments)
        data = arguments.text.encode("utf-8")
        *folders, name = arguments.path.split("/")
        try:
            with self._opened(folders, make=False) as folder:
                there = _read(folder, name, len(data) + 1)
        except OSError as error:
            return State("not_done" if error.errno in _NOT_THERE else "unknown")
        if there != data:
            return State("not_done")
        digest = hashlib.sha256(data).hexdigest()
        return State("done", {"path": arguments.path, "bytes": len(data), "sha256": digest})

    @contextmanager
    def _opened(self, folders: list[str], *, make: bool) -> Iterator[int]:
        """Give a descriptor of the innermost folder; each is opened from the one before."""
        # The configured folder itself is the owner's own word: it may be a symlink, what is inside may not.
        here = os.open(self.folder.resolve(strict=True), _FOLDER)
        try:
            for name in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=here)
                inner = os.open(name, _FOLDER, dir_fd=here)
                os.close(here)
                here = inner
            yield here
        finally:
            os.close(here)

    def _written(self, folder: int, name: str, data: bytes, part: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)  # what an earlier try of the same key left
        try:
            with os.fdopen(os.open(part, _NEW, 0o644, dir_fd=folder), "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if self.overwrite:
                _replaceable(folder, name)
                os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
        os.fsync(folder)

    def _failed(self, path: str, error: OSError) -> ToolFailed:
        kind: WhyFailed = "rejected"
        if error.errno == errno.EEXIST:
            words = f"{path} is there already"
            hint = "choose another name, or set overwrite: true in its settings"
        elif error.errno in (errno.ELOOP, errno.ENOTDIR):
            words, hint = f"a part of {path} is a symlink or no folder", "choose another path"
        else:
            kind, hint = "error", f"look at {self.folder}"
            words = f"{path} cannot be written: {error.strerror}"
        # What failed in between may have failed after the file was there: then it is asked.
        happened = False if kind == "rejected" else None
        return ToolFailed(f"the tool {self.name}: {words}", kind=kind, happened=happened, hint=hint)


def _replaceable(folder: int, name: str) -> None:
    """Refuse to put a file in the place of a symlink or of anything else that is no file."""
    with suppress(FileNotFoundError):
        if not S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, "it is no file")


def _read(folder: int, name: str, most: int) -> bytes:
    # Without NONBLOCK, a pipe of that name would be waited for.
    opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(opened, "rb") as stream:
        return stream.read(most)
