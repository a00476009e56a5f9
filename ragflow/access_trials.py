"""Canaries: documents that only some may read, planted into a copy of the workspace for a while.

The copy has the segments as hard links and the store as SQLite copies it; what is planted goes through a real
sync. The workspace itself is only read, and no source of it is.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from connectors.errors import UnreadableDocument
from connectors.items import Item, Raw
from indexes.embedding import Embedder
from indexes.errors import NoGeneration
from indexes.generations import ACL, Generations, release
from indexes.ingest import known_items, known_sources
from indexes.mismatch import mismatch
from indexes.plan import SourceSpec
from indexes.store import Store, read_acls
from indexes.sync import Sync
from ragflow import identity
from ragflow import sources as sources_of
from ragflow.attack_trials import lend_model
from ragflow.built_with import settings_of
from ragflow.config import FILE_NAME, WORKSPACE, Config
from ragflow.copies import copy_folder, remove_abandoned
from ragflow.identity import EVERYONE
from ragflow.sections import Identity
from ragflow.source_sections import FilesSource, Source

STRANGER = "user:canary-stranger"
_SYLLABLES = tuple(f"{first}{second}" for first in "bdfgklmnprstvz" for second in "aeiou")


@dataclass(frozen=True, slots=True)
class Canary:
    """A planted document. ``mark`` is in its name, ``secret`` in its title and text, ``probe`` in its text.

    One asks by the probe; nothing but the canary holds any of the three.
    """

    source: str
    readers: tuple[str, ...]
    mark: str
    secret: str
    probe: str

    @property
    def item(self) -> str:
        """The name within the source."""
        return f"canary-{self.mark}.txt"

    @property
    def document(self) -> str:
        """``<source>/<item>``."""
        return f"{self.source}/{self.item}"

    @property
    def text(self) -> str:
        """What it says."""
        return f"Whoever looks after the {self.probe} writes {self.secret} into the log of the harbour.\n"

    def open_to(self, readers: Iterable[str]) -> bool:
        """Tell whether one of the readers may read it."""
        return not set(self.readers).isdisjoint(readers)


@dataclass(frozen=True, slots=True)
class Trials:
    """What is tried: canaries, whose eyes look for them, how many sets and askers were left out."""

    canaries: tuple[Canary, ...]
    askers: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...]
    left_out: int


def question(probe: str) -> str:
    """Return the question that a canary answers."""
    return f"What does whoever looks after the {probe} write into the log?"


def word(chance: random.Random) -> str:
    """Return a word of twelve letters that no text holds, but by a chance of one in 10^11."""
    return "".join(chance.choice(_SYLLABLES) for _ in range(6))


def trials(config: Config, *, limit: int, chance: random.Random) -> Trials:
    """Choose what to try: two canaries for every set of readers, one in a known source, one in its own.

    Sets are those of the configuration and of the live generation, and nobody; askers are the logins and
    readers that the configuration, the table of groups and these sets name, and a stranger. At most
    ``limit`` of each, in this order.
    """
    groups = identity.groups(config)
    sets = {(), (EVERYONE,), *(tuple(sorted(one.readers)) for one in config.sources.values())}
    found = [*sorted(sets), *sorted(_sets(config) - sets)]
    principals = config.identity.principals
    logins = [identity.readers(identity.with_groups(own, groups)) for own in principals.values()]
    single = {reader for one in found for reader in one} | {*groups}
    alone = [identity.readers(identity.with_groups([reader], groups)) for reader in sorted(single)]
    askers = list(dict.fromkeys([identity.readers([STRANGER]), *logins, *alone]))
    there = sorted(set(config.sources) & _known(config))
    canaries = []
    for at, readers in enumerate(found[:limit]):
        homes = [f"canary-{word(chance)}", *([there[at % len(there)]] if there else [])]
        canaries += [Canary(home, readers, word(chance), word(chance), word(chance)) for home in homes]
    left_out = max(0, len(found) - limit) + max(0, len(askers) - limit)
    return Trials(tuple(canaries), tuple(askers[:limit]), tuple(there), left_out)


def _sets(config: Config) -> set[tuple[str, ...]]:
    generations = Generations(config.workspace)
    manifest, held = generations.hold()
    try:
        used = set(generations.alive(manifest)[:, ACL].tolist())
    finally:
        release(held)
    with Store.open(config.workspace / "store.sqlite") as store, store.read() as connection:
        return {tuple(sorted(who)) for acl, who in read_acls(connection).items() if acl in used}


def _known(config: Config) -> set[str]:
    with Store.open(config.workspace / "store.sqlite") as store:
        return known_sources(store)


# -- the copy ----------------------------------------------------------------------------------------


@contextmanager
def copied(config: Config, chosen: Trials) -> Iterator[Config]:
    """Copy the workspace for the length of a ``with``, and give the configuration of the copy.

    No model is configured in it, so nothing leaves the machine; nobody is anything but a reader.

    Raises:
        NoGeneration: nothing was indexed yet.
    """
    if not (config.workspace / "store.sqlite").exists():
        raise NoGeneration("nothing has been indexed yet", hint="ragflow index")
    # Beside the segments, so that they can be linked; a workspace that cannot be written is copied.
    beside = config.workspace if os.access(config.workspace, os.W_OK) else None
    if beside is not None:
        remove_abandoned(beside)
    with copy_folder(beside) as folder:
        (folder / WORKSPACE).mkdir(mode=0o700)
        _copy(config.workspace, folder / WORKSPACE)
        if (config.folder / "prompts").is_dir():
            shutil.copytree(config.folder / "prompts", folder / "prompts")
        yield replace(
            config,
            file=folder / FILE_NAME,
            sources={**config.sources, **_homes(chosen)},
            identity=Identity(),
            answer=config.answer.model_copy(update={"tier": None}),
            routes=tuple(one.model_copy(update={"tier": None}) for one in config.routes),
            router=config.router.model_copy(update={"tier": None}),
            models={},
            gates=(),
            # Nothing of a trial goes to a server: what is tested is whose the mask and the scores are.
            index=config.index.model_copy(update={"url": None}),
        )


def _homes(chosen: Trials) -> dict[str, Source]:
    return {
        one.source: FilesSource(type="files", path=one.source, readers=one.readers)
        for one in chosen.canaries
        if one.source not in chosen.sources
    }


def _copy(source: Path, target: Path) -> None:
    generations = Generations(source)
    manifest, held = generations.hold()  # no collection takes it away meanwhile
    try:
        for segment in manifest.segments:
            shutil.copytree(
                generations.segments / segment.id, target / "segments" / segment.id, copy_function=_link
            )
        (target / "generations").mkdir(mode=0o700)
        for suffix in (".json", ".npy"):
            name = f"{manifest.id}{suffix}"
            shutil.copy2(generations.folder / name, target / "generations" / name)
        (target / "segments").mkdir(mode=0o700, exist_ok=True)
        (target / "current").write_text(f"{manifest.id}\n")
        _backup(source / "store.sqlite", target / "store.sqlite")
    finally:
        release(held)
    lend_model(source / "model", target / "model")


def _link(one: str, other: str) -> None:
    try:
        os.link(one, other)
    except OSError:  # another file system
        shutil.copy2(one, other)


def _backup(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as one,
        closing(sqlite3.connect(target)) as other,
    ):
        one.backup(other)


# -- planting ----------------------------------------------------------------------------------------


class _Planted:
    """A source as the store knows it, and canaries in it. Satisfies ``connectors.items.Connector``."""

    def __init__(self, known: Sequence[Item], canaries: Sequence[Canary]) -> None:
        self._known = known
        self._canaries = {one.item: one for one in canaries}

    def list(self) -> Iterator[Item]:
        """Give what is known, unchanged, then the canaries."""
        yield from self._known
        for item, one in self._canaries.items():
            yield Item(item, "canary", one.readers)

    def fetch(self, item: Item) -> Raw:
        """Give a canary; of the rest the text that was indexed stays."""
        one = self._canaries.get(item.id)
        if one is None:
            raise UnreadableDocument(f"{item.id} is not read again", reason="vanished")
        title = f"The log of {one.secret}"
        return Raw(item.id, one.text.encode(), item.id, "text/plain", title=title)


def plant(config: Config, chosen: Trials, embedder: Embedder) -> None:
    """Sync the canaries into the workspace of a copy's configuration.

    Raises:
        ModelMismatch: the live generation was built by another model: all of it would be embedded anew.
    """
    generations = Generations(config.workspace)
    live = generations.live()
    built = None if live is None else generations.manifest(live)
    if built is not None and built.embedder != embedder.key:
        raise mismatch(built, embedder, settings_of(config))
    homes: dict[str, list[Canary]] = {}
    for one in chosen.canaries:
        homes.setdefault(one.source, []).append(one)
    options = replace(sources_of.options(config, "r-canary", cited=()), allow_deletes=True)
    with Store.open(config.workspace / "store.sqlite", write=True) as store:
        specs = [
            SourceSpec(name, "canary", _planted(store, name, some), None) for name, some in homes.items()
        ]
        pool = partial(sources_of.parsers, config)
        Sync(store, generations, lambda: embedder, pool, options).run(specs, configured=tuple(config.sources))


def _planted(store: Store, name: str, canaries: Sequence[Canary]) -> _Planted:
    known = [Item(one.item, one.fingerprint, one.readers, 0) for one in known_items(store, name)]
    return _Planted(known, canaries)
