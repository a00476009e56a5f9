"""The part of a page that it is about: no true word is lost, and what a page declares around it goes."""

import re
from collections import Counter

import pytest

from connectors.crawling.pages import read_page
from connectors.outbound import Reply
from connectors.parsing import parse

URL = "https://handbook.example.com/page"
MENU = "".join(
    f'<li><a href="/{word}">{word} pages</a></li>' for word in "home products careers blog legal".split()
)
NOTICE = '<div class="cookie-banner"><p>We use cookies to count visits.</p><button>Accept</button></div>'
FOOTER = '<p>Copyright Northwind.</p><a href="/imprint">Imprint</a>'
RULE = "Requests are made in the portal, two weeks ahead, and the manager answers within three days. "
CONTENTS = {
    "article": "<h1>Leave</h1>" + "".join(f"<h2>Part {n}</h2><p>{RULE * 3}</p>" for n in range(4)),
    "table": "<h1>Prices</h1><table><tr><th>Item</th><th>Price</th></tr>"
    + "".join(f"<tr><td>Widget {n}</td><td>{n}.50</td></tr>" for n in range(20))
    + "</table>",
    "short": "<h1>Contact</h1><p>Call 555 1234 on weekdays.</p>",
    "links": "<h1>Departments</h1><ul>"
    + "".join(
        f'<li><a href="/{word}">Department {word}</a></li>' for word in "alpha beta gamma delta".split()
    )
    + "</ul>",
    "forum": "<h1>VPN fails</h1>"
    + "".join(
        f'<div class="comment"><p>Seen it, number {n}. Restart gateway {n}.</p></div>' for n in range(6)
    ),
    "definitions": "<h1>Words</h1><dl>"
    + "".join(f"<dt>Term {n}</dt><dd>Means thing {n}.</dd>" for n in range(8))
    + "</dl>",
    "code": "<h1>API</h1><p>So:</p><pre>client.call(1)\nclient.call(2)</pre>",
    "note": f"<h1>Rules</h1><aside class='note'>Mind the gap at platform nine.</aside><p>{RULE}</p>",
}


def declared(content):
    return (
        f"{NOTICE}<header><a href='/'>Northwind</a><nav><ul>{MENU}</ul></nav></header>"
        f"<aside><ul>{MENU}</ul></aside><main>{content}<nav>next page</nav></main><footer>{FOOTER}</footer>"
    )


def by_role(content):
    return f"<div role=banner>{MENU}</div><div role=main>{content}</div><div role=contentinfo>{FOOTER}</div>"


def bare_divs(content):
    return (
        f'<div id="header"><ul class="menu">{MENU}</ul></div><div id="content">{content}</div>'
        f'<div id="footer">{FOOTER}</div>{NOTICE}'
    )


def no_names(content):
    return (
        f'<div class="a1"><ul>{MENU}</ul></div><div class="a2">{content}</div><div class="a3">{FOOTER}</div>'
    )


THEMES = {"declared": declared, "by role": by_role, "bare divs": bare_divs, "no names": no_names}


def read(body, *, title="A title | Northwind"):
    page = f"<!doctype html><html lang=en><head><title>{title}</title></head><body>{body}</body></html>"
    found = read_page(Reply(URL, 200, {"content-type": "text/html"}, page.encode()), URL, main=True)
    assert found is not None
    return found


def words(body):
    (document,) = parse(read(body)[1].raw(URL)).documents
    return Counter(re.findall(r"\w+", document.text.lower()))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("theme", THEMES)
def test_no_word_of_the_content_is_lost(theme, content):
    lost = words(CONTENTS[content]) - words(THEMES[theme](CONTENTS[content]))
    # readability may give up a heading; the title has it.
    assert sum(lost.values()) <= 0.1 * sum(words(CONTENTS[content]).values())


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("theme", ["declared", "by role"])
def test_what_a_page_declares_to_be_around_its_content_goes(theme, content):
    assert words(THEMES[theme](CONTENTS[content])) == words(CONTENTS[content])


def test_a_cookie_notice_goes_everywhere_and_a_page_about_cookies_stays():
    assert "visits" not in words(bare_divs(CONTENTS["article"]))
    policy = f'<div class="cookie-policy"><h1>Cookies</h1><p>We bake cookies. {RULE * 12}</p></div>'
    assert "bake" in words(policy)


def test_an_empty_declared_part_gives_way_to_the_page():
    assert "weekdays" in words(f"<main></main>{CONTENTS['short']}")


def test_a_heading_above_the_content_stays_with_it():
    body = f"<h1>Travel rules</h1><main><p>{RULE}</p></main>"
    assert "travel" in words(body)


def test_what_changes_from_visit_to_visit_changes_no_bytes():
    def visit(token):
        return read(
            declared(f'<p data-token="{token}"><a href="/x?sid={token}">Rules</a> {RULE}</p>')
            + f"<script>var t = '{token}'</script><!-- {token} --><input name=csrf value={token}>"
        )

    assert visit("one")[0].digest == visit("two")[0].digest


def test_hidden_parts_are_left_for_whoever_looks_for_hidden_text():
    content = read("<main><p>Seen.</p><p style='display:none'>Not seen.</p></main>")[1]
    assert b'style="display:none"' in content.data


@pytest.mark.parametrize(
    ("title", "body", "expected"),
    [
        ("Leave | Northwind", "<h1>Leave</h1>", "Leave"),
        ("Northwind", "<h1>Leave</h1>", "Northwind"),
        ("", "<h1>Leave</h1>", "Leave"),
        ("Leave | Northwind", "<h1>Leave</h1><h1>Northwind</h1>", "Leave | Northwind"),
        ("", "<p>x</p>", None),
    ],
)
def test_the_title_is_the_heading_without_the_sites_name(title, body, expected):
    assert read(body, title=title)[1].title == expected
