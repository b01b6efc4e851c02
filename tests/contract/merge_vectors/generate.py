"""Makes merge vectors: what the server's engine decides, in the plain form that a phone keeps.

    python -m tests.contract.merge_vectors.generate --seed 7 --count 5000     fresh ones, to standard output
    python -m tests.contract.merge_vectors.generate --store                   writes stored.jsonl.xz anew

Theory of operation. Hypothesis draws a policy (or an entity) and a few values; every way to give them to base, ours and theirs
is a vector. So few drawings make many vectors, and all corners of each are met. JSON lines: `{"policies": {column: policy}}`
holds for the vectors after it; a vector is `{base, ours, theirs, changed, authored, expected: {row, outcomes}}`. A base that
nobody knows is null; a column of it that nobody knows is left out, as it is in an outcome.

Owns: the mixing and the format.
Must not know: the phone's code.
Invariant: the same seed and version of Hypothesis give the same bytes; no vector is there twice
(tests/acceptance/test_merge_vectors.py).
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conflict.merge import Authored, merge
from conflict.policies import ALL, UNKNOWN, Policy
from erp_core.language import Entity
from erp_core.values import Words
from sync_server.engine.policy_map import policies_of
from tests.contract.merge_vectors.draw import CASES, STAMP, Case, records

STORED: Final = Path(__file__).with_name("stored.jsonl.xz")
STORED_COUNT: Final = 52_000
STORED_SEED: Final = 20261123
MIXES: Final = 14
"""Vectors made of one drawing of a record."""
ROUND: Final = 60
"""Drawings in one run of Hypothesis; there are runs until there are enough vectors."""

Plainly = Callable[[str, Any], Any]


def vectors(seed: int, count: int) -> Iterator[str]:
    """Give JSON lines with at least `count` different vectors. Cost: some 5,000 a second of the small, 1,000 of records."""
    known: set[str] = set()
    for number in itertools.count():
        for policies, found in _round(seed + number):
            fresh = list(dict.fromkeys(line for line in found if policies + line not in known))
            known.update(policies + line for line in fresh)
            if fresh:
                yield policies
                yield from fresh
        if len(known) >= count:
            return


def _round(seed: int) -> list[tuple[str, list[str]]]:
    drawn: list[tuple[str, list[str]]] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def draw(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from([*ALL, None, None]))
        drawn.append(_of_record(data) if kind is None else _of_policy(data, data.draw(CASES[kind])))

    draw()
    return drawn


def _of_policy(data: st.DataObject, case: Case) -> tuple[str, list[str]]:
    """Give the policies' line and the vectors of one policy: each way to give its values to the three."""
    policies = {"value": case.policy}
    authored = Authored(data.draw(STAMP), {"value": data.draw(STAMP)} if data.draw(st.booleans()) else {})
    lines: list[str] = []
    for base, ours, theirs in itertools.product([UNKNOWN, *case.values], case.values, case.values):
        if ours != theirs or case.policy.adds:
            rows = [
                {"value": value, "note": note, **case.beside} for value, note in ((base, 1), (ours, 2), (theirs, 1))
            ]
            whole = None if base is UNKNOWN and len(lines) % 2 else rows[0]
            lines.append(_vector(whole, rows[1], rows[2], ["value"], policies, authored, _plain))
    return _policies_line(policies), lines


def _of_record(data: st.DataObject) -> tuple[str, list[str]]:
    """Give the policies' line and vectors of whole records: each column of a side is the base's or another's."""
    entity, (base, left, right) = data.draw(records())
    random = Random(data.draw(st.integers(0, 2**32)))
    stamps = {name: data.draw(STAMP) for name in random.sample(sorted(entity.by_name), 2)}
    authored = Authored(data.draw(STAMP), stamps)
    policies = policies_of(entity)
    lines: list[str] = []
    for _ in range(MIXES):
        share = random.choice([0.1, 0.4, 0.9])
        ours, theirs = ({n: (other if random.random() < share else base)[n] for n in base} for other in (left, right))
        changed = [name for name in theirs if theirs[name] != base[name] or random.random() < 0.1]
        seen = random.choice([base, base, base, ours, None, {**base, random.choice(sorted(base)): UNKNOWN}])
        lines.append(_vector(seen, ours, theirs, changed, policies, authored, _plain_of(entity)))
    return _policies_line(policies), lines


def _vector(
    base: Mapping[str, Any] | None,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    changed: list[str],
    policies: Mapping[str, Policy],
    authored: Authored,
    plain: Plainly,
) -> str:
    found = merge(base, ours, theirs, changed, policies, authored)
    outcomes = [
        {"column": o.column, "policy": o.policy, "parked": o.parked}
        | {side: plain(o.column, getattr(o, side)) for side in ("ours", "theirs", "kept")}
        | ({} if o.base is UNKNOWN else {"base": plain(o.column, o.base)})
        for o in found.outcomes
    ]
    rows = {"base": base, "ours": ours, "theirs": theirs}
    return _json(
        {side: None if row is None else _plain_row(row, plain) for side, row in rows.items()}
        | {
            "changed": changed,
            "authored": {
                "theirs": authored.theirs._asdict(),
                "ours": {name: stamp._asdict() for name, stamp in authored.ours.items()},
            },
            "expected": {"row": _plain_row(found.row, plain), "outcomes": outcomes},
        }
    )


def _plain_row(row: Mapping[str, Any], plain: Plainly) -> dict[str, Any]:
    return {name: plain(name, value) for name, value in row.items() if value is not UNKNOWN}


def _plain(_: str, value: Any) -> Any:
    match value:
        case tuple():
            return Words().plain(value)
        case Decimal():
            return float(value)
        case date():
            return value.isoformat()
    return value


def _plain_of(entity: Entity) -> Plainly:
    return lambda name, value: None if value is None else entity.by_name[name].type.plain(value)


def _policies_line(policies: Mapping[str, Policy]) -> str:
    return _json({"policies": {name: policy.as_json() for name, policy in policies.items()}})


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def stored() -> str:
    """Give the stored corpus."""
    return lzma.decompress(STORED.read_bytes()).decode()


def main() -> None:
    """Print vectors, or store them."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--seed", type=int, default=STORED_SEED)
    asked.add_argument("--count", type=int, default=STORED_COUNT)
    asked.add_argument("--store", action="store_true")
    said = asked.parse_args()
    lines = vectors(said.seed, said.count)
    if said.store:
        STORED.write_bytes(
            lzma.compress("".join(f"{line}\n" for line in lines).encode(), preset=9 | lzma.PRESET_EXTREME)
        )
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
