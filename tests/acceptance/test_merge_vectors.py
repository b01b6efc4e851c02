"""The phone's engine decides as the server's: the stored vectors, fresh ones, and mistakes that the vectors must find.

`node tests/contract/merge_vectors/run.mjs` compares; tests/contract/merge_vectors/generate.py makes them.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from conflict.policies import Highest, Lowest, Tally
from erp_core.catalogue import ENTITIES
from erp_core.values import Number
from mobile.node import find_node, ready_sdk
from sync_server.engine.policy_map import policies_of
from tests.contract.merge_vectors.generate import STORED, stored, vectors

RUNNER = Path(__file__).parents[1] / "contract" / "merge_vectors" / "run.mjs"
FRESH = 5_000
SECONDS_MAX = 120.0
STORED_BYTES_MAX = 3_000_000
PLANTED = [
    "theirs keeps ours",
    "ours keeps theirs",
    "newest forgets the device",
    "newest orders devices by UTF-16 unit",
    "tally adds binary fractions",
    "tally takes two equal changes for one",
    "tally has no bound in the row",
    "bag is sorted by UTF-16 unit",
    "bag forgets what was taken out",
    "highest is by UTF-16 unit",
    "lowest takes none for the least",
    "prose takes any blank for a blank",
    "prose keeps an empty text",
    "guarded forgets breaks",
    "guarded orders by name",
    "once is overwritten",
    "locked forgets unless",
    "reviewed decides",
]


async def run(lines: str, *planted: str) -> tuple[int, str]:
    """Run the vectors through the phone's engine; exit and what was printed."""
    sdk = await asyncio.to_thread(ready_sdk)
    process = await asyncio.create_subprocess_exec(
        *(find_node(), str(RUNNER), str(sdk / "dist" / "src"), *planted),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(lines.encode()), SECONDS_MAX)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, printed.decode(errors="replace")


async def test_the_phone_decides_50_000_stored_vectors_as_the_server_did() -> None:
    assert STORED.stat().st_size < STORED_BYTES_MAX

    status, printed = await run(stored())

    assert status == 0, printed[:5000]
    assert json.loads(printed)["agreed"] >= 50_000


def test_fifty_thousand_different_vectors_are_stored() -> None:
    seen: set[int] = set()
    policies = ""
    for line in stored().splitlines():
        if line.startswith('{"policies"'):
            policies = line
        else:
            seen.add(hash((policies, line)))

    assert len(seen) >= 50_000


async def test_the_phone_decides_fresh_vectors_as_the_server_does(seed: int) -> None:
    again = (
        f"python -m tests.contract.merge_vectors.generate --seed {seed} --count {FRESH}"
        f" | node {RUNNER} mobile/sdk/dist/src"
    )
    lines = await asyncio.to_thread(lambda: "".join(f"{line}\n" for line in vectors(seed, FRESH)))

    status, printed = await run(lines)

    assert status == 0, f"{again}\n{printed[:5000]}"
    assert json.loads(printed)["agreed"] >= FRESH, again


def test_the_same_seed_gives_the_same_vectors(seed: int) -> None:
    assert list(vectors(seed, 300)) == list(vectors(seed, 300))


@pytest.mark.parametrize("mistake", PLANTED)
async def test_a_likely_mistake_of_the_phone_is_found(mistake: str) -> None:
    status, printed = await run(stored(), mistake)

    assert (status, "vector" in printed) == (1, True), printed[:2000]


async def test_every_planted_mistake_is_tried() -> None:
    _, printed = await run("", "--list")

    assert json.loads(printed) == PLANTED


def test_the_phone_can_add_and_compare_what_is_declared_so() -> None:
    """A decimal of more than 15 digits is a text on the phone, which it would neither add nor order as a number."""
    for entity in ENTITIES:
        for name, policy in policies_of(entity).items():
            if isinstance(policy, (Tally, Highest, Lowest)):
                kind = entity.by_name[name].type
                assert not (isinstance(kind, Number) and kind.plain_kind == "string"), f"{entity.name}.{name}"
