"""Who asks: the operating system's user, as readers.

This is not authentication against others on the machine: whoever can read the workspace's files can
read all of it. It decides what the program shows.
"""

import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ragflow import groups as table
from ragflow.config import Config
from ragflow.errors import NoIdentity, NotAllowed, ReaderError
from ragflow.groups import Groups
from ragflow.section import READER
from ragflow.sections import Identity

EVERYONE = "everyone"
_NO_GROUPS: Groups = {}


@dataclass(frozen=True, slots=True)
class Asker:
    """The actor, and the readers whose rights it uses.

    ``actor``: the ``user:`` principal of the login. ``readers``: sorted, each once, never empty.
    ``acting``: the readers were named by ``--as``, they are not the actor's own. ``auditor``: may see
    the runs of others. ``impersonator``: may stand in for others.
    """

    actor: str
    readers: tuple[str, ...]
    acting: bool = False
    auditor: bool = False
    impersonator: bool = field(default=False, compare=False)

    @property
    def admin(self) -> bool:
        """Whether the actor may be told who may read what."""
        return self.auditor or self.impersonator

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


def asking(config: Config, *, as_: Sequence[str] = ()) -> Asker:
    """Return who asks: the process's user, with the groups that the table gives now.

    Raises:
        ConfigError: ``identity.groups`` cannot be read, or a line of it is wrong.
        NoIdentity, NotAllowed, ReaderError: as ``login`` and ``resolve``.
    """
    return resolve(config.identity, login(), as_=as_, groups=groups(config))


def groups(config: Config) -> Groups:
    """Return the table of groups as it is now; empty where none is configured. Raises ``ConfigError``."""
    named = config.identity.groups
    return _NO_GROUPS if named is None else table.read(Path(config.resolve(named)))


def resolve(identity: Identity, who: str, *, as_: Sequence[str] = (), groups: Groups = _NO_GROUPS) -> Asker:
    """Return who asks, for the login ``who`` and the readers of ``--as`` (none: the login's own).

    Each of their users brings the groups that ``groups`` gives it, so that ``--as user:mia`` sees what mia
    sees. ``everyone`` is always among the readers. A login without an entry in ``identity.principals`` is
    ``user:<login>`` and the groups of that user.

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
        readers=readers(with_groups(as_ or own, groups)),
        acting=bool(as_),
        auditor=who in identity.auditors,
        impersonator=who in identity.impersonate,
    )


def with_groups(names: Sequence[str], groups: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the readers and, after them, the groups of the users among them, sorted."""
    return (*names, *sorted({group for name in names for group in groups.get(name, ())}))


def readers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the named readers and ``everyone``, sorted, each once.

    Raises:
        ReaderError: a name is not ``user:NAME``, ``group:NAME`` or ``everyone``.
    """
    for name in names:
        if not READER.fullmatch(name):
            raise ReaderError(f'"{name}" is not a reader')
    return tuple(sorted({*names, EVERYONE}))
