"""The keys of CrossEncoders: ``search.rerank`` and ``answer.entailment``. Read by ``ragflow.sections``.

Each is null, the model alone (a folder, or a name in the hub's cache on this machine), or a section.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ragflow.section import Section, Share, Text


class Rerank(Section):
    """Which model reads the first ``candidates`` hits again. ``device`` as torch names it; null: "cpu"."""

    model: Text
    candidates: Annotated[int, Field(ge=1, le=1000)] = 50
    device: Text | None = None


class Entailment(Section):
    """Which model says whether a claim follows from its quotes.

    ``entails``: the least probability that it does; ``contradicts``: the most that it is the opposite.
    """

    model: Text
    entails: Share = 0.5
    contradicts: Share = 0.5
    device: Text | None = None


def _model(value: Any) -> Any:
    """Take a text for the section that names this model: both forms are then one setting."""
    if isinstance(value, str):
        return {"model": value}
    if value is None or isinstance(value, dict | Section):
        return value
    raise ValueError("name a model (text), write a section with the key model, or null")


Reranks = Annotated[Rerank | None, BeforeValidator(_model)]
Entails = Annotated[Entailment | None, BeforeValidator(_model)]
