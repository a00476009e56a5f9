"""The guard that the configuration asks for."""

from collections.abc import Sequence

from evals.grounding import Finding
from indexes.query import Found, Hit
from ragflow.asking import Inspected
from ragflow.cite import Proposed


class ConfiguredGuard:
    """Looks at questions, passages and claims. Satisfies ``asking.Guard``."""

    def question(self, text: str) -> Inspected:  # noqa: ARG002 - the protocol's
        """Return what is wrong with a question."""
        return Inspected()

    def passages(self, found: Found) -> Found:
        """Return what may be used of what was found."""
        return found

    def claim(self, claim: Proposed, passages: Sequence[Hit]) -> tuple[Finding, ...]:  # noqa: ARG002
        """Return what speaks against showing a claim."""
        return ()
