"""Rankings as TREC run files, and judgements as TREC qrels: what any evaluation tool of the field reads.

A line is ``question Q0 document rank score tag``. Such a file cannot hold white space in a name: it, and
the percent sign, is written as percent and hexadecimal UTF-8 bytes (``Leave policy`` -> ``Leave%20policy``),
in runs and in qrels alike. Scores are whole numbers that fall by one a rank: trec_eval orders by score
alone and keeps it as float32, so that close scores would tie there and be ordered in its own way.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from evals.cases import Ranked
from evals.errors import DatasetInvalid, ResultsNotWritable
from evals.retrieval import documents

_ESCAPED = re.compile(r"[%\s\x00-\x20\x7f-\xa0]")
_EMPTY = "%"  # an empty name; no other is written so, for every percent sign is escaped
_HINT = "a line is: question Q0 document rank score tag"


def write(path: Path, rankings: Mapping[str, Sequence[Ranked]], tag: str) -> None:
    """Write the documents of rankings of chunks, best first, each where its best chunk stands.

    A question without hits has no line: to count it as 0 is the reader's part, as in trec_eval -c.
    Raises ``ResultsNotWritable``.
    """

    def lines() -> Iterator[str]:
        for question, ranking in rankings.items():
            found = documents(ranking)
            for rank, document in enumerate(found, start=1):
                score = len(found) - rank + 1
                yield f"{escape(question)} Q0 {escape(document)} {rank} {score} {escape(tag)}\n"

    _write(path, lines())


def write_judgements(path: Path, judgements: Mapping[str, Mapping[str, int]]) -> None:
    """Write question -> document -> grade as qrels, with the names that ``write`` gives.

    Raises ``ResultsNotWritable``.
    """
    _write(
        path,
        (
            f"{escape(question)} 0 {escape(document)} {grade}\n"
            for question, grades in judgements.items()
            for document, grade in grades.items()
        ),
    )


def read(path: Path) -> dict[str, list[Ranked]]:
    """Read a run file: by question, in the file's order of questions, best score first.

    Equal scores are ordered by rank, as a system meant them. Raises ``DatasetInvalid`` for a line that is
    none, or a document that a question names twice.
    """
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        question, document, score, rank = _parsed(line, f"{path.name}:{number}")
        ranked = found.setdefault(question, {})
        if document in ranked:
            raise DatasetInvalid(f"{path.name}:{number}: {document} stands twice for question {question}")
        ranked[document] = (score, rank)
    return {
        question: [
            Ranked(document, score)
            for document, (score, _) in sorted(ranked.items(), key=lambda each: (-each[1][0], each[1][1]))
        ]
        for question, ranked in found.items()
    }


def escape(name: str) -> str:
    """Return a name as it stands in these files."""
    return _ESCAPED.sub(_hexadecimal, name) or _EMPTY


def unescape(written: str) -> str:
    """Return the name that ``escape`` was given."""
    return "" if written == _EMPTY else unquote(written, errors="strict")


def _hexadecimal(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _parsed(line: str, where: str) -> tuple[str, str, float, int]:
    parts = line.split()
    if len(parts) != 6:
        raise DatasetInvalid(f"{where}: {len(parts)} columns instead of 6", hint=_HINT)
    question, _, document, rank, score, _ = parts
    try:
        parsed = unescape(question), unescape(document), float(score), int(rank)
    except ValueError as error:
        raise DatasetInvalid(f"{where}: {error}", hint=_HINT) from error
    if math.isnan(parsed[2]):
        raise DatasetInvalid(f"{where}: the score is not a number: {score}", hint=_HINT)
    return parsed


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise DatasetInvalid(f"{path.name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetInvalid(f"{path.name}: is not UTF-8") from error


def _write(path: Path, lines: Iterator[str]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
    except OSError as error:
        raise ResultsNotWritable(
            f"cannot write {path}: {error.strerror}", hint="check the folder's rights and the disk's space"
        ) from error
