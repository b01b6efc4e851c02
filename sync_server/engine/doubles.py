"""Doubles: which record holds a value that no two may hold, while a batch of changes is judged.

Owns: what the database would answer with an error for the whole unit, worked out beforehand for each record.
Must not know: the rules of the trade, SQL.
Invariant: a value is held by one record of the database and the accepted drafts. What a refused draft wanted holds nothing,
and what an accepted one gives up is free, in whatever order they were sent; two that want to swap are refused, as neither can
begin (tests/unit/test_doubles.py, tests/integration/test_rules_in_push.py). So a unit meets a constraint only by losing a
race, and is then tried again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from conflict.mutation import Key
from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity, Violation
from erp_core.values import Row, Value
from sync_server.engine.draft import Draft
from sync_server.engine.world import LoadedWorld
from sync_server.store import log, rows
from sync_server.store.database import Connection


class Held(NamedTuple):
    """A value of a unique key of a table, in the order of the key's fields."""

    table: str
    names: tuple[str, ...]
    value: tuple[Value, ...]


@dataclass(slots=True)
class Doubles:
    """Who may clash with whom. `keepers`: who holds a value as the batch begins. `wanting`: the drafts that want it.

    `visible`: (who wants a value, who keeps it), where the first one's author may be told of the second.
    """

    keepers: Mapping[Held, str] = field(default_factory=dict)
    wanting: Mapping[Held, Sequence[Draft]] = field(default_factory=dict)
    drafts: Mapping[Key, Draft] = field(default_factory=dict)
    visible: frozenset[tuple[Key, Key]] = frozenset()
    contested: Mapping[Key, Sequence[Held]] = field(init=False)
    """The values of a draft that another record holds or wants: of most drafts none, so most are judged without a look."""

    def __post_init__(self) -> None:
        contested: dict[Key, list[Held]] = defaultdict(list)
        for one, together in self.wanting.items():
            keeper = self.keepers.get(one)
            for draft in together:
                if len(together) > 1 or keeper not in (None, draft.mutation.id):
                    contested[draft.mutation.key].append(one)
        self.contested = contested

    def faults(self, draft: Draft, world: LoadedWorld) -> list[Violation]:
        """Say which unique values of a draft another record holds, as the world stands. Cost: a look-up; more if contested."""
        if draft.mutation.key not in self.contested or not draft.writes:
            return []
        return [
            _fault(draft, one, self._called(draft, holder))
            for one in self.contested[draft.mutation.key]
            if (holder := self._holder(draft, one, world)) is not None
        ]

    def freed(self, drafts: Iterable[Draft]) -> bool:
        """Say whether one of `drafts` takes what another record gives up in the same unit."""
        return any(
            self.keepers.get(one, draft.mutation.id) != draft.mutation.id
            for draft in drafts
            for one in self.contested.get(draft.mutation.key, ())
        )

    def _holder(self, draft: Draft, one: Held, world: LoadedWorld) -> Key | None:
        id = draft.mutation.id
        keeper = self.keepers.get(one)
        if keeper not in (None, id) and self._keeps((one.table, str(keeper)), one, world):
            return one.table, str(keeper)
        for other in self.wanting.get(one, ()):
            if other is not draft and _holds(world.get(other.entity.name, other.mutation.id), one):
                return other.mutation.key
        return None

    def _keeps(self, key: Key, one: Held, world: LoadedWorld) -> bool:
        """Say whether a record still holds what it held: only a draft that read it can have given it up."""
        giving = self.drafts.get(key)
        if giving is None or not _holds(giving.before, one) or not world.knows(key):
            return True
        return _holds(world.get(giving.entity.name, key[1]), one)

    def _called(self, draft: Draft, holder: Key) -> str:
        """Name the holder to a draft's author; one that the author cannot see stays nameless."""
        other = self.drafts.get(holder)
        own = other is not None and other.origin.actor == draft.origin.actor and other.before is None
        return f" ({holder[1]})" if own or (draft.mutation.key, holder) in self.visible else ""


def _fault(draft: Draft, one: Held, called: str) -> Violation:
    title, names = draft.entity.title.lower(), " and ".join(one.names)
    return Violation("duplicate", f"Another {title}{called} already has this {names}.", one.names)


def _wanted(draft: Draft) -> Iterable[Held]:
    """Give what a draft that writes would hold; a value of which a part is empty never clashes."""
    after = draft.after
    if after is None or not draft.entity.unique_keys or not draft.writes:
        return
    for names in draft.entity.unique_keys:
        value = tuple(after[name] for name in names)
        if None not in value:
            yield Held(draft.entity.table, names, value)


def _holds(row: Row | None, one: Held) -> bool:
    return row is not None and tuple(row[name] for name in one.names) == one.value


async def find_doubles(connection: Connection, org_id: str, drafts: Sequence[Draft]) -> Doubles:
    """Find out who holds what `drafts` want. Cost: a statement per unique key touched, and one if something is held."""
    wanting: dict[Held, list[Draft]] = defaultdict(list)
    for draft in drafts:
        for one in _wanted(draft):
            wanting[one].append(draft)
    keepers: dict[Held, str] = {}
    keys: dict[tuple[Entity, tuple[str, ...]], set[tuple[Value, ...]]] = defaultdict(set)
    for one in wanting:
        keys[BY_TABLE[one.table], one.names].add(one.value)
    for (entity, names), values in keys.items():
        held = await rows.holders(connection, entity, names, org_id, values)
        keepers.update({Held(entity.table, names, value): id for value, id in held.items()})
    doubles = Doubles(keepers, wanting, {draft.mutation.key: draft for draft in drafts})
    doubles.visible = await _visible(connection, org_id, doubles)
    return doubles


async def _visible(connection: Connection, org_id: str, doubles: Doubles) -> frozenset[tuple[Key, Key]]:
    """Tell whose author sees the record that holds what is wanted, or may hold it once the batch is judged."""
    pairs = {
        (draft.mutation.key, (one.table, id)): draft
        for one, together in doubles.wanting.items()
        for draft in together
        for id in {doubles.keepers.get(one), *(other.mutation.id for other in together)} - {None, draft.mutation.id}
        if id is not None
    }
    states = await log.read_states(connection, org_id, {holder for _, holder in pairs}) if pairs else {}
    return frozenset(
        (mine, holder)
        for (mine, holder), draft in pairs.items()
        if holder in states and draft.origin.entitled.mask(draft.entity, states[holder].scopes)
    )
