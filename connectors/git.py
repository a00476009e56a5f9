"""Files that a git repository tracks at a ref, local or remote, with who changed each last."""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

from connectors.errors import SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.git_history import Change, History, pieces
from connectors.git_process import Blobs, GitFailed, Repository
from connectors.git_remote import TIP, Mirror, Remote
from connectors.globs import Selection
from connectors.items import Item, Raw
from connectors.naming import hidden, ids_of
from connectors.parsing.failures import failure
from connectors.places import GONE

_FIELD = re.compile(r"\{([^{}]*)\}")
_BAD_REF = re.compile(r"^-|^/|/$|\.$|//|\.\.|@\{|^@$|\.lock(?:/|$)|(?:^|/)\.|[\x00-\x20\x7f~^:?*\[\\]")
_POINTER = b"version https://git-lfs.github.com/spec/"
_LINK, _MODULE = "120000", "160000"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a repository is a source.

    ``link``: where a person can open a file; ``{commit}``, ``{path}`` and ``{line}`` are filled in, the
    last one with the line of what is cited.
    """

    selection: Selection
    ref: str = "HEAD"
    link: str | None = None
    max_bytes: int = 100_000_000


@dataclass(frozen=True, slots=True)
class _File:
    path: bytes
    mode: str
    object: str
    size: int | None


@dataclass(frozen=True, slots=True)
class _Tree:
    commit: str
    files: Mapping[str, _File]


class Git:
    """Lists the files of a commit and reads them; nothing is ever checked out, and nothing of it is run.

    - The id of a file is its path, by the rules of local folders: NFC, ``%XX`` for what is no UTF-8,
      hidden ones out. Its fingerprint is the id of its blob, so other commits change nothing.
    - A symbolic link is left out. A submodule, and a file that stands for one in Git LFS, is listed and
      refused when fetched, so that it is reported.
    - ``author`` and ``modified`` are of the last commit that changed the file, see ``git_history``.
    - A ``Remote`` is mirrored into ``state`` and fetched from at each listing; a local repository is read
      where it is. ``state`` None (local only): history is walked whole each time.

    Raises ``SourceMisconfigured``: the ref or the link is none.
    """

    def __init__(self, where: Path | Remote, wanted: Wanted, *, state: Path | None = None) -> None:
        if _BAD_REF.search(wanted.ref) or not wanted.ref:
            raise SourceMisconfigured(
                f"no name of a ref: {wanted.ref!r}", hint="for example HEAD, main, v1.2 or a commit's id"
            )
        self._wanted = wanted
        self._link = _checked(wanted.link)
        self._mirror: Mirror | None = None
        if isinstance(where, Remote):
            if state is None:
                raise SourceMisconfigured(
                    "a remote repository needs a folder for its mirror", hint="name one"
                )
            self._mirror = Mirror(where, wanted.ref, state / "mirror.git")
            self._repository = self._mirror.repository
        else:
            self._repository = Repository(where)
        self._history = History(self._repository, state / "changes.json" if state is not None else None)
        self._blobs = Blobs(self._repository)
        self._lock = threading.Lock()
        self._tree: _Tree | None = None
        self._changes: tuple[str, Mapping[str, Change]] = "", {}

    def list(self) -> Iterator[Item]:
        """Yield the files of the ref, by path.

        Raises:
            SourceMisconfigured: no repository there, no such ref.
            SourceUnavailable: git fails, or the remote gives no answer.
            AccessDenied, AddressRefused: the remote.
        """
        if self._mirror is not None:
            self._mirror.fetch()
        tree = self._read()
        self._tree = tree
        selection = self._wanted.selection
        for item_id, file in tree.files.items():
            yield Item(item_id, file.object, selection.readers_of(item_id), file.size)

    def fetch(self, item: Item) -> Raw:
        """Return the bytes of a file at the commit that was listed.

        Raises:
            UnreadableDocument: ``vanished``, ``too_large``, ``submodule``, ``lfs_pointer``, ``unreachable``
                where a partial clone lacks it.
            SourceUnavailable: git fails.
        """
        tree = self._listed()
        file = tree.files.get(item.id)
        if file is None:
            raise UnreadableDocument(f"{item.id} is gone", reason="vanished", hint=GONE)
        if file.mode == _MODULE:
            hint = "make its repository a source of its own, or leave it out with `exclude`"
            raise UnreadableDocument(f"{item.id} is a submodule", reason="submodule", hint=hint)
        if (file.size or 0) > self._wanted.max_bytes:
            raise failure("too_large", f"{item.id} has more than {self._wanted.max_bytes} bytes")
        data = self._blobs.read(file.object)
        if data is None:
            hint = "the clone is partial or damaged: fetch all objects there"
            raise UnreadableDocument(f"{item.id} is not in the clone", reason="unreachable", hint=hint)
        if len(data) < 1024 and data.startswith(_POINTER):
            hint = "only its stand-in is in git: put the file where it is, or leave it out with `exclude`"
            raise UnreadableDocument(f"{item.id} lies in Git LFS", reason="lfs_pointer", hint=hint)
        date, _, author = self._change(tree.commit, os.fsdecode(file.path))
        return Raw(
            item=item.id,
            data=data,
            name=item.id.rsplit("/", 1)[-1],
            link=self._filled(tree.commit, file.path),
            modified=_time(date),
            author=author or None,
        )

    def _read(self) -> _Tree:
        ref = TIP if self._mirror is not None else self._wanted.ref
        try:
            commit = self._repository.output("rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
            name = commit.decode("ascii").strip()
            listing = ("ls-tree", "-r", "-z", "--long", "--full-tree", name)
            with self._repository.reading(*listing) as stream:
                files = [file for piece in pieces(stream) if (file := _file(piece)) is not None]
        except GitFailed as error:
            raise self._failed(error) from error
        except (OSError, UnicodeDecodeError) as error:
            raise SourceUnavailable(f"cannot read {self._repository.path}: {error}", hint=_CHECK) from error
        by_path = {file.path: file for file in files if not hidden(os.fsdecode(file.path))}
        wants = self._wanted.selection.wants
        return _Tree(name, {one: by_path[path] for path, one in ids_of(by_path).items() if wants(one)})

    def _listed(self) -> _Tree:
        with self._lock:
            if self._tree is None:
                for _ in self.list():
                    pass
            assert self._tree is not None
            return self._tree

    def _change(self, commit: str, path: str) -> Change:
        with self._lock:
            if self._changes[0] != commit:
                try:
                    self._changes = commit, self._history.upto(commit)
                except GitFailed as error:
                    raise self._failed(error) from error
            return self._changes[1].get(path, (0, "", ""))

    def _failed(self, error: GitFailed) -> SourceMisconfigured | SourceUnavailable:
        path = self._repository.path
        if "not a git repository" in error.said or "Not a directory" in error.said:
            return SourceMisconfigured(f"{path} is no git repository", hint="check `path`")
        if "Needed a single revision" in error.said or "unknown revision" in error.said:
            return SourceMisconfigured(f"{path} has no ref {self._wanted.ref}", hint="check `ref`")
        return SourceUnavailable(f"git cannot read {path}: {error.said[-200:]}", hint=_CHECK)

    def _filled(self, commit: str, path: bytes) -> str | None:
        if self._link is None:
            return None
        filled = {"commit": commit, "path": quote_from_bytes(path), "line": "{line}"}
        return _FIELD.sub(lambda found: filled[found[1]], self._link)


def _file(piece: bytes) -> _File | None:
    """Return an entry of ``ls-tree --long``; None for symbolic links."""
    about, _, path = piece.partition(b"\t")
    mode, _, name, size = about.decode("ascii").split()
    return None if mode == _LINK else _File(path, mode, name, int(size) if size.isdecimal() else None)


def _checked(link: str | None) -> str | None:
    if link is None:
        return None
    unknown = set(_FIELD.findall(link)) - {"commit", "path", "line"}
    plain = _FIELD.sub("", link)
    if unknown or "{" in plain or "}" in plain or not re.match(r"https?://[^/\s]+/\S*$", plain):
        raise SourceMisconfigured(
            f"no template of a link: {link!r}",
            hint="for example https://HOST/PROJECT/blob/{commit}/{path}#L{line}",
        )
    return link


def _time(date: int) -> str | None:
    try:
        return datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if date else None
    except (ValueError, OverflowError, OSError):
        return None


_CHECK = "check that the path exists and that its disk is mounted; `git fsck` there finds damage"
