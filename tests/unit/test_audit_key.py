"""The key of published heads: one for all processes, and nobody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync_server.identity.audit_key import AuditKey, PublicKey
from sync_server.identity.keyfile import UnusableKey, make_key


def test_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.pem"
    with ThreadPoolExecutor(8) as pool:
        publics = {key.public.pem for key in pool.map(lambda _: AuditKey.open(path), range(8))}

    assert len(publics) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_the_key_signed_is_told_by_its_public_key_alone(tmp_path: Path) -> None:
    key, other = AuditKey.open(tmp_path / "audit.pem"), AuditKey.open(tmp_path / "other.pem")
    (tmp_path / "public.pem").write_text(key.public.pem)
    public = PublicKey.read(tmp_path / "public.pem")

    assert public.signed(key.sign(b"head"), b"head")
    assert not public.signed(key.sign(b"head"), b"Head")
    assert not public.signed(other.sign(b"head"), b"head")


def test_a_file_that_holds_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "audit.pem").write_text("nothing")
    make_key(tmp_path / "token.pem")

    with pytest.raises(UnusableKey, match="not an unencrypted private key"):
        AuditKey.open(tmp_path / "audit.pem")
    with pytest.raises(UnusableKey, match="not one of Ed25519"):
        AuditKey.open(tmp_path / "token.pem")
    with pytest.raises(UnusableKey, match="not a public key"):
        PublicKey.read(tmp_path / "token.pem")
