"""State machines: what can be reached, and what phones may move to in one step after days without a signal."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.catalogue import ENTITIES
from erp_core.entities.availability import STATES as OFFER
from erp_core.entities.business_partner import STATES as PARTNER
from erp_core.entities.dispatch import STATES as LORRY
from erp_core.entities.quality_inspection import STATES as INSPECTION
from erp_core.entities.requirement import STATES as NEED
from erp_core.entities.trade import STATES as TRADE
from erp_core.language import States

MACHINES = [(entity.name, machine) for entity in ENTITIES for machine in entity.machines.values()]


@st.composite
def machines(draw: st.DrawFn) -> States:
    words = [f"s{n}" for n in range(draw(st.integers(1, 6)))]
    return States("state", {word: tuple(draw(st.lists(st.sampled_from(words), unique=True))) for word in words})


@given(machines(), st.data())
def test_reaching_is_reflexive_and_transitive_and_holds_every_move(machine: States, data: st.DataObject) -> None:
    a, b, c = (data.draw(st.sampled_from(machine.words)) for _ in range(3))

    assert machine.reaches(a, a)
    assert all(machine.reaches(a, following) for following in machine.moves[a])
    if machine.reaches(a, b) and machine.reaches(b, c):
        assert machine.reaches(a, c)


@given(machines(), st.data())
def test_what_is_reached_is_what_walking_reaches(machine: States, data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(machine.words))
    walked = {start}
    for _ in machine.words:
        walked |= {following for word in walked for following in machine.moves[word]}

    assert {word for word in machine.words if machine.reaches(start, word)} == walked


@pytest.mark.parametrize(
    ("machine", "start", "goal", "possible"),
    [
        (TRADE, "draft", "completed", True),
        (TRADE, "in_delivery", "cancelled", True),  # by way of a dispute
        (TRADE, "confirmed", "draft", False),
        (TRADE, "cancelled", "confirmed", False),
        (OFFER, "expired", "sold", True),  # extended, then sold
        (OFFER, "sold", "active", False),
        (NEED, "fulfilled", "open", False),
        (PARTNER, "draft", "approved", True),
        (PARTNER, "approved", "draft", False),
        (PARTNER, "rejected", "approved", True),  # corrected and submitted again
        (LORRY, "planned", "delivered", True),
        (LORRY, "delivered", "in_transit", False),
        (INSPECTION, "accepted", "disputed", False),
    ],
)
def test_moves_of_the_trade(machine: States, start: str, goal: str, possible: bool) -> None:
    assert machine.reaches(start, goal) is possible


@pytest.mark.parametrize(("entity", "machine"), MACHINES, ids=[f"{name}.{machine.field}" for name, machine in MACHINES])
def test_a_life_ends_or_can_be_taken_up_again(entity: str, machine: States) -> None:
    """No state is a trap by mistake: a life that goes on for ever can always go back to where it can be worked on."""
    ends = [word for word in machine.words if not machine.moves[word]]
    for word in machine.words:
        assert word in ends or any(following != word for following in machine.moves[word])


# --- What a move asks for ---------------------------------------------------------------------------------------------

CONFIRM, APPROVE = ("trade.approve",), ("partner.approve",)


@pytest.mark.parametrize(
    ("machine", "start", "goal", "asked"),
    [
        (TRADE, "draft", "confirmed", (CONFIRM,)),
        (TRADE, None, "confirmed", (CONFIRM,)),
        (TRADE, None, "draft", ()),
        (TRADE, "confirmed", "in_delivery", ()),
        (TRADE, "confirmed", "cancelled", (CONFIRM,)),
        (TRADE, "confirmed", "confirmed", ()),
        (PARTNER, "draft", "submitted", ()),
        (PARTNER, "submitted", "rejected", (APPROVE,)),
        (PARTNER, "rejected", "draft", ()),
        (INSPECTION, "submitted", "disputed", (("desk.write",),)),
        (INSPECTION, None, "submitted", ()),
        (LORRY, None, "delivered", ()),
    ],
)
def test_a_move_asks_for_the_codes_of_its_goal(
    machine: States, start: str | None, goal: str, asked: tuple[tuple[str, ...], ...]
) -> None:
    assert machine.asks(start, goal) == asked


@pytest.mark.parametrize("goal", ["in_delivery", "completed", "disputed"])
def test_a_state_that_cannot_be_gone_round_asks_too(goal: str) -> None:
    """A phone sends the last of several moves; delivering what was never confirmed is confirming it."""
    assert CONFIRM in TRADE.asks("draft", goal)


def test_a_state_that_can_be_gone_round_does_not_ask() -> None:
    lamp = States("state", {"new": ("on", "off"), "on": ("off",), "off": ()}, needs={"on": CONFIRM})

    assert lamp.asks("new", "off") == ()
    assert lamp.asks("new", "on") == (CONFIRM,)


@given(machines(), st.data())
def test_one_move_at_a_time_asks_for_no_less_than_all_at_once(machine: States, data: st.DataObject) -> None:
    needs = data.draw(st.dictionaries(st.sampled_from(machine.words), st.sampled_from([CONFIRM, APPROVE])))
    guarded = States(machine.field, machine.moves, needs=needs)
    walk = [data.draw(st.sampled_from(guarded.words))]
    for _ in range(data.draw(st.integers(1, 6))):
        walk.append(data.draw(st.sampled_from((walk[-1], *guarded.moves[walk[-1]]))))

    single = {codes for one, two in pairwise(walk) for codes in guarded.asks(one, two)}
    assert set(guarded.asks(walk[0], walk[-1])) <= single
