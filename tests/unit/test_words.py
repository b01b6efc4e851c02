"""Words and documents inside a string: what the outer JSON refuses must not come in by an escape of the inner one."""

from __future__ import annotations

import pytest

from erp_core.values import Document, Unreadable, Words


@pytest.mark.parametrize("inner", ['["\\u0000"]', '["a\\ud800"]'])
def test_word_that_cannot_be_stored_is_refused(inner: str) -> None:
    with pytest.raises(Unreadable, match="cannot be stored"):
        Words().read(inner)


def test_document_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(Unreadable, match="cannot be stored"):
        Document().read('{"a": ["\\u0000"]}')


def test_escapes_of_what_can_be_stored_are_read() -> None:
    assert Words().read('["\\u0a95", "\\\\u0000"]') == ("\\u0000", "ક")
