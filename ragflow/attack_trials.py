"""Which attack goes into which document, and the workspace that holds these documents for a while."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.attacks import Attack
from evals.cases import Case
from ragflow.config import FILE_NAME, Config
from ragflow.errors import CannotSay, NotFound, UsageError
from ragflow.sections import Settings

if TYPE_CHECKING:
    from ragflow.app import App
    from ragflow.identity import Asker


@dataclass(frozen=True, slots=True)
class Target:
    """A document as it stands without an attack, and where it will lie in the workspace of the attacks."""

    source: str
    name: str
    text: str

    @property
    def document(self) -> str:
        """``<source>/<item>``."""
        return f"{self.source}/{self.name}"


@dataclass(frozen=True, slots=True)
class Trial:
    """An attack, the document that it is planted into, and the question that is asked."""

    attack: Attack
    target: Target
    question: str


def trials(app: "App", attacks: Sequence[Attack], cases: Sequence[Case], asker: "Asker") -> tuple[Trial, ...]:
    """Give every attack its document and its question.

    An attack with a context of its own is planted there. The others take the questions in turn, each
    planted into the first gold document of its question that the asker may read.

    Raises:
        UsageError: an attack brings no context, and there are no questions.
        CannotSay: none of the questions has a gold document that the asker may read.
    """
    gold = _gold(app, cases, asker) if any(one.context is None for one in attacks) else []
    own = next(name for name in _names() if name not in app.config.sources)
    contexts: dict[str, Target] = {}
    found: list[Trial] = []
    borrowed = 0
    for attack in attacks:
        if attack.context is None or attack.question is None:
            question, target = gold[borrowed % len(gold)]
            borrowed += 1
        else:
            question, fresh = attack.question, Target(own, f"{len(contexts):05d}.md", attack.context)
            target = contexts.setdefault(attack.context, fresh)
        found.append(Trial(attack, target, question))
    return tuple(found)


def _names() -> Iterator[str]:
    yield "attacks"
    number = 1
    while True:
        number += 1
        yield f"attacks-{number}"


def _gold(app: "App", cases: Sequence[Case], asker: "Asker") -> list[tuple[str, Target]]:
    """Return each question that can be attacked with the document to plant into: a text is taken once."""
    if not cases:
        raise UsageError(
            "these attacks bring no documents of their own", hint="name questions: --questions FILE"
        )
    targets: dict[str, Target] = {}
    found: list[tuple[str, Target]] = []
    for case in cases:
        for document, grade in (case.judgements or {}).items():
            if grade < 1 or case.answerable == "no" or not case.reviewed:
                continue
            if document not in targets:
                text = text_of(app, document, asker.readers)
                if text is None or not text.strip():
                    continue
                source, _, item = document.partition("/")
                stem = "".join(one if one.isascii() and one.isalnum() else "-" for one in item)[-40:]
                targets[document] = Target(source, f"{len(targets):05d}-{stem}.md", text)
            found.append((case.question, targets[document]))
            break
    if not found:
        raise CannotSay(
            "no question has a gold document that you may read", hint="ragflow index, or --as READER"
        )
    return found


def text_of(app: "App", document: str, readers: Sequence[str]) -> str | None:
    """Return the canonical text of a document; None where the readers may not read it."""
    try:
        return app.text(document, readers=readers)
    except NotFound:
        return None


def waves(planned: Sequence[Trial]) -> list[list[Trial]]:
    """Put the trials into as few groups as hold no document twice, in order."""
    found: list[list[Trial]] = []
    used: dict[str, int] = {}
    for trial in planned:
        at = used.get(trial.target.document, 0)
        used[trial.target.document] = at + 1
        if at == len(found):
            found.append([])
        found[at].append(trial)
    return found


@contextmanager
def workspace(config: Config, targets: Sequence[Target]) -> Iterator[Path]:
    """Write a workspace with this configuration and these documents, for the length of a ``with``.

    Every source of the configuration is there, with nothing but these documents in it, readable to
    everyone; a source that only documents name is added. Gates are left out, for nothing is released.
    """
    with tempfile.TemporaryDirectory(prefix="ragflow-attack-") as made:
        folder = Path(made)
        names = dict.fromkeys([*config.sources, *(target.source for target in targets)])
        for name in names:
            (folder / "documents" / name).mkdir(parents=True)
        write(folder, targets)
        (folder / FILE_NAME).write_text(json.dumps(_settings(config, list(names))))
        if (config.folder / "prompts").is_dir():
            shutil.copytree(config.folder / "prompts", folder / "prompts")
        lend_model(config.workspace / "model", folder / ".ragflow" / "model")
        yield folder


def _settings(config: Config, names: Sequence[str]) -> dict[str, Any]:
    whole = Settings(**{name: getattr(config, name) for name in Settings.model_fields})
    written: dict[str, Any] = whole.model_dump(mode="json", by_alias=True)
    known = written["sources"]
    written["sources"] = {
        name: {
            "type": "files",
            "path": f"documents/{name}",
            "readers": ["everyone"],
            "description": known.get(name, {}).get("description", ""),
            "examples": known.get(name, {}).get("examples", []),
        }
        for name in names
    }
    written["embed"]["model"] = config.model
    written["gates"] = []
    return written


def lend_model(source: Path, target: Path) -> None:
    """Give the new workspace the model's graph, which takes longer to build than all the rest."""
    if not source.is_dir():
        return
    target.parent.mkdir(mode=0o700, exist_ok=True)

    def lend(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:  # another file system
            shutil.copy2(one, other)

    with suppress(shutil.Error):  # what is missing is built
        shutil.copytree(source, target, copy_function=lend)


def write(folder: Path, targets: Sequence[Target]) -> None:
    """Write documents where ``workspace`` has them, over what is there."""
    for target in targets:
        (folder / "documents" / target.source / target.name).write_text(target.text, encoding="utf-8")
