"""Live: who must be told, at once, that something changed. Hints only; what changed is pulled.

Invariant: losing any message of this package costs time, never data: the next heartbeat or the next pull heals it
(tests/properties/test_live.py).
"""
