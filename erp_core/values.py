"""The value types of a field: what a value is, and how it is read from its plain form.

Owns: for each type, the Python value inside (`Decimal`, `date`, `datetime`, `tuple`…), the *plain form* outside
(string, number, boolean or null: what a phone, a spreadsheet or a JSON document can carry), and the bounds.
Must not know: SQL, JSON text, sync. Floats exist only as the plain form of a number; inside, a number is int or Decimal.
`read` takes a plain form from outside and checks it; `restore` takes one that the database made and checks nothing: what
SQL stored out of bounds must still be readable, or one such row would block every push that touches it.
Invariant: `read(plain(v)) == v == restore(plain(v))` for every value v in bounds (tests/properties/test_values.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

Plain: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Any
"""str | int | Decimal | bool | date | datetime | tuple[str, ...] | Mapping[str, Plain] | None, as the field's type says."""

PlainKind: TypeAlias = Literal["string", "number", "boolean"]

SAFE_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""WatermelonDB, "Implementing your Sync backend", pull rule 11: other characters are unsafe in its SQL and URLs."""

_ONE_SPELLING: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST_MILLISECOND: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant that datetime can hold


class Unreadable(ValueError):
    """A value has the right JSON type and still cannot be used; `code` is stable, the text is for a person."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


_TEXT_OR_NULL: Final[frozenset[type]] = frozenset({str, type(None)})
_NUMBER_OR_NULL: Final[frozenset[type]] = frozenset({int, float, type(None)})
_BOOLEAN_OR_NULL: Final[frozenset[type]] = frozenset({bool, type(None)})
_STRING_OR_NUMBER_OR_NULL: Final[frozenset[type]] = frozenset({str, int, float, type(None)})


@dataclass(frozen=True, slots=True)
class Text:
    """A line or a page of text: at most `longest` characters, optionally of a pattern that `example` satisfies."""

    longest: int = 200
    pattern: re.Pattern[str] | None = None
    example: str = ""

    plain_kind: PlainKind = "string"
    accepts: frozenset[type] = _TEXT_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        if len(plain) > self.longest:
            raise Unreadable("too_long", f"is {len(plain)} characters long; at most {self.longest} are allowed")
        if self.pattern is not None and plain and not self.pattern.fullmatch(plain):
            raise Unreadable("malformed", f"does not look like {self.example!r}")
        return plain

    def restore(self, plain: Plain) -> Value:
        return plain

    def plain(self, value: Value) -> Plain:
        return str(value)


@dataclass(frozen=True, slots=True)
class Reference:
    """The id of a row of another entity of the same organisation; `entity` is its name in the catalogue."""

    entity: str

    plain_kind: PlainKind = "string"
    accepts: frozenset[type] = _TEXT_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        if not SAFE_ID.fullmatch(plain):
            raise Unreadable("malformed", "is not an id: 1 to 64 letters, digits, '_', '.' or '-'")
        return plain

    def restore(self, plain: Plain) -> Value:
        return plain

    def plain(self, value: Value) -> Plain:
        return str(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a closed list."""

    words: tuple[str, ...]

    plain_kind: PlainKind = "string"
    accepts: frozenset[type] = _TEXT_OR_NULL

    def read(self, plain: Plain) -> Value:
        if plain not in self.words:
            raise Unreadable("unknown_choice", f"is {plain!r}; it can be {', '.join(self.words)}")
        return plain

    def restore(self, plain: Plain) -> Value:
        return plain

    def plain(self, value: Value) -> Plain:
        return str(value)


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within bounds, both included."""

    least: int = 0
    most: int = 2_147_483_647

    plain_kind: PlainKind = "number"
    accepts: frozenset[type] = _NUMBER_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, (int, float))
        if isinstance(plain, float) and not plain.is_integer():
            raise Unreadable("not_whole", f"is {plain}; a whole number is needed")
        whole = int(plain)
        if not self.least <= whole <= self.most:
            raise Unreadable("out_of_bounds", f"is {whole}; it must be between {self.least} and {self.most}")
        return whole

    def restore(self, plain: Plain) -> Value:
        assert isinstance(plain, (int, float))
        return int(plain)

    def plain(self, value: Value) -> Plain:
        return int(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal of `digits` significant digits, `places` of them after the point, with its unit and bounds.

    Crosses the wire as a number if it has at most 15 digits (a JavaScript double then holds it exactly), else as a
    string. More places than declared are rounded half to even, the way Indian invoices are.

    >>> Number(digits=10, places=2).read(62000.129)
    Decimal('62000.13')
    """

    digits: int
    places: int
    unit: str = ""
    least: Decimal = Decimal(0)
    most: Decimal | None = None

    plain_kind: PlainKind = "number"
    accepts: frozenset[type] = _NUMBER_OR_NULL
    step: Decimal = field(init=False, compare=False)
    """The last place."""
    ceiling: Decimal = field(init=False, compare=False)
    """The largest value that fits: the declared bound or the digits."""

    def __post_init__(self) -> None:
        step = Decimal(1).scaleb(-self.places)
        largest = Decimal(10) ** (self.digits - self.places) - step
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "ceiling", largest if self.most is None else self.most)
        if self.digits > 15:
            object.__setattr__(self, "plain_kind", "string")
            object.__setattr__(self, "accepts", _STRING_OR_NUMBER_OR_NULL)

    def read(self, plain: Plain) -> Value:
        try:
            exact = Decimal(repr(plain) if isinstance(plain, float) else str(plain))
        except InvalidOperation:
            raise Unreadable("not_a_number", f"is {plain!r}; a decimal number is needed") from None
        if not exact.is_finite():
            raise Unreadable("not_a_number", f"is {plain!r}; a finite number is needed")
        if not self.least <= exact <= self.ceiling:
            raise Unreadable("out_of_bounds", f"is {exact}; it must be between {self.least} and {self.ceiling}")
        return exact.quantize(self.step, rounding=ROUND_HALF_EVEN)

    def restore(self, plain: Plain) -> Value:
        return Decimal(repr(plain) if isinstance(plain, float) else str(plain)).quantize(self.step)

    def plain(self, value: Value) -> Plain:
        return str(value) if self.plain_kind == "string" else float(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    plain_kind: PlainKind = "boolean"
    accepts: frozenset[type] = _BOOLEAN_OR_NULL

    def read(self, plain: Plain) -> Value:
        return bool(plain)

    def restore(self, plain: Plain) -> Value:
        return plain

    def plain(self, value: Value) -> Plain:
        return bool(value)


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day, 'YYYY-MM-DD' (ISO 8601), without a time zone: a due date is a day wherever it is read."""

    plain_kind: PlainKind = "string"
    accepts: frozenset[type] = _TEXT_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        try:
            if not _ONE_SPELLING.fullmatch(
                plain
            ):  # Python also reads 20261123 and 2026-W47-1, which no phone sorts right
                raise ValueError
            return date.fromisoformat(plain)
        except ValueError:
            raise Unreadable("not_a_date", f"is {plain!r}; a day such as 2026-11-23 is needed") from None

    def restore(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        return date.fromisoformat(plain)

    def plain(self, value: Value) -> Plain:
        assert isinstance(value, date)
        return value.isoformat()


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in UTC; its plain form is whole milliseconds since 1970, as JavaScript and WatermelonDB count."""

    plain_kind: PlainKind = "number"
    accepts: frozenset[type] = _NUMBER_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, (int, float))
        if not 0 <= plain <= _LAST_MILLISECOND:
            raise Unreadable("not_a_time", f"is {plain}; milliseconds since 1970 are needed")
        return _EPOCH + int(plain) * _MILLISECOND

    def restore(self, plain: Plain) -> Value:
        assert isinstance(plain, (int, float))
        return _EPOCH + int(plain) * _MILLISECOND

    def plain(self, value: Value) -> Plain:
        assert isinstance(value, datetime)
        return (value - _EPOCH) // _MILLISECOND


@dataclass(frozen=True, slots=True)
class Words:
    """A set of short words, at most `most`; its plain form is a JSON array in a string, as WatermelonDB's @json keeps it.

    Inside it is a sorted tuple without doubles, so that equal sets are equal values.
    """

    allowed: tuple[str, ...] | None = None
    most: int = 50
    longest: int = 80

    plain_kind: PlainKind = "string"
    accepts: frozenset[type] = _TEXT_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        if len(plain) <= _FAMILIAR:
            return _familiar_words(self.allowed, self.most, self.longest, plain)
        return _words(self.allowed, self.most, self.longest, plain)

    def restore(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        return tuple(sorted(set(json.loads(plain))))

    def plain(self, value: Value) -> Plain:
        return json.dumps(list(value), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Document:
    """A small JSON object in a string: quality bases, a refused payload. At most `longest` characters."""

    longest: int = 20_000

    plain_kind: PlainKind = "string"
    accepts: frozenset[type] = _TEXT_OR_NULL

    def read(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        if len(plain) > self.longest:
            raise Unreadable("too_long", f"is {len(plain)} characters long; at most {self.longest} are allowed")
        return _json(plain, dict, "a JSON object")

    def restore(self, plain: Plain) -> Value:
        assert isinstance(plain, str)
        return json.loads(plain)

    def plain(self, value: Value) -> Plain:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


_FAMILIAR: Final = 200
"""Characters; shorter sets of words (a partner's kinds, tags) are few and come again and again."""


def _words(allowed: tuple[str, ...] | None, most: int, longest: int, plain: str) -> tuple[str, ...]:
    words = _json(plain, list, "a JSON array of words")
    if len(words) > most:
        raise Unreadable("too_many", f"has {len(words)} words; at most {most} are allowed")
    for word in words:
        if not isinstance(word, str) or not 0 < len(word) <= longest:
            raise Unreadable("malformed", f"holds {word!r}; words of 1 to {longest} characters are needed")
        if allowed is not None and word not in allowed:
            raise Unreadable("unknown_choice", f"holds {word!r}; it can hold {', '.join(allowed)}")
    return tuple(sorted(set(words)))


_familiar_words = lru_cache(maxsize=4096)(_words)


def _json(plain: Plain, kind: type, what: str) -> Any:
    assert isinstance(plain, str)
    try:
        found = _DECODER.decode(plain)
    except (ValueError, RecursionError):
        raise Unreadable("malformed", f"is not {what}") from None
    if not isinstance(found, kind):
        raise Unreadable("malformed", f"is not {what}")
    if "\\u" in plain and not _storable(found):
        raise Unreadable("malformed", "holds a NUL character or half a character, which cannot be stored")
    return found


def _storable(found: Any) -> bool:
    """Say whether PostgreSQL can store every string in `found`: escapes can write what the outer JSON refused."""
    written = json.dumps(found, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return "\\u0000" not in written.replace("\\\\", "")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
"""JSON without NaN and Infinity; made once, because json.loads would make one per call (9 µs)."""


ValueType: TypeAlias = Text | Reference | Choice | Integer | Number | Flag | Day | Instant | Words | Document

Reader: TypeAlias = Callable[[Plain], Value]
Row: TypeAlias = Mapping[str, Value]
"""One row of an entity: field name -> value, inside form, every field of the entity present."""
