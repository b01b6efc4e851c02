"""What a camera wrote into a picture: when, where, and which camera.

Owns: reading EXIF into values of our own.
Must not know: what is done with them.
Invariant: whatever is in those fields, reading them never fails and gives values in bounds or nothing
(tests/unit/test_pictures.py).

Source: CIPA DC-008-2023 (Exif 3.0), 4.6.5 to 4.6.8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from PIL import ExifTags, Image

INDIA: Final = timezone(timedelta(hours=5, minutes=30))
"""What a camera means that says no offset: pictures are taken in the markets of one country."""

CAMERA_MAX: Final = 120
"""Characters, as attachment.exif_camera has room for."""

_PLACES: Final = Decimal("0.000001")
_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, EOFError),
    UserWarning,  # Pillow warns of damaged EXIF, and where warnings are errors it raises
)


@dataclass(frozen=True, slots=True)
class Shot:
    """When and where a picture was taken, and with what; None: the file does not say."""

    taken_at: datetime | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    camera: str | None = None


NOTHING: Final = Shot()


def read_shot(picture: Image.Image) -> Shot:
    """Read what the camera wrote; what cannot be read is as good as not there."""
    try:
        exif = picture.getexif()
        about, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    except _BROKEN:
        return NOTHING
    base, gps = ExifTags.Base, ExifTags.GPS
    latitude = _degrees(place.get(gps.GPSLatitude), place.get(gps.GPSLatitudeRef), "S", 90)
    longitude = _degrees(place.get(gps.GPSLongitude), place.get(gps.GPSLongitudeRef), "W", 180)
    known = latitude is not None and longitude is not None
    return Shot(
        _moment(about.get(base.DateTimeOriginal), about.get(base.OffsetTimeOriginal)),
        latitude if known else None,
        longitude if known else None,
        _camera(exif.get(base.Make), exif.get(base.Model)),
    )


def _moment(text: Any, offset: Any) -> datetime | None:
    try:
        said = datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - its zone follows
        zone = datetime.strptime(str(offset), "%z").tzinfo if offset else INDIA
        moment = said.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= 1970 else None


def _degrees(parts: Any, side: Any, negative: str, most: int) -> Decimal | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except _BROKEN:
        return None
    whole = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(whole) or not 0 <= whole <= most:
        return None
    return Decimal(-whole if str(side).startswith(negative) else whole).quantize(_PLACES)


def _camera(*names: Any) -> str | None:
    said = " ".join(str(name) for name in names if isinstance(name, str))
    printable = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    return printable[:CAMERA_MAX] or None
