"""Who is who: people, passwords, sessions and tokens.

Must not know: web.
"""
