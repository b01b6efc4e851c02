"""What an attachment may not be, and what an inspection waits for."""

from __future__ import annotations

import pytest

from erp_core.catalogue import BY_NAME
from erp_core.entities.attachment import ATTACHMENT, HOUSE, OWNERS
from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


def test_attachment_belongs_to_one_record(house: House) -> None:
    assert house.judge_new("attachment", "photo") == []
    assert house.judge_new("attachment", "photo", inspection_id=None) == ["of_nothing"]
    assert house.judge_new("attachment", "photo", dispatch_id="lorry") == ["of_several"]


@pytest.mark.parametrize("owner", OWNERS)
def test_every_kind_of_owner_will_do(house: House, owner: str) -> None:
    assert house.judge_new("attachment", "photo", **{"inspection_id": None, owner: "some"}) == []


def test_place_is_a_pair(house: House) -> None:
    assert house.judge_new("attachment", "photo", latitude=22) == ["incomplete"]


def test_what_the_server_finds_out_no_client_says() -> None:
    said = {field.name for field in ATTACHMENT.fields if not field.derived}

    assert said == {*OWNERS, "kind", "sha256", "size_bytes", "media_type", "captured_at", "latitude", "longitude"}
    assert all(ATTACHMENT.by_name[name].change.kind.value == "once" for name in said - {"kind"})


def test_owners_are_read_by_all_of_the_house_who_read_attachments() -> None:
    """A grader has no partner.read in its own right, and a lorry's pictures go where its slips go."""
    for name in OWNERS:
        target = next(target for field, target in ATTACHMENT.references if field.name == name)
        readers = set(BY_NAME[target].access.read)
        assert "partner.read" in readers or set(HOUSE) - {"quality.write"} <= readers, target


# --- What an inspection waits for -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["declared", "received"])
def test_inspection_is_not_accepted_before_its_evidence_is_there(house: House, state: str) -> None:
    house.put("quality_inspection", "grading", state="submitted")
    house.put("attachment", "photo", state=state)

    assert house.codes("quality_inspection", "grading", state="accepted") == ["evidence_missing"]


def test_inspection_is_accepted_once_all_is_verified(house: House) -> None:
    house.put("quality_inspection", "grading", state="submitted")
    house.put("attachment", "photo", state="verified")

    assert house.codes("quality_inspection", "grading", state="accepted") == []


def test_other_steps_of_an_inspection_wait_for_nothing(house: House) -> None:
    assert house.codes("quality_inspection", "grading", state="submitted") == []
    assert house.codes("quality_inspection", "grading", state="disputed") == []


def test_what_a_submitted_inspection_was_graded_from_is_kept(house: House) -> None:
    assert house.deletion("attachment", "photo") == []

    house.put("quality_inspection", "grading", state="submitted")
    assert house.deletion("attachment", "photo") == ["evidence_stays"]
