"""The guard that the configuration asks for."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property

from evals.grounding import Finding, Quote, place
from indexes.query import Found, Hit
from ragflow.asking import Inspected
from ragflow.cite import Proposed
from ragflow.guards.output import Wordings, findings
from ragflow.guards.question import inspect
from ragflow.model_sections import Guards
from ragflow.redact import Kind

_GIVES_ORDERS = Finding("unsupported", "its quote is an order to a program, which proves nothing")
_DEFAULT = Guards()
_SECRETS: tuple[Kind, ...] = ("secret",)


class ConfiguredGuard:
    """Looks at questions, passages and claims. Satisfies ``asking.Guard``.

    ``wordings``: the prompts that models are given, of which a claim may repeat nothing. ``redacted``:
    what is blanked in questions.
    """

    def __init__(
        self,
        guards: Guards = _DEFAULT,
        *,
        wordings: Sequence[str] = (),
        redacted: Collection[Kind] = _SECRETS,
    ) -> None:
        self._guards = guards
        self._texts = tuple(wordings)
        self._redacted = tuple(redacted)

    def question(self, text: str) -> Inspected:
        """Block or warn of a question that gives orders, as configured; warn of secrets in it."""
        return inspect(text, block=self._guards.question == "block", redacted=self._redacted)

    def passages(self, found: Found) -> Found:
        """Leave out, where so configured, hits of which a part gives orders; the others keep their rank."""
        if self._guards.retrieved != "exclude":
            return found
        kept = tuple(hit for hit in found.hits if not hit.flags)
        return found if len(kept) == len(found.hits) else replace(found, hits=kept)

    def claim(self, claim: Proposed, passages: Sequence[Hit]) -> tuple[Finding, ...]:
        """Return what speaks against showing a claim whose quotes all stand in their passages.

        See ``output.findings``. And a quote that holds a whole order to a program, or of which half or more
        is one, is no evidence; where it only touches one, its citation is shown as flagged.
        """
        found = findings(claim.text, [quote.text for quote in claim.quotes], self._wordings)
        if any(_gives_orders(quote, passages) for quote in claim.quotes):
            return (*found, _GIVES_ORDERS)
        return found

    @cached_property
    def _wordings(self) -> Wordings:
        return Wordings(self._texts)


def _gives_orders(quote: Quote, passages: Sequence[Hit]) -> bool:
    if not 0 <= quote.passage < len(passages) or not passages[quote.passage].flags:
        return False
    hit = passages[quote.passage]
    span = place(quote, hit.text)
    if span is None:
        return False
    start, end = hit.start + span[0], hit.start + span[1]
    if any(start <= flag.start and flag.end <= end for flag in hit.flags):
        return True
    # Flags of several families may lie on the same sentence: it counts once.
    covered = {at for flag in hit.flags for at in range(max(start, flag.start), min(end, flag.end))}
    return 2 * len(covered) >= end - start
