"""What can go wrong in a workflow, as a user and as the workflow's own code meet it.

RagflowError
|-- WorkflowFailed          1  the workflow's own code raised, or ran away
|-- UsageError              2
|   |-- UnknownWorkflow        no module of `workflows` has one of that name, or a module cannot be imported
|   `-- InputUnfit             the input is not what the workflow takes
|-- OutsideCause            4
|   |-- DatabaseGone           the database of `database.url` does not answer
|   |-- StepTimedOut           one try of a step took too long
|   |-- RunHeld                another process is working on the run
|   |-- ToolFailed             a tool was called and failed, hung, or gave what is no result
|   `-- Unsettled              nobody can tell whether an action happened
`-- Refused                 8  a check said no
    |-- ToolRefused            policy forbids the call
    |-- NotApproved            a person rejected the action, or nobody decided in time
    |-- RequestChanged         the request is not what was shown, has expired, or is decided already
    |-- MayNotDecide           not an approver of it, or the one who wants it
    |-- WorkflowChanged        the workflow's source is not what it was when the run began
    `-- ReplayDiffers          a replay gave something else than the record
"""

from typing import Literal

from ragflow.errors import OutsideCause, RagflowError, UsageError

WhyRefused = Literal["not_listed", "role", "arguments", "rate", "budget", "no_approver", "limit"]
WhyFailed = Literal["time_out", "error", "garbage", "too_large", "unreachable", "rejected"]


class WorkflowFailed(RagflowError):
    """A workflow's own code raised, or ran into its limit of steps or time."""

    exit_code = 1
    default_hint = "ragflow runs show RUN names the step; mend the workflow, then ragflow runs retry RUN"


class UnknownWorkflow(UsageError):
    """No workflow of that name, or its module cannot be imported."""

    default_hint = "name its module under workflows: in ragflow.yaml; ragflow run --list shows what there is"


class InputUnfit(UsageError):
    """The input is no JSON object, or not what the workflow takes."""

    default_hint = "ragflow run WORKFLOW --help-input shows what it takes"


class DatabaseGone(OutsideCause):
    """The database of runs does not answer, or went away in between. What was written is kept."""

    default_hint = "look whether the server of database.url runs, then ragflow runs resume RUN"


class StepTimedOut(OutsideCause):
    """One try of a step took too long; it was left behind."""

    default_hint = "give the step a longer timeout, or look at what it waits for"


class RunHeld(OutsideCause):
    """Another process is working on the run."""

    default_hint = "wait for it, or end that process: a run whose process has died can be resumed"


class ToolFailed(OutsideCause):
    """A tool was called and gave no result.

    ``kind`` is of few words. ``happened`` False: it is sure that nothing was done; None: nobody knows.
    ``curable``: another try may help.
    """

    default_hint = "ragflow runs show RUN names the call; ragflow runs retry RUN begins again"

    def __init__(
        self,
        message: str,
        *,
        kind: WhyFailed = "error",
        happened: bool | None = None,
        curable: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind, self.happened, self.curable = kind, happened, curable


class Unsettled(OutsideCause):
    """An action may have happened, the tool cannot say, and a person said to leave it."""

    default_hint = "look at the other side; ragflow approvals show A names the action"


class Refused(RagflowError):
    """A check said no. Nothing was done."""

    exit_code = 8


class ToolRefused(Refused):
    """Policy forbids the call; ``kind`` says which part of it."""

    default_hint = "tools and approvals in ragflow.yaml say what may be called, by whom"

    def __init__(self, message: str, *, kind: WhyRefused, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind: WhyRefused = kind


class NotApproved(Refused):
    """A person rejected the action, or nobody decided in time."""

    default_hint = "ragflow approvals show A; ragflow runs retry RUN asks anew"

    def __init__(self, message: str, *, status: Literal["rejected", "expired"], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status: Literal["rejected", "expired"] = status


class RequestChanged(Refused):
    """The request is not the one that was shown, has expired, or was decided before."""

    default_hint = "ragflow approvals show A shows it as it is now"


class MayNotDecide(Refused):
    """Only an approver decides, where the rule says so not the one who wants the action."""

    default_hint = "ragflow approvals show A names who may decide"


class WorkflowChanged(Refused):
    """A workflow's source is not what it was when the run began."""

    default_hint = "put the source back and resume, or ragflow runs retry RUN with the new one"


class ReplayDiffers(Refused):
    """A replay gave something else than the record holds."""

    default_hint = "ragflow runs replay RUN shows where"
