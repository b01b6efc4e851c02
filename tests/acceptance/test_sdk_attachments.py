"""Photos attached on a phone: by themselves, and with a real server behind a connection that is cut and an app that is killed.

mobile/sdk/test/unit and mobile/sdk/test/server/attachments.test.ts say what is shown.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.acceptance.test_watermelondb import let_agents_do_everything, run_node
from tests.harness.attaching import PDF
from tests.harness.servers import Server

PHOTOS = 3
SIZE = (500, 300)


@pytest.mark.parametrize("what", ["attachments", "filebytes", "sha256", "tus"])
async def test_the_uploads_of_the_sdk_keep_their_promises(what: str) -> None:
    await run_node(f"dist/test/unit/{what}.test.js")


async def test_photos_of_a_phone_arrive_whatever_is_cut_or_killed(
    demo_url: str, demo_server: Server, tmp_path: Path, seed: int
) -> None:
    await let_agents_do_everything(demo_url)
    files = tmp_path / "files"
    files.mkdir()
    for number in range(PHOTOS):
        noise = Image.merge("RGB", [Image.effect_noise(SIZE, 90) for _ in range(3)])
        noise.save(files / f"photo{number}.png")  # half a megabyte of what cannot be compressed
    (files / "slip.pdf").write_bytes(PDF)

    environment = {"COTTON_TEST_URL": demo_server.url, "COTTON_TEST_SEED": str(seed), "COTTON_TEST_FILES": str(files)}
    await run_node("dist/test/server/attachments.test.js", **environment)

    bearer = await demo_server.bearer("agent1")
    sent = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files.iterdir()}
    async with demo_server.session.get("/api/v1/attachments", headers=bearer) as answer:
        listed = (await answer.json())["records"]
    assert {(one["sha256"], one["state"]) for one in listed} == {(digest, "verified") for digest in sent}
    assert len(listed) == len(sent), "no file was attached twice"
    for one in listed:
        _assert_same(await _handed_out(demo_server, one["id"], bearer), sent[one["sha256"]])


async def _handed_out(server: Server, id: str, bearer: dict[str, Any]) -> bytes:
    async with server.session.post(f"/api/v1/attachments/{id}/link", headers=bearer) as answer:
        url = (await answer.json())["url"]
    async with server.session.get(url) as answer:
        assert answer.status == 200
        return await answer.read()


def _assert_same(handed_out: bytes, path: Path) -> None:
    """A PDF is handed out as it came; a picture is written anew, of the same pixels."""
    if path.suffix == ".pdf":
        assert handed_out == path.read_bytes()
        return
    with Image.open(BytesIO(handed_out)) as shown, Image.open(path) as taken:
        assert (shown.size, shown.tobytes()) == (taken.size, taken.tobytes())
