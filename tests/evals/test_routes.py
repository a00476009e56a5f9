"""Routes: is the gold source the best one, is it among those searched, and how much was searched?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, Ranked, Response
from evals.erasing import row_without
from evals.metrics import ROUTING, parse
from evals.results import Row
from evals.retrieval import NO_GOLD
from evals.routes import NO_BEST, NO_ROUTE, NO_SECOND, NO_SHARE, NO_SOURCE, golds
from evals.rows import read_row, row_line

METRICS = {metric.name: metric for metric in parse(ROUTING)}
SOURCES = ["hr", "it", "legal"]
routes = st.lists(
    st.tuples(st.sampled_from(SOURCES), st.sets(st.sampled_from([*SOURCES, "wiki"]))), min_size=1, max_size=20
)


def case(source="hr", tags=()):
    return Case("q", "How many days?", source=source, judgements={"hr/leave": 1}, tags=tags)


def routed(*sources, best=None, searched=None, everything=None, found=()):
    return Response(
        ranking=tuple(Ranked(name, 1.0) for name in found),
        sources=sources,
        best_source=best,
        searched=searched,
        everything=everything,
    )


def take(name, *of):
    return METRICS[name].take(*of)


def test_accuracy_wants_the_gold_source_and_no_other():
    assert take("route_accuracy", case(), routed("hr")) == (1.0,)
    assert take("route_accuracy", case(), routed("hr", "hr")) == (1.0,)
    for other in (routed("it"), routed("hr", "it"), routed()):
        assert take("route_accuracy", case(), other) == (0.0,)


def test_top1_looks_at_the_likeliest_source_whatever_else_is_searched():
    assert take("route_top1", case(), routed("it", "hr", best="hr")) == (1.0,)
    assert take("route_top1", case(), routed("it", "hr", best="it")) == (0.0,)


def test_a_source_that_was_chosen_alone_is_the_likeliest_and_nowhere_is_a_miss():
    assert take("route_top1", case(), routed("hr")) == (1.0,)
    assert take("route_top1", case(), routed("it")) == (0.0,)
    assert take("route_top1", case(), routed()) == (0.0,)
    assert take("route_top1", case(), routed("hr", "it")) == NO_BEST


def test_recall_wants_the_gold_source_among_those_searched():
    assert take("route_recall", case(), routed("it", "hr")) == (1.0,)
    assert (
        take("route_recall", case(), routed("it", "legal")) == take("route_recall", case(), routed()) == (0,)
    )


def test_where_several_sources_hold_the_answer_any_may_be_best_and_all_are_to_be_searched():
    both = case("hr", tags=("ambiguous", "also:it"))
    assert golds(both) == {"hr", "it"}
    assert take("route_top1", both, routed("hr", "it", best="it")) == (1.0,)
    assert take("route_recall", both, routed("hr")) == (0.0,)
    assert take("route_recall", both, routed("it", "legal", "hr")) == (1.0,)
    assert take("route_accuracy", both, routed("it", "hr")) == (1.0,)
    assert take("route_accuracy", both, routed("it")) == (0.0,)


def test_the_share_that_was_searched_is_better_when_lower():
    assert take("route_searched", case(), routed("hr", searched=0.25)) == (0.25,)
    assert take("route_searched", case(), routed("hr")) == NO_SHARE
    assert not METRICS["route_searched"].higher_is_better


@given(routes)
def test_macro_f1_is_the_mean_f1_of_the_gold_sources(rows):
    metric = METRICS["route_macro_F1"]
    taken = [metric.take(case(gold), routed(*chosen)) for gold, chosen in rows]
    expected = []
    for source in {gold for gold, _ in rows}:
        hits = sum(gold == source and chosen == {source} for gold, chosen in rows)
        wanted, given_to = sum(g == source for g, _ in rows), sum(c == {source} for _, c in rows)
        expected.append(2 * hits / (wanted + given_to))
    assert metric.combine(np.array(taken)) == pytest.approx(sum(expected) / len(expected))


def test_macro_f1_goes_by_the_likeliest_source_where_sources_are_ranked():
    metric = METRICS["route_macro_F1"]
    rows = [
        metric.take(case(), routed("hr", "it", best="hr")),
        metric.take(case("it"), routed("hr", best="hr")),
    ]
    assert metric.combine(np.array(rows)) == pytest.approx((2 / 3 + 0) / 2)


def test_no_case_has_no_macro_f1_and_a_failed_one_misses_its_source():
    metric = METRICS["route_macro_F1"]
    assert math.isnan(metric.combine(np.empty((0, 2))))
    rows = [metric.take(case(), routed("hr")), metric.failed(case())]
    assert metric.combine(np.array(rows)) == pytest.approx(2 / 3)
    for name in ("route_accuracy", "route_top1", "route_recall"):
        assert METRICS[name].failed(case()) == (0.0,)


def test_what_is_missing_is_said():
    for name in ("route_accuracy", "route_top1", "route_recall", "route_macro_F1"):
        assert take(name, case(), Response()) == NO_ROUTE
        assert take(name, case(None), routed("hr")) == NO_SOURCE
        assert METRICS[name].failed(case(None)) == NO_SOURCE
    assert take("route_searched", case(), Response()) == take("route_regret", case(), Response()) == NO_ROUTE
    assert take("route_regret", case(), routed("hr")) == NO_SECOND
    assert METRICS["route_regret"].failed(case()) == NO_SECOND
    assert METRICS["route_searched"].failed(case()) == NO_SHARE


def test_regret_is_what_the_route_lost_against_searching_everything():
    def lost(found, everything):
        return take("route_regret", case(), routed("hr", found=found, everything=everything))

    assert lost(["it/vpn"], ("hr/leave",)) == (1.0,)
    assert lost(["hr/leave"], ("it/vpn",)) == (-1.0,)
    assert lost(["hr/leave"], ("hr/leave", "it/vpn")) == (0.0,)
    assert lost(["hr/leave"], ()) == (-1.0,)
    assert take("route_regret", Case("q", "?"), routed("hr", everything=())) == NO_GOLD


def test_what_routes_are_measured_by_is_stored_and_stays_when_a_document_is_forgotten():
    response = routed("hr", best="hr", searched=0.5, everything=("hr/leave", "it/vpn"))
    row = Row(system="hybrid", case="q", numbers={}, left_out={}, error=None, response=response)
    assert read_row(row_line(row)) == row
    assert row_without(row, "hr/leave") == row


def test_a_row_that_was_stored_before_routes_were_measured_still_reads():
    line = row_line(Row(system="hybrid", case="q", numbers={}, left_out={}, error=None, response=Response()))
    for name in ("best_source", "searched", "everything"):
        line = line.replace(f'"{name}":null,', "")
    assert "best_source" not in line
    assert read_row(line).response == Response()
