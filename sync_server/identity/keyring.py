"""The signing keys: a folder of P-256 keys of which the newest signs, and older ones are good while their tokens live.

Owns: which key signs, which are accepted and until when, and how every process comes to know.
Must not know: what is signed.
Invariant: a token that was signed by a key of the ring is accepted by every process for its whole life, unless the key was
revoked; a key whose overlap is over, or that was revoked, is not accepted (tests/unit/test_keyring.py).

The folder is the whole state; no process tells another. `token-es256.pem` is the first key, `token-es256-<unix>.pem` one
that was made at that second. A key made at t signs from t + `NOTICE_SECONDS`, when every process has seen it, and its
predecessor is accepted until the last token it can have signed has expired. Files come and go whole (link, unlink).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sync_server.identity.keyfile import UnusableKey, make_key, open_key, thumbprint

FIRST: Final = "token-es256.pem"
_NAME: Final = re.compile(r"token-es256(?:-(\d{1,12}))?\.pem")

LOOK_SECONDS: Final = 2.0
"""Between two looks at the folder; a look costs 20 µs."""

NOTICE_SECONDS: Final = 10
"""From a key's making to its first signature; several looks, and what the clocks of several machines may differ."""

SLACK_SECONDS: Final = 30
"""For which a key is accepted beyond the life of its last token."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the ring. `made_at`: Unix seconds, 0 for the first; `good_until`: None while it signs."""

    key: ec.EllipticCurvePrivateKey
    key_id: str
    public_pem: str
    path: Path
    made_at: int
    good_until: float | None = None


class Keyring:
    """The keys below a folder, or the single key of a file, as they are on disk within `LOOK_SECONDS`."""

    def __init__(self, path: Path, *, token_seconds: int, clock: Callable[[], float] = time.time) -> None:
        """Open the ring; make the first key if there is none.

        Raises `keyfile.UnusableKey`, or OSError if the keys can be neither read nor made. Blocks for some ms.
        """
        self._path = path
        self._overlap = token_seconds + SLACK_SECONDS
        self._clock = clock
        self._seen: Sequence[tuple[str, int, int]] = ()
        self._keys: Sequence[SigningKey] = ()
        self._next_look = 0.0
        if not is_single(path) and not _files(path):
            make_key(path / FIRST)
        elif is_single(path) and not path.exists():
            make_key(path)
        self._look()

    def signing(self) -> SigningKey:
        """Give the key that signs now: the newest that everybody has noticed."""
        keys, now = self._current(), self._clock()
        noticed = [key for key in keys if key.made_at + NOTICE_SECONDS <= now]
        return noticed[-1] if noticed else keys[0]

    def accepted(self) -> Mapping[str, SigningKey]:
        """Give the keys whose tokens are good now, by key id."""
        keys, now = self._current(), self._clock()
        return {key.key_id: key for key in keys if key.good_until is None or key.good_until > now}

    def look_again(self) -> None:
        """Look at the folder now: a token names a key that is not known, perhaps not yet."""
        self._next_look = 0.0
        self._current()

    def listed(self) -> Sequence[SigningKey]:
        """Give every key there is, oldest first."""
        self.look_again()
        return self._keys

    def _current(self) -> Sequence[SigningKey]:
        if time.monotonic() >= self._next_look:
            self._look()
        return self._keys

    def _look(self) -> None:
        """Read the folder if anything in it changed.

        A folder that is gone leaves the ring as it was last seen; a file that cannot be read is left out, unless it is the
        only one there ever was: a broken key must neither stop a server that runs nor keep a revoked one in force.
        """
        self._next_look = time.monotonic() + LOOK_SECONDS
        found = _files(self._path)
        seen = [(name, stat.st_mtime_ns, stat.st_ino) for name, stat in found]
        if not seen or seen == self._seen:
            return
        keys = self._readable(key_files(self._path))
        self._keys = [_until(key, after, self._overlap) for key, after in zip(keys, [*keys[1:], None], strict=True)]
        self._seen = seen

    def _readable(self, paths: Sequence[Path]) -> list[SigningKey]:
        keys = []
        for path in paths:
            try:
                keys.append(_read(path))
            except (UnusableKey, OSError) as fault:
                if not self._keys:
                    raise
                log.error("signing_key_unusable", path=str(path), reason=str(fault))
        return sorted(keys, key=lambda key: (key.made_at, key.key_id)) or list(self._keys)


def is_single(path: Path) -> bool:
    """Say whether `path` is one key's file rather than a ring's folder."""
    return path.is_file() or (not path.is_dir() and path.suffix == ".pem")


def key_files(path: Path) -> Sequence[Path]:
    """List the files of the ring (or the single key) at `path`."""
    folder = path.parent if is_single(path) else path
    return [folder / name for name, _ in _files(path)]


def _files(path: Path) -> list[tuple[str, os.stat_result]]:
    if is_single(path):
        return [(path.name, path.stat())] if path.exists() else []
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        return sorted((entry.name, entry.stat()) for entry in entries if _NAME.fullmatch(entry.name))


def _read(path: Path) -> SigningKey:
    key = open_key(path)
    public = key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    named = _NAME.fullmatch(path.name)
    return SigningKey(key, thumbprint(public), pem, path, int((named and named[1]) or 0))


def _until(key: SigningKey, after: SigningKey | None, overlap: float) -> SigningKey:
    until = None if after is None else after.made_at + NOTICE_SECONDS + overlap
    return SigningKey(key.key, key.key_id, key.public_pem, key.path, key.made_at, until)


# --- Rotation ---------------------------------------------------------------------------------------------------------


def rotate(folder: Path, *, token_seconds: int, now: bool = False) -> SigningKey:
    """Make the next key, and remove those whose overlap is over; `now`: remove all others, they are not trusted any more.

    With `now`, every access token that is out is refused within `LOOK_SECONDS` and its holder refreshes. Raises
    NotADirectoryError if `folder` is a single key's file: whoever provides it replaces it.
    """
    if is_single(folder):
        raise NotADirectoryError(f"{folder} is a single key: replace it, or let COTTON_SIGNING_KEY_FILE name a folder")
    before = Keyring(folder, token_seconds=token_seconds).listed()
    made_at = max(int(time.time()), before[-1].made_at + 1)
    path = folder / f"token-es256-{made_at}.pem"
    make_key(path)
    for key in before:
        if now or (key.good_until is not None and key.good_until < time.time()):
            key.path.unlink()
    return _read(path)
