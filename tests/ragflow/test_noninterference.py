"""What an asker may not read changes nothing that they see: both indexes are built and compared."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ragflow
from indexes.embedding import Embedder
from indexes.query import Query, System
from indexes.testing import Planted, World, shown
from ragflow.answers import Answer
from ragflow.asking import Question, Rules
from ragflow.config import Config, load
from ragflow.parts import Workshop
from ragflow.pipeline import ask
from ragflow.routing.explaining import explain
from ragflow.steps import Record

READERS = ("everyone", "group:hr", "group:sales", "user:mia")
SUBJECTS = (
    "annual leave",
    "the salary band",
    "a hotel night",
    "the laptop",
    "parental leave",
    "the price of paper",
)
FACTS = (
    "For {0}, {1} days are granted to each employee of the company.",
    "The limit for {0} is {1} euro, and the team lead must approve more.",
    "{0} was changed on {1} March 2025 by the works council.",
    "Who asks about {0} finds the form number {1} in the cabinet.",
    "Nobody may hand {0} over to a third party without form {1}.",
)
GERMAN = (
    "Für {0} erhält jeder Mitarbeiter der Firma {1} Tage.",
    "Die Grenze für {0} beträgt {1} Euro, mehr genehmigt die Teamleitung.",
    "Wer nach {0} fragt, findet das Formular {1} im Schrank.",
)
FRENCH = (
    "Pour {0}, {1} jours sont accordés à chaque employé de la société.",
    "La limite pour {0} est de {1} euros et le responsable doit approuver le reste.",
)
QUESTIONS = (
    "How many days are granted for annual leave?",
    "What is the limit for a hotel night?",
    "When was parental leave changed?",
    "Who approves the laptop?",
    "Which form is needed for the price of paper?",
    "What colour is the moon?",
    "Wie viele Tage gibt es für parental leave?",
    "Quelle est la limite pour the laptop ?",
)


def corpus(chance: random.Random) -> list[Planted]:
    """Between 2 and 12 documents of one to four sentences, near-duplicates among them, random readers.

    Most are English, some German or French: which languages a reader can read is random too.
    """
    planted = []
    for number in range(chance.randint(2, 12)):
        facts = chance.choice((FACTS, FACTS, GERMAN, FRENCH))
        said = [
            chance.choice(facts).format(chance.choice(SUBJECTS), chance.choice((5, 28, 140)))
            for _ in range(chance.randint(1, 4))
        ]
        text = " ".join(one[0].upper() + one[1:] for one in said)
        readers = tuple(sorted(chance.sample(READERS, chance.choice((0, 1, 1, 2)))))
        planted.append(Planted(f"{chance.choice('ab')}/{number}", text, readers))
    return planted


def visible(answer: Answer) -> str:
    """All of an answer's object but what may differ: run, created, timings, and the generation's name."""
    shown_answer = answer.to_json()
    for key in ("run", "created", "timings_ms", "generation"):
        del shown_answer[key]
    return json.dumps(shown_answer, sort_keys=True)


ROUTED = """\
version: 1
sources:
  a: {type: files, path: a, description: Leave and pay, examples: ["How many days of leave are granted?"]}
  b: {type: files, path: b, description: Travel and things to buy}
routes:
  - {name: moon, when: {any: [moon]}, sources: [b]}
"""


def visible_route(shown_route: dict[str, Any]) -> str:
    """All of a route's object but what may differ."""
    return json.dumps(
        {key: shown_route[key] for key in shown_route if key not in ("generation", "timings_ms")}
    )


def replies(world: World, config: Config, asker: frozenset[str], text: str) -> list[object]:
    """Everything that search and ask give to one asker."""
    index = world.index()
    systems: tuple[System, ...] = ("hybrid", "lexical", "dense")
    given: list[object] = [shown(index.search(Query(text, asker, system=system))) for system in systems]
    parts = Workshop(config, index, world.embedder.embed).parts()
    question = Question(text, "user:mia", asker, tuple(config.sources))
    route = explain(question, parts=parts, record=Record("r-test"), seconds=60)
    given.append(visible_route(route.to_json()))
    for least in (0.0, 0.5):
        answer = ask(
            question,
            parts=parts,
            record=Record("r-test"),
            rules=Rules(min_confidence=least, explain=True),
        )
        given.append(visible(answer))
    return given


@pytest.mark.parametrize("part", range(4))
def test_hidden_documents_change_no_output(
    tmp_path: Path, embedder: Embedder, rounds: Callable[..., int], part: int
) -> None:
    compared = 0
    (tmp_path / "ragflow.yaml").write_text(ROUTED)
    config = load(tmp_path / "ragflow.yaml", environ={})
    for number in range(rounds(fast=50, soak=500)):
        chance = random.Random(part * 10_000 + number)
        planted = corpus(chance)
        asker = frozenset(chance.sample(READERS, chance.choice((1, 2))))
        readable = [one for one in planted if asker.intersection(one.readers)]
        if not readable:  # an index without a chunk is exit 3, pinned; all hidden is not_found
            continue
        whole = World(tmp_path / f"whole-{number}", embedder)
        alone = World(tmp_path / f"alone-{number}", embedder)
        cut = chance.randint(0, len(planted))
        whole.sync(planted[:cut])  # in two syncs: other segments, other ids
        whole.sync(planted)
        alone.sync(readable)
        for text in chance.sample(QUESTIONS, 2):
            assert replies(whole, config, asker, text) == replies(alone, config, asker, text), (
                number,
                text,
                asker,
            )
            compared += 1
        whole.close()
        alone.close()
    assert compared >= rounds(fast=60, soak=600)


CONFIG = """\
version: 1
sources:
  open: {type: files, path: open, readers: [everyone]}
  closed: {type: files, path: closed, readers: [group:hr]}
"""


def test_the_whole_program_shows_the_same_bytes_without_the_hidden_source(tmp_path: Path) -> None:
    seen = []
    for hidden in ("The salary band of a senior engineer is 74,000 euro. " * 20, None):
        folder = tmp_path / ("whole" if hidden else "alone")
        (folder / "open").mkdir(parents=True)
        (folder / "closed").mkdir()
        (folder / "ragflow.yaml").write_text(CONFIG)
        (folder / "open" / "pay.md").write_text("# Pay\n\nThe salary is paid on the 25th of each month.\n")
        os.utime(folder / "open" / "pay.md", (1_790_000_000, 1_790_000_000))
        if hidden:
            (folder / "closed" / "bands.md").write_text(hidden)
        with ragflow.open(folder) as app:
            assert app.index().exit_code == 0
            assert app.ask("When is the salary paid?", readers=["everyone"]).outcome == "answered"
            for text in ("When is the salary paid?", "What is the salary band of a senior engineer?"):
                seen.append((hidden is None, text, visible(app.ask(text, readers=["everyone"]))))
                report = app.find(text, readers=["everyone"]).to_json()
                seen.append((hidden is None, text, json.dumps([report["hits"], report["readers"]])))
            seen.append((hidden is None, "", str(app.documents(readers=["everyone"]))))
    half = len(seen) // 2
    assert [one[1:] for one in seen[:half]] == [one[1:] for one in seen[half:]]
