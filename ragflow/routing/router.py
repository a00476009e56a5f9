"""The router that the configuration asks for."""

from ragflow.asking import Question, Routed
from ragflow.deadlines import Deadline


class ConfiguredRouter:
    """Sends a question to all sources that may be read, or to those that were asked for.

    Satisfies ``asking.Router``.
    """

    def route(self, question: Question, deadline: Deadline) -> Routed:  # noqa: ARG002 - nobody is waited for
        """Return where the question goes."""
        if question.asked_for:
            return Routed(question.sources, by="asked", because="these sources were asked for")
        return Routed(question.sources, by="all", because="no rule is configured")
