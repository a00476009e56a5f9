"""The sections of ``ragflow.yaml`` as values: their keys, defaults and ranges.

Only what this version can do is here; a key of anything else is unknown. Read by ``ragflow.config``.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ragflow.cross_encoder_sections import Entails, Reranks
from ragflow.index_section import Index
from ragflow.model_sections import Budget, Guards, Tier
from ragflow.route_sections import RouterSection, RouteRule
from ragflow.section import Reader, Section, Share, SourceName, Text
from ragflow.source_sections import Outbound, Source

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

    onnx: ``model`` is a known name, or a folder with a BERT-family checkpoint. sentence-transformers: a
    known name, a folder of any model, or a name on the hub; ``device`` is torch's name of one.
    """

    engine: Literal["onnx", "sentence-transformers"] = "onnx"
    model: Text = "all-MiniLM-L6-v2"
    precision: Literal["fp32", "int8"] = "fp32"
    device: Text | None = None

    @model_validator(mode="after")
    def _transformers_keys(self) -> Self:
        if self.device is not None and not _DEVICE.fullmatch(self.device):
            raise ValueError(f'device must be cpu, cuda, cuda:1 (and so on) or mps, not "{self.device}"')
        if self.device is not None and self.engine != "sentence-transformers":
            raise ValueError(f"device is for engine sentence-transformers alone, not for {self.engine}")
        if self.precision != "fp32" and self.engine == "sentence-transformers":
            raise ValueError("precision int8 is for engine onnx alone; sentence-transformers takes fp32")
        return self


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
    """How long runs are kept (days) and what is blanked before they are written."""

    keep_days: Annotated[int, Field(ge=1)] = 365
    redact: tuple[Literal["secret", "personal"], ...] = ("secret",)


class Database(Section):
    """Null: ``.ragflow/store.sqlite``."""

    url: None = None


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
