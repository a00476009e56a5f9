"""The section of a ``rest`` source -> the description that its connector takes."""

from collections.abc import Mapping, Sequence

from connectors.json_paths import Path
from connectors.paging import Ask, Listing, Paging, Style
from connectors.rest_access import Access
from connectors.rest_api import Api, Content, Fields, Slim
from connectors.rest_client import Auth
from connectors.url_templates import Template
from ragflow.rest_section import RestChanges, RestKeys, RestPages, RestSlim

_FIRST: Mapping[str, int] = {"page": 1}


def api(source: RestKeys) -> Api:
    """Return the described API."""
    item = source.item
    return Api(
        listing=_listing(source, source),
        fields=Fields(
            id=Path.parse(item.id),
            version=_paths(item.version),
            title=_path(item.title),
            modified=_path(item.modified),
            author=_path(item.author),
            link=_template(item.link),
            url=_template(item.url),
            only=_paths(item.only),
            without=_paths(item.without),
        ),
        content=_content(source),
        access=_access(source),
        slim=_slim(source),
    )


def _access(source: RestKeys) -> Access | None:
    given = source.access
    if given is None:
        return None
    return Access(_paths(given.users), _paths(given.groups), given.unrestricted, _path(given.inherited))


def auth(source: RestKeys) -> Auth:
    """Return how to sign in."""
    given = source.auth
    if given is None:
        return Auth()
    return Auth(given.token_env, given.header, given.prefix, given.user_env, given.password_env)


def _content(source: RestKeys) -> Content:
    content, blocks = source.content, None
    if content.blocks is not None:
        # Its address is filled for each item.
        paging = _paging(content.blocks.pages or source.pages)
        blocks = Listing(Ask(""), Path.parse(content.blocks.items), Path.parse("id"), paging)
    return Content(
        path=_path(content.path),
        format=content.format,
        url=_template(content.url),
        name=_path(content.name),
        blocks=blocks,
        most=source.max_bytes,
    )


def _slim(source: RestKeys) -> Slim | None:
    slim, changes = source.slim, source.changes
    if slim is None:
        return None
    listing, versions = _listing(source, slim), "version" in slim.tells
    if changes is None:
        return Slim(listing, versions)
    changed = _listing(source, changes)
    return Slim(listing, versions, changed, changes.form, changes.overlap, changes.full_every)


def _listing(source: RestKeys, part: RestKeys | RestSlim | RestChanges) -> Listing:
    return Listing(
        ask=Ask.of(part.url, part.body),
        items=Path.parse(part.items or source.items),
        id=Path.parse(source.item.id),
        paging=_paging(part.pages or source.pages),
    )


def _paging(pages: RestPages) -> Paging:
    style: Style = pages.style
    first = pages.first if pages.first is not None else _FIRST.get(style, 0)
    return Paging(
        style=style,
        path=_path(pages.path),
        prefix=pages.prefix,
        parameter=pages.parameter or "",
        first=first,
        more=_path(pages.more),
        total=_path(pages.total),
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path.parse(text)


def _paths(texts: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path.parse(text) for text in texts)


def _template(text: str | None) -> Template | None:
    return None if text is None else Template.parse(text)
