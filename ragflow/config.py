"""``ragflow.yaml``, flags and variables -> one frozen ``Config``. The only file that reads them.

``--set search.k=5`` beats ``RAGFLOW_SEARCH__K=5`` beats the file. Every complaint names the file and
line (or the flag, or the variable) and, for an unknown key, the nearest one that exists.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ragflow.approval_sections import Approval, Notify
from ragflow.approvals.dead_rules import dead
from ragflow.complaints import complain, listed, near, said
from ragflow.errors import ConfigError, UnknownSource
from ragflow.index_section import Index
from ragflow.model_sections import Budget, Guards, Tier
from ragflow.route_sections import RouterSection, RouteRule
from ragflow.routing.contradictions import contradictions
from ragflow.sections import (
    Answer,
    Chunk,
    Embed,
    Gate,
    Identity,
    Parse,
    Runs,
    Search,
    Settings,
)
from ragflow.source_sections import Outbound, Source
from ragflow.tool_sections import Tool
from ragflow.tools import contradictions as of_tools
from ragflow.workflow_sections import Database, Telemetry
from ragflow.yaml_text import Place, YamlProblem, read, scalar

FILE_NAME = "ragflow.yaml"
WORKSPACE = ".ragflow"
PREFIX = "RAGFLOW_"
_MOST_BYTES = 1_000_000
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+(::|://)")


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one workspace. ``digest``: SHA-256 of the settings as canonical JSON, 64 hex."""

    file: Path
    version: int
    sources: Mapping[str, Source]
    outbound: Outbound
    identity: Identity
    parse: Parse
    chunk: Chunk
    embed: Embed
    search: Search
    index: Index
    answer: Answer
    runs: Runs
    database: Database
    gates: tuple[Gate, ...]
    routes: tuple[RouteRule, ...]
    router: RouterSection
    models: Mapping[str, Tier]
    budget: Budget
    guards: Guards
    workflows: tuple[str, ...]
    tools: Mapping[str, Tool]
    approvals: tuple[Approval, ...]
    notify: tuple[Notify, ...]
    telemetry: Telemetry
    digest: str = field(compare=False)

    @property
    def folder(self) -> Path:
        """The folder of ``ragflow.yaml``; relative paths start here."""
        return self.file.parent

    @property
    def workspace(self) -> Path:
        """The folder that holds everything the program writes."""
        return self.folder / WORKSPACE

    def resolve(self, path: str) -> str:
        """Return a configured path as an absolute one; a URL stays as it is."""
        if _URL.match(path):
            return path
        return os.path.normpath(self.folder / Path(path).expanduser())

    def secret(self, name: str) -> str | None:
        """Return the value of the environment variable ``name``; None where it is not set, or empty."""
        return os.environ.get(name) or None

    @property
    def model(self) -> str:
        """``embed.model`` as a known name, a name on the hub, or the absolute path of a checkpoint folder.

        Only sentence-transformers takes names on the hub: ``owner/model``, unless there is such a folder.
        """
        named = self.embed.model
        if self.embed.engine == "litellm":
            return named  # its slash parts the provider from the name
        is_folder = (self.folder / named).is_dir()
        may_be_hub = self.embed.engine == "sentence-transformers" and named.count("/") == 1
        is_path = is_folder or named.startswith((".", "~", "/")) or ("/" in named and not may_be_hub)
        return self.resolve(named) if is_path else named

    def choose(
        self, names: Sequence[str] | None, *, readable: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Return the named sources in the file's order, each once; None or nothing: all of them.

        ``readable`` limits them to what an asker may know of: another source is then absent, and no
        name is suggested. Without it (``index``), the nearest name is.

        Raises:
            UnknownSource: one of them is not configured, or not readable.
        """
        there = tuple(name for name in self.sources if readable is None or name in readable)
        for name in names or ():
            if name not in there:
                suggestion = near(name, there) if readable is None else " that you may read"
                raise UnknownSource(f'there is no source "{name}"{suggestion}')
        return tuple(name for name in there if not names or name in names)


def find(start: Path) -> Path:
    """Return the ``ragflow.yaml`` of a folder or of the nearest of its parents.

    Raises:
        ConfigError: the folder does not exist, or there is none.
    """
    if not start.is_dir():
        raise ConfigError(f"there is no folder {start}", hint="check the path after -C")
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
    raise ConfigError(f"there is no {FILE_NAME} in {folder} or its parents", hint="ragflow init")


def load(path: Path, *, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file, then the variables, then the flags over it.

    ``overrides`` are ``KEY=VALUE`` with dots in the key; ``[a, b]`` is a list. ``environ`` None is the
    process's own; of its variables only ``RAGFLOW_<SECTION>__<KEY>`` with a section of this file count,
    others are left alone.

    Raises:
        ConfigError: anything in them is not right; every complaint is in the message, a line each.
    """
    data, origins = _read_file(path)
    variables = os.environ if environ is None else environ
    for name in sorted(variables):
        keys = _variable_keys(name, data)
        if keys:
            _put(data, keys, typed(variables[name]), name, origins)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f'--set {override}: write KEY=VALUE, for example --set "search.k=5"')
        _put(data, key.strip().split("."), typed(value), f"--set {key.strip()}", origins)
    try:
        settings = Settings.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise ConfigError(complain(error, data, origins)) from error
    if found := [*contradictions(settings), *of_tools.contradictions(settings), *dead(settings)]:
        raise ConfigError(listed([(one.place, one.words) for one in found], origins))
    canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    sections: dict[str, Any] = {name: getattr(settings, name) for name in Settings.model_fields}
    return Config(file=path, digest=digest, **sections)


def _read_file(path: Path) -> tuple[dict[str, Any], dict[Place, str]]:
    """Return the file's data and, for each place in it, ``ragflow.yaml:12``."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="check its owner and mode"
        ) from error
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{path} is larger than {_MOST_BYTES:,} bytes: this is no {FILE_NAME}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path.name}:{line}: this is not UTF-8 text") from error
    try:
        located = read(text)
    except YamlProblem as error:
        raise ConfigError(f"{path.name}:{error.line or 1}: {error}") from error
    if located.data is None:
        raise ConfigError(f"{path.name}:1: the file is empty", hint="ragflow init writes one that works")
    if not isinstance(located.data, dict):
        raise ConfigError(
            f"{path.name}:1: the file must hold sections (key: value), not {said(located.data)}"
        )
    # A section whose keys are all commented out is an absent one.
    data = {key: value for key, value in located.data.items() if value is not None}
    return data, {place: f"{path.name}:{line}" for place, line in located.lines.items()}


def typed(text: str) -> Any:
    """Return a flag's or a variable's value; in quotes it is text, in brackets a list, as in the file.

    Entries of a list are parted by commas; none can hold one.
    """
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        return [typed(entry) for entry in text[1:-1].split(",") if entry.strip()]
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else scalar(text)


def _variable_keys(name: str, data: Mapping[str, Any]) -> list[str] | None:
    """Return the keys that a variable sets, in the spelling of the file; None where it sets none."""
    if not name.startswith(PREFIX):
        return None
    keys = name.removeprefix(PREFIX).lower().split("__")
    if len(keys) < 2 or keys[0] not in Settings.model_fields:
        return None
    # No variable can hold a "-" or a capital letter: take the file's own spelling where there is one.
    inside: Any = data
    for position, key in enumerate(keys):
        if not isinstance(inside, dict):
            break
        same = [known for known in inside if known.lower().replace("-", "_") == key]
        keys[position] = same[0] if same else key
        inside = inside.get(keys[position])
    return keys


def _put(
    data: dict[str, Any], keys: Sequence[str], value: Any, origin: str, origins: dict[Place, str]
) -> None:
    if keys[0] == "sources" and len(keys) > 1 and keys[1] not in (data.get("sources") or ()):
        known = tuple(data.get("sources") or ())
        raise ConfigError(f'{origin}: there is no source "{keys[1]}"{near(keys[1], known)}')
    inside = data
    for depth, key in enumerate(keys[:-1], start=1):
        if inside.get(key) is None:
            inside[key] = {}
            origins[tuple(keys[:depth])] = origin
        if not isinstance(inside[key], dict):
            raise ConfigError(f"{origin}: {'.'.join(keys[:depth])} is no section")
        inside = inside[key]
    if isinstance(inside.get(keys[-1]), dict) and value is not None:  # null switches a section off
        raise ConfigError(f"{origin}: {'.'.join(keys)} is a section: set one of its keys")
    inside[keys[-1]] = value
    origins[tuple(keys)] = origin
