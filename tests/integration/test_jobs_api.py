"""Jobs over HTTP: an organisation sees its own, and asks for its dead ones again."""

from __future__ import annotations

from sync_server.store import jobs as store
from sync_server.store.database import Connection
from sync_server.store.unit_of_work import unit_of_work
from tests.harness.office import Clerk
from tests.harness.world import House

DEAD = """
INSERT INTO dead_job (org_id, id, kind, body, attempts, error, asked_at) VALUES
  ('org_a', 7, 'unheard_of', '{"a": 1}', 5, 'OSError: no', now()), ('org_b', 8, 'unheard_of', '{}', 5, 'OSError: no', now()),
  ('', 9, 'unheard_of', '{}', 5, 'OSError: no', now())
"""


async def test_jobs_of_the_organisation_are_listed_and_no_others(clerk: Clerk, house: House) -> None:
    async def ask(connection: Connection) -> int | None:
        return await store.ask(connection, "unheard_of")

    await unit_of_work(house.database, "org_b", ask)
    id = await unit_of_work(house.database, "org_a", ask)

    answer = await clerk.ask("GET", "/jobs")

    assert answer.status == 200
    listed = [one for one in answer.json["jobs"] if one["kind"] == "unheard_of"]
    assert [(one["id"], one["state"], one["failures"]) for one in listed] == [(id, "waiting", 0)]
    assert listed[0]["due_at"] >= listed[0]["asked_at"] > 1_700_000_000_000


async def test_what_failed_for_good_is_listed_and_asked_for_again_once(clerk: Clerk, house: House) -> None:
    await house.run(DEAD)
    answer = await clerk.ask("GET", "/jobs/dead")
    assert [(one["id"], one["failures"], one["error"]) for one in answer.json["jobs"]] == [(7, 5, "OSError: no")]

    assert (await clerk.ask("POST", "/jobs/dead/7/retry", {})).status == 204

    for id in ("7", "8", "9", "nonsense", "9" * 40):
        assert (await clerk.ask("POST", f"/jobs/dead/{id}/retry", {})).status == 404
    assert (await clerk.ask("GET", "/jobs/dead")).json == {"jobs": []}
    assert (
        await house.one(
            "SELECT convert_from(payload, 'UTF8')::json #>> '{body,a}' FROM pgqueuer WHERE entrypoint = 'unheard_of'"
        )
        == "1"
    )
