"""``ConfiguredGate``: asks people as ``approvals`` says, and tells a run what they decided."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql, sqlite

from ragflow.approvals.binding import bound, identity
from ragflow.approvals.gathering import gathered
from ragflow.approvals.notifying import Tell, nobody, notify
from ragflow.approvals.rows import DONE, Asked, change, found, matching, now_utc
from ragflow.approvals.rules import judged
from ragflow.config import Config
from ragflow.errors import NotFound
from ragflow.records import canonical, timestamp
from ragflow.tools.policy import policy_digest
from ragflow.workflows.contracts import About, Action, Caller, Decided, Decision, Need, Request
from ragflow.workflows.database import Database
from ragflow.workflows.errors import ToolRefused
from ragflow.workflows.tables import requests

RULES_CHANGED = "the rules of tools and approvals are not those under which it was asked"
_RANDOM = 6  # hex digits of an id that come from the request's digest


class ConfiguredGate:
    """Satisfies ``contracts.Gate``; its laws are there. Any number of processes may share one database.

    ``tell`` calls a configured tool: see ``notifying``. ``clock`` gives the time of day, UTC.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        *,
        tell: Tell = nobody,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._config, self._database = config, database
        self._tell, self._clock = tell, clock
        self._policy = policy_digest(config)

    def need(self, action: Action, caller: Caller, about: About) -> Need | None:
        """Return who must agree; None where nobody must. No approvers: it must not be done at all."""
        del caller  # rules speak of what is done, not of who wants it: four eyes look at that
        return judged(self._config.approvals, action, about).need

    def open(self, request: Request) -> str:
        """Ask, and return the request's id; the same one for the same request, whoever opens it again.

        Those whom ``notify`` names are told once; where that failed it is tried again here, which a run does
        only where its process died before the step was kept.

        Raises:
            ToolRefused: there is nobody who could approve it.
        """
        if not request.need.approvers:
            raise ToolRefused(f"{request.action.tool} has no approver: no action", kind="no_approver")
        with self._database.begin() as connection:
            if self._database.server:  # SQLite lets one writer in at a time; here one request is opened once
                key = int(identity(request)[:15], 16)
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            asked = _again(connection, request) or self._first(connection, request)
        notify(asked, self._config, self._database, self._tell, self._clock())
        return asked.approval

    def _first(self, connection: Connection, request: Request) -> Asked:
        moment, action = self._clock(), request.action
        new = Asked(
            approval="",
            run=request.caller.run,
            call=action.call,
            kind=request.kind,
            status="pending",
            tool=action.tool,
            effect=action.effect,
            arguments=dict(action.arguments),
            digest="",
            policy=action.policy,
            actor=request.caller.actor,
            approvers=request.need.approvers,
            four_eyes=request.need.four_eyes,
            created=timestamp(moment),
            expires=timestamp(moment + timedelta(seconds=request.need.seconds)),
            screen=gathered(request, self._config),
        )
        new = replace(new, digest=bound(new, new.arguments))
        dialect = postgresql if self._database.server else sqlite
        insert = dialect.insert(requests).on_conflict_do_nothing().returning(requests.c.approval)
        key = identity(request)
        for at in range(0, len(key) - _RANDOM, _RANDOM):
            asked = replace(new, approval=f"a-{moment:%Y%m%dT%H%M%S}-{key[at : at + _RANDOM]}")
            if connection.execute(insert.values(**asked.row())).first() is not None:
                return asked
        raise AssertionError("ten requests of one second do not share all of their digits")

    def decision(self, approval: str) -> Decision | None:
        """Return what was decided; None while it is pending. What has run out is marked ``expired``, once.

        A request under other rules than those of this process runs out at once: nobody may approve it any
        more, and the run asks anew. A workflow's own gate rests on no rule, what may have happened is a fact.
        """
        with self._database.begin() as connection:
            asked = _known(connection, approval)
            moment = self._clock()
            other = asked.kind == "action" and asked.policy != self._policy
            if asked.status == "pending" and (other or asked.lapsed(moment)):
                comment = None if asked.lapsed(moment) else RULES_CHANGED
                values = {"status": "expired", "decided": timestamp(moment), "comment": comment}
                change(connection, asked, values)
                asked = _known(connection, approval)
        return _decision(asked)

    def expires(self, approval: str) -> datetime:
        """Return until when it can be decided. Raises ``NotFound``."""
        with self._database.begin() as connection:
            return datetime.fromisoformat(_known(connection, approval).expires)

    def executed(self, approval: str, *, settled: bool) -> None:
        """Note that what was approved has been done, or that nobody knows whether it was."""
        status = "executed" if settled else "unsettled"
        with self._database.begin() as connection:
            asked = _known(connection, approval)
            change(connection, asked, {"status": status}, was=("approved", "revised", "unsettled"))


def _again(connection: Connection, request: Request) -> Asked | None:
    """Return the request where it was opened before."""
    action = request.action
    opened = matching(
        connection,
        requests.c.run == request.caller.run,
        requests.c.call == action.call,
        requests.c.kind == request.kind,
        requests.c.tool == action.tool,
        requests.c.policy == action.policy,
    )
    wanted = canonical(dict(action.arguments))
    return next((one for one in opened if canonical(dict(one.arguments)) == wanted), None)


def _known(connection: Connection, approval: str) -> Asked:
    asked = found(connection, approval)
    if asked is None:
        raise NotFound(f"not found: request {approval}", hint="ragflow approvals list --all")
    return asked


def _decision(asked: Asked) -> Decision | None:
    if asked.status == "pending":
        return None
    status: Decided
    if asked.status in DONE or asked.status in ("approved", "revised"):
        status = "approved" if asked.revised is None else "revised"
    else:
        status = "rejected" if asked.status == "rejected" else "expired"
        if status == "expired" and asked.comment == RULES_CHANGED:
            status = "outdated"
    return Decision(asked.approval, status, asked.holding, asked.decided_by, asked.comment)
