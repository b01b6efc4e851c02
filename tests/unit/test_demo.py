"""The demo data: made alike from a seed, true to every declaration and rule, closed, and flat in memory."""

from __future__ import annotations

import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest
from stdnum.in_ import gstin, pan

from erp_core.catalogue import BY_NAME, ENTITIES, ORDER
from erp_core.demo.generate import Portion, generate, make_block, other_organisation
from erp_core.demo.numbers import mobile
from erp_core.demo.places import BEYOND, REGIONS
from erp_core.demo.reference import (
    COMMODITIES,
    SEASON_BEGINS,
    TODAY,
    commodity_id,
    reference_data,
    unit_id,
    variety_id,
)
from erp_core.language import Entity
from erp_core.values import SAFE_ID, Row

Held = dict[str, dict[str, Row]]


class DemoWorld:
    """The rows of some portions as rules see them; independent of the generator's own."""

    today: date = TODAY

    def __init__(self, portions: Sequence[Portion]) -> None:
        self.held: Held = {entity.name: {} for entity in ENTITIES}
        self._by: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for portion in portions:
            for entity, rows in portion.tables:
                assert not self.held[entity.name].keys() & rows.keys(), "an id comes twice"
                self.held[entity.name].update(rows)

    def get(self, entity: str, id: str | None) -> Row | None:
        return None if id is None else self.held[entity].get(id)

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        if (entity, field) not in self._by:
            index = self._by[entity, field] = defaultdict(list)
            for row in self.held[entity].values():
                index[row[field]].append(row)
        return [] if id is None else self._by[entity, field][id]

    def __iter__(self) -> Iterator[tuple[Entity, str, Row]]:
        for name, rows in self.held.items():
            for id, row in rows.items():
                yield BY_NAME[name], id, row


@pytest.fixture(scope="module")
def demo() -> DemoWorld:
    return DemoWorld(list(generate(6_000)))


# --- The stream -------------------------------------------------------------------------------------------------------


def test_a_seed_makes_the_same_demo_again() -> None:
    assert list(generate(1_500, seed=7)) == list(generate(1_500, seed=7))


def test_another_seed_makes_another_demo() -> None:
    first, second = (DemoWorld(list(generate(500, seed=seed))) for seed in (7, 8))

    assert not first.held["business_partner"].keys() & second.held["business_partner"].keys()


def test_a_smaller_demo_is_the_beginning_of_a_larger_one() -> None:
    smaller, larger = DemoWorld(list(generate(2_000))), DemoWorld(list(generate(9_000)))

    assert all(larger.get(entity.name, id) == row for entity, id, row in smaller)


def test_the_stream_goes_on_after_any_portion() -> None:
    whole = list(generate(13_000))
    for portion in whole[:-1]:
        rest = list(generate(13_000, blocks=portion.blocks, done=portion.records))

        assert rest == whole[whole.index(portion) + 1 :]


@pytest.mark.parametrize("records", [300, 2_000, 9_000])
def test_there_are_about_as_many_rows_as_asked_for(records: int) -> None:
    portions = list(generate(records))
    made = sum(len(rows) for portion in portions for _, rows in portion.tables)

    assert records <= made <= records + 100
    assert portions[-1].records == made


def test_the_smallest_demo_has_partners_whose_people_can_be_shown() -> None:
    reference, block = generate(0)

    assert reference.records == len(reference_data(1))
    assert block.records == reference.records + len(make_block(reference_data(1), 1, 0))
    assert list(generate(0, blocks=block.blocks, done=block.records)) == []


def test_batches_are_bounded_and_parents_come_first() -> None:
    known: set[str] = set()
    for portion in generate(20_000):
        order = [ORDER[entity.table] for entity, _ in portion.tables]
        assert order == sorted(order)
        assert sum(len(rows) for _, rows in portion.tables) <= 5_000
        for entity, rows in portion.tables:
            for id, row in rows.items():
                named = {row[field.name] for field, _ in entity.references} - {None}
                assert named <= known, f"{entity.name} {id} comes before what it names"
            known |= rows.keys()


def test_memory_does_not_grow_with_the_demo() -> None:
    """Counted in blocks of the interpreter's allocator: exact, and without slowing 200 000 rows down as tracemalloc does."""
    held: list[int] = []
    for portion in generate(200_000):
        assert portion.records
        held.append(sys.getallocatedblocks())

    assert len(held) > 40
    assert max(held[10:]) < max(held[1:10]) + 10_000, held  # one leaked portion would be some 50 000


def test_a_portion_fits_into_little_memory() -> None:
    tracemalloc.start()
    try:
        for portion in generate(9_000):
            assert portion.records
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 32 * 2**20, peak


# --- The declarations -------------------------------------------------------------------------------------------------


def test_every_value_is_one_that_its_field_reads_back(demo: DemoWorld) -> None:
    for entity, id, row in demo:
        assert SAFE_ID.fullmatch(id)
        assert len(id) == 16
        assert id.isalnum()
        assert row.keys() == entity.by_name.keys()
        for field in entity.fields:
            value = row[field.name]
            if value is None:
                assert not field.required, f"{entity.name}.{field.name} is empty"
            else:
                assert field.type.read(field.type.plain(value)) == value, f"{entity.name}.{field.name}"


def test_every_reference_names_a_row_that_exists(demo: DemoWorld) -> None:
    for entity, id, row in demo:
        for field, target in entity.references:
            named = row[field.name]
            assert named is None or demo.get(target, named) is not None, f"{entity.name} {id}: {field.name}"


def test_unique_values_are_unique(demo: DemoWorld) -> None:
    for entity in ENTITIES:
        for names in entity.unique_keys:
            values = [tuple(row[name] for name in names) for row in demo.held[entity.name].values()]
            held = [value for value in values if None not in value]
            assert len(held) == len(set(held)), f"{entity.name} {names}"


def test_every_row_keeps_the_rules_from_its_beginning_to_its_state(demo: DemoWorld) -> None:
    then = {entity.name: WhileTheyWereOpen(demo, entity.name) for entity in ENTITIES}
    broken = [
        f"{entity.name} {id}: {violation.code} {violation.sentence}"
        for entity, id, row in demo
        for before, after in ((None, begun(entity, row)), (begun(entity, row), row))
        for rule in entity.rules
        for violation in rule({**after, "id": id}, before, then[entity.name])
    ]

    assert not broken, f"{len(broken)} broken, such as {broken[:5]}"


def test_every_state_can_be_reached(demo: DemoWorld) -> None:
    for entity, id, row in demo:
        for name, machine in entity.machines.items():
            assert machine.reaches(machine.words[0], row[name]), f"{entity.name} {id}: {name}"


def begun(entity: Entity, row: Row) -> Row:
    """Give the row as it was when it was new."""
    return {**row, **{name: machine.words[0] for name, machine in entity.machines.items()}}


class WhileTheyWereOpen:
    """The demo when a paper was written: trades that are completed or disputed by now were in delivery, and invoices drafts
    while they got their lines."""

    today: date = TODAY

    def __init__(self, demo: DemoWorld, written: str) -> None:
        self.demo, self.written = demo, written

    def get(self, entity: str, id: str | None) -> Row | None:
        row = self.demo.get(entity, id)
        if entity == "trade" and row is not None and row["state"] in ("completed", "disputed"):
            return {**row, "state": "in_delivery"}
        if entity == "invoice" and row is not None and self.written == "invoice_line":
            return {**row, "state": "draft"}
        return row

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        return self.demo.siblings(entity, field, id)


def test_derived_fields_are_what_the_server_derives(demo: DemoWorld) -> None:
    for entity, id, row in demo:
        if entity.derive is not None:
            derived: Mapping[str, object] = entity.derive(row, demo)
            assert {name: row[name] for name in derived} == derived, f"{entity.name} {id}"
        for rollup in entity.rollups:
            for into, summed in demo.held[rollup.into].items():
                expected = rollup.compute(summed, demo.siblings(entity.name, rollup.via, into))
                assert {name: summed[name] for name in expected} == expected, f"{rollup.into} {into}"


# --- The trade --------------------------------------------------------------------------------------------------------


def test_the_demo_shows_every_document_in_every_state(demo: DemoWorld) -> None:
    not_shown = {"user", "role", "grant", "sync_issue", "match", "amendment", "sample", "attachment"}
    assert {name for name, rows in demo.held.items() if not rows} == not_shown
    papers = ("availability", "requirement", "trade", "quality_inspection", "dispatch")
    for name in ("business_partner", *papers, "visit", "task"):
        states = BY_NAME[name].states
        assert states is not None
        assert {row["state"] for row in demo.held[name].values()} == set(states.words)


def test_a_few_hundred_partners_in_the_default_demo() -> None:
    partners = DemoWorld(list(generate(2_000))).held["business_partner"]

    assert 200 <= len(partners) <= 400
    assert set(Counter(row["branch_id"] for row in partners.values())) == {region.branch_id for region in REGIONS}


def test_the_small_demo_has_what_tests_build_on() -> None:
    """A confirmed trade none of whose bales has left, an approved buyer and seller of each branch."""
    small = DemoWorld(list(generate(300)))
    confirmed = [id for id, row in small.held["trade"].items() if row["state"] == "confirmed"]
    assert confirmed
    for id in confirmed:
        lorries = small.siblings("dispatch", "trade_id", id)
        assert sum(lorry["bales"] for lorry in lorries) < small.held["trade"][id]["bales"]
    for region in REGIONS:
        kinds = [
            row["kind"]
            for row in small.siblings("business_partner", "branch_id", region.branch_id)
            if row["state"] == "approved"
        ]
        assert any("buyer" in kind for kind in kinds)
        assert any("seller" in kind for kind in kinds)


def test_tax_numbers_are_valid_and_of_the_state_of_the_branch(demo: DemoWorld) -> None:
    codes = {region.branch_id: region.state_code for region in REGIONS}
    for _, id, row in (entry for entry in demo if entry[0].name == "business_partner"):
        assert pan.is_valid(row["pan"])
        if row["gstin"] is not None:
            assert gstin.is_valid(row["gstin"])
            assert row["gstin"][:2] == codes[row["branch_id"]]
            assert gstin.to_pan(row["gstin"]) == row["pan"]
        places = demo.siblings("partner_location", "partner_id", id)
        assert {place["gstin"] for place in places} <= {row["gstin"], None}
    for row in (*demo.held["organisation"].values(), *demo.held["branch"].values()):
        assert gstin.is_valid(row["gstin"])


def test_serials_give_a_million_partners_phones_of_their_own() -> None:
    phones = {mobile(serial) for serial in range(1_000_000)}

    assert len(phones) == 1_000_000


def test_results_of_inspections_are_of_every_kind(demo: DemoWorld) -> None:
    results = Counter(row["result"] for row in demo.held["quality_inspection"].values() if row["state"] != "draft")

    assert set(results) == {"pass", "allowance", "reject"}
    assert results["pass"] > results["allowance"] > results["reject"]


def test_bales_of_a_lot_and_of_a_trade_add_up(demo: DemoWorld) -> None:
    for id, lot in demo.held["availability"].items():
        taken = sum(
            trade["bales"]
            for trade in demo.siblings("trade", "availability_id", id)
            if trade["state"] not in ("cancelled", "draft")
        )
        assert lot["bales_sold"] == taken
        assert lot["bales_sold"] + lot["bales_reserved"] <= lot["bales_offered"]
    for id, trade in demo.held["trade"].items():
        assert trade["buyer_id"] != trade["seller_id"]
        assert sum(lorry["bales"] for lorry in demo.siblings("dispatch", "trade_id", id)) <= trade["bales"]


def test_documents_lie_between_the_start_of_the_season_and_today(demo: DemoWorld) -> None:
    for trade in demo.held["trade"].values():
        assert SEASON_BEGINS <= trade["trade_date"] <= TODAY
    for inspection in demo.held["quality_inspection"].values():
        assert SEASON_BEGINS <= inspection["inspected_at"].date() <= TODAY
    for lorry in demo.held["dispatch"].values():
        times = [lorry[name] for name in ("loaded_at", "departed_at", "arrived_at") if lorry[name] is not None]
        assert times == sorted(times)
        assert all(SEASON_BEGINS <= time.date() <= TODAY for time in times)
        if lorry["gross_kg"] is not None:
            assert lorry["net_kg"] == lorry["gross_kg"] - lorry["tare_kg"] > Decimal(0)


def test_one_partner_has_one_primary_place_and_person_of_a_kind(demo: DemoWorld) -> None:
    for name in ("partner_location", "partner_contact", "partner_document", "partner_vehicle", "partner_bank_account"):
        primary = Counter((row["partner_id"], row["kind"]) for row in demo.held[name].values() if row["is_primary"])
        assert max(primary.values()) == 1


def test_places_lie_where_their_pincode_says() -> None:
    circles = {"24": ("36", "37", "38"), "27": ("44", "40"), "36": ("50",)}
    for region in REGIONS:
        for town in region.towns:
            assert town.pincode.startswith(circles[region.state_code]), town
            assert 6 < Decimal(town.latitude) < 37
            assert 68 < Decimal(town.longitude) < 98
    assert len({town.name for *_, town, _ in BEYOND}) == len(BEYOND)


def test_tax_rates_stand_beside_their_source() -> None:
    for fact in COMMODITIES:
        assert "Notification" in fact.source
        assert fact.hsn in ("5201", "5202", "1207")


def test_reference_ids_are_the_same_in_every_demo() -> None:
    first, second = reference_data(1), reference_data(2)

    assert {name: rows.keys() for name, rows in first.rows.items()} == {n: r.keys() for n, r in second.rows.items()}
    assert first.get("unit", unit_id("candy"))
    assert first.get("commodity", commodity_id("lint"))
    assert first.get("variety", variety_id("Bunny/Brahma"))


def test_a_block_refers_to_itself_and_to_reference_data_only() -> None:
    reference = reference_data(1)
    block = make_block(reference, 1, 41)
    for entity, rows in block.tables():
        for row in rows.values():
            for field, target in entity.references:
                assert row[field.name] is None or block.get(target, row[field.name]) is not None


def test_the_other_organisation_has_nothing_of_the_first() -> None:
    other, demo = other_organisation(), DemoWorld(list(generate(300)))

    assert all(demo.get(entity.name, id) is None for entity, rows in other.tables for id in rows)
