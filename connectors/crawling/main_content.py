"""A page -> the part of it that is about something, as HTML, without what surrounds it on every page.

What the page itself declares (``main``, ``nav``, ``footer``, their roles) goes first; readability, which
weighs paragraphs against links, decides only where a page declares nothing, and only if it keeps most of
the words that are no links: it throws away lists, forums and short pages, which are content too.
"""

import copy
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from connectors.parsing.versions import named

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_REVISION = 1
# A note in the text is an `aside` too, an article's last line a `footer`: within content, links decide.
_ALWAYS, _IF_LINKS = frozenset({"nav", "dialog"}), frozenset({"aside", "footer"})
_ROLES = frozenset("navigation banner contentinfo complementary search dialog alertdialog menu".split())
_CONSENT = re.compile(r"cookie|consent|gdpr", re.IGNORECASE)
_NEVER = (*"script style noscript template iframe object svg input select".split(), "form//button")
_KEPT_ATTRIBUTES = frozenset(
    "aria-hidden bgcolor class color colspan dir face hidden id lang rowspan size start style type".split()
)
_LONGEST_NOTICE = 150
_LONGEST_HTML = 2_000_000
_MOSTLY = 0.9


def extraction_key() -> str:
    """Name what the extracted bytes depend on beside the page."""
    return f"{named('readability-lxml')} {named('lxml')} main/{_REVISION}"


def main_content(root: "HtmlElement") -> "HtmlElement":
    """Return the body of a page cut down to its content; ``root`` (a whole page) stays as it is.

    Never empty where the page has words: what would drop them all gives way to the page itself.
    """
    whole = _body(root)
    declared = _declared(whole)
    content = _stripped(whole) if declared is None else declared
    if not _words(content):
        content = whole
    heading = whole.find(".//h1")
    if heading is not None and content.find(".//h1") is None and len(whole.findall(".//h1")) == 1:
        # The page's heading often stands above its declared content.
        content.insert(0, copy.deepcopy(heading))
        content[0].tail = None
    return content


def shown(root: "HtmlElement", content: "HtmlElement") -> bytes:
    """Return a page of this content as HTML in UTF-8: the title and the style sheets stay with it.

    Attributes that only scripts and links use are left out: they change from visit to visit.
    """
    from lxml import etree, html

    page = html.Element("html", {name: root.get(name) or "" for name in ("lang", "dir")})
    head, body = html.Element("head"), html.Element("body")
    page.extend((head, body))
    for part in root.xpath("//head/title | //style"):
        head.append(copy.deepcopy(part))
        head[-1].tail = None
    body.text = content.text
    body.extend([copy.deepcopy(child) for child in content])
    for element in page.iter(etree.Element):
        for name in [
            name for name in element.attrib if name not in _KEPT_ATTRIBUTES or not element.get(name)
        ]:
            if name != "hidden":
                del element.attrib[name]
    return bytes(html.tostring(page, encoding="utf-8", doctype="<!doctype html>"))


def words_of(element: "HtmlElement") -> list[str]:
    """Return the words that an element shows, in lower case."""
    return re.findall(r"\w+", " ".join(element.itertext()).lower())


def _body(root: "HtmlElement") -> "HtmlElement":
    found = root.find("body")
    body = copy.deepcopy(root if found is None else found)
    for path in _NEVER:
        _drop(body.findall(f".//{path}"))
    return body


def _declared(body: "HtmlElement") -> "HtmlElement | None":
    """Return the content that a page declares, without what it declares to be around it."""
    mains = body.xpath(".//main[not(ancestor::main)] | .//*[@role='main'][not(ancestor-or-self::main)]")
    articles = body.xpath(".//article[not(ancestor::article)]")
    if len(mains) == 1:
        least, content = 0.0, copy.deepcopy(mains[0])
    elif not mains and len(articles) == 1:
        least, content = 0.5, copy.deepcopy(articles[0])
    else:
        return None
    _drop(_around(content))
    kept = _words(content)
    return content if kept and kept >= least * _words(_bare(body)) else None


def _stripped(body: "HtmlElement") -> "HtmlElement":
    """Return the content of a page that declares none: readability's choice, if it keeps most words."""
    bare = _bare(body)
    said = _words(bare) - _links(bare)
    # Where links are most of what is said, they may be what the page is about.
    chosen = _readable(bare) if said > _words(bare) / 2 else None
    if chosen is None or _words(chosen) - _links(chosen) < _MOSTLY * said:
        return bare
    return chosen


def _bare(body: "HtmlElement") -> "HtmlElement":
    """Return a body without its navigation, headers, footers and cookie notices."""
    bare = copy.deepcopy(body)
    ends = bare.xpath(".//footer[not(ancestor::article)] | .//header[.//nav]")
    _drop([*_around(bare), *ends, *_notices(bare), *_menus(bare)])
    return bare


def _drop(elements: "Iterable[HtmlElement]") -> None:
    """Take elements out of their page, with all they hold; the text after each stays."""
    for element in elements:
        if element.getparent() is not None:
            element.drop_tree()


def _around(root: "HtmlElement") -> "list[HtmlElement]":
    """Return what a page declares to be around its content."""
    return [
        element
        for element in root.iterdescendants()
        if element.tag in _ALWAYS
        or (element.get("role") or "").lower() in _ROLES
        or (element.tag in _IF_LINKS and _links(element) > _words(element) / 2)
    ]


def _notices(root: "HtmlElement") -> "list[HtmlElement]":
    marked = root.xpath(".//*[@id or @class]")
    return [
        element
        for element in marked
        if _CONSENT.search(f"{element.get('id') or ''} {element.get('class') or ''}")
        and _words(element) < _LONGEST_NOTICE
    ]


def _menus(root: "HtmlElement") -> "list[HtmlElement]":
    """Return the blocks that a page calls its menu, side bar or footer, and that hold little but links."""
    marked = root.xpath(".//*[self::div or self::ul or self::section][@id or @class]")
    called = re.compile(
        r"(?:^|[\s_-])(?:nav|navbar|menu|sidebar|header|footer|breadcrumbs?|toc|related)(?:$|[\s_-])",
        re.IGNORECASE,
    )
    return [
        element
        for element in marked
        if (called.search(element.get("id") or "") or called.search(element.get("class") or ""))
        and _links(element) > _words(element) * 0.4
    ]


def _readable(body: "HtmlElement") -> "HtmlElement | None":
    from lxml import html
    from readability import Document, readability

    page = html.tostring(body, encoding="unicode")
    if len(page) > _LONGEST_HTML:
        return None
    # It would write what it cannot read to a log; here that is told by the page that is kept whole.
    readability.log.disabled = True
    try:
        return _body(html.document_fromstring(Document(html.document_fromstring(page)).summary()))
    except (readability.Unparseable, html.etree.ParserError, ValueError):
        return None


def _words(element: "HtmlElement") -> int:
    return len(words_of(element))


def _links(element: "HtmlElement") -> int:
    return sum(_words(link) for link in element.iterdescendants("a"))
