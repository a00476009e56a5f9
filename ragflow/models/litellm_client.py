"""One question to one model through litellm. The only module that imports it, when the first call is made.

litellm is asked for nothing but the shapes of requests and replies: it neither retries, nor looks keys or
addresses up, nor counts, nor logs. What failed is told from what passed over the line (``wire``), because
litellm's own errors say less: a refused connection arrives there as a server's error 500.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, TypeVar

from ragflow.models import outcomes
from ragflow.models.calls import Message
from ragflow.models.failures import CallFailed
from ragflow.models.providers import PROVIDERS, Place

INSTALL = 'pip install "ragflow[llm]"'
# The limits of the wire hold a little later than they say; what is beyond this is given up.
GRACE = 0.3
LONGEST_REHEARSAL_S = 600.0
_loaded = threading.Event()
_rehearsed: set[str] = set()
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``schema`` None: the shape of the reply is not told by a parameter.

    ``key`` is never empty: litellm would look one up in the environment.
    """

    model: str
    place: Place
    messages: Sequence[Message]
    max_tokens: int
    temperature: float | None
    key: str = field(repr=False)
    schema: Mapping[str, Any] | None = None
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's reply. ``finish``: why it ended. Tokens are None where the server does not tell."""

    text: str
    finish: str
    declined: bool
    tokens_in: int | None
    tokens_out: int | None


def installed() -> bool:
    """Tell whether the extra is there."""
    return find_spec("litellm") is not None


def load(provider: str, seconds: float) -> None:
    """Get ready to ask a provider's models: see ``prepare``."""
    prepare(provider, seconds, lambda: _rehearse(provider))


def prepare(name: str, seconds: float, rehearse: Callable[[], None]) -> None:
    """Rehearse what has this name once, so that a reply's own time does not begin before.

    litellm imports for seconds on a slow machine, and goes on when it is first used: so one reply is
    rehearsed, which reaches no network. This is waited for when the process ends: a thread that is
    stopped within an import leaves a lock behind that the interpreter's end may wait for, without end.

    Raises:
        CallFailed: ``not_installed``; ``time_out`` where it takes longer than ``seconds``.
    """
    if not installed():
        raise CallFailed("not_installed", f"the extra llm is not installed: {INSTALL}")
    if name not in _rehearsed:
        late = CallFailed("time_out", "litellm was not imported in time")
        within(seconds, rehearse, late, daemon=False)
        _rehearsed.add(name)


def complete(request: Request, seconds: float) -> Completion:
    """Return the model's reply, or raise ``CallFailed`` after ``seconds`` and a fraction at the latest.

    A server that drips its headers, or a name that does not resolve, keeps a thread for longer than any
    limit of the client's. It is then left behind, and does not keep the process alive.
    """
    ends = time.monotonic() + seconds
    late = outcomes.late(seconds)
    return within(seconds + GRACE, lambda: _completed(request, ends), late, daemon=True)


def within(seconds: float, work: Callable[[], Result], late: CallFailed, *, daemon: bool) -> Result:
    """Return what ``work`` returns in a thread of its own, or raise ``late``."""
    given: queue.SimpleQueue[tuple[Result] | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            given.put((work(),))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            given.put(error)

    threading.Thread(target=run, name="language model", daemon=daemon).start()
    try:
        result = given.get(timeout=seconds)
    except queue.Empty:
        raise late from None
    if isinstance(result, BaseException):
        raise result
    return result[0]


def _rehearse(provider: str) -> None:
    library()
    from ragflow.models import wire

    where = Place(PROVIDERS[provider], wire.REHEARSAL, local=False)
    told = Request(f"{provider}/any", where, (Message("user", "?"),), 1, 0.0, "none", {"type": "object"})
    # That it fails is no matter: what fails here fails again, and is told, when the model is asked.
    with suppress(CallFailed):
        _completed(told, time.monotonic() + LONGEST_REHEARSAL_S)


def _completed(request: Request, ends: float) -> Completion:
    litellm = library()
    from ragflow.models import wire

    seconds = max(0.001, ends - time.monotonic())
    call = wire.Watch(request.place.address, ends)
    wire.watch(call)
    by_handler = request.place.provider.way == "handler"
    try:
        reply = litellm.completion(
            model=request.model,
            api_base=request.place.address,
            api_key=request.key,
            messages=[{"role": one.role, "content": one.content} for one in request.messages],
            max_tokens=request.max_tokens,
            timeout=seconds,
            max_retries=0,
            num_retries=0,
            drop_params=False,
            **_optional(request),
            **({"client": handler()} if by_handler else {}),
        )
        return _read(reply)
    except CallFailed:
        raise
    except Exception as error:  # noqa: BLE001 - litellm raises whatever it met; each becomes a kind
        # The chain is cut: messages of these libraries quote headers, and so keys.
        raise outcomes.outcome(error, call, seconds) from None


def library() -> Any:
    """Return litellm, imported and quiet. Raises ``CallFailed``: ``not_installed``."""
    # Read at import: without them it fetches its prices, and puts a .env file into the environment.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    try:
        import litellm

        from ragflow.models import wire
    except ImportError as error:
        detail = f"litellm cannot be imported ({error.name or 'a part of it'}): {INSTALL}"
        raise CallFailed("not_installed", detail) from error
    if not _loaded.is_set():
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs what was asked
        litellm.suppress_debug_info = True
        litellm.telemetry = False
        litellm.disable_token_counter = True  # for some models' names it would fetch a tokenizer
        litellm.disable_hf_tokenizer_download = True
        litellm.use_litellm_proxy = False
        litellm.client_session = wire.session()
        litellm.DEFAULT_MAX_RETRIES = 0  # its way to vectors takes a 0 that was asked for as not asked
        _loaded.set()
    return litellm


def handler() -> Any:
    """Return the client that litellm's own handlers send with: ours."""
    from litellm.llms.custom_httpx.http_handler import HTTPHandler

    from ragflow.models import wire

    return HTTPHandler(client=wire.session())


def _optional(request: Request) -> dict[str, Any]:
    optional: dict[str, Any] = {}
    if request.temperature is not None:
        optional["temperature"] = request.temperature
    if request.schema is not None:
        shape = {"name": request.name, "strict": True, "schema": request.schema}
        optional["response_format"] = {"type": "json_schema", "json_schema": shape}
    return optional


def _read(reply: Any) -> Completion:
    try:
        choice = reply.choices[0]
        message = choice.message
        text = message.content
    except (AttributeError, IndexError, TypeError, KeyError) as error:
        raise CallFailed("garbage", "the reply is no chat completion", may_be_billed=True) from error
    declined = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
    usage = getattr(reply, "usage", None)
    return Completion(
        text=text if isinstance(text, str) else "",
        finish=str(choice.finish_reason or ""),
        declined=bool(declined),
        tokens_in=counted(getattr(usage, "prompt_tokens", None)),
        tokens_out=counted(getattr(usage, "completion_tokens", None)),
    )


def counted(told: object) -> int | None:
    """Return a count of tokens that a server told, None where it is none."""
    # litellm makes 0 of a count that is not there; no prompt and no reply has none.
    return told if isinstance(told, int) and 0 < told < 1_000_000_000 else None
