"""What is kept of a file: pixels and nothing else; and what a camera wrote, as data.

Planted: a picture saved with what its file held, and one unpacked before its size was looked at (at the end).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sync_server.engine import pictures
from sync_server.engine.camera import NOTHING, Shot, read_shot
from sync_server.engine.pictures import Fit, Unfit, examine
from tests.harness.attaching import PDF, picture


def examined(data: bytes, media_type: str = "image/jpeg") -> Fit:
    return examine(data, hashlib.sha256(data).hexdigest(), media_type)


def saved(mode: str, form: str, **more: Any) -> bytes:
    to = BytesIO()
    Image.new(mode, (300, 200)).save(to, form, **more)
    return to.getvalue()


SECRETS = (b"ACME", b"Field 7", b"2026:11:23", b"the seller's number", b"Exif")


def test_nothing_of_the_file_but_its_pixels_is_kept() -> None:
    sent = picture()
    assert all(secret in sent for secret in SECRETS)
    fit = examined(sent)

    for made in (fit.data, *fit.thumbnails.values()):
        assert not any(secret in made for secret in SECRETS)
        with Image.open(BytesIO(made)) as opened:
            assert not opened.getexif()
            assert opened.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_other_pictures_are_stripped_too(form: str) -> None:
    sent = picture(form=form)
    assert b"ACME" in sent
    assert b"ACME" not in examined(sent, f"image/{form.lower()}").data


def test_texts_and_profiles_of_a_png_go() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "the seller's number")
    sent = saved("RGB", "PNG", pnginfo=texts, icc_profile=b"a profile with a name")
    kept = examined(sent, "image/png").data
    assert b"seller" not in kept
    assert b"iCCP" not in kept


def test_what_the_camera_wrote_is_data() -> None:
    assert examined(picture()).shot == Shot(
        datetime(2026, 11, 23, 4, 30, tzinfo=UTC), Decimal("22.303472"), Decimal("70.783611"), "ACME Field 7"
    )
    assert examined(picture(located=False)).shot == NOTHING


def test_picture_is_turned_as_the_camera_was_held() -> None:
    fit = examined(picture(size=(1500, 900)))
    assert (fit.width, fit.height) == (900, 1500)


def test_thumbnails_are_of_two_sizes_and_never_larger_than_the_picture() -> None:
    def sizes(fit: Fit) -> dict[int, tuple[int, int]]:
        return {pixels: Image.open(BytesIO(data)).size for pixels, data in fit.thumbnails.items()}

    assert sizes(examined(picture(size=(1500, 900), located=False))) == {256: (256, 154), 1024: (1024, 614)}
    assert sizes(examined(saved("RGB", "JPEG"))) == {256: (256, 171), 1024: (300, 200)}


@pytest.mark.parametrize(
    ("mode", "form"),
    [("P", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("I;16", "PNG"), ("1", "PNG"), ("CMYK", "JPEG"), ("L", "JPEG")],
)
def test_pictures_of_every_kind_are_kept(mode: str, form: str) -> None:
    fit = examined(saved(mode, form), f"image/{form.lower()}")
    assert (fit.width, fit.height, len(fit.thumbnails)) == (300, 200, 2)


def test_pdf_is_kept_as_it_is() -> None:
    assert examined(PDF, "application/pdf") == Fit(PDF)
    assert examined(PDF + b"\r\n\0", "application/pdf").data == PDF + b"\r\n\0"


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_damaged_picture_is_refused_or_kept_and_never_breaks_us(place: int, put: bytes) -> None:
    whole = picture(size=(64, 48))
    damaged = whole[:place] + put + whole[place + len(put) :]
    with suppress(Unfit):
        assert examined(damaged).width


@pytest.mark.parametrize(
    "said",
    [
        {34853: {1: "N", 2: (99.0, 0.0, 0.0), 3: "E", 4: (70.0, 0.0, 0.0)}},
        {34853: {1: "N", 2: (22.0, 0.0, 0.0)}},
        {34853: {2: (22.0,), 4: (70.0,)}},
        {34665: {36867: "0000:00:00 00:00:00"}},
        {34665: {36867: "1969:01:01 00:00:00"}},
    ],
)
def test_nonsense_of_a_camera_is_as_good_as_nothing(said: dict[int, Any]) -> None:
    exif = Image.Exif()
    for tag, value in said.items():
        exif[tag] = value
    with Image.open(BytesIO(saved("RGB", "JPEG", exif=exif))) as opened:
        assert read_shot(opened) == NOTHING


def test_south_and_west_are_negative() -> None:
    exif = Image.Exif()
    exif[34853] = {1: "S", 2: (22.0, 30.0, 0.0), 3: "W", 4: (70.0, 0.0, 0.0)}
    shot = examined(saved("RGB", "JPEG", exif=exif)).shot
    assert (shot.latitude, shot.longitude) == (Decimal("-22.500000"), Decimal("-70.000000"))


# --- Planted ------------------------------------------------------------------------------------------------------------


def test_a_picture_that_keeps_what_its_file_held_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_bare", lambda opened: opened)
    with pytest.raises(AssertionError):
        test_nothing_of_the_file_but_its_pixels_is_kept()


def test_a_size_that_is_not_looked_at_first_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(_: Any) -> None:
        raise AssertionError("unpacked")

    bomb = picture(size=(8000, 8000), form="PNG", located=False)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", unpack)
    with pytest.raises(Unfit, match="too_many_pixels"):
        examined(bomb, "image/png")
    monkeypatch.setattr(pictures, "PIXELS_MAX", 10**9)
    with pytest.raises(AssertionError, match="unpacked"):
        examined(bomb, "image/png")
