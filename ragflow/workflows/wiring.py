"""What a workflow reaches outside through: tools under policy, approvals, agents. Made once a process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ragflow import parts
from ragflow.config import Config
from ragflow.workflows.contracts import Agent, Calls, Gate, Reading, Steps
from ragflow.workflows.database import Database
from ragflow.workflows.declaring import Workflow
from ragflow.workflows.flow import Means


@dataclass(frozen=True, slots=True)
class Reach:
    """The parts that reach outside a run, the same for every run of a process."""

    reading: Reading
    calls: Calls
    gate: Gate
    agent: Agent
    policy: str

    def means(self, workflows: Mapping[str, Workflow]) -> Callable[[Steps], Means]:
        """Return what makes the means of one execution from its steps."""

        def made(steps: Steps) -> Means:
            return Means(
                steps=steps,
                reading=self.reading,
                calls=self.calls,
                gate=self.gate,
                agent=self.agent,
                workflows=workflows,
                policy=self.policy,
                clock=lambda: datetime.now(UTC),
            )

        return made


def reach(config: Config, database: Database, reading: Reading) -> Reach:
    """Make the configured parts."""
    from ragflow.agents.loop import ConfiguredAgent
    from ragflow.approvals.gate import ConfiguredGate
    from ragflow.tools.calling import PolicedCalls
    from ragflow.tools.effects import Effects
    from ragflow.tools.policy import policy_digest
    from ragflow.tools.toolbox import Toolbox

    toolbox = Toolbox(config, reading=reading, database=database)

    gate = ConfiguredGate(config, database, tell=toolbox.send)
    models = parts.Models(config, spending=parts.account(config))
    return Reach(
        reading,
        PolicedCalls(toolbox, gate, Effects(database)),
        gate,
        ConfiguredAgent(config, models),
        policy_digest(config),
    )
