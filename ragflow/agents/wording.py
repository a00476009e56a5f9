"""A task, the tools and what they gave so far -> a prompt. Wording comes from a file, fences from here."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from indexes.injection import scan
from ragflow import prompts
from ragflow.agents.leaves import changed, texts
from ragflow.agents.paring import pared
from ragflow.config import Config
from ragflow.generation.wording import fence, fill, on_one_line, parted, tame
from ragflow.masking import mask
from ragflow.models.calls import Message, Prompt
from ragflow.prompts import PromptFile
from ragflow.redact import Kind, redact
from ragflow.workflows.contracts import Json, Object, Offer

AGENT = "agent.md"
PLACES = ("tools", "task", "results", "left")
MOST_OF_RESULT = 8_000  # code points of one result that a prompt shows
_MOST_OF_ARGUMENTS = 500
_MOST_OF_DESCRIPTION = 1_000
_LEFT_OUT = "(left out: it reads like orders to a program)"
_NOTHING = "(no tool was called yet)"


@dataclass(frozen=True, slots=True)
class Turn:
    """One tool that the model chose, and what came of it.

    ``outcome``: done, not_offered, unfit, refused, rejected, expired, failed or unsettled. ``result``: what
    the tool gave; where it was not done, why not.
    """

    tool: str
    arguments: Object
    outcome: str
    result: Json


@dataclass(frozen=True, slots=True)
class View:
    """All that a model is told. ``left``: how many tools may still be called."""

    task: str
    offers: Sequence[Offer]
    turns: Sequence[Turn]
    left: int


@dataclass(frozen=True, slots=True)
class Showing:
    """How it is told. ``redact``: what no model sees; ``hidden``: what this one sees a placeholder of.

    ``context``: tokens of all results, as ``count`` counts them. ``exclude``: what gives orders is left out.
    """

    prompt: PromptFile
    redact: Collection[Kind]
    hidden: Collection[Kind]
    context: int
    count: Callable[[str], int]
    exclude: bool


def showing(config: Config, tier: str, hidden: Collection[Kind], count: Callable[[str], int]) -> Showing:
    """Return how the configuration wants a model to be told. Raises ``ConfigError``."""
    return Showing(
        prompts.load(AGENT, config.folder),
        config.runs.redact,
        hidden,
        config.models[tier].context,
        count,
        config.guards.retrieved == "exclude",
    )


def compose(view: View, how: Showing) -> tuple[Prompt, Mapping[str, str]]:
    """Return the prompt, and what its placeholders stand for.

    The system's message is the file's alone. What tools gave stands fenced in the user's, numbered from 1,
    cut to what fits, the newest first.

    Raises:
        ConfigError: the prompt file lacks a placeholder.
    """
    system, user = parted(how.prompt, PLACES)
    data = [view.task, *([turn.tool, turn.arguments, pared(turn.result)] for turn in view.turns)]
    masked = mask([redact(text, how.redact) for text in texts(data)], how.hidden)
    given = iter(masked.texts)
    task, *told = changed(data, lambda _: tame(next(given)))
    if how.exclude:
        told = [[tool, arguments, changed(result, _harmless)] for tool, arguments, result in told]
    bodies = [_clipped(_written(result), MOST_OF_RESULT) for _, _, result in told]
    heads = [
        _head(number, turn.outcome, tool, _clipped(_written(arguments), _MOST_OF_ARGUMENTS))
        for number, (turn, (tool, arguments, _)) in enumerate(zip(view.turns, told, strict=True), start=1)
    ]
    code = fence([task, *bodies, *heads])
    blocks = [
        f"<result-{code} {head}{_flagged(body)}>\n{body}\n</result-{code}>"
        for head, body in zip(heads, _fitted(bodies, how.context, how.count), strict=True)
    ]
    asked = {
        "task": f"<task-{code}>\n{task}\n</task-{code}>",
        "tools": "\n".join(map(_offered, view.offers)) or "(none)",
        "results": "\n\n".join(blocks) or _NOTHING,
        "left": str(view.left),
    }
    messages = (Message("system", system), Message("user", fill(user, asked)))
    return Prompt(messages, name="choice"), masked.table


def _offered(offer: Offer) -> str:
    told = {
        "tool": offer.name,
        "effect": offer.effect,
        "description": _clipped(offer.description, _MOST_OF_DESCRIPTION),
        "arguments": offer.schema,
    }
    return tame(json.dumps(told, ensure_ascii=False))


def _head(number: int, outcome: str, tool: str, arguments: str) -> str:
    return (
        f'number="{number}" tool={on_one_line(tool)} outcome="{outcome}" arguments={on_one_line(arguments)}'
    )


def _written(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _harmless(text: str) -> str:
    return _LEFT_OUT if scan(text) else text


def _flagged(body: str) -> str:
    return ' flagged="yes"' if scan(body) else ""


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\u2026 (cut; it has {len(text)} characters)"


def _fitted(bodies: Sequence[str], context: int, count: Callable[[str], int]) -> Iterator[str]:
    """Give the texts, cut so that all of them have about ``context`` tokens; the newest keeps most."""
    left, kept = context, list[str]()
    for body in reversed(bodies):
        shown = body
        while shown and (tokens := count(shown)) > left:
            shown = shown[: len(shown) * max(0, left - 1) // tokens]
        left -= count(shown)
        kept.append(shown if shown == body else _clipped(body, len(shown)))
    return reversed(kept)
