"""Comments of a WordPress site, read and answered at a played one: edits and deletions noticed, nothing lost or doubled."""

from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.channels.wordpress import PAGE_SIZE, RECHECK_EVERY, Wordpress
from tests.ingest.site import Now
from tests.venues import lost, read_on
from tests.venues.wordpress import PASSWORD, SITE, USER, WordpressSite

SECRETS = {"user": USER, "application_password": PASSWORD}


@pytest.fixture
def site() -> WordpressSite:
    return WordpressSite()


def channel(site: WordpressSite, *, signed: bool = True, **settings: Any) -> Wordpress:
    return Wordpress({"url": SITE, **settings}, SECRETS if signed else {}, site.http())


def a_reply(to: int, text: str = "Wij kijken 't na... <vandaag> & morgen", **more: Any) -> OutgoingReply:
    return OutgoingReply(text=text, token=more.pop("token", "t1"), in_reply_to=str(to), **more)


async def test_comments_come_once_over_many_pages(site: WordpressSite, now: Now) -> None:
    for number in range(PAGE_SIZE * 2 + 5):
        site.says(f"klacht {number}", at=now.at - timedelta(minutes=500 - number))
    heard = await read_on(channel(site))
    assert sorted(map(int, heard.ids)) == list(range(1, PAGE_SIZE * 2 + 6))
    assert (await read_on(channel(site), heard.cursor)).ids == []
    now.at += timedelta(minutes=5)
    new = site.says("nieuw")
    again = await read_on(channel(site), heard.cursor)
    assert again.ids == [str(new)]


async def test_at_the_start_a_few_days_are_read_back(site: WordpressSite, now: Now) -> None:
    site.says("oud", at=now.at - timedelta(days=8))
    young = site.says("jong", at=now.at - timedelta(days=6))
    heard = await read_on(channel(site))
    assert heard.ids == [str(young)]
    now.at += RECHECK_EVERY
    assert (await read_on(channel(site), heard.cursor)).ids == []  # comparing does not go behind the start


async def test_a_comment_that_comes_while_pages_are_read_is_not_lost(site: WordpressSite, now: Now) -> None:
    for number in range(PAGE_SIZE + 1):
        site.says(f"klacht {number}", at=now.at - timedelta(minutes=300 - number))
    first = await channel(site).page(None)
    late = site.says("tussendoor", at=now.at)
    rest = await read_on(channel(site), first.cursor)
    once_more = await read_on(channel(site), rest.cursor)
    ids = [one.external_id for one in first.mentions] + rest.ids + once_more.ids
    assert sorted(map(int, ids)) == list(range(1, late + 1))


async def test_a_failure_between_pages_loses_nothing(site: WordpressSite, now: Now) -> None:
    for number in range(PAGE_SIZE * 2):
        site.says(f"klacht {number}", at=now.at - timedelta(minutes=300 - number))
    first = await channel(site).page(None)
    site.faults += [httpx.Response(500), httpx.Response(429, headers={"Retry-After": "77"}), httpx.ReadTimeout]
    for _ in range(3):
        with pytest.raises(TryLater):
            await channel(site).page(first.cursor)
    rest = await read_on(channel(site), first.cursor)
    assert len({one.external_id for one in first.mentions} | set(rest.ids)) == PAGE_SIZE * 2


async def test_edits_are_noticed_when_the_last_days_are_compared(site: WordpressSite, now: Now) -> None:
    number = site.says("kapot", at=now.at - timedelta(days=2))
    cursor = (await read_on(channel(site))).cursor
    site.comments[number].content = "toch niet kapot"
    now.at += RECHECK_EVERY
    heard = await read_on(channel(site), cursor)
    (one,) = heard.mentions
    assert (one.external_id, one.text, one.edited_at) == (str(number), "toch niet kapot", now.at)
    now.at += RECHECK_EVERY
    assert (await read_on(channel(site), heard.cursor)).ids == []


async def test_what_is_gone_is_told_and_what_is_hidden_is_not(site: WordpressSite, now: Now) -> None:
    gone, trashed, spam, held, stays = (
        site.says(f"klacht {number}", at=now.at - timedelta(hours=number)) for number in range(1, 6)
    )
    cursor = (await read_on(channel(site))).cursor
    del site.comments[gone]
    site.comments[trashed].status, site.comments[spam].status, site.comments[held].status = "trash", "spam", "hold"
    assert (await read_on(channel(site), cursor)).ids == []  # not at once
    now.at += RECHECK_EVERY
    heard = await read_on(channel(site), cursor)
    assert sorted(heard.gone) == [str(gone), str(trashed)]
    assert str(stays) not in heard.ids
    now.at += RECHECK_EVERY
    assert (await read_on(channel(site), heard.cursor)).ids == []


async def test_without_a_password_what_is_no_longer_shown_is_gone(site: WordpressSite, now: Now) -> None:
    number = site.says("kapot", at=now.at - timedelta(hours=1))
    site.says("wacht", at=now.at, status="hold")
    first = await read_on(channel(site, signed=False))
    assert first.ids == [str(number)]
    site.comments[number].status = "hold"
    now.at += RECHECK_EVERY
    assert (await read_on(channel(site, signed=False), first.cursor)).gone == [str(number)]


async def test_what_was_released_from_moderation_comes_late_and_comes(site: WordpressSite, now: Now) -> None:
    site.says("gewoon", at=now.at)
    held = site.says("wacht", at=now.at - timedelta(hours=5), status="hold")
    cursor = (await read_on(channel(site, signed=False))).cursor
    site.comments[held].status = "approved"
    now.at += RECHECK_EVERY
    assert (await read_on(channel(site, signed=False), cursor)).ids == [str(held)]


async def test_the_api_is_found_where_the_site_says(now: Now) -> None:
    plain = WordpressSite(plain_permalinks=True)
    plain.says("kapot", at=now.at)
    assert (await read_on(channel(plain))).ids == ["1"]
    assert "rest_route=%2Fwp%2Fv2%2Fcomments" in str(plain.asked[-1].url) or "rest_route=/wp/v2/comments" in str(
        plain.asked[-1].url
    )
    plain.names_api = False
    assert (await read_on(channel(plain))).ids == ["1"]


async def test_a_password_is_not_carried_to_another_site(site: WordpressSite) -> None:
    site.faults.append(
        httpx.Response(200, html="<p>", headers={"Link": '<https://evil.example/wp-json/>; rel="https://api.w.org/"'})
    )
    with pytest.raises(ChannelBroken, match="elsewhere"):
        await channel(site).page(None)
    assert all(request.url.host == "blog.example" for request in site.asked)


async def test_a_site_that_shows_nothing_to_strangers(site: WordpressSite) -> None:
    site.closed = True
    with pytest.raises(AskForNewCredential, match="rss channel"):
        await channel(site, signed=False).page(None)
    with pytest.raises(AskForNewCredential):
        await Wordpress({"url": SITE}, {**SECRETS, "application_password": "no"}, site.http()).page(None)


async def test_an_answer_stands_below_its_comment(site: WordpressSite, now: Now) -> None:
    number = site.says("kapot", at=now.at, post=7)
    (one,) = (await read_on(channel(site))).mentions
    sent = await channel(site).reply_publicly(a_reply(number, raw=one.raw))
    ours = site.comments[int(sent.external_id)]
    assert (ours.parent, ours.post) == (number, 7)
    assert ours.content == "Wij kijken 't na... &lt;vandaag&gt; &amp; morgen"
    assert sent.permalink == f"{SITE}/?p=7#comment-{ours.id}"
    assert sent.sent_at == now.at
    without_raw = await channel(site).reply_publicly(a_reply(number, "Nog iets"))
    assert site.comments[int(without_raw.external_id)].post == 7


@pytest.mark.parametrize("moderates", [True, False])
async def test_an_answer_of_unknown_outcome_is_found(site: WordpressSite, now: Now, moderates: bool) -> None:
    number = site.says("kapot", at=now.at)
    site.faults += [None, None, lost]  # the home page, the comment, then the post
    asking = channel(site, moderates=moderates)
    with pytest.raises(OutcomeUnknown):
        await asking.reply_publicly(a_reply(number))
    found = await asking.find_reply(a_reply(number), private=False, since=now.at - timedelta(minutes=1))
    assert found is not None
    assert site.comments[int(found.external_id)].parent == number
    assert await asking.find_reply(a_reply(number, "anders"), private=False, since=now.at) is None
    with pytest.raises(SkipThis, match="very answer"):
        await asking.reply_publicly(a_reply(number))
    assert len(site.comments) == 2


async def test_what_the_site_refuses(site: WordpressSite, now: Now) -> None:
    number = site.says("kapot", at=now.at)
    with pytest.raises(AskForNewCredential):
        await channel(site, signed=False).reply_publicly(a_reply(number))
    with pytest.raises(SkipThis, match="too long"):
        await channel(site).reply_publicly(a_reply(number, "x" * 65_526))
    with pytest.raises(SkipThis, match="deleted"):
        await channel(site).reply_publicly(a_reply(99))
    with pytest.raises(SkipThis, match="no comment"):
        await channel(site).reply_publicly(OutgoingReply("x", "t", "at://x"))
    site.faults += [None, None, httpx.Response(429, headers={"Retry-After": "15"})]  # the flood check
    with pytest.raises(TryLater) as asked:
        await channel(site).reply_publicly(a_reply(number))
    assert asked.value.after == timedelta(seconds=15)
    site.holds = True
    sent = await channel(site).reply_publicly(a_reply(number))
    assert site.comments[int(sent.external_id)].status == "hold"


async def test_moderation(site: WordpressSite, now: Now) -> None:
    number = site.says("kapot", at=now.at)
    post = Post(str(number))
    for _ in range(2):  # hiding what is hidden changes nothing
        await channel(site).hide(post)
        assert site.comments[number].status == "hold"
    await channel(site).unhide(post)
    assert site.comments[number].status == "approved"
    await channel(site, hide_as="spam").hide(post)
    assert site.comments[number].status == "spam"
    for _ in range(2):
        await channel(site).delete_reply(post)
        assert number not in site.comments
    with pytest.raises(SkipThis):
        await channel(site).hide(post)
    with pytest.raises(AskForNewCredential):
        await channel(site, signed=False).hide(post)


async def test_whom_the_site_takes_us_for(site: WordpressSite) -> None:
    assert (await channel(site).account()).external_id == "2"
    assert (await channel(site, signed=False).account()).name == "Acme blog"
    assert channel(site, own_authors=["2"]).own_accounts() == {"2"}


async def test_the_cursor_stays_small(site: WordpressSite, now: Now) -> None:
    for number in range(1_200):
        site.says(f"klacht {number}", at=now.at - timedelta(minutes=1_300 - number))
    heard = await read_on(channel(site))
    assert len(heard.ids) == 1_200
    assert len(orjson.dumps(heard.cursor)) < 25_000
    now.at += RECHECK_EVERY
    again = await read_on(channel(site), heard.cursor)
    assert again.ids == []
