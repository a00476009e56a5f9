"""Sends the trace of a finished run to the collector that ``telemetry`` names. See docs/watching.md.

One POST over the one outbound function, once: traces are for watching, the records are the truth. A trace
that cannot be sent is one warning; a command never fails by it, nor waits longer than ``timeout``. Without
an endpoint nothing of OpenTelemetry is imported.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote

from ragflow.config import Config
from ragflow.errors import ConfigError, ExtraMissing
from ragflow.terminal import one_line
from ragflow.workflow_sections import Telemetry

INSTALL = 'pip install "ragflow[telemetry]"'
_PATH = "/v1/traces"
_PROTOBUF = "application/x-protobuf"
_MOST_BYTES = 65_536
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.common")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-type", "content-length", "content-encoding", "transfer-encoding"})

Secret = Callable[[str], str | None]
"""The name of a variable -> its value, None where it is not set."""


class NotExported(Exception):
    """The collector was not reached, or did not take the trace."""


def ready(config: Config) -> None:
    """See that traces could be sent, before a command does anything; nothing is imported or sent.

    Raises:
        ConfigError: the endpoint is no http(s) URL, or the variable of the headers is not set or no list.
        ExtraMissing: an endpoint is configured, and the extra ``telemetry`` is not installed.
    """
    telemetry = config.telemetry
    if telemetry.endpoint is None:
        return
    _target(telemetry.endpoint)
    _headers(telemetry, config.secret)
    for package in _NEEDED:
        if not _there(package):
            raise ExtraMissing(
                f"telemetry.endpoint needs the package {package.partition('.')[0]}, which is not installed",
                hint=f"{INSTALL}, or set telemetry.endpoint to null",
            )


def told(config: Config, record: Mapping[str, Any]) -> None:
    """Send the trace of a run that has ended, as ``ragflow.run/1``. Whatever happens, this returns.

    What goes wrong is one line on stderr.
    """
    telemetry = config.telemetry
    if telemetry.endpoint is None:
        return
    from ragflow.workflows.errors import StepTimedOut
    from ragflow.workflows.trying import within

    try:
        within(lambda: export(telemetry, record, secret=config.secret), telemetry.timeout, "telemetry")
    except StepTimedOut:
        _warn(record, f"no answer within {telemetry.timeout:g} s")
    except Exception as error:  # noqa: BLE001 - a run that has ended well must not fail by who watches it
        _warn(record, str(error) or type(error).__name__)


def export(telemetry: Telemetry, record: Mapping[str, Any], *, secret: Secret) -> None:
    """Send the trace of a run to the endpoint, tried once.

    The endpoint's host counts as listed in ``outbound.allow``: who writes it there means it. Link-local and
    metadata addresses are reached by their very address alone, and redirects are checked as always.

    Raises:
        NotExported: the collector answered, and did not take all of it.
        ConnectorError: it was not reached.
    """
    from connectors.outbound import Limits, Outbound
    from ragflow.watching import spans

    if telemetry.endpoint is None:
        return
    url, host = _target(telemetry.endpoint)
    body = spans.encoded(record)
    limits = Limits(timeout=telemetry.timeout, total=telemetry.timeout, max_bytes=_MOST_BYTES)
    with Outbound(allow=(host,), limits=limits) as outbound:
        reply = outbound.request(
            "POST",
            url,
            headers={"content-type": _PROTOBUF},
            credentials=_headers(telemetry, secret),
            body=body,
        )
    if not 200 <= reply.status < 300:
        raise NotExported(f"it answered {reply.status}")
    form = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not reply.body or form == "application/json":  # some collectors answer so, against the protocol
        return
    if form != _PROTOBUF:
        raise NotExported("it answered what is no OTLP; does the endpoint take traces?")
    try:
        count, why = spans.refused(reply.body)
    except ValueError as error:
        raise NotExported(f"it answered what is no OTLP: {error}") from error
    if count:
        raise NotExported(f"it refused {count} spans: {why}")


def _target(endpoint: str) -> tuple[str, str]:
    """Return where traces are posted to, and its host."""
    from connectors.errors import SourceMisconfigured
    from connectors.targets import target

    try:
        found = target(endpoint)
    except SourceMisconfigured as error:
        raise ConfigError(f"telemetry.endpoint: {error}", hint="write it as http://127.0.0.1:4318") from error
    path, mark, query = found.path.partition("?")
    path = path.rstrip("/")
    whole = path if path.endswith(_PATH) else path + _PATH
    return replace(found, path=whole + mark + query).url, found.host


def _headers(telemetry: Telemetry, secret: Secret) -> dict[str, str]:
    """Return the pairs of ``telemetry.headers_env``; values are percent-decoded. No value is repeated."""
    if telemetry.headers_env is None:
        return {}
    name = telemetry.headers_env
    written = secret(name)
    if written is None:
        raise ConfigError(
            f"telemetry.headers_env: the variable {name} is not set", hint=f"export {name}=KEY=VALUE"
        )
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, written.split(","))):
        key, equals, value = pair.partition("=")
        key, value = key.strip(), unquote(value.strip())
        sound = _HEADER.fullmatch(key) and value.isascii() and value.isprintable()
        if not equals or not sound or key.lower() in _OURS:
            raise ConfigError(
                f"telemetry.headers_env: the variable {name} holds what is no list of headers",
                hint="write KEY=VALUE, several by commas; a comma in a value as %2C",
            )
        found[key] = value
    return found


def _there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it would be in
        return False


def _warn(record: Mapping[str, Any], why: str) -> None:
    sys.stderr.write(f"warning: the trace of {record['run']} was not sent: {one_line(why, 300)}\n")
