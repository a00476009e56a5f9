"""Confidence, its scaling and the threshold chosen from it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.calibration import MIN_CASES, _decisions, _read, brier, calibrate, expected_error, reliability
from evals.cases import Case, Response, Statement
from evals.results import EvalRun, Row, Setup
from evals.scaling import Platt, fit_platt, wilson
from evals.thresholds import Decisions, between
from indexes.query import Found
from ragflow.asking import Evidence, Routed
from ragflow.cite import Proposed
from ragflow.pipeline import Proven, conclude, expect

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


def a_case(number, *, answerable):
    return Case(f"q{number}", f"Question {number}?", answerable=answerable, answer="28 days")


def a_response(confidence, *, right=True, outcome="answered", reason=None):
    if outcome != "answered":
        return Response(outcome=outcome, reason=reason, confidence=confidence)
    text = "They get 28 days of leave." if right else "Nobody has ever said."
    return Response(outcome=outcome, answer=text, claims=(Statement(text, ()),), confidence=confidence)


def a_run(pairs, **changes):
    """A run of system hybrid over (case, response or error)."""
    rows = tuple(
        Row("hybrid", case.id, {}, error=given if isinstance(given, str) else None)
        if isinstance(given, str)
        else Row("hybrid", case.id, {}, response=given)
        for case, given in pairs
    )
    setup = Setup(
        run="r-20261122T183000-7f3a9c",
        created="2026-11-22T18:30:00Z",
        dataset="questions.jsonl",
        kind="questions",
        digest="d",
        questions=len(pairs),
        fold=None,
        limit=None,
        seed=None,
        systems=("hybrid",),
        metrics=("CRAG",),
        config={},
        config_digest="c",
        generation="g-1",
        version="0.1.0",
        actor=("everyone",),
    )
    return EvalRun(replace(setup, **changes), tuple(case for case, _ in pairs), rows)


def separable(count=120):
    """Answerable questions answered rightly with .6 to .9, unanswerable ones answered with .1 to .4."""
    pairs = []
    for number in range(count):
        share = number / count
        if number % 2:
            pairs.append((a_case(number, answerable="yes"), a_response(0.6 + 0.3 * share)))
        else:
            pairs.append((a_case(number, answerable="no"), a_response(0.1 + 0.3 * share)))
    return pairs


@given(PAIRS, st.integers(1, 20))
def test_every_case_is_in_exactly_one_bin(pairs, bins):
    found = reliability([each for each, _ in pairs], [right for _, right in pairs], bins)
    assert sum(each.n for each in found) == len(pairs)
    assert [each.low for each in found] == sorted({each.low for each in found})
    for each in found:
        inside = [
            right
            for confidence, right in pairs
            if each.low <= confidence < each.high or confidence == each.high == 1
        ]
        assert each.n == len(inside) > 0
        assert each.accuracy == pytest.approx(sum(inside) / len(inside))
        assert 0 <= each.accuracy_low <= each.accuracy + 1e-12
        assert each.accuracy - 1e-12 <= each.accuracy_high <= 1
        assert each.low - 1e-12 <= each.mean_confidence <= each.high + 1e-12


def test_a_bin_begins_with_its_edge_and_the_last_holds_one():
    found = reliability([0.1, 0.3, 0.7, 1.0], [True] * 4)
    assert [(each.low, each.high) for each in found] == [(0.1, 0.2), (0.3, 0.4), (0.7, 0.8), (0.9, 1.0)]


def test_a_confidence_that_is_no_probability_is_in_no_bin():
    assert reliability([math.nan, -0.1, 1.1], [True] * 3) == []


def test_confidences_without_a_truth_each_are_refused():
    with pytest.raises(ValueError, match="2 confidences and 1 truths"):
        reliability([0.1, 0.2], [True])


def test_wilson_gives_the_published_interval():
    # Newcombe 1998, table I, method 3: 81 of 263 and 1 of 29.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0
    assert all(math.isnan(bound) for bound in wilson(0, 0))


def test_the_calibration_error_weighs_bins_by_their_cases():
    # Three cases at .9 of which two are right, one at .1 that is wrong: (3 * |2/3 - .9| + .1) / 4.
    found = reliability([0.9, 0.9, 0.9, 0.1], [True, True, False, False])
    assert expected_error(found) == pytest.approx((3 * abs(2 / 3 - 0.9) + 0.1) / 4)
    assert math.isnan(expected_error([]))


def test_the_brier_score_is_the_mean_squared_distance():
    assert brier([0.9, 0.2], [True, False]) == pytest.approx((0.01 + 0.04) / 2)
    assert math.isnan(brier([], []))


def test_platt_scaling_finds_the_distortion_that_was_put_in():
    random = np.random.default_rng(3)
    honest = random.uniform(0.02, 0.98, 20_000)
    truth = random.uniform(size=20_000) < honest
    shown = 1 / (1 + np.exp(-(2.5 * np.log(honest / (1 - honest)) + 1)))  # overconfident
    fitted = fit_platt(shown, truth)
    assert fitted.slope == pytest.approx(1 / 2.5, abs=0.02)
    assert fitted.intercept == pytest.approx(-1 / 2.5, abs=0.05)
    before = expected_error(reliability(shown.tolist(), truth.tolist()))
    after = expected_error(reliability(fitted.apply(shown).tolist(), truth.tolist()))
    assert before > 0.1
    assert after < 0.02


def test_platt_scaling_is_finite_where_the_classes_are_apart():
    fitted = fit_platt([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    assert math.isfinite(fitted.slope)
    assert math.isfinite(fitted.intercept)
    assert (np.diff(fitted.apply([0.0, 0.3, 0.5, 1.0])) > 0).all()


def test_there_is_no_scaling_of_one_truth_or_one_confidence():
    assert fit_platt([0.1, 0.9], [True, True]) is None
    assert fit_platt([0.5, 0.5], [True, False]) is None
    assert fit_platt([], []) is None


def test_the_identity_scales_nothing():
    assert Platt(1.0, 0.0).apply([0.2, 0.5]) == pytest.approx([0.2, 0.5])


@given(st.floats(0, 1), st.floats(0, 1))
def test_between_divides_two_confidences(one, other):
    low, high = sorted((one, other))
    if low < high:
        assert low < between(low, high) <= high


def test_between_prefers_few_decimals():
    assert between(0.4712, 0.5388) == 0.5
    assert between(0.4712, 0.4788) in {0.475, 0.48, 0.47}
    assert 0.4712 < between(0.4712, 0.4713) <= 0.4713


DECISIONS = st.lists(
    st.tuples(st.integers(0, 20), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=30
)


def decided(rows, floor=None):
    confidence, answered, right, answerable = (np.array(column) for column in zip(*rows, strict=True))
    fold = np.arange(len(rows)) % 2
    return Decisions(confidence / 20, answered, right & answerable, answerable, fold, floor)


@given(DECISIONS)
def test_no_threshold_scores_higher_than_the_chosen_one(rows):
    seen = decided(rows)
    best = seen.at(seen.choose())
    for threshold in np.linspace(0, 1, 201):
        assert seen.at(float(threshold)).score <= best.score + 1e-12


@given(DECISIONS, st.floats(0, 1))
def test_the_safe_threshold_keeps_its_risk_and_answers_most(rows, limit):
    seen = decided(rows)
    chosen = seen.choose(limit)
    others = [seen.at(float(threshold)) for threshold in np.linspace(0, 1, 201)]
    safe = [each for each in others if each.coverage > 0 and each.risk <= limit]
    if chosen is None:
        assert safe == []
    else:
        best = seen.at(chosen)
        assert best.risk <= limit
        assert all(each.coverage <= best.coverage for each in safe)


@given(DECISIONS, st.integers(0, 20))
def test_nothing_is_chosen_below_what_the_run_itself_refused(rows, floor):
    seen = decided(rows, floor / 20)
    assert all(threshold > floor / 20 for threshold in seen.candidates())


def test_a_threshold_that_parts_the_classes_is_recommended_and_scored_crosswise():
    pairs = separable()
    found = calibrate(a_run(pairs))
    assert found.reason == ""
    assert 0.4 < found.recommended <= 0.605
    assert found.n == len(pairs)
    assert all(0.39 < each < 0.62 for each in found.thresholds)
    assert found.auroc.value == 1.0
    assert found.as_run.value == pytest.approx(0.0)
    assert found.score.value > 0.95
    assert found.gain.difference == pytest.approx(found.score.value)
    assert found.gain.p < 0.01
    assert found.risk.value < 0.05
    assert found.coverage.value == pytest.approx(0.5, abs=0.05)
    assert found.scaled.ece < found.given.ece


def test_each_fold_is_scored_with_what_the_other_chose():
    # Fold 0 alone would choose low, fold 1 high: what was chosen on one must be seen in the other's score.
    cases = [a_case(number, answerable="yes" if number % 2 else "no") for number in range(160)]
    split = {0: 0.3, 1: 0.7}
    pairs = [
        (case, a_response(split[case.fold] + (0.1 if case.answerable == "yes" else -0.1))) for case in cases
    ]
    found = calibrate(a_run(pairs))
    first, second = found.thresholds
    assert 0.6 < first <= 0.8
    assert 0.2 < second <= 0.4
    in_fold_0 = [1.0 if case.answerable == "no" else 0.0 for case in cases if case.fold == 0]
    in_fold_1 = [-1.0 if case.answerable == "no" else 1.0 for case in cases if case.fold == 1]
    assert found.score.value == pytest.approx(np.mean(in_fold_0 + in_fold_1))


def test_what_was_refused_for_low_confidence_bounds_what_can_be_recommended():
    pairs = [
        (case, given)
        if given.confidence > 0.3
        else (case, a_response(given.confidence, outcome="not_found", reason="low_confidence"))
        for case, given in separable()
    ]
    found = calibrate(a_run(pairs))
    assert found.floor == pytest.approx(max(given.confidence for _, given in pairs if given.reason))
    assert found.recommended > found.floor
    assert all(each.threshold > found.floor for each in found.operating)
    assert found.given.n == sum(1 for _, given in pairs if given.outcome == "answered")


def concluded(confidence, *, right, proven, min_confidence):
    """What ``ask`` concludes of a draft of this confidence; the hit and the claim only have to be there."""
    found = Found((None,), "g-1", {}, 1)
    routed = Routed(None, by="all", because="")
    outcome, reason = expect(routed, found, Evidence(confidence), min_confidence=min_confidence)
    if reason is None:
        outcome, reason = conclude(Proven((Proposed("a claim", ()),) if proven else ()))
    return a_response(confidence, right=right, outcome=outcome, reason=reason)


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.booleans(), st.booleans(), st.sampled_from(["yes", "no"])),
        min_size=1,
        max_size=25,
    ),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_a_higher_threshold_is_replayed_as_if_it_had_been_run_with(drafts, first, second):
    low, high = sorted((first / 20, second / 20))

    def run_with(min_confidence):
        return a_run(
            [
                (
                    a_case(number, answerable=answerable),
                    concluded(tens / 20, right=right, proven=proven, min_confidence=min_confidence),
                )
                for number, (tens, right, proven, answerable) in enumerate(drafts)
            ]
        )

    replayed = _decisions(_read(run_with(low), "hybrid")[0])
    assert (replayed.floor or -1) < low <= high
    real = _decisions(_read(run_with(high), "hybrid")[0])
    assert replayed.scores(high).tolist() == real.scores(0.0).tolist()
    assert replayed.answers(high).tolist() == real.answered.tolist()


def test_a_limit_of_risk_answers_less():
    random = np.random.default_rng(5)
    pairs = []
    for number in range(200):
        confidence = float(random.uniform(0.05, 0.95))
        right = bool(random.uniform() < confidence)
        pairs.append(
            (a_case(number, answerable="yes" if number % 4 else "no"), a_response(confidence, right=right))
        )
    loose, strict = (calibrate(a_run(pairs), max_risk=limit) for limit in (0.5, 0.25))
    assert strict.recommended > loose.recommended
    assert strict.coverage.value < loose.coverage.value
    assert strict.target == "at most 25% of the answers wrong"
    never = calibrate(a_run(pairs), max_risk=-1.0)
    assert never.recommended is None
    assert never.reason == "no threshold that this run can show has at most -100% of the answers wrong"


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (0, "too few answerable questions with a confidence: 0"),
        (MIN_CASES, "too few answerable questions with a confidence: 5"),
    ],
)
def test_too_few_questions_recommend_nothing(count, reason):
    found = calibrate(a_run(separable(count)))
    assert found.recommended is None
    assert found.thresholds is None
    assert found.reason.startswith(reason)
    assert found.gain is None
    assert math.isnan(found.score.value)
    assert found.score.n == 0


def test_a_class_that_one_fold_lacks_recommends_nothing():
    pairs = [(case, given) for case, given in separable(200) if case.answerable == "yes" or case.fold == 0]
    assert calibrate(a_run(pairs)).reason == "too few unanswerable questions in fold 1: 0, and 5 are needed"


def test_a_system_that_answers_nothing_recommends_nothing():
    pairs = [(case, a_response(0.5, outcome="not_found", reason="no_hits")) for case, _ in separable()]
    found = calibrate(a_run(pairs))
    assert found.reason == "no question was answered"
    assert found.given.bins == ()
    assert found.platt is None


def test_every_case_counts_or_is_left_out_with_its_reason():
    pairs = separable(40)
    odd = [
        (replace(a_case("a", answerable="yes"), reviewed=False), a_response(0.9)),
        (a_case("b", answerable="partial"), a_response(0.9)),
        (a_case("c", answerable=None), a_response(0.9)),
        (a_case("d", answerable="yes"), replace(a_response(0.9), confidence=None)),
        (a_case("e", answerable="yes"), replace(a_response(0.9), confidence=math.nan)),
        (a_case("f", answerable="yes"), replace(a_response(0.9), outcome=None)),
        (a_case("g", answerable="yes"), "Boom: it broke"),
        (replace(a_case("h", answerable="yes"), answer=None), a_response(0.9)),
        (a_case("i", answerable="yes"), a_response(0.9)),
    ]
    run = a_run([*pairs, *odd], excluded={"qi": "its gold document hr/x.md is not in the index"})
    found = calibrate(run)
    assert found.n == len(pairs)
    assert found.n + sum(found.left_out.values()) == len(run.cases)
    assert found.left_out == {
        "not reviewed": 1,
        "neither answerable nor unanswerable": 1,
        "not known whether it can be answered": 1,
        "no confidence": 1,
        "its confidence is not between 0 and 1": 1,
        "this system gives no answer": 1,
        "failed": 1,
        "neither a gold answer nor a gold quote": 1,
        "its gold document hr/x.md is not in the index": 1,
    }


def test_a_system_that_was_not_run_has_nothing_to_say():
    found = calibrate(a_run(separable(40)), system="dense")
    assert found.n == 0
    assert found.left_out == {"not evaluated": 40}
    assert found.recommended is None
    assert math.isnan(found.auroc.value)


def test_the_same_run_gives_the_same_calibration():
    assert calibrate(a_run(separable())) == calibrate(a_run(separable()))
