"""The store: the only code that executes SQL.

Owns: connections, the unit of work, rows, the log, the feed, the clock, people.
Must not know: aiohttp, redis, pydantic, merge or protocol.
Invariant: nothing above this floor writes SQL (tests/architecture/test_conventions.py).
"""
