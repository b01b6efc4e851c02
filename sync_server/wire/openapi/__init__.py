"""The OpenAPI 3.1 document of the server, made from its declarations.

Owns: JSON Schemas of every entity (`fields.py`, `entities.py`), the shapes of the routes that belong to no entity (one file per
group), which problems an operation answers with (`faults.py`), and how all of it becomes one document (`document.py`).
Must not know: aiohttp, engine, store; the routes are handed in.
Invariant: a route that is not described, or something described that the server does not take, fails
(tests/contract/test_openapi.py).
"""
