"""Visits, tasks and notifications."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp_core.catalogue import BY_NAME
from erp_core.language import NEWEST, ONCE, PROSE, Phone
from tests.harness.rule_world import NOON, House


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(("entity", "like"), [("visit", "call"), ("task", "chase"), ("notification", "news")])
def test_sound_row_is_accepted(house: House, entity: str, like: str) -> None:
    assert house.judge_new(entity, like) == []


@pytest.mark.parametrize(
    ("entity", "like", "changes", "code"),
    [
        ("visit", "call", {"partner_id": None}, "to_nowhere"),
        ("visit", "call", {"state": "done"}, "incomplete"),
        ("visit", "call", {"latitude": Decimal("22.3")}, "incomplete"),
        ("task", "chase", {"state": "done"}, "incomplete"),
        ("task", "chase", {"table_name": "trades"}, "incomplete"),
    ],
)
def test_row_that_breaks_a_rule_is_refused(
    house: House, entity: str, like: str, changes: dict[str, Any], code: str
) -> None:
    assert house.judge_new(entity, like, **changes) == [code]


@pytest.mark.parametrize(("entity", "like"), [("visit", "call"), ("task", "chase")])
def test_it_is_done_once_somebody_says_when(house: House, entity: str, like: str) -> None:
    assert house.codes(entity, like, state="done", done_at=NOON) == []


def test_visit_may_be_to_a_place_without_a_partner(house: House) -> None:
    assert house.judge_new("visit", "call", partner_id=None, location_id="gondal") == []


def test_where_an_agent_checked_in_is_never_written_over() -> None:
    fields = BY_NAME["visit"].by_name

    assert {fields[name].change for name in ("latitude", "longitude", "checked_in_at")} == {ONCE}
    assert {fields[name].change for name in ("planned_at", "done_at")} == {NEWEST}
    assert fields["notes"].change == PROSE


def test_reader_of_a_notification_says_that_it_was_read_and_nothing_else() -> None:
    notification = BY_NAME["notification"]

    assert notification.phone is Phone.DOWN
    assert [field.name for field in notification.fields if not field.derived] == ["read_at"]
    assert notification.by_name["read_at"].change == NEWEST
    assert not notification.access.create
    assert not notification.access.delete
