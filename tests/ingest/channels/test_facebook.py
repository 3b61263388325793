"""The facebook channel against a played page: reading back, webhooks, answers, moderation, and what goes wrong on the way."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    NotGenuine,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    Push,
    SkipThis,
    TryLater,
)
from services.ingest.channels.facebook import Facebook
from tests.ingest.site import NOON, Now
from tests.venues import Fault, lost, read_on
from tests.venues.facebook import DAY, PAGE, FacebookVenue
from tests.venues.graph import SECRETS, error, question


def opened(venue: FacebookVenue, secrets: dict[str, str] = SECRETS) -> Facebook:
    return Facebook({"page_id": PAGE}, secrets, venue.http())


def reply(to: str, text: str = "Dag! We kijken ernaar.", **more: str) -> OutgoingReply:
    return OutgoingReply(text, "token-1", to, **{"kind": "comment", "author_external_id": "77", **more})  # type: ignore[arg-type]


@pytest.fixture
def venue(now: Now) -> FacebookVenue:
    return FacebookVenue()


async def test_all_that_is_new_is_read_once_however_the_lists_are_cut(venue: FacebookVenue) -> None:
    venue.page_size = 3
    posts = [venue.post(f"Nieuws {number}", ago=number * 3600) for number in range(8)]
    comments = [
        venue.comment(posts[number % 8], f"Vraag {number}", ago=number * 60, by=str(100 + number))
        for number in range(60)
    ]
    deep = venue.comment(comments[7], "En ik ook", ago=30)
    visitor = venue.post("Waar is mijn pakje?", ago=600, by="77")
    tagged = venue.post("Dank @Acme", ago=900, by="78", tags=True)
    heard = await read_on(opened(venue))
    assert sorted(heard.ids) == sorted([*posts, *comments, deep, visitor, tagged])
    by_id = {one.external_id: one for one in heard.mentions}
    assert by_id[deep].kind == "reply"
    assert by_id[deep].in_reply_to == comments[7]
    assert by_id[deep].thread_id == posts[7]
    assert by_id[comments[7]].in_reply_to == posts[7]
    assert heard.cursor == {"known": int(NOON.timestamp())}
    assert heard.pages[-1].poll_after == timedelta(minutes=5)
    assert heard.pages[-1].quota_left == 95
    assert not any("evil" in str(request.url) for request in venue.asked)


async def test_a_later_sweep_opens_what_was_written_under_older_posts(venue: FacebookVenue, now: Now) -> None:
    old = venue.post("Tien dagen oud", ago=10 * DAY)
    very_old = venue.post("Een maand oud", ago=30 * DAY)
    before = await read_on(opened(venue))
    assert before.ids == []
    venue.now += 7200
    now.at += timedelta(hours=2)
    first, unheard = venue.comment(old, "Werkt dit nog?", ago=3600), venue.comment(very_old, "En dit?", ago=60)
    late = venue.comment(old, "Twee", ago=5)
    after = await read_on(opened(venue), before.cursor)
    assert after.ids == [first, late]
    assert unheard not in after.ids  # a webhook tells it
    again = await read_on(opened(venue), after.cursor)
    assert set(again.ids) <= {late}  # only the overlap


async def test_a_fault_in_the_middle_of_a_sweep_loses_and_doubles_nothing(venue: FacebookVenue) -> None:
    venue.page_size = 2
    posts = [venue.post(f"P{number}", ago=number) for number in range(5)]
    comments = [venue.comment(posts[0], f"C{number}", ago=number, by="9") for number in range(9)]
    channel, cursor, ids = opened(venue), None, list[str]()
    faults: list[Fault] = [
        httpx.Response(503),
        httpx.ConnectError,
        lost,
        error(4, "Application request limit reached"),
        error(2, "down", status=500),
    ]
    for number in range(60):
        if number % 2:
            venue.faults.append(faults[(number // 2) % 5])
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = dict(page.cursor), ids + [one.external_id for one in page.mentions]
        if not page.has_more:
            break
    assert sorted(ids) == sorted([*posts, *comments])


async def test_a_post_deleted_while_it_is_read_stops_nothing(venue: FacebookVenue) -> None:
    venue.page_size = 2
    post, other = venue.post("weg", ago=1), venue.post("blijft", ago=2)
    for number in range(5):
        venue.comment(post, f"C{number}", ago=number)
    kept = venue.comment(other, "ja", ago=3)
    channel = opened(venue)
    first = await channel.page(None)
    assert first.cursor["deep"]
    for known in [one for one in venue.order if one.startswith(post.split("_")[1])] + [post]:
        venue.remove(known)
    rest = await read_on(channel, first.cursor)
    assert kept in {one.external_id for one in first.mentions} | set(rest.ids)


async def test_backfill_reads_what_a_cut_of_two_hours_missed(venue: FacebookVenue, now: Now) -> None:
    post = venue.post("Nieuws", ago=3 * DAY)
    missed = [venue.comment(post, f"V{number}", ago=number * 300) for number in range(24)]
    channel, cursor, ids = opened(venue), None, []
    while True:
        page = await channel.backfill(NOON - timedelta(hours=2), cursor)
        ids += [one.external_id for one in page.mentions]
        cursor = page.cursor
        if not page.has_more:
            break
    assert sorted(ids) == sorted(missed)


async def test_webhooks_tell_what_reading_tells_the_same_way(venue: FacebookVenue) -> None:
    post = venue.post("Nieuws", by="55")
    comment = venue.comment(post, "Kapot 😡 één")
    channel = opened(venue)
    push = venue.tells(venue.change(post), venue.change(comment))
    assert b"\\u" in push.body
    assert channel.verify(push, NOON) == channel.verify(push, NOON)
    pushed = {one.external_id: one for one in channel.read_push(push, NOON).mentions}
    read = {one.external_id: one for one in (await read_on(channel)).mentions}
    assert pushed.keys() == read.keys() == {post, comment}
    for known, told in pushed.items():
        assert told.digest() == read[known].digest(), "or reading back would pass for an edit"
        assert told.published_at == read[known].published_at
        assert (told.thread_id, told.in_reply_to) == (read[known].thread_id, read[known].in_reply_to)
        assert told.author == read[known].author


async def test_edits_removals_hiding_repeats_and_disorder(venue: FacebookVenue) -> None:
    channel = opened(venue)
    post = venue.post("x")
    comment = venue.comment(post, "eerst")
    add = venue.change(comment)
    venue.things[comment]["message"] = "toen"
    edited = channel.read_push(venue.tells(add, add, venue.change(comment, "edited")), NOON)
    assert [(one.text, one.edited_at) for one in edited.mentions] == [("toen", NOON)]
    removed = channel.read_push(venue.tells(venue.change(comment, "remove")), NOON)
    assert [(one.external_id, one.text, one.deleted_at) for one in removed.mentions] == [(comment, "", NOON)]
    quiet = channel.read_push(venue.tells(venue.change(comment, "hide"), venue.change(comment, "unhide")), NOON)
    assert (quiet.mentions, quiet.skipped, quiet.drift) == ((), (), ())
    other = channel.read_push(venue.tells(venue.change(comment), page="501"), NOON)
    assert other.mentions == ()


def test_a_webhook_is_taken_only_if_it_is_signed_with_one_of_our_secrets(venue: FacebookVenue) -> None:
    push = venue.tells(venue.change(venue.post("x")))
    opened(venue).verify(push, NOON)
    opened(venue, {"app_secret": "new", "former_app_secret": SECRETS["app_secret"]}).verify(push, NOON)
    for wrong in (
        Push("POST", push.headers, push.body + b" "),
        Push("POST", {}, push.body),
        Push("POST", {"x-hub-signature": "sha1=aa"}, push.body),
        Push("POST", {"x-hub-signature-256": "sha256=é"}, push.body),
        venue.tells(secret="another"),
    ):
        with pytest.raises(NotGenuine):
            opened(venue).verify(wrong, NOON)
    with pytest.raises(NotGenuine, match="no app secret"):
        opened(venue, {}).verify(push, NOON)


def test_the_question_whether_the_address_is_ours_is_answered(venue: FacebookVenue) -> None:
    channel = opened(venue)
    answer = channel.answer_hook(question(), NOON)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.content_type.startswith("text/plain")
    assert channel.answer_hook(venue.tells(), NOON) is None
    for wrong in (question("guessed"), question("é"), Push("GET", {}, b"")):
        with pytest.raises(NotGenuine):
            channel.answer_hook(wrong, NOON)
    with pytest.raises(NotGenuine):
        opened(venue, {}).answer_hook(question(""), NOON)


async def test_a_public_answer_stands_under_the_comment_and_is_found_again(venue: FacebookVenue) -> None:
    comment = venue.comment(venue.post("x"), "Help")
    channel = opened(venue)
    sent = await channel.reply_publicly(reply(comment))
    assert venue.things[sent.external_id]["parent"] == comment
    assert sent.permalink == f"https://www.facebook.com/{sent.external_id}"
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(reply(comment, "Nog iets"))
    found = await channel.find_reply(reply(comment, "Nog iets"), private=False, since=NOON - timedelta(minutes=1))
    assert found is not None
    assert venue.things[found.external_id]["message"] == "Nog iets"
    assert await channel.find_reply(reply(comment, "Nooit"), private=False, since=NOON - timedelta(minutes=1)) is None
    assert await channel.find_reply(reply(comment), private=False, since=NOON + timedelta(minutes=1)) is None


async def test_one_private_answer_within_seven_days(venue: FacebookVenue) -> None:
    comment = venue.comment(post := venue.post("x", ago=9 * DAY, by="77"), "Help")
    channel = opened(venue)
    sent = await channel.reply_privately(reply(comment))
    assert [one["id"] for one in venue.messages] == [sent.external_id]
    with pytest.raises(SkipThis, match="already replied"):
        await channel.reply_privately(reply(comment))
    with pytest.raises(SkipThis, match="is over"):
        await channel.reply_privately(reply(post, kind="post"))
    with pytest.raises(SkipThis, match="2000"):
        await channel.reply_privately(reply(venue.comment(post, "y"), "x" * 2001))
    found = await channel.find_reply(reply(comment), private=True, since=NOON - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == sent.external_id
    with pytest.raises(ChannelBroken, match="look for it there"):
        await channel.find_reply(OutgoingReply("x", "t", comment), private=True, since=NOON)


async def test_moderation(venue: FacebookVenue) -> None:
    comment = venue.comment(venue.post("x"), "spam")
    channel = opened(venue)
    await channel.hide(Post(comment))
    await channel.hide(Post(comment))
    assert venue.things[comment]["hidden"] is True
    venue.faults.append(lost)
    with pytest.raises(TryLater):
        await channel.unhide(Post(comment))
    assert venue.things[comment]["hidden"] is False
    sent = await channel.reply_publicly(reply(comment))
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert sent.external_id not in venue.things
    with pytest.raises(SkipThis):
        await channel.hide(Post("500_404"))


async def test_the_credential_is_checked(venue: FacebookVenue) -> None:
    account = await opened(venue).account()
    assert (account.external_id, account.name, account.handle) == (PAGE, "Acme", "acme")
    assert opened(venue).own_accounts() == {PAGE}
    with pytest.raises(ChannelBroken, match=r"belongs to Acme \(500\)"):
        await Facebook({"page_id": "501"}, SECRETS, venue.http()).account()
    venue.token = "another"
    with pytest.raises(AskForNewCredential, match="code 190"):
        await opened(venue).page(None)


ERRORS = {
    "too many calls": (error(32, "Page request limit reached"), TryLater, TryLater),
    "business limit": (error(80001, "too many calls to this Page account"), TryLater, TryLater),
    "no permission": (error(200, "Permissions error"), AskForNewCredential, AskForNewCredential),
    "trouble": (error(2, "Service temporarily unavailable", status=503), TryLater, OutcomeUnknown),
    "refused": (error(100, "Unsupported parameter"), ChannelBroken, SkipThis),
    "a bare 500": (httpx.Response(500), TryLater, OutcomeUnknown),
    "no id": (httpx.Response(200, json={}), None, OutcomeUnknown),
    "not JSON": (httpx.Response(200, content=b"ok"), TryLater, OutcomeUnknown),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_what_an_error_means_to_reading_and_to_answering(venue: FacebookVenue, case: str) -> None:
    answer, to_reading, to_answering = ERRORS[case]
    comment = venue.comment(venue.post("x"), "y")
    if to_reading is not None:
        venue.faults.append(answer)
        with pytest.raises(to_reading):
            await opened(venue).page(None)
    venue.faults.append(answer)
    with pytest.raises(to_answering):
        await opened(venue).reply_publicly(reply(comment))


async def test_a_limit_says_when_it_ends_and_a_scarce_quota_slows_reading(venue: FacebookVenue) -> None:
    limited = error(80001, "too many")
    limited.headers["x-business-use-case-usage"] = (
        '{"500":[{"type":"pages","call_count":100,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":19}]}'
    )
    venue.faults.append(limited)
    with pytest.raises(TryLater) as caught:
        await opened(venue).page(None)
    assert caught.value.after == timedelta(minutes=19)
    venue.usage = 97
    venue.post("x", by="3")
    page = await opened(venue).page(None)
    assert (page.quota_left, page.poll_after, page.has_more) == (3, timedelta(minutes=15), False)


async def test_a_place_in_a_list_that_does_not_last_is_left_and_the_list_read_anew(venue: FacebookVenue) -> None:
    venue.page_size = 2
    posts = [venue.post(f"P{number}", ago=number) for number in range(6)]
    comments = [venue.comment(posts[0], f"C{number}", ago=number) for number in range(7)]
    invalid = error(100, "The parameter after is not a valid cursor")
    channel = opened(venue)
    first = await channel.page(None)
    venue.faults.append(invalid)
    deeper = await channel.page(first.cursor)
    assert (deeper.mentions, deeper.has_more) == ((), True)
    rest = await read_on(channel, deeper.cursor)
    assert {one.external_id for one in first.mentions} | set(rest.ids) == {*posts, *comments}
    venue.faults.extend([invalid, invalid])
    lost_once = await channel.page(first.cursor)
    with pytest.raises(ChannelBroken):
        await channel.page(lost_once.cursor)


def test_the_signature_is_the_one_that_others_compute(venue: FacebookVenue) -> None:
    """A vector that was published for the same algorithm."""
    signed = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    opened(venue, {"app_secret": "It's a Secret to Everybody"}).verify(Push("POST", signed, b"Hello, World!"), NOON)


async def test_recommendations_are_told_by_webhook_as_they_are_read_back(venue: FacebookVenue) -> None:
    venue.page_size = 2
    stories = [venue.review(f"Tekst {number}", ago=number * 60, advised=number % 2 == 0) for number in range(4)]
    stories.append(venue.review("", ago=600, advised=False))
    venue.review("Van vorige maand", ago=30 * DAY)
    channel = opened(venue)
    read = {one.external_id: one for one in (await read_on(channel)).mentions}
    assert read.keys() == set(stories)
    page = channel.read_push(venue.tells(*(venue.rated(story) for story in stories)), NOON)
    assert page.drift == ()
    pushed = {one.external_id: one for one in page.mentions}
    for story in stories:
        assert pushed[story].digest() == read[story].digest()
        assert (pushed[story].author, pushed[story].thread_id) == (read[story].author, story)
    assert [(read[story].rating, str(read[story].kind)) for story in stories[:2]] == [(5, "review"), (1, "review")]
    assert read[stories[4]].title == "Does not recommend the page."
    changed = channel.read_push(venue.tells(venue.rated(stories[0], "edit", review_text="Toch niet")), NOON)
    assert [(one.text, one.edited_at) for one in changed.mentions] == [("Toch niet", NOON)]
    gone = channel.read_push(venue.tells(venue.rated(stories[0], "remove")), NOON)
    assert [(one.external_id, one.deleted_at) for one in gone.mentions] == [(stories[0], NOON)]


async def test_a_version_that_tells_no_recommendations_tells_all_the_rest(venue: FacebookVenue) -> None:
    comment = venue.comment(post := venue.post("Nieuws"), "Vraag")
    venue.review("Top")
    venue.tells_ratings = False
    heard = await read_on(opened(venue))
    assert sorted(heard.ids) == sorted([post, comment])
    assert heard.cursor == {"known": int(NOON.timestamp())}


async def test_a_recommendation_is_answered_in_public(venue: FacebookVenue) -> None:
    story, channel = venue.review("Nooit meer", advised=False), opened(venue)
    review = reply(story, kind="review")
    sent = await channel.reply_publicly(review)
    assert [one["id"] for one in venue.under_reviews] == [sent.external_id]
    venue.denies_answers = True
    with pytest.raises(OutcomeUnknown, match="may stand there"):
        await channel.reply_publicly(review)
    with pytest.raises(ChannelBroken, match="look for it there"):
        await channel.find_reply(review, private=False, since=NOON)
    with pytest.raises(SkipThis, match="Answer in public"):
        await channel.reply_privately(review)
