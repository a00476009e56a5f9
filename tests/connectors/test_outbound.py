"""What one request promises: redirects, credentials, limits, tries, and errors that say what to do."""

import gzip
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from faults import FaultyServer, QuietHandler
from git_server import certificate

from connectors.errors import (
    AddressRefused,
    ResponseTooLarge,
    SourceMisconfigured,
    SourceUnavailable,
    Unanswered,
)
from connectors.outbound import Limits, Outbound
from connectors.pacing import Pace, asked_pause
from connectors.retrying import Patience

BRIEF = Patience(tries=3, first=0.001, longest=0.01, asked=5)


class Scripted(QuietHandler):
    """Each path has a list of answers, functions of the handler; the last one stays."""

    def answer(self) -> None:
        server = self.server
        path = self.path.partition("?")[0]
        server.seen.append((self.command, self.path, dict(self.headers), self.read_body()))
        steps = server.script[path]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        step(self)

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


def page(body=b"ok", status=200, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.server.faults.send(handler, status, named, body)


def moved(place, status=302):
    return page(b"", status, Location=place)


def hang_up(handler):
    handler.close_connection = True


def half(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    handler.close_connection = True


def dripping(head, *, piece=b"x", pause=0.02):
    """Send ``head``, then ``piece`` again and again, so that no single read takes long."""

    def step(handler):
        handler.close_connection = True
        handler.wfile.write(head)
        while not handler.server.faults.over.wait(pause):
            handler.wfile.write(piece)

    return step


@pytest.fixture
def serve():
    """Start a server with a script of answers by path."""
    running = []

    def start(**script):
        server = FaultyServer(Scripted)
        server.seen = []
        server.script = {
            f"/{name}": answers if isinstance(answers, list) else [answers]
            for name, answers in script.items()
        }
        running.append(server.__enter__())
        return server

    yield start
    for server in running:
        server.__exit__()


def outbound(sleep=time.sleep, **limits):
    given = Limits(**{"timeout": 5, "patience": BRIEF, **limits})
    return Outbound(
        allow=["127.0.0.1", "one.example", "two.example"], limits=given, resolve=local, sleep=sleep
    )


def local(host, _):
    if host.endswith(".example"):
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "no such host")


def paths(server):
    return [path for _, path, _, _ in server.seen]


# -- answers ------------------------------------------------------------------------------------------------


def test_an_answer_has_its_status_headers_and_body(serve):
    server = serve(a=page(b"hello", 404, X_Kind="greeting"))
    with outbound() as out:
        reply = out.request("GET", f"{server.url}/a?b=1#c")
    assert (reply.status, reply.body, reply.headers["x-kind"]) == (404, b"hello", "greeting")
    assert reply.url == f"{server.url}/a?b=1"
    assert paths(server) == ["/a?b=1"]


def test_a_connection_serves_many_requests(serve):
    server = serve(a=page())
    with outbound() as out:
        for _ in range(20):
            out.request("GET", f"{server.url}/a")
    assert server.accepted == 1


def test_head_and_304_have_no_body_whatever_length_they_name(serve):
    server = serve(
        a=page(b"", Content_Length="2000000000"), b=page(b"", 304, Content_Length="2000000000", ETag='"1"')
    )
    with outbound() as out:
        assert out.request("HEAD", f"{server.url}/a").headers["content-length"] == "2000000000"
        again = out.request("GET", f"{server.url}/b", headers={"If-None-Match": '"1"'})
    assert (again.status, again.body) == (304, b"")
    assert server.seen[1][2]["If-None-Match"] == '"1"'


def test_headers_that_come_twice_are_joined(serve):
    def twice(handler):
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLink: <a>; rel=prev\r\nLink: <b>; rel=next\r\n\r\n"
        )

    with outbound() as out:
        reply = out.request("GET", f"{serve(a=twice).url}/a")
    assert reply.headers["link"] == "<a>; rel=prev, <b>; rel=next"


def test_no_variable_makes_it_use_a_proxy(serve, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with outbound() as out:
        assert out.request("GET", f"{serve(a=page()).url}/a").body == b"ok"


# -- redirects and credentials ------------------------------------------------------------------------------


def test_redirects_are_followed_relative_to_where_they_stand(serve):
    server = serve(**{"a": moved("deep/b"), "deep/b": moved("/c?x=%20y", 308), "c": page(b"here")})
    with outbound() as out:
        reply = out.request("GET", f"{server.url}/a")
    assert (reply.body, reply.url) == (b"here", f"{server.url}/c?x=%20y")


def test_an_unquoted_place_is_quoted_as_browsers_do(serve):
    def spaced(handler):
        handler.wfile.write("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /ü x\r\n\r\n".encode())

    server = serve(**{"a": spaced, "%C3%BC%20x": page(b"here")})
    with outbound() as out:
        assert out.request("GET", f"{server.url}/a").body == b"here"


def test_a_redirect_loop_ends_after_five(serve):
    server = serve(a=moved("/b"), b=moved("/a"))
    with outbound() as out, pytest.raises(Unanswered, match=r"/a redirects more than 5 times"):
        out.request("GET", f"{server.url}/a")
    assert len(server.seen) == 6, "not tried again: a loop is not cured by another try"


def test_a_status_without_a_place_is_an_answer(serve):
    with outbound() as out:
        assert out.request("GET", f"{serve(a=page(b'?', 302)).url}/a").status == 302


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_no_redirect_is_allowed_one_is_an_answer_and_nothing_is_sent_on(status, serve):
    server = serve(a=moved("/b", status), b=page())
    with outbound(redirects=0) as out:
        reply = out.request("POST", f"{server.url}/a", body=b"{}")
    assert (reply.status, reply.headers["location"]) == (status, "/b")
    assert paths(server) == ["/a"]


@pytest.mark.parametrize("after", [{}, {"Retry_After": "3600"}])
def test_an_error_bears_the_status_that_the_server_answered(after, serve):
    server = serve(a=page(b"", 503, **after), b=half)
    with outbound() as out:
        with pytest.raises(SourceUnavailable) as told:
            out.request("POST", f"{server.url}/a", body=b"{}")
        assert told.value.status == 503
        with pytest.raises(SourceUnavailable) as told:
            out.request("POST", f"{server.url}/b", body=b"{}")
        assert told.value.status is None


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (303, "HEAD", "HEAD"),
        (302, "HEAD", "HEAD"),
    ],
)
def test_methods_after_a_redirect(status, method, becomes, serve):
    server = serve(a=moved("/b", status), b=page())
    body = b"{}" if method == "POST" else None
    with outbound() as out:
        out.request(method, f"{server.url}/a", body=body, headers={"Content-Type": "application/json"})
    sent, _, headers, arrived = server.seen[1]
    assert sent == becomes
    assert arrived == (b"{}" if becomes == "POST" else b"")
    assert ("Content-Type" in headers) == (becomes != "GET")


def test_credentials_stay_with_the_host_and_port_they_were_given_for(serve):
    other = serve(b=page())
    server = serve(
        a=moved("/same"),
        same=moved("http://two.example:{}/elsewhere"),
        elsewhere=page(),
        c=moved(f"{other.url}/b"),
    )
    server.script["/same"] = [moved(f"http://two.example:{server.port}/elsewhere")]
    secret = {"Authorization": "Bearer s3cret"}
    with outbound() as out:
        out.request("GET", f"http://one.example:{server.port}/a", headers={"X-Kept": "1"}, credentials=secret)
        out.request("GET", f"{server.url}/c", credentials=secret)
    sent = {path: headers for _, path, headers, _ in server.seen}
    assert [path for path, headers in sent.items() if "Authorization" in headers] == ["/a", "/same", "/c"]
    assert sent["/elsewhere"]["X-Kept"] == "1"
    assert "Authorization" not in other.seen[0][2], "another port is another server"


@pytest.mark.parametrize("value", ["two\r\nX-Evil: 1", "line\n", "snow\u2603", "nul\0"])
def test_what_no_header_may_hold_is_refused_and_not_repeated(value, serve):
    server = serve(a=page())
    with (
        outbound() as out,
        pytest.raises(SourceMisconfigured, match="the header Authorization holds") as caught,
    ):
        out.request("GET", f"{server.url}/a", credentials={"Authorization": f"s3cret{value}"})
    assert "s3cret" not in str(caught.value)
    assert server.seen == []


# -- https --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A certificate for one.example signed by itself, with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    made, key = certificate(folder, "one.example", "127.0.0.1")
    file = folder / "one.pem"
    file.write_bytes(made.read_bytes() + key.read_bytes())
    return file


@pytest.fixture
def secure(serve, certified):
    """Turn a server into one that speaks TLS."""
    import ssl

    def wrapped(**script):
        server = serve(**script)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certified)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        return server

    return wrapped


def test_https_checks_the_name_though_it_connects_to_the_address(secure, certified, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    server = secure(a=page(b"private"))
    with outbound() as out:
        assert out.request("GET", f"https://one.example:{server.port}/a").body == b"private"
        assert out.request("GET", f"https://127.0.0.1:{server.port}/a").body == b"private"
        with pytest.raises(SourceUnavailable, match="its certificate is not accepted") as caught:
            out.request("GET", f"https://two.example:{server.port}/a")
    assert not isinstance(caught.value, Unanswered)


def test_a_certificate_that_nobody_signed_is_refused_at_once(secure):
    server = secure(a=page())
    with outbound() as out, pytest.raises(SourceUnavailable, match="certificate"):
        out.request("GET", f"https://one.example:{server.port}/a")
    assert server.seen == []
    assert server.accepted == 1


def test_credentials_do_not_go_from_https_to_http(secure, serve, certified, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certified))
    plain = serve(b=page())
    server = secure(a=moved(f"http://one.example:{plain.port}/b"))
    with outbound() as out:
        out.request(
            "GET", f"https://one.example:{server.port}/a", credentials={"Authorization": "Bearer s3cret"}
        )
    assert "Authorization" in server.seen[0][2]
    assert "Authorization" not in plain.seen[0][2]


def test_a_server_that_speaks_no_tls_is_tried_again(serve):
    server = serve(a=page())
    with outbound() as out, pytest.raises(Unanswered):
        out.request("GET", f"https://127.0.0.1:{server.port}/a")
    assert server.accepted == BRIEF.tries


# -- limits -------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused(serve):
    server = serve(a=page(b"x" * 1000), b=page(b"x" * 1001))
    with outbound(max_bytes=1000) as out:
        assert len(out.request("GET", f"{server.url}/a").body) == 1000
        with pytest.raises(ResponseTooLarge, match="more than 1000 bytes") as caught:
            out.request("GET", f"{server.url}/b")
        assert len(out.request("GET", f"{server.url}/b", max_bytes=2000).body) == 1001
    assert caught.value.reason == "too_large"


def test_two_gigabytes_are_refused_by_their_length_before_they_are_read(serve):
    started = []

    def huge(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
        started.append(handler.server.faults.over.wait(30))
        handler.close_connection = True

    server = serve(a=huge)
    with outbound() as out, pytest.raises(ResponseTooLarge):
        out.request("GET", f"{server.url}/a")
    assert started == [], "nobody waited for the body"


@pytest.mark.parametrize(
    "length", [b"Content-Length: 9" + b"9" * 30, b"Content-Length: -1", b"Content-Length: x"]
)
def test_a_length_that_is_no_length_does_no_harm(length, serve):
    def odd(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + b"\r\n\r\nbody")
        handler.close_connection = True

    with outbound() as out:
        try:
            reply = out.request("GET", f"{serve(a=odd).url}/a")
        except (Unanswered, ResponseTooLarge) as error:
            assert str(error)  # noqa: PT017 - either is right; a traceback is not
        else:
            assert reply.body == b"body"


def test_an_endless_body_is_cut_at_the_limit(serve):
    endless = dripping(b"HTTP/1.1 200 OK\r\n\r\n", piece=b"x" * 65_536, pause=0)
    server = serve(a=endless)
    with outbound(max_bytes=1_000_000) as out, pytest.raises(ResponseTooLarge):
        out.request("GET", f"{server.url}/a")


def test_a_bomb_is_cut_at_the_limit_of_what_it_holds(serve):
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    assert len(bomb) < 1000
    server = serve(
        a=page(bomb, Content_Encoding="gzip, gzip"), b=page(gzip.compress(b"words"), Content_Encoding="gzip")
    )
    with outbound(max_bytes=1_000_000) as out:
        with pytest.raises(ResponseTooLarge):
            out.request("GET", f"{server.url}/a")
        assert out.request("GET", f"{server.url}/b").body == b"words"


def test_broken_compression_is_no_answer(serve):
    server = serve(a=page(b"no gzip at all", Content_Encoding="gzip"))
    with outbound() as out, pytest.raises(Unanswered):
        out.request("GET", f"{server.url}/a")


@pytest.mark.parametrize(
    "slow",
    [
        dripping(b"HTTP/1.1 200 OK\r\nX-Padding: "),
        dripping(b"", piece=b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", piece=b"1\r\nx\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", piece=b"0"),
    ],
    ids=["head", "continue", "length", "no length", "chunks", "size of a chunk"],
)
def test_an_answer_that_drips_for_ever_is_ended_by_the_time_for_all_of_it(slow, serve):
    server = serve(a=slow)
    once = Patience(tries=1)
    with outbound(timeout=0.3, total=0.5, patience=once) as out, pytest.raises(Unanswered):
        out.request("GET", f"{server.url}/a")


def test_silence_is_ended_by_the_timeout(serve):
    server = serve(a=lambda handler: handler.server.faults.over.wait(30))
    with outbound(timeout=0.1) as out, pytest.raises(Unanswered, match=r"/a: Read timed out"):
        out.request("GET", f"{server.url}/a")
    assert len(server.seen) == BRIEF.tries


# -- trying again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [hang_up, half, *(page(b"", n) for n in (408, 425, 429, 500, 502, 503, 504))]
)
def test_a_fault_that_passes_is_not_noticed(fault, serve):
    server = serve(a=[fault, fault, page(b"at last")])
    with outbound() as out:
        assert out.request("GET", f"{server.url}/a").body == b"at last"


def test_a_fault_that_stays_is_told_with_its_place_and_without_its_query(serve):
    server = serve(a=page(b"", 503))
    with outbound() as out, pytest.raises(Unanswered, match=r"/a answered 503$") as caught:
        out.request("GET", f"{server.url}/a?token=hidden")
    assert len(server.seen) == BRIEF.tries
    assert "hidden" not in str(caught.value)
    assert caught.value.hint


def test_other_statuses_are_answers_and_asked_once(serve):
    server = serve(a=page(b"", 501))
    with outbound() as out:
        assert out.request("GET", f"{server.url}/a").status == 501
    assert len(server.seen) == 1


def test_what_may_change_something_is_sent_once(serve):
    server = serve(a=page(b"", 503), b=half)
    with outbound() as out:
        for path in ("a", "b"):
            with pytest.raises(Unanswered):
                out.request("POST", f"{server.url}/{path}", body=b"{}")
    assert len(server.seen) == 2


def test_a_query_is_a_post_that_is_tried_again(serve):
    server = serve(a=[page(b"", 503), page(b"found")])
    with outbound() as out:
        assert out.query(f"{server.url}/a", b'{"q": 1}').body == b"found"
    assert [(method, body) for method, _, _, body in server.seen] == [("POST", b'{"q": 1}')] * 2


def test_retry_after_is_waited_out(serve):
    pauses = []
    server = serve(a=[page(b"", 429, Retry_After="3"), page(b"ok")])
    with outbound(sleep=pauses.append) as out:
        assert out.request("GET", f"{server.url}/a").body == b"ok"
    assert max(pauses) == pytest.approx(3, abs=0.1)


def test_retry_after_as_a_date_is_measured_by_the_servers_clock(serve):
    then = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    date, later = (format_datetime(one, usegmt=True) for one in (then, then + timedelta(seconds=4)))
    assert asked_pause({"retry-after": later, "date": date}) == 4
    assert asked_pause({"retry-after": date, "date": later}) == 0
    assert asked_pause({"retry-after": later}) == 0, "long past by our own clock"
    ahead = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < asked_pause({"retry-after": ahead}) <= 100
    assert [asked_pause({"retry-after": odd}) for odd in ("", "soon", "-5", "1.5", "Fri, 99 Foo")] == [
        None
    ] * 5
    assert asked_pause({"retry-after": "9" * 400}) == float("inf")


def test_a_server_that_asks_for_more_than_our_patience_ends_the_source_at_once(serve):
    server = serve(a=page(b"", 429, Retry_After="3600"))
    with outbound() as out, pytest.raises(SourceUnavailable, match="come again in 3600 seconds") as caught:
        out.request("GET", f"{server.url}/a")
    assert len(server.seen) == 1
    assert not isinstance(caught.value, Unanswered), (
        "not this request alone: whoever asks on is told the same"
    )


def test_a_pause_that_is_asked_for_holds_for_all_requests():
    pauses = []
    pace = Pace(0, pauses.append)
    pace.wait()
    pace.pause(60)
    pace.wait()
    assert [round(one) for one in pauses] == [60]


def test_requests_keep_to_the_rate():
    pauses = []
    pace = Pace(10, pauses.append)
    for _ in range(4):
        pace.wait()
    assert pauses == pytest.approx([0.1, 0.2, 0.3], abs=0.09)


# -- hosts that are not there -------------------------------------------------------------------------------


def test_a_host_without_a_name_ends_the_source():
    with (
        outbound() as out,
        pytest.raises(SourceUnavailable, match=r"there is no host wiki\.invalid") as caught,
    ):
        out.request("GET", "https://wiki.invalid/")
    assert caught.value.hint == "check the address, and this machine's DNS"


def test_a_resolver_that_is_busy_is_asked_again():
    asked = []

    def busy(host, _):
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    limits = Limits(patience=BRIEF)
    with (
        Outbound(limits=limits, resolve=busy) as out,
        pytest.raises(SourceUnavailable, match="looked up now"),
    ):
        out.request("GET", "https://wiki.example/")
    assert len(asked) == BRIEF.tries


@pytest.mark.parametrize("error", [OSError("broken"), UnicodeError("label too long")])
def test_any_other_failure_of_the_resolver_is_mapped(error):
    def broken(*_):
        raise error

    with Outbound(resolve=broken) as out, pytest.raises(SourceUnavailable, match="cannot be looked up"):
        out.request("GET", "https://wiki.example/")


def test_a_port_where_nobody_listens_ends_the_source():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with outbound() as out, pytest.raises(SourceUnavailable, match="cannot be reached") as caught:
            out.request("GET", f"http://127.0.0.1:{port}/")
    assert not isinstance(caught.value, Unanswered)


def test_the_next_address_is_tried_where_nobody_listens(serve):
    server = serve(a=page())
    allow = ["127.0.0.1", "127.0.0.7"]
    with Outbound(allow=allow, resolve=lambda *_: ["127.0.0.7", "127.0.0.1"]) as out:
        assert out.request("GET", f"http://one.example:{server.port}/a").body == b"ok"


def test_what_a_redirect_leads_to_is_this_requests_trouble_alone(serve):
    server = serve(
        a=moved("http://gone.invalid/"), b=moved("http://127.0.0.1:9/"), c=moved("http://10.0.0.5/")
    )
    with outbound() as out:
        for path, expected in (("a", Unanswered), ("b", Unanswered), ("c", AddressRefused)):
            with pytest.raises(expected, match=rf"/{path} redirects: "):
                out.request("GET", f"{server.url}/{path}")


def test_many_threads_share_one(serve):
    from concurrent.futures import ThreadPoolExecutor

    server = serve(a=page())
    with outbound() as out, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: out.request("GET", f"{server.url}/a").body, range(200)))
    assert replies == [b"ok"] * 200
    assert server.accepted <= 8
