"""The hub: who is told what of a batch, who listens to what, and what a slow reader has yet to be told."""

from __future__ import annotations

import pytest

from sync_server.live.channels import Sight, may_hear, read_channel
from sync_server.live.hub import Hub
from sync_server.live.members import (
    MERGED_MAX,
    SUBSCRIPTIONS_MAX,
    Heard,
    Hint,
    House,
    Member,
    Stale,
    subscribe,
    unsubscribe,
)
from sync_server.live.news import Batch, Touched

ALL: Sight = {"org": frozenset({"trades", "units", "users"}), "branch": frozenset({"trades"})}
BRANCH: Sight = {
    "org": frozenset({"units"}),
    "branch:b1": frozenset({"trades"}),
    "user:asha": frozenset({"notifications"}),
}


@pytest.fixture
def hub() -> Hub:
    return Hub()


def join(hub: Hub, user: str = "asha", sight: Sight = ALL, clock: int = 10) -> Member:
    return hub.join(hub.open("o1", clock, (0, 0)), user, sight)


def moved(*touched: Touched, after: int = 10, upto: int = 11, **more: object) -> Batch:
    return Batch("o1", after, upto, touched=touched, **more)  # type: ignore[arg-type]


def told(hub: Hub, batch: Batch) -> Heard:
    outcome = hub.hear(batch)
    assert isinstance(outcome, Heard), outcome
    return outcome


TRADE = Touched("trades", "t1", ("branch", "branch:b1"))
ELSEWHERE = Touched("trades", "t2", ("branch", "branch:b2"))


def test_a_connection_hears_of_the_tables_of_what_its_user_sees_and_of_nothing_else(hub: Hub) -> None:
    mine, other = join(hub), join(hub, "bela", BRANCH)

    heard = told(hub, moved(ELSEWHERE))

    assert heard.ready == {mine}
    assert hub.take(mine) == Hint(11, ("trades",), ("org:o1",))
    assert hub.take(other) is None


def test_who_has_just_lost_a_record_is_told_too(hub: Hub) -> None:
    join(hub, "bela", BRANCH)

    assert told(hub, moved(Touched("trades", "t1", ("branch:b2",), ("branch:b1",)))).ready


def test_hints_that_were_not_taken_become_one(hub: Hub) -> None:
    mine = join(hub)
    told(hub, moved(TRADE))
    told(hub, moved(Touched("units", "kg", ("org",)), after=11, upto=12))

    assert hub.take(mine) == Hint(12, ("trades", "units"), ("org:o1",))
    assert hub.take(mine) is None


def test_reader_who_takes_nothing_is_told_to_pull_and_holds_no_more_memory(hub: Hub) -> None:
    mine = join(hub)
    for n in range(10 * MERGED_MAX):
        told(hub, moved(Touched(f"table{n}", "x", ("org",)), TRADE, after=10 + n, upto=11 + n))

    assert mine.pending is not None
    assert not mine.pending.tables
    assert not mine.pending.channels
    assert hub.take(mine) == Hint(10 + 10 * MERGED_MAX)


def test_batch_that_comes_twice_or_late_says_nothing_and_one_that_skips_is_refused(hub: Hub) -> None:
    mine = join(hub)
    told(hub, moved(TRADE))
    hub.take(mine)

    assert hub.hear(moved(TRADE)) is Stale.OLD
    assert hub.hear(moved(TRADE, after=12, upto=13)) is Stale.GAP
    assert hub.take(mine) is None
    assert mine.org.clock == 11


def test_batch_of_other_rights_waits_until_they_are_worked_out(hub: Hub) -> None:
    mine = join(hub)

    assert hub.hear(moved(TRADE, rights=(11, 0))) is Stale.TURNED
    mine.org.rights = (11, 0)
    assert told(hub, moved(TRADE, rights=(11, 0))).ready == {mine}


def test_nobody_listens_to_an_organisation_that_all_have_left(hub: Hub) -> None:
    mine = join(hub, sight=BRANCH)
    assert subscribe(mine, "branch:b1")
    house = mine.org
    hub.leave(mine)

    assert hub.hear(moved(TRADE)) is Stale.NOBODY
    assert not hub.houses()
    assert (house.by_label, house.watchers, house.labels, house.viewers) == ({}, {}, {}, {})


# --- Channels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("user:asha", True),
        ("user:bela", False),
        ("notifications:asha", True),
        ("notifications:bela", False),
        ("org:o1", True),
        ("org:o2", False),
        ("branch:b1", True),
        ("branch:b2", False),
        ("entity:trades:t1", True),
        ("entity:units:t1", False),
    ],
)
def test_channels_follow_from_what_one_sees(name: str, allowed: bool) -> None:
    channel = read_channel(name)
    assert channel is not None
    assert may_hear(channel, BRANCH, "o1", "asha", ("branch:b1",)) is allowed


@pytest.mark.parametrize(
    "name", ["", "org", "org:", "org:*", "entity:trades", "entity:Trades:t1", "branch:b1 ", "x:y", "user:a/b"]
)
def test_what_is_no_channel_is_refused(hub: Hub, name: str) -> None:
    assert not subscribe(join(hub), name)


def test_record_that_moves_is_told_to_who_watches_it_and_only_if_they_see_it(hub: Hub) -> None:
    mine = join(hub, sight=BRANCH)
    assert subscribe(mine, "entity:trades:t1", TRADE.labels)
    assert not subscribe(mine, "entity:trades:t2", ELSEWHERE.labels)
    for name in ("org:o1", "user:asha"):
        unsubscribe(mine, name)

    told(hub, moved(ELSEWHERE, TRADE))
    assert hub.take(mine) == Hint(11, ("trades",), ("entity:trades:t1",))

    gone = told(hub, moved(Touched("trades", "t1", ("branch:b2",), ("branch:b1",)), after=11, upto=12))
    assert gone.lost == [(mine, "entity:trades:t1")]
    assert hub.take(mine) == Hint(12, ("trades",), ("entity:trades:t1",))
    assert not told(hub, moved(Touched("trades", "t1", ("branch:b1",)), after=12, upto=13)).ready


def test_notices_reach_whose_they_are(hub: Hub) -> None:
    mine = join(hub, sight=BRANCH)
    assert subscribe(mine, "notifications:asha")
    unsubscribe(mine, "org:o1")
    unsubscribe(mine, "user:asha")

    told(hub, moved(Touched("notifications", "n1", ("user:asha",)), Touched("notifications", "n2", ("user:bela",))))

    assert hub.take(mine) == Hint(11, ("notifications",), ("notifications:asha",))


def test_batch_without_ids_is_told_to_watchers_and_has_their_records_looked_at(hub: Hub) -> None:
    mine = join(hub, sight=BRANCH)
    assert subscribe(mine, "entity:trades:t1", TRADE.labels)

    heard = told(hub, moved(Touched("trades", "", ("branch:b1",))))

    assert heard.unsure == ["entity:trades:t1"]
    assert "entity:trades:t1" in (hub.take(mine) or Hint(0)).channels
    assert hub.relabel(mine.org, "entity:trades:t1", ()).lost == [(mine, "entity:trades:t1")]


def test_grant_that_is_taken_narrows_at_once_and_says_pull(hub: Hub) -> None:
    mine = join(hub, sight=BRANCH)
    assert subscribe(mine, "branch:b1")

    heard = hub.entitle(mine.org, "asha", {"org": frozenset({"units"})})

    assert heard.lost == [(mine, "branch:b1")]
    assert hub.take(mine) == Hint(10)  # pull now
    assert mine.due > 10  # whatever its cursor is
    assert not told(hub, moved(TRADE)).ready


def test_record_that_is_sent_again_is_told_to_its_user_only(hub: Hub) -> None:
    mine, other = join(hub), join(hub, "bela")

    assert told(hub, moved(told=(("asha", "trades"),))).ready == {mine}
    assert hub.take(mine) == Hint(11, ("trades",), ("user:asha",))
    assert hub.take(other) is None


def test_more_than_can_be_listed_is_told_as_pull_to_everybody(hub: Hub) -> None:
    mine, other = join(hub), join(hub, "bela", BRANCH)

    assert told(hub, moved(whole=True)).ready == {mine, other}
    assert hub.take(other) == Hint(11)


def test_subscriptions_have_a_bound(hub: Hub) -> None:
    mine = join(hub)
    given = [subscribe(mine, f"branch:b{n}") for n in range(SUBSCRIPTIONS_MAX + 5)]

    assert len(mine.channels) == SUBSCRIPTIONS_MAX
    assert not given[-1]
    assert subscribe(mine, "branch:b1")  # it has it


def test_planted_hub_that_forgets_labels_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above would say if everybody were told of everything."""

    def careless(self: Hub, house: House, batch: Batch, heard: Heard) -> None:
        self._tell_everybody(house, heard)

    monkeypatch.setattr(Hub, "_tell_by_label", careless)
    with pytest.raises(AssertionError):
        test_a_connection_hears_of_the_tables_of_what_its_user_sees_and_of_nothing_else(Hub())
