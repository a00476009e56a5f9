"""What ``ragflow doctor`` says of the configured models. Nothing is spent, and no other machine contacted."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ragflow.model_sections import Budget, ModelEntry, Tier
from ragflow.models import litellm_client
from ragflow.models.failures import CallFailed
from ragflow.models.prices import price
from ragflow.models.providers import Place, place

_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a model (``tier/model``) or of all. ``cure`` says how to mend it, "" for nothing."""

    name: str
    status: Literal["ok", "warn", "fail"]
    message: str
    cure: str = ""


def checks(
    tiers: Mapping[str, Tier], budget: Budget, *, ledger: Path, secret: Callable[[str], str | None]
) -> list[Finding]:
    """Look at each configured model: its provider, the extra, its key, its price, its server if that is here.

    No tier configured gives nothing. ``ledger``: the file that counts what was spent.
    """
    found = [
        _model(f"{name}/{entry.model}", entry, tier, budget, secret)
        for name, tier in tiers.items()
        for entry in tier.try_
    ]
    if found and not litellm_client.installed():
        found.append(
            Finding(
                "models", "fail", "the extra llm is not installed: no model is asked", litellm_client.INSTALL
            )
        )
    if found and budget.day_usd is not None and not _writable(ledger):
        message = f"{ledger} cannot be written: with budget.day_usd no model that costs anything is asked"
        found.append(Finding("models", "fail", message, "check the owner and mode of the folder"))
    return found


def embedding_check(name: str, entry: ModelEntry, secret: Callable[[str], str | None]) -> Finding:
    """Look at the model that makes vectors, as at the others; its price is wanted for ``--dry-run``."""
    if not litellm_client.installed():
        return Finding(
            name, "fail", "the extra llm is not installed: nothing is embedded", litellm_client.INSTALL
        )
    cure = "give embed.usd_per_million_tokens"
    return _looked_at(name, entry, secret, section="embed", unpriced=cure if price(entry) is None else "")


def _model(
    name: str, entry: ModelEntry, tier: Tier, budget: Budget, secret: Callable[[str], str | None]
) -> Finding:
    limited = tier.max_usd is not None or budget.run_usd is not None or budget.day_usd is not None
    unknown = limited and price(entry) is None
    cure = "give its usd_per_million" if unknown else ""
    return _looked_at(name, entry, secret, section="models", unpriced=cure)


def _looked_at(
    name: str,
    entry: ModelEntry,
    secret: Callable[[str], str | None],
    *,
    section: str,
    unpriced: str,
) -> Finding:
    """Return what is found first. ``unpriced``: the cure where its price is wanted and not known, else ""."""
    try:
        where = place(entry)
    except CallFailed as failed:
        return Finding(name, "fail", failed.detail, f"correct {section} in ragflow.yaml")
    variable = entry.api_key_env
    if variable is not None and not (secret(variable) or "").strip():
        return Finding(name, "fail", f"{variable} is not set", f"export {variable}=...")
    doubts = (
        (where.local and not _answers(where), f"nothing listens at {where.address}", "start the server"),
        (
            bool(unpriced),
            "its price is not known: what it costs counts for no budget",
            unpriced,
        ),
        (
            not where.local and where.address.startswith("http://"),
            "question, passages and key travel to it in the clear",
            "give it an https address",
        ),
        (
            not where.local and variable is None,
            "no key is sent: api_key_env is not given",
            "name the key's variable",
        ),
    )
    for doubtful, message, cure in doubts:
        if doubtful:
            return Finding(name, "warn", message, cure)
    return Finding(name, "ok", f"{'on this machine' if where.local else 'at'} {where.address}")


def _answers(where: Place) -> bool:
    parts = urlsplit(where.address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE_S).close()
    except OSError:
        return False
    return True


def _writable(ledger: Path) -> bool:
    there = ledger if ledger.exists() else ledger.parent
    # No workspace yet: the first `ragflow index` makes it.
    return not there.exists() or os.access(there, os.W_OK)
