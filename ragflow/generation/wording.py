"""Prompt files and passages -> the messages of a prompt. Wording comes from files, fences from here."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexes.query import Hit
from ragflow.answers import Rejected
from ragflow.errors import ConfigError
from ragflow.models.calls import Message, Prompt
from ragflow.prompts import PromptFile

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PARTED = re.compile(r"^---[ \t]*$", re.MULTILINE)
TEXTS = 6  # that a passage is shown with, its own the last
_MOST = 200  # code points of a name or heading that are shown
# What chat templates are made of: a server that reads it in a passage would take it for a turn of the talk.
_TURNS = re.compile(r"<(?=[|\uff5c])|<(?=/?(?:s|start_of_turn|end_of_turn)>)|\[(?=/?INST\])|<(?=</?SYS>>)")


@dataclass(frozen=True, slots=True)
class Wording:
    """How a model is asked. ``system`` is ours alone; ``user`` and ``repair`` hold the placeholders.

    ``name`` and ``digest`` are those of the prompt file that answers.
    """

    name: str
    digest: str
    system: str
    user: str
    repair: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as it goes into a prompt. ``header``: of the table that it begins inside of, else ""."""

    document: str
    title: str
    section: str
    date: str
    header: str
    text: str
    flagged: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """All of its text, in order."""
        return (self.document, self.title, self.section, self.date, self.header, self.text)

    def saying(self, texts: Sequence[str]) -> "Shown":
        """Return the same passage with other texts, in the order of ``texts``."""
        document, title, section, date, header, text = texts
        return Shown(document, title, section, date, header, text, self.flagged)


def wording(answer: PromptFile, repair: PromptFile) -> Wording:
    """Read the two files of an answer's prompt.

    The first is parted by its first line ``---``: what stands before is the system's message and holds no
    placeholder, what follows is the user's and holds ``{{question}}`` and ``{{passages}}``. The second
    holds ``{{findings}}``.

    Raises:
        ConfigError: the line or a placeholder is missing, or one of them is unknown or in the wrong part.
    """
    system, user = parted(answer, ("question", "passages"))
    _check(repair.name, repair.text, ("findings",))
    return Wording(answer.name, answer.digest, system, user, repair.text.strip())


def parted(prompt: PromptFile, wanted: Sequence[str]) -> tuple[str, str]:
    """Return what stands above and below the first line ``---``: the system's message and the user's.

    Raises:
        ConfigError: there is no such line, or the placeholders below it are not the ``wanted`` ones.
    """
    parts = _PARTED.split(prompt.text, maxsplit=1)
    if len(parts) < 2:
        named = " and ".join(f"{{{{{name}}}}}" for name in wanted)
        raise ConfigError(
            f"the prompt {prompt.name} has no line ---",
            hint=f"write the system's message above a line ---, and {named} below it",
        )
    _check(f"{prompt.name}, above the line ---", parts[0], ())
    _check(f"{prompt.name}, below the line ---", parts[1], wanted)
    return parts[0].strip(), parts[1].strip()


def _check(where: str, text: str, wanted: Sequence[str]) -> None:
    there = set(_PLACEHOLDER.findall(text))
    missing = [f"{{{{{name}}}}}" for name in wanted if name not in there]
    unknown = [f"{{{{{name}}}}}" for name in sorted(there) if name not in wanted]
    if missing:
        raise ConfigError(f"the prompt {where}: {' and '.join(missing)} is missing", hint="put it in")
    if unknown:
        raise ConfigError(
            f"the prompt {where}: {' and '.join(unknown)} is not known here", hint="take it out"
        )


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values in, in one go: a value that looks like a placeholder stays what it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


def compose(
    wording: Wording, question: str, passages: Sequence[Shown], rejected: Sequence[Rejected] = ()
) -> Prompt:
    """Return the prompt: our system message, and one of the user that holds everything that is data.

    Passages are numbered from 1. With ``rejected`` the findings follow the question.
    """
    question = tame(question)
    passages = [one.saying([tame(text) for text in one.texts]) for one in passages]
    findings = [
        f"{on_one_line(tame(one.text))} {one.finding}: {on_one_line(tame(one.detail))}" for one in rejected
    ]
    code = fence([question, *(text for one in passages for text in one.texts), *findings])
    blocks = [_fenced(number, one, code) for number, one in enumerate(passages, start=1)]
    asked = fill(wording.user, {"question": question, "passages": "\n\n".join(blocks)})
    if findings:
        told = "\n".join([f"<findings-{code}>", *findings, f"</findings-{code}>"])
        asked = f"{asked}\n\n{fill(wording.repair, {'findings': told})}"
    return Prompt((Message("system", wording.system), Message("user", asked)))


def fence(texts: Iterable[str]) -> str:
    """Return the code of the fences, 12 hex: made of all that is fenced, and found in none of it.

    No document can name it: it depends on the question and on every other passage too. The same texts
    have the same fence.
    """
    held = list(texts)
    made = "\0".join(held)
    while True:
        made = hashlib.sha256(made.encode()).hexdigest()
        if not any(made[:12] in text for text in held):
            return made[:12]


def shown(hit: Hit, *, header: str = "") -> Shown:
    """Return what a prompt shows of a passage; its date is the document's, as far as it has one."""
    return Shown(
        hit.document,
        hit.title,
        " > ".join(hit.headings),
        (hit.modified or "")[:10],
        header,
        hit.text,
        bool(hit.flags),
    )


def _fenced(number: int, passage: Shown, code: str) -> str:
    named = {
        "document": passage.document,
        "title": passage.title,
        "section": passage.section,
        "date": passage.date,
        "table_header": passage.header,
        "flagged": "yes" if passage.flagged else "",
    }
    words = [
        f'number="{number}"',
        *(f"{name}={on_one_line(value[:_MOST])}" for name, value in named.items() if value),
    ]
    return f"<passage-{code} {' '.join(words)}>\n{passage.text}\n</passage-{code}>"


def on_one_line(text: str) -> str:
    """Return a text in quotes on one line."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def tame(text: str) -> str:
    """Part the marks of chat templates by a space. A quote that holds one is then found to be wrong."""
    return _TURNS.sub(lambda found: f"{found[0]} ", text)
