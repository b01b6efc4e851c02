"""Conflict: what becomes of a record that two sides changed. Pure; the standard library only.

Owns: mutations, their grouping, the three-way merge of records and its outcomes.
Must not know: everything else: entities, SQL, HTTP, clocks.
Invariant: the same inputs always give the same resolution, and no value vanishes without an outcome
(tests/properties/test_merge.py).
"""
