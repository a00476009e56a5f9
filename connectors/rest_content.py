"""The content of one item of a JSON API: text out of JSON, paragraphs out of blocks, or a file's bytes."""

import html
import re
from dataclasses import replace

from connectors.errors import ResponseTooLarge, SourceMisconfigured, UnreadableDocument
from connectors.items import Item, Raw
from connectors.json_paths import Path
from connectors.paging import Answer, Ask, BrokeOff, Entry
from connectors.rest_api import About, Content
from connectors.rest_client import RestClient

_KINDS = {
    "html": ("text/html", ".html"),
    "storage": ("text/html", ".html"),
    "markdown": ("text/markdown", ".md"),
    "text": ("text/plain", ".txt"),
}
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


def raw_of(item: Item, about: About, entry: Entry | None, content: Content, client: RestClient) -> Raw:
    """Return an item's bytes with what is known about it. ``entry``: its JSON, where the content is there.

    Raises ``UnreadableDocument``, and what a client's ``file`` raises.
    """
    if content.format == "file":
        reply = client.file(_address(item, about), item.id, content.most)
        data, name, media = reply.body, about.name or item.id, reply.headers.get("content-type")
    else:
        kind, suffix = _KINDS[content.format]
        text = _text(item, about, entry, content, client)
        if content.format == "storage":
            # Readers of html drop such sections, and a wiki keeps its code in them.
            text = _CDATA.sub(lambda found: html.escape(found[1]), text)
        data, name, media = text.encode("utf-8", "replace"), item.id + suffix, f"{kind}; charset=utf-8"
    return Raw(item.id, data, name, media, about.title, about.link, about.modified, about.author)


def damaged(item: Item, what: str) -> UnreadableDocument:
    """Return the error of an item whose JSON is not as described."""
    return UnreadableDocument(
        f"{item.id}: {what}", reason="damaged", hint="look at what the API answers for it, and at the paths"
    )


def _address(item: Item, about: About) -> Ask:
    if about.content is None:
        raise damaged(item, "a field of its content's address is missing")
    return Ask(about.content)


def _text(item: Item, about: About, entry: Entry | None, content: Content, client: RestClient) -> str:
    if content.url is None:
        return _pieces(item, content.path, entry)
    ask = _address(item, about)
    if content.blocks is None:
        return _pieces(item, content.path, client.item(ask, item.id, content.most).document)

    def get(one: Ask) -> Answer:
        return client.item(one, item.id, content.most)

    paragraphs: list[str] = []
    left = content.most
    try:
        for page in replace(content.blocks, ask=ask).pages(get):
            for block in page.entries:
                paragraphs.append("".join(_strings(content.path, block)))
                left -= len(paragraphs[-1])
            if left < 0:
                raise ResponseTooLarge(
                    f"{item.id} has more than {content.most} bytes", hint="raise `max_bytes`, or leave it out"
                )
    except BrokeOff as error:
        raise UnreadableDocument(
            f"{item.id}: its content broke off: {error}", reason="unreachable", hint="try again later"
        ) from error
    except SourceMisconfigured as error:
        raise damaged(item, str(error)) from error
    return "\n\n".join(one for one in paragraphs if one)


def _pieces(item: Item, path: Path | None, document: object) -> str:
    found = [] if path is None else path.all(document)
    if path is None or not found or not all(isinstance(one, str) for one in found):
        raise damaged(item, f"there is no text at `{path.text if path else 'content.path'}`")
    return "".join(_strings(path, document))


def _strings(path: Path | None, document: object) -> list[str]:
    return [] if path is None else [one for one in path.all(document) if isinstance(one, str)]
