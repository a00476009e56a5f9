"""Who drafts an answer: the models of the route's tier in their order, then the extractive answerer."""

from ragflow.asking import Lineup, Question, Routed
from ragflow.extractive import ExtractiveAnswerer


class ConfiguredCasting:
    """Satisfies ``asking.Casting``."""

    def __init__(self, *, max_claims: int) -> None:
        self._max_claims = max_claims

    def lineup(self, question: Question, routed: Routed) -> Lineup:  # noqa: ARG002 - the protocol's
        """Return who drafts."""
        return Lineup((ExtractiveAnswerer(max_claims=self._max_claims),))
