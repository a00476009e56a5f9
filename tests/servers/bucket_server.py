"""A real S3 server (moto) on a free port of loopback, with one bucket and a client to fill it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from faults import Faults, FaultyServer, QuietHandler

KEY, SECRET, BUCKET = "AKIAEXAMPLE", "a-secret-of-the-test", "docs"


@dataclass
class BucketServer:
    url: str
    client: Any

    def put(self, key: str, data: bytes | str, **about: str) -> None:
        body = data.encode() if isinstance(data, str) else data
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body, **about)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def check_rights(self, *, after: float) -> None:
        """Have the server look at credentials after so many requests; it knows no key at all then."""
        from moto import settings
        from moto.core.responses import ActionAuthenticatorMixin

        ActionAuthenticatorMixin.request_count = 0
        settings.INITIAL_NO_AUTH_ACTION_COUNT = after

    def empty(self) -> None:
        for one in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.delete(one["Key"])


@contextmanager
def bucket_server() -> Iterator[BucketServer]:
    import boto3
    from botocore.config import Config
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        client.create_bucket(Bucket=BUCKET)
        made = BucketServer(url, client)
        made.empty()  # the server's memory is the process's: another test may have left something
        yield made
    finally:
        client.close()
        server.stop()


@contextmanager
def faulty(url: str, faults: Faults) -> Iterator[FaultyServer]:
    """Stand between a client and the server at ``url``, and spoil a share of the answers."""
    host, port = url.removeprefix("http://").split(":")

    class Between(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name is its parent's
            upstream = HTTPConnection(host, int(port), timeout=20)
            try:
                # What is signed includes the host's name: the server sees the one that the client used.
                upstream.putrequest("GET", self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders()
                answer = upstream.getresponse()
                body = answer.read()
            finally:
                upstream.close()
            dropped = {"content-length", "transfer-encoding", "connection"}
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in dropped}
            self.server.faults.send(self, answer.status, headers, body)

    with FaultyServer(Between, faults=faults) as server:
        yield server
