"""Addresses: their one form, where redirect links lead, and which count as one page."""

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.canonical_url import LONGEST, canonical, key, unwrap


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


def test_redirects_in_redirects_are_followed_five_deep() -> None:
    links = [PAGE]
    for _ in range(7):
        links.append(f"https://out.reddit.com/?url={quote(links[-1], safe='')}")
    assert unwrap(links[5]) == canonical(links[5]) == PAGE
    assert unwrap(links[7]) == links[2]


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
    ],
)
def test_two_pages(one: str, other: str) -> None:
    assert key(one) != key(other)


LETTERS = st.text(alphabet="aé/.%2F&=?#;+~ü utm_\\@:-", max_size=30)


@given(
    st.sampled_from(["http", "HTTPS"]),
    st.sampled_from(["example.com", "www.Bücher.example", "x.com", "l.facebook.com"]),
    LETTERS,
)
def test_the_one_form_is_its_own(scheme: str, host: str, rest: str) -> None:
    form = canonical(f"{scheme}://{host}/{rest}")
    if form is not None:
        assert canonical(form) == form
        assert key(form) == key(f"{scheme}://{host}/{rest}")
        assert form.isascii()
        assert not any(letter.isspace() for letter in form)


@given(st.text(max_size=40))
def test_nothing_breaks_it(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.com/{text}", f"https://www.google.com/url?url={text}"):
        canonical(url)
        key(url)
        unwrap(url)
