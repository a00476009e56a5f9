"""How much one run may still spend: its own limit, its tiers', and what the day has left."""

import threading
from dataclasses import dataclass

from ragflow.model_sections import Budget
from ragflow.models.failures import CallFailed
from ragflow.models.ledger import Ledger, LedgerUnusable
from ragflow.models.prices import NANO


@dataclass(frozen=True, slots=True)
class Held:
    """An amount set aside, in billionths of a US dollar.

    ``number``: of the ledger's reservation, None where nothing was written down.
    """

    tier: str
    nano: int
    number: int | None


class Spending:
    """What one run spends. Make one for each run; runs and processes share the ledger.

    Laws:

    - what was settled and what is held is never more than a limit, as far as prices are known: an amount
      is held, at its worst, before a call, and settled after it;
    - an amount of 0 is always given, and never written down.
    """

    def __init__(self, budget: Budget | None = None, ledger: Ledger | None = None) -> None:
        self.ledger = Ledger() if ledger is None else ledger
        self._budget = Budget() if budget is None else budget
        self._of_run, self._of_tier = 0, dict[str, int]()
        self._lock = threading.Lock()

    @property
    def usd(self) -> float:
        """What the run has spent or holds, in US dollars."""
        return self._of_run / NANO

    def hold(self, nano: int, *, tier: str, tier_usd: float | None) -> Held:
        """Set an amount aside for one call.

        Raises:
            CallFailed: ``over_budget``: it is more than is left; the detail names the limit.
        """
        if nano == 0:
            return Held(tier, 0, None)
        wanted = f"it may cost ${nano / NANO:.4f}"
        with self._lock:
            limits = (
                (f"max_usd of the tier {tier}", tier_usd, self._of_tier.get(tier, 0)),
                ("budget.run_usd", self._budget.run_usd, self._of_run),
            )
            for name, limit, taken in limits:
                if limit is not None and taken + nano > _nano(limit):
                    left = max(0, _nano(limit) - taken) / NANO
                    raise CallFailed("over_budget", f"{wanted}, and ${left:.4f} of {name} is left")
            number = self._of_day(nano, wanted)
            self._add(tier, nano)
        return Held(tier, nano, number)

    def settle(self, held: Held, nano: int) -> None:
        """Replace what was held by what was spent, which may be more where a server counts otherwise."""
        with self._lock:
            self._add(held.tier, nano - held.nano)
        if held.number is not None:
            self.ledger.settle(held.number, nano)

    def _add(self, tier: str, nano: int) -> None:
        self._of_run += nano
        self._of_tier[tier] = self._of_tier.get(tier, 0) + nano

    def _of_day(self, nano: int, wanted: str) -> int | None:
        limit = self._budget.day_usd
        try:
            number = self.ledger.reserve(nano, limit=None if limit is None else _nano(limit))
        except LedgerUnusable as error:
            if limit is None:
                return None  # nothing is to be held to: the answer counts for more than the sum
            detail = f"{wanted}, and what was spent today is not known: {error}"
            raise CallFailed("over_budget", detail) from error
        if number is None:
            raise CallFailed(
                "over_budget", f"{wanted}, and less of budget.day_usd (${limit:g}) is left today"
            )
        return number


def _nano(usd: float) -> int:
    return round(usd * NANO)
