"""Random work of a trading house by plain SQL, for tests of what is kept from it.

Owns: the statements, chosen by a seeded random number generator.
Must not know: what is kept, and how.
Invariant: the same seed does the same work; a statement leaves every declared reference in place.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from tests.harness.world import House

PARTNERS: Final = ("p1", "p2", "p3")
DAY: Final = date(2026, 11, 24)

VARIETIES: Final = (
    "INSERT INTO varieties (org_id, id, commodity_id, name)"
    " VALUES ('org_a', 's6', 'lint', 'Shankar-6'), ('org_a', 'j34', 'lint', 'J-34')"
)


class Work:
    """One random statement after the other; `made`: table -> how many ids it has given."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.house = house
        self.chance = chance
        self.made: dict[str, int] = {}

    async def do(self, times: int) -> None:
        """Do `times` pieces of work, each in a transaction of its own."""
        pieces: tuple[Callable[[], str], ...] = (
            *(self._lot, self._need, self._trade, self._lorry, self._invoice),
            *(self._change_lot, self._change_trade, self._change_lorry, self._change_partner, self._change_invoice),
            self._remove,
        )
        for _ in range(times):
            await self.house.run(self.chance.choice(pieces)())

    def _id(self, table: str) -> str:
        self.made[table] = self.made.get(table, 0) + 1
        return f"{table[:2]}{self.made[table]}x"

    def _some(self, table: str) -> str:
        """Name a record that may be there, or an id that nobody has."""
        return f"'{table[:2]}{self.chance.randint(1, max(self.made.get(table, 0), 1))}x'"

    def _goods(self) -> str:
        variety = self.chance.choice(("NULL", "'s6'", "'j34'"))
        return f"'{self.chance.choice(('b1', 'b2'))}', 'lint', {variety}"

    def _lot(self) -> str:
        id, state = self._id("availabilities"), self.chance.choice(("draft", "active", "reserved"))
        return (
            "INSERT INTO availabilities (org_id, id, branch_id, commodity_id, variety_id, seller_id, crop_year,"
            f" bales_offered, asking_price_per_candy, state) VALUES ('org_a', '{id}', {self._goods()}, 'p1', '2026-27',"
            f" {self.chance.randint(50, 99)}, {self.chance.randint(60_000, 64_000)}.5, '{state}')"
        )

    def _need(self) -> str:
        id, state = self._id("requirements"), self.chance.choice(("draft", "open", "part_filled", "fulfilled"))
        return (
            "INSERT INTO requirements (org_id, id, branch_id, commodity_id, variety_id, buyer_id, bales_min, bales_max,"
            f" bales_fulfilled, state) VALUES ('org_a', '{id}', {self._goods()}, 'p2', 1, {self.chance.randint(20, 90)},"
            f" {self.chance.randint(0, 30)}, '{state}')"
        )

    def _trade(self) -> str:
        id, buyer = self._id("trades"), self.chance.choice(PARTNERS[1:])
        state, until = self._trade_state(), DAY + timedelta(days=self.chance.randint(-9, 9))
        return (
            "INSERT INTO trades (org_id, id, branch_id, commodity_id, variety_id, buyer_id, seller_id, bales,"
            f" price_per_candy, tax_pct, trade_date, deliver_until, state) VALUES ('org_a', '{id}', {self._goods()},"
            f" '{buyer}', 'p1', {self.chance.randint(20, 90)}, {self.chance.randint(60_000, 64_000)}, 5, '2026-11-01',"
            f" '{until}', '{state}')"
        )

    def _trade_state(self) -> str:
        return self.chance.choice(("draft", "confirmed", "in_delivery", "completed", "disputed", "cancelled"))

    def _lorry(self) -> str:
        id, bales = self._id("dispatches"), self.chance.randint(0, 40)
        return (
            "INSERT INTO dispatches (org_id, id, trade_id, bales, state)"
            f" SELECT 'org_a', '{id}', t.id, {bales}, '{self._lorry_state()}' FROM trades t"
            f" WHERE t.org_id = 'org_a' AND t.id = {self._some('trades')}"
        )

    def _lorry_state(self) -> str:
        return self.chance.choice(("planned", "loaded", "in_transit", "delivered", "short", "rejected"))

    def _invoice(self) -> str:
        due = self.chance.choice(("NULL", f"'{DAY - timedelta(days=self.chance.randint(-20, 120))}'"))
        return (
            "INSERT INTO invoices (org_id, id, branch_id, buyer_id, seller_id, supplier_state, place_of_supply,"
            f" invoice_date, due_date, total_amount, outstanding_amount, state) VALUES ('org_a',"
            f" '{self._id('invoices')}', '{self.chance.choice(('b1', 'b2'))}', 'p2', 'p1', 'Gujarat', 'Gujarat',"
            f" '2026-06-01', {due}, 900, {self.chance.randint(0, 900)}, '{self.chance.choice(('draft', 'issued'))}')"
        )

    # --- Changes, each of one record or, by its state, of many ----------------------------------------------------------

    def _change_lot(self) -> str:
        state, reserved = self.chance.choice(("active", "sold", "cancelled")), self.chance.randint(0, 20)
        some = self._some("availabilities")
        return f"UPDATE availabilities SET state = '{state}', bales_reserved = {reserved} WHERE id = {some}"

    def _change_trade(self) -> str:
        change = self.chance.choice(
            (
                f"state = '{self._trade_state()}'",
                f"(branch_id, commodity_id, variety_id) = ROW({self._goods()})",
                f"buyer_id = '{self.chance.choice(PARTNERS[1:])}'",
            )
        )
        which = self.chance.choice((f"id = {self._some('trades')}", "state = 'confirmed'"))
        return f"UPDATE trades SET {change} WHERE org_id = 'org_a' AND {which}"

    def _change_lorry(self) -> str:
        some = self._some("dispatches")
        return f"UPDATE dispatches SET state = '{self._lorry_state()}' WHERE org_id = 'org_a' AND id = {some}"

    def _change_partner(self) -> str:
        limit = self.chance.choice(("NULL", "0", "5000000"))
        branch, id = self.chance.choice(("b1", "b2")), self.chance.choice(PARTNERS)
        return f"UPDATE business_partners SET credit_limit = {limit}, branch_id = '{branch}' WHERE id = '{id}'"

    def _change_invoice(self) -> str:
        open_amount = self.chance.randint(0, 3) * 100
        return f"UPDATE invoices SET outstanding_amount = {open_amount} WHERE id = {self._some('invoices')}"

    def _remove(self) -> str:
        table = self.chance.choice(("availabilities", "requirements", "dispatches", "invoices"))
        return f"DELETE FROM {table} WHERE org_id = 'org_a' AND id = {self._some(table)}"
