"""Laws of the value types: what is in bounds survives the way out and back, what is not is refused in words.

Every type that the catalogue uses is drawn from, so a new declaration is under these laws from its first day.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.catalogue import ENTITIES
from erp_core.language import Field
from erp_core.values import (
    Choice,
    Day,
    Document,
    Flag,
    Instant,
    Integer,
    Number,
    Plain,
    PlainKind,
    Reference,
    Text,
    Unreadable,
    Value,
    ValueType,
    Words,
)

FIELDS = [(entity.name, field) for entity in ENTITIES for field in entity.all_fields]
TYPES = {repr(field.type): (f"{name}.{field.name}", field.type) for name, field in reversed(FIELDS)}
EVERY_TYPE = pytest.mark.parametrize("kind", [t for _, t in TYPES.values()], ids=[name for name, _ in TYPES.values()])

STORABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
"""What PostgreSQL stores; the wire refuses the rest before any field is asked."""
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(STORABLE, max_size=10)
JSON_VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(STORABLE, max_size=5), inner, max_size=3),
    max_leaves=5,
)
TEXTS = st.text(max_size=30) | st.sampled_from(["1e999", "[]", "{}", "[NaN]", "-0", "2026-W47-1"])
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SENT: dict[PlainKind, st.SearchStrategy[Plain]] = {"string": TEXTS, "number": NUMBERS, "boolean": st.booleans()}
"""What the wire lets through to a field: the JSON type is right and a number is finite."""


def values_of(kind: ValueType) -> st.SearchStrategy[Value]:  # noqa: C901 - one case per type
    """Draw values in bounds, in their inside form."""
    match kind:
        case Text(pattern=None, longest=longest):
            return st.text(min_size=1, max_size=min(longest, 40))
        case Text(pattern=pattern, longest=longest):
            assert pattern is not None
            return st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= longest)
        case Reference():
            return st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
        case Choice(words=words):
            return st.sampled_from(words)
        case Integer(least=lowest, most=highest):
            return st.integers(lowest, highest)
        case Number():
            return st.decimals(kind.least, kind.ceiling, places=kind.places)
        case Flag():
            return st.booleans()
        case Day():
            return st.dates()
        case Instant():
            whole = st.integers(0, 253_402_300_799_999)
            return whole.map(Instant().restore)
        case Words(allowed=allowed, longest=longest):
            word = (
                st.text(STORABLE, min_size=1, max_size=min(longest, 20))
                if allowed is None
                else st.sampled_from(allowed)
            )
            return st.lists(word, max_size=5).map(lambda words: tuple(sorted(set(words))))
        case Document():
            return st.dictionaries(st.text(STORABLE, max_size=8), JSON_VALUES, max_size=3)


@EVERY_TYPE
@given(data=st.data())
def test_value_in_bounds_survives_the_way_out_and_back(kind: ValueType, data: st.DataObject) -> None:
    value = data.draw(values_of(kind))

    plain = kind.plain(value)

    assert type(plain) in kind.accepts
    assert kind.read(plain) == value
    assert kind.restore(plain) == value


@EVERY_TYPE
@given(data=st.data())
def test_plain_form_survives_json_and_a_double(kind: ValueType, data: st.DataObject) -> None:
    """A phone keeps every number as a double and speaks JSON."""
    value = data.draw(values_of(kind))

    plain = json.loads(json.dumps(kind.plain(value)), parse_int=float)

    assert kind.read(plain) == value


@EVERY_TYPE
@given(data=st.data())
def test_whatever_is_sent_is_read_or_refused_in_words(kind: ValueType, data: st.DataObject) -> None:
    """Anything raised but `Unreadable` would be an error of ours; what is read has a plain form that reads back equal."""
    sent = data.draw(SENT[kind.plain_kind])

    try:
        value = kind.read(sent)
    except Unreadable as refusal:
        refused = refusal
    else:
        assert kind.read(kind.plain(value)) == value
        return

    assert refused.code
    assert str(refused)


@pytest.mark.parametrize("field", [f for _, f in FIELDS], ids=[f"{name}.{f.name}" for name, f in FIELDS])
def test_default_is_in_bounds(field: Field) -> None:
    if field.default is not None:
        assert field.type.read(field.type.plain(field.default)) == field.default


@given(plain=st.decimals(0, 10**9, places=4))
def test_number_is_rounded_half_to_even_to_its_places(plain: Decimal) -> None:
    read = Number(15, 2).read(str(plain))

    assert abs(read - plain) <= Decimal("0.005")
    assert read == round(plain, 2)


def test_number_of_16_digits_crosses_as_a_string() -> None:
    wide = Number(16, 2)

    assert wide.plain_kind == "string"
    assert wide.read("12345678901234.56") == Decimal("12345678901234.56")
    assert wide.plain(Decimal("12345678901234.56")) == "12345678901234.56"


@pytest.mark.parametrize("plain", [1.5, -1, 2**31, 1e300])
def test_integer_refuses_what_it_cannot_hold(plain: float) -> None:
    with pytest.raises(Unreadable):
        Integer().read(plain)


@pytest.mark.parametrize(
    "plain", ["2026-02-30", "20261123", "2026-W47-1", "2026-11-23T00:00Z", "", "soon", "10000-01-01"]
)
def test_day_is_a_day_of_the_calendar_in_one_spelling(plain: str) -> None:
    with pytest.raises(Unreadable):
        Day().read(plain)


def test_instant_keeps_milliseconds_and_day_has_no_zone() -> None:
    assert Instant().read(1_795_000_000_123) == datetime(2026, 11, 18, 11, 6, 40, 123_000, tzinfo=UTC)
    assert Day().read("2026-11-23") == date(2026, 11, 23)


@pytest.mark.parametrize("plain", ["[NaN]", "[1]", '["a", null]', '[""]', "{}", "nonsense", "[" * 5_000])
def test_words_are_refused_unless_they_are_an_array_of_words(plain: str) -> None:
    with pytest.raises(Unreadable):
        Words().read(plain)


@pytest.mark.parametrize("plain", ['{"a": Infinity}', "[]", "1", "nonsense", '{"a":' * 5_000])
def test_document_is_refused_unless_it_is_a_json_object(plain: str) -> None:
    with pytest.raises(Unreadable):
        Document().read(plain)
