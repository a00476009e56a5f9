"""Who changed each path of a repository last, and when; kept from one index run to the next.

The last change of a path is the newest commit, by commit date and then by id, among all those reachable
that gave it a content: commits against their parent, merges where they differ from all of their parents.
So it is a maximum over a set of commits, and the same whether the set is walked at once or bit by bit.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from connectors.git_process import GitFailed, Repository

_FORMAT = 1
# No path in a tree begins with a slash.
_MARK = b"//"
_HEADER = "--format=//%H %ct %an"

Change = tuple[int, str, str]
"""(commit date in seconds since 1970, commit, author's name)"""


class History:
    """The last changes of a repository's paths. ``kept``: a file that may be deleted at any time."""

    def __init__(self, repository: Repository, kept: Path | None) -> None:
        self._repository = repository
        self._kept = kept

    def upto(self, commit: str) -> Mapping[str, Change]:
        """Return the last change of each path (as ``os.fsdecode`` gives it) that ``commit`` reaches.

        Walks only the commits that are new since the last call, if history was not rewritten. Raises
        ``GitFailed``, ``SourceUnavailable``.
        """
        known, changes = self._read()
        if known == commit:
            return changes
        since: tuple[str, ...] = ()
        if known and self._leads_to(known, commit):
            since = (f"^{known}",)
        else:
            changes = {}
        for path, change in self._walk(commit, since):
            if path not in changes or changes[path] < change:
                changes[path] = change
        self._write(commit, changes)
        return changes

    def _leads_to(self, old: str, new: str) -> bool:
        try:
            self._repository.output("merge-base", "--is-ancestor", "--end-of-options", old, new)
        except GitFailed:
            # 1: it is none. Else: its objects are gone, as after history was rewritten.
            return False
        return True

    def _walk(self, commit: str, since: tuple[str, ...]) -> Iterator[tuple[str, Change]]:
        listing = ("rev-list", commit, *since, "--")
        changed = "diff-tree --stdin --root -r -c -z --name-only --no-renames --diff-filter=d".split()
        with self._repository.reading(*listing, also=[*changed, _HEADER]) as stream:
            change: Change | None = None
            first = False
            for token in pieces(stream):
                if token.startswith(_MARK):
                    change, first = _change(token), True
                elif change is not None and token:
                    # A line feed stands between the header and the first name.
                    name = token[1:] if first and token[:1] == b"\n" else token
                    first = False
                    yield os.fsdecode(name), change
                else:
                    first = False

    def _read(self) -> tuple[str, dict[str, Change]]:
        if self._kept is None or not self._kept.exists():
            return "", {}
        try:
            held: Any = json.loads(self._kept.read_bytes())
            if held["format"] != _FORMAT:
                return "", {}
            changes = {
                str(path): (int(date), str(commit), str(author))
                for path, (date, commit, author) in held["paths"].items()
            }
            return str(held["commit"]), changes
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Cut short or of another program: everything is walked again.
            return "", {}

    def _write(self, commit: str, changes: Mapping[str, Change]) -> None:
        if self._kept is None:
            return
        temporary = self._kept.with_suffix(".new")
        # What cannot be kept is walked again the next time.
        with suppress(OSError):
            temporary.write_text(json.dumps({"format": _FORMAT, "commit": commit, "paths": changes}))
            temporary.replace(self._kept)


def pieces(stream: Any, end: bytes = b"\0") -> Iterator[bytes]:
    """Yield what stands before each NUL of a stream; what follows the last one is not given."""
    rest = b""
    while block := stream.read(65_536):
        *whole, rest = (rest + block).split(end)
        yield from whole


def _change(token: bytes) -> Change:
    commit, _, told = token[len(_MARK) :].decode("utf-8", "replace").partition(" ")
    date, _, author = told.partition(" ")
    return int(date) if date.isdecimal() else 0, commit, author
