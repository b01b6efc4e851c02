"""Strict JSON: what has more than one reading, or cannot be stored, is refused with its place."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import DEPTH_MAX, KEYS_MAX, STRING_MAX, loads


def refusal(body: bytes) -> tuple[str, str | None]:
    with pytest.raises(Problem) as caught:
        loads(body)
    assert 400 <= caught.value.status < 500
    return caught.value.code, caught.value.pointer


def nested(levels: int, inside: str = "") -> bytes:
    return ("[" * levels + inside + "]" * levels).encode()


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
LOOKS_LIKE_A_KEY = st.sampled_from(['a": ', '":', '{"a":1}', "\\", '\\":', " :", "\n:"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15) | TEXT | LOOKS_LIKE_A_KEY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | LOOKS_LIKE_A_KEY, inner, max_size=4),
    max_leaves=30,
)


@given(
    JSON_VALUES, st.sampled_from([None, 2]), st.booleans(), st.sampled_from([(",", ":"), (", ", " : "), (",", "\n:")])
)
def test_what_can_be_stored_is_read_as_written(
    value: Any, indent: int | None, ascii_only: bool, separators: tuple[str, str]
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=separators).encode()

    assert loads(body) == value


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [(b"", 1, 1), (b'{"a":1,}', 1, 7), (b"[1\n,2,,]", 2, 4), (b"{} x", 1, 4), (b"{'a':1}", 1, 2), (b"\xff", 1, 1)],
)
def test_malformed_json_is_refused_with_its_line_and_column(body: bytes, line: int, column: int) -> None:
    with pytest.raises(Problem) as caught:
        loads(body)

    assert caught.value.code == "malformed_json"
    assert f"line {line}, column {column}" in caught.value.detail
    assert caught.value.extra == {"line": line, "column": column}


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', "{}".encode("utf-16"), b'"\x00"', b"\x00"])
def test_only_plain_utf_8_is_read(body: bytes) -> None:
    assert refusal(body)[0] == "malformed_json"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"a":1,"a":2}', "/a"),
        (b'{"a":1,"\\u0061":1}', "/a"),
        (b'{ "a" : 1 , "a" : 2 }', "/a"),
        (b'{"a"\n:1,"a"\t:2}', "/a"),
        (b'{"x":[{},{"a":1,"b/c":2,"b/c":3}]}', "/x/1/b~1c"),
        (b'{"":1,"":1}', "/"),
        (b'{"a":{"b":1,"b":1},"a":2}', "/a"),
        (b'{"note":"x\\":y","a":1,"a":2}', "/a"),
        (b'{"a\\\\":1,"a\\\\":2,"doc":"{\\"a\\":1}"}', "/a\\"),
        (b'{"__proto__":1,"__proto__":2}', "/__proto__"),
    ],
)
def test_a_key_that_comes_twice_is_refused(body: bytes, place: str) -> None:
    assert refusal(body) == ("duplicate_key", place)


@given(
    JSON_VALUES, st.text(max_size=4).filter(lambda key: "\0" not in key), st.sampled_from([":", " :", "\r\n:", ": "])
)
def test_no_doubled_key_gets_through(value: Any, key: str, colon: str) -> None:
    member = json.dumps(key) + colon + json.dumps(value)
    body = f"[[{{{member},{member}}}]]".encode()

    assert refusal(body)[0] == "duplicate_key"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1" * 400, "9" * 5000])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    body = f'{{"trades":{{"created":[{{"price":{number}}}]}}}}'.encode()

    assert refusal(body) == ("number_not_finite", "/trades/created/0/price")


@pytest.mark.parametrize("number", [2**63, 10**30, 1e300])
def test_a_number_too_large_for_any_field_is_left_to_the_bounds_of_its_record(number: float) -> None:
    assert loads(f'[0,{{"n":{number}}}]'.encode())[1]["n"] == float(number)


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0, -0.0, 5e-324, 0.1])
def test_a_number_that_a_double_holds_is_read(number: float) -> None:
    read = loads(json.dumps([number]).encode())[0]

    assert read == number
    assert math.copysign(1, read) == math.copysign(1, number)


@pytest.mark.parametrize("text", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff", "\\ud800\\u0041", "\\ud800\\ud800"])
def test_a_string_that_cannot_be_stored_is_refused(text: str) -> None:
    assert refusal(f'{{"a":["ok","{text}"]}}'.encode()) == ("unsafe_text", "/a/1")
    assert refusal(f'{{"a":[{{"{text}":1}}]}}'.encode()) == ("unsafe_text", "/a/0")


@pytest.mark.parametrize("text", ["\\\\u0000", "\\ud83d\\ude00", "😀", "\\u0001", "\\uffff"])
def test_a_string_that_looks_dangerous_and_is_not_is_read(text: str) -> None:
    assert loads(f'["{text}"]'.encode()) == json.loads(f'["{text}"]')


def test_the_deepest_json_that_is_allowed_is_read() -> None:
    assert loads(nested(DEPTH_MAX, "1")) == orjson.loads(nested(DEPTH_MAX, "1"))


@pytest.mark.parametrize("levels", [DEPTH_MAX + 1, 200, 1_023, 1_025, 100_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    code, place = refusal(nested(levels))

    assert code == "too_deep"
    assert place in ("/0" * DEPTH_MAX, None)


def test_depth_cannot_be_hidden_behind_a_doubled_key() -> None:
    assert refusal(b'{"a":' + nested(1_000) + b',"a":1}')[0] in ("too_deep", "duplicate_key")


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_a_long_string_is_refused(letter: str) -> None:
    longest = letter * (STRING_MAX // len(letter.encode()))

    assert loads(orjson.dumps([longest])) == [longest]
    assert refusal(orjson.dumps({"a": [longest + letter]})) == ("string_too_long", "/a/0")
    assert refusal(orjson.dumps({longest + letter: 1})) == ("string_too_long", "")


def test_an_object_with_very_many_keys_is_refused() -> None:
    widest = {str(n): n for n in range(KEYS_MAX)}

    assert loads(orjson.dumps(widest)) == widest
    assert refusal(orjson.dumps([widest | {"one more": 1}])) == ("too_many_keys", "/0")


@given(st.binary(max_size=60))
def test_no_bytes_at_all_raise_anything_but_a_problem(body: bytes) -> None:
    with suppress(Problem):
        loads(body)
