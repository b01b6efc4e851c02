"""What an issue's author wanted, and how it is done again over what is there now (engine/wanting.py)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from conflict.mutation import Operation
from erp_core.catalogue import BY_NAME
from sync_server.engine.wanting import columns_changed, do_again

LOT, TRADE = BY_NAME["availability"], BY_NAME["trade"]


def issue(operation: str = "updated", **documents: Any) -> dict[str, Any]:
    empty = {"payload": None, "base": None, "ours": None, "theirs": None}
    return {"author_id": "a", "record_id": "l", "operation": operation, **empty, **documents}


@pytest.mark.parametrize(
    ("documents", "changed"),
    [
        ({"payload": {"payment_terms": "x", "bales_sold": 5, "_changed": "payment_terms"}}, ["payment_terms"]),
        ({"payload": {"payment_terms": "x", "_changed": "payment_terms,created_at"}}, ["payment_terms"]),
        (
            {
                "payload": {},
                "base": {"payment_terms": "y", "bales_sold": 5},
                "theirs": {"payment_terms": "x", "bales_sold": 5},
            },
            ["payment_terms"],
        ),
        ({"payload": {"payment_terms": "x", "created_by": "me"}}, ["payment_terms"]),
        ({}, []),
    ],
)
def test_columns_are_those_that_were_noted_or_differ_or_were_sent(
    documents: dict[str, Any], changed: list[str]
) -> None:
    assert list(columns_changed(LOT, issue(**documents))) == changed


@pytest.mark.parametrize(
    ("base", "wanted", "now", "written"),
    [(5, 8, 20, 23), (None, 8, 20, 28), (5, None, 20, 15), (5, 8, None, 3), (5, 8.5, 20, 8.5)],
)
def test_count_is_what_is_there_and_what_was_added(base: Any, wanted: Any, now: Any, written: Any) -> None:
    about = issue(payload={"_changed": "bales_sold"}, base={"bales_sold": base}, theirs={"bales_sold": wanted})

    again = do_again(LOT, about, {**LOT.empty(), "bales_sold": now}, None, {})

    assert again is not None
    assert (again.operation, again.values) == (Operation.UPDATED, {"bales_sold": written})


def test_count_whose_base_nobody_knows_is_written_as_it_was_wanted() -> None:
    about = issue(payload={"_changed": "bales_sold"}, theirs={"bales_sold": 8})

    again = do_again(LOT, about, {**LOT.empty(), "bales_sold": 20}, None, {})

    assert again is not None
    assert again.values == {"bales_sold": 8}


def test_what_is_made_anew_begins_where_such_a_record_begins() -> None:
    about = issue(theirs={"state": "settled", "bales": 50, "created_by": "me", "exposure": 1})

    again = do_again(TRADE, about, None, 7, {"price_per_candy": 61_000})

    assert again is not None
    assert (again.operation, again.values) == (Operation.CREATED, {"bales": 50, "price_per_candy": 61_000})
    assert again.id != "l"


def test_deletion_of_what_is_gone_is_done() -> None:
    assert do_again(LOT, issue("deleted"), None, 7, {}) is None


def test_edit_in_place_of_a_deletion_writes_the_edit_only() -> None:
    about = issue("deleted", ours={"payment_terms": "x"}, base={"payment_terms": "y"})

    again = do_again(LOT, about, {**LOT.empty(), "asking_price_per_candy": Decimal(1)}, None, {"payment_terms": "z"})

    assert again is not None
    assert (again.operation, again.values) == (Operation.UPDATED, {"payment_terms": "z"})
