"""Links to bytes: for a few minutes, for who may see the attachment, to a file that no browser runs.

Planted at the end: a link that is followed without a look at its session.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from sync_server.identity.links import Link
from sync_server.store.actor import Actor
from sync_server.web import downloads, keys
from tests.harness.attaching import PDF, Sender, declare, follow, picture
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import House

PHOTO = picture(noise=40)


@pytest.fixture
async def photo(clerk: Clerk, house: House) -> Sender:
    sender = await declare(clerk, PHOTO)
    assert (await sender.send()).status == 204
    return sender


async def link_to(sender: Sender) -> str:
    made = await sender.clerk.ask("POST", f"/attachments/{sender.id}/link")
    assert made.status == 200
    return str(made.json["url"])


# --- What comes ---------------------------------------------------------------------------------------------------------


async def test_link_gives_the_picture_without_what_the_camera_wrote(photo: Sender) -> None:
    status, data, headers = await photo.fetch()
    assert status == 200
    assert b"ACME" in PHOTO
    assert b"ACME" not in data
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.size, dict(opened.getexif())) == ((900, 1500), {})
    record = await photo.record()
    assert (record["exif_latitude"], record["exif_longitude"]) == (22.303472, 70.783611)
    assert record["exif_camera"] == "ACME Field 7"
    assert headers["Content-Length"] == str(len(data))


async def test_no_browser_shows_or_runs_what_comes(photo: Sender) -> None:
    _, _, headers = await photo.fetch()
    assert headers["Content-Disposition"] == 'attachment; filename="a1.jpg"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Cache-Control"].startswith("private, max-age=")


@pytest.mark.parametrize("pixels", [256, 1024])
async def test_thumbnail_comes_by_its_size(photo: Sender, pixels: int) -> None:
    status, data, headers = await photo.fetch(pixels)
    assert (status, headers["Content-Disposition"]) == (200, f'attachment; filename="a1-{pixels}.jpg"')
    with Image.open(io.BytesIO(data)) as opened:
        assert max(opened.size) == pixels


async def test_other_sizes_and_pictures_of_papers_are_not_there(photo: Sender) -> None:
    assert (await photo.clerk.ask("POST", "/attachments/a1/link?pixels=300")).status == 400
    paper = await declare(photo.clerk, PDF, "application/pdf", id="a2")
    assert (await paper.send()).status == 204
    assert (await photo.clerk.ask("POST", "/attachments/a2/link?pixels=256")).status == 404
    status, data, headers = await paper.fetch()
    assert (status, data, headers["Content-Type"]) == (200, PDF, "application/pdf")


@pytest.mark.parametrize(
    ("asked", "begin", "end"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
async def test_part_of_a_file_comes_by_its_range(photo: Sender, asked: str, begin: int, end: int | None) -> None:
    _, whole, headers = await photo.fetch()
    status, part, told = await photo.fetch(Range=asked, If_Range=headers["ETag"])
    assert (status, part) == (206, whole[begin:end])
    start = begin % len(whole)
    assert told["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{len(whole)}"


async def test_range_that_is_not_there_is_told_and_one_of_another_file_is_not_taken(photo: Sender) -> None:
    _, whole, headers = await photo.fetch()
    assert (await photo.fetch(Range=f"bytes={len(whole)}-"))[0] == 416
    assert (await photo.fetch(Range="bytes=0-9", If_Range='"other"'))[:2] == (200, whole)
    assert (await photo.fetch(Range="lines=0-9"))[:2] == (200, whole)
    assert (await photo.fetch(If_None_Match=headers["ETag"]))[0] == 304


async def test_digest_that_is_kept_is_of_what_is_handed_out(photo: Sender, house: House) -> None:
    _, whole, _ = await photo.fetch()
    assert await house.one("SELECT digest FROM blob") == hashlib.sha256(whole).digest()


# --- Who may ------------------------------------------------------------------------------------------------------------


async def test_link_is_for_who_sees_the_attachment(photo: Sender, server: Server, house: House, tmp_path: Path) -> None:
    other = await House.found(house.database, tmp_path, "org_b", "agent1")
    stranger = await at_desk(server, other, "agent1", "s-of-b")
    assert (await stranger.ask("POST", "/attachments/a1/link")).status == 404
    assert (await photo.clerk.ask("POST", "/attachments/a9/link")).status == 404


async def test_link_before_the_bytes_are_there_is_to_nothing(clerk: Clerk, house: House) -> None:
    await declare(clerk, PHOTO)
    assert (await clerk.ask("POST", "/attachments/a1/link")).status == 404


async def test_link_that_is_over_or_forged_opens_nothing(photo: Sender, server: Server) -> None:
    assert server.app is not None
    links, actor = server.app[downloads.LINKS], photo.clerk.actor
    over = links.write(Link(actor.org_id, actor.user_id, actor.session_id, "a1", 0, 1))
    assert (await follow(photo.clerk, f"{downloads.PATH}?token={over}"))[0] == 410

    url = await link_to(photo)
    for wrong in (url[:-4] + "AAAA", url.replace("token=", "token=A"), downloads.PATH, f"{downloads.PATH}?token="):
        assert (await follow(photo.clerk, wrong))[0] == 403


async def test_link_ends_with_the_session_that_asked_for_it(photo: Sender) -> None:
    url = await link_to(photo)
    assert (await follow(photo.clerk, url))[0] == 200
    assert (await photo.clerk.ask("POST", "/auth/logout")).status == 204
    assert (await follow(photo.clerk, url))[0] == 403


async def test_link_to_what_was_deleted_opens_nothing(photo: Sender) -> None:
    url = await link_to(photo)
    assert (await photo.clerk.ask("DELETE", "/attachments/a1")).status == 204
    assert (await follow(photo.clerk, url))[0] == 404


async def test_link_is_in_no_log(photo: Sender, lines: io.StringIO) -> None:
    url = await link_to(photo)
    await follow(photo.clerk, url)
    token = url.partition("token=")[2]
    assert downloads.PATH in lines.getvalue()
    assert token not in lines.getvalue()
    assert token.partition(".")[2] not in lines.getvalue()


async def test_link_may_begin_with_a_host_of_its_own(database_url: str, tmp_path: Path, photo: Sender) -> None:
    async with serve_here(database_url, tmp_path, attachment_host="https://files.example.com") as server:
        asker = Clerk(server, photo.clerk.actor, photo.clerk.headers)
        made = await asker.ask("POST", "/attachments/a1/link")
        link = urlsplit(made.json["url"])
        assert link.netloc == "files.example.com"
        _, _, headers = await follow(asker, f"{link.path}?{link.query}")
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        async with server.session.get("/console") as page:
            assert "img-src 'self' https://files.example.com;" in page.headers["Content-Security-Policy"]
    _, _, headers = await photo.fetch()
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


# --- Planted ------------------------------------------------------------------------------------------------------------


async def test_a_session_that_is_not_looked_at_would_be_noticed(
    photo: Sender, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def alive(_watch: Any, actor: Actor) -> Actor:
        return actor

    assert server.app is not None
    url = await link_to(photo)
    await photo.clerk.ask("POST", "/auth/logout")
    monkeypatch.setattr(type(server.app[keys.SESSIONS]), "live", alive)
    assert (await follow(photo.clerk, url))[0] == 200
