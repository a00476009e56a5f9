"""True claims with their quotes, made from real passages and human answers: what lies are made of.

Three sets: CLAP NQ (each sentence of a human answer, with the sentences that people selected for it),
TAT-QA (sentences of financial reports; cells of their tables, told as a sentence) and two handbooks
(sentences of their pages).
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexes.analysis import analyse
from indexes.sentences import sentences

MOST_CHARACTERS = 1500
BESIDE = 7  # other passages shown with the one that is cited
PAGES = 400  # of the handbooks
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_YEAR = re.compile(r"(?:19|20)\d\d")
_FIGURE = re.compile(r"\(?[$€£]?\s*\d[\d,.]*\)?%?")


@dataclass(frozen=True, slots=True)
class Honest:
    """A true claim. ``quotes`` stand in ``passage``; ``basis`` is the quote that says most of the claim.

    ``others``: passages of other documents, the most similar first. ``table``: told from a table's cell.
    """

    set: str
    document: str
    question: str
    title: str
    claim: str
    quotes: tuple[str, ...]
    passage: str
    table: bool = False
    others: tuple[str, ...] = ()

    @property
    def basis(self) -> str:
        """Return the quote that shares most words with the claim."""
        words = set(analyse(self.claim))
        return max(self.quotes, key=lambda quote: len(words & set(analyse(quote))))


def held_out(document: str) -> bool:
    """Say whether a document is of the third that no rule may be made from: pinned by its hash."""
    return hashlib.sha256(document.encode()).digest()[0] % 3 == 0


def claims(data: Path, seed: int) -> list[Honest]:
    """Return the true claims of all sets in a seeded order, each with passages beside its own."""
    generator = random.Random(seed)
    made: list[Honest] = []
    for found in (list(clapnq(data)), list(tatqa(data)), list(handbooks(data, generator))):
        made += _beside(found)
    generator.shuffle(made)
    return made


def clapnq(data: Path, *, best_only: bool = False) -> Iterator[Honest]:
    """Give each sentence of each human answer; with ``best_only`` it cites its best sentence alone.

    Left out are answers without a selected sentence and those that say that there is none ("NA").
    """
    for line in (data / "clapnq" / "clapnq_dev_answerable.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        passage = row["passages"][0]
        for output in row["output"]:
            selected = tuple(quote for quote in output["selected_sentences"] if quote.strip())
            if not selected or output["answer"].strip() in ("NA", "N/A", ""):
                continue
            for start, end in sentences(output["answer"]):
                claim = Honest(
                    "clapnq",
                    row["id"],
                    row["input"],
                    passage["title"],
                    output["answer"][start:end],
                    selected,
                    passage["text"],
                )
                yield replace(claim, quotes=(claim.basis,)) if best_only else claim


def with_its_sentence(claim: Honest) -> Honest:
    """Add the sentence of the passage that shares most words with the claim: people left some unselected."""
    words = set(analyse(claim.claim))
    told = [claim.passage[start:end] for start, end in sentences(claim.passage)]
    best = max(told, key=lambda sentence: len(words & set(analyse(sentence))))
    held = any(best in quote or quote in best for quote in claim.quotes)
    return claim if held else replace(claim, quotes=(*claim.quotes, best))


def tatqa(data: Path) -> Iterator[Honest]:
    """Give sentences with a figure, and cells of tables whose header has years."""
    for row in json.loads((data / "tatqa" / "tatqa_dataset_dev.json").read_text("utf-8")):
        table = [[cell.strip() or "-" for cell in cells] for cells in row["table"]["table"]]
        paragraphs = [paragraph["text"] for paragraph in row["paragraphs"]]
        lines = [" | ".join(cells) for cells in table]
        text = "\n\n".join(["\n".join(lines), *paragraphs])[: 3 * MOST_CHARACTERS]
        document, question = row["table"]["uid"], row["questions"][0]["question"]
        for start, end in sentences("\n\n".join(paragraphs))[:12]:
            said = "\n\n".join(paragraphs)[start:end]
            if 8 <= len(said.split()) <= 45 and any(sign.isdigit() for sign in said) and said in text:
                yield Honest("tatqa", document, question, "", lightly(said), (said,), text)
        yield from _cells(table, lines, document, question, text)


def _cells(
    table: Sequence[Sequence[str]], lines: Sequence[str], document: str, question: str, text: str
) -> Iterator[Honest]:
    header = next((at for at, cells in enumerate(table) if sum(map(_is_year, cells)) >= 2), None)
    if header is None:
        return
    years = [at for at, cell in enumerate(table[header]) if _is_year(cell) and table[header].count(cell) == 1]
    for at in range(header + 1, min(len(table), header + 6)):
        cells = table[at]
        told = [column for column in years if column < len(cells) and _FIGURE.fullmatch(cells[column])]
        if len(told) >= 2 and len(analyse(cells[0])) >= 2 and lines[at] in text and cells[0] != "-":
            column = told[at % len(told)]
            claim = f"{cells[0]} was {cells[column]} in {table[header][column]}."
            yield Honest("tatqa", document, question, "", claim, (lines[at], lines[header]), text, table=True)


def _is_year(cell: str) -> bool:
    return _YEAR.fullmatch(cell) is not None


def handbooks(data: Path, generator: random.Random) -> Iterator[Honest]:
    """Give sentences of pages, the Markdown of links and emphasis taken away."""
    pages = sorted((data / "handbooks").rglob("*.md"))
    for page in sorted(generator.sample(pages, min(PAGES, len(pages)))):
        text = _FRONT.sub("", page.read_text("utf-8", errors="replace"))
        text = _LINK.sub(r"\1", text).replace("**", "").replace("`", "")[:MOST_CHARACTERS]
        document = page.relative_to(data).as_posix()
        found = [text[start:end] for start, end in sentences(text)]
        whole = [said for said in found if 8 <= len(said.split()) <= 40 and said.endswith(".")]
        for said in whole[:6]:
            plain = said.lstrip("-*0123456789. ")
            yield Honest("handbooks", document, "", page.stem, lightly(plain), (said,), text)


_OPENERS = re.compile(
    r"^(?:In addition|However|Therefore|Additionally|Furthermore|Moreover|Also|For example|Finally),\s+(\w)"
)
_SWAPS = (
    ("in order to ", "to "),
    (" is able to ", " can "),
    (" as well as ", " and "),
    (" such as ", " like "),
    (" prior to ", " before "),
    (" utilized ", " used "),
    (" due to ", " because of "),
    (" approximately ", " about "),
    (" amongst ", " among "),
    (" whilst ", " while "),
    (" do not ", " don't "),
    (" cannot ", " can't "),
)


def lightly(sentence: str) -> str:
    """Return the sentence in slightly other words: its opener gone, function words exchanged."""
    said = _OPENERS.sub(lambda found: found[1].upper(), sentence)
    for one, other in _SWAPS:
        said = said.replace(one, other, 1)
    return said


def _beside(found: Sequence[Honest]) -> list[Honest]:
    """Give every claim the passages of other documents that share most words with its own."""
    passages = {claim.document: claim.passage for claim in found}
    words = {document: set(analyse(passage)) for document, passage in passages.items()}
    near: dict[str, tuple[str, ...]] = {}
    for document, own in words.items():
        ranked = sorted(
            (other for other in words if other != document),
            key=lambda other: -len(own & words[other]) / (len(own | words[other]) or 1),
        )
        near[document] = tuple(passages[other] for other in ranked[:BESIDE])
    return [replace(claim, others=near[claim.document]) for claim in found]
