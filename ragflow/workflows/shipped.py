"""The workflows that are there without a line of code: answer, routed, agent."""

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ragflow.workflows.contracts import Json
from ragflow.workflows.declaring import Workflow, workflow
from ragflow.workflows.errors import WorkflowFailed
from ragflow.workflows.flow import Flow

_Text = Annotated[str, Field(min_length=1, max_length=8_000)]


class QuestionInput(BaseModel):
    """``tier``: of models; null leaves it to the route."""

    model_config = ConfigDict(extra="forbid")

    question: _Text
    tier: str | None = None


class TaskInput(BaseModel):
    """``role``: one of yours, whose tools the agent may call; null: any. ``tools``: only these of them.

    ``question`` is another name for ``task``: so a route can name this workflow.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    task: Annotated[_Text, Field(validation_alias=AliasChoices("task", "question"))]
    role: str | None = None
    tools: list[str] | None = None
    tier: str | None = None


@workflow("answer", takes=QuestionInput)
def answer(flow: Flow, given: QuestionInput) -> Json:
    """Answer a question from the documents, each claim with its proof."""
    return flow.ask(given.question, tier=given.tier)


@workflow("routed", takes=QuestionInput)
def routed(flow: Flow, given: QuestionInput) -> Json:
    """Go on with the workflow that the question's route names."""
    route: dict[str, Any] = flow.route(given.question)["route"]
    if route["workflow"] == "routed":
        raise WorkflowFailed(
            f"the route {route['rule']} names the workflow routed, which asks for the route",
            hint="name another one under workflow: of that route",
        )
    return flow.go(route["workflow"], given.model_dump(exclude_none=True))


@workflow("agent", takes=TaskInput)
def agent(flow: Flow, given: TaskInput) -> Json:
    """Let a model work on a task with the tools of a role."""
    ended = flow.agent(given.task, role=given.role, tools=given.tools, tier=given.tier)
    return ended.to_json()


SHIPPED: tuple[Workflow, ...] = (answer, routed, agent)
