"""Change sets from Hypothesis: whatever is sent, the answer is no 5xx, and what was refused left no trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erp_core.catalogue import SYNCED
from sync_server.engine.push import Conflict, push
from sync_server.operate.postgres import Cluster
from sync_server.store.database import Database
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads
from tests.harness import clusters
from tests.harness.world import House, request

IDS = st.sampled_from(["p", "q", "b1", "kg", "lint", "new1", "new2", "org_a"])
TEXTS = st.sampled_from(["", "x", "0", "draft", "active", "b1", "p", "[]", "{}", '["buyer"]', '["\\u0000"]', '["\\ud800"]']) | (
    st.text(max_size=30)
)  # fmt: skip
TEXTS_OF_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda s: st.lists(s) | st.dictionaries(TEXTS, s)
)
ODD_NUMBERS = st.sampled_from(
    [0, -1, 1e308, -1e308, 1e-320, 2**53 - 1, 0.1, -0.0, 1_795_400_000_000, 253_402_300_800_000]
)
NUMBERS = ODD_NUMBERS | st.integers(-100, 100_000) | st.floats(allow_nan=False, allow_infinity=False)
DAYS = st.dates().map(str) | st.sampled_from(
    ["2026-02-30", "0000-01-01", "10000-01-01", "2026-11-23T00:00", "20261123"]
)


def fitting(types: frozenset[type]) -> st.SearchStrategy[Any]:
    """Values of the JSON types that a column takes; what they say is anything."""
    offered: list[st.SearchStrategy[Any]] = [st.none()]
    if str in types:
        offered += [TEXTS, DAYS, IDS, TEXTS_OF_JSON.map(json.dumps)]
    if int in types:
        offered.append(NUMBERS)
    if bool in types:
        offered.append(st.booleans())
    return st.one_of(offered)


def table_changes(entity: Any) -> st.SearchStrategy[Any]:
    columns = {field.name: fitting(field.type.accepts) for field in entity.all_fields}
    record = st.fixed_dictionaries({"id": IDS}, optional=columns)
    return st.fixed_dictionaries(
        {},
        optional={
            "created": st.lists(record, max_size=2),
            "updated": st.lists(record, max_size=2),
            "deleted": st.lists(IDS, max_size=2),
        },
    )


CHANGES = st.fixed_dictionaries({}, optional={entity.table: table_changes(entity) for entity in SYNCED})
"""Right in shape, wild in contents."""

WILD = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10) | st.sampled_from(["trades", "created", "id"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["trades", "units", "created", "deleted", "id"]) | st.text(max_size=5), inner, max_size=3
        )
    ),
)
"""Any JSON, with a liking for our names."""


class Bench:
    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._cluster = cluster
        self._name = f"fuzz_{folder.name}_{id(self)}"
        self.house = self.loop.run_until_complete(self._settle(folder))

    async def _settle(self, folder: Path) -> House:
        url = await clusters.create_database(self._cluster, self._name, await clusters.migrated_template(self._cluster))
        house = await House.settle(await Database.open(url, pool_max=2), folder)
        await house.add_partners("p", "q")
        return house

    def close(self) -> None:
        self.loop.run_until_complete(self.house.database.close())
        self.loop.run_until_complete(clusters.drop_database(self._cluster, self._name))
        self.loop.close()


@pytest.fixture(scope="module")
def bench(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = Bench(cluster, tmp_path_factory.mktemp("fuzz"))
    yield opened
    opened.close()


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


async def _send(house: House, changes: Any, holds_issues: bool) -> None:
    body = json.dumps(changes).encode()
    before = await house.clock()
    try:
        loads(body)
        asked = request(before, changes, holds_issues=holds_issues)
        await push(house.database, house.standings, house.actor(), asked)
    except (Problem, Conflict) as refused:
        server_fault = isinstance(refused, Problem) and refused.status >= 500
        if server_fault or await house.clock() != before:
            raise
        return
    for cursor in (before, None):
        await house.pull(house.actor(), cursor)  # what was stored can be read and sent


@FUZZ
@given(changes=CHANGES, holds_issues=st.booleans())
def test_wild_contents_are_applied_or_refused_in_words(bench: Bench, changes: Any, holds_issues: bool) -> None:
    bench.loop.run_until_complete(_send(bench.house, changes, holds_issues))


@FUZZ
@given(changes=WILD)
def test_wild_shapes_are_problems_of_the_client(bench: Bench, changes: Any) -> None:
    bench.loop.run_until_complete(_send(bench.house, changes, True))
