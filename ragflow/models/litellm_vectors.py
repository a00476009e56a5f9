"""One request for the vectors of some texts through litellm, as ``litellm_client`` asks for a completion.

Only providers that were tried are here, and each is reached by the way that litellm has for its vectors,
which is not always the one of its completions.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from indexes.embedding import Vectors
from ragflow.models import litellm_client, outcomes
from ragflow.models.failures import CallFailed
from ragflow.models.providers import PROVIDERS, Place

if TYPE_CHECKING:
    from ragflow.models.wire import Watch

WAYS: Mapping[str, Literal["session", "handler"]] = {
    "openai": "session",
    "mistral": "session",
    "together_ai": "session",
    "openrouter": "handler",
    "hosted_vllm": "handler",
    "lm_studio": "handler",
    "llamafile": "handler",
}
"""The providers whose vectors can be had, and which client of litellm's sends."""

_WANTED = "list of vectors"
_BYTES_OF_TEXT = 250_000  # of a reply: 8,192 numbers of thirty characters
_BYTES_BESIDE = 100_000


@dataclass(frozen=True, slots=True)
class VectorRequest:
    """What is sent. ``dimensions`` None: the model's own. ``key`` is never empty, see ``Request``."""

    model: str
    place: Place
    texts: Sequence[str]
    key: str = field(repr=False)
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Unit vectors in the order of the texts. ``tokens`` None: the server does not tell."""

    vectors: Vectors
    tokens: int | None


def load(provider: str, seconds: float) -> None:
    """Get ready to ask a provider for vectors: see ``litellm_client.prepare``."""
    litellm_client.prepare(f"{provider} vectors", seconds, lambda: _rehearse(provider))


def fetch(request: VectorRequest, seconds: float) -> Fetched:
    """Return the vectors, or raise ``CallFailed`` after ``seconds`` and a fraction at the latest.

    Raises:
        CallFailed: ``garbage`` where there is not one vector for each text, all as long as the first, of
            finite numbers that are not all 0; the others as ``litellm_client.complete``.
    """
    ends = time.monotonic() + seconds
    late = outcomes.late(seconds)
    return litellm_client.within(
        seconds + litellm_client.GRACE, lambda: _fetched(request, ends), late, daemon=True
    )


def _rehearse(provider: str) -> None:
    litellm_client.library()
    from ragflow.models import wire

    where = Place(PROVIDERS[provider], wire.REHEARSAL, local=False)
    # That it fails is no matter: what fails here fails again, and is told, when the model is asked.
    with suppress(CallFailed):
        ends = time.monotonic() + litellm_client.LONGEST_REHEARSAL_S
        _fetched(VectorRequest(f"{provider}/any", where, ("?",), "none"), ends)


def _fetched(request: VectorRequest, ends: float) -> Fetched:
    litellm = litellm_client.library()
    from ragflow.models import wire

    seconds = max(0.001, ends - time.monotonic())
    most = _BYTES_BESIDE + _BYTES_OF_TEXT * len(request.texts)
    call = wire.Watch(request.place.address, ends, most)
    wire.watch(call)
    provider = request.model.partition("/")[0]
    try:
        reply = litellm.embedding(
            model=request.model,
            api_base=request.place.address,
            api_key=request.key,
            input=list(request.texts),
            timeout=seconds,
            max_retries=0,
            num_retries=0,
            drop_params=False,
            allowed_openai_params=["dimensions", "encoding_format"],
            **({} if request.dimensions is None else {"dimensions": request.dimensions}),
            # One of its clients asks for base64 otherwise, which not every server writes.
            **(
                {"client": litellm_client.handler()}
                if WAYS[provider] == "handler"
                else {"encoding_format": "float"}
            ),
        )
        return Fetched(_vectors(reply, len(request.texts)), _tokens(reply))
    except CallFailed:
        raise
    except Exception as error:  # noqa: BLE001 - litellm raises whatever it met; each becomes a kind
        # The chain is cut: messages of these libraries quote headers, and so keys.
        raise _outcome(error, call, seconds, request) from None


def _outcome(error: Exception, call: "Watch", seconds: float, request: VectorRequest) -> CallFailed:
    found = outcomes.outcome(error, call, seconds, wanted=_WANTED)
    if found.kind == "bad_request":
        said = outcomes.words_of(call)
        takes_none = (
            "dimensions" in said or "matryoshka" in said or "UnsupportedParams" in type(error).__name__
        )
        if takes_none and request.dimensions is not None:
            return CallFailed("bad_request", "it takes no dimensions", lacks="dimensions")
        if any(word in said for word in ("too long", "maximum context", "too many tokens", "max_tokens")):
            return CallFailed("bad_request", f"{found.detail}: a text has more tokens than it takes")
    return found


def _vectors(reply: Any, count: int) -> Vectors:
    """Return the reply's vectors, each of length 1, by their numbers where they bear any."""
    rows = [one if isinstance(one, dict) else one.model_dump() for one in reply.data or ()]
    if len(rows) != count:
        raise _wrong(f"{len(rows)} vectors came for {count} texts")
    numbers = [row.get("index") for row in rows]
    if any(number is not None for number in numbers):
        if set(numbers) != set(range(count)):
            raise _wrong("the vectors are not numbered from 0, each once")
        rows.sort(key=lambda row: int(row["index"]))
    lengths = {len(row["embedding"]) for row in rows}
    if len(lengths) != 1 or lengths == {0}:
        raise _wrong("the vectors differ in length")
    made = np.array([row["embedding"] for row in rows], dtype=np.float64)
    if made.ndim != 2 or not np.isfinite(made).all():
        raise _wrong("a vector holds what is no finite number")
    norms = np.linalg.norm(made, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise _wrong("a vector is all zero, or too large to be measured")
    units: Vectors = (made / norms).astype(np.float32)
    return units


def _wrong(why: str) -> CallFailed:
    return CallFailed("garbage", f"the reply is no {_WANTED}: {why}", may_be_billed=True)


def _tokens(reply: Any) -> int | None:
    usage = getattr(reply, "usage", None)
    told = getattr(usage, "prompt_tokens", None) or getattr(usage, "total_tokens", None)
    return litellm_client.counted(told)
