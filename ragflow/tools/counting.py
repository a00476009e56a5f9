"""Rates and budgets of tools: counted in the database of runs, over all runs and processes of a workspace."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import Connection, func, insert, select, update

from ragflow.tool_sections import Tool
from ragflow.workflows.contracts import Object
from ragflow.workflows.database import Database
from ragflow.workflows.errors import ToolRefused
from ragflow.workflows.tables import calls

_PRECISION = 9  # digits behind the point: 0.1 + 0.2 is 0.3


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts calls that were let through. ``clock``: seconds since 1970."""

    database: Database
    clock: Callable[[], float] = time.time

    def count(self, name: str, tool: Tool, run: str, call: str, arguments: Object) -> None:
        """Let a call through and count it, all in one transaction.

        The same call of the same run is one: counted again, only its amount may change.

        Raises:
            ToolRefused: rate or budget are used up, or its amount is no number of zero or more.
        """
        amount = _amount(name, tool, arguments)
        with self.database.begin() as connection:
            if self.database.server:
                # Two that look at once would both see room: one waits for the other.
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"ragflow {name}"))))
            same = (calls.c.run == run) & (calls.c.call == call)
            known = connection.execute(select(calls.c.seq, calls.c.amount, calls.c.at).where(same)).first()
            now = self.clock() if known is None else known.at
            if known is None:
                self._rate(connection, name, tool, now)
                self._calls(connection, name, tool, run)
            if known is None or known.amount != amount:
                self._amounts(connection, name, tool, (run, now, amount, known and known.seq))
            if known is None:
                values = {"tool": name, "run": run, "call": call, "at": now, "amount": amount}
                connection.execute(insert(calls).values(values))
            elif known.amount != amount:
                connection.execute(update(calls).where(same).values(amount=amount))

    def release(self, run: str, call: str) -> None:
        """Give a call's amount back: it was not done, and will not be. The call itself stays counted."""
        same = (calls.c.run == run) & (calls.c.call == call)
        with self.database.begin() as connection:
            connection.execute(update(calls).where(same).values(amount=0.0))

    def _rate(self, connection: Connection, name: str, tool: Tool, now: float) -> None:
        if tool.rate is None:
            return
        since = (calls.c.tool == name) & (calls.c.at > now - tool.rate.seconds)
        if connection.execute(select(func.count()).where(since)).scalar_one() >= tool.rate.calls:
            raise ToolRefused(
                f'the tool "{name}" was called {tool.rate.calls} times in {tool.rate.seconds:g} s already',
                kind="rate",
                hint="wait; tools.rate in ragflow.yaml says how often",
            )

    def _calls(self, connection: Connection, name: str, tool: Tool, run: str) -> None:
        most = tool.budget.calls
        if most is None:
            return
        own = (calls.c.tool == name) & (calls.c.run == run)
        if connection.execute(select(func.count()).where(own)).scalar_one() >= most:
            raise _over(name, f"was called {most} times in this run, as often as it may be")

    def _amounts(
        self, connection: Connection, name: str, tool: Tool, one: tuple[str, float, float, int | None]
    ) -> None:
        run, now, amount, known = one
        others = calls.c.tool == name
        if known is not None:
            others &= calls.c.seq != known
        day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        within = {"run": calls.c.run == run, "day": (calls.c.at >= day) & (calls.c.at < day + 86_400)}
        for span, most in (("run", tool.budget.run), ("day", tool.budget.day)):
            if most is None:
                continue
            counted = select(func.coalesce(func.sum(calls.c.amount), 0.0)).where(others & within[span])
            total = round(connection.execute(counted).scalar_one() + amount, _PRECISION)
            if total > most:
                raise _over(
                    name,
                    f"would take {tool.budget.argument} to {total:g} in this {span}; {most:g} are allowed",
                )


def _amount(name: str, tool: Tool, arguments: Object) -> float:
    """Return what a call takes of its tool's budget: nothing where that counts no argument."""
    if tool.budget.argument is None:
        return 0.0
    value = arguments.get(tool.budget.argument)
    try:
        amount = None if isinstance(value, bool) or value is None else Decimal(str(value))
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount < 0:
        raise _over(name, f"has a budget of {tool.budget.argument}, and this is no number of zero or more")
    return float(amount)


def _over(name: str, words: str) -> ToolRefused:
    return ToolRefused(
        f'the tool "{name}" {words}', kind="budget", hint="tools.budget in ragflow.yaml says how much"
    )
