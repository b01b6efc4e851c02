"""Each known hole of delta sync names a test, and the test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HELD = {*range(1, 31), *range(42, 46)}


def test_every_hole_is_held_by_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", (ROOT / "docs/CORRECTNESS.md").read_text(), re.MULTILINE)

    assert {int(number) for number, _ in rows} >= HELD
    for number, row in rows:
        found = NAMED.findall(row)
        assert found, f"hole {number} names no test"
        for path, name in found:
            functions = {
                node.name
                for node in ast.walk(ast.parse((ROOT / path).read_text()))
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            }
            # The machine of devices is a class that Hypothesis turns into a test.
            assert name in functions or f"{name} =" in (ROOT / path).read_text(), f"hole {number}: no {path}::{name}"
