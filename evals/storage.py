"""Stored runs: a folder each, so that a killed run goes on where it was and any figure can be traced.

``<run>/run.json``      what is evaluated; written last when a run starts, replaced whole when it ends
``<run>/cases.jsonl``   the cases with their gold, as in a question file
``<run>/results.jsonl`` a row as soon as its case is done
``<run>/lock``          held by the process that runs it

A kill can tear the last line of ``results.jsonl``: a line without its end is no row. Folders are 0700,
files 0600: they hold what documents say.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from evals.cases import Case
from evals.erasing import case_without, row_without
from evals.errors import DatasetInvalid, ResultsNotWritable, RunDamaged, RunNotFound
from evals.questions import from_json, to_json
from evals.results import EvalRun, Row, Setup
from evals.rows import read_row, read_setup, row_line, setup_json
from indexes.files import write_atomic
from indexes.locks import exclusive

_ID = re.compile(r"r-\d{8}T\d{6}-[0-9a-f]{6}")
_SETUP, _CASES, _ROWS, _LOCK = "run.json", "cases.jsonl", "results.jsonl", "lock"
# Two runs that agree in these do the same: one may go on with what the other left.
_SAME = (
    "kind digest questions fold limit seed systems metrics config config_digest generation version "
    "actor excluded"
).split()


@dataclass(frozen=True, slots=True)
class _Held:
    """A run that this process runs: its setup, its open results, and what gives both back."""

    setup: Setup
    results: IO[str]
    stack: ExitStack


class Runs:
    """The evaluation runs below one folder, which is made when the first starts.

    Laws:

    - a row that ``append`` returned from is read back, whatever kills the process after it;
    - a run is run by one process at a time: ``resume`` gives None while another holds it;
    - nothing of a run is ever changed but by its holder.

    Raises, from every method that writes: ``ResultsNotWritable``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, _Held] = {}

    # -- running ---------------------------------------------------------------------------------

    def start(self, setup: Setup, cases: Sequence[Case]) -> None:
        """Make the folder of a new run and hold it until ``finish`` or ``release``."""
        folder = self._of(setup.run)
        with _writing(folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
            lines = [json.dumps(to_json(case)) + "\n" for case in cases]
            _create(folder / _CASES, "".join(lines))
            _create(folder / _ROWS, "")
            _create(folder / _LOCK, "")
        if not self._hold(setup):
            raise ResultsNotWritable(f"{folder} is held by another process")
        self._write(setup)

    def resume(self, run: str) -> EvalRun | None:
        """Hold a run that was left and return it as far as it came; None when another process holds it.

        A torn last line is cut off. Raises ``RunNotFound``, ``RunDamaged``.
        """
        found = self.load(run)
        if not self._hold(found.setup):
            return None
        # Its last holder may have ended, and added rows, after it was read.
        found = self.load(run)
        if found.setup.status != "running":
            self.release(run)
            return None
        results = self._held[run].results
        with _writing(self._of(run)):
            results.truncate(_whole((self._of(run) / _ROWS).read_bytes()))
        return found

    def append(self, run: str, row: Row) -> None:
        """Add a row to a run that is held."""
        with _writing(self._of(run)):
            results = self._held[run].results
            results.write(row_line(row) + "\n")
            results.flush()

    def finish(self, run: str) -> None:
        """Say that a run that is held is done, and give it back."""
        held = self._held[run]
        with _writing(self._of(run)):
            os.fsync(held.results.fileno())
        self._write(replace(held.setup, status="done"))
        self.release(run)

    def release(self, run: str) -> None:
        """Give a run back as it stands; one that is not held is no error."""
        held = self._held.pop(run, None)
        if held is not None:
            held.stack.close()

    def erase(self, document: str) -> tuple[str, ...]:
        """Take the wording of ``<source>/<item>`` out of every run.

        Returns the runs that may show it still, by name: another process is running them, or they are
        damaged.
        """
        left = []
        for path in sorted(self._folders()):
            with exclusive(path / _LOCK) as alone, suppress(RunNotFound):
                try:
                    if alone:
                        self._rewrite(self.load(path.name), document)
                        continue
                except RunDamaged:
                    pass  # what cannot be read cannot be rewritten: it is named
                left.append(path.name)
        return tuple(left)

    def _rewrite(self, run: EvalRun, document: str) -> None:
        name = document.partition("/")[2] if run.setup.kind == "beir" else document
        cases = tuple(case_without(case, name) for case in run.cases)
        rows = tuple(row_without(row, name) for row in run.rows)
        folder = self._of(run.setup.run)
        with _writing(folder):
            if cases != run.cases:
                _replace(folder / _CASES, [json.dumps(to_json(case)) for case in cases])
            if rows != run.rows:
                _replace(folder / _ROWS, [row_line(row) for row in rows])

    # -- reading ---------------------------------------------------------------------------------

    def load(self, run: str) -> EvalRun:
        """Read a run. Raises ``RunNotFound``, or ``RunDamaged`` naming the file and line."""
        setup, folder = self._setup(run), self._of(run)
        cases = tuple(_case(line, at) for at, line in _lines(folder / _CASES))
        if len(cases) != setup.questions:
            wrong = f"{folder / _CASES} holds {len(cases)} cases, not {setup.questions}"
            raise RunDamaged(wrong, hint=_AGAIN)
        return EvalRun(setup, cases, tuple(_row(line, at) for at, line in _lines(folder / _ROWS)))

    def digest(self, run: str) -> str:
        """Return the SHA-256 over the cases and results of a run as they are stored, 64 hex."""
        found = hashlib.sha256()
        for name in (_CASES, _ROWS):
            try:
                content = (self._of(run) / name).read_bytes()
            except OSError as error:
                raise RunDamaged(f"{run}/{name} cannot be read: {error.strerror}", hint=_AGAIN) from error
            found.update(hashlib.sha256(content).digest())
        return found.hexdigest()

    def damaged(self) -> list[str]:
        """Return the runs whose ``run.json`` cannot be read, sorted."""
        wrong = []
        for path in self._folders():
            try:
                self._setup(path.name)
            except RunDamaged:
                wrong.append(path.name)
            except RunNotFound:
                continue  # killed before it began
        return sorted(wrong)

    def resumable(self, setup: Setup) -> str | None:
        """Return the newest run that does just what ``setup`` would, if it was left unfinished; else None.

        An older one is left alone: what came after it, done or held by another process, stands for it.
        """
        for known in self.list():
            if all(getattr(known, name) == getattr(setup, name) for name in _SAME):
                return known.run if known.status == "running" and self._free(known.run) else None
        return None

    # -- files -----------------------------------------------------------------------------------

    def _of(self, run: str) -> Path:
        if not _ID.fullmatch(run):
            raise RunNotFound(f"there is no evaluation run {run!r}", hint="ragflow eval list")
        return self.folder / run

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if _ID.fullmatch(path.name)]

    def _setup(self, run: str) -> Setup:
        path = self._of(run) / _SETUP
        try:
            return read_setup(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise RunNotFound(f"there is no evaluation run {run}", hint="ragflow eval list") from None
        except (OSError, ValueError) as error:
            raise RunDamaged(f"{path} cannot be read: {_first_line(error)}", hint=_AGAIN) from error

    def _write(self, setup: Setup) -> None:
        path = self._of(setup.run) / _SETUP
        with _writing(path.parent):
            write_atomic(path, (json.dumps(setup_json(setup), indent=1) + "\n").encode())
            path.chmod(0o600)

    def _hold(self, setup: Setup) -> bool:
        folder = self._of(setup.run)
        with _writing(folder), ExitStack() as stack:
            if not stack.enter_context(exclusive(folder / _LOCK)):
                return False
            results = stack.enter_context((folder / _ROWS).open("a", encoding="utf-8", newline="\n"))
            self._held[setup.run] = _Held(setup, results, stack.pop_all())
        return True

    def _free(self, run: str) -> bool:
        with exclusive(self._of(run) / _LOCK) as alone:
            return alone

    def list(self) -> list[Setup]:
        """Return what was evaluated, newest first. Runs that cannot be read are named by ``damaged``."""
        found = []
        for path in self._folders():
            with suppress(RunDamaged, RunNotFound):
                found.append((self._setup(path.name), _age(path)))
        newest = sorted(found, key=lambda each: (each[0].created, each[1], each[0].run), reverse=True)
        return [setup for setup, _ in newest]


_AGAIN = "evaluate again: ragflow eval run"


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsNotWritable(
            f"{folder} cannot be written: {error.strerror or error}",
            hint="check the space and the rights there",
        ) from error


def _create(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, lines: Sequence[str]) -> None:
    before = path.stat()
    write_atomic(path, "".join(f"{line}\n" for line in lines).encode())
    path.chmod(0o600)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # by which runs are ordered


def _age(folder: Path) -> int:
    """Return when the run began by its cases, which are written once: ids and setups know only seconds."""
    try:
        return (folder / _CASES).stat().st_mtime_ns
    except OSError:
        return 0


def _whole(data: bytes) -> int:
    """Return how many bytes the whole lines of a file have."""
    return data.rfind(b"\n") + 1


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each whole line with its place, ``results.jsonl:3``. Raises ``RunDamaged``."""
    try:
        data = path.read_bytes()
        text = data[: _whole(data)].decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunDamaged(f"{path} cannot be read: {_first_line(error)}", hint=_AGAIN) from error
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        yield f"{path}:{number}", line


def _case(line: str, at: str) -> Case:
    try:
        return from_json(json.loads(line), at)
    except (ValueError, TypeError, DatasetInvalid) as error:
        raise RunDamaged(f"{at}: this is no case: {_first_line(error)}", hint=_AGAIN) from error


def _row(line: str, at: str) -> Row:
    try:
        return read_row(line)
    except ValueError as error:
        raise RunDamaged(f"{at}: this is no row: {_first_line(error)}", hint=_AGAIN) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
