"""Reading a pushed change set: what passes is safe, what does not is pointed at (wire/changes.py; push rules 8 and 9)."""

from __future__ import annotations

from typing import Any

import pytest

from conflict.mutation import Mutation, Operation
from sync_server.wire.changes import read_changes
from sync_server.wire.problems import Problem


def read(body: Any, records_max: int = 100) -> list[Mutation]:
    return read_changes(body, records_max=records_max)


def refusal(body: Any, **limits: int) -> tuple[str, str | None]:
    with pytest.raises(Problem) as caught:
        read(body, **limits)
    return caught.value.code, caught.value.pointer


def partner(**values: Any) -> dict[str, Any]:
    return {"business_partners": {"updated": [{"id": "p", **values}]}}


# --- What passes ------------------------------------------------------------------------------------------------------


def test_every_record_becomes_a_mutation_in_the_order_of_the_body() -> None:
    body = {
        "trades": {"created": [{"id": "t"}], "updated": [], "deleted": ["u", "v"]},
        "business_partners": {"created": [], "updated": [{"id": "p", "legal_name": "P"}], "deleted": []},
    }

    assert [(m.key, m.operation) for m in read(body)] == [
        (("trades", "t"), Operation.CREATED),
        (("trades", "u"), Operation.DELETED),
        (("trades", "v"), Operation.DELETED),
        (("business_partners", "p"), Operation.UPDATED),
    ]


@pytest.mark.parametrize("body", [{}, {"trades": {}}, {"trades": {"created": [], "updated": [], "deleted": []}}])
def test_empty_change_set_is_nothing_to_do(body: dict[str, Any]) -> None:
    assert read(body) == []


def test_watermelons_own_columns_are_no_values() -> None:
    (mutation,) = read(partner(legal_name="P", _status="updated", _changed="legal_name"))

    assert mutation.values == {"legal_name": "P"}
    assert mutation.changed == frozenset({"legal_name"})


@pytest.mark.parametrize("hint", [None, "", 7, ["legal_name"], {"a": 1}, True])
def test_hint_that_is_no_list_of_columns_is_no_hint(hint: object) -> None:
    (mutation,) = read(partner(legal_name="P", _changed=hint))

    assert mutation.changed is None


@pytest.mark.parametrize("hint", ["garbage", "legal_name,garbage", ",", "legal_name;email"])
def test_hint_that_names_what_is_no_column_hides_no_change(hint: str) -> None:
    """Believed, it would make an edit look like none, and the phone's value would be taken back without a word."""
    (mutation,) = read(partner(legal_name="P", _changed=hint))

    assert mutation.changed is None


def test_created_record_has_changed_everywhere_whatever_it_says() -> None:
    (mutation,) = read({"business_partners": {"created": [{"id": "p", "_changed": "email"}]}})

    assert mutation.changed is None


@pytest.mark.parametrize("id", ["a", "A-Z_0.9", "x" * 64])
def test_safe_ids_pass(id: str) -> None:
    assert [m.id for m in read({"trades": {"deleted": [id]}})] == [id]


def test_same_id_in_two_tables_is_two_records() -> None:
    assert len(read({"trades": {"deleted": ["x"]}, "dispatches": {"deleted": ["x"]}})) == 2


# --- What does not ----------------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Any, str, str]] = {
    "no object": ([], "wrong_type", ""),
    "null": (None, "wrong_type", ""),
    "unknown table": ({"frobs": {}}, "unknown_table", "/frobs"),
    "table of the machinery": ({"event": {"deleted": ["x"]}}, "unknown_table", "/event"),
    "prototype": ({"__proto__": {}}, "unknown_table", "/__proto__"),
    "table is a list": ({"trades": []}, "wrong_type", "/trades"),
    "unknown list": ({"trades": {"upserted": []}}, "unknown_member", "/trades/upserted"),
    "list is an object": ({"trades": {"created": {}}}, "wrong_type", "/trades/created"),
    "list is null": ({"trades": {"deleted": None}}, "wrong_type", "/trades/deleted"),
    "record is a text": ({"trades": {"created": ["t"]}}, "wrong_type", "/trades/created/0"),
    "record without id": ({"trades": {"created": [{"id": "t"}, {}]}}, "unsafe_id", "/trades/created/1/id"),
    "id is a number": ({"trades": {"updated": [{"id": 7}]}}, "unsafe_id", "/trades/updated/0/id"),
    "deleted id is an object": ({"trades": {"deleted": [{"id": "t"}]}}, "unsafe_id", "/trades/deleted/0"),
    "unknown column": (partner(frob=1), "unknown_column", "/business_partners/updated/0/frob"),
    "column of the machinery": (partner(org_id="x"), "unknown_column", "/business_partners/updated/0/org_id"),
    "column to be escaped": (partner(**{"a/b~c": 1}), "unknown_column", "/business_partners/updated/0/a~1b~0c"),
    "number for text": (partner(legal_name=7), "wrong_type", "/business_partners/updated/0/legal_name"),
    "object for text": (partner(tags=["gin"]), "wrong_type", "/business_partners/updated/0/tags"),
    "boolean for number": (partner(created_at=True), "wrong_type", "/business_partners/updated/0/created_at"),
    "id twice": ({"trades": {"created": [{"id": "t"}], "deleted": ["t"]}}, "duplicate_id", "/trades/deleted/0"),
}


@pytest.mark.parametrize(("body", "code", "pointer"), FAULTS.values(), ids=FAULTS)
def test_programming_error_is_refused_with_a_pointer(body: Any, code: str, pointer: str) -> None:
    assert refusal(body) == (code, pointer)


@pytest.mark.parametrize(
    "id", ["", "x" * 65, "a b", "a/b", "a'b", 'a"b', "a$b", "a\\b", "a\n", "ä", "../x", "a\0b", "%s", "id;"]
)
def test_unsafe_ids_are_refused(id: str) -> None:
    assert refusal({"trades": {"deleted": [id]}}) == ("unsafe_id", "/trades/deleted/0")


def test_more_records_than_allowed_are_refused_as_a_whole() -> None:
    body = {"trades": {"deleted": ["a", "b"]}, "dispatches": {"deleted": ["c"]}}

    assert len(read(body, records_max=3)) == 3
    assert refusal(body, records_max=2)[0] == "too_many_records"


def test_answer_does_not_grow_with_a_name_that_the_client_chose() -> None:
    with pytest.raises(Problem) as caught:
        read({"x" * 100_000: {}})

    assert len(str(caught.value)) < 200
    assert len(caught.value.pointer or "") <= 500
