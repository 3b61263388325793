"""The mail channel with Dovecot and Postfix, on loopback: IDLE, threads, a bounce that a real server writes, answers found again.

Set WEBCARE_INTEROP=1 to run it, as root on Debian: both are installed with apt.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.ingest.channel import AskForNewCredential, HttpClient, OutgoingReply, SkipThis
from services.ingest.channels.mail import MailChannel
from shared.kit import clock
from tests.interop.mail_servers import PASSWORD, RunningMail, install_mail, mail_servers
from tests.interop.programs import MARKS, installing, until_true
from tests.venues import read_on
from tests.venues.mail import a_mail

pytestmark = MARKS
installed = installing(install_mail)


def channel(server: RunningMail, password: str = PASSWORD, **more: Any) -> MailChannel:
    settings = {
        "address": "care@example.test", "name": "Acme Care", "imap_host": "127.0.0.1", "imap_port": server.imap_port,
        "imap_security": "none", "smtp_host": "127.0.0.1", "smtp_port": server.smtp_port, "smtp_security": "none",
        "smtp_signs_in": False,
    }  # fmt: skip
    return MailChannel({**settings, **more}, {"password": password}, HttpClient(["127.0.0.0/8"]))


async def test_in_and_out(folder: Path) -> None:
    with mail_servers(folder) as server:
        mail = channel(server)
        stream = mail.stream(None)
        assert (await anext(stream)).mentions == ()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(1)  # it waits in IDLE by now
        key = f"{uuid4()}@klant.test"
        first = a_mail("Mijn router is stuk 😡\n\n-- \nJan", key=key, sender="klant@example.test", at=clock.now())
        await asyncio.to_thread(server.send, first)
        async with asyncio.timeout(20):
            (one,) = (await waiting).mentions
        await stream.aclose()  # type: ignore[attr-defined]
        assert (one.external_id, one.text, one.title) == (key, "Mijn router is stuk 😡", "Router")
        heard = await read_on(mail)
        assert heard.ids == [key]

        began = clock.now() - timedelta(minutes=1)
        reply = OutgoingReply("Wij kijken het na 🙏", str(uuid4()), key, key, "klant@example.test", raw=one.raw)
        assert await mail.find_reply(reply, private=True, since=began) is None
        sent = await mail.reply_privately(reply)
        await asyncio.to_thread(until_true, lambda: len(server.box("klant")) == 1, "the answer")
        (theirs,) = server.box("klant")
        assert (theirs["Message-ID"], theirs["In-Reply-To"]) == (f"<{sent.external_id}>", f"<{key}>")
        await asyncio.to_thread(until_true, lambda: len(server.box("care")) == 2, "the blind copy")
        found = await mail.find_reply(reply, private=True, since=began)
        assert found is not None
        after = await read_on(mail, heard.cursor)
        assert after.ids == []  # the copy is no mention

        answer = a_mail(
            f"Nee, helpt niet\n\nOp vr 20 nov 2026 om 12:00 schreef Acme Care <care@example.test>:\n> {'Wij kijken het na'}",
            key=f"{uuid4()}@klant.test", subject="Re: Router", sender="klant@example.test", In_Reply_To=str(theirs["Message-ID"]),
            References=f"{theirs['References']} {theirs['Message-ID']}",
        )  # fmt: skip
        await asyncio.to_thread(server.send, answer)
        await asyncio.to_thread(until_true, lambda: len(server.box("care")) == 3, "the second mail")
        more = await read_on(mail, after.cursor)
        (two,) = more.mentions
        assert (two.text, two.in_reply_to, two.thread_id) == ("Nee, helpt niet", sent.external_id, key)
        assert [str(one["Status"]) for one in server.box("care")] == ["None"] * 3
        assert not list(server.mails.glob("care/cur/*:2,*S*")), "nothing was marked as read"


async def test_a_real_bounce_comes_in_as_an_answer(folder: Path) -> None:
    with mail_servers(folder) as server:
        mail = channel(server)
        key = f"{uuid4()}@klant.test"
        reply = OutgoingReply("Wij kijken het na", str(uuid4()), key, key, "klant@elders.test", title="Router")
        sent = await mail.reply_privately(reply)  # taken, and returned a moment later
        await asyncio.to_thread(until_true, lambda: len(server.box("care")) >= 2, "the bounce", 60)
        heard = await read_on(mail)
        (one,) = heard.mentions
        assert (one.in_reply_to, one.thread_id, one.author) == (sent.external_id, key, None)
        assert one.text.startswith("Not delivered to klant@elders.test: 5.")


async def test_what_they_refuse(folder: Path) -> None:
    with mail_servers(folder) as server:
        with pytest.raises(AskForNewCredential):
            await channel(server, "wrong").page(None)
        unknown = OutgoingReply("Hallo", str(uuid4()), "x@y.test", None, "nobody@example.test", title="Router")
        with pytest.raises(SkipThis, match="550"):
            await channel(server).reply_privately(unknown)
        assert (await channel(server).account()).external_id == "care@example.test"
        appended = channel(server, sent_copy="append", sent_folder="INBOX")
        await appended.reply_privately(OutgoingReply("Hallo", str(uuid4()), "x@y.test", None, "klant@example.test"))
        assert len(server.box("care")) == 1
