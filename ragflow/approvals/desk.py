"""``Desk``: where people look at requests and decide on them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ragflow.approvals.binding import bound
from ragflow.approvals.comparing import same
from ragflow.approvals.gathering import documents, readable
from ragflow.approvals.revising import Fits, revised, unchanged
from ragflow.approvals.rows import Asked, change, found, matching, now_utc
from ragflow.config import Config
from ragflow.errors import NotAllowed, NotFound, UsageError
from ragflow.identity import Asker
from ragflow.records import canonical, timestamp
from ragflow.redact import redact
from ragflow.tools.policy import policy_digest
from ragflow.workflows.database import Database
from ragflow.workflows.errors import MayNotDecide, RequestChanged
from ragflow.workflows.tables import requests

MOST_COMMENT = 2_000  # characters

Hidden = Callable[[Collection[str], frozenset[str]], frozenset[str]]
"""(documents, readers): those of them that the readers may not know of."""


def all_hidden(named: Collection[str], readers: frozenset[str]) -> frozenset[str]:
    """Hide every document: where nobody can tell who may read what."""
    del readers
    return frozenset(named)


class Desk:
    """Shows requests to those whom they concern, and takes one decision on each.

    A request concerns whoever may decide it, whoever wants it, and an auditor. ``hidden`` tells which of
    the documents that it cites a reader may not read now: no word of those is shown. ``fits`` looks at
    revised arguments as the tool would; None: the run does, when it goes on.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        *,
        clock: Callable[[], datetime] = now_utc,
        hidden: Hidden = all_hidden,
        fits: Fits | None = None,
    ) -> None:
        self._config, self._database, self._clock = config, database, clock
        self._hidden, self._fits = hidden, fits

    # -- looking ---------------------------------------------------------------------------------

    def list(self, asker: Asker, *, everything: bool = False) -> list[Asked]:
        """Return the requests that concern the asker, oldest first; with ``everything`` the decided too."""
        only = () if everything else (requests.c.status == "pending",)
        with self._database.begin() as connection:
            there = matching(connection, *only)
        now = self._clock()
        return [
            self._as_read_by(asker, one)
            for one in there
            if concerns(one, asker) and (everything or not one.lapsed(now))
        ]

    def show(self, approval: str, asker: Asker) -> Asked:
        """Return a request as the asker may see it. Raises ``NotFound``, also where it concerns others."""
        return self._as_read_by(asker, self._found(approval, asker))

    def _found(self, approval: str, asker: Asker) -> Asked:
        with self._database.begin() as connection:
            asked = found(connection, approval)
        if asked is None or not concerns(asked, asker):
            raise NotFound(f"not found: request {approval}", hint="ragflow approvals list --all")
        return asked

    def _as_read_by(self, asker: Asker, asked: Asked) -> Asked:
        named = documents(asked.screen.get("answer"))
        hidden = self._hidden(named, frozenset(asker.readers)) if named else frozenset()
        if not hidden:
            return asked
        return replace(asked, screen={**asked.screen, "answer": readable(asked.screen["answer"], hidden)})

    # -- deciding --------------------------------------------------------------------------------

    def approve(self, approval: str, digest: str, *, asker: Asker, comment: str | None = None) -> Asked:
        """Agree to exactly what was shown.

        Raises, as do the two others:
            NotFound: there is no such request that concerns the asker.
            MayNotDecide: the asker is no approver of it, or wants it and four eyes must look.
            RequestChanged: the digest is another, it has run out or is decided, the rules are others now.
        """
        asked = self._deciding(approval, digest, asker)
        self._same_rules(asked)
        return self._decide(asked, asker, comment, {"status": "approved"})

    def reject(self, approval: str, digest: str, *, asker: Asker, comment: str | None = None) -> Asked:
        """Refuse it. Under changed rules too: that needs no rule."""
        asked = self._deciding(approval, digest, asker)
        return self._decide(asked, asker, comment, {"status": "rejected"})

    def revise(
        self, approval: str, digest: str, changes: Sequence[str], *, asker: Asker, comment: str | None = None
    ) -> Asked:
        """Agree to it with other arguments: ``amount=90``. The digest is then that of the new ones.

        Raises besides ``UsageError``: a change cannot be read or changes nothing, or the tool does not
        take the new arguments.
        """
        asked = self._deciding(approval, digest, asker)
        self._same_rules(asked)
        arguments = self._revised(asked, changes)
        values = {
            "status": "revised",
            "revised": canonical(arguments),
            "digest": bound(asked, arguments),
        }
        return self._decide(asked, asker, comment, values)

    def _deciding(self, approval: str, digest: str, asker: Asker) -> Asked:
        """Return the request, if the asker may decide it and it is what was shown."""
        if asker.acting:
            raise NotAllowed("nobody decides in the name of another", hint="leave --as out")
        asked = self._found(approval, asker)
        reason = no_say(asked, asker)
        if reason is not None:
            raise MayNotDecide(f"{asker.actor} may not decide {approval}: {reason}")
        self._open(asked, digest)
        return asked

    def _open(self, asked: Asked, digest: str) -> None:
        """Raise ``RequestChanged`` where it cannot be decided any more, or is not what was shown."""
        if asked.lapsed(self._clock()):
            raise RequestChanged(
                f"{asked.approval} ran out at {asked.expires}",
                hint=f"ragflow runs retry {asked.run} asks anew",
            )
        if asked.status != "pending":
            by = f" by {asked.decided_by}" if asked.decided_by else ""
            at = f" at {asked.decided}" if asked.decided else ""
            raise RequestChanged(f"{asked.approval} is {asked.status} already{by}{at}")
        if asked.digest != digest:
            raise RequestChanged(
                f"the digest is not that of {asked.approval}: what was looked at is something else",
                hint=f"ragflow approvals show {asked.approval} shows it with its digest",
            )

    def outdated(self, asked: Asked) -> bool:
        """Tell whether the rules are not those under which it was asked: then nobody can agree to it."""
        return asked.kind == "action" and asked.policy != policy_digest(self._config)

    def _same_rules(self, asked: Asked) -> None:
        if self.outdated(asked):
            raise RequestChanged(
                f"the rules have changed since {asked.approval} was asked: nothing was decided",
                hint=f"ragflow approvals reject it, or let {asked.actor} resume {asked.run}, and begin again",
            )

    def _revised(self, asked: Asked, changes: Sequence[str]) -> dict[str, Any]:
        if asked.kind == "unsettled":
            raise UsageError(
                "what may have happened already cannot be revised",
                hint="approve does it again as it was, reject leaves it",
            )
        reads = self._fits(asked.tool) if self._fits is not None and asked.kind == "action" else None
        closed = asked.screen["redact"]
        arguments = revised(asked.arguments, changes, may_add=reads is not None, closed=closed)
        if reads is None:
            return arguments
        read = dict(reads(asked.arguments, arguments))
        if same(read, asked.arguments):
            raise unchanged()
        return read

    def _decide(self, asked: Asked, asker: Asker, comment: str | None, values: dict[str, Any]) -> Asked:
        """Decide by one UPDATE that only one can win. Raises ``RequestChanged`` for all others."""
        said = redact((comment or "").strip(), self._config.runs.redact) or None
        if said is not None and len(said) > MOST_COMMENT:
            raise UsageError(f"the comment is longer than {MOST_COMMENT:,} characters", hint="write less")
        now = timestamp(self._clock())
        values = {**values, "decided_by": asker.actor, "decided": now, "comment": said}
        with self._database.begin() as connection:
            # The digest covers the expiry: what is pending under this digest runs out when it was shown to.
            won = now < asked.expires and change(connection, asked, values)
        after = self._found(asked.approval, asker)
        if not won:
            self._open(after, asked.digest)
            raise RequestChanged(f"{asked.approval} was decided by somebody else in this moment")
        return self._as_read_by(asker, after)


def no_say(asked: Asked, asker: Asker) -> str | None:
    """Return why an asker may not decide a request; None where they may."""
    principals = frozenset(asker.principals)
    if principals.isdisjoint(asked.approvers):
        return f"it waits for {', '.join(asked.approvers) or 'nobody'}"
    if asked.four_eyes and asked.actor in principals:
        return "whoever wants it does not approve it (four eyes)"
    return None


def concerns(asked: Asked, asker: Asker) -> bool:
    """Tell whether a request is the asker's to decide or to look at."""
    principals = frozenset(asker.principals)
    return asker.auditor or asked.actor == asker.actor or not principals.isdisjoint(asked.approvers)
