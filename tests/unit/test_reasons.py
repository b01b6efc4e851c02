"""Every reason for which a pushed record is refused is said in Hindi and Gujarati, too (erp_core/titles/__init__.py)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from erp_core.catalogue import BY_NAME
from erp_core.language import Violation
from erp_core.titles import LANGUAGES, reasons_gu, reasons_hi
from sync_server.engine.explaining import sentence_of_rule

ROOT = Path(__file__).parents[2]
LATIN = re.compile("[A-Za-z]")
SCRIPTS = {"hi": re.compile("[\u0900-\u097f]"), "gu": re.compile("[\u0a80-\u0aff]")}
REASONS = {"hi": reasons_hi.REASONS, "gu": reasons_gu.REASONS}


def codes_in(path: Path) -> Iterator[str]:
    """Give the codes that a module gives as reasons: literally, or by a constant of its own."""
    tree = ast.parse(path.read_text())
    constants = {
        node.target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("Violation", "Unreadable", "Objection")
        ):
            match node.args:
                case [ast.Constant(value=str(code)), *_]:
                    yield code
                case [ast.Name(id=name), *_] if name in constants:
                    yield str(constants[name])


def given() -> set[str]:
    paths = [*(ROOT / "erp_core").rglob("*.py"), *(ROOT / "sync_server" / "engine").glob("*.py")]
    return {code for path in paths for code in codes_in(path)}


def test_every_language_but_english_has_its_sentences() -> None:
    assert ("en", *REASONS) == LANGUAGES


@pytest.mark.parametrize("language", REASONS)
def test_every_reason_has_a_sentence_and_every_sentence_a_reason(language: str) -> None:
    assert len(given()) > 90
    assert REASONS[language].keys() == given()


@pytest.mark.parametrize("language", REASONS)
def test_sentences_are_in_their_own_script_and_end(language: str) -> None:
    for code, said in REASONS[language].items():
        assert SCRIPTS[language].search(said), code
        assert not LATIN.search(said), code
        assert said.endswith(("।", ".")), code
        assert not any(other.search(said.replace("।", "")) for name, other in SCRIPTS.items() if name != language), code


def test_fields_are_named_with_what_was_sent_and_hidden_ones_are_not() -> None:
    trade = BY_NAME["trade"]
    fault = Violation("not_enough_bales", "Only 40 bales are left.", ("bales", "availability_id"))
    sent = {"bales": 12_000, "availability_id": "lot-1"}

    assert sentence_of_rule(trade, fault, sent, "en", ()) == "Only 40 bales are left."
    assert sentence_of_rule(trade, fault, sent, "hi", ()).startswith("गांठें (12,000), ")
    assert "lot-1" not in sentence_of_rule(trade, fault, sent, "hi", ())
    assert "12,000" not in sentence_of_rule(trade, fault, sent, "hi", ("bales",))
