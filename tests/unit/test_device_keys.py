"""Device keys and proofs: whoever has a refresh token and not the device's key has nothing."""

from __future__ import annotations

import base64
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sync_server.identity.device_keys import BadDeviceKey, is_proven, read_public_key, token_hash
from tests.harness.proofs import PATH, jwk_of, proof

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
TOKEN = "org.session.secret"


def pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def proven(shown: str, key: ec.EllipticCurvePrivateKey = KEY, token: str = TOKEN) -> bool:
    return is_proven(read_public_key(pem(key)), shown, token=token, method="POST", path=PATH)


def test_a_key_is_the_same_as_pem_and_as_jwk() -> None:
    assert read_public_key(pem(KEY)) == read_public_key(jwk_of(KEY)) == pem(KEY)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "not a key",
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {**jwk_of(KEY), "crv": "P-384"},
        {**jwk_of(KEY), "d": "A" * 43},
        {**jwk_of(KEY), "x": jwk_of(OTHER)["x"]},
        {**jwk_of(KEY), "y": 7},
        {**jwk_of(KEY), "x": base64.urlsafe_b64encode(bytes(32)).decode()},
    ],
)
def test_what_is_no_public_p256_key_is_refused(given: Any) -> None:
    with pytest.raises(BadDeviceKey):
        read_public_key(given)


def test_the_holder_of_the_key_can_prove_it() -> None:
    assert proven(proof(KEY, TOKEN))
    assert proven(proof(KEY, TOKEN, iat=time.time()))
    assert proven(proof(KEY, TOKEN, htu=f"http://10.0.0.7:8080{PATH}"))


def test_a_phone_whose_clock_is_wrong_by_hours_can_prove_it_too() -> None:
    assert proven(proof(KEY, TOKEN, iat=int(time.time()) + 12 * 3_600))
    assert proven(proof(KEY, TOKEN, iat=int(time.time()) - 12 * 3_600))


@pytest.mark.parametrize(
    "changed",
    [
        {"htm": "GET"},
        {"htu": "https://sync.example/api/v1/auth/logout"},
        {"htu": 7},
        {"ath": token_hash("another token")},
        {"iat": int(time.time()) - 100_000},
        {"iat": int(time.time()) + 100_000},
        {"iat": "now"},
        {"iat": True},
        {"iat": ...},
        {"jti": ...},
        {"htm": ...},
        {"htu": ...},
        {"ath": ...},
        {"typ": "at+jwt"},
        {"typ": None},
    ],
)
def test_a_proof_of_something_else_proves_nothing(changed: dict[str, Any]) -> None:
    assert not proven(proof(KEY, TOKEN, **changed))


def test_no_other_key_proves_anything_even_if_it_brings_itself() -> None:
    assert not proven(proof(OTHER, TOKEN))
    brought = proof(OTHER, TOKEN, header={"jwk": jwk_of(OTHER)})
    assert not proven(brought)


@pytest.mark.parametrize("shown", ["", "rubbish", "a.b.c", "x" * 5_000])
def test_what_is_no_proof_proves_nothing(shown: str) -> None:
    assert not proven(shown)


def test_an_unsigned_proof_and_one_signed_with_the_public_key_prove_nothing() -> None:
    claims = jwt.decode(proof(KEY, TOKEN), options={"verify_signature": False})
    header = {"typ": "dpop+jwt"}

    assert not proven(jwt.encode(claims, "", "none", header))
    algorithm = jwt.get_algorithm_by_name("HS256")
    head, body, _ = jwt.encode(claims, "x" * 32, "HS256", header).split(".")
    mac = algorithm.sign(f"{head}.{body}".encode(), pem(KEY).encode())
    assert not proven(f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")
