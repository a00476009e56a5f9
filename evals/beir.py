"""A test collection in the BEIR layout as cases (Thakur et al. 2021, arXiv 2104.08663)."""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from evals.cases import Case, Dataset
from evals.lines import MAX_QUESTION, counted, invalid, lines, parse_object, said, short

Qrels = dict[str, dict[str, int]]

_CORPUS = "corpus.jsonl"
_QUERIES = "queries.jsonl"
_HEAD = ("query-id", "corpus-id", "score")
_GRADE = re.compile(r"[-+]?[0-9]{1,9}")
_MAX_GRADE = 1_000  # trec_eval makes room for every grade up to the highest
_MAX_DOCUMENT = 100_000_000  # bytes of a line of the corpus
_SPLIT = re.compile(r"[\w-][\w.-]*")
_QRELS_HINT = "a line is question, document and grade with tabs between: 1<tab>31715818<tab>1"
_IDS_HINT = 'each line is an object with a text "_id"'


@dataclass(slots=True)
class _Judged:
    """The judgements of a split while they are read; lines count from 1."""

    grades: Qrels = field(default_factory=dict)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    repeated: list[int] = field(default_factory=list)


def read_qrels(path: Path) -> Qrels:
    """Read judgements in BEIR's form: a head line, then question, document and grade, tabs between.

    Returns question -> document -> grade, in file order; ids in NFC, as documents are named everywhere.
    Grade 0 is judged and not relevant; negative grades are kept.

    Raises:
        DatasetInvalid: a line is anything else, or a pair has two grades; without a judgement at all.
    """
    return _read_judged(path, path.name, hashlib.sha256()).grades


def read(folder: Path, *, split: str) -> Dataset:
    """Read the judged questions of a folder, in the order of ``queries.jsonl``.

    A question without judgements is no case. A judged document that ``corpus.jsonl`` lacks stays relevant,
    as in trec_eval, and is said in the notes. The digest is over the judgements, the queries and the
    corpus's ids; of the corpus's texts nothing is kept, so one document at a time is in memory.

    Raises:
        DatasetInvalid: a file is missing, a line is wrong, or a judged question has no text.
    """
    digest = hashlib.sha256()
    judged = _read_judged(_qrels_file(folder, split), f"qrels/{split}.tsv", digest)
    texts = _read_queries(folder / _QUERIES, judged.grades, digest)
    for (question, _), line in judged.places.items():
        if question not in texts:
            what = f'question "{short(question)}" is not in {_QUERIES}'
            raise invalid(f"qrels/{split}.tsv:{line}", what, "take its judgements out, or add the question")
    corpus = _read_corpus(folder / _CORPUS, digest)
    cases = tuple(
        Case(question, text, judgements=judged.grades[question]) for question, text in texts.items()
    )
    return Dataset(str(folder), "beir", digest.hexdigest(), cases, _notes(judged, corpus, split))


def _qrels_file(folder: Path, split: str) -> Path:
    path = folder / "qrels" / f"{split}.tsv"
    if not _SPLIT.fullmatch(split) or not path.is_file():
        there = sorted(file.stem for file in (folder / "qrels").glob("*.tsv"))
        hint = f"splits here: {', '.join(there)}" if there else "a BEIR folder has qrels/test.tsv"
        raise invalid(f"qrels/{short(split)}.tsv:1", "there is no such file", hint)
    return path


def _read_judged(path: Path, name: str, digest: "hashlib._Hash") -> _Judged:
    found = _Judged()
    head = True
    for number, line in lines(path, name, digest=digest):
        where = f"{name}:{number}"
        parts = tuple(part.strip() for part in line.split("\t"))
        if head:
            _check_head(parts, where)
            head = False
            continue
        _add_judgement(found, parts, where, number)
    if not found.grades:
        raise invalid(f"{name}:1", "no judgement in it", _QRELS_HINT)
    return found


def _check_head(parts: tuple[str, ...], where: str) -> None:
    """Refuse a first line that is a judgement: taken for a head, it would be lost without a word."""
    if len(parts) != len(_HEAD) or _GRADE.fullmatch(parts[2]):
        hint = "write the head `query-id<tab>corpus-id<tab>score` above the judgements"
        raise invalid(where, "the first line is not the head of three columns", hint)


def _add_judgement(found: _Judged, parts: tuple[str, ...], where: str, number: int) -> None:
    if len(parts) != len(_HEAD):
        raise invalid(
            where, f"{counted(len(parts), 'column')} instead of three with tabs between", _QRELS_HINT
        )
    question, document = (unicodedata.normalize("NFC", part) for part in parts[:2])
    if not question or not document:
        raise invalid(where, f"no {'document' if question else 'question'} id", _QRELS_HINT)
    if not _GRADE.fullmatch(parts[2]) or abs(int(parts[2])) > _MAX_GRADE:
        what = f'the grade "{short(parts[2])}" is not a whole number up to {_MAX_GRADE:,}'
        raise invalid(where, what, _QRELS_HINT)
    grade = int(parts[2])
    first = found.places.setdefault((question, document), number)
    if first == number:
        found.grades.setdefault(question, {})[document] = grade
    elif found.grades[question][document] != grade:
        what = f'"{short(document)}" is judged again for "{short(question)}" with another grade'
        raise invalid(where, f"{what} (first on line {first})", "keep one of the two lines")
    else:
        found.repeated.append(number)


def _read_queries(path: Path, judged: Qrels, digest: "hashlib._Hash") -> dict[str, str]:
    """Return the texts of the judged questions by id, in file order."""
    texts: dict[str, str] = {}
    places: dict[str, int] = {}
    for number, line in lines(path, _QUERIES, digest=digest):
        where = f"{_QUERIES}:{number}"
        entry = parse_object(line, where)
        name = _id(entry.get("_id"), where)
        if name in places:
            what = f'the id "{short(name)}" stands here for the second time (first on line {places[name]})'
            raise invalid(where, what, "give each question an id of its own")
        places[name] = number
        if name in judged:
            texts[name] = _question(entry.get("text"), where)
    if not places:
        raise invalid(f"{_QUERIES}:1", "no question in it", 'each line is an object with "_id" and "text"')
    return texts


def _question(text: object, where: str) -> str:
    if not isinstance(text, str) or not text.strip():
        what = '"text" is missing or empty' if text is None or text == "" else f'"text" is {said(text)}'
        raise invalid(where, what, "a judged question needs its text")
    if len(text) > MAX_QUESTION:
        what = f"the question has {len(text):,} characters; the most is {MAX_QUESTION:,}"
        raise invalid(where, what, "shorten it")
    return text


def _read_corpus(path: Path, digest: "hashlib._Hash") -> frozenset[str]:
    """Return the ids of the corpus; texts are looked at no closer than JSON asks."""
    places: dict[str, int] = {}
    for number, line in lines(path, _CORPUS, most=_MAX_DOCUMENT):
        where = f"{_CORPUS}:{number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = parse_object(line, where)  # says what is wrong with it
        name = _id(entry.get("_id") if isinstance(entry, dict) else None, where)
        if places.setdefault(name, number) != number:
            what = f'the id "{short(name)}" stands here for the second time (first on line {places[name]})'
            raise invalid(where, what, "give each document an id of its own")
        digest.update(name.encode(errors="surrogatepass") + b"\0")
    return frozenset(places)


def _id(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        what = '"_id" is missing or empty' if value is None or value == "" else f'"_id" is {said(value)}'
        raise invalid(where, what, _IDS_HINT)
    return unicodedata.normalize("NFC", value)


def _notes(judged: _Judged, corpus: frozenset[str], split: str) -> tuple[str, ...]:
    notes = []
    file = f"qrels/{split}.tsv"
    unknown = [(line, document) for (_, document), line in judged.places.items() if document not in corpus]
    if unknown:
        line, document = min(unknown)
        lacking = f"{_CORPUS} lacks the documents of {counted(len(unknown), 'judgement')}"
        notes.append(f'{lacking}, which count all the same (first: "{short(document)}", {file}:{line})')
    if judged.repeated:
        again = counted(len(judged.repeated), "judgement")
        notes.append(f"{again} given twice with the same grade (first: {file}:{judged.repeated[0]})")
    empty = [question for question, grades in judged.grades.items() if max(grades.values()) < 1]
    if empty:
        without = f"{counted(len(empty), 'question')} without a relevant document"
        notes.append(f'retrieval metrics leave out {without} (first: "{short(empty[0])}")')
    return tuple(notes)
