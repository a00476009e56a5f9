"""Vectors from an API, with all rules for its failures: batched, asked again, priced, counted, checked.

A server cannot promise that a text gives the same bytes in any company. So each text of the index is
embedded once, and its vector kept (``embeddings`` of the store): what is built from it later is built from
the same bytes. A question is sent alone, and depends on nothing but itself.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from indexes.embedding import Vectors
from ragflow.errors import ConfigError, EmbeddingFailed, ExtraMissing
from ragflow.masking import mask
from ragflow.model_sections import ModelEntry, OnFailure
from ragflow.models import litellm_client, litellm_vectors, pieces, prices
from ragflow.models.accounts import Account
from ragflow.models.calls import Failure
from ragflow.models.failures import CallFailed, pause, rule
from ragflow.models.litellm_vectors import Fetched, VectorRequest
from ragflow.models.prices import Price
from ragflow.models.providers import Place, place
from ragflow.redact import Kind
from ragflow.sections import Embed

NAME = "embed"  # of these calls among the tiers
_FORM = 1  # of a request: part of the key
_LONGEST_WAIT_S = 120.0
_LOAD_S = 600.0
_NO_KEY = "none"  # what a server gets that wants none; litellm would look for one elsewhere
# A text embedded twice is embedded the same: a reply that came late may be asked for again.
_ON = OnFailure(time_out="retry")
_HINTS: dict[Failure, str] = {
    "no_key": "set embed.api_key_env and its variable to a key that this server takes",
    "unknown_model": "correct embed.model or embed.api_base; `ragflow doctor` looks at both",
    "bad_request": "look whether embed.model makes vectors, and lower embed.max_tokens or embed.batch_texts",
    "over_budget": "raise the limit that is named, or wait for the next day (UTC), then run the same command"
    " again: what is embedded is kept",
}


@dataclass(frozen=True, slots=True)
class Sending:
    """What is needed beside the configuration. ``secret`` gives a variable's value, None where unset.

    ``hidden``: what a server that is not on this machine gets no sight of. ``sleep`` waits (None: as long
    as nobody ends it), ``chance`` spreads waits; ``load`` and ``fetch`` as in ``litellm_vectors``: tests
    give others.
    """

    account: Account
    secret: Callable[[str], str | None]
    hidden: tuple[Kind, ...] = ()
    sleep: Callable[[float], object] | None = None
    chance: random.Random = field(default_factory=random.Random)
    load: Callable[[str, float], None] = litellm_vectors.load
    fetch: Callable[[VectorRequest, float], Fetched] = litellm_vectors.fetch


class ConfiguredEmbedder:
    """Satisfies ``indexes.embedding.Embedder``, as far as a server can; see the head of this module.

    Raises ``EmbeddingFailed`` (exit code 4) where the server fails; what must be changed here (a key that
    is not set, the extra) raises as ``ready``. Several threads may embed.
    """

    def __init__(self, section: Embed, sending: Sending) -> None:
        self._section, self._sending = section, sending
        self._place = where(section)
        self._hidden = () if self._place.local else sending.hidden
        self._price = price(section)
        self._width: int | None = section.dimensions
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ConfiguredEmbedder({self._section.model!r}, at={self._place.address!r})"

    @property
    def key(self) -> str:
        """Model, address, dimensions, limit, what is masked, and the form of requests, in plain words.

        The address too: a model's name is no proof that another server holds the same weights.
        """
        section = self._section
        parts = (
            f"litellm-{_FORM}.{pieces.VERSION} {section.model} at {self._place.address}",
            f"{section.dimensions or 'own'} dimensions",
            f"{section.max_tokens} tokens",
            f"without {'+'.join(sorted(self._hidden)) or 'nothing'}",
        )
        return ", ".join(parts)

    @property
    def dimensions(self) -> int:
        """As configured, else as first seen; 0 before anything was: nothing is sent just to see."""
        return self._width or 0

    @property
    def max_tokens(self) -> int:
        """Tokens of a text, by an upper estimate; what is longer is cut before it is sent."""
        return self._section.max_tokens

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return what stands in for tokens: see ``pieces.offsets``."""
        return pieces.offsets(text)

    def embed(self, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        """Return the unit vectors of the texts. Equal texts are sent once; no text, no request.

        ``queries`` makes no difference: the protocol that all servers speak does not know of them.
        """
        del queries
        if not texts:
            return np.empty((0, self._width or 0), np.float32)
        sent = [self.shown(text) for text in texts]
        places = {text: at for at, text in enumerate(dict.fromkeys(sent))}
        batches = list(batched(list(places), self._section.batch_texts, self._section.batch_tokens))
        try:
            vectors = self._all(batches)
        except CallFailed as failed:
            # The chain is cut: what leaves here has been put into words of ours.
            raise self._told(failed) from None
        return vectors[[places[text] for text in sent]]

    def shown(self, text: str) -> str:
        """Return what the server gets of a text: private data masked, then cut. The same text, the same."""
        text = mask([text], self._hidden).texts[0] if self._hidden else text
        # Servers refuse what is empty, and what is blank has no meaning.
        return pieces.cut(text, self.max_tokens) if text.strip() else "."

    def tokens(self, texts: Sequence[str]) -> int:
        """Return an upper estimate of the tokens that are sent for these texts."""
        return sum(prices.count(self.shown(text)) for text in texts)

    def _all(self, batches: Sequence[Sequence[str]]) -> Vectors:
        key = ready(self._section, self._sending.secret)
        deadline = self._sending.account.deadline
        most = _LOAD_S if deadline is None else deadline.left()
        self._sending.load(self._section.model.partition("/")[0], most)
        stopped = threading.Event()
        if len(batches) == 1:
            return self._persist(batches[0], key, stopped)
        pool = ThreadPoolExecutor(min(self._section.parallel, len(batches)))
        try:
            return np.vstack(list(pool.map(lambda batch: self._persist(batch, key, stopped), batches)))
        finally:
            stopped.set()  # whoever waits to ask again need not, where another has given up
            pool.shutdown(cancel_futures=True)

    def _persist(self, batch: Sequence[str], key: str, stopped: threading.Event) -> Vectors:
        ledger, identity = self._sending.account.spending.ledger, self._identity
        dimensions = self._section.dimensions
        if dimensions is not None and ledger.lacks(identity, "dimensions"):
            dimensions = None
        request = VectorRequest(self._section.model, self._place, batch, key, dimensions)
        failures = 0
        while True:
            try:
                return self._once(request)
            except CallFailed as failed:
                if failed.lacks is not None and request.dimensions is not None:
                    ledger.lack(identity, failed.lacks)
                    request = replace(request, dimensions=None)
                elif rule(failed.kind, _ON).tries == "retries" and failures < self._section.retries:
                    failures += 1
                    self._wait(failures, failed, stopped)
                else:
                    raise

    def _wait(self, failures: int, failed: CallFailed, stopped: threading.Event) -> None:
        """Wait before the next try, or give up where that would take too long."""
        seconds = pause(failures, failed.retry_after, self._sending.chance)
        deadline = self._sending.account.deadline
        if seconds > _LONGEST_WAIT_S or (deadline is not None and seconds >= deadline.left()):
            raise failed
        (self._sending.sleep or stopped.wait)(seconds)
        if stopped.is_set():
            raise failed

    def _once(self, request: VectorRequest) -> Vectors:
        account, deadline = self._sending.account, self._sending.account.deadline
        seconds = self._section.timeout if deadline is None else min(self._section.timeout, deadline.left())
        if seconds <= 0:
            raise CallFailed("time_out", "the time for the question is over")
        tokens = sum(map(prices.count, request.texts))
        worst = self._nano(tokens)
        held = account.spending.hold(worst, tier=NAME, tier_usd=None)
        billed = worst  # whatever ends this early, Ctrl-C too
        try:
            fetched = self._sending.fetch(request, seconds)
            tokens = tokens if fetched.tokens is None else fetched.tokens
            billed = self._nano(tokens)
        except CallFailed as failed:
            billed = worst if failed.may_be_billed else 0
            tokens = tokens if failed.may_be_billed else 0
            raise
        finally:
            account.spending.settle(held, billed)
            account.add(texts=len(request.texts), tokens=tokens, nano=billed)
        return self._checked(fetched.vectors)

    def _checked(self, vectors: Vectors) -> Vectors:
        """Return vectors of the expected length; the first ones say what is expected, else the key does."""
        width = vectors.shape[1]
        with self._lock:
            expected = self._width = self._width or width
        if width == expected:
            return vectors
        asked = self._section.dimensions
        before = "embed.dimensions says" if asked else "it gave"
        raise EmbeddingFailed(
            f"{self._section.model} gives {width:,} numbers for a text where {before} {expected:,}:"
            " nothing of it is stored",
            hint=f"write what this model gives: embed.dimensions: {width}" if asked else changed_hint(width),
        )

    def _nano(self, tokens: int) -> int:
        return self._price.nano(tokens, 0) if self._price else 0

    @property
    def _identity(self) -> str:
        return f"{self._section.model} at {self._place.address} for vectors"

    def _told(self, failed: CallFailed) -> Exception:
        if failed.kind == "not_installed":
            return ExtraMissing(failed.detail.partition(":")[0], hint=litellm_client.INSTALL)
        left = failed.retry_after or 0.0
        asked = f", and it asks to be left alone for {left:.0f} s" if left > 1 else ""
        return EmbeddingFailed(
            f"no vectors from {self._section.model}: {failed.detail}{asked}", hint=_HINTS.get(failed.kind, "")
        )


def changed_hint(width: int) -> str:
    """Say what to do where a server gives vectors of another length than before."""
    return (
        "ask who runs the server which model it serves now; to embed everything anew with that one,"
        f" write embed.dimensions: {width} and run `ragflow index`"
    )


def where(section: Embed) -> Place:
    """Return where the model is. Raises ``ConfigError``: nobody can tell, or it was never tried."""
    name, slash, rest = section.model.partition("/")
    if slash and name not in litellm_vectors.WAYS:
        known = ", ".join(litellm_vectors.WAYS)
        raise ConfigError(
            f"embed.model: {name} is no provider whose vectors can be used here ({known})",
            hint=f"where it speaks OpenAI's protocol, write openai/{rest} and its address as embed.api_base",
        )
    try:
        return place(entry_of(section))
    except CallFailed as failed:
        hint = "docs/models.md names the providers and their addresses"
        raise ConfigError(f"embed.model: {failed.detail}", hint=hint) from None


def price(section: Embed) -> Price | None:
    """Return what a million tokens cost: as configured, 0 on this machine, as litellm's list has it."""
    return prices.price(entry_of(section))


def ready(section: Embed, secret: Callable[[str], str | None]) -> str:
    """Return the key that is sent.

    Raises:
        ConfigError: its variable is not set, or holds what no key is.
        ExtraMissing: the extra ``llm`` is not installed.
    """
    if not litellm_client.installed():
        raise ExtraMissing(
            "embed.engine litellm needs the extra llm, which is not installed", hint=litellm_client.INSTALL
        )
    variable = section.api_key_env
    if variable is None:
        return _NO_KEY
    key = (secret(variable) or "").strip()
    if not key:
        raise ConfigError(f"{variable} is not set: embed.api_key_env names it", hint=f"export {variable}=...")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"{variable} holds characters that no key has", hint=f"export {variable}=...")
    return key


def entry_of(section: Embed) -> ModelEntry:
    """Return the model as an entry of a tier would name it."""
    cost = section.usd_per_million_tokens
    return ModelEntry(
        model=section.model,
        api_base=section.api_base,
        api_key_env=section.api_key_env,
        timeout=section.timeout,
        usd_per_million=None if cost is None else (cost, 0.0),
    )


def batched(texts: Sequence[str], most_texts: int, most_tokens: int) -> Iterator[list[str]]:
    """Give the texts in order, in lists within both limits; a text that is longer than one is alone."""
    batch: list[str] = []
    tokens = 0
    for text in texts:
        size = prices.count(text)
        if batch and (len(batch) >= most_texts or tokens + size > most_tokens):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += size
    if batch:
        yield batch
