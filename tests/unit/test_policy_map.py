"""Every kind of field has a policy, and what the server owns is never taken from a phone (engine/policy_map.py)."""

from __future__ import annotations

import pytest

from conflict.policies import OURS, Policy
from erp_core.catalogue import ENTITIES
from erp_core.language import Entity, Kind
from sync_server.engine.policy_map import POLICIES, policies_of


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_policy(kind: Kind) -> None:
    fields = [(entity, f) for entity in ENTITIES for f in entity.all_fields if f.change.kind is kind]

    assert kind in POLICIES
    assert all(isinstance(POLICIES[kind](*one), Policy) for one in fields)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_every_field_of_every_entity_has_one(entity: Entity) -> None:
    policies = policies_of(entity)

    assert policies.keys() == entity.by_name.keys()
    assert {name for name, policy in policies.items() if policy is OURS} == {
        field.name for field in entity.all_fields if field.derived
    }
