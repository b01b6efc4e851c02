"""Meters count, stay bounded, and are named so that a stranger knows their unit."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from sync_server import meters
from sync_server.engine.meters import count_delta
from sync_server.meters import METERS, OTHER, SERIES_MAX, Counter, Gauge, Histogram, counted_if_committed, uncounted
from sync_server.operate import metrics
from sync_server.store.meters import POOL_WAIT
from sync_server.store.timed import SlowStatements
from sync_server.web.meters import HOPS, count_request, hop_of
from sync_server.web.routes import ROUTES

NAME = re.compile(r"cotton_[a-z_]+")
UNITS = ("_seconds", "_bytes", "_ratio")
COUNTS = ("_connections", "_subscriptions", "_under_way", "_waiting", "_up", "_dead", "_jobs", "_deliveries")
"""How gauges end that count things: what they count is their unit."""

ALLOWED = frozenset(
    {
        "answer",
        "channel",
        "code",
        "end",
        "fault",
        "hop",
        "kind",
        "kept",
        "policy",
        "pool",
        "reason",
        "state",
        "status",
        "verdict",
        "way",
    }
)
"""Labels that are known to be short lists; a new one is a decision."""


@pytest.fixture(autouse=True)
def own_meters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test declare meters that nobody else sees."""
    monkeypatch.setattr(meters, "METERS", dict(METERS))


def test_every_meter_says_its_unit_in_its_name() -> None:
    assert metrics  # all floors' meters are declared once it is imported
    for name, meter in METERS.items():
        assert NAME.fullmatch(name), name
        assert meter.help.endswith("."), name
        match meter:
            case Counter():
                assert name.endswith("_total"), name
            case Histogram():
                assert name.endswith(UNITS), name
            case Gauge():
                assert name.endswith((*UNITS, *COUNTS)), name
                assert not name.endswith("_total"), name


def test_no_meter_has_a_label_that_may_hold_anything() -> None:
    labels = {label for meter in METERS.values() for label in meter.labels}

    assert labels <= ALLOWED


def test_a_meter_is_declared_once() -> None:
    Counter("cotton_twice_total", "Twice.")

    with pytest.raises(AssertionError, match="declared twice"):
        Gauge("cotton_twice_total", "Twice.")


def test_a_meter_keeps_a_bounded_number_of_series_whatever_it_is_told() -> None:
    counter = Counter("cotton_hostile_total", "Hostile.", ("code",))
    histogram = Histogram("cotton_hostile_seconds", "Hostile.", ("code",))
    gauge = Gauge("cotton_hostile_ratio", "Hostile.", ("code",))
    for number in range(3 * SERIES_MAX):
        counter.add(f"id-{number}")
        histogram.observe(0.1, f"id-{number}")
        gauge.set(1, f"id-{number}")

    for meter in (counter, histogram, gauge):
        assert len(meter.values) == SERIES_MAX + 1
    assert counter.values[OTHER,] == 2 * SERIES_MAX
    assert sum(counter.values.values()) == 3 * SERIES_MAX


def test_a_label_too_few_is_a_mistake_not_a_series() -> None:
    counter = Counter("cotton_labelled_total", "Labelled.", ("code", "verdict"))

    with pytest.raises(AssertionError, match="has the labels"):
        counter.add("one")


def test_an_observation_is_counted_at_the_first_bound_that_holds_it() -> None:
    histogram = Histogram("cotton_bounded_seconds", "Bounded.", bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds)

    assert histogram.values[()] == [2, 1, 1, pytest.approx(7.65)]


def test_what_a_unit_counts_is_told_only_if_it_commits() -> None:
    counter = Counter("cotton_units_total", "Units.", ("end",))

    with counted_if_committed():
        counter.add_if_committed("done", n=2)
        assert counter.values == {}
    with pytest.raises(pytest.fail.Exception), counted_if_committed():  # noqa: PT012 - what is counted comes first
        counter.add_if_committed("done")
        pytest.fail("it cannot be written")

    assert counter.values == {("done",): 2}


def test_what_is_tried_and_undone_within_a_unit_is_not_counted() -> None:
    counter = Counter("cotton_trials_total", "Trials.")

    with counted_if_committed():
        with uncounted():
            counter.add_if_committed()
        counter.add_if_committed()

    assert counter.values == {(): 1}


EMPTY_DELTA_US = 420
"""What an empty delta takes of the server's CPU at least (docs/decisions/0021-metrics.md)."""


def test_counting_an_empty_delta_costs_less_than_two_per_cent_of_it() -> None:
    request = SimpleNamespace(method="GET", path="/api/v1/sync", content=SimpleNamespace(total_bytes=0))
    response, slow = web.Response(body=b"x" * 300), SlowStatements(500)

    def count() -> float:
        began = time.process_time()
        for _ in range(2_000):
            POOL_WAIT.observe(0.0001, "requests")
            slow.ran("SELECT 1", 0.0001)
            slow.ran("SELECT 2", 0.0001)
            count_delta(0)
            count_request(request, response, 200, 0.001)  # type: ignore[arg-type]
        return (time.process_time() - began) / 2_000 * 1e6

    assert min(count() for _ in range(9)) < EMPTY_DELTA_US * 0.02


def test_every_path_is_a_hop_of_the_list() -> None:
    assert {hop_of(route.method, route.path) for route in ROUTES} <= HOPS
    assert hop_of("GET", "/../../etc/passwd") == "other"
    assert hop_of("PROPFIND", "/api/v1/sync") == "rest"


def test_only_the_operators_side_knows_prometheus() -> None:
    root = Path(meters.__file__).parent
    knowing = {
        path.relative_to(root).as_posix() for path in root.rglob("*.py") if "prometheus_client" in path.read_text()
    }

    assert knowing == {"operate/metrics.py", "operate/metrics_listener.py"}
