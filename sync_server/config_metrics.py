"""Settings of seeing inside: metrics, slow statements, traces; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: nothing listens that nobody asked for (tests/integration/test_metrics.py).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class MetricsSettings(BaseSettings):
    """What an operator sees of the server."""

    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="TCP port of GET /metrics, 0 to 65535, 0: any free one; with several workers the first of so many ports; "
        "empty: no metrics",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address of GET /metrics, for which nobody has to log in; keep it private",
    )
    slow_statement_ms: int = Field(
        500,
        ge=0,
        le=3_600_000,
        description="SQL statements that take so long are logged with their plan, in milliseconds, 0 to 3600000; 0: none is",
    )
    traces: Literal["off", "on"] = Field(
        "off",
        description="on: OpenTelemetry traces of requests and statements, sent to OTEL_EXPORTER_OTLP_ENDPOINT; "
        "needs `pip install cotton-sync[otel]`; off: none",
    )
