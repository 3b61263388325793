"""Moderation at the simulated venue: it does what it is asked, keeps each asking, and says when it will not."""

from pathlib import Path

import pytest

from services.ingest import catalog
from services.ingest.channel import AskForNewCredential, ChannelError, OutcomeUnknown, Post, SkipThis, TryLater
from services.ingest.channels.simulated import Simulated
from tests.ingest.simulation import a_fault, a_venue_channel, an_answer

FAULTS = {
    "refuse_connection": (TryLater, False),
    "too_many_requests": (TryLater, False),
    "bad_credential": (AskForNewCredential, False),
    "cut_before_accept": (OutcomeUnknown, False),
    "cut_after_accept": (OutcomeUnknown, True),
    "time_out_before_accept": (OutcomeUnknown, False),
    "time_out_after_accept": (OutcomeUnknown, True),
    "server_error": (OutcomeUnknown, False),
    "server_error_after_accept": (OutcomeUnknown, True),
    "garbage": (OutcomeUnknown, True),
    "cut_off_answer": (OutcomeUnknown, True),
}


def test_it_has_every_ability() -> None:
    assert {"hide", "report", "dispute", "delete_reply"} <= set(catalog.describe("simulated").abilities)


async def test_a_post_is_hidden_and_shown_however_often_it_is_asked(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path)
    post = Post(channel.venue.post("kapot"))
    assert not channel.venue.is_hidden(post.external_id)
    for ask, hidden in ((channel.hide, True), (channel.hide, True), (channel.unhide, False), (channel.unhide, False)):
        await ask(post)
        assert channel.venue.is_hidden(post.external_id) == hidden


async def test_a_report_is_kept_with_its_reason_each_time(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path)
    post = Post(channel.venue.post("kapot"))
    await channel.report(post, "a threat")
    await channel.report(post, "a threat")
    assert [(one.action, one.reason) for one in channel.venue.moderated(post.external_id)] == [
        ("report", "a threat")
    ] * 2


@pytest.mark.parametrize(("plays", "kind"), [("trustpilot", None), ("plain", "review")])
async def test_a_review_can_be_disputed(tmp_path: Path, plays: str, kind: str | None) -> None:
    channel = a_venue_channel(tmp_path, plays=plays)
    post = Post(channel.venue.post("kapot", kind=kind))
    await channel.dispute(post, "no such customer")
    assert [one.action for one in channel.venue.moderated()] == ["dispute"]


async def test_what_is_no_review_cannot(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path)
    with pytest.raises(SkipThis, match="only a review"):
        await channel.dispute(Post(channel.venue.post("kapot")), "no such customer")
    assert channel.venue.moderated() == []


async def test_a_reply_that_was_deleted_is_gone_wherever_it_was_seen(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path, idempotency="read_back", echoes=True, plays="plain")
    answer = an_answer(channel.venue.post("kapot"))
    sent = await channel.reply_publicly(answer)
    reply = Post(sent.external_id)
    for _ in range(2):
        await channel.delete_reply(reply)
    assert channel.venue.is_deleted(sent.external_id)
    assert await channel.find_reply(answer, private=False, since=sent.sent_at) is None
    assert not channel.venue.has_reply(answer.in_reply_to, private=False)
    page = await channel.page(None)
    (echo,) = [one for one in page.mentions if one.external_id == sent.external_id]
    assert echo.deleted_at is not None


@pytest.mark.parametrize("gone", ["never there", "deleted"])
async def test_what_is_not_there_cannot_be_moderated(tmp_path: Path, gone: str) -> None:
    channel = a_venue_channel(tmp_path, plays="trustpilot")
    post = Post("nowhere")
    if gone == "deleted":
        post = Post(channel.venue.post("kapot"))
        channel.venue.delete(post.external_id)
    for asked in (
        channel.hide(post),
        channel.unhide(post),
        channel.report(post, "x"),
        channel.dispute(post, "x"),
        channel.delete_reply(post),
    ):
        with pytest.raises(SkipThis, match="there is no such"):
            await asked
    assert channel.venue.moderated() == []


@pytest.mark.parametrize("what", FAULTS)
async def test_what_goes_wrong_says_whether_the_venue_may_have_done_it(tmp_path: Path, what: str) -> None:
    error, done = FAULTS[what]
    channel = a_venue_channel(tmp_path, faults=[a_fault("moderate", what, 1)])
    with pytest.raises(ChannelError) as caught:
        await channel.report(Post(channel.venue.post("kapot")), "a threat")
    assert type(caught.value) is error
    assert len(channel.venue.moderated()) == int(done)


def test_faults_on_moderation_add_up_to_all_at_most(tmp_path: Path) -> None:
    more = [{"on": "moderate", "what": "garbage", "percent": 60}] * 2
    with pytest.raises(ValueError, match="moderate add up"):
        Simulated.Settings.model_validate({"data_dir": tmp_path, "faults": more})
