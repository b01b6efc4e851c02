"""What is looked at in bytes that came: are they what was declared, and what is left of them for others to see.

Owns: the checks of content, re-encoding, thumbnails, and what a camera wrote.
Must not know: where bytes come from or go to; it blocks, so it is called in a thread.
Invariant: a picture that is kept was written anew, pixel by pixel, and carries nothing else from the file that came; no file
takes more memory than its declared pixels allow (tests/unit/test_pictures.py).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import filetype
from PIL import Image, ImageOps

from sync_server.engine.camera import NOTHING, Shot, read_shot

THUMBNAILS: Final = (256, 1024)
"""Pixels of the longer side: a list, a screen."""

PIXELS_MAX: Final = 50_000_000
"""Of one picture; unpacked it takes 200 MB. The best phones of 2026 take pictures of 50 megapixels, and store 12 of them."""

SIDE_MAX: Final = 16_000
"""Pixels; WebP ends at 16 383."""

QUALITY: Final = 90
"""Of JPEG and WebP; a grader must still see a single fibre."""

AFTER_PDF_MAX: Final = 1_024
"""Blanks behind a PDF's end mark that scanners leave."""

_SNIFFED: Final = 8_192
"""Bytes that filetype looks at, at most."""

_FORMATS: Final[Mapping[str, str]] = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}

_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, EOFError, struct.error, zlib.error),
    UserWarning,  # as in camera.py
)
"""What Pillow raises over a file that is not what its head says."""


Image.MAX_IMAGE_PIXELS = None
"""Pillow's own bound is higher and warns first, for the whole process; ours is looked at before anything is unpacked."""


class Unfit(Exception):
    """The bytes are not kept; `failure` is one of erp_core's FAILURES."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Fit:
    """What is kept: the file to hand out, its thumbnails (pixels of the longer side -> JPEG), and what was in it."""

    data: bytes
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    shot: Shot = NOTHING

    @property
    def stored(self) -> int:
        """Bytes of all of it."""
        return len(self.data) + sum(map(len, self.thumbnails.values()))


def examine(data: bytes, sha256: str, media_type: str) -> Fit:
    """Check bytes against what was declared, and make what is kept of them.

    Raises `Unfit`. Cost: blocks; a picture of 12 megapixels takes about a second and 100 MB.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Unfit("wrong_hash")
    kind = filetype.guess(data[:_SNIFFED])
    if kind is None or kind.mime != media_type:
        raise Unfit("wrong_type")
    if media_type in _FORMATS:
        return _picture(data, _FORMATS[media_type])
    return _paper(data)


def _paper(data: bytes) -> Fit:
    """Keep a PDF as it is, if nothing stands behind its end: a ZIP or a page of HTML would."""
    head, mark, tail = data.rpartition(b"%%EOF")
    if not mark or not head.startswith(b"%PDF-") or len(tail) > AFTER_PDF_MAX or tail.strip(b"\0\t\n\f\r "):
        raise Unfit("wrong_type")
    return Fit(data)


def _picture(data: bytes, form: str) -> Fit:
    try:
        return _rewritten(data, form)
    except Unfit:
        raise
    except _BROKEN:
        raise Unfit("unreadable") from None


def _rewritten(data: bytes, form: str) -> Fit:
    with Image.open(BytesIO(data), formats=[form]) as opened:
        width, height = opened.size  # from its head; nothing is unpacked yet
        if width * height > PIXELS_MAX or max(width, height) > SIDE_MAX:
            raise Unfit("too_many_pixels")
        shot = read_shot(opened)
        opened.load()
        upright = ImageOps.exif_transpose(opened)
    assert upright is not None
    bare = _bare(upright)
    thumbnails = {pixels: _thumbnail(bare, pixels) for pixels in THUMBNAILS}
    return Fit(_written(bare, form), thumbnails, bare.width, bare.height, shot)


def _bare(picture: Image.Image) -> Image.Image:
    """Leave nothing but pixels: comments, profiles and texts would be written into the new file."""
    if picture.mode == "P" or "transparency" in picture.info:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    picture.info.clear()
    return picture


def _written(picture: Image.Image, form: str) -> bytes:
    if form == "JPEG" and picture.mode not in {"L", "RGB", "CMYK"}:
        picture = picture.convert("RGB")
    to = BytesIO()
    picture.save(to, form, quality=QUALITY)
    return to.getvalue()


def _thumbnail(picture: Image.Image, pixels: int) -> bytes:
    small = picture.copy() if max(picture.size) <= pixels else ImageOps.contain(picture, (pixels, pixels))
    if small.has_transparency_data:
        behind = Image.new("RGB", small.size, "white")
        behind.paste(small, mask=small.convert("RGBA").getchannel("A"))
        small = behind
    return _written(small.convert("RGB"), "JPEG")
