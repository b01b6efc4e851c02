"""Tokens: one key whoever starts first, and not one changed token that gets through, over real HTTP."""

from __future__ import annotations

import base64
import multiprocessing
import stat
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import BaseTestServer, TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sync_server.identity.keyfile import UnusableKey, open_key
from sync_server.identity.tokens import AUDIENCE, HEADER_TYPE, ISSUER, RefreshToken, Tokens
from sync_server.store.actor import Actor
from sync_server.web import keys
from sync_server.web.bearer import Verified, bearer
from sync_server.web.middleware import explained, observed

ACTOR = Actor("org.1", "user_2", "session-3")
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
TOKENS = Tokens(KEY, access_seconds=600)


async def who(request: web.Request) -> web.Response:
    actor = request.get(keys.ACTOR)
    return web.Response(text="nobody" if actor is None else f"{actor.org_id} {actor.user_id} {actor.session_id}")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application(middlewares=[observed, explained, bearer(TOKENS, (r"^/public\Z",))])
    for path in ("/who", "/public", "/publicity", "/x/public"):
        app.router.add_get(path, who)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    yield server
    await server.close()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def ask(
    client: ClientSession, server: BaseTestServer, authorization: str | None, path: str = "/who"
) -> tuple[int, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with client.get(server.make_url(path), headers=headers) as answer:
        text = await answer.text()
        assert answer.status != 401 or answer.headers["WWW-Authenticate"].startswith("Bearer ")
        return answer.status, text if answer.status == 200 else orjson.loads(text)["code"]


# --- What is accepted -------------------------------------------------------------------------------------------------


async def test_a_token_of_ours_says_who_asks(client: ClientSession, server: TestServer) -> None:
    token = TOKENS.issue(ACTOR)

    for scheme in ("Bearer", "bearer", "BEARER"):
        assert await ask(client, server, f"{scheme} {token}") == (200, "org.1 user_2 session-3")


async def test_public_paths_need_no_token_and_only_they(client: ClientSession, server: TestServer) -> None:
    assert await ask(client, server, None, "/public") == (200, "nobody")
    assert await ask(client, server, "Bearer rubbish", "/public") == (200, "nobody")
    for path in ("/publicity", "/x/public", "/who", "/public/", "/public%0A", "/nothing"):
        assert await ask(client, server, None, path) == (401, "unauthenticated")


def test_a_token_has_the_claims_that_are_promised() -> None:
    claims = jwt.decode(TOKENS.issue(ACTOR), KEY.public_key(), ["ES256"], audience=AUDIENCE, issuer=ISSUER)

    assert {"iss", "aud", "sub", "org", "sid", "jti", "typ", "iat", "nbf", "exp"} == claims.keys()
    assert claims["exp"] - claims["iat"] == 600
    assert jwt.get_unverified_header(TOKENS.issue(ACTOR))["kid"] == TOKENS.key_id
    assert TOKENS.issue(ACTOR) != TOKENS.issue(ACTOR)


# --- What is refused --------------------------------------------------------------------------------------------------


def good_claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user",
        "org": "org",
        "sid": "session",
        "jti": "0" * 32,
        "typ": "access",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
    } | changed
    return {name: value for name, value in claims.items() if value is not ...}


def signed(claims: dict[str, Any], *, key: Any = KEY, algorithm: str = "ES256", **header: Any) -> str:
    return jwt.encode(claims, key, algorithm, {"kid": TOKENS.key_id, "typ": HEADER_TYPE} | header)


def test_the_corpus_starts_from_a_token_that_is_accepted() -> None:
    token = signed(good_claims())

    assert TOKENS.is_ours(token)
    assert TOKENS.actor_of(good_claims()) == Actor("org", "user", "session")


def unsigned(algorithm: str) -> str:
    header, claims, _ = TOKENS.issue(ACTOR).split(".")
    fields = orjson.loads(base64.urlsafe_b64decode(header + "=="))
    forged = base64.urlsafe_b64encode(orjson.dumps(fields | {"alg": algorithm})).rstrip(b"=").decode()
    return f"{forged}.{claims}."


def hmac_with_public_key() -> str:
    """The RS/HS confusion: a MAC whose key is the public key, which everybody has; PyJWT itself refuses to make one."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": "HS256", "kid": TOKENS.key_id, "typ": HEADER_TYPE})).rstrip(
        b"="
    )
    claims = base64.urlsafe_b64encode(orjson.dumps(good_claims())).rstrip(b"=")
    mac = algorithm.sign(header + b"." + claims, TOKENS.public_pem.encode())
    return b".".join([header, claims, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


CORPUS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "rubbish": lambda: "rubbish",
    "dots": lambda: "..",
    "none": lambda: unsigned("none"),
    "None": lambda: unsigned("None"),
    "no signature": lambda: unsigned("ES256"),
    "public key as secret": hmac_with_public_key,
    "another key": lambda: signed(good_claims(), key=OTHER_KEY),
    "another key of its own kid": lambda: Tokens(OTHER_KEY, access_seconds=600).issue(ACTOR),
    "another algorithm": lambda: signed(good_claims(), key=ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA"),
    "kid with a path": lambda: signed(good_claims(), kid="../../dev/null"),
    "kid with sql": lambda: signed(good_claims(), kid="' OR 1=1 --"),
    "no kid": lambda: jwt.encode(good_claims(), KEY, "ES256", {"typ": HEADER_TYPE}),
    "jku": lambda: signed(good_claims(), jku="https://evil.example/keys"),
    "x5u": lambda: signed(good_claims(), x5u="https://evil.example/cert"),
    "jwk": lambda: signed(good_claims(), jwk={"kty": "EC"}),
    "crit": lambda: signed(good_claims(), crit=["exp"]),
    "header of another type": lambda: signed(good_claims(), typ="JWT"),
    "expired": lambda: signed(good_claims(exp=int(time.time()) - 1)),
    "expires now": lambda: signed(good_claims(exp=int(time.time()))),
    "not yet": lambda: signed(good_claims(nbf=int(time.time()) + 60)),
    "issued later": lambda: signed(good_claims(iat=int(time.time()) + 60)),
    "no exp": lambda: signed(good_claims(exp=...)),
    "no nbf": lambda: signed(good_claims(nbf=...)),
    "no iat": lambda: signed(good_claims(iat=...)),
    "no jti": lambda: signed(good_claims(jti=...)),
    "no sub": lambda: signed(good_claims(sub=...)),
    "no org": lambda: signed(good_claims(org=...)),
    "no sid": lambda: signed(good_claims(sid=...)),
    "no typ": lambda: signed(good_claims(typ=...)),
    "no aud": lambda: signed(good_claims(aud=...)),
    "no iss": lambda: signed(good_claims(iss=...)),
    "another issuer": lambda: signed(good_claims(iss="other")),
    "another audience": lambda: signed(good_claims(aud="other")),
    "refresh as access": lambda: signed(good_claims(typ="refresh")),
    "ticket as access": lambda: signed(good_claims(typ="ws")),
    "a refresh token": lambda: str(RefreshToken.make("org", "0" * 32)),
    "org that is no id": lambda: signed(good_claims(org="a b")),
    "org that is a list": lambda: signed(good_claims(org=["org"])),
    "exp that is a text": lambda: signed(good_claims(exp="9999999999")),
    "exp that is a float": lambda: signed(good_claims(exp=time.time() + 600.5)),
    "exp that is true": lambda: signed(good_claims(exp=True)),
    "claims that are a list": lambda: jwt.PyJWS().encode(b"[]", KEY, "ES256", {"kid": TOKENS.key_id, "typ": HEADER_TYPE}),
    "very long": lambda: signed(good_claims(more="x" * 5_000)),
    "twice": lambda: f"{TOKENS.issue(ACTOR)} {TOKENS.issue(ACTOR)}",
    "comma": lambda: f"{TOKENS.issue(ACTOR)},{TOKENS.issue(ACTOR)}",
    "padding": lambda: TOKENS.issue(ACTOR) + "=",
    "quoted": lambda: f'"{TOKENS.issue(ACTOR)}"',
    "standard base64": lambda: TOKENS.issue(ACTOR)[:-4] + "+/+/",
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
async def test_no_forged_token_is_accepted(client: ClientSession, server: TestServer, name: str) -> None:
    status, code = await ask(client, server, f"Bearer {CORPUS[name]()}")

    assert status == 401
    assert code in ("unauthenticated", "token_refused", "token_expired")
    assert (code == "token_expired") == (name in ("expired", "expires now", "exp that is true"))


@pytest.mark.parametrize("prefix", ["", "Basic ", "BearerX ", "Token ", "Bearer", "Bearer:", "DPoP "])
async def test_no_other_scheme_is_taken_for_bearer(client: ClientSession, server: TestServer, prefix: str) -> None:
    assert await ask(client, server, prefix + TOKENS.issue(ACTOR)) == (401, "unauthenticated")


async def test_a_header_of_other_letters_is_refused(client: ClientSession, server: TestServer) -> None:
    assert (await ask(client, server, "Bearer é.è.ê"))[0] == 401


async def test_no_character_of_a_token_can_change(client: ClientSession, server: TestServer) -> None:
    token = TOKENS.issue(ACTOR)
    assert (await ask(client, server, f"Bearer {token}"))[0] == 200

    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        assert (await ask(client, server, f"Bearer {changed}"))[0] == 401, place
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        if other != token[-1]:  # its last bits belong to no byte
            assert (await ask(client, server, f"Bearer {token[:-1]}{other}"))[0] == 401, other


async def test_a_bad_token_leaves_no_traceback_and_no_token_in_the_log(
    client: ClientSession, server: TestServer, caplog: pytest.LogCaptureFixture
) -> None:
    token = signed(good_claims(), key=OTHER_KEY)

    await ask(client, server, f"Bearer {token}")

    assert "Traceback" not in caplog.text
    assert token not in caplog.text


# --- What is remembered -----------------------------------------------------------------------------------------------


async def test_a_token_that_was_verified_is_refused_once_it_expires(
    client: ClientSession, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = f"Bearer {TOKENS.issue(ACTOR)}"
    assert (await ask(client, server, token))[0] == 200
    assert (await ask(client, server, token))[0] == 200
    real = time.time

    monkeypatch.setattr(time, "time", lambda: real() + 601)

    assert (await ask(client, server, token))[0] == 401


async def test_a_token_is_verified_by_aiohttp_jwt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    verifications = 0
    real = jwt.decode

    def counting(*arguments: Any, **named: Any) -> Any:
        nonlocal verifications
        verifications += 1
        return real(*arguments, **named)

    monkeypatch.setattr(jwt, "decode", counting)
    app = web.Application(middlewares=[observed, explained, bearer(TOKENS)])
    app.router.add_get("/who", who)
    token = f"Bearer {TOKENS.issue(ACTOR)}"

    async with TestServer(app) as server, ClientSession() as client:
        for _ in range(5):
            assert (await ask(client, server, token))[0] == 200

    assert verifications == 1


def test_what_is_remembered_is_bounded_and_forgets_the_least_recently_seen() -> None:
    verified = Verified(most=2)
    later = int(time.time()) + 600
    for name in (b"a", b"b"):
        verified.remember(name, ACTOR, later)
    assert verified.actor_of(b"a") == ACTOR

    verified.remember(b"c", ACTOR, later)

    assert len(verified) == 2
    assert verified.actor_of(b"b") is None
    assert verified.actor_of(b"a") == verified.actor_of(b"c") == ACTOR


# --- The key ----------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "token.pem"

    first = Tokens.open(path, access_seconds=60)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Tokens.open(path, access_seconds=60).key_id == first.key_id
    assert [file.name for file in path.parent.iterdir()] == ["token.pem"]


def _key_id(path: str) -> str:
    return Tokens.open(Path(path), access_seconds=60).key_id


def test_workers_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as workers:
        for attempt in range(5):
            ids = workers.map(_key_id, [str(tmp_path / str(attempt) / "token.pem")] * 8, chunksize=1)
            assert len(set(ids)) == 1


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
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(UnusableKey, match="P-256"):
        open_key(path)


# --- Refresh tokens ---------------------------------------------------------------------------------------------------


def test_a_refresh_token_is_read_as_it_was_made() -> None:
    made = RefreshToken.make("an.org.with-dots_", "0123456789abcdef" * 2)

    assert RefreshToken.read(str(made)) == made
    assert RefreshToken.make("o", "0" * 32).secret != RefreshToken.make("o", "0" * 32).secret
    assert len(made.secret) * 6 >= 256


@pytest.mark.parametrize(
    "text", ["", ".", "a.b.c", "org." + "0" * 32, f"o\0rg.{'0' * 32}.{'A' * 43}", f"{'x' * 65}.{'0' * 32}.{'A' * 43}"]
)
def test_what_is_no_refresh_token_is_not_read(text: str) -> None:
    assert RefreshToken.read(text) is None
