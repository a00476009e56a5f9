"""Finds workflows: the shipped ones, and those of the modules that ``workflows`` names."""

from collections.abc import Mapping
from pathlib import Path

from ragflow.complaints import near
from ragflow.errors import ConfigError
from ragflow.importing import imported
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.errors import UnknownWorkflow
from ragflow.workflows.shipped import SHIPPED


def discover(modules: tuple[str, ...], folder: Path) -> dict[str, Workflow]:
    """Return all workflows by name. The folder of ``ragflow.yaml`` is looked into first.

    Raises:
        UnknownWorkflow: a module cannot be imported, holds none, or two workflows have one name.
    """
    found = {one.name: one for one in SHIPPED}
    for module in modules:
        own = _declared(module, folder)
        if not own:
            raise UnknownWorkflow(f"the module {module} of workflows holds no @workflow function")
        for one in own:
            if one.name in found and found[one.name] is not one:
                raise UnknownWorkflow(
                    f'two workflows have the name "{one.name}": one in {_place(found[one.name])}, one in'
                    f" {_place(one)}",
                    hint="give one of them another name in its @workflow line",
                )
            found[one.name] = one
    return found


def named(workflows: Mapping[str, Workflow], name: str) -> Workflow:
    """Return the workflow of a name. Raises ``UnknownWorkflow``, naming the nearest."""
    if name not in workflows:
        raise UnknownWorkflow(f'there is no workflow "{name}"{near(name, tuple(workflows))}')
    return workflows[name]


def _declared(module: str, folder: Path) -> list[Workflow]:
    try:
        found = imported(folder, module)
    except ConfigError as error:
        raise UnknownWorkflow(f"workflows: {error}", hint=error.hint) from error
    return [one for one in vars(found).values() if isinstance(one, Workflow)]


def _place(one: Workflow) -> str:
    return one.function.__module__
