"""The attachment: a photo or a paper that shows what a record says, declared before its bytes are sent.

Owns: its declaration and its rules, and which types of file there are.
Must not know: where bytes are kept, how they are sent.
Invariant: what was declared of the bytes never changes, and only the server says that they came and match
(tests/unit/test_attachment_rules.py, tests/integration/test_uploads.py).

Whose it is: one field per kind of owner, of which one is filled. A pair (entity, id) could not carry its owner's labels: the
triggers follow references, and a reference has one table. Owners are those records that everybody who may read attachments may
read, too; see docs/decisions/0015-attachments.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from erp_core.access import Access
from erp_core.language import DERIVED, ONCE, Entity, Field, Urgency, Violation, World
from erp_core.rules import in_pairs, when_touched
from erp_core.scopes import Follows
from erp_core.values import Choice, Instant, Integer, Reference, Row, Text
from erp_core.vocabulary import LATITUDE, LONGITUDE

KINDS: Final = ("photo", "document", "slip", "report", "other")

MEDIA_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "application/pdf")
"""What phones make and the office scans. Nothing that a browser would run, and nothing that only one maker can open."""

BYTES_MAX: Final = 2**28
"""256 MiB: no server takes more, whatever its settings are."""

DECLARED, RECEIVED, VERIFIED = STATES = ("declared", "received", "verified")
"""It is said to exist; its bytes are here; they are what was declared. They go forward, or back to the first."""

FAILURES: Final = ("wrong_hash", "wrong_type", "unreadable", "too_many_pixels")
"""Why bytes that came were thrown away."""

HOUSE: Final = ("desk.read", "quality.write", "dispatch.write")
MAKERS: Final = ("desk.write", "quality.write", "dispatch.write", "partner.update")

OWNERS: Final = ("partner_id", "availability_id", "trade_id", "inspection_id", "weighment_id", "dispatch_id")


@when_touched(*OWNERS)
def _of_one_record(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    named = sum(after[name] is not None for name in OWNERS)
    if named == 0:
        yield Violation("of_nothing", "Say which record this belongs to.", OWNERS)
    if named > 1:
        yield Violation("of_several", "Name one record only; attach it a second time for another one.", OWNERS)


def _evidence_stays(row: Row, world: World) -> Iterator[Violation]:
    """What a submitted inspection was graded from is kept: who disputes it wants to see it."""
    inspection = world.get("quality_inspection", row["inspection_id"])
    if inspection is not None and inspection["state"] != "draft":
        yield Violation(
            "evidence_stays", f"The inspection is {inspection['state']}; what it was graded from is kept.", ("state",)
        )


ATTACHMENT = Entity(
    name="attachment",
    table="attachments",
    title="Attachment",
    since=4,
    access=Access(read=(*HOUSE, "external.document"), create=MAKERS, update=MAKERS, delete=MAKERS),
    urgency=Urgency.WORK,
    labels=(
        Follows("partner_id", "business_partner"),
        Follows("availability_id", "availability"),
        Follows("trade_id", "trade"),
        Follows("inspection_id", "quality_inspection"),
        Follows("weighment_id", "weighment"),
        Follows("dispatch_id", "dispatch"),
    ),
    parent="inspection_id",
    rules=(_of_one_record, in_pairs("latitude", "longitude")),
    delete_rules=(_evidence_stays,),
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE),
        Field("availability_id", Reference("availability"), ONCE),
        Field("trade_id", Reference("trade"), ONCE),
        Field("inspection_id", Reference("quality_inspection"), ONCE),
        Field("weighment_id", Reference("weighment"), ONCE),
        Field("dispatch_id", Reference("dispatch"), ONCE),
        Field("kind", Choice(KINDS), required=True, default="photo"),
        Field("sha256", Text(64, re.compile("[0-9a-f]{64}"), "5a" * 32), ONCE, required=True, help="of all bytes"),
        Field("size_bytes", Integer(1, BYTES_MAX), ONCE, required=True),
        Field("media_type", Choice(MEDIA_TYPES), ONCE, required=True),
        Field("captured_at", Instant(), ONCE),
        Field("latitude", LATITUDE, ONCE, personal="created_by", help="where it was taken, by the phone"),
        Field("longitude", LONGITUDE, ONCE, personal="created_by", help="where it was taken, by the phone"),
        Field("state", Choice(STATES), DERIVED, required=True, default=DECLARED),
        Field("failure", Choice(FAILURES), DERIVED, help="why the bytes that came last were thrown away"),
        Field("width", Integer(1), DERIVED, help="in pixels"),
        Field("height", Integer(1), DERIVED, help="in pixels"),
        # What the camera had written into the file; the file that is handed out has none of it.
        Field("exif_taken_at", Instant(), DERIVED, read=HOUSE),
        Field("exif_latitude", LATITUDE, DERIVED, read=HOUSE, personal="created_by"),
        Field("exif_longitude", LONGITUDE, DERIVED, read=HOUSE, personal="created_by"),
        Field("exif_camera", Text(120), DERIVED, read=HOUSE, personal="created_by"),
    ),
)
