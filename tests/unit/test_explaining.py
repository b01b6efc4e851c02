"""What the merge did is told in the words of the trade, and nothing is told of what is hidden."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from conflict.merge import Outcome
from conflict.policies import LOCKED, UNKNOWN
from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity, Field
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Text, Words
from sync_server.engine.explaining import SENTENCES_MAX, sentence_of_record, sentences, suggestion
from sync_server.engine.policy_map import policies_of

TRADE, LOT, PARTNER = BY_NAME["trade"], BY_NAME["availability"], BY_NAME["business_partner"]
PRICE = Outcome(
    "price_per_candy",
    "locked",
    Decimal("61000.00"),
    Decimal("61000.00"),
    Decimal("160500.50"),
    Decimal("61000.00"),
    LOCKED,
)
BALES = Outcome("bales", "locked", 100, 100, 120, 100, LOCKED)


def value_of(field: Field) -> Any:
    match field.type:
        case Choice(words=words):
            return words[0]
        case Words(allowed=allowed):
            return (allowed or ("old",))[:1]
        case Integer(least=least):
            return least
        case Number(least=least):
            return least
        case Flag():
            return True
        case Day():
            return date(2026, 11, 3)
        case Instant():
            return datetime(2026, 11, 2, 20, 0, tzinfo=UTC)
        case Document():
            return {"staple_mm": 29}
        case Reference() | Text():
            return "a-word"


@pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
@pytest.mark.parametrize("language", ["en", "hi", "gu"])
def test_every_field_of_every_entity_can_be_told(entity: Entity, language: str) -> None:
    for field in entity.fields:
        policy, value = policies_of(entity)[field.name].name, value_of(field)
        told = sentences(entity, [Outcome(field.name, policy, UNKNOWN, None, value, value)], language)
        assert told, field.name
        assert "_id" not in told


def test_values_are_written_as_the_trade_writes_them() -> None:
    moment = datetime(2026, 11, 2, 20, 5, tzinfo=UTC)
    told = sentences(
        TRADE,
        [
            PRICE,
            Outcome("trade_date", "theirs", None, date(2026, 11, 3), date(2026, 12, 4), date(2026, 12, 4)),
            Outcome("state", "guarded", "draft", "in_delivery", "confirmed", "in_delivery"),
            Outcome("brokerage_pct", "theirs", Decimal("1.00"), Decimal("1.50"), Decimal("2.00"), Decimal("2.00")),
        ],
        "en",
    )
    departed = Outcome("departed_at", "newest", None, None, moment, moment)

    assert "Price per candy: this is settled" in told
    assert "(now: ₹61,000; you: ₹1,60,500.50)" in told
    assert "(others: 03-11-2026; you: 04-12-2026)" in told
    assert "(before: draft; others: in delivery; you: confirmed)" in told
    assert "(before: 1%; others: 1.50%; you: 2%)" in told
    assert "03-11-2026 01:35" in sentences(BY_NAME["dispatch"], [departed], "en"), "the clock of India"


def test_titles_states_and_words_are_told_in_the_language_of_the_reader() -> None:
    kinds = Outcome("kind", "bag", ("buyer",), ("buyer", "ginner"), ("broker", "buyer"), ("broker", "buyer", "ginner"))

    assert "प्रकार:" in sentences(PARTNER, [kinds], "hi")
    assert "अब: दलाल, ख़रीदार, जिनर" in sentences(PARTNER, [kinds], "hi")
    assert "હવે: દલાલ, ખરીદનાર, જીનર" in sentences(PARTNER, [kinds], "gu")
    assert sentences(PARTNER, [kinds], "fr") == sentences(PARTNER, [kinds], None) == sentences(PARTNER, [kinds], "en")


def test_nothing_of_a_hidden_field_is_told() -> None:
    told = sentences(TRADE, [PRICE, BALES], "en", hidden={"price_per_candy"})

    assert "Bales: " in told
    assert not any(word in told for word in ("Price", "61,000", "1,60,500"))
    assert told.endswith("A field that you do not see had a part in this.")
    assert sentences(TRADE, [PRICE], "gu", hidden={"price_per_candy"}) == "આમાં એક એવી વિગત પણ છે જે આપને દેખાતી નથી."


def test_who_changed_it_and_the_ids_of_other_records_are_not_told() -> None:
    buyer = Outcome("buyer_id", "theirs", "p-1", "p-2", "p-3", "p-3")
    noted = Outcome("updated_by", "ours", "asha", "bharat", "chandu", "bharat")

    scope = Outcome("scope_id", "once", "b1", "b1", "b2", "b1", "set_once")

    assert sentences(TRADE, [noted], "en") == ""
    assert sentences(BY_NAME["setting"], [scope], "en").endswith("there is a value already.")
    assert sentences(TRADE, [buyer], "en") == "Buyer: others changed it, too; your value was kept."
    named = sentences(TRADE, [buyer], "en", names={"p-1": "Old Mills", "p-2": "Amba Gin", "p-3": "New Mills"})
    assert named.endswith("(before: Old Mills; others: Amba Gin; you: New Mills)")


def test_what_is_told_fits_the_issue() -> None:
    note = "word " * 2000
    outcomes = [
        Outcome(field.name, "theirs", note, note, note + "more", note)
        for field in TRADE.fields
        if field.type == Text(200)
    ]

    told = sentences(TRADE, outcomes * 20, "gu")
    assert SENTENCES_MAX - 100 < len(told) <= SENTENCES_MAX + 1
    assert sentences(TRADE, [], "en") == ""


def test_why_a_record_waits_and_what_to_do_is_told() -> None:
    assert (
        sentence_of_record(LOT, "deleted_meanwhile", "en")
        == "Availability: others deleted it while you were changing it."
    )
    assert sentence_of_record(TRADE, "stale", "hi").startswith("सौदा: ")
    assert suggestion("locked", "en").startswith("Ask the office")
    assert suggestion("locked", "gu") != suggestion("locked", "hi")
