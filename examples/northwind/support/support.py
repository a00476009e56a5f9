"""The support desk of Northwind Paper & Post: a question comes in, a cited reply and perhaps a refund go out.

Nothing here asks a model. What may be refunded is decided by the section of the refund rules that the answer
cites; who agrees to it, by ``approvals`` in ragflow.yaml; what the customer reads, by ``draft``.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ragflow.workflows import Flow, NotApproved, Retry, ToolFailed, Unsettled, workflow

POLICY = "desk/refunds.md"
GRANTS, DENIES = "What we refund", "What we do not refund"
MONEY_BACK = re.compile(r"\b(refund\w*|reimburse\w*|money back)\b", re.IGNORECASE)

Answer = dict[str, Any]


class Ticket(BaseModel):
    """What a customer wrote. ``amount``: the price, in euros, of the goods in question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer: Annotated[str, Field(min_length=1, max_length=200)]
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    order: Annotated[str, Field(pattern=r"^[A-Z]{2}-\d{4,8}$")]
    amount: Annotated[float, Field(gt=0, le=10_000)]
    message: Annotated[str, Field(min_length=1, max_length=4_000)]


class Result(BaseModel):
    """What became of a ticket.

    ``outcome``: answered; refunded; declined, where a lead said no; handed_over, where a refund is not
    settled; not_found, where the documents do not say. ``refunded``: euros. ``citations``: document, place
    and quote of each.
    """

    outcome: Literal["answered", "refunded", "declined", "handed_over", "not_found"]
    reply: str
    refunded: float = 0
    citations: list[dict[str, Any]] = []


@workflow("support", takes=Ticket)
def support(flow: Flow, ticket: Ticket) -> dict[str, Any]:
    """Answer a customer; refund what the rules refund."""
    answer = flow.ask(question(ticket.message))
    outcome, refunded = ("answered", 0.0) if answer["citations"] else ("not_found", 0.0)
    if proposes_refund(ticket.message, answer):
        try:
            # A person may have agreed to another amount: the ledger tells which one it was.
            refunded = flow.tool("refund", order=ticket.order, amount=ticket.amount)["amount"]
            outcome = "refunded"
        except NotApproved:
            outcome = "declined"
        except (ToolFailed, Unsettled):
            outcome = "handed_over"  # it may have happened: say nothing of money, a person looks
    reply = flow.step(
        "draft", draft, ticket.model_dump(mode="json"), answer, outcome, refunded,
        timeout=5, retry=Retry(times=1), fallback=handed_over,
    )  # fmt: skip
    flow.tool("send_reply", to=[ticket.email], subject=f"Your order {ticket.order}", text=reply)
    citations = [cited(one) for one in answer["citations"]]
    result = Result(outcome=outcome, reply=reply, refunded=refunded, citations=citations)
    return result.model_dump(mode="json")


def question(message: str) -> str:
    """Return the questions of a message; all of it where it asks none."""
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(message.split()))
    return " ".join(one for one in sentences if one.endswith("?")) or " ".join(sentences)


def proposes_refund(message: str, answer: Answer) -> bool:
    """Tell whether the customer asks for money and the rules, as the answer cites them, grant it.

    The answer must cite what the desk refunds and nothing that it does not refund.
    """
    if answer["outcome"] != "answered" or not MONEY_BACK.search(message):
        return False
    sections = {label for one in answer["citations"] if one["document"] == POLICY for label in headings(one)}
    return GRANTS in sections and DENIES not in sections


def draft(ticket: dict[str, Any], answer: Answer, outcome: str, refunded: float) -> str:
    """Write the reply: what the documents say, sentence by sentence with its source, and what was done."""
    said = [f"{one['text']} {_marks(one['citations'])}" for one in answer["claims"]]
    done = {
        "refunded": f"We have refunded {refunded:.2f} euros for order {ticket['order']}.",
        "answered": "",
        "declined": "We cannot refund this order as it stands. A colleague writes to you about it.",
        "handed_over": "A colleague looks at your refund and writes to you today.",
        "not_found": "A person will look at your message and write to you within one working day.",
    }[outcome]
    sources = [f'[{one["id"]}] {place(one)}\n    "{one["quote"]}"' for one in answer["citations"]]
    parts = [f"Dear {ticket['customer']},", " ".join(said), done, "\n".join(sources), SIGNED]
    return "\n\n".join(part for part in parts if part)


SIGNED = "Support desk\nNorthwind Paper & Post"


def handed_over(ticket: dict[str, Any], *_: object) -> str:
    """Write the reply that needs nothing but the customer's name: the fallback of ``draft``."""
    return f"Dear {ticket['customer']},\n\nA person will look at your message.\n\n{SIGNED}"


def cited(citation: dict[str, Any]) -> dict[str, Any]:
    """Return what a colleague needs in order to check a citation."""
    return {"document": citation["document"], "place": place(citation), "quote": citation["quote"]}


def place(citation: dict[str, Any]) -> str:
    """Say where a citation stands: its headings, its page, else its document."""
    pages = [f"page {one['label']}" for one in citation["anchors"] if one["kind"] == "page"]
    return " > ".join([*headings(citation), *pages]) or citation["document"]


def headings(citation: dict[str, Any]) -> Sequence[str]:
    """Return the headings over a citation, outermost first."""
    return [one["label"] for one in citation["anchors"] if one["kind"] == "heading"]


def _marks(numbers: Sequence[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)
