"""Four patterns, each a workflow of a page: sequential, router, agent with tools, approval gate."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from support import Ticket, place

from ragflow.errors import OutsideCause
from ragflow.workflows import Flow, Limits, NotApproved, Retry, workflow

LEADS = ("group:leads",)


class Asked(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Annotated[str, Field(min_length=1, max_length=1_000)]


# -- sequential: retrieve, draft, validate, approve, act -------------------------------------------


@workflow("sequential", takes=Asked, seconds=120)
def sequential(flow: Flow, asked: Asked) -> dict[str, Any]:
    """Retrieve, draft, validate, approve, publish a page."""
    found = flow.search(asked.question, k=3)
    page = flow.step("draft", draft, asked.question, found["hits"], timeout=5, fallback=quoted_whole)
    flow.step("validate", stands_in, page["quote"], found["hits"], timeout=5, retry=Retry(times=0))
    try:
        agreed = flow.approve("publish a page", page, approvers=LEADS, expires=timedelta(days=3))
    except NotApproved as no:
        return {"outcome": "not_published", "because": str(no)}
    text = f"# {agreed['title']}\n\n{agreed['quote']}\n\nSource: {agreed['source']}\n"
    written = flow.tool("write_page", path=f"{flow.run}.md", text=text)
    return {"outcome": "published", "page": written}


def draft(question: str, hits: list[dict[str, Any]]) -> dict[str, str]:
    """Take the first paragraph of the best passage that is more than a heading."""
    best = hits[0]
    paragraph = next(part for part in best["text"].split("\n\n") if part.endswith("."))
    return {"title": question, "quote": paragraph, "source": best["document"]}


def quoted_whole(question: str, hits: list[dict[str, Any]]) -> dict[str, str]:
    """The fallback: the whole passage, or nothing where nothing was found."""
    if not hits:
        return {"title": question, "quote": "", "source": ""}
    return {"title": question, "quote": hits[0]["text"], "source": hits[0]["document"]}


def stands_in(quote: str, hits: list[dict[str, Any]]) -> bool:
    """Raise where a quote is empty or stands in no passage: nothing unproven is put before a person."""
    if not quote or not any(quote in hit["text"] for hit in hits):
        raise ValueError("the draft quotes what no passage says")
    return True


# -- router: one of several workflows --------------------------------------------------------------


@workflow("triage", takes=Ticket)
def triage(flow: Flow, ticket: Ticket) -> Any:
    """Send a message to the workflow that its route names."""
    name = flow.route(ticket.message)["route"]["workflow"]
    if name == "support":
        return flow.go("support", ticket.model_dump())
    if name == "researcher":
        return flow.go("researcher", {"question": ticket.message})
    answer = flow.ask(ticket.message)
    return {"outcome": answer["outcome"], "answer": answer["answer"]}


# -- agent with tools ------------------------------------------------------------------------------


@workflow("researcher", takes=Asked, seconds=180)
def researcher(flow: Flow, asked: Asked) -> dict[str, Any]:
    """Let a model look with two tools; without one, quote."""
    ended = flow.agent(
        asked.question,
        role="group:desk",
        tools=["search", "fetch"],
        limits=Limits(steps=6, seconds=60, tokens=8_000, cost_usd=0.05),
    )
    if ended.outcome == "done":
        return {"outcome": "done", "answer": ended.text, "citations": [dict(one) for one in ended.citations]}
    answer = flow.ask(asked.question)  # the fallback: sentences of the documents, and no model
    return {
        "outcome": answer["outcome"],
        "agent": {"outcome": ended.outcome, "limit": ended.limit, "detail": ended.detail},
        "answer": answer["answer"],
        "citations": [{"place": place(one), "quote": one["quote"]} for one in answer["citations"]],
    }


# -- approval gate ---------------------------------------------------------------------------------


class Credit(BaseModel):
    """A customer's wish for a higher credit limit, in euros."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer: Annotated[str, Field(min_length=1, max_length=200)]
    limit: Annotated[int, Field(gt=0, le=100_000)]


@workflow("gatekeeper", takes=Credit)
def gatekeeper(flow: Flow, wish: Credit) -> dict[str, Any]:
    """Raise a credit limit to what a lead agrees to."""
    asked = flow.now()
    try:
        agreed = flow.approve(
            "raise a credit limit",
            wish.model_dump(),
            approvers=LEADS,
            expires=timedelta(days=2),
        )
    except NotApproved as no:
        return {"outcome": "refused", "customer": wish.customer, "because": no.status}
    # What was agreed may have been revised: it is read as strictly as what was asked.
    credit = Credit.model_validate(agreed)
    noted = flow.step(
        "note", note, credit.model_dump(), asked.date().isoformat(), timeout=10,
        retry=Retry(times=2, on=(OutsideCause, OSError), wait=0.2),
    )  # fmt: skip
    return {"outcome": "raised", "customer": credit.customer, "limit": credit.limit, "note": noted}


def note(credit: dict[str, Any], day: str) -> str:
    """Say what is to be entered."""
    return f"{day}: {credit['customer']} up to {credit['limit']} euros"
