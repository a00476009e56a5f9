"""What the configured embedding model may see of documents: all of it, or all but what is private."""

from collections.abc import Callable

from ragflow.config import Config
from ragflow.masking import mask, torn
from ragflow.redact import Kind


def hidden_from_embedder(config: Config) -> tuple[Kind, ...]:
    """Return what the configured embedding model must not see: nothing is hidden from one on this machine."""
    if config.embed.engine != "litellm":
        return ()
    from ragflow.models.embedding import where

    return () if where(config.embed).local else config.guards.redact


def seen(config: Config) -> Callable[[str, int, int], str] | None:
    """Return what gives the part of a document that the embedding model may see; None: all of it.

    A secret that a chunk's edge cuts in two does not look like one: the document around it tells.
    """
    kinds = hidden_from_embedder(config)
    if not kinds:
        return None

    def part(text: str, start: int, end: int) -> str:
        return mask([text[start:end]], kinds, known=[torn(text, start, end, kinds)]).texts[0]

    return part
