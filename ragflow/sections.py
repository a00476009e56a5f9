"""The sections of ``ragflow.yaml`` as values: their keys, defaults and ranges.

Only what this version can do is here; a key of anything else is unknown. Read by ``ragflow.config``.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ragflow.approval_sections import Approval, Notify
from ragflow.cross_encoder_sections import Entails, Reranks
from ragflow.index_section import Index
from ragflow.model_sections import Budget, Guards, Tier
from ragflow.route_sections import RouterSection, RouteRule
from ragflow.section import Reader, Section, Share, SourceName, Text
from ragflow.source_sections import Outbound, Source
from ragflow.tool_sections import Tool
from ragflow.workflow_sections import Database, Telemetry

_DEVICE = re.compile(r"cpu|mps|cuda(:\d+)?", re.ASCII)


class Identity(Section):
    """Who a login is (``principals``), may stand in for others, or may see the runs of others.

    ``groups``: a file of lines ``group,user``; it is read by every command, see ``ragflow.groups``.
    """

    principals: dict[str, tuple[Reader, ...]] = Field(default_factory=dict)
    impersonate: tuple[Text, ...] = ()
    auditors: tuple[Text, ...] = ()
    groups: Text | None = None


class Parse(Section):
    """Limits of one parsing process: seconds, megabytes; whether pictures are read.

    ``hidden_text``: what a person who opens the file would not see is left out, or kept and flagged.
    """

    timeout: Annotated[float, Field(gt=0)] = 60
    memory_mb: Annotated[int, Field(ge=128)] = 1024
    ocr: Literal["auto", "off"] = "auto"
    hidden_text: Literal["drop", "flag"] = "drop"


class Chunk(Section):
    """How documents are cut, in tokens of the embedder; mode document is one chunk each."""

    mode: Literal["structure", "document"] = "structure"
    tokens: Annotated[int, Field(ge=16, le=8192)] = 200
    overlap: Annotated[int, Field(ge=0)] = 40

    @model_validator(mode="after")
    def _overlap_is_smaller(self) -> Self:
        if self.overlap >= self.tokens:
            raise ValueError(f"overlap ({self.overlap}) must be smaller than tokens ({self.tokens})")
        return self


class Embed(Section):
    """Which model makes vectors, and what computes them.

    ``engine`` onnx: ``model`` is a known name, or a folder with a BERT-family checkpoint.
    sentence-transformers: a known name, a folder of any model, or a name on the hub; ``device`` is torch's
    name of one. litellm: one behind an API, ``model`` as litellm names it (``openai/NAME``); see
    ``model_sections.ModelEntry`` and ``Tier`` for the keys that have the same names there.
    ``dimensions``: what is asked for and expected; null: whatever the model gives. ``max_tokens``: of a
    text, longer ones are cut. ``batch_texts``, ``batch_tokens``: of one request; ``parallel``: requests
    at once. ``usd_per_million_tokens``: the price, where litellm does not know it.
    """

    engine: Literal[
        "onnx",
        "sentence-transformers",
        "litellm",
    ] = "onnx"
    model: Text = "all-MiniLM-L6-v2"
    precision: Literal["fp32", "int8"] = "fp32"
    # of sentence-transformers
    device: Text | None = None
    # of litellm
    api_base: Text | None = None
    api_key_env: Text | None = None
    dimensions: Annotated[int, Field(ge=1, le=65_536)] | None = None
    max_tokens: Annotated[int, Field(ge=16, le=1_000_000)] = 8191
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    usd_per_million_tokens: Annotated[float, Field(ge=0)] | None = None
    batch_texts: Annotated[int, Field(ge=1, le=2048)] = 16
    batch_tokens: Annotated[int, Field(ge=16, le=1_000_000)] = 100_000
    parallel: Annotated[int, Field(ge=1, le=32)] = 4

    @model_validator(mode="after")
    def _keys_are_of_its_engine(self) -> Self:
        """A key of another engine is refused, unless it says what it says by default."""
        for engine, keys in ENGINE_KEYS.items():
            changed = [key for key in keys if getattr(self, key) != type(self).model_fields[key].default]
            if changed and self.engine != engine:
                raise ValueError(f"{changed[0]} is a key of engine {engine}, and engine is {self.engine}")
        if self.device is not None and not _DEVICE.fullmatch(self.device):
            raise ValueError(f'device must be cpu, cuda, cuda:1 (and so on) or mps, not "{self.device}"')
        if self.engine == "litellm" and "model" not in self.model_fields_set:
            raise ValueError("engine litellm needs a model, such as openai/text-embedding-3-small")
        return self

    def own(self) -> dict[str, Any]:
        """Return the keys that mean something to the engine, as a plain object."""
        others = {key for engine, keys in ENGINE_KEYS.items() if self.engine != engine for key in keys}
        return self.model_dump(mode="json", exclude=others)


ENGINE_KEYS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("precision",),
    "sentence-transformers": ("device",),
    "litellm": (
        "api_base", "api_key_env", "dimensions", "max_tokens", "timeout", "retries",
        "usd_per_million_tokens", "batch_texts", "batch_tokens", "parallel",
    ),
}  # fmt: skip
"""The keys of ``embed`` that only one engine knows."""


class Search(Section):
    """How hits are found and scored; a change needs no new index."""

    k: Annotated[int, Field(ge=1, le=1000)] = 10
    candidates: Annotated[int, Field(ge=1, le=10_000)] = 100
    dense_weight: Share = 0.5
    title_boost: Annotated[float, Field(ge=0)] = 2
    heading_boost: Annotated[float, Field(ge=0)] = 2
    k1: Annotated[float, Field(ge=0)] = 1.2
    b: Share = 0.75
    rerank: Reranks = None


class Answer(Section):
    """When an answer is given (``tier`` null: extractive), how long it may be and take (seconds).

    ``entailment``: the model that a claim must follow its quotes by, after every other check.
    """

    tier: Text | None = None
    min_confidence: Share = 0.5
    max_claims: Annotated[int, Field(ge=1, le=50)] = 6
    timeout: Annotated[float, Field(gt=0, le=3600)] = 120
    entailment: Entails = None


class Runs(Section):
    """How long runs are kept (days) and what is blanked in a question before anything sees it."""

    keep_days: Annotated[int, Field(ge=1)] = 365
    redact: tuple[Literal["secret", "personal"], ...] = ("secret",)


class OnInconclusive(Section):
    """What becomes of a new generation of which the questions cannot tell: promote it, or hold it.

    ``configuration``: another chunking, model, analyser or parser made it; ``content``: only documents.
    """

    content: Literal["promote", "hold"] = "promote"
    configuration: Literal["promote", "hold"] = "hold"


class Gate(Section):
    """A rule of ``index --gate``: on this data set the metric may not become worse by more than the margin.

    ``dataset``: a question file or a BEIR folder. ``margin`` in the metric's own unit.
    """

    dataset: Text
    metric: Text = "nDCG@10"
    margin: Annotated[float, Field(ge=0)] = 0.05
    min_questions: Annotated[int, Field(ge=1)] = 30
    on_inconclusive: OnInconclusive = OnInconclusive()


class Settings(Section):
    """The whole file."""

    version: Literal[1] = 1
    sources: Annotated[dict[SourceName, Source], Field(min_length=1)]
    outbound: Outbound = Outbound()
    identity: Identity = Identity()
    parse: Parse = Parse()
    chunk: Chunk = Chunk()
    embed: Embed = Embed()
    search: Search = Search()
    index: Index = Index()
    answer: Answer = Answer()
    runs: Runs = Runs()
    database: Database = Database()
    gates: tuple[Gate, ...] = ()
    routes: tuple[RouteRule, ...] = ()
    router: RouterSection = RouterSection()
    models: dict[SourceName, Tier] = Field(default_factory=dict)
    budget: Budget = Budget()
    guards: Guards = Guards()
    workflows: tuple[Text, ...] = ()
    tools: dict[SourceName, Tool] = Field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    notify: tuple[Notify, ...] = ()
    telemetry: Telemetry = Telemetry()
