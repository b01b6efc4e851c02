"""Entitlements: what grants come to, which codes count for a record, and how much of a record they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from erp_core.access import CODES, GUEST, MEMBER, OWN, READING, ROLES
from erp_core.catalogue import BY_NAME, ENTITIES
from sync_server.engine.entitlements import (
    Entitlements,
    View,
    agents_in,
    entitle,
    full_mask,
    hidden_fields,
    label_of_all,
    mask_of,
    view_of,
    with_assignments,
)
from sync_server.store.holds import GrantHeld

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERYBODY = frozenset({MEMBER, GUEST})
PARTNER, TRADE, LOT, CONTACT, USER = (
    BY_NAME[name] for name in ("business_partner", "trade", "availability", "partner_contact", "user")
)


def grant(role: str = "trader", **values: Any) -> GrantHeld:
    nowhere = dict.fromkeys(("branch_id", "partner_id", "agent_id", "valid_from", "valid_until"))
    return GrantHeld(ROLES[role].codes, ROLES[role].external, **{**nowhere, **values})


def held(*grants: GrantHeld) -> dict[str, frozenset[str]]:
    return entitle(grants, "meena", NOW)[0]


# --- What grants come to ----------------------------------------------------------------------------------------------


def test_no_grant_is_nothing_not_even_ones_own() -> None:
    assert entitle([], "meena", NOW) == ({}, None)


def test_grant_of_a_branch_holds_there_and_makes_a_member() -> None:
    assert held(grant(branch_id="b1")) == {
        "branch:b1": ROLES["trader"].codes | EVERYBODY,
        "org": EVERYBODY,
        "user:meena": {OWN},
    }


def test_grant_of_an_agent_holds_what_is_assigned() -> None:
    holds = held(grant("agent", agent_id="meena"))

    assert holds.keys() == {"agent:meena", "org", "user:meena"}
    assert agents_in(holds) == ["meena"]
    with_partners = with_assignments(holds, [("meena", "p1"), ("meena", "p2")])
    assert with_partners["partner:p1"] == with_partners["partner:p2"] == holds["agent:meena"]
    assert "partner:p1" not in holds, "what is remembered of the grants stays as it was"


def test_grant_of_a_partner_holds_its_documents_and_the_offers_but_no_membership() -> None:
    holds = held(grant("external_buyer", partner_id="mill"))

    assert holds.keys() == {"side:mill", "partners", "org", "user:meena"}
    assert holds["org"] == {GUEST}
    assert holds["partners"] == {"external.availability"}


def test_grant_of_the_organisation_reaches_branches_only_with_a_cross_branch_code() -> None:
    assert "branch" not in held(grant("trader"))
    assert held(grant("accountant"))["branch"] == (ROLES["accountant"].codes & READING) | EVERYBODY
    assert held(grant("manager"))["branch"] == ROLES["manager"].codes | EVERYBODY


def test_cross_branch_code_of_a_branch_stays_in_it() -> None:
    assert "branch" not in held(grant("manager", branch_id="b1"))


def test_grants_of_one_scope_add_up_and_those_of_two_do_not_mix() -> None:
    holds = held(grant("grader", branch_id="b1"), grant("dispatcher", branch_id="b1"), grant("trader", branch_id="b2"))

    assert {"quality.write", "dispatch.write"} <= holds["branch:b1"]
    assert "desk.write" not in holds["branch:b1"]
    assert "quality.write" not in holds["branch:b2"]


@pytest.mark.parametrize(
    ("begins", "ends", "counts", "turns"),
    [
        (None, None, True, None),
        (None, HOUR, True, HOUR),
        (None, timedelta(), False, None),
        (None, -HOUR, False, None),
        (HOUR, 2 * HOUR, False, HOUR),
        (timedelta(), HOUR, True, HOUR),
        (-HOUR, HOUR, True, HOUR),
    ],
)
def test_grant_counts_from_its_beginning_up_to_its_end(
    begins: timedelta | None, ends: timedelta | None, counts: bool, turns: timedelta | None
) -> None:
    times = {"valid_from": begins, "valid_until": ends}
    moments: dict[str, Any] = {name: None if time is None else NOW + time for name, time in times.items()}

    holds, until = entitle([grant(branch_id="b1", **moments)], "meena", NOW)

    assert bool(holds) == counts
    assert until == (None if turns is None else NOW + turns)


def test_the_next_turn_of_several_grants_is_the_earliest() -> None:
    several = [grant(valid_until=NOW + 3 * HOUR), grant(valid_from=NOW + 2 * HOUR), grant(valid_until=NOW - HOUR)]

    assert entitle(several, "meena", NOW)[1] == NOW + 2 * HOUR


# --- Which codes count ------------------------------------------------------------------------------------------------


def test_codes_for_a_record_are_those_of_the_scopes_that_both_carry() -> None:
    entitled = Entitlements({"branch:b1": frozenset({"desk.read"}), "partner:p": frozenset({"desk.write"})})

    assert entitled.codes(["branch", "branch:b1", "partner:q"]) == {"desk.read"}
    assert entitled.codes(["branch:b1", "partner:p"]) == {"desk.read", "desk.write"}
    assert entitled.codes(["branch:b2"]) == entitled.codes([]) == frozenset()
    assert (entitled.has("desk.write"), entitled.has("user.read")) == (True, False)


# --- How much is shown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "codes", "hidden"),
    [
        (PARTNER, {"partner.read", "desk.read"}, set()),
        (PARTNER, {"partner.read"}, {"credit_limit", "exposure"}),
        (PARTNER, {"external.document"}, {"credit_limit", "exposure", "tags", "remarks"}),
        (TRADE, {"desk.read"}, set()),
        (TRADE, {"external.trade"}, {"brokerage_pct", "commission_structure_id", "remarks"}),
        (TRADE, {"quality.write"},
         {"price_per_candy", "payment_terms", "amount", "tax_amount", "negotiation_id", "brokerage_pct",
          "commission_structure_id", "remarks"}),
        (LOT, {"external.availability"}, {"seller_id", "location_id"}),
        (LOT, {"quality.write"}, {"asking_price_per_candy"}),
    ],
)  # fmt: skip
def test_codes_hide_what_they_do_not_admit(entity: Any, codes: set[str], hidden: set[str]) -> None:
    mask = mask_of(entity, frozenset(codes))

    assert mask
    assert hidden_fields(entity, mask) == hidden
    assert (mask == full_mask(entity)) == (not hidden)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_no_code_shows_nothing_and_all_codes_show_everything(entity: Any) -> None:
    assert mask_of(entity, frozenset()) == 0
    assert mask_of(entity, CODES | EVERYBODY | {OWN}) == full_mask(entity)
    assert hidden_fields(entity, full_mask(entity)) == frozenset()
    assert {"id"}.isdisjoint(hidden_fields(entity, 1))


def test_a_record_shows_the_union_of_its_scopes() -> None:
    view = View(TRADE, {"branch:b1": mask_of(TRADE, frozenset({"quality.write"})), "partner:p": 3})

    assert hidden_fields(TRADE, view.mask(["branch", "branch:b1"])) > hidden_fields(TRADE, view.mask(["partner:p"]))
    assert view.mask(["branch:b1", "partner:p"]) == view.mask(["branch:b1"]) | 3
    assert view.mask(["branch:b2"]) == 0


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_a_view_shows_of_labels_what_the_entitlements_do(entity: Any) -> None:
    holds = held(grant("trader", branch_id="b1"), grant("grader", branch_id="b2"), grant("accountant"))
    view = view_of(entity, holds)

    for labels in (
        ["org"],
        ["branch", "branch:b1"],
        ["branch", "branch:b2"],
        ["partner:p"],
        ["user:meena"],
        ["user:x"],
    ):
        assert view.mask(labels) == Entitlements(holds).mask(entity, labels)


def test_a_table_is_seen_whole_only_by_who_sees_every_record_and_every_field() -> None:
    everything = {"branch": CODES | EVERYBODY}

    assert view_of(TRADE, everything).whole
    assert not view_of(TRADE, {"branch": frozenset({"quality.write"})}).whole
    assert not view_of(TRADE, {"branch:b1": CODES}).whole
    assert not view_of(BY_NAME["setting"], {"org": CODES, **everything}).whole


@pytest.mark.parametrize(
    ("entity", "label"), [(USER, "org"), (PARTNER, "branch"), (CONTACT, "branch"), (BY_NAME["sync_issue"], None)]
)
def test_label_of_all_is_on_every_record(entity: Any, label: str | None) -> None:
    assert label_of_all(entity) == label


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_label_of_all_is_never_one_that_a_record_may_lack(entity: Any) -> None:
    """A record that follows others by fields that may all be empty carries nothing: no view of its table is whole."""
    follows = [label.field for label in entity.labels if hasattr(label, "entity")]
    others = [label for label in entity.labels if not hasattr(label, "entity")]
    if follows and not others and not any(entity.by_name[field].required for field in follows):
        assert label_of_all(entity) is None
