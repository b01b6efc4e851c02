"""The dashboard: the panels (dashboard_panels.py) as JSON that Grafana imports.

Owns: writing docs/monitoring/dashboard.json.
Must not know: what the panels ask.
Invariant: the file is what is declared (tests/acceptance/test_monitoring.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sync_server.operate.dashboard_panels import ROWS, Panel

DESTINATION: Final = Path(__file__).resolve().parents[2] / "docs" / "monitoring" / "dashboard.json"

COLUMNS: Final = 24
HEIGHT: Final = 8
ACROSS: Final = 3
"""Panels beside each other."""


def document() -> dict[str, Any]:
    """Make the dashboard as Grafana imports it (schema of Grafana 10)."""
    return {
        "uid": "cotton-sync",
        "title": "Cotton Sync",
        "tags": ["cotton-sync"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data"}]},
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    y, id = 0, 0
    for title, panels in ROWS:
        id += 1
        yield {
            "id": id,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _place(0, y, COLUMNS, 1),
        }
        for number, panel in enumerate(panels):
            id += 1
            width = COLUMNS // ACROSS
            place = _place(number % ACROSS * width, y + 1 + number // ACROSS * HEIGHT, width, HEIGHT)
            yield _graph(id, panel, place)
        y += 1 + -(-len(panels) // ACROSS) * HEIGHT


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _graph(id: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": id,
        "type": "timeseries",
        "title": panel.title,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": None}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": source, "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(panel.asks)
        ],
    }


def text() -> str:
    """Write the dashboard."""
    return json.dumps(document(), indent=1) + "\n"


def drift(destination: Path = DESTINATION) -> list[str]:
    """Name the file if it is not what is declared here; an empty list is good."""
    found = destination.read_text(encoding="utf-8") if destination.exists() else None
    return [] if found == text() else [destination.name]


def generate(destination: Path = DESTINATION) -> list[Path]:
    """Write the file and give its path in a list; one that is already right is not touched."""
    if drift(destination):
        destination.write_text(text(), encoding="utf-8")
    return [destination]
