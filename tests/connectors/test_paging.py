"""Each style of paging gives every entry once, or says that the listing broke off."""

import json
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import SourceMisconfigured
from connectors.json_paths import Path
from connectors.paging import Answer, Ask, BrokeOff, Listing, Paging
from connectors.url_templates import Template

P = Path.parse
STYLES = {
    "next": Paging("next", path=P("next")),
    "next, with a prefix": Paging("next", path=P("relative"), prefix="https://api.example"),
    "header": Paging("header"),
    "cursor": Paging("cursor", path=P("cursor"), parameter="after"),
    "cursor and more": Paging("cursor", path=P("cursor"), parameter="after", more=P("more")),
    "offset": Paging("offset", parameter="start"),
    "offset from 1 and total": Paging("offset", parameter="start", first=1, total=P("total")),
    "offset and more": Paging("offset", parameter="start", more=P("more")),
    "page": Paging("page", parameter="page", first=1),
    "page and total": Paging("page", parameter="page", first=1, total=P("total")),
}


class Server:
    """Answers any style over the same entries, ``size`` on a page; ``before`` is called with each request."""

    def __init__(self, count, size, *, first=0):
        self.ids = [str(number) for number in range(count)]
        self.size, self.first = size, first
        self.asked = []
        self.before = lambda _: None
        self.answers = {}

    def __call__(self, ask):
        self.before(len(self.asked))
        self.asked.append(ask)
        query = {name: values[-1] for name, values in parse_qs(urlsplit(ask.url).query).items()}
        told = {**query, **(json.loads(ask.body) if ask.body else {})}
        start = int(told.get("after", 0))
        if "start" in told:
            start = int(told["start"]) - self.first
        if "page" in told:
            start = (int(told["page"]) - 1) * self.size
        end = start + self.size
        more = end < len(self.ids)
        document = {
            "items": [{"id": one, "now": len(self.asked)} for one in self.ids[start:end]],
            "total": len(self.ids),
            "more": more,
        }
        if more:
            place = f"/list?after={end}"
            document |= {"next": f"https://api.example{place}", "relative": place, "cursor": end}
        link = f'<https://x/0>; rel="prev", </list?after={end}>; title="a, b"; rel="next"' if more else ""
        document |= self.answers
        return Answer(ask.url, document, link, None)


def listing(paging, *, body=None):
    return Listing(Ask.of("https://api.example/list?q=a%20b", body), P("items"), P("id"), paging)


def read(paging, server, *, body=None):
    return [entry["id"] for page in listing(paging, body=body).pages(server) for entry in page.entries]


@pytest.mark.parametrize("paging", STYLES.values(), ids=STYLES)
@given(count=st.integers(0, 30), size=st.integers(1, 8), posted=st.booleans())
def test_every_entry_comes_once_and_in_order(paging, count, size, posted):
    server = Server(count, size, first=paging.first if paging.style == "offset" else 0)
    assert read(paging, server, body={"q": 1} if posted else None) == server.ids
    assert all((ask.body is not None) == posted for ask in server.asked)
    assert len(server.asked) <= 2 * count + 2


@pytest.mark.parametrize("style", [one for one in STYLES if one.startswith("offset")])
@given(data=st.data())
def test_an_offset_into_a_list_that_shrinks_loses_nothing_without_saying_so(style, data):
    paging = STYLES[style]
    server = Server(12, data.draw(st.integers(2, 5)), first=paging.first)
    gone = data.draw(st.integers(0, 11))
    when = data.draw(st.integers(1, 3))
    stays = [one for one in server.ids if one != str(gone)]

    def lose(request):
        if request == when:
            server.ids.remove(str(gone))

    server.before = lose
    try:
        found = read(paging, server)
    except BrokeOff:
        return
    assert set(found) >= set(stays)


def test_a_list_that_shrinks_by_half_broke_off():
    server = Server(20, 4)

    def lose(request):
        if request == 2:
            del server.ids[:10]

    server.before = lose
    with pytest.raises(BrokeOff, match="shrank from 20 to 10 entries"):
        read(STYLES["page and total"], server)
    server = Server(20, 4, first=1)
    server.before = lose
    with pytest.raises(BrokeOff, match="moved while it was read"):
        read(STYLES["offset from 1 and total"], server)


def test_a_total_that_is_not_met_broke_off():
    for style in ("offset from 1 and total", "page and total"):
        server = Server(5, 2, first=STYLES[style].first)
        server.answers = {"total": 6}
        with pytest.raises(BrokeOff, match="announced 6 entries and gave 5"):
            read(STYLES[style], server)
    server = Server(5, 9)
    server.answers = {"total": 50}
    with pytest.raises(BrokeOff, match="announced 50 entries and gave 5"):
        read(Paging(total=P("total")), server)


@pytest.mark.parametrize("style", ["cursor and more", "offset and more"])
def test_more_without_a_place_to_go_on_broke_off(style):
    server = Server(1, 5)
    server.answers = {"more": True}
    with pytest.raises(BrokeOff, match=r"more, and not where|moved while"):
        read(STYLES[style], server)
    with pytest.raises(BrokeOff):
        read(Paging(more=P("more")), server)


def test_a_last_page_that_names_a_cursor_all_the_same_is_the_last():
    server = Server(3, 5)
    server.answers = {"more": False, "cursor": "again"}
    assert read(STYLES["cursor and more"], server) == ["0", "1", "2"]


@pytest.mark.parametrize("style", ["next", "cursor"])
def test_a_page_that_comes_twice_broke_off_and_does_not_go_round(style):
    server = Server(5, 2)
    server.answers = {"next": "/list?after=2", "cursor": 2}
    with pytest.raises(BrokeOff, match="one that was read before"):
        read(STYLES[style], server)
    assert len(server.asked) == 2


def test_empty_pages_without_end_broke_off():
    class Empty(Server):
        def __call__(self, ask):
            self.asked.append(ask)
            return Answer(ask.url, {"items": [], "cursor": len(self.asked)}, "", None)

    with pytest.raises(BrokeOff, match="in a row are empty"):
        read(STYLES["cursor"], Empty(0, 1))


@pytest.mark.parametrize(
    ("paging", "answers", "words"),
    [
        (STYLES["next"], {"items": None}, "no list of objects at `items`"),
        (STYLES["next"], {"items": {"0": {}}}, "no list of objects at `items`"),
        (STYLES["next"], {"items": [1, 2]}, "no list of objects at `items`"),
        (STYLES["page and total"], {"total": "5"}, "no number at `total`"),
        (STYLES["page and total"], {"total": None}, "no number at `total`"),
        (STYLES["page and total"], {"total": -1}, "no number at `total`"),
        (STYLES["cursor and more"], {"more": "yes"}, "neither true nor false at `more`"),
    ],
)
def test_what_is_not_as_described_is_told(paging, answers, words):
    server = Server(5, 2)
    server.answers = answers
    with pytest.raises(SourceMisconfigured, match=words) as caught:
        read(paging, server)
    assert caught.value.hint


@pytest.mark.parametrize("value", [{}, [], True])
def test_a_cursor_that_is_none_broke_off(value):
    server = Server(5, 2)
    server.answers = {"cursor": value}
    with pytest.raises(BrokeOff, match="neither text nor number"):
        read(STYLES["cursor"], server)


def test_a_parameter_replaces_its_like_and_is_quoted():
    ask = Ask("https://a.example/l?x=1&after=old&y=%20")
    assert ask.having("after", "a&b=c/ü").url == "https://a.example/l?x=1&y=%20&after=a%26b%3Dc%2F%C3%BC"
    assert Ask("https://a.example/l").having("n", 5).url == "https://a.example/l?n=5"
    posted = Ask.of("https://a.example/l", {"x": "ü"}).having("n", 5)
    assert (posted.url, json.loads(posted.body)) == ("https://a.example/l", {"x": "ü", "n": 5})


def test_what_is_filled_in_cannot_leave_its_place():
    one = Listing(Ask.of("https://a.example/l?q={since}", {"x": ["{since}"]}), P("."), P("id"))
    filled = one.filled("{since}", '"&x=1').ask
    assert filled.url == "https://a.example/l?q=%22%26x%3D1"
    assert json.loads(filled.body) == {"x": ['"&x=1']}


# -- paths and templates ------------------------------------------------------------------------------------

DOCUMENT = {
    "a": {"b": [{"c": 1}, {"c": None}, {}, {"c": 4}], "d.e": "dotted", "": "empty"},
    "@odata.nextLink": "https://x",
    "0": "zero",
    "list": [[1, 2], [], [3]],
}


@pytest.mark.parametrize(
    ("path", "one", "all_", "every"),
    [
        ("a.b.0.c", 1, [1], [1]),
        ("a.b.9.c", None, [], None),
        ("a.b[].c", 1, [1, 4], [1, None, None, 4]),
        ('a."d.e"', "dotted", ["dotted"], ["dotted"]),
        ('"@odata.nextLink"', "https://x", ["https://x"], ["https://x"]),
        ("0", "zero", ["zero"], ["zero"]),
        ("list[].[]", 1, [1, 2, 3], [1, 2, 3]),
        ("list[].0", 1, [1, 3], [1, None, 3]),
        ("a.*.0.c", 1, [1], [1, None, None]),
        ("a[]", None, [], None),
        ("list.*", None, [], None),
        ("none.b", None, [], None),
        ("list.-1", None, [], None),
    ],
)
def test_paths(path, one, all_, every):
    found = P(path)
    assert found.one(DOCUMENT) == one
    assert found.all(DOCUMENT) == all_
    assert found.every(DOCUMENT) == every


def test_the_whole_document_is_a_dot():
    assert P(".").one([1]) == [1]
    assert P("[]").all([1, 2]) == [1, 2]


@pytest.mark.parametrize(
    "text", ["", "..", "a..b", ".a", "a.", "a b", 'a"b', '"', "a[0]", "a[", "{a}", "$", "a[].."]
)
def test_what_is_no_path_is_refused(text):
    if text == "$":
        assert P(text).one({"$": 1}) == 1, "a key like any other"
        return
    with pytest.raises(SourceMisconfigured, match="not a path into JSON"):
        P(text)


@given(st.text())
def test_a_path_is_read_or_refused(text):
    with suppress(SourceMisconfigured):
        P(text).all(DOCUMENT)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("https://x/{id}", "https://x/a%2F..%2Fb%3F%23%26%20%C3%BC"),
        ("https://x{+id}", "https://xa/../b?#&%20%C3%BC"),
        ("https://x/{n}/{deep.n}", "https://x/7/8"),
        ("https://x/{gone}", None),
        ("https://x/{dots}", None),
        ("https://x/{empty}", None),
        ("https://x/{deep}", None),
        ("https://x/{yes}", None),
        ("https://x/{half}", None),
        ("https://x/", "https://x/"),
    ],
)
def test_templates(text, filled):
    document = {"id": "a/../b?#& ü", "n": 7, "deep": {"n": 8}, "dots": "..", "empty": "", "yes": True}
    assert Template.parse(text).filled({**document, "half": "\ud800"}) == filled


@pytest.mark.parametrize(
    "text", ["https://x/{", "https://x/}", "https://x/{}", "https://x/{{id}}", "https://{a b}"]
)
def test_what_is_no_template_is_refused(text):
    with pytest.raises(SourceMisconfigured):
        Template.parse(text)
