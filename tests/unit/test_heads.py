"""The file of published heads: lines that are there wholly or not at all, and that only the key can have written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync_server.identity.audit_key import AuditKey
from sync_server.operate.heads import append, read
from sync_server.store.auditing import Claim

HEAD = Claim("org_a", 7, b"d" * 32)


@pytest.fixture
def key(tmp_path: Path) -> AuditKey:
    return AuditKey.open(tmp_path / "audit.pem")


def claims(path: Path, key: AuditKey) -> list[Claim | None]:
    return [line.claim for line in read(path, key.public)]


def test_what_was_appended_is_read_in_its_order(tmp_path: Path, key: AuditKey) -> None:
    path = tmp_path / "audit" / "heads.jsonl"
    later = HEAD._replace(position=9)
    append(path, key, [HEAD, HEAD._replace(org_id="é")])
    append(path, key, [later])

    assert claims(path, key) == [HEAD, HEAD._replace(org_id="é"), later]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "after"), [(b'"position":7', b'"position":8'), (b"org_a", b"org_b"), (b"6464", b"6465"), (b"Z", b"z")]
)
def test_a_line_that_was_altered_is_nobodys(tmp_path: Path, key: AuditKey, before: bytes, after: bytes) -> None:
    path = tmp_path / "heads.jsonl"
    append(path, key, [HEAD, HEAD])
    written = path.read_bytes()
    assert before in written
    path.write_bytes(written.replace(before, after, 1) + b"what is this\n{}\n")

    assert claims(path, key) == [None, HEAD, None, None]


def test_a_line_of_another_key_is_nobodys(tmp_path: Path, key: AuditKey) -> None:
    append(tmp_path / "heads.jsonl", AuditKey.open(tmp_path / "other.pem"), [HEAD])
    assert claims(tmp_path / "heads.jsonl", key) == [None]


def test_a_line_that_a_crash_tore_is_none_and_the_next_one_stands_alone(tmp_path: Path, key: AuditKey) -> None:
    path = tmp_path / "heads.jsonl"
    append(path, key, [HEAD, HEAD])
    path.write_bytes(path.read_bytes()[:-9])
    assert claims(path, key) == [HEAD]

    append(path, key, [HEAD._replace(position=9)])

    assert claims(path, key) == [HEAD, HEAD._replace(position=9)]


def test_several_who_append_do_not_mix_their_lines(tmp_path: Path, key: AuditKey) -> None:
    path = tmp_path / "heads.jsonl"
    heads = [HEAD._replace(position=n) for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda head: append(path, key, [head, head]), heads))

    assert sorted(one.position for one in claims(path, key) if one) == sorted([*range(40), *range(40)])
