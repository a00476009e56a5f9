"""An old answer is proven again, and what no longer holds is named."""

import hashlib
from typing import Any

import pytest

from ragflow.verify import Kept, Proof, RecordState, Standing, verify

TEXT = "Employees receive 28 days of paid leave. Contractors receive none."
REVISION = hashlib.sha256(TEXT.encode()).hexdigest()
KEPT = Kept(TEXT, "raw-1")
NOW = Standing("hr/leave.md", REVISION, "raw-1")


def cited(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "document": "hr/leave.md",
        "revision": REVISION,
        "start": 0,
        "end": 40,
        "quote": TEXT[:40],
        **changes,
    }


def proof(
    citation: dict[str, Any],
    *,
    kept: Kept | None = KEPT,
    now: Standing | None = NOW,
    record: RecordState = "intact",
) -> Proof:
    output = {"citations": [citation]}
    return verify(output, run="r-1", record=record, text=lambda *_: kept, now=lambda _: now)


def test_a_quote_that_stands_is_proven() -> None:
    found = proof(cited())
    assert found.exit_code == 0
    assert found.to_json() == {
        "schema": "ragflow.verify/1",
        "run": "r-1",
        "record": "intact",
        "proven": 1,
        "failed": 0,
        "unavailable": 0,
        "citations": [{"id": 1, "status": "proven", "source_now": "unchanged", "detail": None}],
    }


@pytest.mark.parametrize("place", range(0, len(TEXT), 5))
def test_any_changed_character_of_the_stored_text_fails(place: int) -> None:
    changed = TEXT[:place] + "#" + TEXT[place + 1 :]
    found = proof(cited(), kept=Kept(changed, "raw-1"))
    assert (found.citations[0].status, found.exit_code) == ("failed", 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"quote": TEXT[:39] + "!"},
        {"start": 1},
        {"end": 41},
        {"start": -40},
        {"end": 4000},
        {"start": 40, "end": 0},
    ],
)
def test_a_changed_citation_fails(changes: dict[str, Any]) -> None:
    found = proof(cited(**changes), record="none")
    assert (found.citations[0].status, found.exit_code) == ("failed", 8)


def test_an_erased_text_is_proven_from_an_intact_record_only() -> None:
    states = [proof(cited(), kept=None, now=None, record=record) for record in ("intact", "changed", "none")]
    assert [each.citations[0].status for each in states] == [
        "proven_from_record",
        "unavailable",
        "unavailable",
    ]
    assert [each.exit_code for each in states] == [0, 8, 9]


def test_an_erased_quote_is_unavailable() -> None:
    found = proof(cited(quote="", quote_sha256="0" * 64), kept=None, now=None)
    assert (found.citations[0].status, found.exit_code) == ("unavailable", 9)


def test_an_erased_quote_is_held_against_its_digest_where_the_text_is_back() -> None:
    right = hashlib.sha256(TEXT[:40].encode()).hexdigest()
    assert proof(cited(quote="", quote_sha256=right)).citations[0].status == "proven"
    assert proof(cited(quote="", quote_sha256="0" * 64)).citations[0].status == "failed"


def test_a_changed_record_is_never_proven() -> None:
    assert proof(cited(), record="changed").exit_code == 8


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (NOW, "unchanged"),
        (Standing("hr/leave.md", "b" * 64, "raw-2"), "changed"),
        (Standing("hr/leave.md", "b" * 64, "raw-1"), "reparsed"),
        (Standing("hr/rules/leave.md", REVISION, "raw-1"), "moved"),
        (None, "deleted"),
    ],
)
def test_what_became_of_the_source_is_told_and_changes_no_proof(now: Standing | None, word: str) -> None:
    found = proof(cited(), now=now)
    assert (found.citations[0].source_now, found.citations[0].status, found.exit_code) == (word, "proven", 0)


def test_an_expired_run_cannot_be_judged() -> None:
    found = verify(None, run="r-1", record="intact", text=lambda *_: KEPT, now=lambda _: NOW)
    assert (found.exit_code, found.to_json()["citations"]) == (9, [])


def test_an_answer_without_citations_has_nothing_to_fail() -> None:
    found = verify({"citations": []}, run="r-1", record="intact", text=lambda *_: None, now=lambda _: None)
    assert found.exit_code == 0
