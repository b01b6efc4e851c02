"""The judge: a verdict depends on the draft, the record before it and the world (engine/judge.py)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from conflict.mutation import Mutation, Operation
from erp_core.access import CODES, GUEST, MEMBER
from erp_core.catalogue import BY_TABLE
from sync_server.engine.doubles import Doubles
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.judge import judge_groups
from sync_server.engine.submission import Submission
from sync_server.engine.world import LoadedWorld
from sync_server.store.actor import Actor

BRANCHES, PARTNERS, SETTINGS = (BY_TABLE[t] for t in ("branches", "business_partners", "settings"))


@pytest.fixture
def world() -> LoadedWorld:
    loaded = LoadedWorld(date(2026, 11, 23))
    loaded.put(BRANCHES, "b1", {**BRANCHES.empty(), "code": "RJK", "name": "Rajkot", "state": "Gujarat"})
    return loaded


def submission(user: str = "agent") -> Submission:
    entitled = Entitlements({"org": CODES | {MEMBER, GUEST}, "branch": CODES})
    return Submission(Actor("o", user, user), 10, user.encode(), [], entitled=entitled)


def created(table: str, id: str, origin: Submission | None = None, **values: Any) -> Draft:
    new = Draft.read(origin or ORIGIN, Mutation(table, id, Operation.CREATED, values))
    new.create()
    return new


ORIGIN = submission()


def partner(id: str = "p", **values: Any) -> Draft:
    fixed = {"branch_id": "b1", "legal_name": "P", "kind": '["buyer"]'}
    return created("business_partners", id, **{**fixed, **values})


def codes(draft: Draft) -> list[str]:
    return [fault.code for fault in draft.faults]


def test_right_record_is_accepted_and_the_world_shows_it(world: LoadedWorld) -> None:
    good = partner()

    judge_groups([good], world, {}, Doubles())

    assert (good.verdict, codes(good)) == (Verdict.ACCEPTED, [])
    assert world.get("business_partner", "p") == good.after


def test_refused_record_is_not_shown_by_the_world(world: LoadedWorld) -> None:
    bad = partner(branch_id="nowhere")

    judge_groups([bad], world, {}, Doubles())

    assert (bad.verdict, codes(bad), bad.after) == (Verdict.REFUSED, ["unknown_reference"], None)
    assert world.get("business_partner", "p") is None


def test_every_missing_field_is_named_at_once(world: LoadedWorld) -> None:
    bare = partner(legal_name=None, branch_id=None)

    judge_groups([bare], world, {}, Doubles())

    assert {fault.fields for fault in bare.faults} == {("branch_id",), ("legal_name",)}


def test_value_that_could_not_be_read_is_the_reason_and_no_rule_guesses_further(world: LoadedWorld) -> None:
    unreadable = partner(state="abcdef", branch_id="nowhere")

    judge_groups([unreadable], world, {}, Doubles())

    assert codes(unreadable) == ["unknown_choice"]


def test_what_phones_only_read_is_refused_before_anything_else(world: LoadedWorld) -> None:
    setting = created("settings", "s", scope="no such scope")

    judge_groups([setting], world, {}, Doubles())

    assert codes(setting) == ["read_only"]


@pytest.mark.parametrize("reverse", [False, True])
def test_document_lives_or_dies_with_its_children_in_any_order(world: LoadedWorld, reverse: bool) -> None:
    parent = partner()
    good = created("partner_contacts", "c1", partner_id="p", kind="owner", name="Asha")
    bad = created("partner_contacts", "c2", partner_id="p", kind="owner")
    world._gathered.add(("partner_contact", "partner_id"))

    judge_groups([bad, good, parent] if reverse else [parent, good, bad], world, {}, Doubles())

    assert (codes(parent), codes(good), codes(bad)) == (["refused_together"], ["refused_together"], ["missing"])
    assert "contact" in parent.faults[0].sentence


def test_two_submissions_are_two_groups(world: LoadedWorld) -> None:
    parent = partner()
    bad = created("partner_contacts", "c", submission("another"), partner_id="p", kind="owner")
    world._gathered.add(("partner_contact", "partner_id"))

    judge_groups([parent, bad], world, {}, Doubles())

    assert (parent.verdict, bad.verdict) == (Verdict.ACCEPTED, Verdict.REFUSED)


def test_deletion_stays_undone_while_one_that_names_the_record_stays(world: LoadedWorld) -> None:
    def deletion(id: str) -> Draft:
        doomed = Draft.read(ORIGIN, Mutation("business_partners", id, Operation.DELETED, {}))
        doomed.before, doomed.labels = partner(id).after, frozenset({"branch", "branch:b1"})
        world.put(PARTNERS, id, doomed.before)
        return doomed

    first, second, third = deletion("a"), deletion("b"), deletion("c")
    third.faults.extend(partner(state="abcdef").faults)
    key = "business_partners"

    judge_groups([first, second, third], world, {(key, "a"): [(key, "b")], (key, "b"): [(key, "c")]}, Doubles())

    assert [draft.verdict for draft in (first, second, third)] == [Verdict.REFUSED] * 3
    assert (codes(first), codes(second)) == (["in_use"], ["in_use"])
