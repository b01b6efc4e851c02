"""Hints that are dropped, doubled and reordered at random: devices converge all the same, within one heartbeat, and nobody
hears of what they do not see.

A model of several processes: each has a hub and reads the one log, tells the others what it read over a bus that loses, doubles
and shuffles, and tells its devices over connections that lose hints, too. What holds without any luck: once every process has
looked at the log and every device has had one heartbeat, each has pulled whatever it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_server.live.channels import sees
from sync_server.live.hub import Hub
from sync_server.live.members import Heard, House, Member, Stale, pend
from sync_server.live.news import Batch, Touched, read_batch, write_batch

TABLES = ("trades", "partners")
SCOPES = ("org", *(f"branch:b{n}" for n in range(8)), "agent:a1")


@dataclass
class Device:
    """A phone: `cursor` is what it has pulled up to; `heard`: what it was ever told."""

    member: Member
    cursor: int = 0
    heard: set[str] = field(default_factory=set)

    def told(self, clock: int, log: int) -> None:
        if clock > self.cursor:
            self.cursor = log


@dataclass
class World:
    random: Random
    log: list[Touched] = field(default_factory=list)
    hubs: list[Hub] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    bus: list[tuple[int, bytes]] = field(default_factory=list)

    def news(self, after: int) -> Batch:
        return Batch("o1", after, len(self.log), touched=tuple(self.log[after:]))

    def look(self, n: int) -> None:
        """Let a process read the log from its clock on, and tell the others, as far as the bus carries it."""
        house = self.hubs[n].house("o1")
        if house is None or len(self.log) <= house.clock:
            return
        batch = self.news(house.clock)
        self.take(n, batch)
        for other in range(len(self.hubs)):
            self.bus.extend([(other, write_batch(batch))] * self.random.choice((0, 1, 1, 2)))
        self.random.shuffle(self.bus)

    def take(self, n: int, batch: Batch) -> None:
        before = {house.org_id: house.clock for house in self.hubs[n].houses()}
        heard = self.hubs[n].hear(batch)
        for house in self.hubs[n].houses():
            assert house.clock >= before[house.org_id], "a clock went back"
            if heard is Stale.GAP:
                assert house.clock == before[house.org_id], "something was skipped"

    def deliver(self) -> None:
        if self.bus:
            n, message = self.bus.pop(self.random.randrange(len(self.bus)))
            batch = read_batch(message)
            assert batch is not None
            self.take(n, batch)

    def hint(self, device: Device) -> None:
        hub = self.hubs[0]
        hint = hub.take(device.member)
        if hint is not None:
            device.heard.update(hint.entities)
            if self.random.random() < 0.5:
                device.told(hint.clock, len(self.log))

    def heartbeat(self, device: Device) -> None:
        device.told(device.member.due, len(self.log))


def play(seed: int, steps: Sequence[int]) -> World:
    """Play moves at random, then one look of each process and one heartbeat of each device."""
    random = Random(seed)
    world = World(random, hubs=[Hub() for _ in range(random.randint(1, 3))])
    for n in range(4):
        hub = world.hubs[n % len(world.hubs)]
        sight = {scope: frozenset(random.sample(TABLES, random.randint(1, 2))) for scope in random.sample(SCOPES, 2)}
        world.devices.append(Device(hub.join(hub.open("o1", 0, (0, 0)), f"u{n % 3}", sight)))
    for step in steps:
        if step == 0:
            labels = tuple(random.sample(SCOPES, random.choice((0, 1, 1, 2))))
            world.log.append(
                Touched(random.choice(TABLES), f"r{random.randrange(3)}", labels, random.choice(((), ("org",))))
            )
        elif step == 1:
            world.look(random.randrange(len(world.hubs)))
        elif step == 2:
            world.deliver()
        else:
            world.hint(random.choice(world.devices))
    for n in range(len(world.hubs)):
        world.look(n)
    for device in world.devices:
        world.heartbeat(device)
    return world


def concerns(device: Device, touched: Touched) -> bool:
    return sees(device.member.viewer.sight, touched.table, (*touched.labels, *touched.lost))


def missing(world: World) -> list[tuple[Device, int]]:
    """List what a device sees and has not pulled."""
    return [
        (device, position)
        for device in world.devices
        for position, touched in enumerate(world.log, start=1)
        if position > device.cursor and concerns(device, touched)
    ]


STEPS = st.lists(st.integers(0, 3), max_size=60)


@settings(max_examples=150)
@given(st.integers(0, 2**32), STEPS)
def test_devices_converge_within_one_heartbeat_whatever_is_lost_doubled_or_reordered(
    seed: int, steps: list[int]
) -> None:
    assert not missing(play(seed, steps))


@settings(max_examples=150)
@given(st.integers(0, 2**32), STEPS)
def test_nobody_hears_of_a_table_of_which_nothing_that_they_see_moved(seed: int, steps: list[int]) -> None:
    world = play(seed, steps)
    for device in world.devices:
        seen = {touched.table for touched in world.log if concerns(device, touched)}
        assert device.heard <= seen


def assert_all_is_well(seeds: int) -> None:
    """Play with many seeds: nothing is missing, and nobody heard what they do not see."""
    for seed in range(seeds):
        world = play(seed, Random(-seed).choices(range(4), k=60))
        assert not missing(world)
        for device in world.devices:
            assert device.heard <= {touched.table for touched in world.log if concerns(device, touched)}


def test_planted_hub_that_skips_what_it_has_not_heard_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hear = Hub.hear

    def careless(self: Hub, batch: Batch) -> Heard | Stale:
        house = self.house(batch.org_id)
        if house is not None and batch.after > house.clock:
            house.clock = batch.after
        return hear(self, batch)

    monkeypatch.setattr(Hub, "hear", careless)
    monkeypatch.setattr(World, "take", lambda self, n, batch: self.hubs[n].hear(batch))
    with pytest.raises(AssertionError):
        assert_all_is_well(1_000)


def test_planted_hub_that_tells_before_it_looks_at_labels_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: Hub, house: House, batch: Batch, heard: Heard) -> None:
        for viewer in house.viewers.values():
            for member in viewer.members:
                pend(member, batch.upto, {touched.table for touched in batch.touched}, "org:o1", heard)

    monkeypatch.setattr(Hub, "_tell_by_label", careless)
    with pytest.raises(AssertionError):
        assert_all_is_well(100)
