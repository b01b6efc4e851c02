"""The test of the test: bugs that other backends have, planted in the engine; the simulation must find each of them.

Each plant is a real way to be wrong. Without it the same machine, or the same steps, find nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from conflict.mutation import Mutation
from conflict.records import Fate, fate
from sync_server.engine import draft as drafts
from sync_server.engine import holding, showing, sight
from sync_server.engine import pull as pulling
from sync_server.operate.postgres import Cluster
from sync_server.store import clock as clocks
from sync_server.store import feed, log, receipts
from tests.simulation.fleet import TABLE, Fleet
from tests.simulation.harbour import Harbour
from tests.simulation.test_devices import Devices

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def harbour(cluster: Cluster, tmp_path: Path) -> Iterator[Harbour]:
    opened = Harbour(cluster, tmp_path)
    yield opened
    opened.close()


def own_creations_come_as_created(patch: pytest.MonkeyPatch) -> None:
    """Hole 22: brings back what was deleted while the pull was under way."""
    decide = showing.decide
    patch.setattr(pulling, "decide", lambda view, moved, *rest: decide(view, replace(moved, author=None), *rest))


def deletions_are_not_told(patch: pytest.MonkeyPatch) -> None:
    decide = showing.decide
    patch.setattr(
        pulling, "decide", lambda view, moved, *rest: None if moved.payload is None else decide(view, moved, *rest)
    )


def edits_bring_deleted_records_back(patch: pytest.MonkeyPatch) -> None:
    """Hole 21."""

    def make(*asked: Any) -> Fate:
        decided = fate(*asked)
        return Fate.MAKE if decided is Fate.DEAD else decided

    patch.setattr(holding, "fate", make)


def whole_records_overwrite(patch: pytest.MonkeyPatch) -> None:
    """Hole 24: neither the base nor the phone's hint counts."""
    patch.setattr(sight, "replica_base", lambda history, *_: history[-1].row)
    patch.setattr(drafts.Draft, "_changed", lambda self: frozenset(_own(self.mutation, self)))


def _own(mutation: Mutation, draft: drafts.Draft) -> list[str]:
    return [name for name in mutation.values if not draft.entity.by_name[name].derived]


def refusals_are_not_corrected(patch: pytest.MonkeyPatch) -> None:
    async def forget(*_: object) -> None: ...

    patch.setattr(log, "correct", forget)


def _write_between_rows_and_clock(patch: pytest.MonkeyPatch, *, cursor_after: bool) -> None:
    read_delta, visited = feed.read_delta, set()

    async def read(connection: Any, reader: feed.Reader, *rest: Any) -> Any:
        clock, moved = await read_delta(connection, reader, *rest)
        if reader.org_id not in visited:
            visited.add(reader.org_id)
            await connection.execute(
                f"INSERT INTO {TABLE} (org_id, id, branch_id, legal_name) VALUES ($1, 'late', 'b1', 'Late')",
                reader.org_id,
            )
        return (await clocks.read_clock(connection, reader.org_id) if cursor_after else clock), moved

    patch.setattr(feed, "read_delta", read)


def cursor_is_taken_after_the_rows(patch: pytest.MonkeyPatch) -> None:
    """Hole 5: what is written in between is never delivered."""
    _write_between_rows_and_clock(patch, cursor_after=True)


def nothing_is_wrong_though_somebody_writes_meanwhile(patch: pytest.MonkeyPatch) -> None:
    """The control of the plant above."""
    _write_between_rows_and_clock(patch, cursor_after=False)


def run_machine(harbour: Harbour, examples: int = 100) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(type("Machine", (Devices,), {"harbour": harbour}), settings=chosen)


@pytest.mark.parametrize(
    "plant",
    [
        deletions_are_not_told,
        edits_bring_deleted_records_back,
        refusals_are_not_corrected,
        cursor_is_taken_after_the_rows,
    ],
)
def test_machine_finds(plant: Plant, harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    with pytest.raises(AssertionError):
        run_machine(harbour)


# --- What needs an exact order of steps ---------------------------------------------------------------------------------


def deleted_between_pull_and_landing(fleet: Fleet) -> None:
    """A phone's own creation is on its way back to it while its user deletes it."""
    fleet.create(0)
    fleet.pull(0)
    fleet.land(0)
    fleet.push(0, lose_answer=False, twice=False)
    fleet.mark(0)
    fleet.pull(0)
    fleet.delete(0, 0)
    fleet.land(0)


def _edit_in_flight(fleet: Fleet) -> None:
    fleet.run(fleet.house.add_partners("p"))
    for phone in range(3):
        fleet.sync(phone)
    fleet.edit(0, 0, 0)
    fleet.pull(0)
    fleet.land(0)


def another_column_changes_before_the_push(fleet: Fleet) -> None:
    _edit_in_flight(fleet)
    fleet.edit(2, 0, 1)
    fleet.sync(2)
    fleet.push(0, lose_answer=False, twice=False)


def office_deletes_before_the_push(fleet: Fleet) -> None:
    _edit_in_flight(fleet)
    fleet.sql(0, "delete")
    fleet.push(0, lose_answer=True, twice=False)


def deletion_repeated_after_the_office_made_the_record_anew(fleet: Fleet) -> None:
    """Hole 15: the answer is lost, the network sends the request a second time, late."""
    fleet.run(fleet.house.add_partners("p"))
    fleet.sync(0)
    fleet.phones[0].device.delete(TABLE, "p")
    local = fleet.phones[0].device.collect()
    assert local is not None
    fleet.run(fleet.phones[0].device.push(local))
    fleet.run(fleet.house.add_partners("p"))
    fleet.run(fleet.phones[0].device.push(local))
    assert fleet.run(fleet.house.ids(TABLE)) == ["p"], "one deletion has had two effects"
    fleet.phones[0].device.reset()


def repeated_pushes_are_applied_again(patch: pytest.MonkeyPatch) -> None:
    """Hole 15: with both walls down. A second deletion also waits for a person, because others made the record anew."""
    patch.setattr(drafts.Draft, "_leave", lambda *_: None)
    claim_receipts = receipts.claim_receipts

    async def forget(*asked: Any) -> receipts.Claims:
        await receipts.drop_receipts(*asked)
        return await claim_receipts(*asked)

    patch.setattr(receipts, "claim_receipts", forget)


STORIES = [
    (own_creations_come_as_created, deleted_between_pull_and_landing),
    (whole_records_overwrite, another_column_changes_before_the_push),
    (edits_bring_deleted_records_back, office_deletes_before_the_push),
    (repeated_pushes_are_applied_again, deletion_repeated_after_the_office_made_the_record_anew),
]


@pytest.mark.parametrize(("plant", "story"), STORIES)
def test_story_finds(
    plant: Plant, story: Callable[[Fleet], None], harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    fleet = harbour.fleet()

    with pytest.raises(AssertionError):
        play(fleet, story)


def play(fleet: Fleet, story: Callable[[Fleet], None]) -> None:
    for phone in range(3):
        fleet.sync(phone)
    story(fleet)
    fleet.heal()
    if story is not deletion_repeated_after_the_office_made_the_record_anew:  # the office brought it back on purpose
        fleet.check()


@pytest.mark.parametrize("story", [story for _, story in STORIES])
def test_story_goes_well_without_a_plant(story: Callable[[Fleet], None], harbour: Harbour) -> None:
    play(harbour.fleet(), story)


def test_machine_finds_nothing_where_nothing_is_wrong(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_is_wrong_though_somebody_writes_meanwhile(monkeypatch)

    run_machine(harbour, examples=20)
