"""Routes are right when the gold source, and no other, was chosen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Case, Ranked, Response
from evals.metrics import ROUTING, parse
from evals.retrieval import NO_GOLD
from evals.routes import NO_ROUTE, NO_SECOND, NO_SOURCE, regret

METRICS = {metric.name: metric for metric in parse(ROUTING)}
SOURCES = ["hr", "it", "legal"]
routes = st.lists(
    st.tuples(st.sampled_from(SOURCES), st.sets(st.sampled_from([*SOURCES, "wiki"]))), min_size=1, max_size=20
)


def case(source="hr"):
    return Case("q", "How many days?", source=source, judgements={"hr/leave": 1})


def routed(*sources):
    return Response(sources=sources)


def test_accuracy_wants_the_gold_source_and_no_other():
    take = METRICS["route_accuracy"].take
    assert take(case(), routed("hr")) == (1.0,)
    assert take(case(), routed("hr", "hr")) == (1.0,)
    assert take(case(), routed("it")) == take(case(), routed("hr", "it")) == take(case(), routed()) == (0.0,)


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


def test_no_case_has_no_macro_f1_and_a_failed_one_misses_its_source():
    metric = METRICS["route_macro_F1"]
    assert math.isnan(metric.combine(np.empty((0, 2))))
    rows = [metric.take(case(), routed("hr")), metric.failed(case())]
    assert metric.combine(np.array(rows)) == pytest.approx(2 / 3)
    assert METRICS["route_accuracy"].failed(case()) == (0.0,)


def test_what_is_missing_is_said():
    for name in ("route_accuracy", "route_macro_F1"):
        assert METRICS[name].take(case(), Response()) == NO_ROUTE
        assert METRICS[name].take(case(None), routed("hr")) == NO_SOURCE
        assert METRICS[name].failed(case(None)) == NO_SOURCE
    assert METRICS["route_regret"].take(case(), Response()) == NO_ROUTE
    assert METRICS["route_regret"].take(case(), routed("hr")) == NO_SECOND
    assert METRICS["route_regret"].failed(case()) == NO_SECOND


def test_regret_is_what_the_route_lost_against_searching_everything():
    found = Response(ranking=(Ranked("hr/leave", 1.0),))
    missed = Response(ranking=(Ranked("it/vpn", 1.0),))
    assert regret(case(), missed, found) == (1.0,)
    assert regret(case(), found, missed) == (-1.0,)
    assert regret(case(), found, found) == (0.0,)
    assert regret(Case("q", "?"), found, found) == NO_GOLD
