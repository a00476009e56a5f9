"""The values that pass between the steps of ``ask``, and the parts that make them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from evals.entailment import Entailment
from evals.grounding import Finding
from indexes.query import Found, Hit, Index
from ragflow.answers import Reason, Rejected
from ragflow.cite import Proposed
from ragflow.deadlines import Deadline
from ragflow.passages import Scored


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, and of which sources.

    ``text`` is the standalone question. ``actor`` is who acts, ``readers`` are the principals whose rights
    count. ``sources`` are those that were asked for or are configured; ``asked_for``: a person named them,
    so no route may widen or narrow them. ``metadata``: what the caller says of the question, for rules.
    ``tier``: the model tier that was asked for by name; None leaves it to the route. ``warnings``: what is
    to be said of the question in any case.
    """

    text: str
    actor: str
    readers: frozenset[str]
    sources: tuple[str, ...] | None = None
    asked_for: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    tier: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How an answer is made. ``min_confidence`` in [0, 1]: below it the outcome is not_found.

    ``seconds``: how long the whole question may take; a model that is still at work then is given up.
    """

    k: int = 10
    min_confidence: float = 0.5
    explain: bool = False
    seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class SourceScore:
    """How likely a source holds the answer (0 to 1; all readable sources sum to 1), and from what."""

    source: str
    probability: float
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was looked at. ``because`` says why it matched or did not, in a sentence."""

    rule: str
    matched: bool
    because: str


Chosen = Literal["asked", "rule", "scores", "model", "all", "small_talk", "empty", "off_topic"]


@dataclass(frozen=True, slots=True)
class Routed:
    """Where a question goes.

    ``sources`` are searched, in the configured order; None: all that may be read. ``by`` is what decided,
    ``because`` says it in a sentence. ``rule`` is the name of the rule that decided, else None. ``reason``
    is set where the question goes nowhere: it is refused without a search. ``scores`` best first; empty
    where a rule decided. ``tried`` are the rules in order, up to the one that matched. ``cost_usd``,
    ``tokens``: what a model took that broke a tie.
    """

    sources: tuple[str, ...] | None
    by: Chosen
    because: str
    rule: str | None = None
    workflow: str = "answer"
    prompt: str | None = None
    tier: str | None = None
    reason: Reason | None = None
    scores: tuple[SourceScore, ...] = ()
    tried: tuple[Tried, ...] = ()
    cost_usd: float = 0.0
    tokens: int = 0


class Router(Protocol):
    """Sends a question to sources, a workflow, a prompt and a tier.

    Laws:

    - only what the asker may read counts: a hidden document, or a source that holds nothing else, changes
      nothing of what is returned;
    - the same question, index and configuration give the same route, unless a model breaks the tie;
    - no text of a document chooses a workflow, a prompt or a tier.
    """

    def route(self, question: Question, deadline: Deadline) -> Routed: ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the hits are worth for the question, before anything is said.

    ``confidence`` (0 to 1): the calibrated probability that they answer it; ``features``: what it was
    computed from. ``ranked``: the sentences that may answer it, best first. ``missing``: parts of the
    question, word for word, that nothing found speaks of.
    """

    confidence: float
    features: Mapping[str, float] = field(default_factory=dict)
    ranked: tuple[Scored, ...] = ()
    missing: tuple[str, ...] = ()


class Weigher(Protocol):
    """Weighs hits. The same question and hits give the same evidence, and nothing else is used."""

    def weigh(self, question: str, found: Found) -> Evidence: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answerer proposes.

    The quotes of ``claims`` count their passage from 0 in ``passages``. ``missing``: parts of the question
    that it leaves open. ``model`` None: no model took part. ``tokens_out``: those of
    ``tokens`` that it wrote.
    """

    claims: tuple[Proposed, ...]
    passages: tuple[Hit, ...]
    missing: tuple[str, ...] = ()
    model: str | None = None
    prompt: str | None = None
    prompt_digest: str | None = None
    cost_usd: float = 0.0
    tokens: int = 0
    tokens_out: int = 0
    warnings: tuple[str, ...] = ()


class NoDraft(Exception):
    """An answerer has nothing to propose: its model failed. ``kind`` is of few words, for counting.

    ``skip_models``: no further model is to be asked. What it cost all the same is in the other fields.
    """

    def __init__(
        self, kind: str, detail: str, *, skip_models: bool = False, cost_usd: float = 0.0, tokens: int = 0
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail, self.skip_models = kind, detail, skip_models
        self.cost_usd, self.tokens = cost_usd, tokens


class Answerer(Protocol):
    """Proposes claims.

    Laws:

    - every claim quotes at least one passage of the draft, which is a hit or a hit made longer;
    - nothing but the question, the hits and the texts of their documents is used.

    ``name`` is the model's, None where none is asked. With ``rejected`` it is asked once more, and told
    what was wrong; only a model is. Raises ``NoDraft``.
    """

    name: str | None

    def draft(
        self,
        question: str,
        found: Found,
        evidence: Evidence,
        *,
        rejected: Sequence[Rejected] = (),
        deadline: Deadline,
    ) -> Draft: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The claims that were proven, every quote with its place, and those that were dropped."""

    claims: tuple[Proposed, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """A question that was looked at. ``blocked``: why it is not answered, else None."""

    blocked: str | None = None
    warnings: tuple[str, ...] = ()


class Guard(Protocol):
    """Looks at what comes in, what was found, and what goes out. Pure: the same in, the same out."""

    def question(self, text: str) -> Inspected: ...

    def passages(self, found: Found) -> Found:
        """Return what may be used of what was found."""

    def claim(self, claim: Proposed, passages: Sequence[Hit]) -> tuple[Finding, ...]:
        """Return what speaks against showing a claim: a link, an image, a secret that is not cited."""


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who drafts, in the order in which they are asked, with what and for which tier."""

    answerers: tuple[Answerer, ...]
    tier: str | None = None
    prompt: str | None = None
    prompt_digest: str | None = None


class Casting(Protocol):
    """Chooses who drafts for a route."""

    def lineup(self, question: Question, routed: Routed) -> Lineup: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Who does what in ``ask``. ``entailment`` None: claims are checked without a model.

    ``timer`` gives the deadline of a question from the seconds that it may take.
    """

    index: Index
    guard: Guard
    router: Router
    weigher: Weigher
    casting: Casting
    entailment: Entailment | None = None
    timer: Callable[[float], Deadline] = Deadline
