"""Reading the desk: a page of a read model, as far as the asker may see what it is worked out of.

Owns: in which branches somebody reads which model.
Must not know: HTTP, JSON, SQL, what a line comes to.
Invariant: a line is given only to who, in its branch, sees every entity and every field that it tells of: adding up hides
nothing (tests/integration/test_desk.py). What is held of an agent's or a partner's documents is no branch's desk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from erp_core.access import admits
from erp_core.catalogue import BY_NAME
from erp_core.desk import SHOWS
from erp_core.scopes import ANY_BRANCH
from sync_server.engine.entitlements import Entitlements, hidden_fields, mask_of
from sync_server.engine.gate import require
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import desk as store
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.desk import AsOf

READ: Final = "desk.read"


@dataclass(frozen=True, slots=True)
class Page:
    """Lines by key, in its order; `following`: the key after which the next page begins, None: this is the last."""

    lines: Mapping[str, Mapping[str, Any]]
    following: str | None
    as_of: AsOf


async def read_page(
    database: Database, standings: Standings, actor: Actor, name: str, asked: Mapping[str, str], after: str, limit: int
) -> Page:
    """Read a page of a read model. `asked`: value by filter. Raises `gate.NotEntitled`.

    Cost: a snapshot of three statements, two more if the asker's standing is not remembered.
    """
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, READ)
        branches = branches_of(entitled, name)
        found = await store.read_page(connection, actor.org_id, name, asked, branches, after, limit + 1)
        as_of = await store.read_as_of(connection, actor.org_id)
    keys = list(found)[:limit]
    return Page({key: found[key] for key in keys}, keys[-1] if len(found) > limit else None, as_of)


def branches_of(entitled: Entitlements, name: str) -> Sequence[str] | None:
    """Name the branches whose lines of a read model somebody reads; None: all of them."""
    if _sees(name, entitled.codes((ANY_BRANCH,))):
        return None
    prefix = f"{ANY_BRANCH}:"
    held = (scope for scope in entitled.holds if scope.startswith(prefix))
    return sorted(s.removeprefix(prefix) for s in held if _sees(name, entitled.codes((ANY_BRANCH, s))))


def _sees(name: str, codes: frozenset[str]) -> bool:
    return admits((READ,), codes) and all(
        (mask := mask_of(BY_NAME[entity], codes)) and not hidden_fields(BY_NAME[entity], mask) & set(fields)
        for entity, fields in SHOWS[name].items()
    )
