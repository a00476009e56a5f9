"""The configured sources and how to sync them -> the values that ``indexes.sync`` takes."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.items import Connector
from connectors.parsing.keys import parsing_key, retry_key
from connectors.parsing.pool import ParserPool
from indexes.build import Chunking
from indexes.plan import Brake, ParseKeys, SourceSpec
from indexes.report import SyncOptions
from ragflow.config import Config
from ragflow.section import Section
from ragflow.source_sections import MAX_BYTES, BeirSource, FilesSource

if TYPE_CHECKING:
    from connectors.outbound import Outbound


def spec(config: Config, name: str) -> SourceSpec:
    """Return a source with its connector; nobody outside its readers may read anything of it."""
    source = config.sources[name]
    return SourceSpec(name, source.type, _connector(config, name), frozenset(source.readers))


def options(config: Config, run: str, *, cited: Collection[tuple[str, str]]) -> SyncOptions:
    """Return how to sync; ``cited`` are (document, revision) pairs that runs keep as evidence."""
    c, i, reading = config.chunk, config.index, (config.parse.ocr, config.parse.hidden_text)
    return SyncOptions(
        run=run,
        keys=ParseKeys(parsing_key(*reading), retry_key(*reading)),
        chunking=Chunking(c.mode, c.tokens, c.overlap),
        brake=Brake(i.brake.share, i.brake.documents),
        keep_generations=i.keep_generations,
        cited=cited,
    )


def parsers(config: Config) -> ParserPool:
    """Return the pool of parsing processes with the configured limits."""
    p = config.parse
    return ParserPool(timeout=p.timeout, memory_mb=p.memory_mb, ocr=p.ocr, hidden=p.hidden_text)


def _connector(config: Config, name: str) -> Connector:
    source = config.sources[name]
    made: Connector = _MAKERS[type(source)](config, name, source)
    return made


def _files(config: Config, _: str, source: FilesSource) -> Connector:
    from connectors.files import Files

    return Files(
        config.resolve(source.path),
        readers=source.readers,
        include=source.include,
        exclude=source.exclude,
        max_bytes=source.max_bytes,
    )


def _beir(config: Config, _: str, source: BeirSource) -> Connector:
    from connectors.beir import Beir

    return Beir(config.resolve(source.path), readers=source.readers)


# Each maker imports its connector itself: most workspaces need one or two of them.
_MAKERS: Mapping[type[Section], Callable[[Config, str, Any], Connector]] = {
    FilesSource: _files,
    BeirSource: _beir,
}


def outbound(
    config: Config, *, rate: float = 0.0, timeout: float = 30.0, max_bytes: int = MAX_BYTES
) -> "Outbound":
    """Return what makes the requests of one source, under the rules of ``outbound``."""
    from connectors.outbound import Limits, Outbound

    return Outbound(allow=config.outbound.allow, limits=Limits(timeout, max_bytes, rate))


def state(config: Config, name: str) -> Path:
    """Return the folder where a connector keeps what it would else have to ask again; made if absent.

    It never holds text of documents, and may be deleted at any time.
    """
    folder = config.workspace / "sources" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
