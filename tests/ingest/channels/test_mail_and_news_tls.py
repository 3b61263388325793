"""Mail and news servers over TLS: certificates are checked against the name that was set, not the address behind it."""

import ssl
from pathlib import Path
from typing import Literal

import pytest

from services.ingest.channel import ChannelBroken, HttpClient, OutgoingReply
from services.ingest.channels.mail import MailChannel
from services.ingest.channels.nntp import NewsServer
from services.ingest.networks import mail_sending, mailbox, nntp_client
from shared.kit import clock
from tests.venues import read_on
from tests.venues.certificates import certified
from tests.venues.mail import PASSWORD, MailServer, a_mail
from tests.venues.nntp import NewsServerPlayed, an_article

NAME = "mail.example"


def http() -> HttpClient:
    async def resolver(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    return HttpClient(["127.0.0.0/8"], resolver=resolver)


def trusting(monkeypatch: pytest.MonkeyPatch, context: ssl.SSLContext) -> None:
    for module in (mailbox, mail_sending, nntp_client):
        monkeypatch.setattr(module, "tls", lambda: context)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_mail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, security: Literal["tls", "starttls"]) -> None:
    theirs, trusted = certified(NAME, tmp_path)
    server = MailServer(tls=theirs) if security == "tls" else MailServer(upgrades=theirs)
    await server.start()
    server.deliver(a_mail(), clock.now())

    def channel(host: str) -> MailChannel:
        settings = server.settings(imap_host=host, smtp_host=host, imap_security=security, smtp_security=security)
        return MailChannel(settings, {"password": PASSWORD}, http())

    reply = OutgoingReply(
        "Wij kijken het na", "018f2f6e-0000-7000-8000-000000000001", "c1@klant.test", None, "klant@klant.test"
    )
    for asked in (channel(NAME).page(None), channel(NAME).reply_privately(reply)):
        with pytest.raises(ChannelBroken, match="certificate"):  # nobody known signed it
            await asked
    trusting(monkeypatch, trusted)
    assert (await read_on(channel(NAME))).ids == ["c1@klant.test"]
    await channel(NAME).reply_privately(reply)
    assert len(server.sent) == 1
    for asked in (channel("other.example").page(None), channel("other.example").reply_privately(reply)):
        with pytest.raises(ChannelBroken, match="certificate"):
            await asked
    assert len(server.sent) == 1
    await server.stop()


async def test_a_server_that_offers_no_tls_gets_no_password() -> None:
    server = MailServer()
    await server.start()
    settings = server.settings(imap_host=NAME, smtp_host=NAME, imap_security="starttls", smtp_security="starttls")
    channel = MailChannel(settings, {"password": PASSWORD}, http())
    reply = OutgoingReply(
        "Wij kijken het na", "018f2f6e-0000-7000-8000-000000000001", "c1@klant.test", None, "klant@klant.test"
    )
    for asked in (channel.page(None), channel.reply_privately(reply)):
        with pytest.raises(ChannelBroken, match="offers no TLS"):
            await asked
    assert not [line for line in server.heard if "LOGIN" in line]
    assert server.sent == []
    await server.stop()


async def test_news(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    theirs, trusted = certified(NAME, tmp_path)
    server = NewsServerPlayed(tls=theirs)
    await server.start()
    server.take(an_article("a1@klant.test"))

    def channel(host: str) -> NewsServer:
        return NewsServer({"host": host, "port": server.port, "groups": ["acme.support"]}, {}, http())

    with pytest.raises(ChannelBroken, match="certificate"):
        await channel(NAME).page(None)
    trusting(monkeypatch, trusted)
    assert (await read_on(channel(NAME))).ids == ["a1@klant.test"]
    with pytest.raises(ChannelBroken, match="certificate"):
        await channel("other.example").page(None)
    await server.stop()
