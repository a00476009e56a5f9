"""Where a question goes, and why: what ``ragflow route`` shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexes.query import Query
from ragflow.asking import Parts, Question, Routed
from ragflow.deadlines import Deadline
from ragflow.pipeline import BLOCKED
from ragflow.steps import Record

SCHEMA = "ragflow.route/1"
_REFUSED = 6


@dataclass(frozen=True, slots=True)
class RouteReport:
    """The object ``ragflow.route/1``.

    ``sources``: what would be searched, of what the asker may read; empty where the question is refused.
    ``prompt``, ``prompt_digest`` and ``tier`` are those that would be used, None where no model is asked.
    """

    question: str
    readers: tuple[str, ...]
    routed: Routed
    sources: tuple[str, ...]
    prompt: str | None
    prompt_digest: str | None
    tier: str | None
    generation: str
    timings_ms: Mapping[str, float]

    @property
    def exit_code(self) -> int:
        """6 when the question is refused, or nothing indexed is readable for the asker; else 0."""
        return 0 if self.sources else _REFUSED

    def to_json(self) -> dict[str, Any]:
        """Return the object."""
        routed = self.routed
        return {
            "schema": SCHEMA,
            "question": self.question,
            "readers": list(self.readers),
            "route": {
                "sources": list(self.sources),
                "workflow": routed.workflow,
                "prompt": self.prompt,
                "prompt_digest": self.prompt_digest,
                "tier": self.tier,
                "rule": routed.rule,
            },
            "by": routed.by,
            "because": routed.because,
            "reason": routed.reason,
            "rules": [
                {"rule": tried.rule, "matched": tried.matched, "because": tried.because}
                for tried in routed.tried
            ],
            "scores": [
                {
                    "source": score.source,
                    "probability": score.probability,
                    "features": dict(score.features),
                }
                for score in routed.scores
            ],
            "generation": self.generation,
            "timings_ms": dict(self.timings_ms),
        }


def explain(question: Question, *, parts: Parts, record: Record, seconds: float) -> RouteReport:
    """Route a question as ``ask`` does, and go no further; ``seconds`` as in ``Rules``.

    Raises ``ConfigError`` (no such tier or prompt) and what the index raises.
    """
    with record.step("guard"):
        blocked = parts.guard.question(question.text).blocked is not None
    with record.step("route"):
        routed = BLOCKED if blocked else parts.router.route(question, Deadline(seconds))
    # What would be searched is told by the index: it shows no source that is not readable.
    found = parts.index.search(
        Query(question.text, question.readers, sources=routed.sources, k=1, system="lexical", merge="none")
    )
    lineup = parts.casting.lineup(question, routed) if routed.reason is None else None
    return RouteReport(
        question=question.text,
        readers=tuple(sorted(question.readers)),
        routed=routed,
        sources=found.sources if routed.reason is None else (),
        prompt=lineup.prompt if lineup else None,
        prompt_digest=lineup.prompt_digest if lineup else None,
        tier=lineup.tier if lineup else None,
        generation=found.generation,
        timings_ms=record.timings_ms(),
    )
