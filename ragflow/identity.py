"""Who asks: the operating system's user, as readers.

This is not authentication against others on the machine: whoever can read the workspace's files can
read all of it. It decides what the program shows.
"""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass

from ragflow.errors import NoIdentity, NotAllowed, ReaderError
from ragflow.section import READER
from ragflow.sections import Identity

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Asker:
    """The actor, and the readers whose rights it uses.

    ``actor``: the ``user:`` principal of the login. ``readers``: sorted, each once, never empty.
    ``acting``: the readers were named by ``--as``, they are not the actor's own. ``auditor``: may see
    the runs of others.
    """

    actor: str
    readers: tuple[str, ...]
    acting: bool = False
    auditor: bool = False

    @property
    def principals(self) -> tuple[str, ...]:
        """The actor, then the readers besides: what a record names."""
        return (self.actor, *(one for one in self.readers if one != self.actor))


def login() -> str:
    """Return the login of the process's effective user.

    Raises:
        NoIdentity: the password database has no entry for it (or an empty one).
    """
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = ""
    if not name:
        raise NoIdentity(f"the user id {number} has no login on this machine, so nobody is asking")
    return name


def resolve(identity: Identity, who: str, *, as_: Sequence[str] = ()) -> Asker:
    """Return who asks, for the login ``who`` and the readers of ``--as`` (none: the login's own).

    ``everyone`` is always among the readers. A login without an entry in ``identity.principals`` is
    ``user:<login>`` and nothing more.

    Raises:
        NotAllowed: ``as_`` is given and the login is not in ``identity.impersonate``.
        ReaderError: a reader is not written as one.
    """
    own = identity.principals.get(who) or (f"user:{who}",)
    actor = next((reader for reader in own if reader.startswith("user:")), f"user:{who}")
    if as_ and who not in identity.impersonate:
        raise NotAllowed(f"{actor} may not stand in for others: --as needs identity.impersonate")
    return Asker(
        actor=actor,
        readers=readers(as_ or own),
        acting=bool(as_),
        auditor=who in identity.auditors,
    )


def readers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the named readers and ``everyone``, sorted, each once.

    Raises:
        ReaderError: a name is not ``user:NAME``, ``group:NAME`` or ``everyone``.
    """
    for name in names:
        if not READER.fullmatch(name):
            raise ReaderError(f'"{name}" is not a reader')
    return tuple(sorted({*names, EVERYONE}))
