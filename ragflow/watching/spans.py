"""A finished run as OpenTelemetry's spans, and these as the bytes of OTLP. Needs the extra ``telemetry``.

Ids follow from the id of the run: sent twice, it is the same trace. Nothing is read from the environment.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ragflow.watching.traced import Traced, traced

_RUN = re.compile(r"r-\d{8}T\d{6}-[0-9a-f]{6}")
_NS = 1_000_000  # in a millisecond


def trace_id(run: str) -> int:
    """Return the id of a run's trace: 128 bits, never 0."""
    return int.from_bytes(_digest("trace", run)[:16]) or 1


def span_id(run: str, number: int) -> int:
    """Return the id of a run's span: 64 bits, never 0. ``number``: 0 is the run, 1 its first step."""
    return int.from_bytes(_digest("span", run, str(number))[:8]) or 1


def spans(record: Mapping[str, Any]) -> tuple[ReadableSpan, ...]:
    """Return the spans of a ``ragflow.run/1``: the run, and below it its steps.

    A question that follows another links to that one's trace.
    """
    run, version = record["run"], record["version"]
    resource = Resource({"service.name": "ragflow", "service.version": version})
    scope = InstrumentationScope("ragflow", version)
    root = _context(run, 0)
    return tuple(
        ReadableSpan(
            name=one.name,
            context=_context(run, number),
            parent=root if number else None,
            resource=resource,
            attributes={**one.attributes, **({"error.type": one.error} if one.error else {})},
            links=() if number else _follows(record),
            kind=SpanKind.CLIENT if one.client else SpanKind.INTERNAL,
            status=_status(one),
            start_time=one.start_ms * _NS,
            end_time=one.end_ms * _NS,
            instrumentation_scope=scope,
        )
        for number, one in enumerate(traced(record))
    )


def encoded(record: Mapping[str, Any]) -> bytes:
    """Return a run's trace as an ``ExportTraceServiceRequest``."""
    return bytes(encode_spans(spans(record)).SerializeToString())


def refused(body: bytes) -> tuple[int, str]:
    """Read an ``ExportTraceServiceResponse``: how many spans were refused, and why.

    Raises:
        ValueError: it is none.
    """
    try:
        told = ExportTraceServiceResponse.FromString(body).partial_success
    except Exception as error:  # protobuf's own, which only its untyped package could name
        raise ValueError("this is no reply of OTLP") from error
    return told.rejected_spans, told.error_message


def _status(one: Traced) -> Status:
    return Status(StatusCode.UNSET) if one.error is None else Status(StatusCode.ERROR)


def _follows(record: Mapping[str, Any]) -> tuple[Link, ...]:
    output = record.get("output")
    before = output.get("thread") if isinstance(output, Mapping) and record["kind"] == "ask" else None
    return (Link(_context(before, 0)),) if isinstance(before, str) and _RUN.fullmatch(before) else ()


def _context(run: str, number: int) -> SpanContext:
    return SpanContext(
        trace_id(run), span_id(run, number), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(("ragflow", *parts)).encode()).digest()
