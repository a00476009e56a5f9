"""Shipped tools that read: search, ask, fetch. They give what the run's own readers may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from ragflow.errors import MAX_QUESTION, RagflowError
from ragflow.section import Section
from ragflow.tools.declared import State
from ragflow.workflows.contracts import Caller, Json, Reading
from ragflow.workflows.errors import ToolFailed

Question = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
What = Literal["search", "ask", "fetch"]


class SearchArguments(BaseModel):
    """What to search for."""

    model_config = ConfigDict(extra="forbid")
    question: Question
    k: Annotated[int, Field(ge=1, le=100, description="how many passages")] | None = None


class AskArguments(BaseModel):
    """What to ask."""

    model_config = ConfigDict(extra="forbid")
    question: Question


class FetchArguments(BaseModel):
    """Which document to read."""

    model_config = ConfigDict(extra="forbid")
    document: Annotated[str, Field(min_length=1, max_length=2000, description="SOURCE/ITEM")]


class NoSettings(Section):
    """These tools have none."""


class NoReading:
    """Stands in for the documents where a tool is looked at and not called."""

    def _none(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the tool is only asked what it takes")

    ask = search = route = fetch = _none


TAKES: Mapping[What, tuple[type[BaseModel], str]] = {
    "search": (SearchArguments, "Search the documents and return passages."),
    "ask": (AskArguments, "Ask the documents and return an answer with its citations."),
    "fetch": (FetchArguments, "Return the text of one document."),
}


@dataclass(frozen=True, slots=True)
class ReadingTool:
    """Satisfies ``declared.Performer``."""

    name: str
    what: What
    reading: Reading
    takes_key: bool = True  # reading twice is reading once
    can_be_asked: bool = False
    lasts: bool = False

    @property
    def takes(self) -> type[BaseModel]:
        return TAKES[self.what][0]

    @property
    def about(self) -> str:
        return TAKES[self.what][1]

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json:  # noqa: ARG002
        given: dict[str, Any] = arguments.model_dump()
        try:
            if self.what == "fetch":
                return dict(self.reading.fetch(given["document"], caller))
            if self.what == "ask":
                return dict(self.reading.ask(given["question"], caller)[0])
            return dict(self.reading.search(given["question"], caller, k=given["k"]))
        except RagflowError as error:
            raise ToolFailed(
                f"the tool {self.name}: {error}", kind="rejected", happened=False, hint=error.hint
            ) from error

    def state(self, arguments: BaseModel, key: str) -> State:  # noqa: ARG002
        return State("unknown")
