"""A wiki read through its JSON API: what it lists, who may read, what changes, what goes wrong."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from confluence_server import TOKEN, ConfluenceServer
from faults import Faults
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import AccessDenied, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.items import Item
from connectors.json_paths import Path
from connectors.outbound import Limits, Outbound
from connectors.paging import Ask, Listing, Paging
from connectors.rest import Rest
from connectors.rest_access import Access
from connectors.rest_api import Api, Content, Fields, Slim
from connectors.rest_client import Auth, RestClient
from connectors.retrying import Patience
from connectors.testing import ConnectorContract
from connectors.url_templates import Template

P, T = Path.parse, Template.parse
NEXT = Paging("next", path=P("_links.next"), prefix="/wiki")
RESTRICTED = Access(
    users=(P("restrictions.read.restrictions.user.results[].email"),),
    groups=(P("restrictions.read.restrictions.group.results[].name"),),
    unrestricted=("group:staff",),
)


class Made:
    """Connectors over one wiki, with all that is open closed at the end."""

    def __init__(self, wiki, folder):
        self.wiki = wiki
        self.folder = folder
        self._open = []

    def listing(self, query, *, paging=NEXT, place=""):
        return Listing(Ask(f"{self.wiki.api}{place}?{query}"), P("results"), P("id"), paging)

    def api(self, **changed):
        """The wiki as a full listing of 3 pages at a time, each page's content at its own address."""
        usual = Api(
            listing=self.listing("limit=3&expand=version,restrictions"),
            fields=Fields(
                id=P("id"),
                version=(P("version.number"),),
                title=P("title"),
                modified=P("version.when"),
                author=P("version.by.displayName"),
                link=T(f"{self.wiki.url}/wiki{{+_links.webui}}"),
                url=T(f"{self.wiki.api}/{{id}}?expand=version,body.storage"),
            ),
            content=Content(P("body.storage.value"), "storage"),
        )
        return replace(usual, **changed)

    def short(self, **changed):
        """Ids by a slim listing, changes by a search."""
        changes = self.listing(
            "limit=3&expand=version&cql=lastmodified%20%3E%3D%20%22{since}%22", place="/search"
        )
        slim = Slim(
            self.listing("limit=7"), changes=changes, form="%Y-%m-%d %H:%M", overlap=60, full_every=1000
        )
        return self.api(slim=replace(slim, **changed))

    def rest(self, api=None, *, readers=("everyone",), secrets=None, **limits):
        given = Limits(**{"timeout": 5, "patience": Patience(first=0.001, longest=0.01), **limits})
        outbound = Outbound(allow=["127.0.0.1"], limits=given)
        self._open.append(outbound)
        client = RestClient(
            self.wiki.api,
            auth=Auth(token="WIKI_TOKEN"),
            headers={"X-Kind": "plain"},
            outbound=outbound,
            secret={"WIKI_TOKEN": TOKEN}.get if secrets is None else secrets.get,
        )
        return Rest(api or self.api(), client, readers=readers, state=self.folder / "state")

    def close(self):
        for outbound in self._open:
            outbound.close()


@pytest.fixture
def wiki():
    with ConfluenceServer() as running:
        for number in range(8):
            running.put(str(number), title=f"Page {number}", body=f"<p>Text of {number}</p>")
            running.tick()
        yield running


@pytest.fixture
def made(wiki, tmp_path):
    connectors = Made(wiki, tmp_path)
    yield connectors
    connectors.close()


def listed(rest):
    return sorted(rest.list(), key=lambda item: item.id)


def failure(rest, item_id):
    with pytest.raises(UnreadableDocument) as caught:
        rest.fetch(Item(item_id, "1", ()))
    assert caught.value.hint
    return caught.value


class TestContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, made):
        self.made = made

    def connector(self):
        return self.made.rest()


class TestContractOfChanges(TestContract):
    def connector(self):
        return self.made.rest(self.made.short())


class TestContractOfContentInTheListing(TestContract):
    def connector(self):
        listing = self.made.listing("limit=3&expand=version,body.storage")
        fields = replace(self.made.api().fields, url=None)
        return self.made.rest(self.made.api(listing=listing, fields=fields))


class TestContractOfContentElsewhere(TestContract):
    def connector(self):
        url = T(f"{self.made.wiki.api}/{{id}}?expand=body.storage")
        fields = replace(self.made.api().fields, url=None)
        content = Content(P("body.storage.value"), "html", url)
        return self.made.rest(self.made.api(fields=fields, content=content))


# -- what is listed and fetched -----------------------------------------------------------------------------


def test_an_item_has_text_title_link_author_and_time(made):
    rest = made.rest()
    raw = rest.fetch(listed(rest)[3])
    assert (raw.item, raw.title, raw.author) == ("3", "Page 3", "Ann Lee")
    assert raw.modified == "2026-03-01T09:03:00Z"
    assert raw.link == f"{made.wiki.url}/wiki/spaces/HR/pages/3/Page%203"
    assert (raw.data, raw.name, raw.media_type) == (b"<p>Text of 3</p>", "3.html", "text/html; charset=utf-8")


def test_listing_asks_for_no_page_and_fetching_lists_nothing_again(made):
    rest = made.rest()
    items = listed(rest)
    assert made.wiki.asked == {"list": 3}
    for item in items:
        rest.fetch(item)
    assert made.wiki.asked == {"list": 3, "page": 8}


def test_a_change_of_version_changes_the_fingerprint_and_nothing_else_does(made):
    rest = made.rest()
    before = listed(rest)
    made.wiki.put("3", title="Page 3", body="<p>New</p>")
    made.wiki.restrict("4", users=["mia"])
    after = listed(rest)
    assert [one.id for one, two in zip(before, after, strict=True) if one != two] == ["3"]


def test_other_paths_to_the_content_are_another_fingerprint(made):
    other = made.api(content=Content(P("body.storage.value"), "text"))
    assert listed(made.rest())[0].fingerprint != listed(made.rest(other))[0].fingerprint


def test_content_in_the_listing_is_asked_for_again_by_pages_and_not_kept(made):
    listing = made.listing("limit=3&expand=version,body.storage")
    rest = made.rest(made.api(listing=listing, fields=replace(made.api().fields, url=None)))
    items = listed(rest)
    assert [rest.fetch(item).data for item in items] == [b"<p>Text of %d</p>" % n for n in range(8)]
    assert made.wiki.asked == {"list": 6}, "three pages, each twice"


def test_content_that_moved_to_another_page_is_found_there(made):
    listing = made.listing("limit=3&expand=version,body.storage")
    rest = made.rest(made.api(listing=listing, fields=replace(made.api().fields, url=None)))
    items = listed(rest)
    made.wiki.delete("0")
    assert rest.fetch(items[3]).data == b"<p>Text of 3</p>"
    assert failure(rest, "0").reason == "vanished"
    assert rest.fetch(items[7]).data == b"<p>Text of 7</p>"


def test_code_of_a_wiki_page_is_text(made):
    macro = '<ac:structured-macro ac:name="code"><![CDATA[if a < b && c:\n  go()]]></ac:structured-macro>'
    made.wiki.put("3", body=macro)
    rest = made.rest()
    assert b">if a &lt; b &amp;&amp; c:\n  go()<" in rest.fetch(listed(rest)[3]).data


def test_entries_that_do_not_count_are_left_out(made):
    made.wiki.put("5", title="")
    fields = replace(made.api().fields, only=(P("title"),), without=(P("version.minorEdit"),))
    assert [item.id for item in listed(made.rest(made.api(fields=fields)))] == list("0123467")


def test_fetching_goes_on_in_several_threads(made):
    listing = made.listing("limit=3&expand=version,body.storage")
    for api in (made.api(), made.api(listing=listing, fields=replace(made.api().fields, url=None))):
        rest = made.rest(api)
        items = listed(rest)
        with ThreadPoolExecutor(4) as pool:
            raws = list(pool.map(rest.fetch, items * 5))
        assert [raw.data for raw in raws] == [b"<p>Text of %d</p>" % n for n in range(8)] * 5


def test_the_token_and_the_headers_are_sent_and_stand_in_no_item(made):
    rest = made.rest()
    raws = [rest.fetch(item) for item in rest.list()]
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for _, headers in made.wiki.seen)
    assert all(headers["X-Kind"] == "plain" for _, headers in made.wiki.seen)
    assert TOKEN not in repr(raws)
    assert TOKEN not in "".join(file.read_text() for file in made.folder.rglob("*.json"))


# -- who may read -------------------------------------------------------------------------------------------


def readers_of(made, access=RESTRICTED, **more):
    rest = made.rest(made.api(access=access, **more), readers=())
    return {item.id: item.readers for item in rest.list()}


def test_readers_are_the_users_and_groups_that_the_wiki_names(made):
    made.wiki.restrict("1", users=["mia@example.com", "bo@example.com"])
    made.wiki.restrict("2", groups=["hr"], users=["mia@example.com"])
    readers = readers_of(made)
    assert readers["0"] == ("group:staff",)
    assert readers["1"] == ("user:bo@example.com", "user:mia@example.com")
    assert readers["2"] == ("group:hr", "user:mia@example.com")


def test_who_may_read_all_of_the_source_reads_each_item(made):
    made.wiki.restrict("1", users=["mia"])
    rest = made.rest(made.api(access=RESTRICTED), readers=("group:admins",))
    readers = {item.id: item.readers for item in rest.list()}
    assert (readers["0"], readers["1"]) == (("group:admins", "group:staff"), ("group:admins", "user:mia"))


def test_a_restriction_to_names_that_are_none_is_still_a_restriction(made):
    made.wiki.restrict("1", groups=["HR, Berlin", "all staff", "", "hr\n"])
    made.wiki.restrict("2", groups=["HR Berlin", "hr"])
    readers = readers_of(made)
    assert (readers["1"], readers["2"]) == ((), ("group:hr",))


def test_a_restriction_whose_names_are_hidden_lets_nobody_in(made):
    made.wiki.restrict("1", users=["mia@example.com"])
    made.wiki.how.hidden_emails = True
    assert readers_of(made)["1"] == ()


def test_access_that_is_not_told_lets_nobody_in(made):
    readers = readers_of(made, listing=made.listing("limit=3&expand=version"))
    assert set(readers.values()) == {()}


NOBODY = [
    {},
    {"users": None},
    {"users": "mia", "groups": []},
    {"users": {"0": {"name": "mia"}}, "groups": []},
    {"users": [], "groups": {}},
    {"users": [], "groups": None},
    {"users": [{"name": None}], "groups": []},
    {"users": [{}], "groups": []},
    {"users": [["mia"]], "groups": []},
    {"users": [{"name": {"name": "mia"}}], "groups": []},
    {"users": [{"name": True}], "groups": []},
    {"users": [], "groups": [None]},
    {"users": [], "groups": [{"name": "hr"}]},
    {"users": [], "groups": ["two words"]},
]


@pytest.mark.parametrize("entry", NOBODY)
def test_broken_access_lets_nobody_in(entry):
    access = Access((P("users[].name"),), (P("groups"),), ("everyone",))
    assert access.readers(entry) == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=3),
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["users", "name"]), one),
        max_leaves=8,
    )
)
def test_readers_are_always_readers_and_everyone_only_where_a_list_is_empty(document):
    access = Access((P("users[].name"),), (), ("everyone",))
    readers = access.readers(document)
    if "everyone" in readers:
        assert document["users"] == []
    assert all(one == "everyone" or one.startswith("user:") for one in readers)
    assert all(not any(char.isspace() or char == "," for char in one) for one in readers)


def test_what_is_above_a_page_restricts_it_too(made):
    made.wiki.restrict("0", users=["mia", "bo"])
    made.wiki.restrict("1", groups=["hr"])
    made.wiki.put("a", parents=("0",))
    made.wiki.put("b", parents=("0",), users=("bo", "cy"))
    made.wiki.put("c", parents=("0", "1"))
    made.wiki.put("d", parents=("2",))
    listing = made.listing("limit=3&expand=version,restrictions,ancestors.restrictions")
    access = replace(RESTRICTED, inherited=P("ancestors[]"))
    readers = readers_of(made, access, listing=listing)
    assert readers["a"] == ("user:bo", "user:mia")
    assert readers["b"] == ("user:bo",)
    assert readers["c"] == (), "a group above and a user above: nobody is named by both"
    assert readers["d"] == ("group:staff",)
    assert set(readers_of(made, access).values()) == {()}, "ancestors that are not told may restrict"


# -- the short way ------------------------------------------------------------------------------------------


def test_a_second_listing_asks_for_ids_and_what_changed(made):
    rest = made.rest(made.short())
    before = listed(rest)
    made.wiki.asked.clear()
    made.wiki.tick(1000)
    made.wiki.put("3")
    made.wiki.delete("5")
    after = listed(rest)
    assert made.wiki.asked == {"slim": 1, "search": 1}
    assert after == listed(made.rest())
    assert [one.id for one in before if one not in after] == ["3", "5"]


def test_what_is_remembered_outlives_the_connector_and_holds_no_text(made):
    listed(made.rest(made.short()))
    made.wiki.asked.clear()
    listed(made.rest(made.short()))
    assert made.wiki.asked["list"] == 0
    (file,) = (made.folder / "state").iterdir()
    assert "Page 3" not in file.read_text()
    assert "Text of" not in file.read_text()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:100]),
        lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_text('{"version": 1}'),
        lambda file: file.write_text(file.read_text().replace('"version": 1', '"version": 2')),
        lambda file: file.write_text(file.read_text().replace('"digest": "', '"digest": "0')),
        lambda file: file.write_text(file.read_text().replace('"watermark": "2026', '"watermark": "soon')),
        lambda file: file.write_text(file.read_text().replace('+00:00"', '"')),
        lambda file: file.write_text(file.read_text().replace('"3": "', '"3": 1, "x": "')),
    ],
)
def test_without_a_state_that_can_be_trusted_the_listing_is_full(spoil, made):
    before = listed(made.rest(made.short()))
    (file,) = (made.folder / "state").iterdir()
    spoil(file)
    made.wiki.asked.clear()
    assert listed(made.rest(made.short())) == before
    assert made.wiki.asked == {"list": 3}


def test_another_description_of_the_api_trusts_no_older_state(made):
    listed(made.rest(made.short()))
    made.wiki.asked.clear()
    listed(made.rest(made.short(overlap=120)))
    assert made.wiki.asked == {"list": 3}


def test_a_page_restored_with_its_old_time_is_noticed(made):
    rest = made.rest(made.short())
    made.wiki.delete("2")
    made.wiki.tick(10_000)
    listed(rest)
    made.wiki.restore("2")
    assert listed(rest) == listed(made.rest())


def test_the_servers_clock_that_is_set_back_makes_the_listing_full(made):
    rest = made.rest(made.short())
    listed(rest)
    made.wiki.tick(-100_000)
    made.wiki.put("3", title="Changed while the clock is wrong")
    assert listed(rest) == listed(made.rest())


def test_a_page_from_the_future_hides_no_later_change(made):
    rest = made.rest(made.short())
    made.wiki.backdate("1", -10_000_000)
    listed(rest)
    made.wiki.tick(1000)
    made.wiki.put("3")
    assert listed(rest) == listed(made.rest())


def test_a_search_that_lags_behind_is_caught_up_by_the_overlap(made):
    rest = made.rest(made.short(overlap=3600))
    listed(rest)
    made.wiki.tick(1000)
    made.wiki.put("3")
    made.wiki.put("new")
    made.wiki.how.search_lag = {"3", "new"}
    made.wiki.tick(1000)
    made.wiki.put("4")
    listed(rest)
    made.wiki.how.search_lag = set()
    assert listed(rest) == listed(made.rest())


def test_every_nth_listing_is_full(made):
    rest = made.rest(made.short(full_every=3))
    kinds = []
    for _ in range(7):
        made.wiki.asked.clear()
        listed(rest)
        kinds.append("full" if made.wiki.asked["list"] else "short")
    assert kinds == ["full", "short", "short", "full", "short", "short", "full"]


def test_a_right_that_is_taken_away_is_noticed_though_no_version_changed(made):
    made.wiki.restrict("3", users=["mia", "bo"])
    slim = replace(made.short().slim, listing=made.listing("limit=7&expand=restrictions"))
    rest = made.rest(replace(made.short(), slim=slim, access=RESTRICTED), readers=())
    listed(rest)
    made.wiki.restrict("3", users=["bo"])
    made.wiki.asked.clear()
    assert listed(rest)[3].readers == ("user:bo",)
    assert made.wiki.asked["search"] == 1, "by the short way"


def test_changes_that_are_unchanged_by_the_state_are_still_fetched(made):
    rest = made.rest(made.short())
    listed(rest)
    again = made.rest(made.short())
    items = listed(again)
    assert [again.fetch(item).title for item in items] == [f"Page {n}" for n in range(8)]


STEPS = st.sampled_from(["put", "new", "delete", "restore", "restrict", "tick", "list", "backdate", "clock"])


def change(wiki, step, data, *, honest):
    """Change the wiki; ``honest``: what changes later has a later time."""
    one = data.draw(st.sampled_from(sorted(wiki.pages) or [""]))
    if step == "tick":
        wiki.tick(data.draw(st.integers(0, 5000)))
    elif step == "clock" and not honest:
        wiki.tick(data.draw(st.integers(-5000, 0)))
    elif step == "new":
        wiki.put(f"n{len(wiki.pages) + len(wiki.trash)}")
    elif step == "restore" and wiki.trash:
        wiki.restore(data.draw(st.sampled_from(sorted(wiki.trash))))
    elif one and step in ("put", "delete"):
        getattr(wiki, step)(one)
    elif one and step == "restrict":
        wiki.restrict(one, users=data.draw(st.lists(st.sampled_from(["a", "b", "c d"]), max_size=2)))
    elif one and step == "backdate" and not honest:
        wiki.backdate(one, 50_000)


@given(data=st.data())
@pytest.mark.parametrize("way", ["versions", "changes"])
def test_the_short_way_lists_what_the_full_listing_lists(way, data, tmp_path_factory):
    with ConfluenceServer() as wiki:
        wiki.keep_seen = False
        made = Made(wiki, tmp_path_factory.mktemp("law"))
        for number in range(5):
            wiki.put(str(number))
        versions = Slim(made.listing("limit=2&expand=version,restrictions"), versions=True)
        ids = replace(made.short().slim, listing=made.listing("limit=2&expand=restrictions"))
        slim = versions if way == "versions" else ids
        rest = made.rest(made.api(slim=slim, access=RESTRICTED), readers=())
        full = made.rest(made.api(access=RESTRICTED), readers=())
        for step in data.draw(st.lists(STEPS, max_size=12)):
            if step == "list":
                assert listed(rest) == listed(full)
            else:
                change(wiki, step, data, honest=way == "changes")
        assert listed(rest) == listed(full)
        made.close()


# -- faults -------------------------------------------------------------------------------------------------


def test_the_final_state_under_faults_is_that_without(made, rounds, tmp_path):
    wiki = made.wiki
    for number in range(60):
        wiki.put(f"more-{number}", body=f"<p>{number}</p>" * 50)
    wiki.restrict("3", users=["mia"])
    plain = made.rest(made.api(access=RESTRICTED))
    expected = {item: plain.fetch(item) for item in plain.list()}
    injected = set()
    for seed in range(rounds(fast=3, soak=20)):
        wiki.faults = Faults(0.1, seed=seed, stall=2)
        rest = made.rest(made.api(access=RESTRICTED), timeout=0.5)
        items = list(rest.list())
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(items, pool.map(rest.fetch, items), strict=True))
        assert found == expected
        injected |= set(wiki.faults.injected)
    assert injected == {"429", "503", "cut", "half", "stall"}


def test_changes_under_faults_end_in_the_same_state(made, rounds):
    wiki = made.wiki
    for seed in range(rounds(fast=3, soak=20)):
        wiki.faults = Faults(0.1, seed=seed, kinds=("429", "503", "cut", "half"))
        rest = made.rest(made.short())
        for turn in range(4):
            wiki.tick(500)
            wiki.put(f"page-{seed}-{turn}")
            found = listed(rest)
        wiki.faults = Faults(0, seed=0)
        assert found == listed(made.rest())


def test_a_page_that_does_not_answer_is_unreachable_and_the_others_are_read(made):
    rest = made.rest()
    items = listed(rest)
    real = made.wiki.faults.send

    def send(handler, status, headers, body):
        real(handler, 500 if "/content/3?" in handler.path else status, headers, body)

    made.wiki.faults.send = send
    assert failure(rest, "3").reason == "unreachable"
    assert rest.fetch(items[4]).title == "Page 4"


def test_an_api_that_answers_for_no_item_ends_the_source(made):
    for number in range(30):
        made.wiki.put(f"more-{number}")
    rest = made.rest()
    items = listed(rest)
    made.wiki.faults = Faults(1, seed=0, kinds=("503",), in_a_row=10**6)
    for item in items[:19]:
        assert failure(rest, item.id).reason == "unreachable"
    with pytest.raises(SourceUnavailable, match="no answer for 20 items in a row"):
        rest.fetch(items[19])
    made.wiki.faults = Faults(0, seed=0)
    assert rest.fetch(items[20])


def test_a_listing_that_does_not_answer_ends_the_source(made):
    made.wiki.faults = Faults(1, seed=0, kinds=("503",), in_a_row=99)
    with pytest.raises(SourceUnavailable, match="answered 503"):
        list(made.rest().list())


def test_a_listing_that_stops_half_way_raises_and_gives_nothing(made):
    real = made.wiki.faults.send

    def send(handler, status, headers, body):
        real(handler, 500 if "start=3" in handler.path else status, headers, body)

    made.wiki.faults.send = send
    given = []
    with pytest.raises(SourceUnavailable):
        given.extend(made.rest().list())
    assert given == []


# -- bad input ----------------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_by_the_name_of_its_variable(made):
    with pytest.raises(AccessDenied, match="answered 401") as caught:
        list(made.rest(secrets={"WIKI_TOKEN": "wr0ng"}).list())
    assert caught.value.hint == "check what WIKI_TOKEN holds, and that it may list"
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_variable_that_is_not_set_is_named(value, made):
    rest = made.rest(secrets={"WIKI_TOKEN": value})
    with pytest.raises(SourceMisconfigured, match="the environment variable WIKI_TOKEN is not set"):
        list(rest.list())
    with pytest.raises(SourceMisconfigured, match="WIKI_TOKEN"):
        rest.fetch(Item("1", "1", ()))


def test_a_line_break_behind_a_token_does_no_harm(made):
    assert listed(made.rest(secrets={"WIKI_TOKEN": f"{TOKEN}\n"}))


def test_a_token_that_expires_ends_the_source_and_marks_no_item(made):
    rest = made.rest()
    items = listed(rest)
    made.wiki.how.sign = "Bearer another"
    with pytest.raises(AccessDenied):
        rest.fetch(items[0])


def test_one_page_that_may_not_be_read_is_denied(made):
    rest = made.rest()
    listed(rest)
    real = made.wiki.faults.send

    def send(handler, status, headers, body):
        real(handler, 403 if "/content/3?" in handler.path else status, headers, body)

    made.wiki.faults.send = send
    assert failure(rest, "3").reason == "denied"


def test_a_page_that_is_gone_has_vanished(made):
    rest = made.rest()
    listed(rest)
    made.wiki.delete("3")
    assert failure(rest, "3").reason == "vanished"


@pytest.mark.parametrize("item_id", ["..", ".", "../../admin", "a/b?c#d", "\ud800", "é"])
def test_an_id_never_leaves_its_place_in_a_url(item_id, made):
    assert failure(made.rest(), item_id).reason in ("vanished", "damaged")
    assert all(path.startswith("/wiki/rest/api/content/") for path, _ in made.wiki.seen)
    assert all(path.count("/") == 5 for path, _ in made.wiki.seen)


def test_an_address_that_answers_with_another_page_is_damaged(made):
    fields = replace(made.api().fields, url=T(f"{made.wiki.api}/4?x={{id}}&expand=version,body.storage"))
    rest = made.rest(made.api(fields=fields))
    listed(rest)
    assert failure(rest, "3").reason == "damaged"
    assert rest.fetch(Item("4", "1", ())).title == "Page 4"


@pytest.mark.parametrize(
    ("path", "listing"),
    [
        ({"id": P("key")}, "an entry of .* has no `key`"),
        ({"version": (P("version.no"), P("etag"))}, "0 has no `version.no` or `etag`"),
    ],
)
def test_an_entry_without_id_or_version_ends_the_source(path, listing, made):
    api = made.api(fields=replace(made.api().fields, **path))
    with pytest.raises(SourceMisconfigured, match=listing):
        list(made.rest(api).list())


def test_a_path_that_leads_to_no_text_is_damaged(made):
    rest = made.rest(made.api(content=Content(P("body.view.value"))))
    listed(rest)
    error = failure(rest, "3")
    assert (error.reason, str(error)) == ("damaged", "3: there is no text at `body.view.value`")


def test_a_listing_elsewhere_gets_no_credentials(made):
    elsewhere = Listing(Ask("http://127.0.0.1:9/list"), P("results"), P("id"), NEXT)
    with pytest.raises(SourceMisconfigured, match="on another host"):
        list(made.rest(made.api(listing=elsewhere)).list())


def test_a_page_of_two_gigabytes_is_refused(made):
    def send(handler, status, headers, body):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n{")
        handler.close_connection = True

    made.wiki.faults.send = send
    assert failure(made.rest(), "3").reason == "too_large"
    with pytest.raises(SourceUnavailable, match="gives more than") as caught:
        list(made.rest().list())
    assert caught.value.hint == "ask for fewer entries on a page"


NO_PAGE = [b"", b"{", b"<html>Sign in</html>", b"[" * 100_000, b"\xff", b"null", b"[]"]


@pytest.mark.parametrize("body", NO_PAGE)
def test_json_that_is_none_or_another_is_told(body, made):
    made.wiki.faults.send, real = (
        lambda handler, status, headers, _: real(handler, status, headers, body),
        made.wiki.faults.send,
    )
    assert failure(made.rest(), "3").reason == "damaged"
    with pytest.raises((SourceUnavailable, SourceMisconfigured), match=r"no JSON|no list of objects"):
        list(made.rest().list())


def test_a_redirect_loop_is_this_items_trouble_and_the_listings(made):
    def send(handler, status, headers, body):
        real(handler, 302, {"Location": handler.path}, b"")

    real, made.wiki.faults.send = made.wiki.faults.send, send
    assert failure(made.rest(), "3").reason == "unreachable"
    with pytest.raises(SourceUnavailable, match="redirects more than 5 times"):
        list(made.rest().list())


def test_a_host_that_has_no_name_ends_the_source(made):
    def unknown(*_):
        raise OSError("no such host")

    with Outbound(resolve=unknown) as outbound:
        client = RestClient(
            "https://wiki.invalid/", auth=Auth(), headers={}, outbound=outbound, secret={}.get
        )
        api = made.api(listing=Listing(Ask("https://wiki.invalid/list"), P("results"), P("id")))
        with pytest.raises(SourceUnavailable, match=r"wiki\.invalid cannot be looked up"):
            list(Rest(api, client, readers=()).list())


def test_two_entries_with_one_id_end_the_source(made):
    real = made.wiki.ordered
    made.wiki.ordered = lambda: [*real(), real()[0]]
    with pytest.raises(SourceUnavailable, match="broke off 3 times: it lists '0' twice"):
        list(made.rest().list())


def test_the_state_survives_two_connectors_that_write_at_once(made):
    rests = [made.rest(made.short()) for _ in range(4)]
    threads = [threading.Thread(target=listed, args=[rest]) for rest in rests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.wiki.asked.clear()
    listed(made.rest(made.short()))
    assert made.wiki.asked["list"] == 0
