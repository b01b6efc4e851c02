"""What nobody needs goes, and nothing else: parts of uploads that ended, files of attachments that are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.engine.reclaiming import reclaim
from sync_server.store.blobs import StoreFailed
from sync_server.web.uploads import ARRIVALS
from tests.harness.attaching import declare, picture
from tests.harness.office import Clerk
from tests.harness.servers import Server
from tests.harness.world import House

PHOTO = picture()


def stored(folder: Path) -> dict[str, int]:
    """Count the files below `parts` and `files`."""
    return {kind: sum(path.is_file() for path in (folder / kind).rglob("*")) for kind in ("parts", "files")}


@pytest.fixture
def folder(server: Server) -> Path:
    return server.settings.data / "attachments"


async def a_round(server: Server, house: House) -> int:
    """Do a round as if some time had passed since uploads ended."""
    assert server.app is not None
    await house.run("UPDATE upload SET ended_at = now() - interval '1 hour' WHERE ended_at IS NOT NULL")
    return await reclaim(server.app[ARRIVALS])


async def test_parts_go_when_the_whole_is_kept(clerk: Clerk, server: Server, house: House, folder: Path) -> None:
    sender = await declare(clerk, PHOTO)
    await sender.begin()
    await sender.part(0, 1000)
    assert stored(folder) == {"parts": 1, "files": 0}
    await sender.part(1000)
    assert stored(folder) == {"parts": 0, "files": 3}

    await a_round(server, house)
    assert await house.one("SELECT count(*) FROM upload") == 0
    assert stored(folder) == {"parts": 0, "files": 3}
    assert (await sender.fetch())[0] == 200


async def test_unfinished_upload_is_reclaimed_once_it_has_expired(
    clerk: Clerk, server: Server, house: House, folder: Path
) -> None:
    sender = await declare(clerk, PHOTO)
    await sender.begin()
    await sender.part(0, 1000)
    assert await a_round(server, house) == 0
    assert stored(folder)["parts"] == 1

    await house.run("UPDATE upload SET expires_at = now() - interval '1 second'")
    await a_round(server, house)
    await a_round(server, house)
    assert stored(folder)["parts"] == 0
    assert await house.one("SELECT count(*) FROM upload") + await house.one("SELECT count(*) FROM upload_part") == 0


async def test_bytes_that_were_refused_go(clerk: Clerk, server: Server, house: House, folder: Path) -> None:
    sender = await declare(clerk, PHOTO)
    sender.data = PHOTO[:-1] + b"\0"
    assert (await sender.send()).status == 422
    await a_round(server, house)
    assert stored(folder) == {"parts": 0, "files": 0}


async def test_file_of_a_deleted_attachment_goes(clerk: Clerk, server: Server, house: House, folder: Path) -> None:
    kept, gone = await declare(clerk, PHOTO), await declare(clerk, PHOTO, id="a2")
    await kept.send()
    await gone.send()
    assert (await clerk.ask("DELETE", "/attachments/a2")).status == 204
    await a_round(server, house)

    assert stored(folder)["files"] == 3
    assert await house.one("SELECT attachment_id FROM blob") == "a1"
    assert (await kept.fetch())[0] == 200


async def test_round_that_fails_is_made_good_by_the_next(
    clerk: Clerk, server: Server, house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_below: str) -> int:
        raise StoreFailed

    assert server.app is not None
    sender = await declare(clerk, PHOTO)
    await sender.begin()
    await sender.part(0, 1000)
    await sender.ask("DELETE")
    with monkeypatch.context() as patch:
        patch.setattr(server.app[ARRIVALS].blobs, "remove", away)
        with pytest.raises(StoreFailed):
            await a_round(server, house)
    assert await house.one("SELECT count(*) FROM upload") == 1
    await a_round(server, house)
    assert stored(folder)["parts"] == await house.one("SELECT count(*) FROM upload") == 0
