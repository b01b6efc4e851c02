"""The ERP core of a cotton trading house: what the trade knows, and nothing else.

Owns: the declaration language, every entity, its rules, states, units and money.
Must not know: sync, merge, SQL, HTTP, asyncio, JSON.
Invariant: everything here is pure; the same rows always get the same answers
(tests/properties/test_rules.py).
"""
