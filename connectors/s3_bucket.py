"""An S3 bucket, or what lies below a prefix of it, as a place of files.

Only what is configured is used: no profile, no file in the home folder, no variable of the environment,
and never the service at 169.254.169.254 that would hand out the credentials of the machine. Every address
that is connected to was checked by the rules of ``outbound``.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from connectors.errors import ExtraMissing, SourceMisconfigured, SourceUnavailable, UnreadableDocument
from connectors.places import Blob, Entry
from connectors.retrying import Passing, Patience, retried
from connectors.s3_errors import Unreached, mapped

if TYPE_CHECKING:
    from connectors.outbound import Outbound

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BLOCK = 65_536
_CREDENTIALS = (
    "export the variables that `storage.key_env` and `storage.secret_env` name, or set `storage.anonymous`"
)
_GIVEN = TypeVar("_GIVEN")


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to reach a bucket. ``endpoint`` None: Amazon's, in ``region``. ``anonymous``: without a key."""

    endpoint: str | None = None
    region: str = "us-east-1"
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    anonymous: bool = False


class Bucket:
    """The objects below ``s3://BUCKET/PREFIX``, or the one that has this very key.

    A fingerprint is the ETag (and the size). Keys that end in ``/`` are markers of folders and left out.
    A prefix below which nothing lies is missing, not empty; an empty bucket is empty.

    Raises ``SourceMisconfigured`` for what is no name of a bucket or region.
    """

    def __init__(
        self,
        url: str,
        access: S3Access,
        outbound: "Outbound",
        *,
        patience: Patience = Patience(),  # noqa: B008 - a frozen value
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise SourceMisconfigured(f"no name of a bucket: {bucket!r}", hint="write s3://BUCKET/PREFIX")
        if not _REGION.fullmatch(access.region):
            raise SourceMisconfigured(f"no name of a region: {access.region!r}", hint="set storage.region")
        self._bucket = bucket
        self._root = prefix.rstrip("/")
        self._access, self._outbound, self._timeout = access, outbound, timeout
        self._patience, self._sleep = patience, sleep
        self._lock = threading.Lock()
        self._opened: Any = None

    def entries(self) -> Iterator[Entry]:
        """Yield the objects in the order of their keys, page by page.

        Raises:
            ExtraMissing: s3fs is not installed.
            SourceMisconfigured: no credentials are set, no such bucket, or it lies in another region.
            AddressRefused: the endpoint is not to be reached.
            AccessDenied: the credentials are refused.
            SourceUnavailable: no answer, half-way too, or nothing lies below the prefix.
        """
        below = f"{self._root}/" if self._root else ""
        found = False
        for one in self._keys(below):
            found = True
            name = one["Key"].removeprefix(below)
            if name and not name.endswith("/"):
                yield _entry(name, one)
        if found or not below:
            return
        for one in self._keys(self._root):
            # The first key that starts so is the key itself, if there is such a one.
            if one["Key"] != self._root:
                break
            yield _entry(self._root.rsplit("/", 1)[-1], one)
            return
        raise SourceUnavailable(
            f"nothing lies below s3://{self._bucket}/{self._root}",
            hint="check `path`; if the folder is to be empty, put an object there whose key ends in /",
        )

    def read(self, name: str, most: int) -> Blob:
        """Return an object. Raises also ``AccessDenied`` where not the object but the key is refused."""
        below = f"{self._root}/{name}" if self._root else name
        try:
            return self._try(lambda: self._get(below, most), item=name)
        except UnreadableDocument as error:
            if error.reason != "vanished" or self._root.rsplit("/", 1)[-1] != name:
                raise
        return self._try(lambda: self._get(self._root, most), item=name)

    def _keys(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        following: dict[str, str] = {}
        while True:
            page = self._try(partial(self._page, prefix, following))
            yield from page.get("Contents", ())
            if not page.get("IsTruncated"):
                return
            token = page.get("NextContinuationToken")
            if not token or token == following.get("ContinuationToken"):
                raise SourceUnavailable(
                    f"the listing of s3://{self._bucket} stops half-way: no next page", hint="try again"
                )
            following = {"ContinuationToken": token}

    def _page(self, prefix: str, following: Mapping[str, str]) -> Mapping[str, Any]:
        page: Mapping[str, Any] = self._files().call_s3(
            "list_objects_v2", Bucket=self._bucket, Prefix=prefix, **following
        )
        return page

    def _get(self, key: str, most: int) -> Blob:
        from fsspec.asyn import sync

        files = self._files()
        answer = files.call_s3("get_object", Bucket=self._bucket, Key=key)
        data = sync(files.loop, _taken, answer["Body"], most + 1)
        media_type = answer.get("ContentType") or ""
        return Blob(
            data, _time(answer.get("LastModified")), None if "octet-stream" in media_type else media_type
        )

    def _files(self) -> Any:
        """Return the file system, made at its first use: a source that cannot be reached stops no other."""
        with self._lock:
            if self._opened is None:
                if not self._access.anonymous and not (self._access.key and self._access.secret):
                    raise SourceMisconfigured(
                        f"the credentials of s3://{self._bucket} are not set", hint=_CREDENTIALS
                    )
                endpoint = self._access.endpoint or f"https://s3.{self._access.region}.amazonaws.com"
                self._outbound.check(endpoint)
                self._opened = _file_system(endpoint, self._access, self._outbound, self._timeout)
            return self._opened

    def _try(self, call: Callable[[], _GIVEN], *, item: str | None = None) -> _GIVEN:
        from aiohttp import ClientError as Broken
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        def once() -> _GIVEN:
            try:
                return call()
            except (OSError, BotoCoreError, ClientError, ResponseParserError, Broken) as error:
                raise mapped(error, f"s3://{self._bucket}", item) from error

        try:
            return retried(once, self._patience, sleep=self._sleep)
        except Passing as error:
            if item is not None and not isinstance(error, Unreached):
                raise UnreadableDocument(
                    f"{item}: {error}", reason="unreachable", hint="the next index run tries again"
                ) from error
            raise SourceUnavailable(str(error), hint="try again later") from error


def _entry(name: str, about: Mapping[str, Any]) -> Entry:
    size = int(about["Size"])
    tag = str(about.get("ETag") or "").strip('"') or _time(about.get("LastModified"))
    return Entry(name, f"{size}-{tag}", size)


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None


async def _taken(body: Any, most: int) -> bytes:
    """Return at most so many bytes of a body; one that breaks off earlier than it promised raises."""
    parts: list[bytes] = []
    async with body:
        while most > 0 and (part := await body.read(min(most, _BLOCK))):
            parts.append(part)
            most -= len(part)
    return b"".join(parts)


def _file_system(endpoint: str, access: S3Access, outbound: "Outbound", timeout: float) -> Any:
    try:
        from botocore import UNSIGNED
        from s3fs import S3FileSystem
    except ImportError as error:
        raise ExtraMissing(
            "reading s3:// needs an optional part of the program", hint='pip install "ragflow[s3]"'
        ) from error
    config: dict[str, Any] = {
        "connect_timeout": timeout,
        "read_timeout": timeout,
        # One place decides on further tries: `retrying`.
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "proxies": {},
        "defaults_mode": "legacy",
        "ignore_configured_endpoint_urls": True,
        "connector_args": {"resolver": _checked(outbound), "use_dns_cache": False},
    }
    if access.endpoint is not None:
        # Else the bucket would become a part of the host name, which was not checked.
        config["s3"] = {"addressing_style": "path"}
    if access.anonymous:
        config["signature_version"] = UNSIGNED
    files = S3FileSystem(
        # With a key, botocore looks for none; s3fs' own `anon` would have it look everywhere.
        key=access.key or "anonymous",
        secret=access.secret or "anonymous",
        token=access.token,
        endpoint_url=endpoint,
        client_kwargs={"region_name": access.region},
        config_kwargs=config,
        session_vars=_no_surroundings(),
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    files.retries = 1
    return files


def _no_surroundings() -> dict[str, tuple[None, None, Any, Any]]:
    """Return botocore's settings, each with its default and without a place where it would be looked up."""
    from botocore.session import Session

    settings = {
        name: (None, None, default, convert)
        for name, (_, _, default, convert) in Session.SESSION_VARIABLES.items()
    }
    nowhere = (None, None, os.devnull, None)
    return {**settings, "config_file": nowhere, "credentials_file": nowhere}


def _checked(outbound: "Outbound") -> Any:
    """Return a resolver that gives only addresses that may be connected to."""
    import asyncio
    import socket

    from aiohttp.abc import AbstractResolver, ResolveResult

    class Checked(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
            del family  # both are given; the connector tries them in turn
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(None, outbound.check, f"https://{host}:{port or 443}")
            return [
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                    proto=0,
                    flags=socket.AI_NUMERICHOST,
                )
                for address in found
            ]

        async def close(self) -> None:
            """Nothing is held."""

    return Checked()
