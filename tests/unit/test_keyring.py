"""The key ring: one key whoever starts first, and a rotation that nobody notices but the thief."""

from __future__ import annotations

import multiprocessing
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sync_server.identity import keyring
from sync_server.identity.keyfile import UnusableKey, open_key, thumbprint
from sync_server.identity.keyring import LOOK_SECONDS, NOTICE_SECONDS, SLACK_SECONDS, Keyring, rotate
from sync_server.identity.tokens import Tokens
from sync_server.store.actor import Actor

TOKEN_SECONDS = 600
ACTOR = Actor("org", "user", "session")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def opened(path: Path, clock: Clock | None = None) -> Keyring:
    return Keyring(path, token_seconds=TOKEN_SECONDS, clock=clock or Clock())


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


# --- The first key ----------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"

    first = opened(folder).signing()

    assert stat.S_IMODE((folder / "token-es256.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert opened(folder).signing().key_id == first.key_id
    assert [file.name for file in folder.iterdir()] == ["token-es256.pem"]


def _key_id(path: str) -> str:
    return Keyring(Path(path), token_seconds=60).signing().key_id


def test_workers_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as workers:
        for attempt in range(5):
            ids = workers.map(_key_id, [str(tmp_path / str(attempt))] * 8, chunksize=1)
            assert len(set(ids)) == 1


def test_a_key_that_an_operator_provides_is_the_only_one(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "mine.pem").write_bytes(pem(key))

    ring = opened(tmp_path / "mine.pem")

    assert list(ring.accepted()) == [ring.signing().key_id] == [thumbprint(key.public_key())]
    with pytest.raises(NotADirectoryError, match="single key"):
        rotate(tmp_path / "mine.pem", token_seconds=TOKEN_SECONDS)


def test_other_files_in_the_folder_are_no_keys(tmp_path: Path) -> None:
    ring = opened(tmp_path)
    for name in (
        "token-es256.pem.old",
        "other.pem",
        "token-es256-12x.pem",
        ".token-es256.pem.0f",
        "token-es256-1.pem~",
    ):
        (tmp_path / name).write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))

    assert len(ring.listed()) == 1


# --- Rotation ---------------------------------------------------------------------------------------------------------


def test_the_next_key_signs_once_everybody_has_noticed_it_and_the_old_one_lives_as_long_as_its_tokens(
    tmp_path: Path,
) -> None:
    clock = Clock()
    ring = opened(tmp_path, clock)
    old = ring.signing().key_id
    made = rotate(tmp_path, token_seconds=TOKEN_SECONDS)
    ring.look_again()

    assert ring.signing().key_id == old
    assert set(ring.accepted()) == {old, made.key_id}

    clock.now = made.made_at + NOTICE_SECONDS
    assert ring.signing().key_id == made.key_id
    last_token_ends = made.made_at + NOTICE_SECONDS + TOKEN_SECONDS
    clock.now = last_token_ends + SLACK_SECONDS - 0.1
    assert set(ring.accepted()) == {old, made.key_id}

    clock.now = last_token_ends + SLACK_SECONDS + 0.1
    assert set(ring.accepted()) == {made.key_id}


def test_another_process_notices_a_rotation_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    ring = opened(tmp_path, clock)
    made = rotate(tmp_path, token_seconds=TOKEN_SECONDS)
    assert made.key_id not in ring.accepted()
    real = time.monotonic

    monkeypatch.setattr(time, "monotonic", lambda: real() + LOOK_SECONDS + 0.1)

    assert made.key_id in ring.accepted()
    assert NOTICE_SECONDS > 2 * LOOK_SECONDS


def test_a_token_of_a_key_that_is_newer_than_the_last_look_is_taken(tmp_path: Path) -> None:
    here = Tokens.open(tmp_path, access_seconds=TOKEN_SECONDS)
    rotate(tmp_path, token_seconds=TOKEN_SECONDS, now=True)
    elsewhere = Tokens.open(tmp_path, access_seconds=TOKEN_SECONDS)

    assert here.key_of(elsewhere.issue(ACTOR)) is not None


def test_an_emergency_rotation_revokes_the_other_keys_at_once(tmp_path: Path) -> None:
    here = Tokens.open(tmp_path, access_seconds=TOKEN_SECONDS)
    stolen = here.issue(ACTOR)
    assert here.key_of(stolen) is not None

    made = rotate(tmp_path, token_seconds=TOKEN_SECONDS, now=True)
    here.ring.look_again()

    assert here.key_of(stolen) is None
    assert here.ring.signing().key_id == made.key_id
    assert [file.name for file in tmp_path.iterdir()] == [made.path.name]


def test_a_rotation_removes_keys_whose_tokens_have_all_expired(tmp_path: Path) -> None:
    first = opened(tmp_path).signing()
    second = rotate(tmp_path, token_seconds=TOKEN_SECONDS)
    long_ago = tmp_path / f"token-es256-{second.made_at - 3_600}.pem"
    second.path.rename(long_ago)

    third = rotate(tmp_path, token_seconds=TOKEN_SECONDS)

    assert not first.path.exists()
    assert {file.name for file in tmp_path.iterdir()} == {long_ago.name, third.path.name}


def test_keys_made_in_one_second_are_in_order(tmp_path: Path) -> None:
    opened(tmp_path)
    made = [rotate(tmp_path, token_seconds=TOKEN_SECONDS) for _ in range(4)]

    assert [key.key_id for key in opened(tmp_path).listed()[1:]] == [key.key_id for key in made]


# --- Trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token.pem"
    path.write_bytes(content)

    with pytest.raises(UnusableKey, match=r"token\.pem"):
        open_key(path)


@pytest.mark.parametrize(
    "key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())], ids=["Ed25519", "P-384"]
)
def test_a_key_of_another_curve_is_refused(tmp_path: Path, key: Any) -> None:
    path = tmp_path / "token.pem"
    path.write_bytes(pem(key))

    with pytest.raises(UnusableKey, match="P-256"):
        opened(path)


def test_a_broken_key_stops_no_running_server_and_keeps_no_revoked_one(tmp_path: Path) -> None:
    ring = opened(tmp_path)
    old = ring.signing()
    made = rotate(tmp_path, token_seconds=TOKEN_SECONDS, now=True)
    (tmp_path / "token-es256-1.pem").write_text("half a k")
    ring.look_again()

    assert list(ring.accepted()) == [made.key_id]
    assert old.key_id != made.key_id


def test_a_folder_that_is_gone_leaves_the_ring_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    ring = opened(folder)
    signing = ring.signing().key_id
    (folder / keyring.FIRST).unlink()
    folder.rmdir()

    ring.look_again()

    assert ring.signing().key_id == signing


def test_looking_at_the_ring_costs_a_request_next_to_nothing(tmp_path: Path) -> None:
    ring = opened(tmp_path)
    key_id = ring.signing().key_id

    began = time.perf_counter()
    for _ in range(1_000):
        assert key_id in ring.accepted()

    assert (time.perf_counter() - began) / 1_000 < 100e-6
