"""The README is true: each session in it runs in a fresh copy of the examples and prints what it says.

A session is a fenced block marked ``console``. ``$ `` begins a command, ``> `` continues it; the lines
after it are what it prints, on either stream. ``...`` stands for anything within a line, and alone on a
line for any number of lines. A command without output is only run. Sessions run in order, in one folder,
which holds ``examples/`` as a clone does. Install commands are in ``sh`` blocks and run elsewhere.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Found nothing (6) is an answer; anything else that is not 0 would be a broken promise.
GOOD_CODES = {0, 6}


@dataclass(frozen=True)
class Step:
    """One command and the lines that the page says it prints."""

    command: str
    output: tuple[str, ...]


def sessions(page):
    """The steps of every session of a page, in order."""
    steps = []
    for block in FENCE.findall(page):
        command, output = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command is not None:
                    steps.append(Step(command, tuple(output)))
                command, output = line[2:], []
            elif line.startswith("> ") and command is not None and not output:
                command += "\n" + line[2:]
            else:
                assert command is not None, f"a session begins with a command, not with {line!r}"
                output.append(line.rstrip())
        if command is not None:
            steps.append(Step(command, tuple(output)))
    return steps


def agrees(expected, printed):
    """Tell whether printed lines are what a page shows, ``...`` being anything."""
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("...")) + r"\n"
    text = "".join(line.rstrip() + "\n" for line in printed)
    return re.fullmatch(pattern, text) is not None


def trimmed(text):
    """Lines without the empty ones at either end."""
    return text.strip("\n").splitlines()


class Shell:
    """Runs commands one after another, as a person at one prompt would."""

    def __init__(self, folder):
        self.folder = folder
        self.code = 0
        self.place = folder.parent / "place"
        kept = {name: os.environ[name] for name in ("LANG", "USER", "LOGNAME") if name in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = kept | {
            "PATH": path,
            "HOME": str(folder.parent),
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    def run(self, command):
        script = f"trap 'pwd > {self.place}' EXIT\n(exit {self.code})\n{command}\n"
        result = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        self.code = result.returncode
        self.folder = Path(self.place.read_text().strip())
        return result.stdout


def play(steps, folder):
    """Run a page's steps; give what differs as (command, shown, printed, exit code)."""
    shell, wrong = Shell(folder), []
    for step in steps:
        printed = shell.run(step.command)
        shown = "\n".join(step.output)
        differs = bool(shown.strip()) and not agrees(trimmed(shown), trimmed(printed))
        if differs or shell.code not in GOOD_CODES or "Traceback" in printed:
            wrong.append((step.command, shown, printed, shell.code))
    return wrong


@pytest.fixture
def clone(repository, tmp_path):
    """A folder with the examples in it, as git would give them."""
    folder = tmp_path / "clone"
    shutil.copytree(
        repository / "examples",
        folder / "examples",
        ignore=shutil.ignore_patterns(".ragflow", "__pycache__"),
    )
    return folder


def test_every_session_of_the_readme_does_what_it_shows(repository, clone):
    steps = sessions((repository / "README.md").read_text(encoding="utf-8"))
    assert steps, "the README shows no session"
    assert play(steps, clone) == []


def test_every_python_block_of_the_readme_runs(repository, clone):
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (repository / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert blocks
    index = [sys.executable, "-m", "ragflow.cli", "-C", "examples/northwind", "index"]
    subprocess.run(index, cwd=clone, check=True, capture_output=True)
    for block in blocks:
        ran = subprocess.run(
            [sys.executable, "-c", block], cwd=clone, check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        assert "28 days" in ran.stdout


def test_every_make_target_that_the_readme_names_exists(repository):
    named = set(re.findall(r"\bmake ([a-z]+)\b", (repository / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_readme_links_only_to_files_that_exist(repository):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (repository / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (repository / link).exists()] == []


PAGE = """
```sh
make demo
```

```console
$ echo one; \\
> echo two
one
t...o
$ cd /
$ pwd
/
$ (exit 6)
$ echo $?
6
$ seq 5
1
...
5
```
"""


def test_a_true_page_plays_without_a_difference(tmp_path):
    steps = sessions(PAGE)
    assert [step.command for step in steps][1:3] == ["cd /", "pwd"]
    (tmp_path / "clone").mkdir()
    assert play(steps, tmp_path / "clone") == []


@pytest.mark.parametrize(
    ("session", "printed"),
    [
        ("$ echo yes\nno\n", "yes\n"),
        ("$ seq 3\n1\n3\n", "1\n2\n3\n"),
        ("$ seq 3\n...\n2\n", "1\n2\n3\n"),
        ("$ exit 2\n", ""),
        ("$ echo Traceback\n", "Traceback\n"),
    ],
)
def test_a_false_page_is_found_out(tmp_path, session, printed):
    (tmp_path / "clone").mkdir()
    wrong = play(sessions(f"```console\n{session}```\n"), tmp_path / "clone")
    assert [row[2] for row in wrong] == [printed]
