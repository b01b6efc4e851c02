"""Traces: a span of each request with its statements below, nothing of anybody in them, and nothing at all when off."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from sync_server.config import load_settings
from sync_server.operate.traces import NoTraces, tracing
from tests.conftest import MakeServerProcess
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import ORG, House, partner


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def traced(database_url: str, tmp_path: Path, exporter: InMemorySpanExporter) -> AsyncIterator[Server]:
    settings = load_settings(data=tmp_path, traces="on")
    with tracing(settings, exporter=exporter):
        async with serve_here(database_url, tmp_path) as server:
            yield server


@pytest.fixture
async def seated(traced: Server, house: House) -> Clerk:
    return await at_desk(traced, house, "agent1")


async def told(exporter: InMemorySpanExporter, wanted: str) -> list[ReadableSpan]:
    """Wait until a request's span was sent; give all spans of its trace."""
    async with asyncio.timeout(20):
        while True:
            spans = exporter.get_finished_spans()
            heads = [span for span in spans if span.name == wanted]
            if heads:
                return [span for span in spans if _trace(span) == _trace(heads[0])]
            await asyncio.sleep(0.1)


def _trace(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


async def test_a_request_is_a_span_with_its_statements_below(seated: Clerk, exporter: InMemorySpanExporter) -> None:
    assert (await seated.ask("GET", "/sync?schema_version=2")).status == 200
    spans = await told(exporter, "GET /api/v1/sync")

    (head,) = (span for span in spans if span.kind is SpanKind.SERVER)
    assert dict(head.attributes or {}).items() >= {"http.route": "/api/v1/sync", "http.status_code": 200}.items()
    below = [span for span in spans if span.kind is SpanKind.CLIENT]
    assert any("org_clock" in str((span.attributes or {}).get("db.statement")) for span in below)
    assert head.context is not None
    assert all(span.parent is not None for span in below)


async def test_nothing_of_anybody_leaves_the_house(seated: Clerk, exporter: InMemorySpanExporter) -> None:
    changes = {
        "business_partners": {"created": [partner("my-record", legal_name="My Gin")], "updated": [], "deleted": []}
    }
    await seated.ask("GET", "/business_partners/secret-id?fields=secret-field")
    await seated.ask("POST", "/sync?last_pulled_at=0&secret=1", changes)
    await told(exporter, "GET /api/v1/business_partners/{id}")
    await told(exporter, "POST /api/v1/sync")
    spans = exporter.get_finished_spans()
    everything = " ".join(f"{s.name} {dict(s.attributes or {})} {s.status.description} {list(s.events)}" for s in spans)

    for secret in (ORG, "secret", "my-record", "My Gin", seated.actor.user_id, seated.actor.session_id, "127.0.0.1"):
        assert secret not in everything, secret
    assert "SET LOCAL cotton.actor = '?'" in everything, "what was said is told without whose it is"


async def test_what_the_server_does_of_its_own_accord_is_not_told(
    traced: Server, seated: Clerk, exporter: InMemorySpanExporter
) -> None:
    async with traced.session.get("/healthz") as answer:
        assert answer.status == 200
    await asyncio.sleep(0.6)
    await seated.ask("GET", "/me")
    await told(exporter, "GET /api/v1/me")

    heads = [span for span in exporter.get_finished_spans() if span.parent is None]
    assert {span.name for span in heads} == {"GET /api/v1/me"}


async def test_after_the_block_nothing_is_traced(database_url: str, tmp_path: Path) -> None:
    before = web.Application
    exporter = InMemorySpanExporter()
    with tracing(load_settings(data=tmp_path, traces="on"), exporter=exporter):
        assert web.Application is not before
    assert web.Application is before
    async with serve_here(database_url, tmp_path) as server, server.session.get("/docs") as answer:
        assert answer.status == 200

    assert exporter.get_finished_spans() == ()


def test_off_no_instrumentation_is_even_imported() -> None:
    costly = (
        "('opentelemetry.instrumentation', 'opentelemetry.exporter')"  # the SDK: redis imports it where it is there
    )
    program = f"import sys, sync_server.__main__; sys.exit(any(name.startswith({costly}) for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(NoTraces, match=r"cotton-sync\[otel\]"), tracing(load_settings(data=tmp_path, traces="on")):
        pytest.fail("it cannot be traced")


async def test_a_real_server_sends_its_spans_to_a_collector(
    demo_url: str, server_process: MakeServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytes] = []

    async def collect(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    collector = web.Application()
    collector.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(collector)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    process = await server_process(demo_url, traces="on")
    async with aiohttp.ClientSession(process.url) as session, session.get("/console") as answer:
        assert answer.status == 200
    assert await process.terminate() == 0
    await runner.cleanup()

    assert any(b"GET /console" in body for body in bodies)
    assert any(b"cotton-sync" in body for body in bodies)
