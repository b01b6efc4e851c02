"""E-mail: letters to an SMTP server.

Owns: the connection, and what a mail looks like.
Must not know: who is told what, when.
Invariant: nothing that is told gets into a header but the title, on one line; a password goes over TLS only, or to this machine
(tests/integration/test_outward.py).
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncGenerator, Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import aiosmtplib

from erp_core.notices import MAIL_MANY, MAIL_WHY
from erp_core.telling import EMAIL
from sync_server.config_lists import is_loopback
from sync_server.engine.outward import Letter, Told
from sync_server.operate.outlets import End, Result

SECONDS: Final = 20.0
"""For one step of a conversation with the mail server."""


class Mail:
    """Sends letters by way of the server at `url`, from `sender`. `public_url`: where records are looked at."""

    way = EMAIL
    service = ""

    def __init__(self, url: str, sender: str, public_url: str | None, trusts: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._tls = parts.scheme == "smtps"
        # A server on this machine may have no certificate; any other must.
        self._starttls = None if is_loopback(self._host) else True
        self._trusts = trusts
        self._sender = sender
        self._public_url = public_url

    async def send(self, letters: Sequence[Letter]) -> AsyncGenerator[Result, None]:
        """Send each letter as one mail, over one connection."""
        server = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port or (465 if self._tls else 587),
            timeout=SECONDS,
            tls_context=self._trusts,
            use_tls=self._tls,
            start_tls=False if self._tls else self._starttls,
        )
        done = 0
        try:
            async with server:
                if self._user:
                    await self._log_in(server)
                for letter in letters:
                    result = await self._send(server, letter)
                    done += 1
                    yield result
        except (aiosmtplib.SMTPException, OSError) as fault:
            why = f"the mail server cannot be used: {type(fault).__name__}"
            for _ in letters[done:]:
                yield Result(End.AGAIN, why)

    async def _log_in(self, server: aiosmtplib.SMTP) -> None:
        if not self._tls and not server.get_transport_info("ssl_object") and not is_loopback(self._host):
            raise aiosmtplib.SMTPException("the mail server offers no TLS")
        await server.login(self._user, self._password)

    async def _send(self, server: aiosmtplib.SMTP, letter: Letter) -> Result:
        try:
            await server.send_message(self.write(letter))
        except aiosmtplib.SMTPRecipientsRefused:
            return Result(End.FAILED, "the address is refused")
        except aiosmtplib.SMTPResponseException as fault:
            return Result(End.FAILED if fault.code >= 500 else End.AGAIN, f"the mail server answered {fault.code}")
        return Result(End.SENT)

    def write(self, letter: Letter) -> EmailMessage:
        """Write the mail of a letter; written again it has the same Message-ID, by which a mailbox can tell a repetition."""
        language = letter.reader.language
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, letter.reader.email
        first = letter.told[0]
        one = f"{first.title}: {first.body}" if first.body else first.title
        many = MAIL_MANY[language].format(count=len(letter.told))
        mail["Subject"] = " ".join((one if len(letter.told) == 1 else many).split())[:200]
        name = hashlib.sha256(repr([message.id for message in letter.messages]).encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{name}@{self._sender.rpartition('@')[2]}>"
        mail["Date"] = formatdate()
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is told to us
        lines = [line for told in letter.told for line in self._lines(told)]
        mail.set_content("\n".join([*lines, "", MAIL_WHY[language], ""]))
        return mail

    def _lines(self, told: Told) -> Sequence[str]:
        said = f"- {told.title}" + (f": {told.body}" if told.body else "")
        if self._public_url is None:
            return [said]
        return [said, f"  {self._public_url}/console#/records/{quote(told.table)}/{quote(told.record_id)}"]
