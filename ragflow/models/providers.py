"""Who serves a model, where, and by which of litellm's two ways of sending. Only what was tried is here.

litellm finds addresses and keys in the environment by itself, and with some providers it talks to hosts
that nobody named (with ``huggingface/`` to huggingface.co, with ``ollama/`` to localhost, whatever the
address says). So an address always comes from here or from ``api_base``, and providers that were not
tried are refused: nearly all of them speak OpenAI's protocol, as ``openai/NAME`` with their address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ragflow.model_sections import ModelEntry
from ragflow.models.failures import CallFailed


@dataclass(frozen=True, slots=True)
class Provider:
    """``address`` None: it is wherever ``api_base`` says. ``way``: which client of litellm's sends."""

    address: str | None
    way: Literal["session", "handler"]


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", "session"),
    "anthropic": Provider("https://api.anthropic.com", "handler"),
    "mistral": Provider("https://api.mistral.ai/v1", "handler"),
    "deepseek": Provider("https://api.deepseek.com/v1", "handler"),
    "openrouter": Provider("https://openrouter.ai/api/v1", "handler"),
    "together_ai": Provider("https://api.together.xyz/v1", "handler"),
    "xai": Provider("https://api.x.ai/v1", "handler"),
    "hosted_vllm": Provider(None, "handler"),
    "lm_studio": Provider(None, "session"),
    "llamafile": Provider(None, "session"),
}
# What an HTTP client reaches without a proxy: `ragflow.models.wire` lists the same.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is: its provider, the address without a slash at its end, and whether that is here."""

    provider: Provider
    address: str
    local: bool


def place(entry: ModelEntry) -> Place:
    """Return where a configured model is.

    Raises:
        CallFailed: ``unknown_model``: no provider is named, or none that was tried, or no address.
    """
    name, slash, rest = entry.model.partition("/")
    provider = PROVIDERS.get(name)
    if not slash or not rest:
        raise CallFailed("unknown_model", f"{entry.model} names no provider: write openai/{entry.model}")
    if provider is None:
        known = ", ".join(PROVIDERS)
        raise CallFailed(
            "unknown_model",
            f"{name} is no provider that can be used here ({known}): where it speaks OpenAI's protocol,"
            f" write openai/{rest} and its address as api_base",
        )
    address = (entry.api_base or provider.address or "").rstrip("/")
    if not address:
        raise CallFailed("unknown_model", f"{entry.model} has no address: give its api_base")
    if not _is_address(address):
        raise CallFailed(
            "unknown_model",
            f"the api_base of {entry.model} is no http or https address; a password in it is not taken,"
            " a key belongs into the variable that api_key_env names",
        )
    return Place(provider, address, local=urlsplit(address).hostname in LOOPBACK)


def is_local(entry: ModelEntry) -> bool:
    """Tell whether a model runs on this machine; False where nobody can tell where it is."""
    try:
        return place(entry).local
    except CallFailed:
        return False


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        bare = "@" not in parts.netloc and not parts.query and not parts.fragment
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and bare
    except ValueError:  # brackets or a port that none can be
        return False
