"""Does a claim follow from its quotes? Asked of a model, after every check that needs none."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from indexes.errors import ModelUnfit

if TYPE_CHECKING:
    from indexes.cross_encoder import CrossEncoder

LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, slots=True)
class Inference:
    """How likely each is, rounded to 1e-6: that it follows, that neither holds, that it is the opposite."""

    entailment: float
    neutral: float
    contradiction: float


class Entailment(Protocol):
    """Says whether a hypothesis follows from a premise.

    Laws:

    - the same pair gives the same inference, whatever was asked before;
    - it can only turn a claim down: one that another check has found wrong is not asked about;
    - ``entails``: the least probability with which a claim must follow; ``contradicts``: the most that it
      may be the opposite; both 0 to 1.
    """

    @property
    def entails(self) -> float: ...

    @property
    def contradicts(self) -> float: ...

    def infer(self, premise: str, hypothesis: str) -> Inference: ...


class ModelEntailment:
    """Satisfies ``Entailment`` by a CrossEncoder with three labels, in any order and case.

    The probabilities are the softmax of its three numbers.
    """

    def __init__(self, encoder: "CrossEncoder", *, entails: float = 0.5, contradicts: float = 0.5) -> None:
        named = [label.casefold() for label in encoder.labels]
        if sorted(named) != sorted(LABELS):
            raise ModelUnfit(
                f"{encoder.name} tells {', '.join(encoder.labels)} apart; a model of entailment tells"
                f" {', '.join(LABELS)}",
                hint="name for answer.entailment a CrossEncoder whose config.json has these in id2label",
            )
        self._at = [named.index(label) for label in LABELS]
        self._encoder = encoder
        self.entails, self.contradicts = entails, contradicts

    @property
    def key(self) -> str:
        """The checkpoint's."""
        return self._encoder.key

    def infer(self, premise: str, hypothesis: str) -> Inference:
        """Return the inference of one pair. Raises as ``CrossEncoder.numbers``."""
        row = self._encoder.numbers([(premise, hypothesis)])[0].tolist()
        numbers = [row[at] for at in self._at]
        most = max(numbers)
        odds = [math.exp(number - most) for number in numbers]
        return Inference(*(round(one / sum(odds), 6) for one in odds))
