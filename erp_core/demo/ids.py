"""Ids of the demo that are the same in every demo, so that one that grows finds its own rows.

Owns: how such an id is made.
Must not know: which rows have one.
Invariant: 16 letters and digits, as WatermelonDB's own (tests/unit/test_demo.py).
"""

from __future__ import annotations


def fixed_id(prefix: str, name: str) -> str:
    """Make 16 letters and digits that stay the same in every demo.

    >>> fixed_id("Unit", "kg")
    'Unitkg0000000000'
    """
    return (prefix + "".join(c for c in name if c.isalnum())).ljust(16, "0")[:16]
