"""Uploads by tus 1.0.0: what arrived is not sent again, what is damaged or not as declared is not kept.

Planted at the end: a server that counts a part wherever it begins, and one that does not compare the hash.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError

from sync_server.engine import pictures
from sync_server.engine.attaching import OffsetMoved
from sync_server.store import attachments as store
from sync_server.web.uploads import ATTACHING
from tests.harness.attaching import PDF, Sender, breaking, declare, picture
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import House

PHOTO = picture()
CHANGED = PHOTO.replace(b"the seller", b"The seller")
"""Another file that opens, as long as the first."""


def digest(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


async def a_photo(clerk: Clerk, **values: Any) -> Sender:
    return await declare(clerk, PHOTO, **values)


# --- The protocol -------------------------------------------------------------------------------------------------------


async def test_photo_arrives_in_parts(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    begun = await sender.begin()
    assert (begun.status, begun.headers["Location"]) == (201, sender.path)
    assert begun.headers["Upload-Offset"] == "0"
    assert begun.headers["Upload-Expires"].endswith(" GMT")

    first = await sender.part(0, 1000)
    assert (first.status, first.headers["Upload-Offset"]) == (204, "1000")
    assert (await sender.record())["state"] == "declared"
    last = await sender.part(1000)

    assert (last.status, last.headers["Upload-Offset"]) == (204, str(len(PHOTO)))
    assert "Upload-Expires" not in last.headers
    record = await sender.record()
    assert (record["state"], record["failure"]) == ("verified", None)
    assert (record["width"], record["height"]) == (900, 1500)


async def test_every_answer_says_which_version_is_spoken(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    options = await sender.ask("OPTIONS", Tus_Resumable=None)
    assert (options.status, options.headers["Tus-Version"]) == (204, "1.0.0")
    assert options.headers["Tus-Extension"] == "creation,expiration,checksum,termination"
    assert options.headers["Tus-Max-Size"] == str(25 * 2**20)
    assert "sha1" in options.headers["Tus-Checksum-Algorithm"]

    await sender.begin()
    for answer in (
        await sender.ask("HEAD"),
        await sender.part(5),
        await sender.part(0, 10),
        await sender.ask("DELETE"),
    ):
        assert answer.headers["Tus-Resumable"] == "1.0.0"


async def test_head_says_how_far_it_is_and_is_not_kept_by_caches(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    await sender.part(0, 77)
    head = await sender.ask("HEAD")

    assert (head.status, head.headers["Upload-Offset"], head.headers["Upload-Length"]) == (200, "77", str(len(PHOTO)))
    assert head.headers["Cache-Control"] == "no-store"
    assert (await sender.ask("GET")).json["received"] == 77


@pytest.mark.parametrize("version", [None, "0.2.2"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
async def test_other_versions_are_not_spoken(clerk: Clerk, house: House, method: str, version: str | None) -> None:
    sender = await a_photo(clerk)
    answer = await sender.ask(method, Tus_Resumable=version)
    assert (answer.status, answer.headers["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize("begins", [0, 999, 1001])
async def test_part_that_begins_elsewhere_is_refused(clerk: Clerk, house: House, begins: int) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    await sender.part(0, 1000)

    refused = await sender.part(begins, begins + 10)
    assert (refused.status, refused.json["code"]) == (409, "offset_conflict")
    assert await sender.offset() == 1000


async def test_of_two_that_send_the_same_part_at_once_one_counts(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    answers = await asyncio.gather(*(sender.part(0, 2000) for _ in range(5)))

    assert sorted(answer.status for answer in answers) == [204, 409, 409, 409, 409]
    assert await sender.offset() == 2000
    assert (await sender.part(2000)).status == 204
    assert (await sender.record())["state"] == "verified"


async def test_of_two_parts_that_were_begun_at_once_the_later_one_does_not_count(clerk: Clerk, house: House) -> None:
    assert clerk.server.app is not None
    sender = await a_photo(clerk)
    await sender.begin()
    attaching = clerk.server.app[ATTACHING]
    seen = await attaching.find(clerk.actor, "a1")
    await attaching.add(clerk.actor, seen, 0, PHOTO[:1000])
    with pytest.raises(OffsetMoved):
        await attaching.add(clerk.actor, seen, 0, PHOTO[:1000])
    assert await sender.offset() == 1000


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_damaged_part_is_not_kept(clerk: Clerk, house: House, algorithm: str) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    damaged = await sender.part(0, 1000, body=b"\0" * 1000, Upload_Checksum=digest(PHOTO[:1000], algorithm))
    assert (damaged.status, damaged.json["code"]) == (460, "checksum_mismatch")
    assert await sender.offset() == 0

    assert (await sender.part(0, 1000, Upload_Checksum=digest(PHOTO[:1000], algorithm))).status == 204
    assert await sender.offset() == 1000


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Upload_Checksum": "crc32 AAAA"}, "bad_upload_header"),
        ({"Upload_Checksum": "sha1 ???"}, "bad_upload_header"),
        ({"Upload_Offset": "-1"}, "bad_upload_header"),
        ({"Upload_Offset": None}, "bad_upload_header"),
        ({"Content_Type": "application/octet-stream"}, "unsupported_media_type"),
        ({"Content_Encoding": "gzip"}, "unsupported_coding"),
    ],
)
async def test_part_with_a_wrong_header_is_refused(
    clerk: Clerk, house: House, headers: dict[str, Any], code: str
) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    assert (await sender.part(0, 10, **headers)).json["code"] == code
    assert await sender.offset() == 0


async def test_upload_that_was_given_up_is_gone(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    assert (await sender.ask("DELETE")).status == 410
    await sender.begin()
    await sender.part(0, 1000)
    assert (await sender.ask("DELETE")).status == 204

    for answer in (await sender.ask("HEAD"), await sender.part(1000), await sender.ask("DELETE")):
        assert answer.status == 410
    assert (await sender.send()).status == 204, "it can be begun anew"


async def test_upload_that_waited_too_long_is_gone(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    await sender.part(0, 1000)
    await house.run("UPDATE upload SET expires_at = now() - interval '1 second'")

    assert (await sender.ask("HEAD")).status == 410
    assert (await sender.part(1000)).status == 410
    assert (await sender.begin()).headers["Upload-Offset"] == "0"


async def test_method_may_stand_in_a_header(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    part = {"X_HTTP_Method_Override": "PATCH", "Upload_Offset": 0, "Content_Type": "application/offset+octet-stream"}
    assert (await sender.ask("POST", PHOTO[:1000], **part)).status == 204
    assert (await sender.ask("POST", X_HTTP_Method_Override="HEAD")).headers["Upload-Offset"] == "1000"
    assert (await sender.ask("POST", X_HTTP_Method_Override="DELETE")).status == 204


# --- Kept where it stood ------------------------------------------------------------------------------------------------


async def test_what_came_before_the_connection_broke_is_not_sent_again(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    with pytest.raises((ClientError, ConnectionResetError)):
        await sender.part(0, body=breaking(PHOTO[:5000]))

    async with asyncio.timeout(10):
        while (there := await sender.offset()) == 0:
            await asyncio.sleep(0.02)
    assert there == 5000
    assert (await sender.part(there)).status == 204
    assert (await sender.record())["state"] == "verified"


async def test_begun_again_it_goes_on_where_it_was(clerk: Clerk, house: House) -> None:
    """A phone that was killed may not even know that it had begun."""
    sender = await a_photo(clerk)
    await sender.begin()
    await sender.part(0, 1000)
    again = await sender.begin()
    assert (again.status, again.headers["Upload-Offset"]) == (201, "1000")


async def test_what_is_there_needs_no_bytes(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.send()
    assert await sender.offset() == len(PHOTO)
    assert (await sender.begin()).json["code"] == "already_uploaded"


async def test_server_that_was_killed_between_parts_goes_on(
    database_url: str, tmp_path: Path, house: House, clerk: Clerk
) -> None:
    """Another process over the same database and folder has what the first one acknowledged."""
    sender = await a_photo(clerk)
    await sender.begin()
    await sender.part(0, 4000)
    async with serve_here(database_url, tmp_path) as other:
        there = Sender(Clerk(other, clerk.actor, clerk.headers), "a1", PHOTO)
        assert await there.offset() == 4000
        assert (await there.part(4000)).status == 204
    assert (await sender.record())["state"] == "verified"


# --- Not as declared ----------------------------------------------------------------------------------------------------


async def refused(sender: Sender) -> str:
    """Send it; give why it was refused, once nothing of it is left."""
    answer = await sender.send()
    assert (answer.status, answer.json["code"]) == (422, "bytes_refused")
    record = await sender.record()
    assert (record["state"], record["failure"]) == ("declared", answer.json["failure"])
    assert (await sender.ask("HEAD")).status == 410
    assert (await sender.clerk.ask("POST", f"/attachments/{sender.id}/link")).status == 404
    return str(record["failure"])


async def test_other_bytes_than_were_declared_are_thrown_away(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    sender.data = CHANGED
    assert await refused(sender) == "wrong_hash"

    sender.data = PHOTO
    assert (await sender.send()).status == 204
    assert (await sender.record())["failure"] is None


@pytest.mark.parametrize(
    ("data", "said", "failure"),
    [
        (picture(form="PNG"), "image/jpeg", "wrong_type"),
        (PHOTO, "application/pdf", "wrong_type"),
        (b"<html><script>alert(1)</script></html>", "image/png", "wrong_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", "wrong_type"),
        (b"<script>alert(1)</script>" + PDF, "application/pdf", "wrong_type"),
        (PDF + b"<html><script>alert(1)</script></html>", "application/pdf", "wrong_type"),
        (PDF + b"PK\x05\x06" + b"\0" * 18, "application/pdf", "wrong_type"),
        (PHOTO[:2000], "image/jpeg", "unreadable"),
    ],
)
async def test_file_of_another_type_or_of_two_is_thrown_away(
    clerk: Clerk, house: House, data: bytes, said: str, failure: str
) -> None:
    assert await refused(await declare(clerk, data, said)) == failure


async def test_picture_that_unpacks_to_too_much_is_thrown_away(clerk: Clerk, house: House) -> None:
    bomb = picture(size=(15_000, 15_000), form="PNG", located=False)
    assert len(bomb) < 10 * 2**20
    assert await refused(await declare(clerk, bomb, "image/png")) == "too_many_pixels"


async def test_more_bytes_than_were_declared_are_not_taken(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    assert (await sender.part(0, body=PHOTO + b"more")).status == 413
    assert (await sender.ask("POST", Upload_Length=len(PHOTO) + 4)).json["code"] == "wrong_length"


# --- How much there may be ----------------------------------------------------------------------------------------------


async def test_larger_than_the_server_takes_is_refused_before_a_byte_is_sent(
    database_url: str, tmp_path: Path, house: House
) -> None:
    async with serve_here(database_url, tmp_path, attachment_max=len(PHOTO) - 1) as server:
        sender = await a_photo(await at_desk(server, house, "agent1"))
        answer = await sender.begin()
        assert (answer.status, answer.json["code"]) == (413, "attachment_too_large")


@pytest.mark.parametrize("quota", ["attachment_user_max", "attachment_org_max"])
async def test_quota_counts_what_is_kept_and_what_was_begun(
    database_url: str, tmp_path: Path, house: House, quota: str
) -> None:
    async with serve_here(database_url, tmp_path, **{quota: 3 * len(PHOTO)}) as server:
        clerk = await at_desk(server, house, "agent1")
        first, second, third = [await a_photo(clerk, id=id) for id in ("a1", "a2", "a3")]
        assert (await first.send()).status == 204
        assert (await second.begin()).status == 201
        answer = await third.begin()
        assert (answer.status, answer.json["code"]) == (413, "quota_reached")

        await second.ask("DELETE")
        assert (await third.begin()).status == 201


# --- Others' ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
async def test_bytes_of_others_attachments_are_nobodys_to_send(
    server: Server, clerk: Clerk, house: House, tmp_path: Path, method: str
) -> None:
    """A colleague who sees it is told what somebody of another organisation is: there is nothing."""
    mine = await a_photo(clerk)
    await mine.begin()
    await mine.part(0, 1000)
    colleague = await at_desk(server, house, "agent2")
    other = await House.found(house.database, tmp_path, "org_b", "agent1")
    for asker in (colleague, await at_desk(server, other, "agent1", "s-of-b")):
        theirs = Sender(asker, "a1", PHOTO)
        part = {"Upload_Offset": 1000, "Content_Type": "application/offset+octet-stream"}
        answer = await theirs.ask(method, b"x" if method == "PATCH" else None, Upload_Length=len(PHOTO), **part)
        assert answer.status in (403, 404)
    assert await mine.offset() == 1000


async def test_who_lost_the_right_sends_no_more(clerk: Clerk, house: House) -> None:
    sender = await a_photo(clerk)
    await sender.begin()
    await house.run("DELETE FROM grants WHERE user_id = 'agent1'")
    assert (await sender.part(0, 10)).status in (403, 404)


# --- Planted ------------------------------------------------------------------------------------------------------------


async def test_a_part_that_counted_wherever_it_begins_would_be_noticed(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def careless(connection: Any, org_id: str, room: str, begins: int, size: int, name: str, at: Any) -> bool:
        await connection.execute("UPDATE upload SET received = received + $1", size)
        return True

    monkeypatch.setattr(store, "add_part", careless)
    with pytest.raises(pytest.fail.Exception):
        await test_of_two_parts_that_were_begun_at_once_the_later_one_does_not_count(clerk, house)


async def test_a_hash_that_is_not_compared_would_be_noticed(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "hashlib", _Agreeing(hashlib.sha256(PHOTO).hexdigest()))
    sender = await a_photo(clerk)
    sender.data = CHANGED
    assert (await sender.send()).status != 422


class _Agreeing:
    """hashlib, to whom everything is what was declared."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def sha256(self, _data: bytes) -> _Agreeing:
        return self

    def hexdigest(self) -> str:
        return self._digest
