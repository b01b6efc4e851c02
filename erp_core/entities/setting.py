"""The setting: a value for the organisation, a branch or a user; the more specific one wins.

Owns: its declaration and its rules.
Must not know: what a setting means to whoever reads it.
Invariant: there is one value for a scope and a key (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

import re

from erp_core.access import MEMBER, OWN, Access
from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.scopes import Said
from erp_core.values import Choice, Text

SETTING = Entity(
    name="setting",
    table="settings",
    title="Setting",
    access=Access(
        read=(MEMBER, OWN),
        create=("setting.update", OWN),
        update=("setting.update", OWN),
        delete=("setting.update", OWN),
    ),
    labels=(Said("scope", "scope_id"),),
    phone=Phone.DOWN,
    fields=(
        Field("scope", Choice(("org", "branch", "user")), ONCE, required=True),
        Field("scope_id", Text(64), ONCE, required=True),
        Field("key", Text(80, re.compile("[a-z][a-z0-9_]*([.][a-z0-9_]+)*"), "dispatch.printer"), ONCE, required=True),
        Field("value", Text(2000), required=True),
    ),
    uniques=(("scope", "scope_id", "key"),),
)
