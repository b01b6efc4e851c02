"""Published heads: a chain made anew, and a tail cut off with its seals, are told by them; a restore is told as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.engine.audit_faults import Fault, Harm
from sync_server.engine.audit_heads import Compared, Heads
from sync_server.engine.sealing import seal
from sync_server.store import epochs
from sync_server.store.auditing import Claim
from sync_server.store.clock import SEQ_BITS
from sync_server.store.database import Database
from sync_server.store.seals import list_heads
from tests.harness.tampering import cut, make_anew, tamper
from tests.harness.world import House


class Published:
    """A house, and the heads that were published of it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.claims: list[Claim] = []

    async def publish(self, *partners: str) -> int:
        """Write, seal and publish; give the head's position."""
        await self.house.add_partners(*partners)
        await seal(self.house.database, self.house.org_id)
        async with self.house.database.acquire_everywhere() as connection:
            self.claims += [Claim(*head) for head in await list_heads(connection)]
        return self.claims[-1].position

    async def compared(self) -> tuple[Fault | None, Compared]:
        heads = Heads()
        async with self.house.database.acquire_everywhere() as connection:
            await heads.compare(connection, self.claims)
            return await heads.fault(connection, self.house.org_id), heads.of(self.house.org_id)


@pytest.fixture
async def published(database: Database, tmp_path: Path) -> Published:
    return Published(await House.settle(database, tmp_path))


async def test_heads_of_an_untouched_log_agree(published: Published) -> None:
    for n in range(3):
        await published.publish(f"p{n}")

    fault, compared = await published.compared()

    assert (fault, compared.agreeing, compared.lost) == (None, 3, {})


async def test_a_chain_made_anew_is_told_between_the_heads_around_its_first_difference(published: Published) -> None:
    await published.publish("p1")
    second = await published.publish("p2")
    await published.publish("p3")
    await tamper(published.house, "UPDATE event SET actor = 'x' WHERE record_id = 'p2'")
    await make_anew(published.house)

    fault, compared = await published.compared()

    assert fault is not None
    assert (fault.harm, fault.position) == (Harm.MADE_ANEW, 0), "other salts, so another chain from its first event on"
    assert (compared.agreeing, fault.upto) == (0, published.claims[0].position)
    assert second > fault.upto


async def test_a_chain_made_anew_from_an_event_on_is_told_after_the_head_before_it(published: Published) -> None:
    first = await published.publish("p1")
    second = await published.publish("p2")
    await published.publish("p3")
    house = published.house
    kept = "CREATE TABLE kept AS SELECT * FROM event_seal"
    await tamper(house, f"{kept}; UPDATE event SET actor = 'x' WHERE record_id = 'p2'")
    await tamper(
        house,
        f"UPDATE event_seal SET digest = sha256(digest) WHERE position > {first};"
        " UPDATE seal_head SET digest = sha256(digest)",
    )

    fault, compared = await published.compared()

    assert fault == Fault(Harm.MADE_ANEW, first, second, f"the head published at position {second} is another")
    assert compared.agreeing == 1


async def test_a_tail_that_was_cut_off_with_its_seals_is_told_at_its_row(published: Published) -> None:
    await published.publish("p1")
    kept = await published.publish("p2")
    gone = await published.publish("p3")
    await cut(published.house, kept)

    fault, _ = await published.compared()

    assert fault == Fault(Harm.CUT_OFF, kept, kept, f"a head was published at position {gone}")
    await published.house.add_partners("p4")
    await seal(published.house.database, published.house.org_id)
    assert (await published.compared())[0] == fault, "what is written afterwards does not cover it"


async def test_what_an_epoch_cut_off_is_told_as_that(published: Published) -> None:
    house = published.house
    kept = await published.publish("p1")
    gone = await published.publish("p2")
    await cut(house, kept)
    await tamper(
        house, f"UPDATE org_clock SET seq = {kept & ((1 << SEQ_BITS) - 1)}; UPDATE seal_head SET position = {kept}"
    )
    async with house.database.acquire_everywhere() as connection, connection.transaction():
        await epochs.begin_epoch(connection, house.org_id, 2, 3, kept)
    await tamper(house, "DELETE FROM business_partners WHERE id = 'p2'; DELETE FROM feed WHERE id = 'p2'")
    await published.publish("p3")

    fault, compared = await published.compared()

    assert fault is None
    assert compared.agreeing == 2
    assert {epoch: (lost.heads, lost.newest) for epoch, lost in compared.lost.items()} == {3: (1, gone)}
