"""Tokens: one key whoever starts first, and not one changed token that gets through, over real HTTP."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import BaseTestServer, TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sync_server.identity.keyring import Keyring
from sync_server.identity.opaque import OpaqueToken
from sync_server.identity.tokens import AUDIENCE, HEADER_TYPE, ISSUER, Tokens
from sync_server.identity.watch import SessionWatch
from sync_server.store.actor import Actor
from sync_server.store.sessions import SessionKey
from sync_server.web import keys
from sync_server.web.bearer import Known, Verified, bearer
from sync_server.web.middleware import explained, observed

ACTOR = Actor("org.1", "user_2", "session-3")
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def tokens_of(key: ec.EllipticCurvePrivateKey) -> Tokens:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Tokens(Keyring(path, token_seconds=600), access_seconds=600)


TOKENS = tokens_of(KEY)
KEY_ID = TOKENS.ring.signing().key_id


async def all_live(asked: Collection[SessionKey]) -> Mapping[SessionKey, Actor]:
    """Say that every session lives: here it is about tokens (tests/integration/test_sessions.py is about sessions)."""
    users = {"session-3": "user_2", "session": "user"}
    return {key: Actor(key[0], users.get(key[1], ""), key[1], "device-4") for key in asked}


def serving(public: tuple[str, ...] = (), tokens: Tokens = TOKENS) -> web.Application:
    app = web.Application(middlewares=[observed, explained, bearer(tokens, (*public, r"^/never\Z"))])
    app[keys.SESSIONS] = SessionWatch(all_live)
    return app


async def who(request: web.Request) -> web.Response:
    actor = request.get(keys.ACTOR)
    return web.Response(text="nobody" if actor is None else f"{actor.org_id} {actor.user_id} {actor.session_id}")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = serving((r"^/public\Z",))
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
    assert jwt.get_unverified_header(TOKENS.issue(ACTOR))["kid"] == KEY_ID
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
    return jwt.encode(claims, key, algorithm, {"kid": KEY_ID, "typ": HEADER_TYPE} | header)


def test_the_corpus_starts_from_a_token_that_is_accepted() -> None:
    token = signed(good_claims())

    assert TOKENS.key_of(token) is TOKENS.ring.signing()
    assert TOKENS.actor_of(good_claims()) == Actor("org", "user", "session")


def unsigned(algorithm: str) -> str:
    header, claims, _ = TOKENS.issue(ACTOR).split(".")
    fields = orjson.loads(base64.urlsafe_b64decode(header + "=="))
    forged = base64.urlsafe_b64encode(orjson.dumps(fields | {"alg": algorithm})).rstrip(b"=").decode()
    return f"{forged}.{claims}."


def hmac_with_public_key() -> str:
    """The RS/HS confusion: a MAC whose key is the public key, which everybody has; PyJWT itself refuses to make one."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": "HS256", "kid": KEY_ID, "typ": HEADER_TYPE})).rstrip(b"=")
    claims = base64.urlsafe_b64encode(orjson.dumps(good_claims())).rstrip(b"=")
    mac = algorithm.sign(header + b"." + claims, TOKENS.ring.signing().public_pem.encode())
    return b".".join([header, claims, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def with_header(header: bytes) -> str:
    """A token of ours whose header was replaced: what it said first is what was signed."""
    _, claims, signature = TOKENS.issue(ACTOR).split(".")
    return f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.{claims}.{signature}"


def forged_header(**changed: Any) -> str:
    return with_header(orjson.dumps({"alg": "ES256", "kid": KEY_ID, "typ": HEADER_TYPE} | changed))


def null_signature() -> str:
    """CVE-2022-21449: r = s = 0 was valid for every key in Java's ECDSA."""
    header, claims, _ = TOKENS.issue(ACTOR).split(".")
    return f"{header}.{claims}.{base64.urlsafe_b64encode(bytes(64)).rstrip(b'=').decode()}"


CORPUS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "rubbish": lambda: "rubbish",
    "dots": lambda: "..",
    "none": lambda: unsigned("none"),
    "None": lambda: unsigned("None"),
    "no signature": lambda: unsigned("ES256"),
    "public key as secret": hmac_with_public_key,
    "another key": lambda: signed(good_claims(), key=OTHER_KEY),
    "another key of its own kid": lambda: tokens_of(OTHER_KEY).issue(ACTOR),
    "another algorithm": lambda: signed(good_claims(), key=ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA"),
    "kid with a path": lambda: signed(good_claims(), kid="../../dev/null"),
    "kid with sql": lambda: signed(good_claims(), kid="' OR 1=1 --"),
    "kid that is a list": lambda: forged_header(kid=[KEY_ID]),
    "kid that is null": lambda: forged_header(kid=None),
    "kid of another length": lambda: signed(good_claims(), kid=KEY_ID[:-1]),
    "kid of the first key's file": lambda: signed(good_claims(), kid="token-es256.pem"),
    "kid with NUL": lambda: signed(good_claims(), kid=KEY_ID[:-1] + "\0"),
    "kid in another case": lambda: signed(good_claims(), kid=KEY_ID.swapcase()),
    "x5c": lambda: signed(good_claims(), x5c=["MIIB"]),
    "b64": lambda: forged_header(b64=False),
    "es256 in lower case": lambda: forged_header(alg="es256"),
    "ES384": lambda: forged_header(alg="ES384"),
    "RS256": lambda: forged_header(alg="RS256"),
    "PS256": lambda: forged_header(alg="PS256"),
    "alg that is a list": lambda: forged_header(alg=["ES256"]),
    "alg twice": lambda: with_header(b'{"alg":"none","alg":"ES256","kid":"%s","typ":"at+jwt"}' % KEY_ID.encode()),
    "a header that is a list": lambda: with_header(b"[]"),
    "a header that is a text": lambda: with_header(b'"ES256"'),
    "a device's proof": lambda: signed(good_claims(), typ="dpop+jwt"),
    "a null signature": lambda: null_signature(),
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
    "a refresh token": lambda: str(OpaqueToken.make("org", "0" * 32)),
    "org that is no id": lambda: signed(good_claims(org="a b")),
    "org that is a list": lambda: signed(good_claims(org=["org"])),
    "exp that is a text": lambda: signed(good_claims(exp="9999999999")),
    "exp that is a float": lambda: signed(good_claims(exp=time.time() + 600.5)),
    "exp that is true": lambda: signed(good_claims(exp=True)),
    "claims that are a list": lambda: jwt.PyJWS().encode(b"[]", KEY, "ES256", {"kid": KEY_ID, "typ": HEADER_TYPE}),
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
    app = serving()
    app.router.add_get("/who", who)
    token = f"Bearer {TOKENS.issue(ACTOR)}"

    async with TestServer(app) as server, ClientSession() as client:
        for _ in range(5):
            assert (await ask(client, server, token))[0] == 200

    assert verifications == 1


def test_what_is_remembered_is_bounded_and_forgets_the_least_recently_seen() -> None:
    verified = Verified(most=2)
    known = Known(ACTOR, KEY_ID, int(time.time()) + 600)
    for name in (b"a", b"b"):
        verified.remember(name, known)
    assert verified.known(b"a") == known

    verified.remember(b"c", known)

    assert len(verified) == 2
    assert verified.known(b"b") is None
    assert verified.known(b"a") == verified.known(b"c") == known
