"""Runs git so that nothing in a repository, and nothing around this process, decides what it does.

The environment is empty but for what stands here; no system or user configuration is read; settings that
would start a program are overruled; no protocol is allowed that the caller did not name. Only plumbing is
run, which checks nothing out and applies no filter, no textconv and no hook.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from connectors.errors import ExtraMissing, SourceUnavailable

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.alternateRefsCommand": "",
    "core.askPass": "",
    "core.sshCommand": "false",
    "credential.helper": "",
    "protocol.allow": "never",
    "protocol.ext.allow": "never",
    "log.showSignature": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    # The folder was configured by whoever runs this, and nothing of what it holds is run.
    "safe.directory": "*",
}
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "false",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    # Also for objects that a partial clone lacks: its configuration says how to get them.
    "GIT_ALLOW_PROTOCOL": "none",
}
_SAID = 4_096


class GitFailed(Exception):
    """Git ended with an error. ``said``: the end of what it wrote, on one line, printable."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"git ended with {code}: {said}")
        self.code, self.said = code, said


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository by its folder. ``timeout``: seconds for one run of git.

    ``environment`` and ``settings`` come on top of what this module sets; secrets stand in the former.
    """

    path: Path
    timeout: float = 600.0
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)

    def output(self, *arguments: str, most: int = 1_000_000) -> bytes:
        """Return what git writes.

        Raises ``GitFailed``, and ``SourceUnavailable`` after ``timeout`` or more than ``most`` bytes.
        """
        with self.reading(*arguments) as stream:
            written = stream.read(most + 1)
            if len(written) > most:
                raise SourceUnavailable(f"git {arguments[0]} wrote more than {most} bytes", hint=_DAMAGED)
        return written

    @contextlib.contextmanager
    def reading(self, *arguments: str, also: Sequence[str] = ()) -> Iterator[BinaryIO]:
        """Give what git writes as a stream; ``also`` is a second git that reads what the first writes.

        Raises at the end as ``output``. Whoever leaves early ends git.
        """
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(self._run(arguments, None))
            stream = cast(BinaryIO, process.stdout)
            if also:
                second = stack.enter_context(self._run(also, process.stdout))
                stream.close()
                stream = cast(BinaryIO, second.stdout)
            yield stream

    @contextlib.contextmanager
    def _run(self, arguments: Sequence[str], source: object) -> Iterator["subprocess.Popen[bytes]"]:
        process = self.start(arguments, cast(BinaryIO, source) if source else subprocess.DEVNULL)
        said = _Said(cast(BinaryIO, process.stderr))
        late = threading.Event()
        clock = threading.Timer(self.timeout, _stop, (process, late))
        clock.daemon = True
        clock.start()
        whole = False
        try:
            yield process
            whole = True
        finally:
            if not whole:
                end(process)
            if process.stdout is not None:
                process.stdout.close()
            code = process.wait()
            clock.cancel()
            text = said.text()
        if late.is_set():
            raise SourceUnavailable(
                f"git {arguments[0]} took more than {self.timeout:g} seconds", hint="try again later"
            )
        if code != 0:
            raise GitFailed(code, text)

    def start(self, arguments: Sequence[str], source: BinaryIO | int) -> "subprocess.Popen[bytes]":
        """Start git in a session of its own, with pipes for what it writes."""
        program = shutil.which("git")
        if program is None:
            raise ExtraMissing("git is not installed", hint="install git (Debian: apt-get install git)")
        path = Path(os.path.realpath(self.path))
        settings = {**_SETTINGS, **self.settings}
        return subprocess.Popen(  # noqa: S603 - no shell; what comes from outside stands behind --end-of-options
            [
                program,
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                *arguments,
            ],
            cwd=path,
            # What else is found there is no setting: the program, and the programs that it needs.
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                **_ENVIRONMENT,
                # The folder itself is the repository, or there is none: none further up is taken for it.
                "GIT_CEILING_DIRECTORIES": str(path.parent),
                **self.environment,
            },
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


class Blobs:
    """Reads the contents of files by their ids, from one git that stays; for several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, blob: str) -> bytes | None:
        """Return the bytes of a blob, None where the repository lacks it.

        Raises ``SourceUnavailable`` where git ended, or took too long; the next call starts another.
        """
        with self._lock:
            if self._process is None:
                self._process = self._repository.start(["cat-file", "--batch"], subprocess.PIPE)
                weakref.finalize(self, _close, self._process, _Said(cast(BinaryIO, self._process.stderr)))
            process = self._process
            clock = threading.Timer(self._repository.timeout, end, [process])
            clock.daemon = True
            clock.start()
            try:
                return _asked(cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout), blob)
            except (OSError, EOFError, ValueError) as error:
                self._process = None
                end(process)
                raise SourceUnavailable("git cat-file gave no whole answer", hint=_DAMAGED) from error
            finally:
                clock.cancel()


def _asked(questions: BinaryIO, answers: BinaryIO, blob: str) -> bytes | None:
    questions.write(f"{blob}\n".encode("ascii"))
    questions.flush()
    head = answers.readline(1_000).split()
    if len(head) == 2 and head[1] == b"missing":
        return None
    if len(head) != 3 or head[1] != b"blob":
        raise EOFError
    data = answers.read(int(head[2]) + 1)
    if len(data) != int(head[2]) + 1:
        raise EOFError
    return data[:-1]


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _stop(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    end(process)


def _close(process: "subprocess.Popen[bytes]", said: "_Said") -> None:
    end(process)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            # What was not yet written went with the process.
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
    said.text()


class _Said:
    """Reads what a process says on stderr, however much, and keeps the end of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while block := self._stream.read1(_SAID):  # type: ignore[attr-defined]
            self._kept = (self._kept + block)[-_SAID:]

    def text(self) -> str:
        """Return the end of what was said; waits until the process has closed it."""
        self._thread.join()
        self._stream.close()
        return re.sub(r"[^\x20-\x7e]+", " ", self._kept.decode("ascii", "replace")).strip()[-500:]


_DAMAGED = "the repository may be damaged: run `git fsck` there"
