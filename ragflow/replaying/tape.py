"""A tape: all that one ask took from outside, so that it can be played again without any of it.

What an index, an embedder, a model, the store and the clock gave is on it. What rules, checks and wording
made of that is not: a replay makes it again. See docs/decisions/0028.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evals.cases import Turn
from ragflow.models.calls import Prompt
from ragflow.records import canonical, sha256

SCHEMA = "ragflow.tape/1"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, redacted. Fields as in ``Question`` and ``AskOptions``.

    ``sources``: those that were asked for; None where the route chooses. ``turns``: of the thread, oldest
    first; None where the question follows none.
    """

    question: str
    warnings: tuple[str, ...]
    actor: str
    readers: tuple[str, ...]
    sources: tuple[str, ...] | None = None
    tier: str | None = None
    fallback: bool = True
    explain: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    thread: str | None = None
    turns: tuple[Turn, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the part ``asked`` of a tape."""
        return {
            "question": self.question,
            "warnings": list(self.warnings),
            "actor": self.actor,
            "readers": list(self.readers),
            "sources": None if self.sources is None else list(self.sources),
            "tier": self.tier,
            "fallback": self.fallback,
            "explain": self.explain,
            "metadata": dict(self.metadata),
            "thread": self.thread,
            "turns": None if self.turns is None else [[turn.role, turn.text] for turn in self.turns],
        }

    @classmethod
    def from_json(cls, shown: Json) -> "Asked":
        """Return what ``to_json`` was made of."""
        fields = dict(shown)
        for name in ("warnings", "readers", "sources"):
            fields[name] = None if fields[name] is None else tuple(fields[name])
        if fields["turns"] is not None:
            fields["turns"] = tuple(Turn(role, text) for role, text in fields["turns"])
        return cls(**fields)


@dataclass(slots=True)
class Tape:
    """What was taken, in the order in which it was; filled while the question is asked.

    ``readable``: the sources in which the asker could read anything, None where nobody looked. ``scores``:
    ``[scores, off topic]``. ``searches``: query and what it found. ``evidence``: the weighed chunks and the
    evidence. ``texts`` by revision, ``anchors`` by ``document@revision``. ``tiers``: why one could not be
    opened. ``calls``: model, prompt, and reply or failure. ``inferences``: premise, hypothesis, scores.
    ``over``: whether the time was over, each time that it mattered.
    """

    asked: Asked
    created: str = ""
    readable: list[str] | None = None
    scores: list[Any] | None = None
    searches: list[Json] = field(default_factory=list)
    evidence: Json | None = None
    texts: dict[str, str] = field(default_factory=dict)
    anchors: dict[str, list[list[Any]]] = field(default_factory=dict)
    tiers: dict[str, Json] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)
    inferences: list[list[Any]] = field(default_factory=list)
    over: list[bool] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.tape/1``; what it does not hold is left out."""
        shown = {name: getattr(self, name) for name in _FIELDS}
        kept = {name: value for name, value in shown.items() if value not in (None, [], {})}
        return {"schema": SCHEMA, "asked": self.asked.to_json(), "created": self.created, **kept}

    @classmethod
    def from_json(cls, shown: Json) -> "Tape":
        """Read a tape. Raises ``KeyError``, ``TypeError`` or ``ValueError`` where it is none."""
        if shown["schema"] != SCHEMA:
            raise ValueError(f"{shown['schema']} is no {SCHEMA}")
        kept = {name: shown[name] for name in _FIELDS if name in shown}
        return cls(asked=Asked.from_json(shown["asked"]), created=shown["created"], **kept)


_FIELDS = (
    "readable", "scores", "searches", "evidence", "texts", "anchors", "tiers", "calls", "inferences", "over",
)  # fmt: skip


def packed(shown: Json) -> bytes:
    """Return a tape's bytes: what its digest, ``digest_of_tape``, is taken of."""
    return canonical(shown).encode()


def digest_of_tape(tape: bytes) -> str:
    """Return the SHA-256 of a tape's bytes, 64 hex: the key ``tape`` of its run's record."""
    return hashlib.sha256(tape).hexdigest()


def prompt_digest(prompt: Prompt) -> str:
    """Return the SHA-256 of exactly what a model is asked."""
    return sha256([prompt.name, *([message.role, message.content] for message in prompt.messages)])


def documents(shown: Json) -> frozenset[str]:
    """Return the documents that a tape holds anything of."""
    found: set[str] = set()
    for search in shown.get("searches", ()):
        for hit in search["found"]["hits"]:
            found.add(hit["document"])
            found.update(chunk.rpartition("@")[0] for chunk in hit.get("also", ()))
    found.update(name.rpartition("@")[0] for name in shown.get("anchors", ()))
    return frozenset(found)


def speaks_of(tape: bytes, names: Iterable[bytes]) -> bool:
    """Tell whether a tape's bytes name one of the documents; ``names`` as ``spelled`` gives them."""
    return any(name in tape for name in names)


def spelled(document: str) -> Sequence[bytes]:
    """Return how a document is named in a tape's bytes: alone, or as the beginning of a chunk's id."""
    opened = canonical(document)[:-1].encode()
    return (opened + b'"', opened + b"@")
