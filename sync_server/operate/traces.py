"""Traces: a span of each request and of its statements, sent to a collector of OpenTelemetry; an extra, and off by default.

Owns: switching the instrumentation on and off, which spans are kept, and what of them may leave the house.
Must not know: what a request or a statement does.
Invariant: a span holds what `KEPT` names, a statement without its literals, and no word of an exception; switched off, no
instrumentation is even imported (tests/integration/test_traces.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sync_server.config import Settings
from sync_server.store.timed import shape_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

KEPT: Final = frozenset(
    {
        *("http.method", "http.request.method", "http.route", "http.status_code", "http.response.status_code"),
        *("http.scheme", "url.scheme", "http.flavor", "network.protocol.version", "error.type"),
        *("db.system", "db.system.name", "db.name", "db.namespace", "net.transport", "network.transport"),
    }
)
"""Attributes that say what was done and nothing of whose it was: no address, no path with ids, no query, no user agent."""

STATEMENTS: Final = frozenset({"db.statement", "db.query.text"})
UNTRACED: Final = frozenset({"/metrics", "/healthz", "/readyz", "/api/v1/live"})
"""Routes that are asked all day, or last all day."""

SERVICE: Final = "cotton-sync"


class NoTraces(Exception):
    """Traces are wanted and OpenTelemetry is not installed; the message says what to do."""


@contextmanager
def tracing(settings: Settings, *, exporter: SpanExporter | None = None) -> Iterator[None]:
    """Trace what applications that are made inside the block do, if the settings want it. Raises NoTraces.

    `exporter`: where spans go, instead of the collector that OTEL_EXPORTER_OTLP_ENDPOINT names. What waits to be sent is sent
    at the end, for five seconds at most.
    """
    if settings.traces == "off":
        yield
        return
    try:
        provider = _provider(exporter)
        instrumented = _instrument(provider)
    except ImportError as missing:
        raise NoTraces(
            f"COTTON_TRACES is on and {missing.name} is missing: `pip install 'cotton-sync[otel]'`."
        ) from None
    try:
        yield
    finally:
        instrumented()
        provider.shutdown()


def _provider(exporter: SpanExporter | None) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(timeout=5)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: SERVICE}), sampler=_sampler())
    provider.add_span_processor(BatchSpanProcessor(_discreet(exporter)))
    return provider


def _instrument(provider: TracerProvider) -> Callable[[], None]:
    """Switch the instrumentation on; give what switches it off."""
    from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

    web_side = AioHttpServerInstrumentor()
    database_side: Any = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # it derives from aiohttp's Application, which warns of that
        web_side.instrument(tracer_provider=provider)
    database_side.instrument(tracer_provider=provider)

    def off() -> None:
        web_side.uninstrument()
        database_side.uninstrument()

    return off


def _sampler() -> Any:
    """Keep requests and what belongs to them; what the server does of its own accord would be four spans a second."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
    from opentelemetry.trace import SpanKind, get_current_span

    class OnlyRequests(Sampler):
        def should_sample(
            self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None, *rest: Any
        ) -> SamplingResult:
            told = attributes or {}
            alone = not get_current_span(parent_context).get_span_context().is_valid
            if (alone and kind is not SpanKind.SERVER) or told.get("http.route") in UNTRACED:
                return SamplingResult(Decision.DROP)
            return ParentBased(ALWAYS_ON).should_sample(parent_context, trace_id, name, kind, attributes, *rest)

        def get_description(self) -> str:
            return "OnlyRequests"

    return OnlyRequests()


def _discreet(exporter: SpanExporter) -> SpanExporter:
    """Let an exporter have spans without what is nobody's business."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Status

    def stripped(span: ReadableSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=kept_of(span.attributes or {}),
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
        )

    class Discreet(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return exporter.export([stripped(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

    return Discreet()


def kept_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give what of a span's attributes may be told.

    >>> kept_of({"http.route": "/api/v1/live", "http.target": "/api/v1/live?ticket=t", "db.statement": "SET LOCAL a = 'u1'"})
    {'http.route': '/api/v1/live', 'db.statement': "SET LOCAL a = '?'"}
    """
    kept = {name: value for name, value in attributes.items() if name in KEPT}
    return kept | {name: shape_of(str(attributes[name])) for name in STATEMENTS & attributes.keys()}
