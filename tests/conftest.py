"""Fixtures for every test: a database of its own, a server over it, and guards against what a test leaves behind.

`database_url`   an empty, migrated database           `demo_url`       the same with the small demo organisation
`database`       the store's `Database` over it         `server`, `demo_server`   a server inside this process
`server_process` makes real server processes            `seed`           a random seed, printed when the test fails
`lines`          the log as JSON lines
"""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from sync_server import log
from sync_server.operate.postgres import Cluster
from sync_server.store.database import Database
from tests.harness import clusters
from tests.harness.demo import demo_template
from tests.harness.office import Clerk, at_desk, furnish
from tests.harness.servers import Server, ServerProcess, serve_here
from tests.harness.world import House

collect_ignore = ["acceptance/clients/program.py", "harness/api_fuzzing.py"]
"""Programs that other programs run; to look for doctests in them would run them."""

MakeServerProcess = Callable[..., Awaitable[ServerProcess]]

hypothesis.settings.register_profile("ci", derandomize=False, print_blob=True, deadline=None)
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("ci"), max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("COTTON_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def plain_tracebacks() -> None:
    """Log failures as plain text: drawn with all variables they take seconds, in which a transaction is idle, and ended."""
    *others, _ = structlog.get_config()["processors"]
    shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, shown])


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log, as an operator reads it, from `info` up."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    written = io.StringIO()
    log.configure("info", written)
    yield written
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def nothing_left_running(request: pytest.FixtureRequest) -> None:
    """Fail an async test that ends while a task of its own still runs."""
    if asyncio.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("no_task_left")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Compare the tasks before the test and its other fixtures with those after them."""
    before = asyncio.all_tasks()
    yield
    for _ in range(10):
        await asyncio.sleep(0)  # a closing connection takes a few turns of the loop
    left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]
    assert not left, f"the test left running: {left}"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The PostgreSQL of this test session; fsync off."""
    with clusters.session_cluster() as shared:
        yield shared


@pytest.fixture
async def make_database(cluster: Cluster) -> AsyncIterator[Callable[[str | None], Awaitable[str]]]:
    """Make databases, `make_database(template)`: an empty one without a template; dropped after the test."""
    names: list[str] = []

    async def make(template: str | None) -> str:
        names.append(f"test_{os.getpid()}_{next(_NUMBERS)}")
        return await clusters.create_database(cluster, names[-1], template or "template0")

    yield make
    left = {name: await clusters.connections_to(cluster, name) for name in names}
    for name in names:
        await clusters.drop_database(cluster, name)
    assert not any(left.values()), f"the test left connections open: {left}"


@pytest.fixture
async def empty_url(make_database: Callable[[str | None], Awaitable[str]]) -> str:
    """URL of a database on which no migration has run."""
    return await make_database(None)


@pytest.fixture
async def database_url(cluster: Cluster, make_database: Callable[[str | None], Awaitable[str]]) -> str:
    """URL of a migrated database without a row."""
    return await make_database(await clusters.migrated_template(cluster))


@pytest.fixture
async def demo_url(cluster: Cluster, make_database: Callable[[str | None], Awaitable[str]]) -> str:
    """URL of a database with the demo organisation, its logins and 300 records."""
    return await make_database(await demo_template(cluster))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The store over `database_url`."""
    opened = await Database.open(database_url, pool_max=5, owners_max=5)
    yield opened
    await opened.close()


@pytest.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A server inside this process over `database_url`."""
    async with serve_here(database_url, tmp_path) as serving:
        yield serving


@pytest.fixture
async def demo_server(demo_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A server inside this process over `demo_url`: `demo_server.login("agent1")`."""
    async with serve_here(demo_url, tmp_path) as serving:
        yield serving


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    """Settle a house with a record of everything that others name; a file may have a house of its own."""
    settled = await House.settle(database, tmp_path)
    await furnish(settled)
    return settled


@pytest.fixture
async def clerk(server: Server, house: House) -> Clerk:
    """Seat somebody who may do everything in the house."""
    return await at_desk(server, house, "agent1")


@pytest.fixture
async def server_process(
    make_database: Callable[[str | None], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[MakeServerProcess]:
    """Make real server processes: `await server_process(database_url, workers=2)`; no URL: its own embedded PostgreSQL.

    Further keywords are settings. It has started and is ready unless `start=False`.
    """
    made: list[ServerProcess] = []

    async def make(url: str | None = None, *, start: bool = True, **settings: Any) -> ServerProcess:
        environment = {f"COTTON_{name.upper()}": str(value) for name, value in settings.items()}
        if url is not None:
            environment["COTTON_DATABASE_URL"] = url
        process = ServerProcess(tmp_path / f"server{len(made)}", environment)
        made.append(process)
        if start:
            await process.start()
        return process

    yield make
    for process in made:
        await process.clean_up()


# --- Reproducing a failure --------------------------------------------------------------------------------------------


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed for the test's own randomness: `TEST_SEED` if it is set, else a new one, printed when the test fails."""
    chosen = int(os.environ.get("TEST_SEED") or random.randrange(2**32))
    request.node.user_properties.append(("seed", chosen))
    return chosen


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Print with every failure the one command that runs it again."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        seeds = "".join(f"TEST_SEED={value} " for name, value in item.user_properties if name == "seed")
        command = f"{seeds}.venv/bin/python -m pytest -n 0 '{item.nodeid}'"
        report.sections.append(("run it again", command))
