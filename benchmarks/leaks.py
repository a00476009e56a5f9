"""Ask for what is hidden, ten thousand times, and count what shows.

``python benchmarks/leaks.py [--documents 500] [--questions 10000] [--commands 100] [--seed 1] [--json]``

Documents of two to five sentences have random readers, words of their own, and copies under other readers.
Each question is asked by random readers and aims at a document that they may not read: by its words, its
name, or its secret itself. Every question goes through ``search`` and ``ask``; some through every command of
the command line. A leak is a word of any document that the asker may not read, anywhere in what comes back,
but for words that the asker wrote.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from indexes.build import Chunking
from indexes.embedding import Embedder
from indexes.query import System
from indexes.testing import Planted, World
from ragflow import identity, parts
from ragflow.access_probing import Run
from ragflow.app import App
from ragflow.cli.access import commands
from ragflow.config import Config, load
from ragflow.sections import Identity

READERS = (
    "everyone", "group:hr", "group:sales", "group:leads", "group:it", "group:board", "user:mia", "user:bob",
)  # fmt: skip
SYSTEMS: tuple[System, ...] = ("hybrid", "lexical", "dense")
SOURCES = ("hr", "sales", "wiki", "mail")
SUBJECTS = ("annual leave", "travel", "the salary band", "the laptop", "the price list", "parental leave")
FACTS = (
    "For {subject}, {number} days are granted to whoever keeps the {probe} of the company.",
    "The limit of the {probe} is {number} euro for {subject}, and the team lead approves more.",
    "In {subject}, the {probe} is known to insiders as {secret}.",
    "Nobody may hand the {probe} over without form {number} of {secret}.",
)
ASKED = (
    "What is the {probe} known as?",
    "How many days are granted to whoever keeps the {probe} for {subject}?",
    "What is the limit of the {probe}?",
    "{name}",
    "Tell me about {secret}",
    "Who may hand over the {probe} without form {number}?",
    "{subject}",
)
_WORD = re.compile(r"zq[a-z]{10}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A document with words that nothing else holds: in its name, and twice in its text."""

    planted: Planted
    mark: str
    probe: str
    secret: str
    subject: str
    number: int

    def open_to(self, readers: Sequence[str]) -> bool:
        """Tell whether one of the readers may read it."""
        return not set(self.planted.readers).isdisjoint(readers)


@dataclass(slots=True)
class Figures:
    """What was asked, of whom it was hidden, and what showed all the same."""

    documents: int = 0
    questions: int = 0
    outputs: int = 0
    found_of_ones_own: int = 0
    leaks: list[str] = field(default_factory=list)
    seconds: float = 0.0


def word(chance: random.Random) -> str:
    """Return a word that begins with zq: no text holds one by chance."""
    return "zq" + "".join(chance.choices("bcdfghjklmnpqrstvwxyzaeiou", k=10))


def corpus(chance: random.Random, count: int) -> list[Secret]:
    """Make documents with random readers; a tenth of them say what another says, under other readers."""
    made: list[Secret] = []
    while len(made) < count:
        mark, probe, secret = word(chance), word(chance), word(chance)
        subject, number = chance.choice(SUBJECTS), chance.choice((5, 14, 28, 140))
        said = chance.sample(FACTS, chance.randint(2, 4))
        text = " ".join(
            one.format(subject=subject, number=number, probe=probe, secret=secret) for one in said
        )
        for _ in range(2 if chance.random() < 0.1 else 1):
            name = f"{chance.choice(SOURCES)}/{subject.split()[-1]}-{mark}"
            readers = tuple(sorted(chance.sample(READERS, chance.choice((0, 1, 1, 1, 2, 3)))))
            planted = Planted(name, text, readers)
            made.append(Secret(planted, mark, probe, secret, subject, number))
            mark = word(chance)
    return made[:count]


class Leaks:
    """Looks at outputs: which words of whose documents are in them."""

    def __init__(self, made: Sequence[Secret]) -> None:
        self._holders: dict[str, list[Secret]] = {}
        for one in made:
            for each in (one.mark, one.probe, one.secret):
                self._holders.setdefault(each, []).append(one)

    def words(self, text: str, readers: Sequence[str], given: str) -> tuple[list[str], int]:
        """Return the words that must not be there, and how many others of the corpus are."""
        wrote = set(_WORD.findall(given))
        shown = {
            each for each in _WORD.findall(text.casefold()) if each not in wrote and each in self._holders
        }
        hidden = [each for each in shown if not any(one.open_to(readers) for one in self._holders[each])]
        return sorted(hidden), len(shown) - len(hidden)


def workspace(folder: Path, made: Sequence[Secret], embedder: Embedder) -> Config:
    """Plant the documents through a real sync, and give the configuration."""
    sources = "".join(f"  {name}: {{type: files, path: nowhere, description: {name}}}\n" for name in SOURCES)
    (folder / "ragflow.yaml").write_text(f"version: 1\nsources:\n{sources}")
    world = World(folder / ".ragflow", embedder, chunking=Chunking(tokens=200, overlap=40))
    world.sync([one.planted for one in made])
    world.close()
    return load(folder / "ragflow.yaml", environ={})


def questions(made: Sequence[Secret], chance: random.Random) -> Iterator[tuple[tuple[str, ...], str, Secret]]:
    """Yield readers, a question, and the document that it aims at, which they may not read."""
    while True:
        readers = identity.readers(chance.sample(READERS, chance.choice((1, 1, 2))))
        aimed = chance.choice(made)
        if not aimed.open_to(readers):
            told = chance.choice(ASKED).format(
                probe=aimed.probe, secret=aimed.secret, name=aimed.planted.name,
                subject=aimed.subject, number=aimed.number,
            )  # fmt: skip
            yield readers, told, aimed


def in_process(app: App, made: Sequence[Secret], figures: Figures, count: int, chance: random.Random) -> None:
    """Put questions through ``search``, by one of the systems, and ``ask``."""
    looking = Leaks(made)
    for number, (readers, text, _) in zip(range(count), questions(made, chance), strict=False):
        found = json.dumps(app.find(text, readers=readers, system=chance.choice(SYSTEMS)).to_json())
        asked = json.dumps(app.ask(text, readers=readers).to_json())
        figures.questions += 1
        for name, output in (("search", found), ("ask", asked)):
            figures.outputs += 1
            hidden, own = looking.words(output, readers, text)
            figures.found_of_ones_own += own > 0
            figures.leaks += [f"{name} {number} as {', '.join(readers)}: {each}" for each in hidden]


def on_the_command_line(
    config: Config, run: Run, made: Sequence[Secret], figures: Figures, count: int, chance: random.Random
) -> None:
    """Put questions through the output of every command."""
    looking, wrote = Leaks(made), ""
    for readers, text, aimed in (one for _, one in zip(range(count), questions(made, chance), strict=False)):
        name, source = aimed.planted.name, aimed.planted.name.partition("/")[0]
        rights = Identity(principals={identity.login(): ("user:asker", *readers)})
        wrote = f"{wrote} {text}"
        for arguments in (
            ("search", text),
            ("search", text, "--source", source, "--json"),
            ("ask", text, "--explain"),
            ("ask", text, "--explain", "--json"),
            ("ask", "And who may?", "--thread", "last", "--json"),
            ("route", text, "--json"),
            ("verify", "last", "--json"),
            ("sources", "list", "--json"),
            ("sources", "show", name),
            ("sources", "text", name),
            ("runs", "list", "--json"),
            ("runs", "show", "last"),
            ("generations", "list", "--json"),
            ("generations", "diff", "--json"),
            ("access", "explain", name),
        ):
            shown = run(replace(config, identity=rights), arguments, "")
            figures.outputs += 1
            given = wrote if arguments[0] == "runs" else f"{text} {name}"  # records repeat what was asked
            hidden, own = looking.words(f"{shown.out}\n{shown.err}", ("user:asker", *readers), given)
            figures.found_of_ones_own += own > 0
            figures.leaks += [f"{' '.join(arguments)} as {', '.join(readers)}: {each}" for each in hidden]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many documents, how many questions through ``search`` and ``ask``, and through every command."""

    documents: int = 500
    questions: int = 10_000
    commands: int = 100
    seed: int = 1


def measure(
    folder: Path, embedder: Embedder, amounts: Amounts, tell: Callable[[str], None] = lambda _: None
) -> Figures:
    """Build the workspace and ask."""
    began, chance = time.perf_counter(), random.Random(amounts.seed)
    made = corpus(chance, amounts.documents)
    figures = Figures(documents=len(made))
    config = workspace(folder, made, embedder)
    tell(f"{len(made)} documents")
    with App(config) as app:
        for at in range(0, amounts.questions, 500):
            in_process(app, made, figures, min(500, amounts.questions - at), chance)
            spent = time.perf_counter() - began
            tell(f"{figures.questions} questions, {len(figures.leaks)} leaks, {spent:.0f} s")
    with commands() as run:
        on_the_command_line(config, run, made, figures, amounts.commands, chance)
    figures.seconds = round(time.perf_counter() - began, 1)
    return figures


def main() -> int:
    """Print the figures; exit 8 where anything leaked, or where nothing was found at all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--commands", type=int, default=100, help="questions through every command")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "ragflow.yaml").write_text("version: 1\nsources: {hr: {type: files, path: nowhere}}\n")
        embedder = parts.embedder(load(folder / "ragflow.yaml"))
        amounts = Amounts(options.documents, options.questions, options.commands, options.seed)
        figures = measure(folder, embedder, amounts, lambda line: print(line, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(asdict(figures)))
    else:
        print(
            f"{figures.documents:,} documents, {figures.questions:,} questions, {figures.outputs:,} outputs: "
            f"{len(figures.leaks):,} leaks ({figures.found_of_ones_own:,} outputs showed one's own; "
            f"{figures.seconds:.0f} s)"
        )
        for one in figures.leaks[:20]:
            print(f"  {one}")
    return 8 if figures.leaks or not figures.found_of_ones_own else 0


if __name__ == "__main__":
    sys.exit(main())
