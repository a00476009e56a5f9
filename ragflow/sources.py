"""The configured sources and how to sync them -> the values that ``indexes.sync`` takes."""

import shutil
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from connectors.errors import ConnectorError, ExtraMissing, SourceMisconfigured
from connectors.globs import ReadersRule, Selection, globs, selection
from connectors.items import Connector
from connectors.parsing import second
from connectors.parsing.keys import parsing_key, retry_key
from connectors.parsing.pool import ParserPool
from indexes.build import Chunking
from indexes.plan import Brake, ParseKeys, SourceSpec
from indexes.report import SyncOptions
from ragflow.config import Config
from ragflow.mail_section import MailSource
from ragflow.section import MAX_BYTES, Section
from ragflow.sight import seen
from ragflow.source_sections import (
    BeirSource,
    FilesSource,
    GitSource,
    PluginSource,
    ReadersBy,
    RestSource,
    WebSource,
)
from ragflow.sql_section import SqlSource

if TYPE_CHECKING:
    from connectors.outbound import Outbound


def spec(config: Config, name: str) -> SourceSpec:
    """Return a source with its connector; nobody outside its readers may read anything of it.

    Where the source tells its items' readers itself, those decide.

    Raises:
        ExtraMissing: its parser is not installed.
    """
    source = config.sources[name]
    formats = second.chosen(source.parser)
    if formats and (why := second.absent()):
        raise ExtraMissing(f"the parser of source {name} cannot be used: {why}", hint=second.INSTALL)
    ceiling = frozenset(source.readers).union(*(rule.readers for rule in getattr(source, "readers_by", ())))
    fetchers: int = getattr(source, "parallel", 1)
    connector = _connector(config, name)
    who = None if source.own_readers else ceiling
    keys = _keys(config, formats) if formats else None
    return SourceSpec(name, source.type, connector, who, fetchers, formats, keys)


def _keys(config: Config, formats: Collection[str] = ()) -> ParseKeys:
    p = config.parse
    return ParseKeys(parsing_key(p.ocr, p.hidden_text, formats), retry_key(p.ocr, p.hidden_text, formats))


def options(config: Config, run: str, *, cited: Collection[tuple[str, str]]) -> SyncOptions:
    """Return how to sync; ``cited`` are (document, revision) pairs that runs keep as evidence."""
    c, i = config.chunk, config.index
    return SyncOptions(
        run=run,
        keys=_keys(config),
        chunking=Chunking(c.mode, c.tokens, c.overlap),
        brake=Brake(i.brake.share, i.brake.documents),
        keep_generations=i.keep_generations,
        cited=cited,
        seen=seen(config),
    )


def parsers(config: Config) -> ParserPool:
    """Return the pool of parsing processes with the configured limits."""
    p = config.parse
    return ParserPool(timeout=p.timeout, memory_mb=p.memory_mb, ocr=p.ocr, hidden=p.hidden_text)


def _connector(config: Config, name: str) -> Connector:
    """Return the connector; one that cannot be made now raises why at its first use: the others go on."""
    from connectors.plugins import Unmade

    source = config.sources[name]
    try:
        made: Connector = _MAKERS[type(source)](config, name, source)
    except ConnectorError as error:
        return Unmade(error)
    return made


def _secret(config: Config, variable: str | None, key: str) -> str | None:
    """Return what the environment variable holds that ``key`` names; None where the key names none.

    Raises:
        SourceMisconfigured: it is not set, or empty.
    """
    value = config.secret(variable) if variable else None
    if variable and not value:
        raise SourceMisconfigured(
            f"the environment variable {variable} is not set", hint=f"`{key}` names it: set it"
        )
    return value


def _files(config: Config, _: str, source: FilesSource) -> Connector:
    from connectors.places import protocol_of

    path = config.resolve(source.path)
    if protocol_of(path)[0] != "file":
        return _remote_files(config, source)
    from connectors.files import Files

    return Files(
        path,
        readers=source.readers,
        include=source.include,
        exclude=source.exclude,
        readers_by=_rules(source.readers_by),
        max_bytes=source.max_bytes,
    )


def _remote_files(config: Config, source: FilesSource) -> Connector:
    from connectors.remote_files import RemoteFiles, remote_place
    from connectors.s3_bucket import S3Access

    s = source.storage
    access = S3Access(
        endpoint=s.endpoint,
        region=s.region,
        key=_secret(config, s.key_env, "storage.key_env"),
        secret=_secret(config, s.secret_env, "storage.secret_env"),
        token=_secret(config, s.token_env, "storage.token_env"),
        anonymous=s.anonymous,
    )
    place = remote_place(source.path, access, outbound(config))
    return RemoteFiles(place, _selection(source), max_bytes=source.max_bytes)


def _git(config: Config, name: str, source: GitSource) -> Connector:
    from connectors.git import Git, Wanted
    from connectors.git_remote import Remote, is_remote

    wanted = Wanted(_selection(source), source.ref, source.link, source.max_bytes)
    kept = state(config, name)
    if not is_remote(source.path):
        return Git(Path(config.resolve(source.path)), wanted, state=kept)
    token = _secret(config, source.token_env, "token_env")
    return Git(Remote(source.path, outbound(config), token), wanted, state=kept)


def _selection(source: FilesSource | GitSource) -> Selection:
    return selection(
        source.readers,
        include=source.include,
        exclude=source.exclude,
        readers_by=_rules(source.readers_by),
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
    token = _secret(config, source.token_env, "token_env")
    if token is None:
        return {}
    # A scheme of another kind (`Basic ...`) stands in the variable itself.
    bearer = source.header.lower() == "authorization" and " " not in token
    return {source.header: f"Bearer {token}" if bearer else token}


def _rest(config: Config, name: str, source: RestSource) -> Connector:
    from connectors.rest import Rest
    from connectors.rest_client import RestClient
    from ragflow.rest_making import api, auth

    client = RestClient(
        source.url,
        auth=auth(source),
        headers=source.headers,
        outbound=outbound(config, rate=source.rate, timeout=source.timeout, max_bytes=source.max_bytes),
        secret=config.secret,
    )
    return Rest(api(source), client, readers=source.readers, state=state(config, name))


def _mail(config: Config, name: str, source: MailSource) -> Connector:
    from connectors.mail.imap import Imap
    from connectors.mail.maildir import Maildir
    from connectors.mail.mbox import Mbox
    from connectors.mail.source import Mail, Rules
    from connectors.mail.wire import Server

    rules = Rules(source.readers, source.participants, source.max_bytes)
    if source.imap is None:
        path = Path(config.resolve(source.path or ""))
        return Mail(Maildir(path), rules) if path.is_dir() else Mail(Mbox(path), rules)
    i = source.imap
    password = config.secret(i.password_env)
    server = Server(i.host, i.user, password, i.password_env, i.port or 0, i.tls, i.timeout)
    return Mail(Imap(server, i.folders, state=state(config, name), max_bytes=source.max_bytes), rules)


def _sql(config: Config, _: str, source: SqlSource) -> Connector:
    from connectors.sql import Rows, Sql, SqlLimits
    from connectors.sql_rows import RowReaders

    url = source.url or _secret(config, source.url_env, "url_env") or ""
    before, slashes, path = url.partition("///")
    if before.startswith("sqlite") and path:
        url = f"{before}{slashes}{quote(config.resolve(unquote(path)))}"
    column, told = source.readers_column, (source.readers_separator, source.readers_template)
    return Sql(
        url,
        Rows(**{key: getattr(source, key) for key in Rows.__dataclass_fields__}),
        readers=source.readers,
        row_readers=None if column is None else RowReaders(column, *told),
        # One more: a listing may be under way while rows are fetched.
        limits=SqlLimits(source.parallel + 1, source.timeout, source.max_bytes),
    )


def _plugin(config: Config, name: str, source: PluginSource) -> Connector:
    from connectors.plugins import Context, Guarded, Secrets, maker

    secrets = Secrets(config.secret)
    requests = outbound(config)

    def make() -> Connector:
        place = state(config, name)
        context = Context(name, source.options, source.readers, config.folder, place, secrets, requests)
        return maker(source.type)(context)

    guarded = Guarded(source.type, make, secrets=secrets)
    weakref.finalize(guarded, requests.close)
    return guarded


# Each maker imports its connector itself: most workspaces need one or two of them.
_MAKERS: Mapping[type[Section], Callable[[Config, str, Any], Connector]] = {
    FilesSource: _files,
    GitSource: _git,
    BeirSource: _beir,
    RestSource: _rest,
    MailSource: _mail,
    WebSource: _web,
    SqlSource: _sql,
    PluginSource: _plugin,
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
    config.workspace.mkdir(mode=0o700, exist_ok=True)  # parents that mkdir makes get the usual mode
    folder = config.workspace / "sources" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def forget_states(config: Config) -> None:
    """Delete what connectors kept for sources that are configured no more: a mirror holds all their files.

    A folder that cannot be deleted stays, until the next time.
    """
    try:
        kept = sorted((config.workspace / "sources").iterdir())
    except FileNotFoundError:
        return
    for folder in kept:
        if folder.name not in config.sources and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
