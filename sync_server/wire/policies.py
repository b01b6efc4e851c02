"""The policies on the wire, and the tag that says whether they changed.

Owns: the JSON of GET /api/v1/sync/policies.
Must not know: what a policy decides.
Invariant: the tag changes if anything in the document does, and only then (tests/integration/test_policies.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

TAG_DIGITS: Final = 12
"""Hexadecimal digits: 48 bits tell the few versions of one house's policies apart."""


class Written(NamedTuple):
    """The document as it is sent, and its tag: the schema's version and a digest."""

    body: bytes
    etag: str


def etag_of(document: Mapping[str, Any]) -> str:
    """Give the tag of `{version, tables}`; the order of members does not count.

    >>> etag_of({"version": 2, "tables": {}}) == etag_of({"tables": {}, "version": 2})
    True
    >>> etag_of({"version": 2, "tables": {}})[:2]
    '2-'
    """
    digest = sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{document['version']}-{digest[:TAG_DIGITS]}"


def write_policies(document: Mapping[str, Any]) -> Written:
    """Write `{version, tables}` with its tag as the member `etag`."""
    etag = etag_of(document)
    return Written(orjson.dumps({"version": document["version"], "etag": etag, **document}), etag)
