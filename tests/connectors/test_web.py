"""The web connector against a real site on loopback."""

import threading
from collections import Counter
from itertools import permutations

import pytest
from faults import Faults
from hypothesis import given
from hypothesis import strategies as st
from site_server import Doc, SiteServer, doc, handbook, packed, page, redirect, sitemap_index, urlset

from connectors.crawling.canonical import standing_for
from connectors.crawling.crawl import Reach
from connectors.crawling.pages import read_page
from connectors.crawling.urls import normalised
from connectors.errors import (
    AccessDenied,
    AddressRefused,
    ConnectorError,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.globs import globs
from connectors.items import Item
from connectors.outbound import Limits, Outbound, Reply
from connectors.parsing import parse
from connectors.retrying import Patience
from connectors.testing import ConnectorContract
from connectors.web import Access, Web, WebPages
from indexes.plan import SourceSpec
from indexes.query import Query

READERS = Access(("everyone",))
ALL = ["/", "/files/rates.csv", "/it/", "/it/vpn", "/leave", "/leave/archive", "/leave/parental", "/travel"]


class Crawler:
    """Makes connectors over a server, with a folder for their state; ``waited`` are the pauses asked for."""

    def __init__(self, state):
        self.state = state
        self.waited = []

    def __call__(
        self, server, *, start="/", access=READERS, reach=None, rate=0.0, allow=("127.0.0.1",), **web
    ):
        limits = Limits(timeout=5.0, rate=rate, patience=Patience(tries=5))
        return Web(
            WebPages(start=tuple(server.url + one for one in start.split()), **web),
            outbound=Outbound(allow=allow, limits=limits, sleep=self.waited.append),
            access=access,
            reach=reach or Reach(),
            state=self.state,
        )

    def forget(self):
        """Delete the state."""
        for file in self.state.iterdir():
            file.unlink()


@pytest.fixture
def crawler(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return Crawler(folder)


@pytest.fixture
def site():
    with SiteServer(handbook()) as server:
        yield server


def paths(server, connector):
    return [item.id.removeprefix(server.url) for item in connector.list()]


def state_of(server, connector):
    """What a sync would see: every item with its fingerprint, readers and bytes, without the port."""
    seen = {}
    for item in list(connector.list()):
        try:
            got = connector.fetch(item).data
        except UnreadableDocument as error:
            got = error.reason
        seen[item.id.removeprefix(server.url)] = (item.fingerprint, item.readers, got)
    return seen


def text_of(raw):
    (document,) = parse(raw).documents
    return document.text


class TestContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _served(self, crawler, site):
        self._make = lambda: crawler(site)

    def connector(self):
        return self._make()


class TestContractWithoutState(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _served(self, site):
        self._make = lambda: Crawler(None)(site, main_content=False)

    def connector(self):
        return self._make()


# -- what is listed ----------------------------------------------------------------------------------


def test_pages_and_documents_behind_the_start_page_are_listed_by_their_addresses(crawler, site):
    assert paths(site, crawler(site)) == ALL
    assert "/private/board" not in site.statuses
    assert "/secret" not in site.statuses


def test_an_unchanged_site_sends_no_page_a_second_time(crawler, site):
    first = list(crawler(site).list())
    site.forget()
    assert list(crawler(site).list()) == first
    assert site.bodies == 0
    assert all(site.statuses[path] == [304] for path in ALL)


def test_what_is_listed_does_not_depend_on_the_state(crawler, site):
    first = list(crawler(site).list())
    assert list(crawler(site).list()) == first
    crawler.forget()
    assert list(crawler(site).list()) == first
    for file in crawler.state.iterdir():
        file.write_bytes(b"\x1f\x8bnot what it was")
    assert list(crawler(site).list()) == first


def test_the_state_holds_no_text(crawler, site):
    import gzip

    list(crawler(site).list())
    (file,) = crawler.state.iterdir()
    held = gzip.decompress(file.read_bytes())
    assert b"/leave/parental" in held
    for word in (b"Employees", b"Handbook", b"gateway", b"Paris"):
        assert word not in held


def test_a_listing_spares_the_fetches_their_requests(crawler, site):
    connector = crawler(site)
    items = list(connector.list())
    site.forget()
    for item in items:
        connector.fetch(item)
    assert site.bodies == 0


def test_an_item_is_its_main_content_with_title_link_and_date(crawler, site):
    connector = crawler(site)
    items = {item.id.removeprefix(site.url): item for item in connector.list()}
    raw = connector.fetch(items["/travel"])
    assert (raw.title, raw.link) == ("Travel", f"{site.url}/travel")
    assert raw.modified == "2026-11-04T10:00:00Z"
    (document,) = parse(raw).documents
    assert document.title == "Travel"
    assert "Hotels above 140 euro" in document.text
    assert "Paris" in document.text
    assert "Imprint" not in document.text
    assert "Northwind" not in document.text
    assert connector.fetch(items["/files/rates.csv"]).media_type == "text/csv"


def test_the_whole_page_is_kept_where_that_is_asked_for(crawler, site):
    connector = crawler(site, main_content=False)
    raw = connector.fetch(next(item for item in connector.list() if item.id.endswith("/travel")))
    assert raw.data == site.pages["/travel"].body


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"include": ("leave/**",)}, ["/leave/archive", "/leave/parental"]),
        ({"include": ("LEAVE*/**", "leave")}, ["/leave", "/leave/archive", "/leave/parental"]),
        ({"exclude": ("leave*", "leave/**")}, ["/", "/files/rates.csv", "/it/", "/it/vpn", "/travel"]),
        ({"reach": Reach(depth=0)}, ["/"]),
        ({"reach": Reach(depth=1)}, ["/", "/it/", "/leave", "/travel"]),
    ],
)
def test_globs_and_depth_narrow_a_source(crawler, site, more, expected):
    site.pages["/"] = doc("Handbook", "<p>x</p>", links=["/leave", "/travel", "/it/"])
    if "leave/**" in more.get("include", ()):
        site.pages["/"] = doc("Handbook", "<p>x</p>", links=["/leave/parental", "/leave/archive", "/travel"])
    assert paths(site, crawler(site, **more)) == expected


def test_a_query_can_be_excluded(crawler, site):
    site.pages["/"] = doc("Handbook", "<p>x</p>", links=["/leave?print=1", "/leave"])
    site.pages["/leave?print=1"] = site.pages["/leave"]
    shown = paths(site, crawler(site, exclude=("**/*[?]*",)))
    assert "/leave" in shown
    assert "/leave?print=1" not in shown


def test_readers_by_glob(crawler, site):
    rules = ((globs(["leave/**"])[0], ("group:hr",)), (globs(["**/*"])[0], ()))
    items = crawler(site, access=Access(("everyone",), rules)).list()
    readers = {item.id.removeprefix(site.url): item.readers for item in items}
    assert readers["/leave/parental"] == ("group:hr",)
    assert readers["/travel"] == ()


def test_other_hosts_are_left_out_unless_named(crawler, site):
    with SiteServer({"/": doc("Elsewhere", "<p>Another site.</p>")}) as other:
        site.pages["/"] = doc("Handbook", "<p>x</p>", links=[f"{other.url}/", "/travel"])
        assert not any(item.id.startswith(other.url) for item in crawler(site).list())
        assert not other.seen
        items = list(crawler(site, hosts=(f"127.0.0.1:{other.port}",)).list())
        assert f"{other.url}/" in {item.id for item in items}


def test_a_token_goes_to_the_sites_own_origin_alone(crawler, site):
    with SiteServer({"/": doc("Elsewhere", "<p>Another site.</p>")}) as other:
        site.pages["/"] = doc("Handbook", "<p>x</p>", links=[f"{other.url}/", "/gone-over"])
        site.pages["/gone-over"] = redirect(f"{other.url}/")
        access = Access(("everyone",), credentials={"Authorization": "Bearer sesame"})
        list(crawler(site, access=access, hosts=(f"127.0.0.1:{other.port}",)).list())
        assert all(headers["authorization"] == "Bearer sesame" for _, headers in site.seen)
        assert other.seen
        assert not any("authorization" in headers for _, headers in other.seen)


def test_http_and_https_of_one_host_are_one_page(crawler, site):
    site.pages["/"] = doc("Start", "<p>x</p>", links=[f"https://127.0.0.1:{site.port}/travel"])
    assert paths(site, crawler(site))[:2] == ["/", "/files/rates.csv"]
    assert site.statuses["/travel"] == [200]


def test_a_redirect_to_another_host_asks_nothing_more_of_it(crawler, site):
    with SiteServer({"/x": doc("Elsewhere", "<p>Another site.</p>")}) as other:
        site.pages["/travel"] = redirect(f"{other.url}/x")
        assert "/travel" not in paths(site, crawler(site))
        assert set(other.statuses) == {"/x"}


# -- canonical addresses and redirects ---------------------------------------------------------------


def canonical_site(named):
    """A start page that links to pages of which each names another as canonical."""
    pages = {"/": doc("Start", "<p>All of them.</p>", links=sorted(named))}
    for path, canonical in named.items():
        pages[path] = doc(f"Page {path[1:]}", f"<p>Words of {path[1:]} alone.</p>", canonical=canonical)
    return pages


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({"/a": "/b", "/b": None}, ["/b"]),
        ({"/a": "/b", "/b": "/c", "/c": None}, ["/c"]),
        ({"/a": "/b", "/b": "/a"}, ["/a"]),
        ({"/c": "/a", "/a": "/b", "/b": "/a"}, ["/a"]),
        ({"/a": "/a"}, ["/a"]),
        ({"/a": "/not-there"}, ["/a"]),
        ({"/a": "http://other.example/a"}, ["/a"]),
        ({"/a": "/A/../b?utm_source=x#top", "/b": None}, ["/b"]),
        ({"/a": "/only-canonical"}, ["/only-canonical"]),
    ],
)
def test_pages_with_one_canonical_address_are_one_item(crawler, named, kept):
    pages = canonical_site(named)
    pages["/only-canonical"] = doc("Hidden", "<p>Linked by nobody.</p>")
    with SiteServer(pages) as server:
        assert paths(server, crawler(server)) == ["/", *kept]


@given(st.dictionaries(st.sampled_from("abcdefg"), st.none() | st.sampled_from("abcdefgx")))
def test_canonical_addresses_are_settled_in_any_order(named):
    first = standing_for(named, {})
    assert set(first) == set(named)
    assert set(first.values()) <= set(named)
    assert all(first[first[page]] == first[page] for page in named)
    for order in list(permutations(named))[:24]:
        assert standing_for({page: named[page] for page in order}, {}) == first


def test_a_noindex_page_is_not_listed_and_its_links_are_followed(crawler):
    noindex = '<meta name="robots" content="NOINDEX, follow">'
    pages = {
        "/": doc("Start", "<p>x</p>", links=["/hub", "/both", "/header"]),
        "/hub": doc("Hub", "<p>x</p>", links=["/behind"], head=noindex),
        "/both": doc("Both", "<p>x</p>", links=["/unseen"], head='<meta name=robots content="none">'),
        "/header": Doc(page("Header", "<p>x</p>"), headers={"X-Robots-Tag": "otherbot: x, ragflow: noindex"}),
        "/behind": doc("Behind", "<p>The page behind.</p>", canonical="/hub"),
        "/unseen": doc("Unseen", "<p>x</p>"),
    }
    with SiteServer(pages) as server:
        assert paths(server, crawler(server)) == ["/", "/behind"]
        assert "/unseen" not in server.statuses


def test_base_href_decides_where_links_lead(crawler):
    pages = {
        "/": doc("Start", '<a href="b">b</a>', head='<base href="/deep/er/">'),
        "/deep/er/b": doc("B", "<p>Deep words.</p>"),
    }
    with SiteServer(pages) as server:
        assert paths(server, crawler(server)) == ["/", "/deep/er/b"]


def test_a_redirect_loop_is_the_trouble_of_its_page_alone(crawler):
    pages = {
        "/": doc("Start", "<p>x</p>", links=["/loop", "/fine", "/away"]),
        "/loop": redirect("/loop2", 302),
        "/loop2": redirect("/loop", 302),
        "/fine": doc("Fine", "<p>Fine words.</p>"),
        "/away": redirect("http://127.0.0.2:9/"),
        "/dead": redirect("http://127.0.0.1:1/"),
    }
    with SiteServer(pages) as server:
        assert paths(server, crawler(server)) == ["/", "/fine", "/away", "/loop"]
        server.pages["/"] = doc("Start", "<p>x</p>", links=["/loop", "/fine", "/away", "/dead"])
        connector = crawler(server)
        items = {item.id.removeprefix(server.url): item for item in connector.list()}
        assert list(items) == ["/", "/fine", "/away", "/dead", "/loop"]
        reasons = {}
        for path in ("/loop", "/away", "/dead"):
            with pytest.raises(UnreadableDocument) as caught:
                connector.fetch(items[path])
            reasons[path] = caught.value.reason
        assert reasons == {"/loop": "unreachable", "/away": "denied", "/dead": "unreachable"}


# -- robots, sitemaps, rate --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
def test_without_robots_txt_nothing_is_asked(crawler, site, status):
    site.pages["/robots.txt"] = Doc(b"", status)
    with pytest.raises(SourceUnavailable, match=r"robots\.txt"):
        list(crawler(site).list())
    assert set(site.statuses) == {"/robots.txt"}


@pytest.mark.parametrize("status", [401, 404, 410])
def test_a_robots_txt_that_is_not_there_allows_all(crawler, site, status):
    site.pages["/robots.txt"] = Doc(b"User-agent: *\nDisallow: /", status)
    assert "/private/board" in paths(site, crawler(site))


def test_robots_can_be_switched_off(crawler, site):
    assert "/private/board" in paths(site, crawler(site, robots=False))
    assert "/robots.txt" not in site.statuses


def test_a_start_page_that_robots_txt_forbids_is_an_error(crawler, site):
    site.pages["/robots.txt"] = Doc(b"User-agent: ragflow\nDisallow: /", content_type="text/plain")
    with pytest.raises(SourceMisconfigured, match=r"robots\.txt forbids"):
        list(crawler(site).list())


def test_the_slower_of_rate_and_crawl_delay_wins(crawler, site):
    site.pages["/robots.txt"] = Doc(b"User-agent: *\nCrawl-delay: 30", content_type="text/plain")
    list(crawler(site, rate=2.0).list())
    assert max(crawler.waited) > 29
    crawler.waited.clear()
    site.pages["/robots.txt"] = Doc(b"User-agent: *\nCrawl-delay: 0.01", content_type="text/plain")
    list(crawler(site, rate=0.1).list())
    assert max(crawler.waited) > 9


def test_an_absurd_crawl_delay_is_told(crawler, site):
    site.pages["/robots.txt"] = Doc(b"User-agent: *\nCrawl-delay: 86400", content_type="text/plain")
    with pytest.raises(AccessDenied, match="86400"):
        list(crawler(site).list())


def test_sitemaps_indexes_and_packed_ones_are_read(crawler, site):
    site.pages["/sitemap.xml"] = Doc(
        sitemap_index([f"{site.url}/a.xml", f"{site.url}/b.xml.gz", f"{site.url}/sitemap.xml"]),
        content_type="application/xml",
    )
    site.pages["/a.xml"] = Doc(
        urlset([f"{site.url}/travel", "http://other.example/x"]), content_type="text/xml"
    )
    site.pages["/b.xml.gz"] = Doc(
        packed(urlset([f"{site.url}/it/vpn?utm_campaign=x", f"{site.url}/secret"])),
        content_type="application/gzip",
    )
    web = crawler(site, start="", sitemap=f"{site.url}/sitemap.xml", reach=Reach(depth=0))
    assert paths(site, web) == ["/it/vpn", "/secret", "/travel"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Doc(b"", 404), SourceMisconfigured),
        (Doc(b"", 403), AccessDenied),
        (Doc(b"", 500), SourceUnavailable),
        (Doc(b"<html><p>Welcome", content_type="text/html"), SourceUnavailable),
        (Doc(b"<html><p>Welcome</p></html>"), SourceUnavailable),
        (Doc(urlset([])), SourceMisconfigured),
        (Doc(packed(urlset(["http://x.example/"]))[:-9]), SourceUnavailable),
        (Doc(urlset(["http://127.0.0.1/a"])[:-20]), SourceUnavailable),
    ],
)
def test_any_part_of_a_sitemap_that_fails_fails_the_listing(crawler, site, answer, error):
    site.pages["/sitemap.xml"] = Doc(sitemap_index([f"{site.url}/a.xml", f"{site.url}/b.xml"]))
    site.pages["/a.xml"] = Doc(urlset([f"{site.url}/travel"]))
    site.pages["/b.xml"] = answer
    web = crawler(site, start="", sitemap=f"{site.url}/sitemap.xml")
    if answer.body == urlset([]):
        site.pages["/a.xml"] = answer
    with pytest.raises(error):
        list(web.list())


def test_entities_of_a_sitemap_are_not_resolved(crawler, site, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{site.url}/travel")
    site.pages["/sitemap.xml"] = Doc(
        f'<!DOCTYPE urlset [<!ENTITY x SYSTEM "file://{secret}">]><urlset><url><loc>&x;</loc></url>'
        f"<url><loc>{site.url}/it/</loc></url></urlset>".encode()
    )
    web = crawler(site, start="", sitemap=f"{site.url}/sitemap.xml", reach=Reach(depth=0))
    assert paths(site, web) == ["/it/"]


def test_more_pages_than_the_limit_are_an_error_and_no_deletion(crawler, site):
    with pytest.raises(SourceMisconfigured, match="over 5 pages"):
        list(crawler(site, reach=Reach(max_pages=5)).list())
    assert paths(site, crawler(site, reach=Reach(max_pages=12))) == ALL


# -- pages that are not there, and those that only say so --------------------------------------------


def test_gone_pages_are_not_listed(crawler, site):
    before = paths(site, crawler(site))
    site.pages["/it/vpn"] = Doc(b"", 410)
    del site.pages["/leave/parental"]
    assert paths(site, crawler(site)) == [one for one in before if one not in ("/it/vpn", "/leave/parental")]


@pytest.mark.parametrize("way", ["in place", "by redirect"])
def test_a_page_that_only_says_that_it_is_not_there_is_not_listed(crawler, site, way):
    def sorry(path):
        body = f"<p>Sorry: we looked everywhere, but {path} could not be found. Try the search.</p>"
        return doc("Nothing here", body, links=["/", "/leave"])

    if way == "in place":
        site.soft = sorry
    else:
        site.soft = lambda _: redirect("/error", 302)
        site.pages["/error"] = sorry("it")
    site.pages["/"] = doc("Handbook", "<p>x</p>", links=["/travel", "/lost", "/it/", "/error"])
    del site.pages["/leave"]
    kept = ["/", "/files/rates.csv", "/it/", "/it/vpn", "/travel"]
    assert paths(site, crawler(site)) == kept
    crawler.forget()
    assert paths(site, crawler(site)) == kept


def test_short_pages_of_one_theme_are_not_taken_for_the_error_page(crawler):
    menu = [f"/p{number}" for number in range(9)]
    pages = {path: doc(f"Entry {path[2:]}", f"<p>Ring {path[2:]}55.</p>", links=menu) for path in menu}
    pages["/"] = doc("List", "<p>x</p>", links=menu)
    with SiteServer(pages) as server:
        server.soft = lambda _: doc("Not found", "<p>No such page.</p>", links=menu)
        assert paths(server, crawler(server)) == ["/", *menu]


def test_a_site_that_sends_strangers_to_its_front_page_is_read(crawler, site):
    site.soft = lambda _: redirect("/", 302)
    del site.pages["/leave"]
    assert paths(site, crawler(site)) == ["/", "/files/rates.csv", "/it/", "/it/vpn", "/travel"]


def test_a_login_before_every_page_is_no_empty_site(crawler, site):
    list(crawler(site).list())
    form = "<p>Please log in with your company account to go on reading.</p>"
    whole = dict(site.pages)
    site.pages = {"/robots.txt": whole["/robots.txt"]}
    site.soft = lambda path: doc("Log in", form) if path == "/login" else redirect(f"/login?next={path}", 302)
    site.pages.update({f"/login?next={path}": doc("Log in", form) for path in ALL})
    with pytest.raises(ConnectorError, match="an address that is not there"):
        list(crawler(site).list())
    site.soft = lambda _: doc("Log in", form)
    with pytest.raises(SourceUnavailable, match="an address that is not there"):
        list(crawler(site).list())
    site.pages, site.soft = whole, None
    assert paths(site, crawler(site)) == ALL


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Doc(b"", 404), SourceMisconfigured),
        (Doc(b"", 403), AccessDenied),
        (Doc(b"", 500), SourceUnavailable),
        (Doc(b"x", content_type="image/png"), SourceMisconfigured),
        (redirect("http://localhost:1/"), SourceUnavailable),
        (redirect("http://127.0.0.2/"), AddressRefused),
        (redirect("/"), SourceUnavailable),
    ],
)
def test_a_start_page_that_is_no_page_is_an_error_and_no_deletion(crawler, site, answer, error):
    site.pages["/"] = answer
    with pytest.raises(error) as caught:
        list(crawler(site).list())
    assert caught.value.hint


def test_a_start_page_on_another_host_is_told(crawler, site):
    with SiteServer(handbook()) as other:
        site.pages["/"] = redirect(f"{other.url}/")
        with pytest.raises(SourceMisconfigured, match="leads to another host"):
            list(crawler(site).list())


# -- what gives no answer ----------------------------------------------------------------------------


def test_a_known_page_that_gives_no_answer_stays_with_all_behind_it(crawler, site):
    before = list(crawler(site).list())
    for trouble in (Doc(b"", 500), Doc(hang=True), redirect("/leave"), Doc(b"", 520)):
        kept = site.pages["/leave"]
        site.pages["/leave"] = trouble
        assert list(crawler(site).list()) == before
        site.pages["/leave"] = kept


def test_an_unknown_page_that_gives_no_answer_is_reported_and_deletes_nothing(crawler, site):
    before = list(crawler(site).list())
    # All that lay behind /leave lies behind a new page now, and that one is down.
    site.pages["/leave"] = doc("Leave", '<p>Moved.</p><a href="/leave/new">here</a>')
    site.pages["/leave/new"] = Doc(b"", 500)
    connector = crawler(site)
    items = list(connector.list())
    assert {item.id for item in before} < {item.id for item in items}
    (new,) = (item for item in items if item.id.endswith("/leave/new"))
    with pytest.raises(UnreadableDocument) as caught:
        connector.fetch(new)
    assert caught.value.reason == "unreachable"


def test_with_nothing_remembered_a_page_without_an_answer_stops_the_listing(crawler, site):
    list(crawler(site).list())
    crawler.forget()
    site.pages["/leave"] = Doc(b"", 500)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="/leave; what lies behind"):
            list(crawler(site).list())
    assert "/leave" not in paths(site, crawler(site, exclude=("leave", "leave/*")))


def test_a_refused_or_too_large_page_is_listed_so_that_it_is_reported(crawler, site):
    site.pages["/files/rates.csv"] = Doc(b"x", content_type="text/csv", declared=2_000_000_000)
    site.pages["/it/"] = Doc(b"", 403)
    connector = crawler(site)
    items = {item.id.removeprefix(site.url): item for item in connector.list()}
    reasons = {}
    for path in ("/files/rates.csv", "/it/"):
        with pytest.raises(UnreadableDocument) as caught:
            connector.fetch(items[path])
        reasons[path] = caught.value.reason
    assert reasons == {"/files/rates.csv": "too_large", "/it/": "denied"}
    assert items["/files/rates.csv"].readers == ("everyone",)
    assert items["/it/"].readers == ()


def test_a_host_that_goes_down_half_way_is_the_source_being_away(crawler):
    pages = {f"/{number}": doc(f"Page {number}", f"<p>Words {number}.</p>") for number in range(30)}
    pages["/"] = doc("Start", "<p>x</p>", links=sorted(pages))
    with SiteServer(pages) as server:
        before = list(crawler(server).list())
        connector = crawler(server)

        class Failing(dict):
            def get(self, path, default=None):
                return Doc(hang=True) if len(server.seen) > 12 else dict.get(self, path, default)

        server.forget()
        server.pages = Failing(pages)
        with pytest.raises(SourceUnavailable):
            list(connector.list())
        server.pages = pages
        assert list(crawler(server).list()) == before
    with pytest.raises(SourceUnavailable):
        list(connector.list())


def test_a_page_that_goes_between_listing_and_fetch_has_vanished(crawler, site):
    list(crawler(site).list())
    connector = crawler(site)
    items = {item.id.removeprefix(site.url): item for item in connector.list()}
    del site.pages["/travel"]
    site.pages["/leave"] = redirect("/it/")
    for path in ("/travel", "/leave"):
        with pytest.raises(UnreadableDocument) as caught:
            connector.fetch(items[path])
        assert caught.value.reason == "vanished"


def test_validators_of_one_page_say_nothing_about_another(crawler, site):
    stamp = "Wed, 04 Nov 2026 10:00:00 GMT"
    for name in ("one", "two"):
        site.pages[f"/{name}"] = Doc(page(name, f"<p>Words of {name}.</p>"), headers={"Last-Modified": stamp})
    site.pages["/one"] = Doc(page("One", "<p>First.</p>"), modified=stamp)
    site.pages["/two"] = Doc(page("Two", "<p>Second.</p>"), modified=stamp)
    site.pages["/now"] = redirect("/one", 302)
    site.pages["/"] = doc("Start", "<p>x</p>", links=["/now"])
    assert paths(site, crawler(site)) == ["/", "/one"]
    site.pages["/now"] = redirect("/two", 302)
    connector = crawler(site)
    items = list(connector.list())
    assert [item.id.removeprefix(site.url) for item in items] == ["/", "/two"]
    assert "Second." in text_of(connector.fetch(items[1]))


def test_an_address_that_is_no_page_of_the_source_cannot_be_fetched(crawler, site):
    for address in ("http://other.example/", f"{site.url}/a/../b", "file:///etc/passwd", "travel"):
        with pytest.raises(UnreadableDocument) as caught:
            crawler(site).fetch(Item(address, "x", ()))
        assert caught.value.reason == "vanished"


def test_several_threads_fetch_at_once(crawler, site):
    list(crawler(site).list())
    connector = crawler(site)
    items = list(connector.list())
    got = {}

    def work():
        for item in items:
            got.setdefault(item.id, set()).add(connector.fetch(item).data)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(data) == 1 for data in got.values())
    assert len(got) == len(items)


@pytest.mark.parametrize(
    "web",
    [
        {"start": ()},
        {"start": ("ftp://host/",)},
        {"start": ("https://user:sesame@host/",)},
        {"start": ("no address",)},
        {"start": ("https://host/",), "include": ("../x",)},
        {"sitemap": "sitemap.xml"},
    ],
)
def test_settings_that_name_no_site_are_told(web):
    with pytest.raises(SourceMisconfigured) as caught:
        Web(WebPages(**web), outbound=Outbound(), access=READERS, reach=Reach())
    assert caught.value.hint
    assert "sesame" not in str(caught.value)


# -- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        ("https://example.com:443/a#b", "https://example.com/a"),
        ("https://example.com:8443/a/./b/../c/", "https://example.com:8443/a/c/"),
        ("https://example.com/a/%2e%2E/b/..", "https://example.com/"),
        ("https://example.com/%7euser/%c3%a9t%C3%A9 x", "https://example.com/~user/%C3%A9t%C3%A9%20x"),
        ("https://example.com/straße?q=ä", "https://example.com/stra%C3%9Fe?q=%C3%A4"),
        ("https://bücher.example./", "https://xn--bcher-kva.example/"),
        ("https://example.com/?utm_source=a&x=1&gclid=2&fbclid=3", "https://example.com/?x=1"),
        ("https://example.com/a;jsessionid=F00?b=", "https://example.com/a?b="),
        ("https://example.com\\a\\b?c\\d", "https://example.com/a/b?c%5Cd"),
        (" https://example.com/a\nb ", "https://example.com/ab"),
        ("https://[2001:DB8::1]:8080/x", "https://[2001:db8::1]:8080/x"),
        ("https://user@example.com/", None),
        ("javascript:alert(1)", None),
        ("mailto:a@example.com", None),
        ("https://exa mple.com/", None),
        ("https://2130706433/", None),
        ("https://example.com:99999/", None),
        ("https:///a", None),
    ],
)
def test_an_address_has_one_spelling(address, expected):
    assert normalised(address) == expected


@given(st.text(alphabet="aZ%.2eE/\\?#&=:;ä é~\u0301@[]", max_size=30))
def test_the_one_spelling_is_its_own_and_can_be_asked_for(tail):
    from connectors.targets import target

    url = normalised("/" + tail, "https://example.com/x/")
    if url is not None:
        assert url.isascii()
        assert normalised(url) == url
        assert target(url).url == url


# -- pages as they come ------------------------------------------------------------------------------

PIECES = """
<html> <head> <body> <main> </main> <article> <div> </div> <p> </p> <h1> </h1> <table> <tr> <td>
<ul> <li> <a href=x> <a href="//["> </a> <base href="http://[/"> <link rel=canonical href=/c> <meta
name=robots content=x> <!-- c --> <?pi x?> <title> </title> <style> </style> <script> </script>
<svg> <nav> </nav> <aside> <template> &#0; &#1; &#xD800; &nbsp; \x00 \x0b word words other text,
and. <p lang="&#2;" class="&#3;"> <![CDATA[ ]]> <?xml version="1.0"?> <html lang="&#1;"> é \ufffe
<header> <form> <button> <hidden> <p hidden> <frameset> <noscript>
""".split()


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join), st.booleans())
def test_any_html_gives_a_page(text, main):
    url = "http://example.com/a"
    found = read_page(
        Reply(url, 200, {"content-type": "text/html; charset=utf-8"}, text.encode()), url, main=main
    )
    assert found is not None
    again, content = read_page(
        Reply(url, 200, {"content-type": "text/html; charset=utf-8"}, text.encode()), url, main=main
    )
    assert (again, content) == found
    parse(content.raw(url))


@given(
    st.binary(max_size=200), st.sampled_from(["text/html", "", "text/html; charset=nonsense", "text/plain"])
)
def test_any_bytes_give_a_page_or_none(data, media_type):
    read_page(
        Reply("http://x.example/", 200, {"content-type": media_type}, data), "http://x.example/", main=True
    )


# -- faults ------------------------------------------------------------------------------------------


def test_under_faults_the_state_is_the_same_as_without(crawler, rounds, tmp_path):
    pages = handbook()
    pages.update({f"/p/{n}": doc(f"Rule {n}", f"<p>Rule {n} of many rules.</p>") for n in range(40)})
    pages["/it/"] = doc("Computers", "<p>Rules.</p>", links=["/it/vpn", *(f"/p/{n}" for n in range(40))])
    with SiteServer(pages) as calm:
        expected = state_of(calm, crawler(calm))
    injected = Counter()
    for seed in range(rounds(fast=3, soak=20)):
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        with SiteServer(pages, faults=Faults(0.1, seed=seed, stall=0.2)) as server:
            for _ in range(2):
                assert state_of(server, Crawler(folder)(server)) == expected
            injected += server.faults.injected
    assert set(injected) == {"429", "503", "cut", "half", "stall"}


# -- through the index -------------------------------------------------------------------------------


def test_a_page_that_the_site_refuses_from_now_on_is_nobodys_at_once(crawler, site, new_world):
    world = new_world()

    def found():
        spec = SourceSpec("web", "web", crawler(site), frozenset({"everyone"}))
        report = world.run([spec]).sources["web"]
        query = Query("Which gateway does the VPN client choose?", frozenset({"everyone"}))
        return report.deleted, "gateway" in str(world.index().search(query).hits)

    assert found() == (0, True)
    kept = site.pages["/it/vpn"]
    site.pages["/it/vpn"] = Doc(b"", 403)
    assert found() == (0, False)
    site.pages["/it/vpn"] = kept
    assert found() == (0, True)


def test_a_page_that_changes_and_one_that_vanishes_do_so_in_the_index(crawler, site, new_world):
    world = new_world()

    def sync():
        spec = SourceSpec("web", "web", crawler(site), frozenset({"everyone"}))
        return world.run([spec]).sources["web"]

    first = sync()
    assert (first.status, first.added) == ("ok", len(ALL))
    site.pages["/travel"] = doc("Travel", "<p>Book planes before trains since October.</p>")
    del site.pages["/it/vpn"]
    second = sync()
    # What only the old travel page led to is in the source no longer.
    assert (second.updated, second.deleted, second.added) == (1, 2, 0)
    hits = world.index().search(Query("planes trains", frozenset({"everyone"}))).hits
    assert "since October" in hits[0].text
    assert "gateway" not in str(world.index().search(Query("gateway", frozenset({"everyone"}))).hits)
    third = sync()
    assert (third.added, third.updated, third.deleted) == (0, 0, 0)
