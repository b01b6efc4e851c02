"""Rosters: who is shown, for how long, how many; and that two screens of one person are one person."""

from __future__ import annotations

import pytest

from sync_server.live import presence
from sync_server.live.presence import LASTING_SECONDS, SHOWN_MAX, Rosters, Shown, read_shown, write_shown


def shown(place: str = "p1", user: str = "asha", device: str = "d1", *, here: bool = True) -> Shown:
    return Shown("o1", "entity:trades:t1", user, device, place, here)


def on(rosters: Rosters) -> dict[str, list[str]]:
    return dict(rosters.present("o1", "entity:trades:t1"))


def test_who_comes_and_goes_is_shown_and_not() -> None:
    rosters = Rosters()
    assert rosters.note(shown(), 0)
    assert not rosters.note(shown(), 1)  # said again
    assert rosters.note(shown("p2", "bela", "d2"), 1)
    assert on(rosters) == {"asha": ["d1"], "bela": ["d2"]}
    assert rosters.note(shown(here=False), 2)
    assert on(rosters) == {"bela": ["d2"]}


def test_person_with_two_screens_leaves_with_the_second() -> None:
    rosters = Rosters()
    rosters.note(shown("p1"), 0)
    rosters.note(shown("p2"), 0)
    assert not rosters.note(shown("p1", here=False), 1)
    assert rosters.note(shown("p2", here=False), 1)
    assert not len(rosters)


def test_who_is_not_heard_of_is_gone() -> None:
    rosters = Rosters()
    rosters.note(shown("p1"), 0)
    rosters.note(shown("p2", "bela"), 30)
    assert set(rosters.expire(LASTING_SECONDS + 1)) == {("o1", "entity:trades:t1")}
    assert on(rosters) == {"bela": ["d1"]}
    rosters.expire(1_000)
    assert not len(rosters)


def test_rosters_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    rosters = Rosters()
    for n in range(3 * SHOWN_MAX):
        rosters.note(shown(f"p{n}", f"u{n}"), 0)
    assert len(on(rosters)) == SHOWN_MAX
    monkeypatch.setattr(presence, "ROSTERS_MAX", 1)
    assert not rosters.note(Shown("o2", "user:x", "x", "", "p", here=True), 0)


def test_word_comes_back_as_it_was_said() -> None:
    assert read_shown(write_shown(shown())) == shown()


@pytest.mark.parametrize(
    "message", [b"", b"[]", b"null", b'{"at":["o","c","u","d"],"here":true}', b'{"at":[1,"c","u","d","p"],"here":true}']
)
def test_what_is_none_is_thrown_away(message: bytes) -> None:
    assert read_shown(message) is None
