"""Batches on a bus: they come back as they were sent, and what is none is thrown away."""

from __future__ import annotations

import pytest

from sync_server.live.news import Batch, Touched, read_batch, write_batch

BATCH = Batch(
    "o1", 3, 9, (2, 1), (Touched("trades", "t1", ("org",), ("branch:b1",)),), (("asha", "trades"),), whole=True
)


def test_batch_comes_back_as_it_was_sent() -> None:
    assert read_batch(write_batch(BATCH)) == BATCH


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b'["o1",1,2,[0,0],[["t",1,[],[]]],[],false]',
        b'["o1",1,"2",[0,0],[],[],false]',
        b"null",
    ],
)
def test_what_is_no_batch_is_thrown_away(message: bytes) -> None:
    assert read_batch(message) is None


def test_batch_has_no_member_that_could_hold_a_record() -> None:
    assert set(Batch.__slots__) == {"org_id", "after", "upto", "rights", "touched", "told", "whole"}
    assert set(Touched.__slots__) == {"table", "id", "labels", "lost"}
