"""The wire cannot change silently: a phone in the field may be years old."""

from __future__ import annotations

import json

import pytest

from tests.contract.freeze import FROZEN, promises

ADVICE = (
    "{name} promises something else to apps in the field. A new table or column takes `since=SCHEMA_VERSION + 1` and a "
    "new SCHEMA_VERSION; what an older version has must stay as it is. If nobody has installed it yet, or a code was "
    "added: python -m tests.contract.freeze"
)


@pytest.mark.parametrize("name", sorted(promises()))
def test_what_was_promised_to_apps_in_the_field_still_holds(name: str) -> None:
    frozen = json.loads((FROZEN / name).read_text())

    assert promises()[name] == frozen, ADVICE.format(name=name)


def test_no_problem_code_is_taken_away_or_given_another_status() -> None:
    frozen = json.loads((FROZEN / "problems.json").read_text())

    assert frozen.items() <= promises()["problems.json"].items()


def test_no_frozen_file_is_forgotten() -> None:
    assert {path.name for path in FROZEN.iterdir()} == {*promises(), "operations.json"}
