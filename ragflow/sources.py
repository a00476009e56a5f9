"""The configured sources and how to sync them -> the values that ``indexes.sync`` takes."""

from collections.abc import Collection

from connectors.beir import Beir
from connectors.files import Files
from connectors.items import Connector
from connectors.parsing.keys import parsing_key, retry_key
from connectors.parsing.pool import ParserPool
from indexes.build import Chunking
from indexes.plan import Brake, ParseKeys, SourceSpec
from indexes.report import SyncOptions
from ragflow.config import Config
from ragflow.sections import FilesSource


def spec(config: Config, name: str) -> SourceSpec:
    """Return a source with its connector; nobody outside its readers may read anything of it."""
    source = config.sources[name]
    return SourceSpec(name, source.type, _connector(config, name), frozenset(source.readers))


def options(config: Config, run: str, *, cited: Collection[tuple[str, str]]) -> SyncOptions:
    """Return how to sync; ``cited`` are (document, revision) pairs that runs keep as evidence."""
    c, i, ocr = config.chunk, config.index, config.parse.ocr
    return SyncOptions(
        run=run,
        keys=ParseKeys(parsing_key(ocr), retry_key(ocr)),
        chunking=Chunking(c.mode, c.tokens, c.overlap),
        brake=Brake(i.brake.share, i.brake.documents),
        keep_generations=i.keep_generations,
        cited=cited,
    )


def parsers(config: Config) -> ParserPool:
    """Return the pool of parsing processes with the configured limits."""
    p = config.parse
    return ParserPool(timeout=p.timeout, memory_mb=p.memory_mb, ocr=p.ocr)


def _connector(config: Config, name: str) -> Connector:
    source = config.sources[name]
    path = config.resolve(source.path)
    if isinstance(source, FilesSource):
        return Files(
            path,
            readers=source.readers,
            include=source.include,
            exclude=source.exclude,
            max_bytes=source.max_bytes,
        )
    return Beir(path, readers=source.readers)
