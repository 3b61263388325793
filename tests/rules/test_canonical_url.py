"""Addresses: their one form, where redirect links lead, and which count as one page."""

from base64 import urlsafe_b64decode
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.canonical_url import LONGEST, canonical, key, unwrap, venue_of
from shared.rules.post_links import CHANNEL_TYPES, handle_in, instagram_code, instagram_number


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("HTTP://www.Example.com:80/a/../b/?utm_source=x&b=2&a=1&fbclid=zz#frag", "http://www.example.com/b/?a=1&b=2"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com:443/A", "https://example.com/A"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com./", "https://example.com/"),
        ("https://user:secret@example.com/", "https://example.com/"),
        (" https://example.com/a\n ", "https://example.com/a"),
        ("https://exa\tmple.com/", "https://example.com/"),
        ("//example.com/a", "https://example.com/a"),
        ("https://example.com/a/", "https://example.com/a/"),
        ("https://example.com/a/./b/../c/..", "https://example.com/a/"),
        ("https://example.com/../../a", "https://example.com/a"),
        ("https://example.com/%7euser/%2f%c3%a9", "https://example.com/~user/%2F%C3%A9"),
        ("https://example.com/é?q=ü b", "https://example.com/%C3%A9?q=%C3%BC%20b"),
        ("https://example.com/100%", "https://example.com/100%"),
        ("https://example.com/?", "https://example.com/"),
        ("https://example.com/?b&a=2&a=1&&c=", "https://example.com/?a=1&a=2&b&c="),
        ("https://example.com/?a=1%262&A=3", "https://example.com/?A=3&a=1%262"),
        ("https://example.com/?UTM_Campaign=x&utmost=1", "https://example.com/?utmost=1"),
        ("https://example.com/?gclid=1&gbraid=2&msclkid=3&mc_eid=4&_hsenc=5&igshid=6", "https://example.com/"),
        ("https://example.com/?s=20&t=1&si=2&ref=3", "https://example.com/?ref=3&s=20&si=2&t=1"),
        ("https://x.com/a/status/1?s=20&t=abc", "https://x.com/a/status/1"),
        ("https://www.youtube.com/watch?v=abc&t=4&si=def", "https://www.youtube.com/watch?t=4&v=abc"),
        ("https://example.com/a#section", "https://example.com/a"),
        ("https://example.com/a#comment-12", "https://example.com/a#comment-12"),
        ("https://example.com/a#isso-3", "https://example.com/a#isso-3"),
        ("https://example.com/#!/a", "https://example.com/#!/a"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://FAß.example/", "https://xn--fa-hia.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("http://192.0.2.1/a", "http://192.0.2.1/a"),
        ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"),
        ("http://a.example\\@b.example/", "http://a.example/@b.example/"),
        ("http://a.example@b.example/", "http://b.example/"),
    ],
)
def test_one_form(url: str, form: str) -> None:
    assert canonical(url) == form


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "mailto:a@b.example", "javascript:alert(1)", "ftp://example.com/", "http://", "http:///a",
        "https://exa mple.com/", "https://example.com:99999/", "https://example.com:x/", "http://[::1", "https://-/",
        "https://example.com/" + "a" * LONGEST, "http://a..b\u3002\u3002/",
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    assert canonical(url) is None
    assert key(url) is None
    assert unwrap(url) == url


PAGE = "https://news.example/story?id=7&x=a%26b"
WRAPPED = quote(PAGE, safe="")


@pytest.mark.parametrize(
    "link",
    [
        f"https://www.google.com/url?rct=j&sa=t&url={WRAPPED}&ct=ga&cd=CAEYACoT&usg=AOvVaw",
        f"https://www.google.co.uk/url?q={WRAPPED}&sa=U",
        f"https://l.facebook.com/l.php?u={WRAPPED}&h=AT0",
        f"http://lm.facebook.com/l.php?u={WRAPPED}",
        f"https://l.instagram.com/?u={WRAPPED}&e=AT",
        f"https://out.reddit.com/t3_abc?url={WRAPPED}&token=x",
        f"https://t.umblr.com/redirect?z={WRAPPED}&t=x",
        f"https://www.youtube.com/redirect?event=comments&q={WRAPPED}",
        f"https://nam02.safelinks.protection.outlook.com/?url={WRAPPED}&data=05&reserved=0",
        f"https://www.linkedin.com/safety/go?url={WRAPPED}",
        f"https://vk.com/away.php?to={WRAPPED}",
        f"https://slack-redir.net/link?url={WRAPPED}",
        f"https://duckduckgo.com/l/?uddg={WRAPPED}",
        f"https://urldefense.com/v3/__{PAGE}__;!!abc!def$",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__news.example_story-3Fid-3D7-26x-3Da-2526b&d=x",
        "https://news-example.cdn.ampproject.org/c/s/news.example/story?id=7&x=a%26b",
        "https://www.google.nl/amp/s/news.example/story?id=7&x=a%26b",
        f"https://l.facebook.com/l.php?u={quote(f'https://out.reddit.com/x?url={WRAPPED}', safe='')}",
    ],
)
def test_redirect_links_lead_where_they_say(link: str) -> None:
    assert unwrap(link) == PAGE
    assert canonical(link) == PAGE
    assert key(link) == key(PAGE)


@pytest.mark.parametrize(
    "link",
    [
        "https://www.google.com/url?sa=t",
        "https://www.google.com/url?url=javascript%3Aalert(1)",
        "https://www.google.com/url?url=/search",
        f"https://www.google.com/search?q={WRAPPED}",
        f"https://google.example/url?url={WRAPPED}",
        f"https://evilgoogle.com/url?url={WRAPPED}",
        f"https://example.com/l.php?u={WRAPPED}",
        "https://urldefense.com/v3/__https://a.example/*x__;Iw!!abc",
    ],
)
def test_other_links_stay(link: str) -> None:
    assert unwrap(link) == link
    form = canonical(link)
    assert form is not None
    assert urlsplit(form).netloc == urlsplit(link).netloc


def test_redirects_in_redirects_are_followed_to_the_end() -> None:
    links = [PAGE]
    for _ in range(7):
        links.append(f"https://out.reddit.com/?url={quote(links[-1], safe='')}")
    assert {unwrap(link) for link in links} == {canonical(link) for link in links} == {PAGE}
    assert unwrap("https://l.facebook.com/l.php?u=" * 200 + "http://b.example/?u=1") == "http://b.example/?u=1"


def test_short_links_that_tell_where_they_lead() -> None:
    assert canonical("https://youtu.be/dQw4w9WgXcQ?si=x&t=4") == "https://www.youtube.com/watch?t=4&v=dQw4w9WgXcQ"
    assert canonical("https://redd.it/abc123") == "https://www.reddit.com/comments/abc123"
    assert canonical("https://bit.ly/abc") == "https://bit.ly/abc"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://www.example.com/a/", "https://example.com/a"),
        ("https://m.example.com/a", "https://mobile.example.com/a?utm_source=x"),
        ("https://example.com", "http://example.com/#top"),
        ("https://example.com/a/amp/", "https://example.com/a?amp=1"),
        ("https://twitter.com/klm/status/12?s=20", "https://x.com/i/web/status/12"),
        ("https://mobile.twitter.com/KLM/status/12/photo/1", "https://x.com/other/status/12"),
        ("https://youtu.be/abcdef1", "https://m.youtube.com/watch?v=abcdef1"),
        ("https://www.youtube.com/shorts/abcdef1?feature=share", "https://youtu.be/abcdef1?t=30"),
        ("http://example.com:443/a", "https://example.com/a"),
        ("https://example.com/a/amp/amp/", "https://example.com/a"),
        ("https://old.reddit.com/r/klm/comments/1AbC2d/late_again/", "https://redd.it/1abc2d"),
        (
            "https://www.reddit.com/r/klm/comments/1abc2d/late_again/k9zz1x/?context=3",
            "https://reddit.com/comments/1abc2d/_/k9zz1x",
        ),
        (
            "https://mastodon.example/@jan/111222333444555666",
            "https://mastodon.example/users/jan/statuses/111222333444555666",
        ),
        ("https://www.instagram.com/reel/Cabc-12_x/?igsh=a", "https://instagram.com/klm/p/Cabc-12_x/"),
        (
            "https://www.tiktok.com/@klm/video/7312345678901234567?_t=8",
            "https://m.tiktok.com/@x/video/7312345678901234567",
        ),
        (
            "https://www.linkedin.com/posts/klm_delays-activity-7131234567890123456-AbCd",
            "https://nl.linkedin.com/feed/update/urn:li:activity:7131234567890123456/",
        ),
    ],
)
def test_one_page(one: str, other: str) -> None:
    assert key(one) == key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a", "https://example.com/A"),
        ("https://example.com/a", "https://example.com/a?x=1"),
        ("https://example.com/a#comment-1", "https://example.com/a#comment-2"),
        ("https://example.com:8443/a", "https://example.com/a"),
        ("https://m.nl/", "https://nl/"),
        ("https://x.com/a/status/1", "https://x.com/a/status/2"),
        ("https://example.com/klm/status/12", "https://x.com/klm/status/12"),
        ("https://youtu.be/abcdef1", "https://youtu.be/abcdef2"),
        ("https://www.reddit.com/comments/1abc2d", "https://www.reddit.com/comments/1abc2d/_/k9zz1x"),
        ("https://a.example/@jan/111222333444555666", "https://b.example/@jan/111222333444555666"),
        ("https://bsky.app/profile/a.example/post/3kabc", "https://bsky.app/profile/b.example/post/3kabc"),
    ],
)
def test_two_pages(one: str, other: str) -> None:
    assert key(one) != key(other)


VIDEO, COMMENT = "dQw4w9WgXcQ", "UgxKREWxIgDrw8w2e_Z4AaABAg"
STATUS = "https://social.example/users/jan/statuses/111222333444555666"


@pytest.mark.parametrize(
    ("url", "post"),
    [
        ("https://x.com/klm/status/1790000000000000001?s=46", ("x", "1790000000000000001")),
        ("http://mobile.twitter.com/KLM/status/1790000000000000001/photo/2", ("x", "1790000000000000001")),
        ("https://twitter.com/i/web/status/1790000000000000001", ("x", "1790000000000000001")),
        ("https://x.com/klm", None),
        ("https://notx.com/klm/status/1790000000000000001", None),
        (
            "https://bsky.app/profile/did:plc:abc234/post/3kxyz?ref=x",
            ("bluesky", "at://did:plc:abc234/app.bsky.feed.post/3kxyz"),
        ),
        (
            "https://bsky.app/profile/did%3Aplc%3Aabc234/post/3kxyz",
            ("bluesky", "at://did:plc:abc234/app.bsky.feed.post/3kxyz"),
        ),
        ("https://bsky.app/profile/Jan.example/post/3kxyz", ("bluesky", "at://jan.example/app.bsky.feed.post/3kxyz")),
        ("https://bsky.app/profile/jan.example", None),
        ("https://social.example/@jan/111222333444555666", ("mastodon", STATUS)),
        ("https://social.example/web/@jan/111222333444555666", ("mastodon", STATUS)),
        ("http://social.example/users/jan/statuses/111222333444555666/", ("mastodon", STATUS)),
        ("https://m.social.example/@jan/111222333444555666", ("mastodon", STATUS.replace("social", "m.social"))),
        ("https://other.example/@jan@social.example/111222333444555666", None),
        ("https://medium.example/@jan/why-my-flight-was-late-0a1b2c3d4e5f", None),
        ("https://www.reddit.com/r/klm/comments/1abc2d/late_again/", ("reddit", "t3_1abc2d")),
        ("https://old.reddit.com/r/klm/comments/1abc2d/late_again/k9zz1x/?context=3", ("reddit", "t1_k9zz1x")),
        ("https://www.reddit.com/r/klm/comments/1abc2d/comment/k9zz1x/", ("reddit", "t1_k9zz1x")),
        ("https://redd.it/1abc2d", ("reddit", "t3_1abc2d")),
        ("https://www.reddit.com/r/klm/", None),
        (f"https://youtu.be/{VIDEO}", ("youtube", VIDEO)),
        (f"https://www.youtube.com/watch?v={VIDEO}&lc={COMMENT}", ("youtube", COMMENT)),
        (f"https://music.youtube.com/shorts/{VIDEO}", ("youtube", VIDEO)),
        ("https://www.youtube.com/watch", None),
        ("https://www.youtube.com/@klm", None),
        ("https://news.ycombinator.com/item?id=39000001", ("hacker_news", "39000001")),
        ("https://news.ycombinator.com/item?id=x", None),
        ("https://www.facebook.com/permalink.php?story_fbid=1234567&id=7654321", ("facebook", "7654321_1234567")),
        (
            "https://m.facebook.com/story.php?story_fbid=1234567&id=7654321&comment_id=99999",
            ("facebook", "1234567_99999"),
        ),
        ("https://www.facebook.com/7654321/posts/1234567/", ("facebook", "7654321_1234567")),
        ("https://www.facebook.com/7654321_1234567", ("facebook", "7654321_1234567")),
        ("https://www.facebook.com/klm/posts/late-again/1234567/?comment_id=99999", ("facebook", "1234567_99999")),
        (
            "https://www.facebook.com/klm/posts/1234567?comment_id=99999&reply_comment_id=88888",
            ("facebook", "1234567_88888"),
        ),
        ("https://www.facebook.com/klm/posts/1234567", None),
        ("https://www.facebook.com/klm/posts/pfbid02abc", None),
        (
            "https://play.google.com/store/apps/details?id=com.klm.app&reviewId=0f1e2d3c-aaaa-bbbb-cccc-1234567890ab&hl=nl",
            ("google_play", "0f1e2d3c-aaaa-bbbb-cccc-1234567890ab"),
        ),
        ("https://play.google.com/store/apps/details?id=com.klm.app", None),
        ("https://nl.trustpilot.com/reviews/65A1b2c3d4e5f60718293a4b", ("trustpilot", "65a1b2c3d4e5f60718293a4b")),
        ("https://t.me/c/1234567890/42", ("telegram", "-1001234567890:42")),
        ("https://t.me/klmhelp/42", None),
        ("https://www.instagram.com/p/CabC12_xYz0/?igsh=a", ("instagram", instagram_number("CabC12_xYz0"))),
        ("https://www.instagram.com/klm/reel/CabC12_xYz0/", ("instagram", instagram_number("CabC12_xYz0"))),
        (f"https://www.instagram.com/p/CabC12_xYz0{'k' * 28}/", ("instagram", instagram_number("CabC12_xYz0"))),
        ("https://www.instagram.com/p/CabC12_xYz0abc/", None),
        ("https://www.instagram.com/klm/", None),
        ("https://www.tiktok.com/@klm/video/7312345678901234567?_t=8", ("tiktok", "7312345678901234567")),
        ("https://www.tiktok.com/@klm/photo/7312345678901234567", ("tiktok", "7312345678901234567")),
        ("https://www.tiktok.com/embed/v2/7312345678901234567", ("tiktok", "7312345678901234567")),
        ("https://m.tiktok.com/v/7312345678901234567.html", ("tiktok", "7312345678901234567")),
        ("https://www.tiktok.com/@klm", None),
        (
            "https://www.linkedin.com/posts/klm_delays-activity-7131234567890123456-AbCd",
            ("linkedin", "urn:li:activity:7131234567890123456"),
        ),
        (
            "https://nl.linkedin.com/feed/update/urn:li:activity:7131234567890123456/",
            ("linkedin", "urn:li:activity:7131234567890123456"),
        ),
        (
            "https://www.linkedin.com/embed/feed/update/urn:li:share:7131234567890123456",
            ("linkedin", "urn:li:share:7131234567890123456"),
        ),
        (
            "https://www.linkedin.com/posts/klm_late-ugcPost-7131234567890123456-xY_z",
            ("linkedin", "urn:li:ugcPost:7131234567890123456"),
        ),
        ("https://www.linkedin.com/company/klm/", None),
        (
            f"https://www.google.com/url?rct=j&sa=t&url={quote('https://x.com/klm/status/1790000000000000001', safe='')}&ct=ga",
            ("x", "1790000000000000001"),
        ),
        ("mailto:a@b.example", None),
        ("https://example.com/", None),
    ],
)
def test_which_post_a_link_leads_to(url: str, post: tuple[str, str] | None) -> None:
    assert venue_of(url) == post
    assert post is None or post[0] in CHANNEL_TYPES | {"instagram", "tiktok", "linkedin"}


def test_an_instagram_code_is_a_number_in_base_64() -> None:
    assert instagram_number("B") == "1"
    assert instagram_number("BA") == "64"
    assert instagram_number("CabC12_xYz0") == str(int.from_bytes(urlsafe_b64decode("ACabC12_xYz0")))
    assert [instagram_number(code) for code in ("", "A", "C!", "é", "_" * 11)] == [None] * 5


@given(st.integers(1, 2**64 - 1), st.text("ABCxyz019-_", min_size=28, max_size=28))
def test_an_instagram_number_is_its_code_and_back(number: int, key: str) -> None:
    code = instagram_code(str(number))
    assert instagram_number(code) == instagram_number(code + key) == str(number)
    assert len(code) <= 11


def test_a_handle_stands_in_the_place_of_an_account() -> None:
    assert handle_in("at://jan.example/app.bsky.feed.post/3kxyz") == "jan.example"
    assert handle_in("at://did:plc:abc234/app.bsky.feed.post/3kxyz") is None
    assert handle_in("1790000000000000001") is None


LETTERS = st.text(alphabet="aé/.%2F&=?#;+~ü utm_\\@:-", max_size=30)
HOSTS = st.sampled_from([
    "example.com", "www.Bücher.example", "x.com", "l.facebook.com", "m.m.example.com:443", "youtu.be", "bsky.app",
    "www.reddit.com", "www.youtube.com", "a.cdn.ampproject.org", "urldefense.com", "www.google.com", "www.facebook.com",
])  # fmt: skip
PATHS = st.sampled_from([
    "", "a/status/12", "profile/did:plc:a/post/", "profile/a/post/", "comments/ab/", "r/a/comments/ab/x/cd", "watch?v=abcdefg&lc=",
    "shorts/abcdefg", "c/s/example.com/", "v3/__https://example.com/", "url?url=https://", "url?q=//", "amp/s/example.com/",
    "l.php?u=http%3A%2F%2F", "@jan/111222333444555666", "users/jan/statuses/111222333444555666",
    "amp/amp//amp/", "permalink.php?id=1234567&story_fbid=",
])  # fmt: skip


@given(st.sampled_from(["http", "HTTPS"]), HOSTS, PATHS, LETTERS)
def test_the_one_form_is_its_own(scheme: str, host: str, path: str, rest: str) -> None:
    url = f"{scheme}://{host}/{path}{rest}"
    form = canonical(url)
    if form is not None:
        assert canonical(form) == form
        assert unwrap(form) == form
        assert key(form) == key(url) == key(str(key(url)))
        assert venue_of(form) == venue_of(url)
        assert form.isascii()
        assert not any(letter.isspace() for letter in form)


@given(st.text(max_size=40))
def test_nothing_breaks_it(text: str) -> None:
    for url in (
        text, f"https://{text}", f"https://example.com/{text}", f"https://www.google.com/url?url={text}",
        f"https://bsky.app/profile/{text}/post/{text}", f"https://www.youtube.com/watch?v=abcdefg&lc={text}",
    ):  # fmt: skip
        canonical(url)
        key(url)
        unwrap(url)
        venue_of(url)
