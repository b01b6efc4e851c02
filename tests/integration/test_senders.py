"""Senders against a gateway that fails: what it is asked, how often, and what nobody gets to see."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import structlog

from sync_server.identity import senders
from sync_server.identity.senders import ATTEMPTS, FAILURES, OPEN_SECONDS, ConsoleSender, Delivery, Message, SendFailed
from sync_server.operate.sms_gateway import HttpSender
from tests.harness.gateway import Gateway, gateway_here
from tests.harness.servers import free_port

TOKEN = "canary-token"
NUMBER = "+919825012345"
MESSAGE = Message(NUMBER, "123456 is your code.", "0" * 32, "1107160000000012345")


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with gateway_here() as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def sender(session: aiohttp.ClientSession, url: str, **how: Any) -> HttpSender:
    return HttpSender(session, url, **{"token": TOKEN, "as_form": False, **how})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


# --- What is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_form", "content"), [(False, "application/json"), (True, "application/x-www-form-urlencoded")]
)
async def test_the_gateway_gets_number_text_template_and_token(
    gateway: Gateway, session: aiohttp.ClientSession, as_form: bool, content: str
) -> None:
    await sender(session, gateway.url, as_form=as_form).send(MESSAGE)

    [(body, headers)] = gateway.asked
    assert body == {"to": NUMBER, "text": MESSAGE.text, "template_id": MESSAGE.template_id}
    assert headers["Content-Type"].startswith(content)
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Idempotency-Key"] == MESSAGE.key


async def test_what_is_not_set_is_not_sent(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    await sender(session, gateway.url, token=None).send(Message(NUMBER, "Hello"))

    [(body, headers)] = gateway.asked
    assert body == {"to": NUMBER, "text": "Hello"}
    assert not {"Authorization", "Idempotency-Key"} & headers.keys()


@pytest.mark.parametrize("status", [301, 307])
async def test_the_token_follows_no_redirect(gateway: Gateway, session: aiohttp.ClientSession, status: int) -> None:
    gateway.answers = [status]

    with pytest.raises(SendFailed) as failed:
        await sender(session, gateway.url).send(MESSAGE)
    assert not failed.value.again
    assert len(gateway.asked) == 1


async def test_a_gateway_that_does_not_answer_is_not_waited_for(
    gateway: Gateway, session: aiohttp.ClientSession
) -> None:
    gateway.stalls = True

    with pytest.raises(SendFailed, match="TimeoutError") as failed:
        await sender(session, gateway.url, times=aiohttp.ClientTimeout(total=0.1)).send(MESSAGE)
    assert failed.value.again


# --- What follows a failure -------------------------------------------------------------------------------------------


async def test_a_passing_failure_is_tried_again_under_the_same_key(
    gateway: Gateway, session: aiohttp.ClientSession
) -> None:
    gateway.answers = [503, 429]

    sent = await Delivery(sender(session, gateway.url), pause=0.01).send(MESSAGE)

    assert (sent.arrived, sent.attempts) == (True, 3)
    assert {headers["Idempotency-Key"] for _, headers in gateway.asked} == {MESSAGE.key}


async def test_attempts_are_bounded(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    gateway.answers = [500] * 10

    sent = await Delivery(sender(session, gateway.url), pause=0.001).send(MESSAGE)

    assert (sent.arrived, sent.attempts, len(gateway.asked)) == (False, ATTEMPTS, ATTEMPTS)


async def test_what_the_gateway_refuses_is_not_tried_again(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    gateway.answers = [400] * (FAILURES + 1)
    delivery = Delivery(sender(session, gateway.url), pause=0.001)

    for _ in range(FAILURES + 1):
        assert (await delivery.send(MESSAGE)).attempts == 1
    assert (await delivery.send(MESSAGE)).arrived  # a bad number is no sign that the gateway is down


async def test_a_gateway_that_is_down_is_spared_for_a_while(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    clock = Clock()
    gateway.answers = [500] * ATTEMPTS * FAILURES
    delivery = Delivery(sender(session, gateway.url), pause=0.001, clock=clock)
    for _ in range(FAILURES):
        await delivery.send(MESSAGE)

    asked = len(gateway.asked)
    assert (await delivery.send(MESSAGE)).attempts == 0
    assert len(gateway.asked) == asked
    clock.now += OPEN_SECONDS
    assert (await delivery.send(MESSAGE)).arrived


async def test_a_gateway_that_is_not_there_fails_every_message(session: aiohttp.ClientSession) -> None:
    delivery = Delivery(sender(session, f"http://127.0.0.1:{free_port()}/send?key=canary"), pause=0.001)

    assert not (await delivery.send(MESSAGE)).arrived


# --- What nobody gets to see ------------------------------------------------------------------------------------------


async def test_no_token_text_or_number_is_in_the_log(gateway: Gateway, session: aiohttp.ClientSession) -> None:
    gateway.answers = [500, 400, *([500] * ATTEMPTS * FAILURES)]
    nowhere = f"http://127.0.0.1:{free_port()}/{TOKEN}"
    with structlog.testing.capture_logs() as lines:
        delivery = Delivery(sender(session, gateway.url), pause=0.001)
        for _ in range(FAILURES + 3):
            await delivery.send(MESSAGE)
        await Delivery(sender(session, nowhere), pause=0.001).send(MESSAGE)

    assert len(lines) > FAILURES
    for secret in (TOKEN, "123456", NUMBER, NUMBER[3:]):
        assert secret not in str(lines)
    assert "123456" not in repr(MESSAGE)
    assert NUMBER not in repr(MESSAGE)


async def test_the_demo_shows_the_message_where_it_was_started() -> None:
    stream = io.StringIO()

    await ConsoleSender(stream).send(MESSAGE)

    assert stream.getvalue() == f"Message to {NUMBER}: {MESSAGE.text}\n"


async def test_pauses_between_attempts_grow_and_differ(
    gateway: Gateway, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    gateway.answers = [500] * 20
    delivery = Delivery(sender(session, gateway.url), pause=1.0)
    monkeypatch.setattr(senders, "asyncio", type("Sleepless", (), {"sleep": staticmethod(note)}))
    for _ in range(3):
        await delivery.send(MESSAGE)

    assert len(pauses) == len(set(pauses)) == 6
    assert all(0.5 <= pause <= 1.5 for pause in pauses[::2])
    assert all(1 <= pause <= 3 for pause in pauses[1::2])
