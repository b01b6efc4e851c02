"""Notifications outside of the app: by mail and push, when their readers want it, and never to who may not see them.

Planted at the end: one that is sent to who lost sight of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from erp_core.telling import Wishes
from sync_server.config import Settings
from sync_server.engine import outward as engine
from sync_server.engine.notices import follow
from sync_server.operate import outward as serving
from sync_server.operate.outward import LATE, LEASE, Outward, open_outlets
from sync_server.store import outward as store
from sync_server.store.outward import Address
from tests.harness.outlets import Postbox, Service, apns_here, certificate, expo_here, fcm_here, postbox_here
from tests.harness.world import USERS, House

AWAKE = Wishes(quiet_from=0, quiet_until=0)
READERS = ("agent2", "agent4")


@dataclass
class World:
    """A house whose people can be told, and what was told to whom."""

    house: House
    box: Postbox
    expo: Service
    fcm: Service
    apns: Service
    outward: Outward
    clock: list[datetime] = field(default_factory=list)

    async def trade(self, id: str, by: str = "agent1") -> None:
        """Have somebody write a trade that awaits approval, and those who may approve it told in the app."""
        await self.house.run(
            f"SET cotton.actor = '{by}'; INSERT INTO trades (org_id, id, number, branch_id, buyer_id, seller_id, commodity_id,"
            f" bales, price_per_candy, trade_date) VALUES ('org_a', '{id}', 'RJK/{id}', 'b1', 'p2', 'p1', 'lint', 5, 62000,"
            " '2026-11-20')"
        )
        await follow(self.house.database, self.house.standings, "org_a")

    async def wish(self, user: str, wishes: Wishes) -> None:
        async with self.house.database.acquire("org_a") as connection:
            await store.write_wishes(connection, "org_a", user, wishes)

    async def phone(self, user: str, service: str, token: str, id: str = "") -> None:
        """Give a user a phone that is reached by a service."""
        id = id or f"phone-{service}"
        await self.house.fetch("INSERT INTO device (org_id, id, user_id) VALUES ('org_a', $1, $2)", id, user)
        await self.house.fetch(
            "INSERT INTO session (org_id, id, user_id, device_id, expires_at)"
            " VALUES ('org_a', $1 || '-session', $2, $1, now() + interval '1 day')",
            *(id, user),
        )
        async with self.house.database.acquire("org_a") as connection:
            await store.write_address(connection, "org_a", Address(id, user, service, token))

    def to(self, user: str) -> list[EmailMessage]:
        return [mail for mail in self.box.mails if mail["To"] == f"{user}@example.com"]

    async def states(self) -> list[str]:
        found = await self.house.fetch(
            "SELECT state FROM notice_message WHERE user_id IN ('agent2', 'agent4') ORDER BY made_at, id"
        )
        return [row["state"] for row in found]


@pytest.fixture
async def world(house: House, tmp_path: Path) -> AsyncIterator[World]:
    await follow(house.database, house.standings, "org_a")
    await house.run(
        "DELETE FROM notifications; DELETE FROM notice_message;"
        "UPDATE users SET email = id || '@example.com' WHERE id IN ('agent2', 'agent4');"
        "UPDATE users SET language = 'hi' WHERE id = 'agent2'"
    )
    tls, trusted = certificate(tmp_path)
    async with AsyncExitStack() as here:
        box = await here.enter_async_context(postbox_here(tls))
        expo = await here.enter_async_context(expo_here("expo-token"))
        fcm, account = await here.enter_async_context(fcm_here(tmp_path))
        apns, key = await here.enter_async_context(apns_here(tls, tmp_path, "com.example.cotton"))
        chosen: dict[str, Any] = {
            "data": tmp_path,
            "mail_from": "cotton@example.com",
            "mail_url": box.url,
            "public_url": "https://cotton.example.com",
            "expo": True,
            "expo_url": expo.url,
            "expo_token": "expo-token",
            "fcm_url": fcm.url,
            "fcm_key_file": account,
            "apns_url": apns.url,
            "apns_key_file": key,
            "apns_key_id": "KEY0000000",
            "apns_team_id": "TEAM000000",
            "apns_topic": "com.example.cotton",
            "notice_ca_file": trusted,
        }
        outlets = await here.enter_async_context(open_outlets(Settings(**chosen)))
        clock = [datetime.now(UTC)]
        outward = Outward(house.database, house.standings, outlets, now=lambda: max(clock[-1], datetime.now(UTC)))
        made = World(house, box, expo, fcm, apns, outward, clock)
        for user in USERS:
            await made.wish(user, AWAKE if user in READERS else Wishes(email="never"))
        yield made


def text(mail: EmailMessage) -> str:
    body = mail.get_body()
    assert body is not None
    return str(body.get_content())


async def test_a_reader_is_told_by_mail_in_their_language_with_a_link(world: World) -> None:
    await world.trade("t7")
    assert await world.outward.look() > 0

    [mail] = world.to("agent4")
    assert mail["Subject"] == "A trade awaits your approval: RJK/t7"
    assert "https://cotton.example.com/console#/records/trades/t7" in text(mail)
    [hindi] = world.to("agent2")
    assert hindi["Subject"].startswith("एक सौदा आपकी मंज़ूरी की राह देख रहा है")
    assert world.box.logins >= 1
    assert await world.outward.look() == 0
    assert len(world.box.mails) == 2


async def test_phones_are_told_by_each_service_and_no_more_than_which_record(world: World) -> None:
    await world.phone("agent4", "expo", "ExponentPushToken[a]")
    await world.phone("agent4", "fcm", "fcm-token")
    await world.phone("agent4", "apns", "abcdef0123456789abcdef0123456789")
    await world.trade("t7")
    await world.outward.look()

    [(_, expo)], [(_, fcm)], [(_, apns)] = world.expo.taken, world.fcm.taken, world.apns.taken
    about = {"table": "trades", "record_id": "t7"}
    assert (
        expo["title"] == fcm["notification"]["title"] == apns["aps"]["alert"]["title"] == "A trade awaits your approval"
    )
    assert expo["data"].items() >= about.items()
    assert fcm["data"].items() >= about.items()
    assert apns.items() >= about.items()
    assert "RJK" not in str((expo, fcm, apns))
    await world.trade("t8")
    await world.outward.look()
    assert world.fcm.tokens == 1
    assert len(world.apns.taken) == 2


@pytest.mark.parametrize(
    ("service", "token", "error"),
    [
        ("expo", "ExponentPushToken[a]", "DeviceNotRegistered"),
        ("fcm", "fcm-token", "UNREGISTERED"),
        ("apns", "abcdef0123456789", "Unregistered"),
    ],
)
async def test_a_phone_that_has_no_such_app_any_more_is_forgotten(
    world: World, service: str, token: str, error: str
) -> None:
    getattr(world, service).refuse[token] = error
    await world.phone("agent4", service, token)
    await world.trade("t7")
    await world.outward.look()
    assert await world.house.one("SELECT count(*) FROM push_address") == 0
    assert "waiting" not in await world.states()


async def test_in_quiet_hours_nobody_is_told_and_afterwards_all_comes_in_one_mail(world: World) -> None:
    now = datetime.now(UTC)
    minute = now.hour * 60 + now.minute
    await world.wish("agent4", Wishes(quiet_from=(minute - 60) % 1440, quiet_until=(minute + 60) % 1440, zone="UTC"))
    await world.trade("t7")
    await world.trade("t8")
    await world.outward.look()
    assert world.to("agent4") == []
    assert len(world.to("agent2")) == 1 or len(world.to("agent2")) == 2

    world.clock.append(now + timedelta(minutes=61))
    await world.outward.look()

    [mail] = world.to("agent4")
    assert mail["Subject"] == "2 notices"
    assert "RJK/t7" in text(mail)
    assert "RJK/t8" in text(mail)


async def test_a_daily_mail_has_the_day_in_it_and_what_is_muted_or_unwanted_is_not_sent(world: World) -> None:
    now = datetime.now(UTC)
    soon = (now.hour * 60 + now.minute + 30) % 1440
    await world.wish("agent4", Wishes(email="daily", daily_at=soon, quiet_from=0, quiet_until=0, zone="UTC"))
    await world.wish("agent2", Wishes(muted=("trade.awaits_approval",)))
    for id in ("t7", "t8", "t9"):
        await world.trade(id)
    await world.outward.look()
    assert world.box.mails == []

    world.clock.append(now + timedelta(minutes=31))
    await world.outward.look()

    assert [mail["Subject"] for mail in world.box.mails] == ["3 notices"]


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE notifications SET read_at = now()",
        "UPDATE trades SET branch_id = 'b2'; DELETE FROM grants WHERE user_id = 'agent4';",
        "UPDATE users SET is_active = false WHERE id = 'agent4'",
        "DELETE FROM trades WHERE id = 't7'",
        "UPDATE users SET email = NULL WHERE id = 'agent4'",
    ],
    ids=["read", "out of sight", "disabled", "deleted", "no address"],
)
async def test_what_its_reader_is_not_to_be_told_any_more_is_not_sent(world: World, meanwhile: str) -> None:
    await world.wish("agent2", Wishes(email="never"))
    await world.trade("t7")
    await world.house.run(meanwhile)
    await world.outward.look()
    assert world.box.mails == []
    assert set(await world.states()) <= {"dropped"}


async def test_a_phone_that_is_revoked_logged_out_or_changed_hands_is_told_nothing(world: World) -> None:
    await world.phone("agent4", "expo", "ExponentPushToken[c]", "logged-out")
    await world.phone("agent4", "expo", "ExponentPushToken[a]", "revoked")
    await world.phone("agent4", "expo", "ExponentPushToken[b]", "handed-on")
    await world.trade("t7")
    await world.house.run(
        "UPDATE device SET state = 'revoked' WHERE id = 'revoked';"
        "UPDATE session SET revoked_at = now() WHERE device_id = 'logged-out';"
        "UPDATE device SET user_id = 'agent2' WHERE id = 'handed-on'"
    )
    await world.outward.look()
    assert world.expo.taken == []


async def test_an_app_that_was_installed_anew_is_told_once(world: World) -> None:
    await world.phone("agent4", "expo", "ExponentPushToken[a]", "before")
    await world.phone("agent4", "expo", "ExponentPushToken[a]", "anew")
    await world.trade("t7")
    await world.outward.look()
    assert len(world.expo.taken) == 1


async def test_what_a_server_cannot_take_now_is_tried_again_and_what_it_refuses_is_not(world: World) -> None:
    await world.wish("agent2", Wishes(email="never"))
    await world.phone("agent4", "expo", "ExponentPushToken[a]")
    world.expo.down = True
    world.box.answers = ["451 later"]
    await world.trade("t7")
    await world.outward.look()
    assert await world.states() == ["waiting", "waiting"]

    world.expo.down = False
    world.box.answers = ["550 no such mailbox"]
    world.clock.append(datetime.now(UTC) + timedelta(minutes=1))
    await world.outward.look()
    assert sorted(await world.states()) == ["failed", "sent"]
    world.clock.append(datetime.now(UTC) + timedelta(days=1))
    assert await world.outward.look() == 0


async def test_a_server_that_dies_over_noting_it_sends_the_same_mail_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.wish("agent2", Wishes(email="never"))
    await world.trade("t7")

    async def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Outward, "_note", dies)
        with pytest.raises(KeyboardInterrupt):
            await world.outward._drain("email")
    assert await world.outward.look() == 0  # it is that process's for a while
    world.clock.append(datetime.now(UTC) + LEASE + timedelta(seconds=1))
    await world.outward.look()

    first, second = world.to("agent4")
    assert first["Message-ID"] == second["Message-ID"]


async def test_what_was_taken_before_the_mail_server_hung_up_is_not_sent_again(world: World) -> None:
    await world.trade("t7")
    world.box.answers = ["", "hang up"]
    await world.outward.look()
    assert sorted(await world.states()) == ["sent", "waiting"]

    world.clock.append(datetime.now(UTC) + timedelta(minutes=1))
    await world.outward.look()

    assert sorted(mail["To"] for mail in world.box.mails) == [f"{user}@example.com" for user in READERS]


async def test_what_a_push_service_took_before_it_was_cut_off_is_not_sent_again(world: World) -> None:
    for user in READERS:
        await world.wish(user, replace(AWAKE, email="never"))
        await world.phone(user, "fcm", f"token-of-{user}", f"phone-of-{user}")
    world.fcm.breaks_after = 1
    await world.trade("t7")
    await world.outward.look()
    assert sorted(await world.states()) == ["sent", "waiting"]

    world.fcm.breaks_after = None
    world.clock.append(datetime.now(UTC) + timedelta(minutes=1))
    await world.outward.look()

    assert sorted(token for token, _ in world.fcm.taken) == [f"token-of-{user}" for user in READERS]


@pytest.mark.parametrize("error", ["BadDeviceToken", "DeviceTokenNotForTopic"])
async def test_a_server_that_is_set_up_wrongly_forgets_no_phone(world: World, error: str) -> None:
    world.apns.refuse["abcdef0123456789"] = error
    await world.phone("agent4", "apns", "abcdef0123456789")
    await world.trade("t7")
    await world.outward.look()
    assert await world.house.one("SELECT count(*) FROM push_address") == 1


async def test_who_was_too_slow_settles_nothing_of_another(world: World) -> None:
    await world.wish("agent2", Wishes(email="never"))
    await world.trade("t7")
    now = datetime.now(UTC)
    async with world.house.database.acquire_everywhere() as connection:
        (slow,) = await store.claim(connection, "email", 10, now=now, until=now + LEASE, late=LATE)
        later = now + LEASE + timedelta(seconds=1)
        (other,) = await store.claim(connection, "email", 10, now=later, until=later + LEASE, late=LATE)
        await store.settle(connection, [slow], "failed", "late")
        assert await world.states() == ["waiting"]
        await store.settle(connection, [other], "sent")
    assert await world.states() == ["sent"]


async def test_what_cannot_be_sent_while_it_is_ours_is_left_for_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.trade("t7")
    monkeypatch.setattr(serving, "MARGIN", LEASE + timedelta(minutes=1))
    await world.outward.look()
    assert (world.box.mails, set(await world.states())) == ([], {"waiting"})

    monkeypatch.undo()
    world.clock.append(datetime.now(UTC) + LEASE + timedelta(seconds=1))
    await world.outward.look()
    assert len(world.box.mails) == 2


async def test_several_processes_send_each_message_once(world: World) -> None:
    for n in range(6):
        await world.trade(f"t7{n}")
    await world.wish("agent4", AWAKE)
    await asyncio.gather(*(world.outward.look() for _ in range(2)))
    for user in READERS:
        said = "".join(map(text, world.to(user)))
        assert [said.count(f"RJK/t7{n}") for n in range(6)] == [1] * 6


async def test_what_is_told_cannot_add_a_header(world: World) -> None:
    await world.wish("agent2", Wishes(email="never"))
    await world.trade("t7")
    await world.house.run("UPDATE notifications SET body = E'RJK\\r\\nBcc: thief@example.com'")
    await world.outward.look()
    [mail] = world.to("agent4")
    assert mail["Bcc"] is None
    assert mail["Subject"] == "A trade awaits your approval: RJK Bcc: thief@example.com"


async def test_old_news_is_given_up_and_what_was_sent_long_ago_forgotten(world: World) -> None:
    world.box.answers = ["451 later"] * 99
    await world.trade("t7")
    await world.outward.look()
    world.clock.append(datetime.now(UTC) + LATE + timedelta(minutes=1))
    await world.outward.look()
    assert set(await world.states()) == {"dropped"}
    world.clock.append(datetime.now(UTC) + timedelta(days=31))
    await world.outward.look()
    assert await world.states() == []


# --- Planted ------------------------------------------------------------------------------------------------------------


async def test_one_that_is_sent_to_who_lost_sight_of_it_is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def all_of_it(_c: object, _s: object, _a: object, messages: Sequence[Any]) -> dict[str, engine.Told]:
        return {one.notification_id: engine.Told(one.notification_id, "x", "", "trades", "t7") for one in messages}

    monkeypatch.setattr(engine, "_told", all_of_it)
    await world.trade("t7")
    await world.house.run("DELETE FROM grants WHERE user_id = 'agent4'")
    await world.outward.look()
    assert len(world.to("agent4")) == 1
