"""The bytes of attachments, described: tus 1.0.0, and links to what is kept.

Owns: the shapes of their headers and answers.
Must not know: where bytes are.
Invariant: what is here is what web/uploads.py and downloads.py read and answer (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Body, Operation, header, path, query
from sync_server.wire.openapi.shapes import Schema, choice, id_of, moment, shape, text, whole

TAG: Final = "Bytes of attachments"
SCHEMAS: Final[Mapping[str, Schema]] = {}

PART_TYPE: Final = "application/offset+octet-stream"
ADDRESS: Final = "/api/v1/attachments/{id}/bytes"

_ID: Final = path("id", id_of("the attachment"))
_TUS: Final = header("Tus-Resumable", choice("1.0.0"), "The version of tus.", required=True)
_OFFSET: Final[Schema] = {"description": "Bytes that are there.", "schema": whole(least=0)}
_EXPIRES: Final[Schema] = {"description": "Until when the upload waits for more.", "schema": text()}
_WHERE: Final = {"Upload-Offset": _OFFSET, "Upload-Expires": _EXPIRES}
_FOUND: Final = ("not_found", "upload_gone", "tus_version")
_STATUS: Final = shape(
    {
        "bytes": whole("Of the whole.", least=1),
        "received": whole("That are there.", least=0),
        "expires_at": moment("Until when it waits for more."),
    }
)
_BINARY: Final[Schema] = {"type": "string", "format": "binary"}
_LINK: Final = shape(
    {"url": text("Where the bytes are; no login is asked for."), "expires_at": moment("When it is over.")}
)
FILE_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "application/pdf")

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("OPTIONS", ADDRESS): Operation(
        *("uploadOptions", TAG, "Say what of tus is spoken", {204: Answer("In headers.")}), parameters=(_ID,)
    ),
    ("POST", ADDRESS): Operation(
        *("beginUpload", TAG, "Begin the upload of an attachment that one declared, or go on with it"),
        {201: Answer("It waits for bytes, from Upload-Offset on.", headers=_WHERE)},
        parameters=(
            _ID,
            _TUS,
            header("Upload-Length", whole(least=0), "`size_bytes`, as it was declared."),
            header(
                "X-HTTP-Method-Override",
                choice("PATCH", "DELETE", "HEAD"),
                "What is meant, where only POST gets through.",
            ),
        ),
        codes=(
            *(
                *_FOUND,
                "bad_upload_header",
                "already_uploaded",
                "wrong_length",
                "attachment_too_large",
                "quota_reached",
            ),
            *("unsupported_media_type", "unsupported_coding", "offset_conflict"),
        ),
    ),
    ("GET", ADDRESS): Operation(
        *("uploadState", TAG, "Say how much is there"),
        {200: Answer("So much; the headers say it, too.", _STATUS, headers=_WHERE)},
        parameters=(_ID, header("X-HTTP-Method-Override", text(), "HEAD: as tus asks.")),
        codes=_FOUND,
    ),
    ("PATCH", ADDRESS): Operation(
        *("sendPart", TAG, "Send bytes, from Upload-Offset on; the last ones have the whole checked"),
        {204: Answer("They are on disk.", headers=_WHERE)},
        parameters=(
            _ID,
            _TUS,
            header("Upload-Offset", whole(least=0), "Where they begin.", required=True),
            header(
                "Upload-Checksum", text(examples=["sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="]), "sha1 or sha256, in Base64."
            ),
        ),
        body=Body(_BINARY, types=(PART_TYPE,)),
        codes=(
            *_FOUND,
            "bad_upload_header",
            "offset_conflict",
            "checksum_mismatch",
            "bytes_refused",
            "store_unavailable",
        ),
    ),
    ("DELETE", ADDRESS): Operation(
        *("endUpload", TAG, "Give an upload up", {204: Answer("It is over.")}), parameters=(_ID, _TUS), codes=_FOUND
    ),
    ("POST", "/api/v1/attachments/{id}/link"): Operation(
        *("linkAttachment", TAG, "Make a link to the bytes, or to a thumbnail; it works for some minutes"),
        {200: Answer("The link.", _LINK)},
        parameters=(_ID, query("pixels", choice("256", "1024"), "The longer side of a thumbnail; left out: the file.")),
        codes=("not_found", "bad_parameter"),
    ),
    ("GET", "/api/v1/files"): Operation(
        *("readFile", TAG, "Give the bytes that a link is to"),
        {
            200: Answer("All of them.", _BINARY, types=FILE_TYPES),
            206: Answer("Those that Range asks for.", _BINARY, types=FILE_TYPES),
            304: Answer("Nothing changed."),
        },
        parameters=(
            query("token", text(), "What the link has.", required=True),
            header("Range", text(examples=["bytes=0-1023"]), "One range of bytes."),
            header("If-Range", text(), "The `ETag` of before: all of it if it changed."),
            header("If-None-Match", text(), "The `ETag` of before."),
        ),
        codes=("link_refused", "link_expired", "not_found", "range_unsatisfiable", "store_unavailable"),
    ),
}
