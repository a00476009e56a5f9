"""Forty ways to reach what is not public, and forty refusals before any connection is opened."""

import socket
from urllib.parse import quote, unquote

import pytest
from faults import FaultyServer, QuietHandler

from connectors.errors import AddressRefused, SourceMisconfigured
from connectors.outbound import Limits, Outbound
from connectors.retrying import Patience

# name -> its addresses at the first look-up, at the second, and so on (the last one stays).
NAMES = {
    "intranet.example": [["10.0.0.5"]],
    "loop.example": [["127.0.0.1"]],
    "metadata.google.internal": [["169.254.169.254"]],
    "azure.example": [["168.63.129.16"]],
    "shared.example": [["100.64.1.1"]],
    "six.example": [["::1"]],
    "mapped.example": [["::ffff:10.0.0.5"]],
    "unique-local.example": [["fd12::1"]],
    "zone.example": [["fe80::1%lo"]],
    "mixed.example": [["93.184.216.34", "10.0.0.5"]],
    "odd.example": [["not an address"]],
    "listed.example": [["169.254.169.254"]],
    "listed-six.example": [["fd00:ec2::254"]],
    "rebinds.example": [["127.0.0.1"], ["10.0.0.5"]],
}

LITERALS = {
    "loopback": "http://127.0.0.1/",
    "loopback, another of its addresses": "http://127.8.9.10/",
    "private": "http://10.1.2.3/",
    "private, of a small office": "http://192.168.1.1:80/",
    "link-local": "http://169.254.1.1/",
    "shared": "http://100.64.0.1/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata of Azure, a public address": "http://168.63.129.16/machine",
    "metadata of Alibaba": "http://100.100.100.200/latest/",
    "metadata over IPv6": "http://[fd00:ec2::254]/latest/",
    "unspecified": "http://0.0.0.0/",
    "multicast": "http://224.0.0.1/",
    "broadcast": "http://255.255.255.255/",
    "decimal": "http://2130706433/",
    "octal": "http://0177.0.0.1/",
    "hexadecimal": "http://0x7f000001/",
    "hexadecimal, dotted": "http://0x7f.0.0.0x1/",
    "short": "http://127.1/",
    "trailing dot": "http://127.0.0.1./",
    "IPv6 loopback": "http://[::1]/",
    "IPv6 unspecified": "http://[::]/",
    "IPv6 mapped": "http://[::ffff:127.0.0.1]/",
    "IPv6 mapped, in hexadecimal": "http://[::ffff:7f00:1]/",
    "IPv6 compatible": "http://[::7f00:1]/",
    "IPv6 translated (NAT64)": "http://[64:ff9b::a00:1]/",
    "IPv6 translated, local prefix": "http://[64:ff9b:1::a00:1]/",
    "6to4": "http://[2002:7f00:1::1]/",
    "Teredo": "http://[2001:0:5ef5:79fd:0:59d:80ff:fffe]/",
    "site-local": "http://[fec0::1]/",
    "unique local": "http://[fd12:3456::1]/",
    "zone": "http://[fe80::1%25lo]/",
    "ideographic dots": "http://127。0。0。1/",
    "circled digits": "http://①②⑦.⓪.⓪.①/",
    "full-width digits": "http://１２７.0.0.1/",
    "percent-encoded host": "http://127.0.0.%31/",
    "name before the host": "http://example.com@127.0.0.1/",
    "name and password before the host": "http://example.com:80@127.0.0.1:80/",
    "backslash": "http://example.com\\@127.0.0.1/",
    "tab in the scheme": "ht\ttp://127.0.0.1/",
    "line break in the host": "http://example.com\r\nHost: 127.0.0.1/",
    "two ports": "http://127.0.0.1:80:80/",
    "port of other digits": "http://127.0.0.1:８０/",
    "no port": "http://127.0.0.1:0/",
    "three slashes": "http:///127.0.0.1/",
    "no scheme": "//127.0.0.1/",
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/",
    "gopher": "gopher://127.0.0.1:11211/_stats",
    "data": "data:text/plain,hello",
    "unix": "unix:///var/run/docker.sock",
}

BY_NAME = [name for name in NAMES if name != "rebinds.example"]

BY_REDIRECT = {
    "to loopback": "http://127.0.0.2/",
    "to metadata": "http://169.254.169.254/",
    "to a private network": "http://10.0.0.5/",
    "to another port that is not listed by name": "http://intranet.example/",
    "without a scheme": "//169.254.169.254/",
    "to decimal": "http://2130706433/",
    "to IPv6 loopback": "http://[::1]/",
    "to IPv6 mapped": "http://[::ffff:a9fe:a9fe]/",
    "to a file": "file:///etc/passwd",
    "to ftp": "ftp://127.0.0.1/",
    "to gopher": "gopher://127.0.0.1/_",
    "to data": "data:text/html,hello",
    "past a name": "http://example.com@169.254.169.254/",
    "past a backslash": "http://example.com\\@169.254.169.254/",
    "past a tab": "http://169.254.\t169.254/",
    "to ideographic dots": "http://169。254。169。254/",
    "to mixed answers": "http://mixed.example/",
    "to a metadata name": "http://metadata.google.internal/",
}


class Redirecting(QuietHandler):
    """``/?to=URL`` leads there; anything else is a page."""

    def answer(self) -> None:
        _, _, place = self.path.partition("?to=")
        if place:
            # As bytes, as they come: http.server would refuse to write some of them.
            line = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {unquote(place)}\r\n\r\n"
            self.wfile.write(line.encode())
            return
        self.server.faults.send(self, 200, {}, b"a page")


class Resolver:
    """Answers from ``NAMES``, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, _: int) -> list[str]:
        answers = NAMES.get(host.rstrip("."))
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        self.asked.append(host)
        return answers[min(self.asked.count(host), len(answers)) - 1]


@pytest.fixture
def connects(monkeypatch):
    """The addresses to which sockets were connected."""
    made = []
    real = socket.socket.connect

    def counted(self, address):
        made.append(address)
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    return made


@pytest.fixture
def server():
    with FaultyServer(Redirecting) as running:
        yield running


def outbound(*, allow=()):
    patience = Patience(tries=2, first=0.001)
    return Outbound(allow=allow, limits=Limits(timeout=5, patience=patience), resolve=Resolver())


def refused(url, *, allow=()):
    """The error of a request, which is one that a person understands."""
    with outbound(allow=allow) as out, pytest.raises((AddressRefused, SourceMisconfigured)) as caught:
        out.request("GET", url, credentials={"Authorization": "Bearer s3cret"})
    assert str(caught.value)
    assert caught.value.hint
    assert "s3cret" not in str(caught.value)
    return caught.value


def test_there_are_forty_attacks_and_more():
    assert len(LITERALS) + len(BY_NAME) + len(BY_REDIRECT) >= 40


@pytest.mark.parametrize("url", LITERALS.values(), ids=LITERALS)
def test_what_is_not_public_is_refused_before_a_connection(url, connects):
    refused(url)
    assert connects == []


def test_the_same_attack_reaches_no_server_that_listens_there(server, connects):
    port = server.port
    for host in (
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "[::ffff:7f00:1]",
        "127。0。0。1",
    ):
        refused(f"http://{host}:{port}/")
    assert connects == []
    assert server.accepted == 0


@pytest.mark.parametrize("name", BY_NAME)
def test_a_name_is_as_closed_as_its_addresses(name, connects):
    refused(f"http://{name}/")
    refused(f"http://{name.upper()}./")
    assert connects == []


@pytest.mark.parametrize("place", BY_REDIRECT.values(), ids=BY_REDIRECT)
def test_a_redirect_opens_nothing(place, server, connects):
    error = refused(f"{server.url}/?to={quote(place, safe='')}", allow=["127.0.0.1"])
    assert isinstance(error, AddressRefused)
    assert connects == [("127.0.0.1", server.port)], "the listed server, and nothing after it"


@pytest.mark.parametrize("name", ["listed.example", "listed-six.example", "zone.example"])
def test_a_listed_name_opens_no_metadata_and_no_link_local_address(name, connects):
    refused(f"http://{name}/", allow=[name])
    assert connects == []


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("169.254.0.0/16", "169.254.169.254"),
        ("0.0.0.0/0", "168.63.129.16"),
        ("100.64.0.0/10", "100.100.100.200"),
        ("fd00::/8", "[fd00:ec2::254]"),
        ("fe80::/10", "[fe80::1]"),
        ("::/0", "[::ffff:169.254.169.254]"),
    ],
)
def test_a_listed_network_opens_no_metadata_and_no_link_local_address(network, address, connects):
    refused(f"http://{address}/", allow=[network])
    assert connects == []


def test_a_name_that_changes_its_address_between_requests_is_refused_the_second_time(server, connects):
    with outbound(allow=["127.0.0.1"]) as out:
        assert out.request("GET", f"http://rebinds.example:{server.port}/").body == b"a page"
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.5, which is not public"):
            out.request("GET", f"http://rebinds.example:{server.port}/")
    assert connects == [("127.0.0.1", server.port)]


def test_a_name_that_changes_its_address_before_a_redirect_is_refused(server, connects):
    again = quote(f"http://rebinds.example:{server.port}/private", safe="")
    with outbound(allow=["127.0.0.1"]) as out, pytest.raises(AddressRefused, match=r"10\.0\.0\.5"):
        out.request("GET", f"http://rebinds.example:{server.port}/?to={again}")
    assert connects == [("127.0.0.1", server.port)]


def test_the_connection_goes_to_the_address_that_was_checked(server, connects):
    resolver = Resolver()
    with Outbound(allow=["127.0.0.1"], resolve=resolver) as out:
        out.request("GET", f"http://rebinds.example:{server.port}/")
    assert resolver.asked == ["rebinds.example"], "one look-up a request, none of its own by a library"
    assert connects == [("127.0.0.1", server.port)]


def test_other_clients_get_the_same_answer_from_check():
    with outbound(allow=["127.0.0.1"]) as out:
        assert out.check("http://127.0.0.1:1/") == ["127.0.0.1"]
    for url in (*LITERALS.values(), *(f"http://{name}/" for name in BY_NAME)):
        with outbound() as out, pytest.raises((AddressRefused, SourceMisconfigured)):
            out.check(url)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_permitted(address):
    with Outbound(resolve=lambda *_: [address]) as out:
        assert out.check("https://public.example/") == [address]


@pytest.mark.parametrize(
    ("allow", "host"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
        ("::1", "[::1]"),
        ("intranet.example", "intranet.example"),
        ("Intranet.Example.", "INTRANET.example"),
        ("169.254.169.254", "169.254.169.254"),
        ("fd12::/16", "unique-local.example"),
    ],
)
def test_what_is_listed_is_permitted(allow, host):
    with outbound(allow=[allow]) as out:
        assert out.check(f"http://{host}/")


def test_an_error_names_the_host_and_what_to_list():
    error = refused("http://intranet.example/wiki?token=hidden")
    assert str(error) == "http://intranet.example/wiki is at 10.0.0.5, which is not public"
    assert error.hint == "if it is to be reached, add intranet.example or 10.0.0.5 to outbound.allow"


def test_an_error_repeats_no_password_of_a_url():
    error = refused("http://mia:pa55word@[nonsense/")
    assert "pa55word" not in str(error)
    assert "pa55word" not in str(refused("http://mia:pa55word@intranet.example/"))
