"""A model breaks a tie between sources, of which it is told names and descriptions and nothing else."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from ragflow.deadlines import Deadline
from ragflow.models.calls import Message, Model, ModelFailed, Prompt
from ragflow.prompts import PromptFile

_LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class Pick:
    """What a model chose. ``source`` None: it did not, or gave no usable reply; ``because`` says which."""

    source: str | None
    because: str
    cost_usd: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class TieBreaker:
    """Asks a model which source is meant.

    ``describe``: name -> what the configuration says of that source, "" where it says nothing. ``mask``
    takes out of the question what this model must not see. No text of a document is sent.
    """

    model: Model
    prompt: PromptFile
    describe: Callable[[str], str]
    mask: Callable[[str], str] = str

    def choose(self, question: str, candidates: Sequence[str], deadline: Deadline) -> Pick:
        """Return the candidate that the model names; a failure, or any other name, is no choice."""
        prompt = self._prompt(question, candidates)
        try:
            reply = self.model.ask(prompt, choice(candidates), deadline=deadline)
        except ModelFailed as failed:
            because = f"{self.model.name} could not be asked ({failed.kind})"
            return Pick(None, because, failed.cost_usd, failed.tokens)
        source = reply.value.model_dump().get("source")
        cost, tokens = reply.cost_usd, reply.tokens_in + reply.tokens_out
        if source is None:
            return Pick(None, f"{self.model.name} cannot tell", cost, tokens)
        if source not in candidates:  # a model behind another client may ignore the schema
            return Pick(None, f"{self.model.name} named none of them", cost, tokens)
        return Pick(source, f"{self.model.name} chose {source}", cost, tokens)

    def _prompt(self, question: str, candidates: Sequence[str]) -> Prompt:
        # As JSON, so that no wording of a question can pass for a source or for an order.
        told = {
            "sources": [
                {"name": name, "description": self.describe(name)[:_LONGEST_DESCRIPTION]}
                for name in candidates
            ],
            "question": self.mask(question),
        }
        shown = json.dumps(told, ensure_ascii=False, indent=1)
        return Prompt((Message("system", self.prompt.text), Message("user", shown)), name="route")


def choice(candidates: Sequence[str]) -> type[BaseModel]:
    """Return the shape of the reply: ``{"source": NAME}`` with one of the candidates, or null."""
    names: Any = Literal[tuple(candidates)]
    return create_model("Route", __config__=ConfigDict(extra="forbid"), source=(names | None, ...))
