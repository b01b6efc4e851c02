"""Two devices, three operations each, every policy: all of them in every order, against an oracle that knows no policy class.

A device writes one of two values, or syncs: it sends what it changed since it last synced, and takes what the server has. The
oracle says in its own words what each arrival must come to, and keeps its own account of what became of every edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import pytest

from conflict.merge import Authored, merge
from conflict.policies import (
    ALL,
    OURS,
    THEIRS,
    Bag,
    Condition,
    Guarded,
    Highest,
    Locked,
    Lowest,
    Newest,
    Once,
    Policy,
    Prose,
    Reviewed,
    Stamp,
    Tally,
)

OPERATIONS: Final = 3
RUNS: Final = 20 * 3**OPERATIONS * 3**OPERATIONS
"""Ways to mix three operations of one device with three of another, times what the operations may be."""

PARKED: Final = object()
LIFE: Final = Guarded({"new": ("open", "off"), "open": ("done", "off"), "done": (), "off": ()}, ("off",))
OPEN, FIXED = {"state": "draft", "most": 5}, {"state": "sent", "most": 5}


class Arrival(NamedTuple):
    """What an edit meets; the moments are those of the writing."""

    base: Any
    ours: Any
    theirs: Any
    our_at: int
    their_at: int


def by_letter(arrival: Arrival) -> Any:
    base, ours, theirs = (frozenset(bag) for bag in arrival[:3])
    return tuple(one for one in "abc" if one in (theirs if (one in base) != (one in theirs) else ours))


def by_word(arrival: Arrival) -> Any:
    words = []
    for was, here, mine in zip(*(text.split() for text in arrival[:3]), strict=True):
        if mine not in (was, here) and here != was:
            return PARKED
        words.append(here if mine == was else mine)
    return " ".join(words)


JOINS: Final = {
    ("new", "open"): "open",
    ("new", "done"): "done",
    ("open", "done"): "done",
    ("new", "off"): PARKED,
    ("open", "off"): PARKED,
    ("done", "off"): PARKED,
}


def by_table(arrival: Arrival) -> Any:
    return JOINS.get((arrival.ours, arrival.theirs), JOINS.get((arrival.theirs, arrival.ours)))


def counted(arrival: Arrival) -> Any:
    added = arrival.theirs - arrival.base
    return arrival.ours + added if arrival.ours + added in range(6) else PARKED


class Case(NamedTuple):
    """A policy, the value that all begin with, two that devices write, and what becomes of a clash; `asks`: of any edit."""

    policy: Policy
    start: Any
    writes: tuple[Any, Any]
    becomes: Callable[[Arrival], Any]
    asks: bool = False
    row: Mapping[str, Any] = OPEN


CASES: Final[Mapping[str, Case]] = {
    "theirs": Case(THEIRS, "s", ("x", "y"), lambda a: a.theirs),
    "ours": Case(OURS, "s", ("x", "y"), lambda a: a.ours, asks=True),
    "newest": Case(Newest(), "s", ("x", "y"), lambda a: a.theirs if a.their_at > a.our_at else a.ours),
    "tally": Case(Tally(0, "most"), 2, (1, 4), counted),
    "bag": Case(Bag(), ("a",), ((), ("a", "b")), by_letter),
    "highest": Case(Highest(), 2, (1, 3), lambda a: max(a.theirs, a.ours)),
    "lowest": Case(Lowest(), 2, (1, 3), lambda a: min(a.ours, a.theirs)),
    "prose": Case(Prose(), "one two three", ("ONE two three", "1 two THREE"), by_word),
    "guarded": Case(LIFE, "new", ("open", "off"), by_table),
    "guarded, later": Case(LIFE, "open", ("done", "new"), by_table),
    "once": Case(Once(), None, ("x", "y"), lambda a: a.theirs if a.ours is None else PARKED, asks=True),
    "locked": Case(Locked(Condition("state", ("sent",))), "s", ("x", "y"), lambda a: PARKED, asks=True, row=FIXED),
    "not locked": Case(Locked(Condition("state", ("sent",))), "s", ("x", "y"), lambda a: a.theirs, asks=True),
    "reviewed": Case(Reviewed(), "s", ("x", "y"), lambda a: PARKED, asks=True),
}


class Device(NamedTuple):
    """What it has, what it had when it last synced, when it last wrote, and how many operations it did."""

    value: Any
    base: Any
    at: int = 0
    done: int = 0


class World(NamedTuple):
    """The server's value, when that was written, what was filed for a person, and both devices."""

    value: Any
    at: int
    filed: tuple[Any, ...]
    devices: tuple[Device, Device]
    now: int = 0


def worlds(case: Case) -> Iterator[World]:
    """Give the world after each of the runs; every arrival on the way is compared with the oracle."""
    device = Device(case.start, case.start)
    open_ends = [World(case.start, 0, (), (device, device))]
    while open_ends:
        world = open_ends.pop()
        moves = [n for n, one in enumerate(world.devices) if one.done < OPERATIONS]
        if not moves:
            yield world
        for number in moves:
            open_ends.extend(write(world, number, value) for value in case.writes)
            open_ends.append(sync(case, world, number, counts=True))


def put(world: World, number: int, device: Device) -> World:
    devices = (device, world.devices[1]) if number == 0 else (world.devices[0], device)
    return world._replace(devices=devices, now=world.now + 1)


def write(world: World, number: int, value: Any) -> World:
    device = world.devices[number]
    return put(world, number, device._replace(value=value, at=world.now + 1, done=device.done + 1))


def sync(case: Case, world: World, number: int, *, counts: bool = False) -> World:
    device = world.devices[number]
    arrival = Arrival(device.base, world.value, device.value, world.at, device.at)
    expected = oracle(case, arrival)
    was, here, mine = ({**case.row, "c": value} for value in arrival[:3])
    authored = Authored(Stamp(device.at), {"c": Stamp(world.at)})
    found = merge(was, here, mine, {"c"}, {"c": case.policy}, authored)
    kept = found.row["c"]

    assert (PARKED if found.parked else kept) == expected, arrival
    if found.parked:
        world = world._replace(filed=(*world.filed, found.parked[0].theirs))
        assert kept == world.value, arrival
    elif mine["c"] not in (was["c"], kept) and case.policy.name not in ("tally", "bag", "prose"):
        assert [o.theirs for o in found.outcomes] == [mine["c"]], "an edit that lost, and nobody is told"
    if kept != world.value:
        world = world._replace(value=kept, at=device.at)
    return put(world, number, Device(kept, kept, done=device.done + counts))


def oracle(case: Case, arrival: Arrival) -> Any:
    """Say what the server must have after an edit arrived, or that it waits for a person."""
    base, ours, theirs = arrival[:3]
    if theirs == base:
        return ours
    if ours == theirs and case.policy.name != "tally":
        return ours
    if ours == base and not case.asks:
        return theirs
    return case.becomes(arrival)


@pytest.mark.parametrize("name", CASES)
def test_every_order_of_two_devices_comes_to_what_the_oracle_says_and_converges(name: str) -> None:
    case = CASES[name]
    runs = 0
    for world in worlds(case):
        runs += 1
        healed = world
        for number in (0, 1, 0):
            healed = sync(case, healed, number)
        assert {device.value for device in healed.devices} == {healed.value}
        again = sync(case, sync(case, healed, 0), 1)
        assert (again.value, again.filed) == (healed.value, healed.filed), "a sync without an edit changes nothing"

    assert runs == RUNS


def test_every_policy_is_among_them() -> None:
    assert {type(case.policy) for case in CASES.values()} == set(ALL)


def test_oracle_finds_a_policy_that_decides_otherwise() -> None:
    """Planted: the one for the other."""
    for name, other in (
        ("highest", Lowest()),
        ("newest", THEIRS),
        ("bag", THEIRS),
        ("reviewed", OURS),
        ("tally", Highest()),
    ):
        with pytest.raises(AssertionError):
            list(worlds(CASES[name]._replace(policy=other)))
