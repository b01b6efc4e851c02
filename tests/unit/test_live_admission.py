"""Places and the bucket: how many, whose, how fast; and that who is refused in a storm comes back spread over it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from sync_server.live.admission import PATIENCE_SECONDS, Bucket, Full, Places


def test_places_are_counted_for_each_kind_and_given_back() -> None:
    places = Places({"user": 2, "address": 3})
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.taken({"user": "u1", "address": "a"}))
        with pytest.raises(Full, match="user"), places.taken({"user": "u1", "address": "a"}):
            pass
        held.enter_context(places.taken({"user": "u2", "address": "a"}))
        with pytest.raises(Full, match="address"), places.taken({"user": "u3", "address": "a"}):
            pass
    assert not len(places)


def test_place_is_given_back_whatever_happens() -> None:
    places = Places({"user": 1})
    with pytest.raises(ZeroDivisionError), places.taken({"user": "u1"}):
        raise ZeroDivisionError
    assert not len(places)


def test_storm_is_let_in_at_the_rate_and_the_rest_told_to_spread() -> None:
    bucket = Bucket(rate=100, now=0)
    waits = [bucket.ask(now=n / 2_000) for n in range(10_000)]  # 10 000 in five seconds

    assert 600 < waits.count(0.0) < 800
    assert max(waits) > 60
    assert max(waits) <= PATIENCE_SECONDS
    assert len({round(wait) for wait in waits}) > 60  # not all at once again


def test_after_the_storm_everybody_is_let_in() -> None:
    bucket = Bucket(rate=10, now=0)
    for _ in range(1_000):
        bucket.ask(0)
    assert bucket.ask(1_000) == 0
