"""Problems: what is in the registry is complete, and nothing is raised that is not in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import orjson
import pytest

from sync_server.wire.problems import POINTER_MAX, REGISTRY, TYPE_PREFIX, Problem, pointer, shown

SOURCE = Path(__file__).parents[2] / "sync_server"


def raised_codes() -> Iterator[tuple[str, str]]:
    """Give (file, code) of each `Problem("code", …)` in the server's source."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Problem"
                and node.args
            ):
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    yield path.name, str(code.value)


def test_every_code_that_is_raised_is_registered() -> None:
    unregistered = [(file, code) for file, code in raised_codes() if code not in REGISTRY]

    assert unregistered == []


CHECKSUM_MISMATCH = 460
"""A status of tus 1.0.0, which HTTP does not have."""


@pytest.mark.parametrize("code", REGISTRY)
def test_every_code_says_what_is_wrong_and_what_to_do(code: str) -> None:
    fixed = REGISTRY[code]

    if fixed.status != CHECKSUM_MISMATCH:
        assert HTTPStatus(fixed.status) >= HTTPStatus.BAD_REQUEST
    assert fixed.title[0].isupper()
    assert not fixed.title.endswith(".")
    assert fixed.sentence.endswith(".")
    assert fixed.sentence != fixed.title


def test_a_document_has_the_members_of_rfc_9457_and_ours() -> None:
    problem = Problem("unknown_table", "The table frobs is not known.", pointer=pointer("frobs"), tables=["trades"])

    document = problem.document("abc")

    assert document == {
        "type": TYPE_PREFIX + "unknown_table",
        "title": REGISTRY["unknown_table"].title,
        "status": 422,
        "detail": "The table frobs is not known.",
        "code": "unknown_table",
        "pointer": "/frobs",
        "tables": ["trades"],
        "correlation_id": "abc",
    }
    assert orjson.loads(orjson.dumps(document)) == document


def test_a_problem_without_a_place_names_none() -> None:
    document = Problem("busy").document("abc")

    assert "pointer" not in document
    assert document["detail"] == REGISTRY["busy"].sentence


def test_an_unregistered_code_fails_at_once() -> None:
    with pytest.raises(AssertionError, match="frobbed"):
        Problem("frobbed")


def test_the_members_of_the_document_cannot_be_replaced() -> None:
    with pytest.raises(AssertionError, match="correlation_id"):
        Problem("busy", correlation_id="forged")


def test_a_pointer_escapes_what_rfc_6901_says() -> None:
    assert pointer("a/b", "m~n", 0, "") == "/a~1b/m~0n/0/"
    assert pointer() == ""


def test_an_answer_does_not_grow_with_the_keys_of_the_client() -> None:
    assert Problem("unknown_table", pointer=pointer("x" * 10_000)).pointer == "/" + "x" * (POINTER_MAX - 1)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("phne", "'phne'"),
        ("__proto__", "'__proto__'"),
        ("price per candy", "'price per candy'"),
        ("<script>alert(1)</script>", "'?script?alert?1???script?'"),
        ("a\r\nSet-Cookie: x", "'a??Set-Cookie? x'"),
        ("\x1b[2J\u202e\x00'\"", "'??2J????'"),
        ("कपास", "'????'"),
    ],
)
def test_a_name_of_the_client_is_quoted_in_harmless_characters(name: str, quoted: str) -> None:
    assert shown(name) == quoted


def test_a_quoted_name_does_not_grow_with_what_was_sent() -> None:
    assert len(shown("x" * 10_000)) < 80


def test_a_pointer_holds_nothing_that_a_terminal_obeys() -> None:
    told = Problem("unknown_table", pointer=pointer("a\x1b[2J\r\n\x9b\u2028\ud800b", "कपास")).pointer or ""

    assert told.isprintable()
    assert told.endswith("b/कपास")
