"""The server's secret: one for all processes, and nothing opens without it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync_server.identity.keyfile import UnusableKey
from sync_server.identity.secret_key import SecretKey


def test_processes_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        digests = {key.digest("a") for key in pool.map(lambda _: SecretKey.open(path), range(8))}

    assert len(digests) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_a_file_that_holds_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")

    with pytest.raises(UnusableKey, match="does not hold 32 bytes"):
        SecretKey.open(tmp_path / "secret.key")


def test_a_digest_is_of_these_texts_and_this_secret() -> None:
    one, two = SecretKey(b"1" * 32), SecretKey(b"2" * 32)

    assert one.digest("id", "123456") == SecretKey(b"1" * 32).digest("id", "123456")
    assert len({one.digest("id", "123456"), one.digest("i", "d123456"), two.digest("id", "123456")}) == 3


def test_what_is_sealed_opens_only_as_whose_it_is_and_with_its_secret() -> None:
    one, two = SecretKey(b"1" * 32), SecretKey(b"2" * 32)
    sealed = one.seal(b"JBSWY3DP", "org/asha")

    assert one.unseal(sealed, "org/asha") == b"JBSWY3DP"
    assert b"JBSWY3DP" not in sealed
    assert one.unseal(sealed, "org/ravi") is None
    assert two.unseal(sealed, "org/asha") is None
    assert one.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "org/asha") is None
    assert one.seal(b"JBSWY3DP", "org/asha") != sealed
