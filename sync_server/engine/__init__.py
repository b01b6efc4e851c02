"""The engine: pull, push and apply, the one write path.

Owns: cursors, what a pull answers, what a push does, refusals and corrections.
Must not know: aiohttp, redis, pydantic, JSON, and no SQL of its own (it calls the store).
Invariant: the same change gets the same verdict wherever it comes from (tests/integration/test_push.py).
"""
