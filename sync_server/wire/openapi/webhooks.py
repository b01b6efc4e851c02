"""Webhooks and their deliveries, described.

Owns: the shapes of their bodies and answers. The message that an endpoint gets is in docs/PROTOCOL.md.
Must not know: how anything is sent.
Invariant: what is here is what web/webhooks.py and webhook_deliveries.py read and answer (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Body, Operation, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    choice,
    flag,
    id_of,
    listed,
    moment,
    or_null,
    ref,
    shape,
    text,
    whole,
)
from sync_server.wire.webhooks import (
    DELIVERY_STATES,
    EVENTS_MAX,
    NAME_MAX,
    PAGE_MAX,
    SCOPES_MAX,
    STATES,
    URL_MAX,
)

TAG: Final = "Webhooks"

_SAID: Final[Mapping[str, Schema]] = {
    "url": text(
        "Where messages go: https, a public host, port 443.", most=URL_MAX, examples=["https://example.com/in"]
    ),
    "name": text("What people call it.", most=NAME_MAX),
    "events": listed(
        text(examples=["trades.*"]),
        "Which events: `trades.updated`, `trades.confirm` (a step by the name of its command), `trades.*`, `*`.",
        maxItems=EVENTS_MAX,
    ),
    "scopes": listed(
        text(examples=["branch:rajkot"]),
        "Only of records in one of these scopes when it happened; empty: any that the owner sees.",
        maxItems=SCOPES_MAX,
    ),
}
_WEBHOOK: Final[Mapping[str, Schema]] = {
    "id": id_of("the webhook"),
    "owner_id": id_of("the user by whose rights messages are made"),
    **_SAID,
    "state": choice("active", "paused", "broken", help="Broken: its endpoint keeps failing and is only probed."),
    "reason": text("Why it is not active: `person`, `gone` (it answered 410), or the last error."),
    "failures": whole("Attempts in a row that failed.", least=0),
    "closed_until": or_null(moment("When a broken endpoint is probed next.")),
    "secret_before_until": or_null(moment("Until when the secret before signs, too.")),
    "made_at": moment("When it was made."),
    "changed_at": moment("When it was changed last."),
}
_DELIVERY: Final[Mapping[str, Schema]] = {
    "id": text("What the header `webhook-id` says, of every attempt.", examples=["msg_5f0c3b7d9a1e2f40_2199023255553"]),
    "type": text("What happened.", examples=["trades.updated"]),
    "state": choice(*DELIVERY_STATES, help="Withheld: the owner may not see it, or the log no longer has it."),
    "attempts": whole("How often it was tried.", least=0),
    "made_at": moment("When it was queued."),
    "next_at": or_null(moment("When it is tried next.")),
    "tried_at": or_null(moment("When it was tried last.")),
    "status": or_null(whole("What the endpoint answered last.")),
    "error": text(
        "Why the last attempt failed: refused, redirected, gone, timed_out, unreachable, unresolved, unreadable, tls, walled,"
        " no_secret; empty: it did not."
    ),
    "ms": or_null(whole("How long the last attempt took, in milliseconds.")),
}
SCHEMAS: Final[Mapping[str, Schema]] = {
    "Webhook": shape(_WEBHOOK),
    "WebhookWithSecret": shape({**_WEBHOOK, "secret": text("The secret; it is never shown again.")}),
    "WebhookDelivery": shape(_DELIVERY),
}

_ID: Final = path("webhook_id", id_of("the webhook"))
_NOT: Final = ("not_found",)
_SHAPES: Final = ("unknown_member", "invalid_value", "wrong_type")
_QUEUED: Final = {202: Answer("How many were queued.", shape({"queued": whole(least=0)}))}
_ONE: Final = {200: Answer("The webhook.", ref("Webhook"))}
_LOG: Final = "/api/v1/webhooks/{webhook_id}/deliveries"

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/webhooks"): Operation(
        *("listWebhooks", TAG, "List the webhooks of the organisation"),
        {200: Answer("All of them, the oldest first.", shape({"webhooks": listed(ref("Webhook"))}))},
    ),
    ("POST", "/api/v1/webhooks"): Operation(
        *("makeWebhook", TAG, "Have an endpoint told of changes, by the asker's rights; needs a fresh login"),
        {201: Answer("The webhook, with its secret.", ref("WebhookWithSecret"))},
        body=Body(shape(_SAID, optional=("name", "scopes")), {"url": "https://example.com/in", "events": ["trades.*"]}),
        codes=(*_SHAPES, "missing_field", "fresh_login_needed"),
    ),
    ("GET", "/api/v1/webhooks/{webhook_id}"): Operation(
        *("readWebhook", TAG, "Read a webhook", _ONE), parameters=(_ID,), codes=_NOT
    ),
    ("PATCH", "/api/v1/webhooks/{webhook_id}"): Operation(
        *("changeWebhook", TAG, "Change, pause or resume a webhook; another URL needs a fresh login", _ONE),
        parameters=(_ID,),
        body=Body(
            shape(
                {
                    **_SAID,
                    "state": choice(*STATES),
                    "skip_missed": flag("Go on from now instead of from where it was paused.", default=False),
                    "take_over": flag("It is the asker's from now on, and their rights count.", default=False),
                },
                optional=(*_SAID, "state", "skip_missed", "take_over"),
            ),
            {"state": "paused"},
        ),
        codes=(*_SHAPES, *_NOT, "fresh_login_needed"),
    ),
    ("DELETE", "/api/v1/webhooks/{webhook_id}"): Operation(
        *("removeWebhook", TAG, "Remove a webhook and its delivery log", {204: Answer("It is gone.")}),
        parameters=(_ID,),
        codes=_NOT,
    ),
    ("POST", "/api/v1/webhooks/{webhook_id}/secret"): Operation(
        *("rotateWebhookSecret", TAG, "Make another secret; the one before signs beside it for a day"),
        {200: Answer("The webhook, with its new secret.", ref("WebhookWithSecret"))},
        parameters=(_ID,),
        codes=(*_NOT, "fresh_login_needed"),
    ),
    ("POST", "/api/v1/webhooks/{webhook_id}/ping"): Operation(
        *("pingWebhook", TAG, "Send a test, once"),
        {202: Answer("The delivery; its log has what came of it.", ref("WebhookDelivery"))},
        parameters=(_ID,),
        codes=_NOT,
    ),
    ("POST", "/api/v1/webhooks/{webhook_id}/redeliver"): Operation(
        *("redeliverDead", TAG, "Send all that is dead again, under the same ids", _QUEUED),
        parameters=(_ID,),
        codes=_NOT,
    ),
    ("GET", _LOG): Operation(
        *("listDeliveries", TAG, "Read the delivery log of a webhook, newest first"),
        {
            200: Answer(
                "A page.", shape({"deliveries": listed(ref("WebhookDelivery")), "next": or_null(text("Go on here."))})
            )
        },
        parameters=(
            _ID,
            query("state", choice(*DELIVERY_STATES), "Only those in this state."),
            query("after", text(pattern="^[0-9]{1,18}$"), "The `next` of the page before.", may_be_empty=True),
            query("limit", whole(least=1, most=PAGE_MAX, default=50), "Deliveries of a page."),
        ),
        codes=(*_NOT, "bad_parameter"),
    ),
    ("POST", f"{_LOG}/{{delivery_id}}/redeliver"): Operation(
        *("redeliverOne", TAG, "Send a delivery again, under the same id", _QUEUED),
        parameters=(_ID, path("delivery_id", text())),
        codes=_NOT,
    ),
}
