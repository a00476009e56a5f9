"""An index run says which documents hold text that gives orders, in JSON and in a few lines."""

from indexes.flags import Flagged
from indexes.report import SyncReport
from ragflow.cli.tables import indexed
from ragflow.reports import IndexReport


def report(*flagged: Flagged) -> IndexReport:
    """A run over nothing but these."""
    sync = SyncReport(
        sources={},
        unreadable=(),
        generation="g-1",
        promoted=True,
        reason=None,
        documents=len(flagged),
        chunks=len(flagged),
        flagged=flagged,
    )
    return IndexReport(run="r-1", dry_run=False, sync=sync, timings_ms={"total": 1})


def test_flagged_documents_are_named_with_their_families() -> None:
    shown = report(Flagged("hr/a", "bait", 2), Flagged("hr/a", "override", 1), Flagged("hr/b", "bait", 1))
    assert shown.to_json()["flagged"] == [
        {"document": "hr/a", "family": "bait", "count": 2},
        {"document": "hr/a", "family": "override", "count": 1},
        {"document": "hr/b", "family": "bait", "count": 1},
    ]
    assert shown.to_json()["flagged_documents"] == 2
    lines = list(indexed(shown.to_json()))
    assert "2 documents hold text that reads like orders to a program; it is treated as data:" in lines
    assert "  hr/a: 2 bait, 1 override" in lines


def test_the_list_is_bounded_and_the_count_is_not() -> None:
    many = report(*(Flagged(f"hr/{number:03}", "bait", 1) for number in range(250)))
    shown = many.to_json()
    assert (len(shown["flagged"]), shown["flagged_documents"]) == (100, 250)
    lines = list(indexed(shown))
    assert sum(line.endswith(": 1 bait") for line in lines) == 5
    assert "  and 245 more (--json names up to a hundred)" in lines


def test_without_flags_nothing_is_said() -> None:
    assert report().to_json()["flagged"] == []
    assert not any("orders" in line for line in indexed(report().to_json()))
    assert report().exit_code == 0
