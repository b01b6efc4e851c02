"""Quality: what is wrong with a document is said in words, and which way each parameter is good."""

from __future__ import annotations

from typing import Any

import pytest

from erp_core.quality import PARAMETERS, Wanted, misbased, mislimited


@pytest.mark.parametrize(
    ("owed", "complaint"),
    [
        ({"softness": {"base": 1}}, "not measured"),
        ({"staple_mm": 29}, 'needs a "base"'),
        ({"staple_mm": {"allowance": 1}}, 'needs a "base"'),
        ({"staple_mm": {"base": 29, "premium": 1}}, 'needs a "base"'),
        ({"staple_mm": {"base": 290}}, "between 15 and 45"),
        ({"staple_mm": {"base": "long"}}, "between 15 and 45"),
        ({"staple_mm": {"base": 29, "allowance": -1}}, "0 or more"),
        ({"staple_mm": {"base": 29, "reject": "much"}}, "0 or more"),
        ({"staple_mm": {"base": 29, "allowance": 2, "reject": 1}}, "beyond its reject"),
    ],
)
def test_what_cannot_be_owed_is_said_in_words(owed: dict[str, Any], complaint: str) -> None:
    (fault,) = misbased(owed)
    assert complaint in fault


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"staple_mm": {}}, '"min", "max" or both'),
        ({"staple_mm": {"least": 1}}, '"min", "max" or both'),
        ({"staple_mm": {"min": 1}}, "between 15 and 45"),
        ({"staple_mm": {"min": 30, "max": 29}}, "min above its max"),
    ],
)
def test_what_cannot_be_wanted_is_said_in_words(limits: dict[str, Any], complaint: str) -> None:
    (fault,) = mislimited(limits)
    assert complaint in fault


def test_good_side_of_each_parameter() -> None:
    sides = {p.name: p.wanted for p in PARAMETERS}
    assert {name for name, side in sides.items() if side is Wanted.AT_LEAST} == {"staple_mm", "strength_g_tex", "rd"}
    assert {name for name, side in sides.items() if side is Wanted.NEAR} == {"micronaire"}
