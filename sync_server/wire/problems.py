"""Problems: everything a client can be told went wrong, as RFC 9457 documents.

Owns: the registry of codes (code -> status, title, sentence) and the shape of the document.
Must not know: aiohttp, engine, store; `web/middleware.py` turns exceptions into problems and problems into answers.
Invariant: a code is raised only if it is in the registry, never changes its meaning, and its document names nothing of
our insides (tests/unit/test_problems.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CONTENT_TYPE: Final = "application/problem+json"
"""RFC 9457, section 3."""

TYPE_PREFIX: Final = "urn:cotton-sync:problem:"
"""A name, not a page: a phone in a market yard cannot open a link, and a dead link helps nobody."""


@dataclass(frozen=True, slots=True)
class Code:
    """What is fixed about a kind of problem; `sentence` is the detail when the place of the fault has none of its own."""

    status: int
    title: str
    sentence: str


REGISTRY: Final[Mapping[str, Code]] = {
    # --- The request as HTTP ---
    "bad_request": Code(400, "The request cannot be read", "The request is not valid HTTP; check the client that made it."),
    "not_found": Code(404, "There is nothing at this address", "No route has this path; check the URL for a typing error."),
    "method_not_allowed": Code(405, "This address does not answer this method", "Use one of the methods in the Allow header."),
    "bad_parameter": Code(400, "A query parameter cannot be used", "Correct the query parameter that the detail names."),
    "body_too_large": Code(413, "The body is too large", "Send the changes in several smaller requests."),
    "body_too_expansive": Code(413, "The body expands too much", "Send the body uncompressed or in several smaller requests."),
    "body_unreadable": Code(400, "The body cannot be decompressed", "Send a body that is complete and really has its coding."),
    "body_incomplete": Code(400, "The body is not complete", "The connection ended within the body; send the request again."),
    "unsupported_media_type": Code(415, "The body is not JSON", "Send JSON with Content-Type: application/json."),
    "unsupported_coding": Code(415, "The coding of the body is not known", "Use gzip, deflate, br, zstd or no coding."),
    "unexpected_body": Code(400, "This request takes no body", "Send the request without a body."),
    # --- The body as JSON ---
    "malformed_json": Code(400, "The body is not valid JSON", "Correct the JSON at the line and column that the detail names."),
    "duplicate_key": Code(400, "A JSON object has a key twice", "Keep one of the two members: which is meant cannot be known."),
    "number_not_finite": Code(400, "A number is not finite", "Send numbers that a double can hold, not NaN or infinity."),
    "unsafe_text": Code(400, "A string holds a character that cannot be stored", "Remove NUL characters and lone surrogates."),
    "string_too_long": Code(400, "A string is too long", "Send strings of at most 1 000 000 bytes."),
    "too_deep": Code(400, "The JSON is nested too deeply", "Send at most 32 levels of arrays and objects."),
    "too_many_keys": Code(400, "A JSON object has too many keys", "Send at most 1 000 keys in one object."),
    # --- The shape of what was sent ---
    "wrong_type": Code(422, "A value has the wrong type", "Send a value of the type that the detail names."),
    "missing_field": Code(422, "A field is missing", "Send the field that the pointer names."),
    "unknown_table": Code(422, "The table is not known", "Send only tables that GET /api/v1/sync/schema lists."),
    "unknown_column": Code(422, "The column is not known", "Send only columns that GET /api/v1/sync/schema lists."),
    "unknown_member": Code(422, "The member is not known", "Send only the members that the documentation lists."),
    "unsafe_id": Code(422, "An id cannot be used", "Ids are 1 to 64 letters, digits, '_', '.' or '-'."),
    "duplicate_id": Code(422, "An id comes twice", "Send each id of a table once: created, updated or deleted."),
    "too_many_records": Code(413, "The push has too many records", "Send the changes in several smaller pushes."),
    "invalid_value": Code(422, "A value cannot be used", "Correct the value at the pointer."),
    "read_only": Code(422, "This cannot be changed by a client", "Only the server writes it; leave it out of the push."),
    "rule_broken": Code(422, "A rule of the trade is broken", "Correct the record; the detail says what the rule asks for."),
    "unknown_reference": Code(422, "A record names another that does not exist", "Send the named record before it or with it."),
    "id_taken": Code(409, "There is or was a record with this id", "Make another id, or leave it to the server."),
    "changed_meanwhile": Code(412, "Others changed it meanwhile", "Read the record again and decide anew."),
    "author_never_here": Code(403, "The author was not on this device", "Only who was logged in here left changes here."),
    "issue_closed": Code(409, "The issue is settled already", "Somebody settled it before; look at its record again."),
    # --- The cursor and the schema of a phone ---
    "bad_cursor": Code(400, "The cursor is not one of ours", "Send the timestamp of the last pull, or null to begin anew."),
    "cursor_from_future": Code(409, "The cursor is ahead of the server", "Reset the local database and sync from the start."),
    "cursor_of_another": Code(409, "The cursor is another user's", "Reset the local database, or log in as who filled it."),
    "device_mismatch": Code(409, "The session is another device's", "Log in on this device; nothing was applied."),
    "device_forked": Code(409, "The installation was copied", "Two apps use one identity: reset this one and log in again."),
    "push_overtaken": Code(409, "A later push of the device came before", "Pull, then push what is still unsent."),
    "bad_schema_version": Code(400, "The schema version is not known", "Send the version of the app's schema: 1 or more."),
    "bad_migration": Code(400, "The migration cannot be read", "Send the migration that WatermelonDB gives to pullChanges."),
    "behind": Code(409, "The device is behind", "Sync, then compare again: its state cannot be told from its cursor."),
    "too_different": Code(409, "Too much differs to be mended", "Ask with more buckets, by the rows named, or begin anew."),
    "conflict": Code(409, "Another device changed the same fields", "Pull, let the app resolve the conflicts, and push again."),
    # --- Attachments ---
    "tus_version": Code(412, "This version of tus is not spoken", "Send Tus-Resumable: 1.0.0."),
    "bad_upload_header": Code(400, "A header of the upload cannot be used", "Correct the header that the detail names."),
    "upload_gone": Code(410, "There is no upload", "It was never begun, was ended, or waited too long; begin it anew."),
    "already_uploaded": Code(409, "The bytes are there already", "There is nothing to send; read the attachment again."),
    "wrong_length": Code(422, "The length is not what was declared", "Upload-Length must be size_bytes of the attachment."),
    "attachment_too_large": Code(413, "The attachment is too large", "Send a smaller file, or a smaller picture."),
    "quota_reached": Code(413, "There is no room for more", "Delete attachments, or ask for more room."),
    "offset_conflict": Code(409, "The part begins elsewhere", "Ask with HEAD how much is there, and go on from there."),
    "checksum_mismatch": Code(460, "The part was damaged on its way", "Nothing of it was kept; send the same part again."),
    "bytes_refused": Code(422, "The bytes are not what was declared", "They were thrown away; declare what is really sent."),
    "store_unavailable": Code(503, "The store of attachments is away", "What was acknowledged is safe; go on in a moment."),
    "link_refused": Code(403, "The link opens nothing", "Ask for another with POST /api/v1/attachments/{id}/link."),
    "link_expired": Code(410, "The link is over", "Ask for another with POST /api/v1/attachments/{id}/link."),
    "range_unsatisfiable": Code(416, "The range is not in the file", "Ask for bytes that are there; bytes says how many."),
    # --- Who asks ---
    "unauthenticated": Code(401, "A login is needed", "Send Authorization: Bearer and the access token of a login."),
    "token_refused": Code(401, "The token is not valid", "Get a new access token with the refresh token, or log in again."),
    "token_expired": Code(401, "The token has expired", "Get a new access token with the refresh token."),
    "session_ended": Code(401, "The session has ended", "A user, an administrator or a later login ended it; log in again."),
    "device_wiped": Code(401, "The device was wiped", "Its data is gone by order; log in to begin anew."),
    "device_wiping": Code(403, "The device is being wiped", "Nothing but a sync is answered until it is done."),
    "device_state": Code(409, "The device's state does not allow this", "Look at the device's state."),
    "slices_gone": Code(410, "The slices are gone", "Begin again: exchange from the cursor of before; nothing is lost."),
    "push_id_reused": Code(422, "This push_id named another push", "Give each push of this device an id of its own."),
    "bulk_refused": Code(422, "Nothing of the bulk was applied", "Correct the records whose results say why; send all again."),
    "bad_idempotency_key": Code(400, "The Idempotency-Key cannot be used", "Send one, of 1 to 255 characters without spaces."),
    "idempotency_key_reused": Code(422, "This Idempotency-Key was another request's", "Give each request a key of its own."),
    "asked_already": Code(409, "It is asked for already", "A request for this person is open; wait for what becomes of it."),
    "still_needed": Code(409, "The person is still needed", "Bring what because names to an end first; nothing was erased."),
    "already_decided": Code(409, "It is decided already", "Somebody has released or discarded this push."),
    "login_refused": Code(401, "The login is refused", "Username and password do not match an active user; try again."),
    "second_factor_needed": Code(401, "A second factor is needed", "Send the authenticator's code, or a recovery code, too."),
    "enrolment_needed": Code(403, "A second factor must be set up", "Set up an authenticator first: POST /api/v1/auth/totp."),
    "second_factor_exists": Code(409, "There is a second factor", "Take it away before setting up another."),
    "fresh_login_needed": Code(403, "A fresh login is needed", "Log in again, then send the same request."),
    "code_refused": Code(403, "The code cannot be used", "It is not known, was used or has expired; ask for another."),
    "wrong_code": Code(403, "The code is wrong", "Compare it with the message or the authenticator, and try again."),
    "too_many_codes": Code(429, "Too many codes", "Ask for a code, or try one, after retry_after seconds."),
    "codes_unavailable": Code(403, "No codes are sent here", "This server cannot send messages; log in with a password."),
    "phone_taken": Code(409, "A colleague has this number", "Each number belongs to one person of an organisation."),
    "refresh_refused": Code(401, "The refresh token is refused", "It was used, revoked or has expired; log in again."),
    "password_refused": Code(403, "The password is not changed", "The old password is not right."),
    "reset_refused": Code(403, "The password is not reset", "The reset was used, replaced or has expired; ask for another."),
    "forbidden": Code(403, "This is not allowed", "The user who is logged in may not do this."),
    "origin_refused": Code(403, "Pages of this origin may not ask", "The origin must be in COTTON_CORS_ORIGINS, as it is."),
    "forged_request": Code(403, "The request may be forged", "Send Cotton-Console: 1 from a page of the server's own origin."),
    "too_many_requests": Code(429, "Too many requests", "Send the request again after retry_after seconds."),
    # --- The server ---
    "limits_unavailable": Code(503, "Logins cannot be counted now", "Nothing was checked; send the same request again later."),
    "busy": Code(503, "The server is busy", "Nothing was applied; send the same request again in a moment."),
    "database_unavailable": Code(503, "The database cannot be reached", "Nothing is lost; send the same request again later."),
    "timed_out": Code(503, "The request took too long", "Nothing was applied; send the same request again, or a smaller one."),
    "schema_mismatch": Code(503, "The database does not fit this server", "The migrations must be run; try again later."),
    "shutting_down": Code(503, "The server is shutting down", "Send the same request again; another process will answer."),
    "internal_error": Code(500, "Something went wrong on the server", "Quote the correlation id when you ask for help."),
}  # fmt: skip
"""Code -> what is fixed about it. A code is part of the protocol: it may be added, never renamed or given a new meaning."""

POINTER_MAX: Final = 500
"""Characters; a pointer repeats keys that the client chose, and an answer must not grow with them."""

NAME_MAX: Final = 64
"""Characters of a name that a client sent and an answer repeats; ours are shorter."""

_HARMFUL: Final = re.compile(r"[^A-Za-z0-9_.$ -]")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

RESERVED: Final = frozenset({"type", "title", "status", "detail", "code", "pointer", "correlation_id"})


class Problem(Exception):
    """Something the client can be told: a code of the registry, where the fault is, and what to do about it.

    `detail`: a sentence for a person, naming nothing of our insides; the registry's when empty.
    `pointer`: an RFC 6901 JSON pointer into the body that was sent. `extra`: further members of the document
    (`conflicts`, `allowed`…), plain JSON values.
    """

    def __init__(self, code: str, detail: str = "", *, pointer: str | None = None, **extra: Any) -> None:
        assert code in REGISTRY, f"{code!r} is not a registered problem"
        assert not RESERVED & extra.keys(), (
            f"a problem's own members cannot be replaced: {sorted(RESERVED & extra.keys())}"
        )
        fixed = REGISTRY[code]
        super().__init__(detail or fixed.sentence)
        self.code = code
        self.status = fixed.status
        self.title = fixed.title
        self.detail = detail or fixed.sentence
        self.pointer = pointer if pointer is None else _UNPRINTABLE.sub("\ufffd", pointer[:POINTER_MAX])
        self.extra: Mapping[str, Any] = extra

    def under(self, *steps: str | int) -> Problem:
        """Point from further up: what was read is a part of the body, which `steps` lead to."""
        if self.pointer is not None:
            self.pointer = (pointer(*steps) + self.pointer)[:POINTER_MAX]
        return self

    def document(self, correlation_id: str) -> dict[str, Any]:
        """Make the application/problem+json document (RFC 9457) of this problem for the request `correlation_id`."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.pointer is not None:
            document["pointer"] = self.pointer
        return {**document, **self.extra, "correlation_id": correlation_id}


def shown(name: str) -> str:
    """Quote a name that the client sent, so that its sender finds the typing error, and nobody a way to have it run.

    >>> shown("phne"), shown("<b>\\n"), len(shown("x" * 1_000))
    ("'phne'", "'?b??'", 67)
    """
    return "'" + _HARMFUL.sub("?", name[:NAME_MAX]) + ("…'" if len(name) > NAME_MAX else "'")


def pointer(*steps: str | int) -> str:
    """Make an RFC 6901 JSON pointer.

    >>> pointer("trades", "created", 3, "price/kg")
    '/trades/created/3/price~1kg'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
