"""docs/MERGE.md says what becomes of a clash, as the code does: nothing by hand, nothing out of date."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from conflict import policies
from conflict.policies import ALL, Decision, Tally
from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import NEWEST, Deletion, Entity
from sync_server.engine.policy_map import policies_of
from sync_server.operate.merge_docs import DESTINATION, drift, generate, text
from sync_server.operate.merge_examples import EXAMPLES, Example, work

RUN = "run `cotton-sync generate docs`"


def section(title: str, of: str | None = None, level: str = "##") -> str:
    return (of or text()).split(f"{level} {title}\n")[1].split(f"\n{level} ")[0]


def test_the_committed_document_is_what_the_code_does() -> None:
    assert drift() == [], RUN


def test_a_document_that_is_missing_or_edited_is_noticed_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "MERGE.md"
    assert drift(path) == ["MERGE.md"]

    assert generate(path) == [path]
    assert drift(path) == []

    path.write_text(path.read_text().replace("T-17", "T-19", 1))
    assert drift(path) == ["MERGE.md"]


def test_a_document_that_is_right_is_not_touched() -> None:
    before = DESTINATION.stat().st_mtime_ns
    generate()

    assert DESTINATION.stat().st_mtime_ns == before


@pytest.mark.parametrize("policy", ALL, ids=[policy.name for policy in ALL])
def test_every_policy_has_its_row_and_an_example_that_is_worked(policy: type[policies.Policy]) -> None:
    said = section(f"`{policy.name}`", level="###")
    worked = [example for example in EXAMPLES if isinstance(example.decided_by, policy)]

    assert worked
    assert said.count("| `") >= len(worked)
    assert ("even if nobody else changed the field" in said) == policy.frozen
    for example in worked:
        assert work(example).sentence in said


def test_an_example_goes_by_another_policy_than_its_fields_only_if_no_field_has_it() -> None:
    used = {type(policy) for entity in ENTITIES for policy in policies_of(entity).values()}

    assert all(type(example.policy) not in used for example in EXAMPLES if example.policy)


def test_the_reasons_for_which_a_change_waits_are_all_there_and_each_policy_that_parks_shows_one() -> None:
    listed = section("Why a change waits")
    parked = {work(example).parked for example in EXAMPLES} - {None}

    assert parked == {
        policies.BASE_UNKNOWN,
        policies.OUT_OF_BOUNDS,
        policies.OVERLAPPING_EDITS,
        policies.NO_COMMON_STATE,
        policies.SET_ONCE,
        policies.LOCKED,
        policies.NEEDS_REVIEW,
    }
    assert all(f"| `{reason}` |" in listed for reason in parked)


def test_a_policy_that_decides_otherwise_changes_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "decide", lambda self, base, ours, theirs, sides: Decision(theirs))

    assert drift() == ["MERGE.md"]


@pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
def test_every_field_and_every_move_is_there(entity: Entity) -> None:
    said = section(entity.title)

    for field in entity.fields:
        assert f"| `{field.name}` | `{policies_of(entity)[field.name].name}` |" in said
    for machine in entity.machines.values():
        for state, following in machine.moves.items():
            assert f"| {state} | {', '.join(following) or 'nothing'} |" in said


def test_a_changed_declaration_changes_the_document() -> None:
    lot = BY_NAME["availability"]
    fields = tuple(dataclasses.replace(f, change=NEWEST) if f.name == "delivery_terms" else f for f in lot.fields)
    changed = dataclasses.replace(lot, deletion=Deletion.LOSES, stale_days=None, fields=fields)

    said = text([changed])
    assert "| Availability | the edit counts, and the record stays | is merged, however late |" in said
    assert "| `delivery_terms` | `newest` |" in section("Availability", said)
    assert "| `bales_sold` | `tally` | at least 0, at most `bales_offered` |" in section("Availability", said)


def test_an_example_without_a_clash_has_nothing_to_tell() -> None:
    worked = work(Example("availability", "delivery_terms", "ex gin", "ex gin", "ex mill"))

    assert (worked.kept, worked.parked, worked.sentence) == ("ex mill", None, "")
