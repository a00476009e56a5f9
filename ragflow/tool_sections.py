"""The sections of ``ragflow.yaml`` about tools: what may be called, by whom, how often. See docs/tools.md."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ragflow.section import Reader, Section, Text

Shipped = Literal["search", "ask", "fetch", "mail", "webhook", "write_file"]


class HttpAction(Section):
    """One request as data. ``{argument: NAME}`` anywhere in ``query`` or ``body`` stands for an argument.

    ``url`` is fixed: no argument can change where a request goes. ``arguments``: for each its JSON Schema.
    ``body``: sent as JSON. ``headers`` are fixed; ``credential_env`` names the variable whose value goes into
    ``credential_header`` after ``credential_prefix``. ``key_header`` bears the idempotency key.
    ``success``: statuses that mean done; ``expect``: what the JSON that comes back must hold, by dotted path.
    ``ask``: how the tool is asked whether a key was done.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: Text
    arguments: dict[Text, dict[str, Any]] = Field(default_factory=dict)
    query: dict[Text, Any] = Field(default_factory=dict)
    body: Any = None
    headers: dict[Text, Text] = Field(default_factory=dict)
    credential_header: Text = "Authorization"
    credential_prefix: str = "Bearer "
    credential_env: Text | None = None
    key_header: Text | None = None
    success: tuple[int, ...] = (200, 201, 202, 204)
    expect: dict[Text, Any] = Field(default_factory=dict)
    ask: "StateOf | None" = None


class StateOf(Section):
    """How an HTTP tool is asked about an idempotency key: GET ``url`` with the key as ``parameter``.

    A status in ``done`` means that it happened, one in ``not_done`` that it did not; any other tells nothing.
    """

    url: Text
    parameter: Text = "key"
    done: tuple[int, ...] = (200,)
    not_done: tuple[int, ...] = (404,)


class Rate(Section):
    """At most ``calls`` in ``seconds``, counted over all runs of the workspace."""

    calls: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0)] = 60


class ToolBudget(Section):
    """What a tool may take: ``calls`` in one run, and the sum of one numeric ``argument`` a run or a day."""

    calls: Annotated[int, Field(ge=1)] | None = None
    argument: Text | None = None
    run: Annotated[float, Field(ge=0)] | None = None
    day: Annotated[float, Field(ge=0)] | None = None


class Tool(Section):
    """One tool: exactly one of ``python`` (``module:function``), ``http``, ``use`` (a shipped one).

    ``effect``: a write waits for a person where a rule says so, and is done at most once. ``roles``: who may
    call it; nobody where it is empty. ``timeout``: seconds of one try. ``retries``: further tries; of a write
    only where it takes an idempotency key. ``redact``: arguments and fields of the result that no model and
    no record sees. ``settings``: of a shipped tool.
    """

    python: Text | None = None
    http: HttpAction | None = None
    use: Shipped | None = None
    effect: Literal["read", "write"] = "read"
    roles: tuple[Reader, ...] = ()
    timeout: Annotated[float, Field(gt=0, le=3600)] = 20
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    rate: Rate | None = None
    budget: ToolBudget = ToolBudget()
    redact: tuple[Text, ...] = ()
    description: str = ""
    settings: dict[Text, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        named = [name for name in ("python", "http", "use") if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError("a tool is one of python, http, use: name exactly one of them")
        return self
