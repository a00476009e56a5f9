"""What a tool is to the program, whatever it is made of; and how a function says more than its signature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel

from ragflow.workflows.contracts import Caller, Json

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class State:
    """What a tool says of an idempotency key. ``result``: what it gave, where it still knows."""

    known: Literal["done", "not_done", "unknown"]
    result: Json = None


class Performer(Protocol):
    """Does what one tool does.

    Laws:

    - ``perform`` tries once, within its time, and gives JSON;
    - it raises ``ToolFailed`` whose ``happened`` is False only where nothing was done, True where it was
      done and what came back is no result, None where nobody knows; any other error counts as None;
    - ``state`` never changes anything; ``unknown`` where the tool cannot say.

    ``takes``: the model of its arguments. ``takes_key``: doing it again with the same key does it once.
    ``can_be_asked``: ``state`` may know. ``lasts``: a try may still go on elsewhere after this process died,
    so that ``not_done`` may be too early.
    """

    @property
    def takes(self) -> type[BaseModel]: ...

    @property
    def about(self) -> str: ...

    @property
    def takes_key(self) -> bool: ...

    @property
    def can_be_asked(self) -> bool: ...

    @property
    def lasts(self) -> bool: ...

    def perform(self, arguments: BaseModel, key: str, caller: Caller) -> Json: ...

    def state(self, arguments: BaseModel, key: str) -> State: ...


def tool(*, state_of: Callable[[str], object]) -> Callable[[Function], Function]:
    """Say how a function is asked whether an idempotency key was done: ``function.state_of = state_of``.

    ``state_of(key)`` returns ``"done"``, ``"not_done"``, ``"unknown"``, or what the function returned.
    """

    def made(function: Function) -> Function:
        function.state_of = state_of  # type: ignore[attr-defined]
        return function

    return made
