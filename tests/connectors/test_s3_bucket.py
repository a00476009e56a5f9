import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from bucket_server import BUCKET, KEY, SECRET, bucket_server, faulty
from faults import Faults, FaultyServer, QuietHandler

from connectors.errors import (
    AccessDenied,
    AddressRefused,
    ExtraMissing,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.globs import selection
from connectors.outbound import Outbound
from connectors.remote_files import RemoteFiles
from connectors.retrying import Patience
from connectors.s3_bucket import Bucket, S3Access
from connectors.testing import ConnectorContract


@pytest.fixture(scope="module")
def server():
    with bucket_server() as running:
        yield running


@pytest.fixture
def bucket(server):
    server.empty()
    yield server
    server.empty()


def source(server, path=f"s3://{BUCKET}/hr", *, url=None, allow=("127.0.0.1",), max_bytes=10**6, **access):
    given = {"endpoint": url or server.url, "key": KEY, "secret": SECRET, **access}
    place = Bucket(
        path, S3Access(**given), Outbound(allow=allow), patience=Patience(tries=5), sleep=lambda _: None
    )
    return RemoteFiles(place, selection(["everyone"]), max_bytes=max_bytes)


def read(files):
    return {item.id: files.fetch(item).data for item in list(files.list())}


class TestBucketContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, bucket):
        self.server = bucket
        for key in (
            "hr/a.txt",
            "hr/b/c.md",
            "hr/b/cafe\u0301.txt",
            "hr/b/caf\u00e9.txt",
            "hr/b/",
            "other.txt",
        ):
            bucket.put(key, f"text of {key}")

    def connector(self):
        return source(self.server)


def test_ids_lie_below_the_prefix_and_markers_are_no_files(bucket):
    for key in ("hr/a.txt", "hr/", "hr/sub/", "hr/sub/b.txt", "hr/.hidden/c.txt", "hrx/d.txt", "hr/../e.txt"):
        bucket.put(key, key)
    assert read(source(bucket)) == {"a.txt": b"hr/a.txt", "sub/b.txt": b"hr/sub/b.txt"}


def test_a_fingerprint_changes_with_the_bytes_and_only_with_them(bucket):
    bucket.put("hr/a.txt", "one")
    (before,) = source(bucket).list()
    bucket.put("hr/b.txt", "other")
    bucket.put("hr/a.txt", "one")
    assert next(source(bucket).list()) == before
    bucket.put("hr/a.txt", "two")
    assert next(source(bucket).list()).fingerprint != before.fingerprint


def test_one_object_is_a_source_of_its_own(bucket):
    bucket.put("hr/a.txt", "text")
    bucket.put("hr/a.txt.bak", "other")
    assert read(source(bucket, f"s3://{BUCKET}/hr/a.txt")) == {"a.txt": b"text"}


def test_a_prefix_below_which_nothing_lies_is_not_an_empty_source(bucket):
    bucket.put("other/a.txt", "text")
    with pytest.raises(SourceUnavailable, match="nothing lies below"):
        list(source(bucket).list())
    bucket.put("hr/", "")
    assert list(source(bucket).list()) == []


def test_an_empty_bucket_is_an_empty_source(bucket):
    assert list(source(bucket, f"s3://{BUCKET}").list()) == []


def test_a_listing_of_many_pages_is_whole(bucket):
    real = bucket.client.list_objects_v2
    for number in range(7):
        bucket.put(f"hr/{number}.txt", str(number))
    files = source(bucket)
    system = files._place._files()
    inner = system.call_s3
    system.call_s3 = lambda method, **asked: inner(
        method, **asked, **({"MaxKeys": 3} if method == "list_objects_v2" else {})
    )
    assert [item.id for item in files.list()] == [f"{number}.txt" for number in range(7)]
    assert len(real(Bucket=BUCKET)["Contents"]) == 7


def test_a_listing_that_names_no_next_page_raises(bucket):
    bucket.put("hr/a.txt", "text")
    files = source(bucket)
    files._place._files().call_s3 = lambda *_, **__: {"IsTruncated": True, "Contents": []}
    with pytest.raises(SourceUnavailable, match="half-way"):
        list(files.list())


def test_what_the_server_knows_of_an_object_comes_along(bucket):
    bucket.put("hr/plan", "<p>Plan</p>", ContentType="text/html; charset=utf-8")
    bucket.put("hr/raw", "x")
    files = source(bucket)
    plan, raw = (files.fetch(item) for item in list(files.list()))
    assert (plan.name, plan.media_type, raw.media_type) == ("plan", "text/html; charset=utf-8", None)
    assert plan.modified is not None
    assert plan.modified.endswith("Z")


def test_an_object_over_the_limit_is_listed_and_refused(bucket):
    bucket.put("hr/a.txt", b"0" * 101)
    files = source(bucket, max_bytes=100)
    (item,) = files.list()
    for told in (item, replace(item, size=None), replace(item, size=5)):
        with pytest.raises(UnreadableDocument) as caught:
            files.fetch(told)
        assert caught.value.reason == "too_large"


def test_an_object_that_is_gone_is_vanished_and_an_empty_one_is_empty(bucket):
    bucket.put("hr/a.txt", "text")
    bucket.put("hr/empty.txt", "")
    files = source(bucket)
    gone, empty = files.list()
    bucket.delete("hr/a.txt")
    assert files.fetch(empty).data == b""
    for connector in (files, source(bucket)):
        with pytest.raises(UnreadableDocument) as caught:
            connector.fetch(gone)
        assert caught.value.reason == "vanished"


def test_several_threads_read_at_once(bucket):
    for number in range(12):
        bucket.put(f"hr/{number:02}.txt", str(number))
    files = source(bucket)
    items = list(files.list())
    with ThreadPoolExecutor(6) as pool:
        assert [raw.data for raw in pool.map(files.fetch, items)] == [str(n).encode() for n in range(12)]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("s3://absent-bucket/x", SourceMisconfigured),
        ("s3://A_/", SourceMisconfigured),
        ("s3://", SourceMisconfigured),
    ],
)
def test_a_bucket_that_is_none_is_a_mistake(bucket, path, error):
    with pytest.raises(error) as caught:
        list(source(bucket, path).list())
    assert caught.value.hint


def test_wrong_credentials_are_refused_access_and_never_repeated(bucket):
    bucket.put("hr/a.txt", "text")
    files = source(bucket)
    (item,) = files.list()
    bucket.check_rights(after=0)
    try:
        for call in (lambda: list(files.list()), lambda: files.fetch(item)):
            with pytest.raises(AccessDenied) as caught:
                call()
            said = f"{caught.value} {caught.value.hint} {caught.value!r}"
            assert SECRET not in said
            assert KEY not in said
    finally:
        bucket.check_rights(after=float("inf"))
    assert SECRET not in repr(S3Access(key=KEY, secret=SECRET))


def test_without_credentials_nothing_is_asked(bucket):
    with pytest.raises(SourceMisconfigured, match="credentials"):
        list(source(bucket, secret=None).list())
    bucket.put("hr/a.txt", "text", ACL="public-read")
    assert read(source(bucket, key=None, secret=None, anonymous=True)) == {"a.txt": b"text"}


def test_an_endpoint_that_is_not_there_is_unavailable_also_for_an_item():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    files = source(None, url=url)
    with pytest.raises(SourceUnavailable):
        list(files.list())
    with pytest.raises(SourceUnavailable):
        files._place.read("a.txt", 10)


@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]", "localhost"])
def test_an_endpoint_that_is_not_public_is_refused(bucket, name):
    with pytest.raises(AddressRefused):
        list(source(bucket, url=f"http://{name}:{bucket.url.rsplit(':', 1)[1]}", allow=()).list())


def test_a_host_that_moves_to_a_private_address_gains_nothing(bucket):
    answers = iter([["93.184.215.14"]])
    outbound = Outbound(resolve=lambda *_: next(answers, ["127.0.0.1"]))
    access = S3Access(f"http://files.example:{bucket.url.rsplit(':', 1)[1]}", key=KEY, secret=SECRET)
    place = Bucket(f"s3://{BUCKET}/hr", access, outbound, sleep=lambda _: None)
    with pytest.raises(AddressRefused):
        list(place.entries())


def test_nothing_around_is_asked_for_credentials_endpoints_or_proxies(bucket, monkeypatch, tmp_path):
    bucket.put("hr/a.txt", "text", ACL="public-read")
    with FaultyServer(QuietHandler) as trap:
        for name in (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_ENDPOINT_URL_S3",
            "AWS_ENDPOINT_URL",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
        ):
            monkeypatch.setenv(name, trap.url)
        (tmp_path / "config").write_text(
            f"[profile x]\nendpoint_url = {trap.url}\ncredential_process = /bin/false\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_PROFILE", "x")
        monkeypatch.setenv("AWS_DEFAULTS_MODE", "auto")
        monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
        assert read(source(bucket)) == {"a.txt": b"text"}
        assert read(source(bucket, key=None, secret=None, anonymous=True)) == {"a.txt": b"text"}
        assert trap.accepted == 0


def test_under_faults_the_same_is_read(bucket, rounds):
    for number in range(60):
        bucket.put(f"hr/{number:02}.txt", f"text of {number}" * 50)
    expected = read(source(bucket))
    injected = Counter()
    for seed in range(rounds(fast=3, soak=20)):
        faults = Faults(0.1, seed=seed, stall=0.2)
        with faulty(bucket.url, faults) as between:
            assert read(source(bucket, url=between.url)) == expected
        injected += faults.injected
    assert {"429", "503", "cut", "half", "stall"} <= injected.keys()


def test_an_item_whose_answers_stay_away_is_unreachable_alone(bucket):
    bucket.put("hr/a.txt", "text")
    (item,) = source(bucket).list()
    faults = Faults(1.0, seed=1, kinds=["half"], in_a_row=100)
    with faulty(bucket.url, faults) as between:
        with pytest.raises(UnreadableDocument) as caught:
            source(bucket, url=between.url).fetch(item)
        assert caught.value.reason == "unreachable"
        with pytest.raises(SourceUnavailable):
            list(source(bucket, url=between.url).list())


def test_without_the_extra_it_is_named(bucket, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ExtraMissing) as caught:
        list(source(bucket).list())
    assert "ragflow[s3]" in caught.value.hint


def test_nothing_stays_open(server):
    code = f"""
import sys, warnings
warnings.simplefilter("error")
from connectors.outbound import Outbound
from connectors.s3_bucket import Bucket, S3Access
access = S3Access({server.url!r}, key="k", secret="s")
place = Bucket("s3://{BUCKET}", access, Outbound(allow=["127.0.0.1"]))
print(len(list(place.entries())))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", ""), done.stderr
