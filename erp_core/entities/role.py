"""The role: a set of permission codes under a name.

Owns: its declaration and its rules.
Must not know: who has it.
Invariant: the roles that ship are as they shipped (tests/unit/test_people_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import CODES, ROLES, Access
from erp_core.language import DERIVED, ONCE, Entity, Field, Phone, Violation, World
from erp_core.rules import when_touched
from erp_core.scopes import Everybody
from erp_core.values import Flag, Row, Text, Words


@when_touched("title", "codes", "external")
def _as_shipped(_after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if before is not None and before["ships"]:
        yield Violation("ships", "A role that ships cannot be changed; make one of your own, like it.", ("codes",))


@when_touched("codes", "external")
def _one_side(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    """A partner's people never get a code of the house, whoever mixes the role."""
    outside = {code for code in after["codes"] if code.startswith("external.")}
    shared = {code for role in ROLES.values() if role.external for code in role.codes}
    if after["external"] and not set(after["codes"]) <= shared:
        inside = ", ".join(sorted(set(after["codes"]) - shared))
        yield Violation("not_for_partners", f"A role for partners cannot have {inside}.", ("codes", "external"))
    if not after["external"] and outside:
        sentence = f"Only a role for partners has {', '.join(sorted(outside))}."
        yield Violation("for_partners_only", sentence, ("codes", "external"))


def _kept(row: Row, _: World) -> Iterator[Violation]:
    if row["ships"]:
        yield Violation("ships", "A role that ships cannot be deleted.")


ROLE = Entity(
    name="role",
    table="roles",
    title="Role",
    phone=Phone.NONE,
    access=Access(read=("role.read",), create=("role.create",), update=("role.update",), delete=("role.delete",)),
    labels=(Everybody(),),
    rules=(_as_shipped, _one_side),
    delete_rules=(_kept,),
    fields=(
        Field("title", Text(80), required=True, unique=True),
        Field("codes", Words(tuple(sorted(CODES))), required=True, default=()),
        Field("external", Flag(), ONCE, required=True, default=False, help="for the people of partners"),
        Field(
            "ships", Flag(), DERIVED, required=True, default=False, help="made with the organisation; cannot be changed"
        ),
    ),
)
