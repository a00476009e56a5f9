"""Types of source that others bring: how they are found, made, guarded, and complained of."""

import gc
import json
import sys

import pytest

from connectors.errors import AccessDenied, ConnectorError, ExtraMissing, PluginFailed, SourceMisconfigured
from connectors.items import Item, Raw
from connectors.plugins import Guarded, Secrets, installed, maker
from ragflow import sources
from ragflow.cli import main
from ragflow.config import load
from ragflow.errors import ConfigError

SHELF = """\
from connectors.errors import AccessDenied
from connectors.items import Item, Raw

MADE = []

class Shelf:
    def __init__(self, context):
        self.context = context
        MADE.append(context)

    def list(self):
        for number in range(self.context.options.get("items", 2)):
            yield Item(f"i{number}", "f", self.context.readers)
        if self.context.options.get("secret"):
            raise AccessDenied(f"{self.context.secret(self.context.options['secret'])} is refused")

    def fetch(self, item):
        return Raw(item.id, b"text", "x.txt")

def make(context):
    return Shelf(context)

NOT_CALLABLE = 5
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Install distributions for the length of a test: name, entry points, module text."""
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))

    def install(name, entries, module=SHELF):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (place / f"{name}.py").write_text(module)
        about = place / f"{name}-2.5.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
        lines = [f"{kind} = {target}" for kind, target in entries.items()]
        (about / "entry_points.txt").write_text("\n".join(["[ragflow.connectors]", *lines]) + "\n")

    yield install
    gc.collect()


@pytest.fixture
def configured(tmp_path):
    def configured(*lines):
        file = tmp_path / "ragflow.yaml"
        file.write_text("\n".join(["version: 1", "sources:", *(f"  {line}" for line in lines)]) + "\n")
        return load(file)

    return configured


def test_a_type_of_others_is_listed_and_made_with_its_context(site, configured, tmp_path, monkeypatch):
    site("acme_shelf", {"shelf": "acme_shelf:make"})
    monkeypatch.setenv("SHELF_TOKEN", "s3cret")
    assert [(one.type, one.distribution) for one in installed()] == [("shelf", "acme_shelf 2.5")]
    config = configured("s: {type: shelf, readers: [group:a], options: {items: 3, deep: {a: [1]}}}")
    assert "acme_shelf" not in sys.modules
    spec = sources.spec(config, "s")
    assert (spec.kind, spec.ceiling, spec.fetchers) == ("shelf", frozenset({"group:a"}), 1)
    assert "acme_shelf" not in sys.modules
    assert [item.id for item in spec.connector.list()] == ["i0", "i1", "i2"]
    (context,) = sys.modules["acme_shelf"].MADE
    assert (context.name, context.readers, context.folder) == ("s", ("group:a",), tmp_path)
    assert context.options == {"items": 3, "deep": {"a": [1]}}
    assert context.state == tmp_path / ".ragflow" / "sources" / "s"
    assert [oct(path.stat().st_mode & 0o777) for path in (context.state, tmp_path / ".ragflow")] == [
        "0o700"
    ] * 2
    assert (context.secret("SHELF_TOKEN"), context.secret("ABSENT")) == ("s3cret", None)
    assert callable(context.outbound.request)


def test_items_tell_their_readers_only_where_the_configuration_says_so(site, configured):
    site("acme_shelf", {"shelf": "acme_shelf:make"})
    config = configured("a: {type: shelf, item_readers: true, parallel: 3}", "b: {type: shelf}")
    assert sources.spec(config, "a").ceiling is None
    assert sources.spec(config, "a").fetchers == 3
    assert sources.spec(config, "b").ceiling == frozenset()


def test_an_unknown_type_is_told_with_all_that_there_are(site, configured):
    site("acme_shelf", {"shelf": "acme_shelf:make", "files": "acme_shelf:make"})
    with pytest.raises(ConfigError) as caught:
        configured("s: {type: shelv, readers: [everyone]}")
    (message,) = str(caught.value).splitlines()
    assert message.startswith(
        'ragflow.yaml:3: unknown type "shelv" in sources.s (nearest: "shelf"; built in: files, '
    )
    assert message.endswith("; installed: shelf)")
    with pytest.raises(ConfigError, match=r'unknown key "pth" in sources\.s .*known: .*options'):
        configured("s: {type: shelf, pth: x}")
    with pytest.raises(ConfigError, match=r"sources\.s\.parallel must be at least 1, not 0"):
        configured("s: {type: shelf, parallel: 0}")
    # A built-in type stays ours, whoever else brings its name.
    with pytest.raises(ConfigError, match=r'"path" is missing in sources\.s'):
        configured("s: {type: files}")


def test_two_distributions_of_one_type_are_refused(site, configured):
    site("acme_shelf", {"shelf": "acme_shelf:make"})
    site("other_shelf", {"shelf": "other_shelf:make"})
    spec = sources.spec(configured("s: {type: shelf}"), "s")
    with pytest.raises(SourceMisconfigured, match=r"acme_shelf 2\.5, other_shelf 2\.5"):
        list(spec.connector.list())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("acme_shelf:absent", "cannot be loaded: AttributeError"),
        ("no_such_module:make", "cannot be loaded: ModuleNotFoundError"),
        ("acme_shelf:NOT_CALLABLE", "cannot be called"),
    ],
)
def test_an_entry_point_that_leads_nowhere_fails_its_source(site, configured, target, words):
    site("acme_shelf", {"shelf": target})
    spec = sources.spec(configured("s: {type: shelf}"), "s")
    for call in (lambda: list(spec.connector.list()), lambda: spec.connector.fetch(Item("i", "f", ()))):
        with pytest.raises(PluginFailed, match=words) as caught:
            call()
        assert caught.value.hint


def test_a_type_that_is_gone_is_missing():
    with pytest.raises(ExtraMissing, match='"nothing"'):
        maker("nothing")


class Broken:
    """Gives and raises what it was told."""

    def __init__(self, given=(), fetched=None):
        self.given, self.fetched = given, fetched

    def list(self):
        for one in self.given:
            if isinstance(one, Exception):
                raise one
            yield one

    def fetch(self, item):
        if isinstance(self.fetched, Exception):
            raise self.fetched
        return self.fetched


def guarded(connector, **secrets):
    return Guarded("shelf", lambda: connector, secrets=Secrets(secrets.get))


GOOD = Item("i", "f", ("everyone",))


@pytest.mark.parametrize(
    "given",
    [
        "text",
        Item("", "f", ()),
        Item("e\u0301", "f", ()),
        Item(5, "f", ()),
        Item("i", "", ()),
        Item("i", None, ()),
        Item("i", "f", "everyone"),
        Item("i", "f", ["everyone"]),
        Item("i", "f", ("mia",)),
        Item("i", "f", (None,)),
        ValueError("boom"),
        RecursionError(),
    ],
)
def test_what_breaks_a_law_while_listing_fails_the_source_with_its_name(given):
    listing = guarded(Broken([GOOD, given])).list()
    assert next(listing) == GOOD
    with pytest.raises(PluginFailed, match='the connector "shelf"'):
        next(listing)


@pytest.mark.parametrize(
    "fetched", [None, "text", Raw("other", b"", "x"), Raw("i", "str", "x"), Raw("i", b"", ""), OSError("x")]
)
def test_what_breaks_a_law_while_fetching_fails_the_source_with_its_name(fetched):
    with pytest.raises(PluginFailed, match=r'the connector "shelf".*fetching i'):
        guarded(Broken(fetched=fetched)).fetch(GOOD)


def test_its_own_errors_pass_and_its_secrets_do_not():
    secrets = Secrets({"TOKEN": "s3cret", "LONG": "s3cret-and-more"}.get)
    assert (secrets("TOKEN"), secrets("LONG"), secrets("ABSENT")) == ("s3cret", "s3cret-and-more", None)
    denied = AccessDenied("s3cret-and-more is refused", hint="not s3cret")
    with pytest.raises(AccessDenied) as caught:
        list(Guarded("shelf", lambda: Broken([denied]), secrets=secrets).list())
    assert (str(caught.value), caught.value.hint) == ("*** is refused", "not ***")
    with pytest.raises(PluginFailed) as caught:
        Guarded("shelf", lambda: Broken(fetched=KeyError("s3cret")), secrets=secrets).fetch(GOOD)
    assert "s3cret" not in str(caught.value)


def test_a_maker_that_breaks_down_fails_the_source():
    def make():
        raise KeyError("file")

    with pytest.raises(ConnectorError, match="broke down while listing: KeyError: 'file'"):
        list(Guarded("shelf", make, secrets=Secrets({}.get)).list())


UNSTEADY = """\
from connectors.items import Item, Raw

class Unsteady:
    listings = 0

    def list(self):
        self.listings += 1
        yield Item("a", f"{self.listings}", ("everyone",))
        yield Item("b", f"{self.listings > 1}", ("everyone",))
        yield Item("b", "twice", ())

    def fetch(self, item):
        return Raw(item.id, b"text", "x.txt")

def make(context):
    return Unsteady()
"""


def test_connectors_test_names_the_laws_that_are_broken(site, configured, capsys, tmp_path):
    site("acme_shelf", {"shelf": "acme_shelf:make"}, UNSTEADY)
    configured("s: {type: shelf, readers: [everyone]}")
    assert main(["-C", str(tmp_path), "connectors", "test", "--json"]) == 8
    found = json.loads(capsys.readouterr().out)["sources"]["s"]
    assert (found["status"], found["error"]) == ("failed", "the connector breaks its laws")
    assert found["broken"] == ["it lists 'b' twice", "the fingerprint of a is another in each listing"]
