"""The console's server side: its files, and what it reads that phones do not.

Owns: handlers only; the page is sync_server/web/static/console.
Must not know: what the page does with an answer.
Invariant: the page has the rights of whoever logged in, no others (tests/acceptance/test_console_shell.py).
"""
