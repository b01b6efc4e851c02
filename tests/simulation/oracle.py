"""The oracle: who may see what, said a second time, from plain SQL and the words of the domain.

Owns: its own idea of scopes: a branch's people see what is the branch's, an agent what is of the partners assigned, a partner
the documents in which it is a side, children what their document shows.
Must not know: labels, holds, views, masks. Which codes a table or a field asks for it reads in the declarations.
Invariant: it shares no code with the engine that it judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from erp_core.access import READING, admits
from erp_core.catalogue import BY_TABLE, SYNCED
from tests.harness.world import House

TABLES: Final = tuple(entity.table for entity in SYNCED)
REFERENCE: Final = ("organisations", "branches", "units", "locations", "commodities", "varieties")

Row = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, Row]]
"""table -> id -> row in wire form."""


@dataclass(frozen=True, slots=True)
class Given:
    """A grant that counts now: codes, and where."""

    codes: frozenset[str]
    external: bool
    branch: str | None
    partner: str | None
    agent: str | None

    @property
    def everybody(self) -> frozenset[str]:
        return frozenset({"guest"} if self.external else {"guest", "member"})

    @property
    def across(self) -> bool:
        """Whether it reaches into every branch."""
        nowhere = self.branch is None and self.partner is None and self.agent is None
        return nowhere and bool({"branch.read_all", "branch.write_all"} & self.codes)


@dataclass(frozen=True, slots=True)
class Trail:
    """Whose a document is: its branch, the partners that are a side of it, which of them may know, whether it is on offer."""

    branch: str | None = None
    partners: frozenset[str] = frozenset()
    informed: frozenset[str] = frozenset()
    on_offer: bool = False
    agent: str | None = None


async def given_to(house: House, user: str) -> list[Given]:
    """Read the grants of a user that count now."""
    rows = await house.fetch(
        "SELECT r.codes, r.external, g.branch_id, g.partner_id, g.agent_id FROM grants g"
        " JOIN roles r ON r.org_id = g.org_id AND r.id = g.role_id"
        " JOIN users u ON u.org_id = g.org_id AND u.id = g.user_id"
        " WHERE g.org_id = $1 AND g.user_id = $2 AND u.is_active AND (g.valid_until IS NULL OR g.valid_until > now())",
        *(house.org_id, user),
    )
    return [Given(frozenset(row["codes"]), *row[1:]) for row in rows]


async def visible(house: House, user: str) -> dict[str, dict[str, Row]]:
    """Say what a user may see now: table -> id -> row, hidden fields None."""
    tables = {table: await house.truth(table) for table in TABLES}
    given = await given_to(house, user)
    if not any("sync.use" in one.codes for one in given):
        given = []  # who may not sync holds nothing on a phone
    seen: dict[str, dict[str, Row]] = {table: {} for table in TABLES}
    for table, rows in tables.items():
        entity = BY_TABLE[table]
        for id, row in rows.items():
            codes = codes_for(user, given, table, id, row, tables)
            if admits(entity.access.read, codes):
                hidden = {f.name for f in entity.fields if f.read and not admits(f.read, codes)}
                seen[table][id] = {name: None if name in hidden else value for name, value in row.items()}
    return seen


def codes_for(user: str, given: Sequence[Given], table: str, id: str, row: Row, tables: Tables) -> frozenset[str]:
    """Say with which codes a user reads a row."""
    codes: set[str] = set()
    for one in given:
        if table in REFERENCE or (table == "settings" and _is_for(one, row)):
            codes |= one.everybody
        for trail in _trails(table, id, row, tables):
            codes |= _along(one, trail, tables)
    owner = {"sync_issues": row.get("author_id"), "settings": row.get("scope") == "user" and row.get("scope_id")}
    if given and owner.get(table) == user:
        codes |= {"own"}
    return frozenset(codes)


def _is_for(one: Given, setting: Row) -> bool:
    if setting["scope"] == "branch":
        return one.across or setting["scope_id"] == one.branch
    return bool(setting["scope"] == "org")


def _along(one: Given, trail: Trail, tables: Tables) -> frozenset[str]:
    """Give the codes that a grant has for a document."""
    whole = one.codes | one.everybody
    if one.branch is not None:
        return whole if trail.branch == one.branch else frozenset()
    if one.partner is not None:
        offered = one.codes & {"external.availability"} if trail.on_offer else frozenset()
        return whole if one.partner in (trail.informed if one.external else trail.partners) else offered
    if one.agent is not None:
        partners = tables["business_partners"]
        assigned = any(partners[p]["assigned_agent_id"] == one.agent for p in trail.partners)
        return whole if assigned or trail.agent == one.agent else frozenset()
    if "branch.write_all" in one.codes:
        return whole
    return (one.codes & READING) | one.everybody if one.across else frozenset()


def _trails(table: str, id: str, row: Row, tables: Tables) -> list[Trail]:
    """Follow a row to the documents that say whose it is."""
    match table:
        case "business_partners":
            own = frozenset({id})
            return [Trail(row["branch_id"], own, own, agent=row["assigned_agent_id"])]
        case "partner_contacts" | "partner_locations":
            return _trails_of("business_partners", row["partner_id"], tables)
        case "availabilities":
            on_offer = row["visibility"] == "partners" and row["state"] in ("active", "reserved")
            return [_document(row, "seller_id", on_offer=on_offer)]
        case "requirements":
            return [_document(row, "buyer_id")]
        case "trades":
            return [_document(row, "buyer_id", "seller_id", "broker_id")]
        case "dispatches":
            transporter = frozenset({row["transporter_id"]} - {None})
            return [Trail(None, transporter, transporter), *_trails_of("trades", row["trade_id"], tables)]
        case "quality_inspections":
            of_lot = _trails_of("availabilities", row["availability_id"], tables)
            trails = [*_trails_of("trades", row["trade_id"], tables), *of_lot]
            return [replace(t, informed=frozenset()) for t in trails] if row["state"] == "draft" else trails
        case "sync_issues":
            return [Trail(row["branch_id"], frozenset(), frozenset())]
    return []


def _document(row: Row, *sides: str, on_offer: bool = False) -> Trail:
    """The house drafts alone; from then on the sides know."""
    partners = frozenset(row[side] for side in sides) - {None}
    return Trail(row["branch_id"], partners, frozenset() if row["state"] == "draft" else partners, on_offer)


def _trails_of(table: str, id: str | None, tables: Tables) -> list[Trail]:
    return [] if id is None else _trails(table, id, tables[table][id], tables)
