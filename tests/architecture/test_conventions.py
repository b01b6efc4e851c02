"""What a reader may rely on in every file: a head, no hidden failure, no promise for later, no driver that blocks."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT, python_sources

CATCH_ALL = {
    "sync_server/web/middleware.py": "the one mapping from failures to answers",
    "sync_server/operate/jobs.py": "the supervisor of the jobs: one that fails is tried again, and holds up no other",
}
NOT_BLOCKING = {("sync_server/operate/push_apns.py", "httpx")}
"""Apple's service speaks HTTP/2 only; of httpx the asynchronous client is used."""
BLOCKING = {"psycopg", "psycopg2", "pg8000", "requests", "httpx", "urllib3", "sqlite3"}
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def _tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def _imports(name: str) -> Iterator[str]:
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("name", python_sources())
def test_every_module_says_at_its_head_what_it_is(name: str) -> None:
    assert ast.get_docstring(_tree(name)), f"{name} has no docstring"


@pytest.mark.parametrize("name", python_sources())
def test_every_head_names_tests_that_are_there(name: str) -> None:
    named = re.findall(r"tests/[a-z_/]+\.py", ast.get_docstring(_tree(name)) or "")

    assert [test for test in named if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("name", [*python_sources("conflict", "erp_core", "sync_server")])
def test_every_public_name_is_explained(name: str) -> None:
    nodes = [
        node for node in _tree(name).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    bare = [node.name for node in nodes if not node.name.startswith("_") and not ast.get_docstring(node)]
    # A pure one-screen function may speak for itself; a class or a coroutine is a thing others build on.
    built_on = [n.name for n in nodes if n.name in bare and not isinstance(n, ast.FunctionDef)]
    assert not built_on, f"{name}: no docstring on {built_on}"


def test_no_failure_is_swallowed() -> None:
    catching = {name for name in python_sources() for node in ast.walk(_tree(name)) if _catches_all(node)}
    assert catching <= CATCH_ALL.keys(), (
        f"`except Exception` outside {sorted(CATCH_ALL)}: {sorted(catching - CATCH_ALL.keys())}"
    )


def _catches_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler) or _raises_again(node):
        return False
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        each is None or (isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"}) for each in caught
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Undoing something on the way out swallows nothing."""
    return isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None


def test_nothing_is_promised_for_later() -> None:
    promising = {name for name in python_sources() if LATER.search((ROOT / name).read_text())}
    assert not promising, f"do it or file an issue: {promising}"


def test_no_driver_blocks_the_event_loop() -> None:
    blocking = {
        (name, module) for name in python_sources() for module in _imports(name) if module.split(".")[0] in BLOCKING
    }
    assert blocking == NOT_BLOCKING


def test_conflict_imports_only_the_standard_library() -> None:
    foreign = {
        (name, module)
        for name in python_sources("conflict")
        for module in _imports(name)
        if module.split(".")[0] not in sys.stdlib_module_names | {"conflict"}
    }
    assert not foreign


def test_only_the_store_speaks_sql() -> None:
    """Whoever else imports asyncpg may name its errors and open connections, never run a statement."""
    running = {
        name
        for name in python_sources("sync_server")
        if not name.startswith("sync_server/store/")
        for node in ast.walk(_tree(name))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(r"\s*(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS)\b", node.value)
    }
    assert not running, f"SQL outside the store: {running}"
