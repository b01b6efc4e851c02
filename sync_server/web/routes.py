"""Every route of the server, on one screen.

Must not know: what a handler does.
Invariant: a path is written here and nowhere else; a path that needs no login is also in `web/bearer.py`'s PUBLIC
(tests/integration/test_serving.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.web import auth, codes, health, passwords, sessions, sync, totp


def add_routes(app: web.Application) -> None:
    """Give `app` its routes."""
    app.add_routes(
        [
            web.get("/healthz", health.is_alive),
            web.get("/readyz", health.is_ready),
            web.post("/api/v1/auth/login", auth.log_in),
            web.post("/api/v1/auth/refresh", auth.refresh),
            web.post("/api/v1/auth/logout", auth.log_out),
            web.post("/api/v1/auth/code", codes.ask),
            web.post("/api/v1/auth/code/verify", codes.verify),
            web.post("/api/v1/auth/phone", codes.ask_to_move),
            web.post("/api/v1/auth/phone/verify", codes.move),
            web.post("/api/v1/auth/totp", totp.enrol),
            web.post("/api/v1/auth/totp/confirm", totp.confirm),
            web.post("/api/v1/auth/totp/disable", totp.disable),
            web.get("/api/v1/auth/sessions", sessions.list_own),
            web.delete("/api/v1/auth/sessions", sessions.end_all_own),
            web.delete("/api/v1/auth/sessions/{session_id}", sessions.end_own),
            web.post("/api/v1/auth/password", passwords.change),
            web.post("/api/v1/auth/password/reset", passwords.use_reset),
            web.get("/api/v1/users/{user_id}/sessions", sessions.list_of_user),
            web.delete("/api/v1/users/{user_id}/sessions", sessions.end_all_of_user),
            web.delete("/api/v1/users/{user_id}/sessions/{session_id}", sessions.end_one_of_user),
            web.post("/api/v1/users/{user_id}/password", passwords.give_reset),
            web.delete("/api/v1/users/{user_id}/totp", totp.take_away),
            web.get("/api/v1/sync", sync.get_sync, allow_head=False),
            web.post("/api/v1/sync", sync.post_sync),
            web.get("/api/v1/sync/schema", sync.get_schema),
        ]
    )
