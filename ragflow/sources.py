"""The configured sources and how to sync them -> the values that ``indexes.sync`` takes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.errors import SourceMisconfigured
from connectors.globs import ReadersRule, globs
from connectors.items import Connector
from connectors.parsing.keys import parsing_key, retry_key
from connectors.parsing.pool import ParserPool
from indexes.build import Chunking
from indexes.plan import Brake, ParseKeys, SourceSpec
from indexes.report import SyncOptions
from ragflow.config import Config
from ragflow.section import Section
from ragflow.source_sections import MAX_BYTES, BeirSource, FilesSource, ReadersBy, WebSource

if TYPE_CHECKING:
    from connectors.outbound import Outbound


def spec(config: Config, name: str) -> SourceSpec:
    """Return a source with its connector; nobody outside its readers may read anything of it."""
    source = config.sources[name]
    ceiling = frozenset(source.readers).union(*(rule.readers for rule in getattr(source, "readers_by", ())))
    return SourceSpec(name, source.type, _connector(config, name), ceiling, getattr(source, "parallel", 1))


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
    made: Connector = _MAKERS[type(source)](config, name, source)
    return made


def _files(config: Config, _: str, source: FilesSource) -> Connector:
    from connectors.files import Files

    return Files(
        config.resolve(source.path),
        readers=source.readers,
        include=source.include,
        exclude=source.exclude,
        readers_by=_rules(source.readers_by),
        max_bytes=source.max_bytes,
    )


def _beir(config: Config, _: str, source: BeirSource) -> Connector:
    from connectors.beir import Beir

    return Beir(config.resolve(source.path), readers=source.readers)


def _web(config: Config, name: str, source: WebSource) -> Connector:
    from connectors.crawling.crawl import Reach
    from connectors.web import Access, Web, WebPages

    return Web(
        WebPages(
            start=source.start,
            sitemap=source.sitemap,
            include=source.include,
            exclude=source.exclude,
            hosts=source.hosts,
            robots=source.robots,
            main_content=source.main_content,
            max_bytes=source.max_bytes,
        ),
        outbound=outbound(config, rate=source.rate, timeout=source.timeout, max_bytes=source.max_bytes),
        access=Access(source.readers, _rules(source.readers_by), _web_credentials(config, source)),
        reach=Reach(source.depth, source.max_pages, source.parallel),
        state=state(config, name),
    )


def _web_credentials(config: Config, source: WebSource) -> dict[str, str]:
    if source.token_env is None:
        return {}
    token = config.secret(source.token_env)
    if token is None:
        raise SourceMisconfigured(
            f"the environment variable {source.token_env} is not set", hint="`token_env` names it: set it"
        )
    # A scheme of another kind (`Basic ...`) stands in the variable itself.
    bearer = source.header.lower() == "authorization" and " " not in token
    return {source.header: f"Bearer {token}" if bearer else token}


# Each maker imports its connector itself: most workspaces need one or two of them.
_MAKERS: Mapping[type[Section], Callable[[Config, str, Any], Connector]] = {
    FilesSource: _files,
    BeirSource: _beir,
    WebSource: _web,
}


def _rules(readers_by: Sequence[ReadersBy]) -> tuple[ReadersRule, ...]:
    return tuple((globs((rule.glob,))[0], rule.readers) for rule in readers_by)


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
