"""Question files: JSON lines, or a YAML list of the same objects, as cases and back."""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from evals.cases import Answerable, Case, Dataset, GoldQuote, Turn
from evals.lines import (
    MAX_QUESTION,
    check_characters,
    counted,
    decoded,
    invalid,
    lines,
    parse_object,
    said,
    short,
    unreadable,
)
from evals.yaml_lines import read_list

_READER = re.compile(r"everyone|(?:user|group):[^\s,]+")
_DOCUMENT = re.compile(r"[a-z0-9][a-z0-9_-]*/.+", re.DOTALL)
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_YAML = 2_000_000  # bytes: YAML is read whole, and slowly (some 10,000 questions in half a minute)
_WRITTEN: Mapping[Answerable, bool | str] = {
    "yes": True,
    "no": False,
    "partial": "partial",
    "underspecified": "underspecified",
}


def _given(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "is empty")
    return value


def _asked(value: str) -> str:
    if len(_given(value)) > MAX_QUESTION:
        raise PydanticCustomError("long", f"has {len(value):,} characters; the most is {MAX_QUESTION:,}")
    return value


def _composed(value: str) -> str:
    """Documents are named, and canonical text is written, in NFC."""
    return unicodedata.normalize("NFC", _given(value))


def _reader(value: str) -> str:
    if not _READER.fullmatch(value):
        what = f'is not a reader: "{short(value)}" (write user:NAME, group:NAME or everyone)'
        raise PydanticCustomError("reader", what)
    return value


def _source(value: str) -> str:
    if not _SOURCE.fullmatch(value):
        what = f'is no name of a source: "{short(value)}" (lower-case letters, digits, _ and -)'
        raise PydanticCustomError("source", what)
    return value


def _answerable(value: object) -> object:
    # Not by equality: 1 equals true.
    for known, written in _WRITTEN.items():
        if type(value) is type(written) and value == written:
            return known
    if value is None:
        return None
    what = f"must be true, false, partial or underspecified, not {said(value)}"
    raise PydanticCustomError("answerable", what)


def _turn(value: object) -> object:
    return {"role": "user", "text": value} if isinstance(value, str) else value


_Text = Annotated[str, AfterValidator(_given)]
_Name = Annotated[str, AfterValidator(_composed)]


class _Quote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    document: _Name
    quote: _Name


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    role: Literal["user", "assistant"]
    text: _Text


class _Question(BaseModel):
    """One object of a question file. ``grades``: documents whose grade is not 1; the rest have 1."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: _Text
    question: Annotated[str, AfterValidator(_asked)]
    history: list[Annotated[_Turn, BeforeValidator(_turn)]] = []
    readers: list[Annotated[str, AfterValidator(_reader)]] | None = None
    answerable: Annotated[Answerable | None, BeforeValidator(_answerable)] = None
    documents: list[_Name] | None = None
    grades: dict[_Name, int] | None = None
    quotes: list[_Quote] | None = None
    answer: _Text | None = None
    source: Annotated[str, AfterValidator(_source)] | None = None
    tags: list[_Text] = []
    group: _Text | None = None
    reviewed: bool = True


def to_json(case: Case) -> dict[str, Any]:
    """Return a case as the object of a question file, every key given, so that ``from_json`` gives it back.

    ``grades`` is there only where a judgement is not 1: those with 1 and up are in ``documents`` too.
    """
    written: dict[str, Any] = {
        "id": case.id,
        "question": case.question,
        "history": [_turn_json(turn) for turn in case.history],
        "readers": None if case.readers is None else list(case.readers),
        "answerable": None if case.answerable is None else _WRITTEN[case.answerable],
        "documents": None,
        "quotes": None,
        "answer": case.answer,
        "source": case.source,
        "tags": list(case.tags),
        "group": case.group,
        "reviewed": case.reviewed,
    }
    if case.quotes is not None:
        written["quotes"] = [{"document": gold.document, "quote": gold.quote} for gold in case.quotes]
    if case.judgements is not None:
        written["documents"] = [document for document, grade in case.judgements.items() if grade >= 1]
        grades = {document: grade for document, grade in case.judgements.items() if grade != 1}
        if grades:
            written["grades"] = grades
    return written


def _turn_json(turn: Turn) -> str | dict[str, str]:
    return turn.text if turn.role == "user" else {"role": turn.role, "text": turn.text}


def from_json(found: Mapping[str, Any], where: str) -> Case:
    """Return the case that an object of a question file describes. ``where`` begins every message.

    Without ``documents``, those of ``quotes`` are the gold; documents and quotes are brought into NFC.

    Raises:
        DatasetInvalid: a key is unknown, missing or of the wrong type, a document stands there twice, or
            a quote is of a document that ``documents`` does not have.
    """
    check_characters(found, where)
    try:
        read = _Question.model_validate(dict(found))
    except ValidationError as error:
        what, hint = _complaint(error.errors(include_url=False))
        raise invalid(where, what, hint) from error
    return Case(
        id=read.id,
        question=read.question,
        history=tuple(Turn(turn.role, turn.text) for turn in read.history),
        readers=None if read.readers is None else tuple(read.readers),
        answerable=read.answerable,
        judgements=_judgements(read, where),
        quotes=None if read.quotes is None else tuple(GoldQuote(q.document, q.quote) for q in read.quotes),
        answer=read.answer,
        source=read.source,
        tags=tuple(read.tags),
        group=read.group,
        reviewed=read.reviewed,
    )


def _judgements(read: _Question, where: str) -> dict[str, int] | None:
    quoted = list(dict.fromkeys(quote.document for quote in read.quotes or ()))
    if read.documents is None and read.grades is None:
        return dict.fromkeys(quoted, 1) if quoted else None
    listed = read.documents or []
    for position, document in enumerate(listed):
        if document in listed[:position]:
            what = f'"documents" names "{short(document)}" twice'
            raise invalid(where, what, "name each document once")
    judged = dict.fromkeys(listed, 1) | (read.grades or {})
    for document in quoted:
        if document not in judged:
            what = f'"quotes" quotes "{short(document)}", which "documents" does not have'
            raise invalid(where, what, 'add it to "documents", or leave "documents" out')
    return judged


def read(path: Path) -> Dataset:
    """Read a question file: ``.yaml`` and ``.yml`` as a YAML list, anything else as JSON lines.

    The digest is over the bytes. ``notes``: answerable questions that name no relevant document.

    Raises:
        DatasetInvalid: a line is wrong, an id stands there twice, a document names no source, or there is
            no question at all.
    """
    digest = hashlib.sha256()
    if path.suffix.lower() in {".yaml", ".yml"}:
        entries: Iterable[tuple[int, Any]] = _yaml_entries(path, digest)
    else:
        entries = (
            (number, parse_object(line, f"{path.name}:{number}"))
            for number, line in lines(path, path.name, digest=digest)
        )
    cases: dict[str, tuple[int, Case]] = {}
    for number, entry in entries:
        case = _case(entry, f"{path.name}:{number}")
        first = cases.setdefault(case.id, (number, case))[0]
        if first != number:
            what = f'the id "{short(case.id)}" stands here for the second time (first on line {first})'
            raise invalid(f"{path.name}:{number}", what, "give each question an id of its own")
    if not cases:
        raise invalid(f"{path.name}:1", "no question in it", "`ragflow eval init` proposes some")
    found = tuple(case for _, case in cases.values())
    return Dataset(str(path), "questions", digest.hexdigest(), found, _notes(tuple(cases.values())))


def _yaml_entries(path: Path, digest: "hashlib._Hash") -> list[tuple[int, Any]]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_YAML + 1)
    except OSError as error:
        raise unreadable(path.name, error) from error
    if len(data) > _MAX_YAML:
        what = f"larger than {_MAX_YAML:,} bytes"
        raise invalid(f"{path.name}:1", what, "write so many questions as JSON lines (.jsonl)")
    digest.update(data)
    text = "".join(
        decoded(raw, f"{path.name}:{n}") for n, raw in enumerate(data.splitlines(keepends=True), 1)
    )
    return read_list(text.removeprefix("\ufeff"), path.name)


def _case(entry: Any, where: str) -> Case:
    """Return the case of a file's entry: a little stricter than ``from_json``, which also reads runs."""
    if not isinstance(entry, dict):
        raise invalid(where, f"not an object but {said(entry)}", "a question has an id and a question")
    case = from_json(entry, where)
    if _CONTROL.search(case.id) or case.id != case.id.strip():
        what = '"id" begins or ends with white space, or holds a line feed, a tab or the like'
        raise invalid(where, what, "ids stand in tables and run files: q1 is a good one")
    for document in case.judgements or ():
        if not _DOCUMENT.fullmatch(document):
            what = f'"{short(document)}" is not named <source>/<item>'
            raise invalid(where, what, "name documents as `ragflow search` shows them: hr/leave.docx")
    return case


def _notes(cases: Sequence[tuple[int, Case]]) -> tuple[str, ...]:
    empty = [
        number
        for number, case in cases
        if case.answerable != "no"
        and case.judgements is not None
        and max(case.judgements.values(), default=0) < 1
    ]
    if not empty:
        return ()
    without = f"{counted(len(empty), 'question')} without a relevant document"
    return (f"retrieval metrics leave out {without} (first: line {empty[0]})",)


def _complaint(errors: Sequence[ErrorDetails]) -> tuple[str, str]:
    """Return what is wrong first, and what to do. A misspelt key comes before the one it leaves missing."""
    details = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    *outer, last = details["loc"] or ("",)
    place = ", ".join(
        f"entry {step + 1}" if isinstance(step, int) else f'"{step}"' for step in (*outer, last)
    )
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown(str(last), str(outer[0]) if outer else "")
    if kind == "missing":
        return f"{place} is missing", "a question has at least an id and a question"
    if kind in _EXPECTED:
        what = f"{place} must be {_EXPECTED[kind]}, not {said(details['input'])}"
        return what, "put it in double quotes" if kind == "string_type" else "docs/evals.md lists the keys"
    return f"{place} {details['msg']}", "correct it, or leave it out if it is not known"


_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "an object",
    "literal_error": "user or assistant",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _unknown(key: str, inside: str) -> tuple[str, str]:
    models: dict[str, type[BaseModel]] = {"quotes": _Quote, "history": _Turn}
    known = tuple(models.get(inside, _Question).model_fields)
    nearest = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    what = f'unknown key "{short(key)}"' + (f' (nearest: "{nearest[0]}")' if nearest else "")
    if key == "_id":
        return what, "to evaluate a BEIR collection, name its folder"
    return what, f"known keys: {', '.join(known)}"
