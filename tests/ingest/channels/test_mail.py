"""A mailbox read and answered from, at a played mail server: nothing lost, nothing doubled, nothing sent twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    HttpClient,
    OutcomeUnknown,
    OutgoingReply,
    SkipThis,
    TryLater,
)
from services.ingest.channels.mail import PAGE_SIZE, MailChannel
from shared.kit import clock
from tests.ingest.site import Now
from tests.venues import read_on
from tests.venues.mail import PASSWORD, TOKEN, US, MailServer, a_mail

NOW = datetime.now(UTC).replace(microsecond=0)  # noqa: DTZ005, TID251, RUF100
SECRETS = {"password": PASSWORD}


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    played = MailServer()
    await played.start()
    yield played
    await played.stop()


def channel(server: MailServer, secrets: dict[str, str] | None = None, **more: Any) -> MailChannel:
    return MailChannel(server.settings(**more), SECRETS if secrets is None else secrets, HttpClient(["127.0.0.0/8"]))


def a_reply(**more: Any) -> OutgoingReply:
    told: dict[str, Any] = {
        "text": "Wij kijken het na. Excuses! 🙏", "token": "018f2f6e-0000-7000-8000-000000000001", "in_reply_to": "c1@klant.test",
        "thread_id": "c1@klant.test", "author_external_id": "klant@klant.test", "title": "Router",
    }  # fmt: skip
    return OutgoingReply(**{**told, **more})


async def test_mails_come_once_and_in_order(server: MailServer) -> None:
    for number in range(PAGE_SIZE + 10):
        server.deliver(a_mail(key=f"c{number}@klant.test"), NOW - timedelta(hours=5) + timedelta(seconds=number))
    heard = await read_on(channel(server))
    assert heard.ids == [f"c{number}@klant.test" for number in range(PAGE_SIZE + 10)]
    again = await read_on(channel(server), heard.cursor)  # a server gives its last mail for n:* although it is older
    assert again.ids == []
    server.deliver(a_mail(key="new@klant.test"), NOW)
    assert (await read_on(channel(server), again.cursor)).ids == ["new@klant.test"]
    assert not [one for one in server.heard if one.startswith(("SELECT", "UID STORE", "EXPUNGE"))]


async def test_at_the_start_a_few_days_are_read_back(server: MailServer) -> None:
    assert (await channel(server).page(None)).mentions == ()
    server.deliver(a_mail(key="old@klant.test"), NOW - timedelta(days=30))
    server.deliver(a_mail(key="young@klant.test"), NOW - timedelta(days=2))
    assert (await read_on(channel(server))).ids == ["young@klant.test"]
    nothing = await read_on(channel(server, history_days=0))
    assert nothing.ids == []
    server.deliver(a_mail(key="next@klant.test"), NOW)
    assert (await read_on(channel(server), nothing.cursor)).ids == ["next@klant.test"]


async def test_a_server_that_counts_anew_hides_nothing(server: MailServer) -> None:
    server.deliver(a_mail(key="c1@klant.test"), NOW - timedelta(hours=3))
    cursor = (await read_on(channel(server))).cursor
    server.deliver(a_mail(key="c2@klant.test"), NOW - timedelta(hours=1))
    server.count_anew()
    heard = await read_on(channel(server), cursor)
    assert heard.ids == ["c1@klant.test", "c2@klant.test"]  # the first is known by its id
    assert (await read_on(channel(server), heard.cursor)).ids == []


async def test_a_server_that_counts_anew_hides_nothing_of_a_box_that_was_empty(server: MailServer, now: Now) -> None:
    cursor = (await read_on(channel(server))).cursor
    now.at += timedelta(days=30)
    for days in range(10):
        server.deliver(a_mail(key=f"late{days}@klant.test"), now.at - timedelta(days=2 * days))
    server.count_anew()
    assert len((await read_on(channel(server), cursor)).ids) == 10


@pytest.mark.parametrize("cut_at", ["LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH"])
async def test_a_connection_that_is_cut_leaves_the_cursor(server: MailServer, cut_at: str) -> None:
    for number in range(3):
        server.deliver(a_mail(key=f"c{number}@klant.test"), NOW)
    server.cut_at, server.cut_after = cut_at, 1 if cut_at == "UID FETCH" else 0
    with pytest.raises(TryLater):
        await channel(server).page(None)
    server.cut_at = None
    assert len((await read_on(channel(server))).ids) == 3


async def test_what_a_server_refuses(server: MailServer) -> None:
    with pytest.raises(AskForNewCredential):
        await channel(server, {"password": "wrong"}).page(None)
    with pytest.raises(AskForNewCredential, match="asks for a password"):
        await channel(server, {}).page(None)
    with pytest.raises(ChannelBroken, match="no folder 'Webcare'"):
        await channel(server, folder="Webcare").page(None)
    server.login_says = "[UNAVAILABLE] Temporary failure"
    with pytest.raises(TryLater):
        await channel(server).page(None)
    with pytest.raises(TryLater):
        await MailChannel(server.settings(imap_port=9), SECRETS, HttpClient(["127.0.0.0/8"])).page(None)


async def test_addresses_are_judged(server: MailServer) -> None:
    with pytest.raises(ChannelBroken, match="not called"):
        await MailChannel(server.settings(), SECRETS, HttpClient()).page(None)
    with pytest.raises(ChannelBroken, match="not called"):
        await MailChannel(server.settings(), SECRETS, HttpClient()).reply_privately(a_reply())

    async def resolver(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    wide = MailChannel(
        server.settings(imap_host="mail.example", imap_port=6379), SECRETS, HttpClient(resolver=resolver)
    )
    with pytest.raises(ChannelBroken, match="Use 143 or 993"):
        await wide.page(None)


async def test_idle_tells_at_once(server: MailServer) -> None:
    server.deliver(a_mail(key="c1@klant.test"), NOW)
    heard: list[str] = []
    stream = channel(server).stream(None)
    heard += [one.external_id for one in (await anext(stream)).mentions]
    waiting = asyncio.ensure_future(anext(stream))
    async with asyncio.timeout(60):
        while "IDLE" not in server.heard:
            await asyncio.sleep(0.01)
        server.deliver(a_mail(key="c2@klant.test"), NOW)
        heard += [one.external_id for one in (await waiting).mentions]
    assert heard == ["c1@klant.test", "c2@klant.test"]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_without_idle_it_looks_now_and_then(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.networks.mailbox.SLICE_S", 0.01)
    server.has_idle = False
    stream = channel(server).stream(None)
    assert (await anext(stream)).mentions == ()  # it is connected
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    server.deliver(a_mail(), NOW)
    async with asyncio.timeout(60):
        assert [one.external_id for one in (await waiting).mentions] == ["c1@klant.test"]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_time_can_be_read_again(server: MailServer) -> None:
    for day in range(20):
        server.deliver(a_mail(key=f"d{day}@klant.test"), NOW - timedelta(days=20 - day))
    page = await channel(server).backfill(NOW - timedelta(days=10), None)
    assert [one.external_id for one in page.mentions] == [f"d{day}@klant.test" for day in range(10, 20)]
    assert not page.has_more


async def test_an_answer_stands_in_the_customers_thread(server: MailServer) -> None:
    raw = a_mail(key="c2@klant.test", subject="RE: Antw: Router", References="<r0@klant.test> <r1@acme.test>",
                 In_Reply_To="<r1@acme.test>", Reply_To="Thuis <thuis@klant.test>")  # fmt: skip
    sent = await channel(server).reply_privately(
        a_reply(in_reply_to="c2@klant.test", thread_id="r0@klant.test", raw=raw)
    )
    (recipients, message), = server.sent  # fmt: skip
    assert recipients == ["thuis@klant.test", US]
    assert message["To"] == "thuis@klant.test"
    assert message["From"] == "Acme Care <care@acme.test>"
    assert message["Subject"] == "Re: Router"
    assert message["In-Reply-To"] == "<c2@klant.test>"
    assert message["References"].split() == ["<r0@klant.test>", "<r1@acme.test>", "<c2@klant.test>"]
    assert message["Message-ID"] == f"<{sent.external_id}>"
    assert message.get_payload(decode=True).decode().strip() == "Wij kijken het na. Excuses! 🙏"  # type: ignore[union-attr]
    heard = await read_on(channel(server))
    assert heard.ids == []  # the copy that came back is no mention
    assert heard.skipped == []


async def test_without_the_original_the_thread_is_kept_all_the_same(server: MailServer) -> None:
    await channel(server).reply_privately(
        a_reply(in_reply_to="c2@klant.test", thread_id="r0@klant.test", title="Router\r\nBcc: all@acme.test")
    )
    (recipients, message), = server.sent  # fmt: skip
    assert recipients == ["klant@klant.test", US]
    assert message["References"].split() == ["<r0@klant.test>", "<c2@klant.test>"]
    assert message["Subject"] == "Re: Router Bcc: all@acme.test"
    assert message["Bcc"] is None


async def test_a_long_thread_keeps_its_first_and_its_last(server: MailServer) -> None:
    many = " ".join(f"<r{number}@klant.test>" for number in range(40))
    await channel(server).reply_privately(a_reply(raw=a_mail(References=many)))
    references = server.sent[0][1]["References"].split()
    assert references == [
        "<r0@klant.test>",
        *(f"<r{number}@klant.test>" for number in range(31, 40)),
        "<c1@klant.test>",
    ]


async def test_an_answer_whose_outcome_is_unknown_is_found_and_not_sent_again(server: MailServer) -> None:
    server.smtp_fault = ("DATA", "after DATA")
    with pytest.raises(OutcomeUnknown):
        await channel(server).reply_privately(a_reply())
    found = await channel(server).find_reply(a_reply(), private=True, since=NOW - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == server.sent[0][1]["Message-ID"].strip("<>")
    other = a_reply(token="018f2f6e-0000-7000-8000-000000000002")
    assert await channel(server).find_reply(other, private=True, since=NOW) is None
    assert len(server.sent) == 1


async def test_a_server_that_keeps_what_it_sends(server: MailServer) -> None:
    server.keeps_sent = True
    kept = channel(server, sent_copy="server")
    await kept.reply_privately(a_reply())
    assert server.sent[0][0] == ["klant@klant.test"]
    assert await kept.find_reply(a_reply(), private=True, since=NOW) is not None
    assert kept.idempotency() == "read_back"


async def test_a_copy_that_we_keep_ourselves(server: MailServer) -> None:
    appended = channel(server, sent_copy="append")
    await appended.reply_privately(a_reply())
    assert server.sent[0][0] == ["klant@klant.test"]
    assert len(server.folders["Sent"]) == 1
    assert appended.idempotency() == "neither"  # it is put there afterwards: where it is missing, nothing is proved
    server.cut_at = "APPEND"
    await appended.reply_privately(a_reply())  # the mail is sent whatever becomes of the copy
    assert len(server.sent) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (("DATA", "cut"), OutcomeUnknown),
        (("MAIL", "cut"), TryLater),
        (("RCPT", "cut"), TryLater),
        (("EHLO", "cut"), TryLater),
        (("MAIL", "421 4.3.2 going down"), TryLater),
        (("MAIL", "550 5.7.1 not from you"), ChannelBroken),
        (("DATA", "554 5.7.1 spam"), SkipThis),
        (("DATA", "452 4.2.2 full"), TryLater),
        (("AUTH", "535 5.7.8 no"), AskForNewCredential),
        (("AUTH", "454 4.7.0 later"), TryLater),
    ],
)
async def test_what_goes_wrong_on_the_way_out(
    server: MailServer, fault: tuple[str, str], error: type[Exception]
) -> None:
    server.smtp_fault = fault
    with pytest.raises(error) as caught:
        await channel(server).reply_privately(a_reply())
    assert type(caught.value) is error
    assert server.sent == []


async def test_recipients_that_are_refused(server: MailServer) -> None:
    with pytest.raises(SkipThis, match="no such user"):
        await channel(server).reply_privately(a_reply(author_external_id="unknown@klant.test"))
    with pytest.raises(TryLater, match="greylisted"):
        await channel(server).reply_privately(a_reply(author_external_id="later@klant.test"))
    for bad in ("klant", "a b@klant.test", "x@klant.test\r\nRCPT TO:<y@z.test>", "<x@klant.test>", "jörg@klant.test"):
        with pytest.raises(SkipThis):
            await channel(server).reply_privately(a_reply(author_external_id=bad))
    with pytest.raises(SkipThis, match="not known who"):
        await channel(server).reply_privately(a_reply(author_external_id=None))
    assert server.sent == []


async def test_a_mail_that_bounces_comes_in_as_an_answer_to_it(server: MailServer) -> None:
    sent = await channel(server).reply_privately(a_reply())
    ours = server.sent[0][1].as_bytes()
    for number, original in enumerate((ours, a_mail(key="forged@acme.test"))):
        server.deliver(_bounce(original, f"b{number}@mx.test"), NOW)
    heard = await read_on(channel(server))
    (one,) = heard.mentions
    assert (one.external_id, one.in_reply_to, one.thread_id) == ("b0@mx.test", sent.external_id, "c1@klant.test")
    assert one.text == "Not delivered to klant@klant.test: 5.1.1 550 no such user"
    assert one.author is None
    assert [skipped.external_id for skipped in heard.skipped] == ["b1@mx.test"]


def _bounce(original: bytes, key: str, action: str = "failed") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.test\r\nTo: {US}\r\nSubject: Undelivered Mail Returned to Sender\r\nMessage-ID: <{key}>\r\n"
        'MIME-Version: 1.0\r\nAuto-Submitted: auto-replied\r\n'
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n'
        "--B\r\nContent-Type: text/plain\r\n\r\nI'm sorry to have to inform you.\r\n"
        "--B\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
        f"Final-Recipient: rfc822; klant@klant.test\r\nAction: {action}\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 no such user\r\n\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n"
    ).encode() + original + b"\r\n--B--\r\n"  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [{"Auto_Submitted": "auto-replied"}, {"Auto_Submitted": "auto-generated; owner"}, {"Precedence": "bulk"},
     {"List_Id": "<news.shop.test>"}, {"X_Autoreply": "yes"}, {"Return_Path": "<>"},
     {"Subject": "Automatisch antwoord: Router", "In_Reply_To": "<x@acme.test>"}],
)  # fmt: skip
async def test_automatic_mail_is_left_out_unless_wished(server: MailServer, header: dict[str, str]) -> None:
    server.deliver(a_mail(**header), NOW)  # type: ignore[arg-type]
    heard = await read_on(channel(server))
    assert heard.ids == []
    assert "automatic mail" in heard.skipped[0].reason
    assert (await read_on(channel(server, automatic=True))).ids == ["c1@klant.test"]


async def test_a_person_is_never_taken_for_a_program(server: MailServer) -> None:
    server.deliver(a_mail(Auto_Submitted="no", Precedence="normal", Return_Path="<klant@klant.test>"), NOW)
    assert (await read_on(channel(server))).ids == ["c1@klant.test"]


async def test_whom_the_servers_take_us_for(server: MailServer) -> None:
    told = await channel(server, aliases=["Help@acme.test"]).account()
    assert (told.external_id, told.name) == (US, "Acme Care")
    assert channel(server, aliases=["Help@acme.test"]).own_accounts() == {US, "help@acme.test"}
    server.smtp_fault = ("AUTH", "535 5.7.8 no")
    with pytest.raises(AskForNewCredential):
        await channel(server).account()


async def test_a_refresh_token_signs_in(server: MailServer) -> None:
    def tokens(request: httpx.Request) -> httpx.Response:
        asked = dict(httpx.QueryParams(request.content.decode()))
        if asked != {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "id"}:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, content=orjson.dumps({"access_token": TOKEN, "expires_in": 3600}))

    server.deliver(a_mail(), NOW)
    http = HttpClient(["127.0.0.0/8"]).through(httpx.MockTransport(tokens))
    settings = server.settings(oauth_token_url="https://login.example/token")
    secrets = {"oauth_refresh_token": "r", "oauth_client_id": "id"}
    signed = MailChannel(settings, secrets, http)
    assert (await read_on(signed)).ids == ["c1@klant.test"]
    await signed.reply_privately(a_reply())
    assert len(server.sent) == 1
    with pytest.raises(AskForNewCredential, match="refresh token"):
        await MailChannel(settings, {**secrets, "oauth_refresh_token": "withdrawn"}, http).page(None)


def test_a_clock_that_is_wrong_is_not_believed() -> None:
    for date, told in ((NOW - timedelta(hours=1), NOW - timedelta(hours=1)), (NOW + timedelta(hours=1), NOW),
                       (NOW - timedelta(days=400), NOW)):  # fmt: skip
        (one,) = MailChannel.read_payload(a_mail(at=date), NOW).mentions
        assert one.published_at == told
    assert clock.now() - NOW < timedelta(days=1)
