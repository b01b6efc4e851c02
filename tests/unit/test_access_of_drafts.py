"""Access of drafts: what an author may do to a record, and what a refusal tells (engine/access.py)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from conflict.mutation import Mutation, Operation
from erp_core.access import CODES, GUEST, MEMBER, ROLES
from erp_core.catalogue import BY_NAME
from erp_core.language import Violation
from sync_server.engine import access
from sync_server.engine.access import assign, refusals, told
from sync_server.engine.draft import Draft
from sync_server.engine.entitlements import Entitlements, entitle, with_assignments
from sync_server.engine.judge import judge
from sync_server.engine.submission import Channel, Submission
from sync_server.engine.world import LoadedWorld
from sync_server.store.actor import Actor
from sync_server.store.holds import GrantHeld
from tests.harness.rule_world import TODAY, House

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NEW_PARTNER = {"branch_id": "rajkot", "legal_name": "New", "kind": '["buyer"]'}


@pytest.fixture
def world() -> LoadedWorld:
    """The house of the rules' tests, and in another branch a partner with a contact."""
    house, loaded = House(), LoadedWorld(TODAY)
    house.put("branch", "akola", code="AKL", name="Akola", state="Maharashtra")
    house.put("business_partner", "far", branch_id="akola", kind=("buyer",), legal_name="Far", credit_limit=500)
    house.put("partner_contact", "of_far", partner_id="far", kind="owner", name="F")
    house.put("business_partner", "his", branch_id="akola", kind=("buyer",), legal_name="H", assigned_agent_id="ravi")
    for name, rows in house.rows.items():
        for id, row in rows.items():
            loaded.put(BY_NAME[name], id, row)
    return loaded


def given(role: str, **place: str) -> Entitlements:
    """What a person has with one role in one place."""
    nowhere = dict.fromkeys(("branch_id", "partner_id", "agent_id", "valid_from", "valid_until"))
    grant = GrantHeld(ROLES[role].codes, ROLES[role].external, **{**nowhere, **place})  # type: ignore[arg-type]
    return Entitlements(
        with_assignments(entitle([grant], "ravi", NOW)[0], [("ravi", "his")] if "agent_id" in place else [])
    )


IN_RAJKOT = {"branch_id": "rajkot"}
TRADER, MANAGER, GRADER = (given(role, **IN_RAJKOT) for role in ("trader", "manager", "grader"))
EVERYWHERE = given("manager")
AGENT = given("agent", agent_id="ravi")
NOBODY = Entitlements({})


def draft(world: LoadedWorld, who: Entitlements, entity: str, id: str, *, user: str = "ravi", **values: Any) -> Draft:
    """Make what `who` sends of a record: a new one if there is none, else a change of it."""
    origin = Submission(Actor("org", user, "phone"), 0, b"", (), entitled=who, channel=Channel.OFFICE)
    before = world.get(entity, id)
    operation = Operation.CREATED if before is None else Operation.UPDATED
    made = Draft.read(origin, Mutation(BY_NAME[entity].table, id, operation, values))
    if before is None:
        made.create()
    else:
        made.conceal(access._labels(world, entity, id))
        made.merge_into(before, ())
    assign(made)
    return made


def deletion(world: LoadedWorld, who: Entitlements, entity: str, id: str, *, user: str = "ravi") -> Draft:
    origin = Submission(Actor("org", user, "phone"), 0, b"", (), entitled=who)
    made = Draft.read(origin, Mutation(BY_NAME[entity].table, id, Operation.DELETED, {}))
    made.before, made.labels = world.get(entity, id), access._labels(world, entity, id)
    return made


def codes(found: list[Violation]) -> list[tuple[str, tuple[str, ...]]]:
    return [(violation.code, violation.fields) for violation in found]


# --- Operations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "entity", "id", "values", "code"),
    [
        (TRADER, "business_partner", "new", NEW_PARTNER, None),
        (TRADER, "business_partner", "new", {**NEW_PARTNER, "branch_id": "akola"}, "out_of_scope"),
        (GRADER, "business_partner", "new", NEW_PARTNER, "not_allowed"),
        (NOBODY, "business_partner", "new", NEW_PARTNER, "unknown_reference"),
        (EVERYWHERE, "business_partner", "new", {**NEW_PARTNER, "branch_id": "akola"}, None),
        (TRADER, "business_partner", "mill", {"legal_name": "Other"}, None),
        (TRADER, "business_partner", "far", {"legal_name": "Other"}, "out_of_scope"),
        (GRADER, "business_partner", "mill", {"legal_name": "Other"}, "not_allowed"),
        (EVERYWHERE, "business_partner", "far", {"legal_name": "Other"}, None),
        (AGENT, "business_partner", "his", {"legal_name": "Other"}, None),
        (AGENT, "business_partner", "mill", {"legal_name": "Other"}, "out_of_scope"),
        (TRADER, "business_partner", "mill", {"branch_id": "akola"}, "out_of_scope"),
        (EVERYWHERE, "business_partner", "mill", {"branch_id": "akola"}, None),
        (TRADER, "partner_contact", "new", {"partner_id": "mill", "kind": "owner", "name": "N"}, None),
        (TRADER, "partner_contact", "of_far", {"name": "N"}, "out_of_scope"),
        (TRADER, "setting", "new", {"scope": "branch", "scope_id": "akola", "key": "k", "value": "v"}, "out_of_scope"),
        (TRADER, "setting", "new", {"scope": "user", "scope_id": "ravi", "key": "k", "value": "v"}, None),
        (TRADER, "setting", "new", {"scope": "user", "scope_id": "meena", "key": "k", "value": "v"}, "out_of_scope"),
        (MANAGER, "setting", "new", {"scope": "org", "scope_id": "org", "key": "k", "value": "v"}, "out_of_scope"),
    ],
)
def test_a_record_is_made_and_changed_by_who_may_before_and_after(
    world: LoadedWorld, who: Entitlements, entity: str, id: str, values: Mapping[str, Any], code: str | None
) -> None:
    found = refusals(draft(world, who, entity, id, **values), world)

    assert [violation.code for violation in found] == ([] if code is None else [code])
    assert all("akola" not in violation.sentence and "Far" not in violation.sentence for violation in found)


@pytest.mark.parametrize(
    ("who", "id", "code"),
    [
        (MANAGER, "mill", None),
        (TRADER, "mill", "not_allowed"),
        (MANAGER, "far", "out_of_scope"),
        (EVERYWHERE, "far", None),
        (NOBODY, "mill", "not_allowed"),
    ],
)
def test_a_record_is_deleted_by_who_may(world: LoadedWorld, who: Entitlements, id: str, code: str | None) -> None:
    found = refusals(deletion(world, who, "business_partner", id), world)

    assert [violation.code for violation in found] == ([] if code is None else [code])


def test_a_move_needs_the_code_in_both_branches(world: LoadedWorld) -> None:
    both = Entitlements({**TRADER.holds, **given("trader", branch_id="akola").holds})

    assert refusals(draft(world, both, "business_partner", "mill", branch_id="akola"), world) == []
    assert refusals(draft(world, both, "business_partner", "far", branch_id="rajkot"), world) == []
    only_there = given("trader", branch_id="akola")
    assert refusals(draft(world, only_there, "business_partner", "mill", branch_id="akola"), world)


def test_what_changes_nothing_needs_nothing(world: LoadedWorld) -> None:
    assert refusals(draft(world, GRADER, "business_partner", "mill", legal_name="Mill"), world) == []


# --- Fields and states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["mill", "new"])
def test_a_field_is_set_by_who_may_write_it(world: LoadedWorld, id: str) -> None:
    values: dict[str, Any] = {**NEW_PARTNER, "credit_limit": 9_000}

    assert codes(refusals(draft(world, TRADER, "business_partner", id, **values), world)) == [
        ("not_allowed", ("credit_limit",))
    ]
    assert refusals(draft(world, MANAGER, "business_partner", id, **values), world) == []


def test_a_field_that_is_not_shown_cannot_be_set_nor_is_it_emptied(world: LoadedWorld) -> None:
    blind = Entitlements({"branch:rajkot": frozenset({"partner.read", "partner.update"}), "org": frozenset({MEMBER})})
    world.put(BY_NAME["business_partner"], "mill", {**(world.get("business_partner", "mill") or {}), "credit_limit": 7})

    sent = draft(world, blind, "business_partner", "mill", legal_name="N", credit_limit=5)
    assert codes(sent.faults) == [("not_allowed", ("credit_limit",))]
    for nothing in (None, 0, ""):
        quiet = draft(world, blind, "business_partner", "mill", legal_name="N", credit_limit=nothing)
        assert quiet.faults == refusals(quiet, world) == []
        assert quiet.after is not None
        assert (quiet.after["credit_limit"], quiet.after["legal_name"]) == (7, "N")


def test_a_field_that_is_not_shown_cannot_be_set_in_a_new_record(world: LoadedWorld) -> None:
    blind = Entitlements(
        {"branch:rajkot": frozenset({"external.document", "partner.create"}), "org": frozenset({MEMBER})}
    )

    found = refusals(draft(world, blind, "business_partner", "new", **NEW_PARTNER, remarks="slow payer"), world)

    assert codes(found) == [("not_allowed", ("remarks",))]


@pytest.mark.parametrize(
    ("who", "state", "fields"),
    [(TRADER, "approved", ("state",)), (MANAGER, "approved", None), (TRADER, "draft", None)],
)
def test_a_state_is_reached_by_who_may_bring_it_there(
    world: LoadedWorld, who: Entitlements, state: str, fields: tuple[str, ...] | None
) -> None:
    world.put(BY_NAME["business_partner"], "mill", {**(world.get("business_partner", "mill") or {}), "state": "draft"})

    found = refusals(draft(world, who, "business_partner", "mill", state=state), world)

    assert codes(found) == ([] if fields is None else [("not_allowed", fields)])


def test_who_jumps_over_a_state_needs_what_it_asks_for(world: LoadedWorld) -> None:
    """A phone that was away sends only the last of several moves."""
    trade = world.get("trade", "deal")
    assert trade is not None
    world.put(BY_NAME["trade"], "deal", {**trade, "state": "draft"})
    agent = given("agent", **IN_RAJKOT)

    jump = refusals(draft(world, agent, "trade", "deal", state="in_delivery"), world)

    assert codes(jump) == [("not_allowed", ("state",))]
    assert refusals(draft(world, TRADER, "trade", "deal", state="in_delivery"), world) == []


@pytest.mark.parametrize(("seen", "allowed"), [("confirmed", True), ("draft", False)])
def test_a_step_that_waits_for_a_person_is_judged_from_the_state_that_its_author_saw(
    world: LoadedWorld, seen: str, allowed: bool
) -> None:
    """The desk cancelled the trade meanwhile: from there no step leads on, and that is not for want of a right."""
    trade = world.get("trade", "deal")
    assert trade is not None
    world.put(BY_NAME["trade"], "deal", {**trade, "state": "cancelled"})
    step = draft(world, given("agent", **IN_RAJKOT), "trade", "deal", state="in_delivery")
    wanted, step.base = step.after, {**trade, "state": seen}
    step.park(Violation("no_common_state", "Two steps that do not go together.", ("state",)))
    step.after = wanted

    assert (refusals(step, world) == []) is allowed


# --- References -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "field", "values"),
    [
        ("partner_contact", "partner_id", {"kind": "owner", "name": "N"}),
        ("requirement", "buyer_id", {"branch_id": "rajkot", "commodity_id": "lint", "bales_min": 1, "bales_max": 2}),
    ],
)
def test_a_record_that_is_not_theirs_is_for_them_not_there(
    world: LoadedWorld, entity: str, field: str, values: Mapping[str, Any]
) -> None:
    not_theirs, nowhere = (
        judge(draft(world, TRADER, entity, "new", **{**values, field: id}), world) for id in ("far", "no-such")
    )

    assert not_theirs == nowhere
    assert codes(not_theirs) == [("unknown_reference", (field,))]
    assert refusals(draft(world, EVERYWHERE, entity, "new", **{**values, field: "far"}), world) == []


def test_a_reference_that_was_there_may_stay(world: LoadedWorld) -> None:
    trade = world.get("trade", "deal")
    world.put(BY_NAME["trade"], "deal", {**(trade or {}), "buyer_id": "far", "state": "draft"})

    assert refusals(draft(world, TRADER, "trade", "deal", remarks="so"), world) == []


# --- Assignment -------------------------------------------------------------------------------------------------------


def test_what_an_agent_makes_is_the_agents(world: LoadedWorld) -> None:
    made = draft(world, AGENT, "business_partner", "new", **NEW_PARTNER)

    assert made.after is not None
    assert made.after["assigned_agent_id"] == "ravi"
    assert refusals(made, world) == []


def test_nobody_but_who_may_assigns_to_another(world: LoadedWorld) -> None:
    named = draft(world, AGENT, "business_partner", "new", **NEW_PARTNER, assigned_agent_id="meena")
    assert named.after is not None
    assert named.after["assigned_agent_id"] == "meena"
    assert [violation.code for violation in refusals(named, world)] == ["out_of_scope"]

    trader = draft(world, TRADER, "business_partner", "new", **NEW_PARTNER, assigned_agent_id="meena")
    assert codes(refusals(trader, world)) == [("not_allowed", ("assigned_agent_id",))]
    changed = draft(world, AGENT, "business_partner", "his", assigned_agent_id="meena")
    assert [violation.code for violation in refusals(changed, world)] != []
    office = draft(world, MANAGER, "business_partner", "mill", assigned_agent_id="meena")
    assert refusals(office, world) == []


def test_only_a_new_record_of_an_agent_is_assigned(world: LoadedWorld) -> None:
    for made in (
        draft(world, TRADER, "business_partner", "new", **NEW_PARTNER),
        draft(world, AGENT, "business_partner", "mill", legal_name="N"),
    ):
        assert made.after is not None
        assert made.after["assigned_agent_id"] is None


# --- Rights -----------------------------------------------------------------------------------------------------------

SOME = frozenset({"role.create", "role.update", "grant.give", "grant.take", "user.update", "user.disable", "desk.read"})
GIVER = Entitlements({"org": SOME | {MEMBER, GUEST, "permission.read", "role.read", "user.read"}})


def test_nobody_gives_more_than_they_have(world: LoadedWorld) -> None:
    role = draft(world, GIVER, "role", "new", title="T", codes='["desk.read","desk.write"]')
    assert codes(refusals(role, world)) == [("more_than_had", ("codes",))]
    assert "desk.write" in refusals(role, world)[0].sentence
    assert refusals(draft(world, GIVER, "role", "new", title="T", codes='["desk.read"]'), world) == []

    gift = draft(world, GIVER, "grant", "new", user_id="meena", role_id="agent")
    assert codes(refusals(gift, world)) == [("more_than_had", ("role_id",))]
    assert refusals(draft(world, GIVER, "grant", "new", user_id="meena", role_id="clerk"), world) == []


def test_a_role_is_not_widened_by_who_does_not_have_what_it_would_give(world: LoadedWorld) -> None:
    wider = draft(world, GIVER, "role", "clerk", codes='["desk.read","grant.give","sync.resolve"]')

    assert codes(refusals(wider, world)) == [("more_than_had", ("codes",))]


def test_what_is_held_in_a_branch_is_not_given_away_for_the_organisation(world: LoadedWorld) -> None:
    local = Entitlements({"branch:rajkot": CODES, "org": frozenset({"grant.give", "role.read", "user.read", MEMBER})})

    gift = draft(world, local, "grant", "new", user_id="meena", role_id="clerk")

    assert codes(refusals(gift, world)) == [("more_than_had", ("role_id",))]


def test_a_role_of_partners_is_given_by_who_may_give(world: LoadedWorld) -> None:
    gift = draft(world, Entitlements({**GIVER.holds, **EVERYWHERE.holds, "org": GIVER.holds["org"]}),
                 "grant", "new", user_id="meena", role_id="buyer", partner_id="mill")  # fmt: skip

    assert refusals(gift, world) == []


def test_nobody_takes_the_rights_of_somebody_who_may_do_more(world: LoadedWorld) -> None:
    assert codes(refusals(deletion(world, GIVER, "grant", "of_meena"), world)) == [("out_of_reach", ())]


def test_nobody_takes_or_changes_their_own_rights(world: LoadedWorld) -> None:
    own = deletion(world, GIVER, "grant", "of_meena", user="meena")
    assert codes(refusals(own, world)) == [("own_rights", ())]
    whole = Entitlements({"org": CODES | {MEMBER}})
    assert refusals(deletion(world, whole, "grant", "of_meena"), world) == []

    soon = draft(world, GIVER, "grant", "of_meena", user="meena", valid_until=1_800_000_000_000)
    assert ("own_rights", ("user_id",)) in codes(refusals(soon, world))
    off = draft(world, GIVER, "user", "meena", user="meena", is_active=False)
    assert codes(refusals(off, world)) == [("own_rights", ("is_active",))]
    assert refusals(draft(world, GIVER, "user", "meena", is_active=False), world) == []


# --- What is told -----------------------------------------------------------------------------------------------------

SECRET = Violation("over", "The limit is 500.", ("buyer_id",), needs=("desk.read",), instead="Ask the office.")


def test_a_sentence_with_a_secret_is_told_to_who_may_know_it(world: LoadedWorld) -> None:
    plain = Violation("other", "Wrong.", ())
    seller = draft(world, given("external_seller", partner_id="ginner"), "trade", "deal", remarks="x")
    trader = draft(world, TRADER, "trade", "deal", remarks="x")

    assert told(trader, [SECRET, plain], world) == [SECRET, plain]
    assert told(seller, [SECRET, plain], world) == [Violation("over", "Ask the office.", ("buyer_id",)), plain]


def test_a_secret_of_a_partner_of_another_branch_is_not_told_to_who_sees_the_trade(world: LoadedWorld) -> None:
    world.put(BY_NAME["trade"], "deal", {**(world.get("trade", "deal") or {}), "buyer_id": "far"})

    (reason,) = told(draft(world, TRADER, "trade", "deal", remarks="x"), [SECRET], world)

    assert "500" not in reason.sentence


@pytest.mark.parametrize(("who", "code"), [(TRADER, "duplicate"), (GRADER, "not_allowed")])
def test_what_others_hold_is_told_to_who_may_do_it_at_all(world: LoadedWorld, who: Entitlements, code: str) -> None:
    made = draft(world, who, "business_partner", "new", **NEW_PARTNER)
    made.faults.append(Violation("duplicate", "Another business partner already has this phone.", ("phone",)))

    assert [violation.code for violation in judge(made, world)] == [code]


# --- The test of the test ---------------------------------------------------------------------------------------------


def test_each_wall_is_needed(world: LoadedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a check taken away, what it refuses passes: no two of them hide each other."""
    walls = {
        "_of_fields": draft(world, TRADER, "business_partner", "mill", credit_limit=9),
        "_of_states": draft(world, given("agent", **IN_RAJKOT), "trade", "deal", state="cancelled"),
        "_of_references": draft(world, TRADER, "requirement", "need", buyer_id="far"),
        "_of_rights": draft(world, GIVER, "role", "clerk", codes='["desk.write"]'),
    }
    for wall, refused in walls.items():
        assert refusals(refused, world), wall
        with monkeypatch.context() as patch:
            patch.setattr(access, wall, lambda *_: iter(()))
            assert refusals(refused, world) == [], wall
