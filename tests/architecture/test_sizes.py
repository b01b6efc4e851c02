"""Nothing grows until nobody can hold it in their head: modules, functions and handlers have a size.

An exception is a line in a table here, with its reason; one that is no longer needed fails too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.architecture.sources import ROOT, python_sources

MODULE_LINES = 250
FUNCTION_LINES = 70
HANDLER_LINES = 15

LONG_MODULES: Mapping[str, str] = {
    "conflict/policies.py": "the policies side by side, each a few lines with its example",
    "erp_core/language.py": "a vocabulary: many small declarations that are read together, no logic",
    "erp_core/titles/fields.py": "a table: a line for every name of a field, no logic",
    "erp_core/values.py": "a dozen value types of one shape, compared more easily side by side",
    "migrations/scoped_capture.py": "the capture functions of a table in SQL: three triggers that are read against each other",
    "migrations/versions/0002_pre_trade.py": "frozen: the tables of the trade, written by a generator",
    "migrations/versions/0005_pre_scopes.py": "frozen: the labels of every table, written by a generator",
    "migrations/versions/0010_pre_catalogue.py": "frozen: tables and their labels, written by a generator",
    "migrations/versions/0012_pre_papers.py": "frozen: tables and their labels, written by a generator",
    "migrations/versions/0013_pre_attachments.py": "frozen: tables and their labels, written by a generator",
}
LONG_FUNCTIONS: Mapping[str, str] = {}
LONG_HANDLERS: Mapping[str, str] = {}

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_module_is_longer_than_a_few_screens() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in python_sources()}
    _compare({name: lines for name, lines in lengths.items() if lines > MODULE_LINES}, LONG_MODULES)


def test_no_function_is_longer_than_a_screen() -> None:
    long = {name: lines for name, lines in _functions(python_sources()) if lines > FUNCTION_LINES}
    _compare(long, LONG_FUNCTIONS)


def test_handlers_only_translate() -> None:
    web = [name for name in python_sources() if name.startswith("sync_server/web/")]
    long = {name: lines for name, lines in _functions(web, only=_is_handler) if lines > HANDLER_LINES}
    _compare(long, LONG_HANDLERS)


def _functions(names: list[str], only: Callable[[Function], bool] = lambda _: True) -> Iterator[tuple[str, int]]:
    for name in names:
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and only(node):
                yield f"{name}::{node.name}", _lines(node)


def _lines(function: Function) -> int:
    """Count the lines of a function without its docstring: words explain, they do not burden."""
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    assert function.end_lineno is not None
    docstring = (body[0].end_lineno or 0) - body[0].lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def _is_handler(function: Function) -> bool:
    """A handler is public, takes the request alone and is awaited for its response."""
    arguments = function.args.args
    annotation = arguments[0].annotation if len(arguments) == 1 else None
    return (
        isinstance(function, ast.AsyncFunctionDef)
        and not function.name.startswith("_")
        and isinstance(annotation, ast.Attribute)
        and annotation.attr == "Request"
    )


def _compare(found: Mapping[str, int], allowed: Mapping[str, str]) -> None:
    unexplained = {name: lines for name, lines in found.items() if name not in allowed}
    assert not unexplained, f"too long, and without a reason in the table: {unexplained}"
    needless = [name for name in allowed if name not in found and (ROOT / name.split("::")[0]).exists()]
    assert not needless, f"short enough again: remove from the table: {needless}"


def test_the_gate_sees_a_long_handler(tmp_path: Path) -> None:
    source = "async def get(request: web.Request) -> None:\n" + "    x = 1\n" * 20
    handler = ast.parse(source).body[0]

    assert isinstance(handler, ast.AsyncFunctionDef)
    assert _is_handler(handler)
    assert _lines(handler) > HANDLER_LINES
