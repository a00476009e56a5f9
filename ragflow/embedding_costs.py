"""What an index run would send to an embedding API: told before anything is sent, and what it came to."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from indexes.build import Chunking
from indexes.generations import Generations
from indexes.pending import Eye, pending
from indexes.store import Store
from ragflow import parts
from ragflow.config import Config
from ragflow.sight import seen

_NANO = 1_000_000_000

if TYPE_CHECKING:
    from indexes.report import SyncPlan, SyncReport
    from ragflow.models.accounts import Used
    from ragflow.models.vector_costs import Cost


def foreseen(
    config: Config, store: Store, generations: Generations, plan: "SyncPlan", *, full: bool
) -> "Cost | None":
    """Return what a planned run would send; None for an engine of this machine, which sends nothing.

    What the store holds is chunked and looked up in the cache, so it is known; what is not fetched yet is
    estimated from its size. A document that is to be updated counts as it is now and as it may become.
    """
    if config.embed.engine != "litellm":
        return None
    from ragflow.models.accounts import Account
    from ragflow.models.embedding import ConfiguredEmbedder, Sending, price
    from ragflow.models.vector_costs import Counts, cost

    unused = Account(config.budget, config.workspace / parts.LEDGER)
    model = ConfiguredEmbedder(config.embed, Sending(unused, config.secret, config.guards.redact))
    chunk = config.chunk
    known = pending(
        store,
        generations,
        model,
        Chunking(chunk.mode, chunk.tokens, chunk.overlap),
        eye=Eye(model.tokens, seen(config)),
        full=full,
    )
    return cost(
        Counts(known.texts, known.size, known.cached, plan.characters, plan.items),
        chunk=None if chunk.mode == "document" else (chunk.tokens, chunk.overlap),
        model=config.embed.model,
        price=price(config.embed),
    )


def estimated(found: "Cost | None") -> dict[str, Any] | None:
    """Return ``embedding_estimate`` of ``ragflow.index/1``."""
    return None if found is None else asdict(found)


def came_to(config: Config, report: "SyncReport", used: "Used") -> dict[str, Any] | None:
    """Return ``embedding`` of ``ragflow.index/1``: what was sent, and how much needed no request."""
    if config.embed.engine != "litellm":
        return None
    return {
        "model": config.embed.model,
        "requests": used.requests,
        "texts": used.texts,
        "tokens": used.tokens,
        "usd": used.usd,
        "cached": report.embedded.cached,
    }


def told(config: Config, found: "Cost | None") -> tuple[str, ...]:
    """Return what is going to be sent, in sentences; none for an engine of this machine."""
    if found is None:
        return ()
    cached = f" ({found.cached:,} more have one already)" if found.cached else ""
    if not found.texts:
        return (f"No text is to be sent to {found.model}{cached}.",)
    about, most = ("", "at most ") if found.exact else ("about ", "about ")
    price = "at a price that is not known" if found.usd is None else f"{most}${found.usd:.4f}"
    said = [
        f"To {found.model}: {about}{found.texts:,} texts of {most}{found.tokens:,} tokens, {price}{cached}."
    ]
    if not found.exact:
        said.append("What is not fetched yet is estimated from its size, rather too high.")
    if limit := _limit(config, found.usd or 0.0):
        said.append(f"That is more than {limit}: it will stop there, and go on the next time.")
    return tuple(said)


def _limit(config: Config, usd: float) -> str | None:
    """Return which limit of the budget such a run will meet."""
    budget = config.budget
    if budget.run_usd is not None and usd > budget.run_usd:
        return f"budget.run_usd (${budget.run_usd:g})"
    if budget.day_usd is not None and usd:
        from ragflow.models.ledger import Ledger

        left = budget.day_usd - Ledger(config.workspace / parts.LEDGER).spent() / _NANO
        if usd > left:
            return f"what is left of budget.day_usd today (${max(0.0, left):.4f})"
    return None
