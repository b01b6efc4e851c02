"""One-time codes by phone, over HTTP, PostgreSQL and a gateway: who gets in, how often, and what strangers learn."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from sync_server.identity import code_login
from sync_server.identity import outbox as outboxes
from sync_server.identity.code_rules import TooManyCodes
from sync_server.identity.codes import CodeRefused, Codes, Ticket, Wrong
from sync_server.identity.outbox import Item, Outbox
from sync_server.identity.secret_key import SecretKey
from sync_server.identity.senders import Delivery, Message
from sync_server.operate.sms_gateway import texts_of
from sync_server.operate.upkeep import one_round
from sync_server.store.unit_of_work import Busy
from sync_server.web import keys
from tests.harness.coded import ASHA, GONE, NOBODY, RAVI, App, other, settle
from tests.harness.counting import CountingDatabase
from tests.harness.gateway import all_sent, gateway_here
from tests.harness.servers import serve_here

Open = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture
def open_app(database_url: str, tmp_path: Path) -> Open:
    """Open a server with a gateway over the two organisations; keywords are settings."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[App]:
        await settle(database_url)
        async with (
            gateway_here() as gateway,
            serve_here(database_url, tmp_path, **{"sms_url": gateway.url, "limit_codes": "none", **settings}) as server,
        ):
            yield App(server, gateway, database_url)

    return opened


@pytest.fixture
async def app(open_app: Open) -> AsyncIterator[App]:
    async with open_app() as opened:
        yield opened


def told(answer: tuple[int, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Give an answer without what differs from request to request."""
    return answer[0], {name: value for name, value in answer[1].items() if name != "correlation_id"}


# --- Getting in -------------------------------------------------------------------------------------------------------


async def test_whoever_has_the_phone_gets_in(app: App) -> None:
    status, asked = await app.ask("98250 12345")
    assert status == 202
    assert asked == {"request_id": asked["request_id"], "expires_in": 600, "resend_after": 30, "digits": 6}

    status, grant = await app.verify(asked["request_id"], app.gateway.code_to(ASHA))
    assert status == 200
    assert (grant["org_id"], grant["user_id"], grant["device_id"]) == ("org.1", "asha", "device-1")
    headers = {"Authorization": f"Bearer {grant['access_token']}"}
    async with app.server.session.get("/api/v1/auth/sessions", headers=headers) as answer:
        assert answer.status == 200
    [happened] = await app.sql("SELECT detail FROM security_event WHERE kind = 'logged_in'")
    assert happened["detail"] == "code"


async def test_a_code_is_good_once(app: App) -> None:
    id, code = await app.code(ASHA)

    assert (await app.verify(id, code))[0] == 200
    assert (await app.verify(id, code))[1]["code"] == "code_refused"


async def test_of_fifty_who_try_a_code_at_once_one_gets_in(app: App) -> None:
    id, code = await app.code(ASHA)

    answers = await asyncio.gather(*(app.verify(id, code) for _ in range(50)))

    assert sorted(status for status, _ in answers) == [200] + [403] * 49
    assert {body["code"] for status, body in answers if status == 403} == {"code_refused"}
    assert len(await app.sql("SELECT FROM session")) == 1


async def test_what_cannot_be_used_is_one_answer(app: App) -> None:
    """Used, expired, tried too often, asked for by another device, for another purpose, or never: nobody learns which."""
    used = await app.code(ASHA)
    await app.verify(*used)
    app.device = "device-2"
    strange = await app.code(ASHA)
    app.device = "device-3"
    late = await app.code(ASHA)
    await app.sql("UPDATE code_request SET expires_at = now() WHERE id = $1", late[0])
    tried = await app.code(RAVI)
    for _ in range(5):
        assert (await app.verify(tried[0], other(tried[1])))[1]["code"] == "wrong_code"

    answers = [
        await app.verify(*used, device="device-1"),
        await app.verify(*strange, device="device-9"),
        await app.verify(*late),
        await app.verify(*tried),
        await app.verify("0" * 32, "123456"),
        await app.verify("no id\x01", "x"),
    ]

    assert {str(told(answer)) for answer in answers} == {str(told(answers[0]))}
    assert answers[0][1]["code"] == "code_refused"
    assert (await app.verify(*strange, device="device-2"))[0] == 200


async def test_a_wrong_code_tells_how_often_it_may_still_be_tried(app: App) -> None:
    id, code = await app.code(ASHA)

    left = [(await app.verify(id, other(code)))[1]["tries_left"] for _ in range(4)]

    assert left == [4, 3, 2, 1]
    assert (await app.verify(id, code))[0] == 200
    failed = []
    for _ in range(250):  # written after the answer
        failed = await app.sql("SELECT user_id FROM security_event WHERE kind = 'code_failed'")
        if len(failed) == 4:
            break
        await asyncio.sleep(0.02)
    assert [row["user_id"] for row in failed] == ["asha"] * 4


async def test_all_codes_of_a_number_together_take_ten_guesses_an_hour(app: App) -> None:
    for device in ("a", "b"):
        app.device = device
        id, code = await app.code(ASHA)
        for _ in range(5):
            assert (await app.verify(id, other(code)))[1]["code"] == "wrong_code"
    app.device = "c"
    third = await app.code(ASHA)

    status, refusal = await app.verify(*third)
    assert (status, refusal["code"]) == (429, "too_many_codes")
    assert 0 < refusal["retry_after"] <= 4200
    await app.sql("UPDATE code_request SET asked_at = asked_at - interval '71 minutes' WHERE id <> $1", third[0])
    assert (await app.verify(*third))[0] == 200


async def test_whoever_guesses_for_a_day_from_everywhere_gets_fifty_guesses(app: App) -> None:
    """50 of a million: the chance to get in is 5e-5 a day, however many devices and addresses there are."""
    codes, looked_at = codes_of(app), 0

    async def guess(request_id: str, device: str) -> bool:
        try:
            return isinstance(await codes.try_login(request_id, "x", device_id=device), Wrong)
        except (CodeRefused, TooManyCodes):
            return False

    for _ in range(12):
        asking = [codes.ask(ASHA, device_id=f"d{n}", address=f"203.0.113.{n}") for n in range(2)]
        asked = await asyncio.gather(*asking, return_exceptions=True)
        got = [(ticket.request_id, f"d{n}") for n, ticket in enumerate(asked) if isinstance(ticket, Ticket)]
        looked_at += sum(await asyncio.gather(*(guess(*each) for each in got * 8)))
        await app.pass_time("2 hours")

    assert looked_at == 50


async def test_a_code_is_given_back_when_the_database_is_too_busy_for_a_session(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    id, code = await app.code(ASHA)

    async def busy(*_: Any, **__: Any) -> None:
        raise Busy

    with monkeypatch.context() as patched:
        patched.setattr(code_login, "begin_session", busy)
        assert (await app.verify(id, code))[0] == 503
    assert (await app.verify(id, code))[0] == 200


# --- Several organisations --------------------------------------------------------------------------------------------


async def test_a_user_of_several_organisations_chooses_one(app: App) -> None:
    id, code = await app.code(RAVI)

    status, choice = await app.verify(id, code)
    assert (status, choice) == (
        200,
        {"choose": [{"org_id": "org.1", "name": "House org.1"}, {"org_id": "org.2", "name": "House org.2"}]},
    )
    assert (await app.verify(id, code, org_id="org.3"))[1]["code"] == "wrong_code"
    status, grant = await app.verify(id, code, org_id="org.2")
    assert (status, grant["org_id"], grant["user_id"]) == (200, "org.2", "ravi2")
    assert (await app.verify(id, code, org_id="org.1"))[1]["code"] == "code_refused"


async def test_of_many_who_choose_at_once_one_gets_in(app: App) -> None:
    id, code = await app.code(RAVI)

    answers = await asyncio.gather(*(app.verify(id, code, org_id=f"org.{1 + n % 2}") for n in range(20)))

    assert sorted(status for status, _ in answers) == [200] + [403] * 19


# --- What strangers learn ---------------------------------------------------------------------------------------------


async def test_asking_and_guessing_are_answered_alike_for_everybody(app: App) -> None:
    answers, refusals = [], []
    for number in (ASHA, NOBODY, GONE, RAVI):
        status, asked = await app.ask(number)
        refusals.append(told(await app.verify(asked["request_id"], "x")))
        answers.append((status, {**asked, "request_id": "…"}))

    assert all(answer == answers[0] for answer in answers)
    assert all(refusal == refusals[0] for refusal in refusals)
    assert [body["to"] for body, _ in app.gateway.asked] == [ASHA, RAVI]
    rows = await app.sql("SELECT phone, delivery, attempts FROM code_request ORDER BY asked_at")
    assert [tuple(row) for row in rows] == [
        (ASHA, "sent", 1),
        (NOBODY, "nobody", 0),
        (GONE, "nobody", 0),
        (RAVI, "sent", 1),
    ]


class Unsent:
    """A sender that must not be reached: what it is asked happens after the answer."""

    async def send(self, message: Message) -> None:
        raise AssertionError(message)


async def test_asking_and_guessing_are_the_same_statements_for_everybody(app: App) -> None:
    database = await CountingDatabase.open(app.url, pool_max=2)
    outbox = Outbox(database, Delivery(Unsent()), texts_of(app.server.settings), organisation_per_day=10)
    codes = Codes(database, SecretKey(b"x" * 32), outbox, countries=["91"], everybody_per_day=100)
    executed: dict[int, tuple[str, list[str], list[str]]] = {}
    try:
        for number in (NOBODY, ASHA, NOBODY, ASHA, GONE):
            database.statements.clear()
            ticket = await codes.ask(number, device_id=f"d{len(executed)}")
            asking = list(database.statements)
            await codes.try_login(ticket.request_id, "x", device_id=f"d{len(executed)}")
            executed[len(executed)] = (number, asking, database.statements[len(asking) :])
    finally:
        await database.close()

    assert outbox.waiting == 5
    assert all((asking, trying) == executed[0][1:] for _, asking, trying in executed.values())
    assert len(executed[0][1]) == 6
    assert not any("users" in statement for _, asking, trying in executed.values() for statement in (*asking, *trying))


async def test_asking_takes_as_long_for_a_number_that_nobody_has(app: App) -> None:
    """The same statements are what makes it so; the medians of interleaved requests are compared with much room."""
    await app.sql(
        "INSERT INTO users (org_id, id, username, name, phone)"
        " SELECT 'org.1', 'u' || n, 'u' || n, 'u', '+91982502' || 1000 + n FROM generate_series(0, 39) n"
    )
    times: dict[str, list[float]] = {"+919825021": [], "+919825031": []}
    for n in range(40):
        for prefix, taken in times.items():
            began = time.perf_counter()
            status, _ = await app.post("code", {"phone": f"{prefix}{n:03}"})
            taken.append(time.perf_counter() - began)
            assert status == 202
    await all_sent(app.server)

    known, unknown = (statistics.median(taken) for taken in times.values())
    assert len(app.gateway.asked) == 40
    assert abs(known - unknown) < max(0.005, min(known, unknown) / 2)


async def test_neither_code_nor_number_is_in_the_log_or_the_code_in_the_database(app: App) -> None:
    with structlog.testing.capture_logs() as lines:
        id, code = await app.code(ASHA)
        await app.verify(id, other(code))
        await app.verify(id, code)

    assert lines
    assert code not in str(lines)
    assert ASHA[3:] not in str(lines)
    [row] = await app.sql("SELECT code_request::text AS text FROM code_request")
    assert code not in row["text"].replace(id, "")


# --- What it may cost -------------------------------------------------------------------------------------------------


async def refusals_of(asking: list[Any]) -> list[BaseException]:
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(outcome, TooManyCodes) for outcome in outcomes if isinstance(outcome, BaseException))
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


def codes_of(app: App) -> Codes:
    assert app.server.app is not None
    return app.server.app[keys.CODES]


@pytest.mark.parametrize("number", [ASHA, NOBODY])
async def test_of_a_thousand_sends_to_a_number_five_leave_in_an_hour_and_ten_in_a_day(app: App, number: str) -> None:
    codes = codes_of(app)
    assert len(await refusals_of([codes.ask(number, device_id=f"d{n}") for n in range(1_000)])) == 995
    status, refusal = await app.ask(number, "another")
    assert (status, refusal["code"]) == (429, "too_many_codes")
    assert 3500 < refusal["retry_after"] <= 3600

    for _ in range(5):
        await app.pass_time("61 minutes")
        await refusals_of([codes.ask(number, device_id=f"d{n}") for n in range(20)])
    await all_sent(app.server)
    assert len(await app.sql("SELECT FROM code_request")) == 10
    assert len(app.gateway.asked) == (10 if number == ASHA else 0)
    status, refusal = await app.ask(number, "another")
    assert status == 429
    assert refusal["retry_after"] > 3600


async def test_of_a_thousand_sends_to_a_foreign_prefix_thirty_leave(open_app: Open) -> None:
    async with open_app(code_countries="91 971") as app:
        asking = [codes_of(app).ask(f"+97150123{n:04}", device_id=f"d{n}") for n in range(1_000)]

        assert len(await refusals_of(asking)) == 970
        await all_sent(app.server)
        assert (await app.ask("+971501230001"))[0] == 429
        assert (await app.ask(ASHA))[0] == 202


async def test_everybody_together_has_a_budget(open_app: Open) -> None:
    async with open_app(codes_per_day=20) as app:
        asking = [codes_of(app).ask(f"+9198250{n:05}", device_id=f"d{n}") for n in range(40)]

        assert len(await refusals_of(asking)) == 20
        refusal = (await app.ask(ASHA))[1]
        assert refusal["code"] == "too_many_codes"
        assert 4000 < refusal["retry_after"] <= 4320


async def test_what_an_organisation_may_not_spend_any_more_is_answered_like_everything_else(open_app: Open) -> None:
    """A refusal would say that the number is one of its people's."""
    async with open_app(codes_per_organisation=1) as app:
        first, second, nobody = [(await app.ask(n))[0] for n in (ASHA, RAVI, NOBODY)]
        third, _ = await app.ask(ASHA, "device-2")

        assert (first, second, third, nobody) == (202, 202, 202, 202)
        assert [body["to"] for body, _ in app.gateway.asked] == [ASHA, RAVI]  # Ravi's is paid by org.2
        rows = await app.sql("SELECT delivery FROM code_request ORDER BY asked_at")
        assert [row["delivery"] for row in rows] == ["sent", "sent", "nobody", "over_budget"]


async def test_a_refused_send_spends_nothing(app: App) -> None:
    await refusals_of([codes_of(app).ask(ASHA, device_id=f"d{n}") for n in range(200)])

    [row] = await app.sql(
        "SELECT extract(epoch FROM filled_until - now())::float8 AS f FROM code_budget WHERE name = 'everybody'"
    )
    assert row["f"] <= 5 * 86_400 / 10_000


# --- A bad network ----------------------------------------------------------------------------------------------------


async def test_a_repetition_gets_the_same_request_and_costs_no_message(app: App) -> None:
    answers = await asyncio.gather(*(app.ask(ASHA) for _ in range(20)))

    assert {status for status, _ in answers} == {202}
    assert len({body["request_id"] for _, body in answers}) == 1
    assert len(app.gateway.asked) == 1
    assert (await app.ask(ASHA, "device-2"))[1]["request_id"] != answers[0][1]["request_id"]
    await app.pass_time("31 seconds")
    status, again = await app.ask(ASHA)
    assert status == 202
    assert again["request_id"] != answers[0][1]["request_id"]
    assert len(app.gateway.asked) == 3
    assert (await app.verify(answers[0][1]["request_id"], app.gateway.code_to(ASHA)))[1]["code"] == "wrong_code"


async def test_without_a_device_the_network_is_what_repeats(app: App) -> None:
    one, two = [(await app.post("code", {"phone": ASHA}))[1] for _ in range(2)]

    assert one["request_id"] == two["request_id"]


async def test_a_used_request_is_not_repeated(app: App) -> None:
    await app.log_in(ASHA)

    assert (await app.verify(*await app.code(ASHA)))[0] == 200


async def test_a_gateway_that_is_down_leaves_the_answer_and_the_next_code_alone(app: App) -> None:
    app.gateway.answers = [400]
    status, _ = await app.ask(ASHA)
    [row] = await app.sql("SELECT delivery, attempts FROM code_request")

    assert (status, row["delivery"], row["attempts"]) == (202, "failed", 1)
    await app.pass_time("31 seconds")
    assert (await app.log_in(ASHA))["user_id"] == "asha"


async def test_a_full_outbox_sends_phones_away(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "WAITING_MAX", 3)
    async with open_app() as app:
        app.gateway.stalls = True
        for _ in range(100):
            if (waiting := codes_of(app).outbox).waiting < 3:
                waiting.put(Item(ASHA, "123456"))
            await asyncio.sleep(0.01)

        status, refusal = await app.post("code", {"phone": NOBODY})
        assert (status, refusal["code"]) == (503, "busy")
        app.gateway.release()
        await all_sent(app.server)
        assert (await app.post("code", {"phone": NOBODY}))[0] == 202


# --- Edges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phone", ["12345", "", "asha", "+14155550123", "+912266001234", "9" * 400, "+91 98250 1234"])
async def test_a_number_that_no_code_can_go_to_is_told(app: App, phone: str) -> None:
    status, problem = await app.post("code", {"phone": phone})

    assert (status, problem["code"], problem["pointer"]) == (422, "invalid_value", "/phone")


async def test_without_a_way_to_send_there_are_no_codes(open_app: Open) -> None:
    async with open_app(sms_url=None, demo=False) as app:
        assert (await app.post("code", {"phone": ASHA}))[1]["code"] == "codes_unavailable"
        assert (await app.verify("0" * 32, "123456"))[1]["code"] == "codes_unavailable"


async def test_old_codes_and_empty_budgets_are_forgotten(app: App) -> None:
    await app.code(ASHA)
    await app.pass_time("49 hours")
    await app.sql("UPDATE code_budget SET filled_until = now()")
    assert app.server.app is not None

    await one_round(app.server.app[keys.DATABASE], tombstone_days=1, receipt_days=1)

    assert await app.sql("SELECT FROM code_request") == []
    assert await app.sql("SELECT FROM code_budget") == []
