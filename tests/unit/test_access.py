"""Who may do what: the table of every role, entity and operation, written down by hand and compared with the declarations.

A declaration that changes makes the table wrong; whoever changes it reads it here as a trader would.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import pytest

from erp_core.access import CODES, GROUPS, GUEST, MEMBER, OWN, READING, ROLES, Access, Role, admits, codes_of_everybody
from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity

EVERY_ENTITY = pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
OPERATIONS: Final = ("create", "read", "update", "delete")

# Create, read, update, delete; a dot: refused. The last column is what everybody may do with what is their own.
TABLE: Final = """
                    admin manag trade agent grade dispa accou audit xbuye xsell own
organisation        .ru.  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
branch              crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
user                cru.  .r..  ....  ....  ....  ....  ....  .r..  ....  ....  .r..
role                crud  .r..  ....  ....  ....  ....  ....  .r..  ....  ....  ....
financial_year      crud  .r..  .r..  .r..  .r..  .r..  crud  .r..  ....  ....  ....
document_series     crud  .r..  .r..  .r..  .r..  .r..  crud  .r..  ....  ....  ....
organisation_bank_account crud  .r..  .r..  .r..  ....  ....  .r..  .r..  ....  ....  ....
unit                crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
location            crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
commodity           crud  .r..  .r..  .r..  .r..  .r..  .ru.  .r..  .r..  .r..  ....
variety             crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
unit_conversion     crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
quality_parameter   crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
payment_term        crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
delivery_term       crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
weighment_term      crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
passing_term        crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
trade_type          crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
bargain_type        crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  .r..  .r..  ....
commission_structure crud crud  .r..  .r..  .r..  .r..  .r..  .r..  ....  ....  ....
business_partner    crud  crud  cru.  cru.  .r..  .r..  .r..  .r..  .r..  .r..  ....
grant               crud  .r..  ....  ....  ....  ....  ....  .r..  ....  ....  .r..
partner_location    crud  crud  crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....
partner_contact     crud  crud  crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....
partner_document    crud  crud  crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....
partner_vehicle     crud  crud  crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....
partner_bank_account crud crud  crud  crud  ....  ....  .r..  .r..  .r..  .r..  ....
availability        crud  crud  crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....
requirement         crud  crud  crud  crud  ....  ....  .r..  .r..  .r..  ....  ....
match               crud  crud  crud  crud  ....  ....  .r..  .r..  ....  ....  ....
negotiation         crud  crud  crud  crud  ....  ....  .r..  .r..  .r..  .r..  ....
offer               crud  crud  crud  crud  ....  ....  .r..  .r..  .r..  .r..  ....
trade               crud  crud  crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....
amendment           crud  crud  crud  crud  ....  ....  .r..  .r..  .r..  .r..  ....
sample              crud  crud  .ru.  crud  crud  ....  .r..  .r..  .r..  .r..  ....
quality_inspection  crud  crud  .ru.  crud  crud  .r..  .r..  .r..  .r..  .r..  ....
dispatch            crud  crud  crud  crud  ....  crud  .r..  .r..  .r..  .r..  ....
weighment           crud  crud  crud  crud  crud  crud  .r..  .r..  .r..  .r..  ....
attachment          crud  crud  crud  crud  crud  crud  .r..  .r..  .r..  .r..  ....
invoice             crud  crud  crud  .r..  ....  ....  crud  .r..  .r..  .r..  ....
invoice_line        crud  crud  crud  .r..  ....  ....  crud  .r..  .r..  .r..  ....
payment             crud  crud  crud  .r..  ....  ....  crud  .r..  .r..  .r..  ....
payment_allocation  crud  crud  crud  .r..  ....  ....  crud  .r..  .r..  .r..  ....
visit               crud  crud  crud  crud  ....  ....  .r..  .r..  ....  ....  .r..
task                crud  crud  crud  crud  ....  ....  .r..  .r..  ....  ....  .ru.
setting             crud  crud  .r..  .r..  .r..  .r..  .r..  .r..  ....  ....  crud
notification        ....  ....  ....  ....  ....  ....  ....  ....  ....  ....  .ru.
sync_issue          .ru.  .ru.  ....  ....  ....  ....  ....  ....  ....  ....  .ru.
"""

DESK: Final = frozenset({"administrator", "manager", "trader", "agent", "accountant", "auditor"})
HOUSE: Final = DESK | {"grader", "dispatcher"}
PARTNERS: Final = frozenset({"external_buyer", "external_seller"})
APPROVERS: Final = frozenset({"administrator", "manager"})
CONFIRMERS: Final = APPROVERS | {"trader"}

SEEN_BY: Final = {
    **dict.fromkeys(("business_partner.credit_limit", "business_partner.exposure"), DESK),
    **dict.fromkeys(("business_partner.tags", "business_partner.remarks"), HOUSE),
    # Of partners, their own lots' only: `external.document` is not held in `partners`.
    **dict.fromkeys(("availability.seller_id", "availability.location_id"), HOUSE | PARTNERS),
    "availability.asking_price_per_candy": DESK | PARTNERS,
    "requirement.price_ceiling_per_candy": DESK | {"external_buyer"},
    **dict.fromkeys(
        [f"trade.{name}" for name in ("price_per_candy", "payment_terms", "amount", "tax_amount", "negotiation_id")],
        DESK | PARTNERS,
    ),
    **dict.fromkeys(("trade.brokerage_pct", "trade.commission_structure_id", "trade.remarks"), DESK),
    **dict.fromkeys([f"attachment.exif_{name}" for name in ("taken_at", "latitude", "longitude", "camera")], HOUSE),
    **dict.fromkeys(("negotiation.requirement_id", "amendment.proposed"), DESK),
    # The own are everybody's; of others', values are for who sees prices and parties.
    **dict.fromkeys(
        [f"sync_issue.{name}" for name in ("sentence", "payload", "ours", "base", "theirs", "outcomes")], DESK
    ),
}
WRITTEN_BY: Final = {
    **dict.fromkeys(("business_partner.credit_limit", "business_partner.assigned_agent_id"), APPROVERS),
    **{
        f"user.{name}": frozenset({"administrator"})
        for name in ("name", "phone", "email", "branch_id", "language", "is_active")
    },
    **{
        f"commodity.{name}": frozenset({"administrator"})
        for name in (
            "name",
            "category",
            "base_unit_id",
            "trade_unit_id",
            "rate_unit_id",
            "standard_weight_kg",
            "grades",
        )
    },
    "commodity.is_active": frozenset({"administrator"}),
    "partner_bank_account.is_verified": APPROVERS,
    **{
        f"task.{name}": frozenset({"administrator", "manager", "trader", "agent"})
        for name in ("branch_id", "title", "assignee_id", "partner_id", "table_name", "record_id", "due_on", "urgency")
    },
}
MOVED_BY: Final = {
    **{f"business_partner.state.{to}": APPROVERS for to in ("approved", "rejected", "suspended", "inactive")},
    "business_partner.kyc_state.verified": APPROVERS,
    **{f"trade.state.{to}": CONFIRMERS for to in ("confirmed", "cancelled")},
    **{f"amendment.state.{to}": CONFIRMERS for to in ("approved", "rejected")},
    **{f"{found}.state.accepted": CONFIRMERS for found in ("quality_inspection", "sample")},
    **{
        f"{found}.state.disputed": frozenset({"administrator", "manager", "trader", "agent"})
        for found in ("quality_inspection", "sample")
    },
    "invoice.state.issued": CONFIRMERS | {"accountant"},
    "task.state.cancelled": frozenset({"administrator", "manager", "trader", "agent"}),
}


def holders(asked: tuple[str, ...]) -> frozenset[str]:
    """Name the roles of which one grant, in the scope where the record is, admits what asks for one of `asked`."""
    return frozenset(
        role.id for role in ROLES.values() if admits(asked, role.codes | codes_of_everybody(external=role.external))
    )


def _rows() -> Iterator[tuple[str, list[str]]]:
    for line in TABLE.strip().splitlines()[1:]:
        name, *cells = line.split()
        yield name, cells


# --- The table --------------------------------------------------------------------------------------------------------


def test_the_table_has_every_entity_and_every_role() -> None:
    rows = dict(_rows())

    assert list(rows) == [entity.name for entity in ENTITIES]
    assert TABLE.split("\n")[1].split() == [
        *(("x" + id.removeprefix("external_") if id.startswith("external_") else id)[:5] for id in ROLES),
        "own",
    ]
    assert all(len(cells) == len(ROLES) + 1 for cells in rows.values())


@pytest.mark.parametrize(("name", "cells"), list(_rows()), ids=[name for name, _ in _rows()])
def test_every_role_may_do_what_the_table_says_and_nothing_else(name: str, cells: list[str]) -> None:
    access = BY_NAME[name].access
    for who, cell in zip((*ROLES, OWN), cells, strict=True):
        admitted = "".join(
            operation[0] if who in holders(asked := getattr(access, operation)) or who in set(asked) & {OWN} else "."
            for operation in OPERATIONS
        )
        assert admitted == cell, f"{who} on {name}"


def test_every_field_with_a_reader_of_its_own_is_in_the_table() -> None:
    found = {f"{e.name}.{f.name}": holders(f.read) for e in ENTITIES for f in e.all_fields if f.read}

    assert found == SEEN_BY


def test_every_field_with_a_writer_of_its_own_is_in_the_table() -> None:
    found = {f"{e.name}.{f.name}": holders(f.write) for e in ENTITIES for f in e.all_fields if f.write}

    assert found == WRITTEN_BY


def test_every_move_that_asks_for_a_code_is_in_the_table() -> None:
    found = {
        f"{e.name}.{machine.field}.{state}": holders(asked)
        for e in ENTITIES
        for machine in e.machines.values()
        for state, asked in machine.needs.items()
    }

    assert found == MOVED_BY


@EVERY_ENTITY
def test_who_may_change_a_field_may_change_the_record(entity: Entity) -> None:
    """A right that the record around it takes away again would be a mistake of the declaration."""
    able = holders(entity.access.update) | holders(entity.access.create)
    asked = [f.write for f in entity.fields if f.write]
    asked += [codes for machine in entity.machines.values() for codes in machine.needs.values()]

    assert all(holders(codes) <= able for codes in asked)


@EVERY_ENTITY
def test_who_may_change_a_record_may_read_it(entity: Entity) -> None:
    readers = holders(entity.access.read)

    assert all(holders(getattr(entity.access, operation)) <= readers for operation in OPERATIONS)


# --- Default deny -----------------------------------------------------------------------------------------------------


@EVERY_ENTITY
def test_who_holds_nothing_may_do_nothing(entity: Entity) -> None:
    assert not any(admits(getattr(entity.access, operation), frozenset()) for operation in OPERATIONS)


def test_what_asks_for_no_code_is_refused_to_everybody() -> None:
    assert not admits((), CODES | {MEMBER, GUEST, OWN})
    assert not admits(Access(read=(OWN,)).create, CODES)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_code_that_does_not_exist_cannot_be_declared(operation: str) -> None:
    with pytest.raises(ValueError, match=r"no such permission: desk\.everything"):
        dataclasses.replace(Access(read=(MEMBER,)), **{operation: ("desk.everything",)})


def test_every_code_that_fields_and_moves_ask_for_exists() -> None:
    known = CODES | {MEMBER, GUEST, OWN}
    for entity in ENTITIES:
        assert all({*f.read, *f.write} <= known for f in entity.all_fields)
        for machine in entity.machines.values():
            assert machine.needs.keys() <= set(machine.words)
            assert all(codes and set(codes) <= known for codes in machine.needs.values())


# --- Codes and roles --------------------------------------------------------------------------------------------------


def test_there_are_48_codes_in_8_groups() -> None:
    assert len(CODES) == sum(map(len, GROUPS.values())) == 48
    assert {group: len(codes) for group, codes in GROUPS.items()} == {
        "access": 13,
        "settings": 8,
        "partner": 5,
        "cross-branch": 2,
        "external": 4,
        "privacy": 6,
        "audit": 2,
        "desk and field": 8,
    }


def test_reading_changes_nothing() -> None:
    """What `branch.read_all` carries into every branch admits no change of anything."""
    assert READING <= CODES
    for entity in ENTITIES:
        for operation in ("create", "update", "delete"):
            assert not READING & set(getattr(entity.access, operation)), entity.name
        for machine in entity.machines.values():
            assert not any(READING & set(codes) for codes in machine.needs.values())


def test_every_code_is_in_a_role() -> None:
    assert frozenset().union(*(role.codes for role in ROLES.values())) == CODES


def test_only_partners_hold_codes_of_partners() -> None:
    outside = {code for code in CODES if code.startswith("external.")}
    assert all(bool(role.codes & outside) == role.external for role in ROLES.values())


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_everybody_keeps_the_rights_to_their_own_data(role: Role) -> None:
    assert role.codes >= {"privacy.consent", "privacy.export_own", "privacy.erase_request"}


def test_who_gives_rights_is_the_administrator_alone() -> None:
    for code in ("grant.give", "grant.take", "role.update", "user.create", "user.update", "privacy.erase_approve"):
        assert holders((code,)) == {"administrator"}


def test_nobody_but_managers_approves_partners() -> None:
    assert holders(("partner.approve",)) == APPROVERS
