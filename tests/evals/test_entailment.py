"""A model of entailment is asked last, can only turn a claim down, and is the same when measured."""

import pytest
import tiny_cross_encoders as tiny
from hypothesis import given
from hypothesis import strategies as st

from evals.answers import groundedness
from evals.cases import Case, Response, Span, Statement
from evals.entailment import Inference, ModelEntailment
from evals.grounding import Passage, Quote, check
from evals.metrics import parse, take_all
from indexes.cross_encoder import CrossEncoder
from indexes.errors import ModelUnfit

TEXT = "Every full-time employee gets 28 days of paid annual leave in each calendar year."
PASSAGES = (Passage(TEXT), Passage("Unused days of annual leave lapse on 31 March of the next year."))
QUOTES = (Quote(0, TEXT),)
CLAIM = "Every full-time employee gets 28 days of paid leave."
LIE = "Every full-time employee gets 30 days of paid leave."
LABELS = ("CONTRADICTION", "entailment", "Neutral")
BIASES = {"entailment": (0, 9, 0), "neutral": (0, 0, 9), "contradiction": (9, 0, 0)}


class Says:
    """Gives one inference and keeps what it was asked."""

    def __init__(self, entailment, contradiction, *, entails=0.5, contradicts=0.5):
        self.given = Inference(entailment, round(1 - entailment - contradiction, 6), contradiction)
        self.entails, self.contradicts = entails, contradicts
        self.asked = []

    def infer(self, premise, hypothesis):
        self.asked.append((premise, hypothesis))
        return self.given


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        said: ModelEntailment(CrossEncoder.open(str(tiny.write(folder / said, LABELS, bias=bias))))
        for said, bias in BIASES.items()
    }


@pytest.mark.parametrize(
    ("said", "findings"),
    [("entailment", []), ("neutral", ["unsupported"]), ("contradiction", ["contradicted"])],
)
def test_a_checkpoint_decides_on_what_passed_the_other_checks(models, said, findings):
    assert check(CLAIM, QUOTES, PASSAGES) == ()
    found = check(CLAIM, QUOTES, PASSAGES, entailment=models[said])
    assert [one.kind for one in found] == findings
    assert all("model of entailment" in one.detail for one in found)


@pytest.mark.parametrize("said", list(BIASES))
def test_probabilities_are_read_by_the_labels_names_and_sum_to_one(models, said):
    seen = models[said].infer(TEXT, CLAIM)
    assert getattr(seen, said) > 0.99
    assert seen.entailment + seen.neutral + seen.contradiction == pytest.approx(1, abs=2e-6)


@pytest.mark.parametrize("labels", [("LABEL_0",), ("no", "yes"), ("entailment", "neutral", "other")])
def test_a_model_with_other_labels_is_refused(tmp_path, labels):
    encoder = CrossEncoder.open(str(tiny.write(tmp_path / "m", labels)))
    with pytest.raises(
        ModelUnfit, match="a model of entailment tells entailment, neutral, contradiction"
    ) as caught:
        ModelEntailment(encoder)
    assert "answer.entailment" in caught.value.hint


@given(
    st.sampled_from([CLAIM, LIE, TEXT, "Trains are booked before planes by everyone who travels."]),
    st.lists(st.sampled_from([*QUOTES, Quote(1, PASSAGES[1].text), Quote(0, "28 days"), Quote(1, TEXT)])),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_it_can_only_turn_a_claim_down(claim, quotes, entailment, contradiction):
    model = Says(round(entailment, 6), round(min(contradiction, 1 - entailment), 6))
    without, given_it = check(claim, quotes, PASSAGES), check(claim, quotes, PASSAGES, entailment=model)
    if without:
        assert (given_it, model.asked) == (without, []), "what is wrong already is not asked about"
    assert {one.kind for one in given_it if one not in without} <= {"unsupported", "contradicted"}


def test_a_verbatim_claim_asks_no_model():
    model = Says(0.0, 1.0)
    assert check(TEXT, QUOTES, PASSAGES, entailment=model) == ()
    assert model.asked == []


def test_the_premise_is_the_quotes_and_not_the_passage():
    model = Says(1.0, 0.0)
    quotes = (Quote(0, TEXT), Quote(1, "lapse on 31 March of the next year"))
    claim = "Every full-time employee gets 28 days of annual leave, and unused days lapse on 31 March."
    assert check(claim, quotes, PASSAGES, entailment=model) == ()
    assert model.asked == [(f"{TEXT}\nlapse on 31 March of the next year", claim)]


@pytest.mark.parametrize(
    ("entailment", "contradiction", "limits", "findings"),
    [
        (0.5, 0.5, {}, []),
        (0.499999, 0.5, {}, ["unsupported"]),
        (0.4, 0.500001, {}, ["contradicted"]),
        (0.4, 0.6, {"entails": 0.3, "contradicts": 0.7}, []),
        (0.0, 1.0, {"entails": 0.0, "contradicts": 1.0}, []),
        (0.98, 0.01, {"entails": 0.99}, ["unsupported"]),
        (0.98, 0.02, {"contradicts": 0.01}, ["contradicted"]),
    ],
)
def test_limits_are_the_least_and_the_most(entailment, contradiction, limits, findings):
    found = check(CLAIM, QUOTES, PASSAGES, entailment=Says(entailment, contradiction, **limits))
    assert [one.kind for one in found] == findings


def test_groundedness_measures_with_the_model_that_validates(models):
    cited = Span("hr/leave.md", 0, len(TEXT), TEXT, TEXT)
    response = Response(
        outcome="answered", claims=(Statement(CLAIM, (0,)), Statement(TEXT, (0,))), citations=(cited,)
    )
    assert groundedness(response) == 1.0
    assert groundedness(response, entailment=models["entailment"]) == 1.0
    assert groundedness(response, entailment=models["neutral"]) == 0.5
    metrics = parse(["groundedness", "token_F1"], entailment=models["neutral"])
    assert [metric.name for metric in metrics] == ["groundedness", "token_F1"]
    assert take_all(metrics, Case("q", "How many days?"), response)["groundedness"] == (0.5,)
    assert take_all(parse(["groundedness"]), Case("q", "How many days?"), response)["groundedness"] == (1.0,)
