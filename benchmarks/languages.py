"""Ask small handbooks in six languages, each alone and all of them in one index.

    python benchmarks/languages.py --json

Each handbook (``languages/``, written for this) has eight pages on the same matters, ten questions that a
page answers, mostly with words in another form than the page has them, and five that none does. Counted are
the right pages found first by words and by both legs, the answerable questions that were answered from the
right page, and the others that were not answered.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import ragflow
from indexes.query import System

FOLDER = Path(__file__).with_name("languages")
LANGUAGES = ("en", "de", "fr", "es", "it", "nl")
READERS = ["everyone"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the page that answers it, as ``source/page.md``; None where none does."""

    text: str
    document: str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """Counts of one language's questions: of ``answerable`` the first three, of ``others`` the last."""

    language: str
    alone: bool
    answerable: int
    lexical_first: int
    hybrid_first: int
    answered_right: int
    others: int
    not_answered: int


def pages(language: str) -> dict[str, str]:
    """Return a handbook's pages by title, headings left in."""
    text = (FOLDER / f"{language}.md").read_text(encoding="utf-8")
    return {page.partition("\n")[0]: f"# {page.strip()}\n" for page in text.split("# ")[1:]}


def name(title: str) -> str:
    """Return a page's file name."""
    return f"{title.lower().replace(' ', '-')}.md"


def questions(language: str) -> list[Asked]:
    """Return a handbook's questions."""
    lines = (FOLDER / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line) for line in lines]
    return [
        Asked(one["question"], f"{language}/{name(one['title'])}" if one["title"] else None) for one in asked
    ]


def workspace(folder: Path, languages: tuple[str, ...]) -> None:
    """Write one source for each language."""
    sources = "".join(f"  {one}: {{type: files, path: {one}, readers: [everyone]}}\n" for one in languages)
    (folder / "ragflow.yaml").write_text(f"version: 1\nsources:\n{sources}", encoding="utf-8")
    for language in languages:
        (folder / language).mkdir()
        for title, text in pages(language).items():
            (folder / language / name(title)).write_text(text, encoding="utf-8")


def measure(languages: tuple[str, ...]) -> list[Figure]:
    """Return the figures of each language in an index of these languages."""
    with tempfile.TemporaryDirectory() as made:
        workspace(Path(made), languages)
        with ragflow.open(made) as app:
            app.index()
            return [_figure(app, language, alone=len(languages) == 1) for language in languages]


def _figure(app: ragflow.App, language: str, *, alone: bool) -> Figure:
    asked = questions(language)
    answerable = [one for one in asked if one.document is not None]
    others = [one for one in asked if one.document is None]

    def first(system: System) -> int:
        found = [app.find(one.text, readers=READERS, system=system, k=1).hits for one in answerable]
        return sum(
            hits[0].document == one.document for hits, one in zip(found, answerable, strict=True) if hits
        )

    answers = [app.ask(one.text, readers=READERS) for one in answerable]
    right = sum(
        answer.outcome == "answered" and one.document in {each.document for each in answer.citations}
        for answer, one in zip(answers, answerable, strict=True)
    )
    refused = sum(app.ask(one.text, readers=READERS).outcome != "answered" for one in others)
    return Figure(
        language,
        alone,
        len(answerable),
        first("lexical"),
        first("hybrid"),
        right,
        len(others),
        refused,
    )


def main() -> int:
    """Print a line for each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    figures = [figure for language in LANGUAGES for figure in measure((language,))] + measure(LANGUAGES)
    if chosen.json:
        print(json.dumps([asdict(one) for one in figures], indent=1))
        return 0
    print("language  index  first by words  first by both  answered  refused")
    for one in figures:
        print(
            f"{one.language:<9} {'alone' if one.alone else 'mixed'}  "
            f"{one.lexical_first:>6} of {one.answerable:<5} {one.hybrid_first:>5} of {one.answerable:<4} "
            f"{one.answered_right:>3} of {one.answerable}  {one.not_answered} of {one.others}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
