"""Doubles: a value is held by one record and the accepted drafts, in whatever order they came (engine/doubles.py)."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import pytest

from conflict.mutation import Mutation, Operation
from erp_core.access import CODES, GUEST, MEMBER
from erp_core.catalogue import BY_TABLE
from sync_server.engine.doubles import Doubles, Held
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.judge import judge_groups
from sync_server.engine.submission import Submission
from sync_server.engine.world import LoadedWorld
from sync_server.store.actor import Actor

PARTNERS, BRANCHES = BY_TABLE["business_partners"], BY_TABLE["branches"]
LABELS = frozenset({"branch", "branch:b1"})
PHONE, OTHER_PHONE = "+919825012345", "+919825012346"
ENTITLED = Entitlements({"org": CODES | {MEMBER, GUEST}, "branch": CODES})
ORIGIN = Submission(Actor("o", "agent", "agent"), 10, b"agent", [], entitled=ENTITLED)


def new(id: str, phone: str | None, branch: str = "b1") -> Draft:
    values = {"branch_id": branch, "legal_name": "P", "kind": '["buyer"]', "phone": phone}
    draft = Draft.read(ORIGIN, Mutation("business_partners", id, Operation.CREATED, values))
    draft.create()
    return draft


def edit(id: str, held: str | None, phone: str | None, **more: str) -> Draft:
    draft = Draft.read(ORIGIN, Mutation("business_partners", id, Operation.UPDATED, {"phone": phone, **more}))
    before = new(id, held).after
    assert before is not None
    draft.before, draft.labels, draft.after = before, LABELS, {**before, "phone": phone, **more}
    return draft


def deletion(id: str, held: str) -> Draft:
    draft = Draft.read(ORIGIN, Mutation("business_partners", id, Operation.DELETED, {}))
    draft.before, draft.labels = new(id, held).after, LABELS
    return draft


def judged(
    drafts: list[Draft], keepers: dict[str, str], going_too: dict[str, str] | None = None
) -> dict[str, list[str]]:
    """Judge drafts where `keepers` (phone -> id) hold the phones; give the codes of what was refused, by id."""
    world = LoadedWorld(date(2026, 11, 23))
    world.put(BRANCHES, "b1", {**BRANCHES.empty(), "code": "RJK", "name": "Rajkot", "state": "Gujarat"})
    wanting: dict[Held, list[Draft]] = {}
    for draft in drafts:
        if draft.after is not None and draft.after["phone"] is not None:
            wanting.setdefault(phone_of(str(draft.after["phone"])), []).append(draft)
    by_key = {draft.mutation.key: draft for draft in drafts}
    doubles = Doubles({phone_of(phone): id for phone, id in keepers.items()}, wanting, by_key)
    naming = {(PARTNERS.table, a): [(PARTNERS.table, b)] for a, b in (going_too or {}).items()}
    judge_groups(drafts, world, naming, doubles)
    return {d.mutation.id: [fault.code for fault in d.faults] for d in drafts if d.verdict is Verdict.REFUSED}


def phone_of(phone: str) -> Held:
    return Held("business_partners", ("phone",), (phone,))


def test_first_of_two_that_want_a_value_gets_it() -> None:
    assert judged([new("a", PHONE), new("b", PHONE)], {}) == {"b": ["duplicate"]}


@pytest.mark.parametrize("order", [1, -1])
def test_refused_record_holds_nothing(order: int) -> None:
    assert judged([new("bad", PHONE, branch="nowhere"), new("good", PHONE)][::order], {}) == {
        "bad": ["unknown_reference"]
    }


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_is_given_up_is_free_in_any_order(order: tuple[int, ...]) -> None:
    """A gives its number to b, b its own to c: a chain."""
    drafts = [edit("a", PHONE, None), edit("b", OTHER_PHONE, PHONE), edit("c", None, OTHER_PHONE)]

    assert judged([drafts[n] for n in order], {PHONE: "a", OTHER_PHONE: "b"}) == {}


def test_two_that_swap_are_refused_as_neither_can_begin() -> None:
    drafts = [edit("a", PHONE, OTHER_PHONE), edit("b", OTHER_PHONE, PHONE)]

    assert judged(drafts, {PHONE: "a", OTHER_PHONE: "b"}) == {"a": ["duplicate"], "b": ["duplicate"]}


def test_number_of_a_deleted_record_is_free() -> None:
    assert judged([new("b", PHONE), deletion("a", PHONE)], {PHONE: "a"}) == {}


def test_what_a_refused_record_was_to_give_up_is_not_free() -> None:
    drafts = [edit("a", PHONE, None, branch_id="nowhere"), new("b", PHONE)]

    assert judged(drafts, {PHONE: "a"}) == {"a": ["unknown_reference"], "b": ["duplicate"]}


def test_what_a_deletion_that_stays_undone_was_to_free_is_not_free() -> None:
    drafts = [deletion("a", PHONE), edit("staying", None, None, branch_id="nowhere"), new("b", PHONE)]

    found = judged(drafts, {PHONE: "a"}, going_too={"a": "staying"})

    assert found == {"a": ["in_use"], "staying": ["unknown_reference"], "b": ["duplicate"]}


def test_record_outside_the_batch_keeps_what_it_holds() -> None:
    assert judged([new("b", PHONE)], {PHONE: "elsewhere"}) == {"b": ["duplicate"]}


def test_record_that_its_author_does_not_see_keeps_what_it_holds() -> None:
    """Such a draft has no row before it, so it gives nothing up."""
    unseen = Draft.read(ORIGIN, Mutation("business_partners", "a", Operation.DELETED, {}))

    assert judged([unseen, new("b", PHONE)], {PHONE: "a"})["b"] == ["duplicate"]
