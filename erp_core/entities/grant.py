"""The grant: a user has a role, somewhere, from a moment to a moment.

Owns: its declaration and its rules.
Must not know: what the role admits.
Invariant: a grant is for the organisation, or for one branch, partner or agent, and never for two
(tests/unit/test_people_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import OWN, Access
from erp_core.language import ONCE, Entity, Field, Phone, Violation, World
from erp_core.rules import in_order, when_touched
from erp_core.scopes import By, Everybody
from erp_core.values import Instant, Reference, Row

PLACES = ("branch_id", "partner_id", "agent_id")


@when_touched(*PLACES)
def _one_place(after: Row, _: Row | None, __: World) -> Iterator[Violation]:
    named = tuple(name for name in PLACES if after[name] is not None)
    if len(named) > 1:
        yield Violation("two_places", f"A grant is for one place; give one of {' and '.join(named)}.", named)


@when_touched("role_id", "partner_id")
def _of_its_side(after: Row, _: Row | None, world: World) -> Iterator[Violation]:
    """People of partners get what is their partner's; people of the house get the rest."""
    role = world.get("role", after["role_id"])
    if role is not None and role["external"] and after["partner_id"] is None:
        sentence = f"{role['title']} is a role for the people of a partner; say of which."
        yield Violation("no_partner", sentence, ("partner_id",))


GRANT = Entity(
    name="grant",
    table="grants",
    title="Grant",
    phone=Phone.NONE,
    parent="user_id",
    access=Access(
        read=("permission.read", OWN),
        create=("grant.give",),
        update=("grant.give",),  # to take is to delete: a later end is a gift
        delete=("grant.take",),
    ),
    labels=(Everybody(), By("user", "user_id")),
    rules=(_one_place, _of_its_side, in_order("valid_from", "valid_until")),
    fields=(
        Field("user_id", Reference("user"), ONCE, required=True),
        Field("role_id", Reference("role"), ONCE, required=True),
        Field("branch_id", Reference("branch"), ONCE, help="for what belongs to this branch"),
        Field("partner_id", Reference("business_partner"), ONCE, help="for what this partner is a side of"),
        Field("agent_id", Reference("user"), ONCE, help="for what is assigned to this agent"),
        Field("valid_from", Instant(), help="empty: at once"),
        Field("valid_until", Instant(), help="empty: until it is taken"),
    ),
)
