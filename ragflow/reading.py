"""What a run may read: the open workspace, as its own readers may. Only the run itself is recorded."""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragflow import identity
from ragflow.answering import AskOptions
from ragflow.config import Config
from ragflow.errors import check_question, map_errors
from ragflow.identity import Asker
from ragflow.records import Run
from ragflow.runs import RunStore
from ragflow.workflows.contracts import Caller, Object
from ragflow.workflows.rows import FlowRow

if TYPE_CHECKING:
    from ragflow.app import App


class AppReading:
    """Satisfies ``workflows.contracts.Reading``. Threads may share it: one reads at a time."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._one = threading.Lock()

    def ask(self, question: str, caller: Caller, *, tier: str | None = None) -> tuple[Object, Object | None]:
        """Return ``ragflow.ask/1`` of the run, explained, with what it took in ``spent``; and its tape."""
        text, options = check_question(question), AskOptions(explain=True, tier=tier)
        asker = Asker(actor=caller.actor, readers=caller.readers)
        kept = _Kept()
        with self._one, map_errors():
            sources = tuple(self._app.config.sources)
            answer = self._app.answering(kept).answer(text, sources, asker, options)
        spent = {key: sum(step[key] for step in kept.steps) for key in ("cost_usd", "tokens")}
        return {**answer.to_json(), "run": caller.run, "spent": spent}, kept.taped

    def search(self, question: str, caller: Caller, *, k: int | None = None) -> Object:
        """Return ``ragflow.search/1``."""
        text = check_question(question)
        with self._one:
            return self._app.find(text, readers=caller.readers, k=k).to_json()

    def route(self, question: str, caller: Caller) -> Object:
        """Return ``ragflow.route/1``."""
        with self._one:
            return self._app.route(question, readers=caller.readers).to_json()

    def fetch(self, document: str, caller: Caller) -> Object:
        """Return document, revision, title and text. Raises ``NotFound``."""
        with self._one:
            shown = self._app.show(document, readers=caller.readers)
            text = self._app.text(document, readers=caller.readers)
        return {**{key: shown[key] for key in ("document", "revision", "title")}, "text": text}


class _Kept(RunStore):
    """Takes the record of an ask that is part of a run: the run's own record holds it, not the chain."""

    def __init__(self) -> None:
        self.steps: Sequence[Mapping[str, Any]] = ()
        self.taped: Object | None = None

    def add(self, run: Run, **also: Any) -> Run:
        """Keep the steps, and the tape where there is one."""
        self.steps = run.steps
        self.taped = json.loads(also["tape"]) if "tape" in also else None
        return run


def rights_now(config: Config, actor: str) -> Asker:
    """Return what a user may read now: a run that goes on has no right that its actor has lost."""
    logins = config.identity.principals
    own = (
        login
        for login, names in logins.items()
        if next((n for n in names if n[:5] == "user:"), None) == actor
    )
    login = next(own, actor.removeprefix("user:"))
    return identity.resolve(config.identity, login, groups=identity.groups(config))


def caller_of(row: FlowRow, now: Asker) -> Caller:
    """Return on whose behalf a run goes on: its recorded readers, as far as the actor has them now."""
    readers = tuple(sorted(set(row.actor) & set(now.readers)))
    roles = tuple(one for one in now.principals if one != identity.EVERYONE)
    return Caller(
        actor=row.actor[0],
        readers=readers,
        roles=roles,
        run=row.run,
        workflow=row.workflow,
        executor=row.owner or "",
        fence=row.fence,
    )
