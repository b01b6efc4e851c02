"""What is read of a push that is kept unread, and what an answer without a record looks like (web/emptying.py)."""

from __future__ import annotations

import json

import pytest

from sync_server.web.emptying import digest_of, named_in
from sync_server.wire.pulling import write_emptied


def test_the_records_that_a_push_names_are_those_a_phone_may_still_hold() -> None:
    push = {
        "business_partners": {"created": [{"id": "a"}], "updated": [{"id": "b"}], "deleted": ["c"]},
        "trades": {"created": [{"id": "t"}]},
        "sync_issues": {},
    }

    assert named_in(json.dumps(push).encode()) == ["business_partners/a", "business_partners/b", "trades/t"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{not json",
        b"[]",
        b"null",
        b'{"no_such_table": {"created": [{"id": "a"}]}}',
        b'{"trades": []}',
        b'{"trades": {"created": {"id": "a"}}}',
        b'{"trades": {"created": ["a", null, {"id": 7}, {"id": "a b"}, {"id": "x/y"}, {}]}}',
    ],
)
def test_of_what_cannot_be_read_nothing_is_named(body: bytes) -> None:
    assert named_in(body) == []


def test_a_repetition_has_the_same_name_and_another_cursor_another_one() -> None:
    assert digest_of(5, b"{}") == digest_of(5, b"{}")
    assert len({digest_of(5, b"{}"), digest_of(6, b"{}"), digest_of(None, b"{}"), digest_of(5, b"{ }")}) == 4


def test_an_answer_without_records_has_every_table_with_its_three_lists() -> None:
    nothing = json.loads(write_emptied(7, ["trades", "units"], {}, replaces=False))
    gone = json.loads(write_emptied(8, ["trades", "units"], {"trades": ["a"], "other": ["b"]}, replaces=True))

    empty: dict[str, list[str]] = {"created": [], "updated": [], "deleted": []}
    assert nothing == {"changes": {"trades": empty, "units": empty}, "timestamp": 7}
    assert gone == {
        "changes": {"trades": {**empty, "deleted": ["a"]}, "units": empty},
        "timestamp": 8,
        "experimentalStrategy": "replacement",
    }
