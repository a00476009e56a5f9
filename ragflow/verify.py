"""Prove an old answer again: does each quote still stand where its citation says? No model is asked."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

SCHEMA = "ragflow.verify/1"

Status = Literal["proven", "proven_from_record", "failed", "unavailable"]
SourceNow = Literal["unchanged", "changed", "reparsed", "moved", "deleted"]
RecordState = Literal["intact", "changed", "none"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A cited revision as the store keeps it: its canonical text and the digest of its raw bytes."""

    text: str
    raw_digest: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a document is now. ``document`` differs from the one asked about when it has moved.

    Only what the asker may read now stands; anything else is deleted to them.
    """

    document: str
    revision: str
    raw_digest: str


@dataclass(frozen=True, slots=True)
class Proved:
    """The result for one citation. ``detail`` says what is wrong, None where nothing is."""

    id: int
    status: Status
    source_now: SourceNow
    detail: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The result for one answer, citations in the order of their ids.

    ``record``: intact, changed, or none where an answer was given without its record. ``expired``:
    the record stands, its content was removed.
    """

    run: str | None
    record: RecordState
    citations: tuple[Proved, ...]
    expired: bool = False

    def count(self, *statuses: Status) -> int:
        """Return how many citations have one of the statuses."""
        return sum(each.status in statuses for each in self.citations)

    @property
    def exit_code(self) -> int:
        """8: a citation failed or the record was changed; 9: cannot say; 0: all proven."""
        if self.record == "changed" or self.count("failed"):
            return 8
        return 9 if self.expired or self.count("unavailable") else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.verify/1``; ``proven`` counts those proven from the record too."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "record": self.record,
            "proven": self.count("proven", "proven_from_record"),
            "failed": self.count("failed"),
            "unavailable": self.count("unavailable"),
            "citations": [
                {
                    "id": each.id,
                    "status": each.status,
                    "source_now": each.source_now,
                    "detail": each.detail,
                }
                for each in self.citations
            ],
        }


Text = Callable[[str, str], Kept | None]
"""(document, revision) -> what the store keeps of it, None when erased or never known."""

Now = Callable[[str], Standing | None]
"""document -> what it is now, None when it is gone or may not be read."""


def verify(
    output: Mapping[str, Any] | None,
    *,
    run: str | None,
    record: RecordState,
    text: Text,
    now: Now,
) -> Proof:
    """Prove each citation of an answer's object (``ragflow.ask/1``) against the kept revisions.

    ``output`` None means that the record's content has expired. An answer without citations has
    nothing to prove and is proven. An object that is no answer (an ``index`` run) likewise.
    """
    if output is None:
        return Proof(run, record, (), expired=True)
    citations: Sequence[Mapping[str, Any]] = output.get("citations", [])
    return Proof(run, record, tuple(_prove(each, record, text, now) for each in citations))


def verify_object(shown: Mapping[str, Any], *, text: Text, now: Now) -> Proof:
    """Prove an answer's object that came without its record; ``record`` is changed where its parts disagree.

    Raises:
        UsageError: it is no object ``ragflow.ask/1``.
    """
    from ragflow.answer_reading import contradiction, read_parts  # models take long to make

    read = read_parts(shown)
    if contradiction(read) is not None:
        return Proof(read.run, "changed", ())
    return verify(read.to_json(), run=read.run, record="none", text=text, now=now)


def _prove(citation: Mapping[str, Any], record: RecordState, text: Text, now: Now) -> Proved:
    kept = text(citation["document"], citation["revision"])
    status, detail = _status(citation, record, kept)
    return Proved(
        citation["id"],
        status,
        _source_now(citation, kept, now(citation["document"])),
        detail,
    )


def _status(citation: Mapping[str, Any], record: RecordState, kept: Kept | None) -> tuple[Status, str | None]:
    if kept is not None:
        wrong = _wrong(citation, kept.text)
        return ("proven", None) if wrong is None else ("failed", wrong)
    if "quote_sha256" in citation:
        return "unavailable", "the text and the quote were erased"
    if record == "intact":
        return "proven_from_record", "the text was erased; the quote is as it was recorded"
    return "unavailable", "the text was erased, or is not known here"


def _wrong(citation: Mapping[str, Any], text: str) -> str | None:
    """Return why the text does not prove the citation; an erased quote is held against its digest."""
    if hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() != citation["revision"]:
        return "the stored text is not what its revision says"
    start, end = citation["start"], citation["end"]
    if not 0 <= start < end <= len(text):
        return f"the span {start}-{end} is not within the text of {len(text)} characters"
    stands = text[start:end]
    if "quote_sha256" in citation:
        same = hashlib.sha256(stands.encode(errors="surrogatepass")).hexdigest() == citation["quote_sha256"]
    else:
        same = stands == citation["quote"]
    return None if same else "other words stand at that place"


def _source_now(citation: Mapping[str, Any], kept: Kept | None, standing: Standing | None) -> SourceNow:
    if standing is None:
        return "deleted"
    if standing.document != citation["document"]:
        return "moved"
    if standing.revision == citation["revision"]:
        return "unchanged"
    same_bytes = kept is not None and kept.raw_digest == standing.raw_digest
    return "reparsed" if same_bytes else "changed"
