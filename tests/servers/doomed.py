"""Commands of the program that are killed at a chosen point, each in a process of its own.

```python
with Doomed() as doomed:
    ended = doomed.run(["-C", folder, "run", "chain"], kill_at=7)    # SIGKILL at the seventh boundary
    assert ended.killed
    ended = doomed.run(["-C", folder, "runs", "resume", run])
```
A boundary stands before and after everything by which a run leaves a trace: a step, the work inside it, a
claim, a call of a tool, a settlement, a request, a record. Everything is imported once, in a process without
threads; each command is a fork of it, so that hundreds of kills are a matter of minutes.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

# (module, class or None, function)
TRACES = (
    ("ragflow.workflows.durable", "DurableSteps", "take"),
    ("ragflow.tools.effects", "Effects", "claim"),
    ("ragflow.tools.effects", "Effects", "end"),
    ("ragflow.workflows.rows", "Rows", "begin"),
    ("ragflow.workflows.rows", "Rows", "take_over"),
    ("ragflow.workflows.rows", "Rows", "wait"),
    ("ragflow.workflows.rows", "Rows", "end"),
    ("ragflow.tools.toolbox", "Toolbox", "attempt"),
    ("ragflow.approvals.gate", "ConfiguredGate", "open"),
    ("ragflow.approvals.gate", "ConfiguredGate", "executed"),
    ("ragflow.runs", "RunStore", "add"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. ``code`` None: by a signal. ``boundaries``: how many it came past, if it lived."""

    code: int | None
    out: str
    err: str
    boundaries: int

    @property
    def killed(self) -> bool:
        return self.code is None

    def json(self) -> Any:
        return json.loads(self.out)


class Doomed:
    """The process that forks. One command at a time; several of these may work side by side."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environ or {})},
        )

    def run(
        self,
        argv: Sequence[object],
        *,
        kill_at: int | None = None,
        kill_after: float | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a command to its end, or to its death: at a boundary (from 1), or after so many seconds."""
        asked = {
            "argv": [str(one) for one in argv],
            "kill_at": kill_at,
            "kill_after": kill_after,
            "environ": dict(environ or {}),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        assert told, "the process that forks has died"
        return Ended(**json.loads(told))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Boundaries:
    """Counts, and kills this process when its number has come."""

    def __init__(self, kill_at: int | None) -> None:
        self.passed = 0
        self._kill_at = kill_at
        self._lock = threading.Lock()

    def cross(self) -> None:
        with self._lock:
            self.passed += 1
            if self.passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **named: Any) -> Any:
            self.cross()
            given = function(*arguments, **named)
            self.cross()
            return given

        return guarded

    def around_take(self, take: Callable[..., Any]) -> Callable[..., Any]:
        """The work inside a step ends before the step is kept: that moment counts too."""

        def guarded(steps: Any, name: str, work: Callable[[Any], Any], **named: Any) -> Any:
            self.cross()
            given = take(steps, name, self.around(work), **named)
            self.cross()
            return given

        return guarded

    def install(self) -> None:
        for module, owner, name in TRACES:
            place = getattr(import_module(module), owner)
            wrap = self.around_take if name == "take" else self.around
            setattr(place, name, wrap(getattr(place, name)))


def _child(asked: dict[str, Any], report: Path) -> None:
    """Run the command and leave without a word to whoever forked: what it prints goes into files."""
    out, err = io.StringIO(), io.StringIO()
    os.environ.update(asked["environ"])
    boundaries = Boundaries(asked["kill_at"])
    boundaries.install()
    from ragflow import identity
    from ragflow.cli import main

    if login := asked["environ"].get("DOOMED_LOGIN"):
        identity.login = lambda: login
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(asked["argv"])
    told = {"code": code, "out": out.getvalue(), "err": err.getvalue(), "boundaries": boundaries.passed}
    report.write_text(json.dumps(told))
    os._exit(0)


def _run(asked: dict[str, Any], report: Path) -> dict[str, Any]:
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            _child(asked, report)
        except BaseException:  # noqa: BLE001 - whatever it was is shown, and the fork ends
            traceback.print_exc()
        finally:
            os._exit(70)
    killer = None
    if asked["kill_after"] is not None:
        deadline = time.monotonic() + asked["kill_after"]
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() >= deadline:
                os.kill(child, signal.SIGKILL)
                killer = child
                break
            time.sleep(0.002)
        else:
            return _told(report)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(killer or child, 0)
    return _told(report)


def _told(report: Path) -> dict[str, Any]:
    if report.exists() and report.stat().st_size:
        with contextlib.suppress(ValueError):  # killed while it wrote this: it was killed
            return json.loads(report.read_text())
    return {"code": None, "out": "", "err": "", "boundaries": 0}


def _serve() -> None:
    import dbos  # noqa: F401 - loaded once, before any fork
    import psycopg  # noqa: F401

    from ragflow.cli import root

    root.build()
    for module, *_ in TRACES:
        import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            told = _run(json.loads(line), Path(folder) / "report.json")
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _serve()
