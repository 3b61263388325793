"""Links to posts: which post of which venue an address leads to, however the link was copied, and its one form.

Works on addresses as `canonical_url.canonical` writes them. `external_id` is the one that the venue's own channel gives
the post, so that a post found by a news feed and by its venue is one. Where a Bluesky link names its author by handle, the
handle stands in it in the place of the account's id (`handle_in`). Venues that no channel reads (TikTok, LinkedIn), and
Instagram, whose interface numbers its posts anew, have ids by which links to one post are known from each other. Mastodon
and its kind are known by the form of their paths, since anybody may run one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

CHANNEL_TYPES = frozenset({
    "x", "bluesky", "mastodon", "reddit", "youtube", "hacker_news", "facebook", "google_play", "trustpilot", "telegram",
})  # fmt: skip
"""The types whose posts can be told by their links; what such a channel hears is the post itself."""


@dataclass(frozen=True, slots=True)
class LinkedPost:
    """A post that a link leads to: `link` is the same for all links to it."""

    link: str
    channel_type: str | None = None
    external_id: str | None = None


def post_at(address: str) -> LinkedPost | None:
    """The post at this canonical address; None where it is no post of a venue that we know."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/") or "/"
    for hosts, form, read in _VENUES:
        if hosts.fullmatch(parts.netloc) and (found := form.fullmatch(path)):
            return read(_Link(parts.netloc, found, parts.query))
    return None


@dataclass(frozen=True, slots=True)
class _Link:
    host: str
    path: re.Match[str]
    query: str

    def part(self, name: str) -> str:
        """A part of the path, decoded; empty where the path does not have it."""
        return unquote(self.path.groupdict().get(name) or "")

    def asked(self, name: str, form: str) -> str | None:
        """A parameter, where it is there and has this form."""
        given = dict(reversed(parse_qsl(self.query, max_num_fields=200))).get(name, "")
        return given if re.fullmatch(form, given) else None


_Read: TypeAlias = Callable[[_Link], LinkedPost | None]


def _x(link: _Link) -> LinkedPost:
    post = link.part("id")
    return LinkedPost(f"https://x.com/i/web/status/{post}", "x", post)


def _bluesky(link: _Link) -> LinkedPost:
    account, key = link.part("account"), link.part("key")
    if not account.startswith("did:"):
        account = account.lower()
    return LinkedPost(
        f"https://bsky.app/profile/{account}/post/{key}", "bluesky", f"at://{account}/app.bsky.feed.post/{key}"
    )


def _mastodon(link: _Link) -> LinkedPost:
    uri = f"https://{link.host}/users/{link.part('account')}/statuses/{link.part('id')}"
    return LinkedPost(uri, "mastodon", uri)


def _reddit(link: _Link) -> LinkedPost:
    post, comment = link.part("post").lower(), link.part("comment").lower()
    if comment:
        return LinkedPost(f"https://www.reddit.com/comments/{post}/_/{comment}", "reddit", f"t1_{comment}")
    return LinkedPost(f"https://www.reddit.com/comments/{post}", "reddit", f"t3_{post}")


def _youtube(link: _Link) -> LinkedPost | None:
    video = link.part("video") or link.asked("v", r"[\w-]{6,20}")
    if not video:
        return None
    page = f"https://www.youtube.com/watch?v={video}"
    comment = link.asked("lc", r"[\w.-]{10,100}")
    return LinkedPost(f"{page}&lc={comment}", "youtube", comment) if comment else LinkedPost(page, "youtube", video)


def _hacker_news(link: _Link) -> LinkedPost | None:
    item = link.asked("id", r"\d{1,12}")
    return LinkedPost(f"https://news.ycombinator.com/item?id={item}", "hacker_news", item) if item else None


def _facebook(link: _Link) -> LinkedPost | None:
    """A post is known as page and post, a comment as post and comment; the names of pages change."""
    page = link.part("page") or link.asked("id", r"\d{1,20}")
    post = link.part("post") or link.asked("story_fbid", r"\d{1,20}")
    comment = link.asked("reply_comment_id", r"\d{1,20}") or link.asked("comment_id", r"\d{1,20}")
    if post and comment:
        identity = f"{post}_{comment}"
    elif post and page and page.isdigit():
        identity = f"{page}_{post}"
    else:
        return None
    return LinkedPost(f"https://www.facebook.com/{identity}", "facebook", identity)


def _google_play(link: _Link) -> LinkedPost | None:
    app, review = link.asked("id", r"[\w.]{3,200}"), link.asked("reviewId", r"[\w:.-]{8,200}")
    if not (app and review):
        return None
    return LinkedPost(f"https://play.google.com/store/apps/details?id={app}&reviewId={review}", "google_play", review)


def _trustpilot(link: _Link) -> LinkedPost:
    review = link.part("review").lower()
    return LinkedPost(f"https://www.trustpilot.com/reviews/{review}", "trustpilot", review)


def _telegram(link: _Link) -> LinkedPost:
    chat, message = link.part("chat"), link.part("message")
    return LinkedPost(f"https://t.me/c/{chat}/{message}", "telegram", f"-100{chat}:{message}")


def _instagram(link: _Link) -> LinkedPost:
    code = link.part("code")
    number = instagram_number(code)
    return LinkedPost(f"https://www.instagram.com/p/{code}", "instagram" if number else None, number)


def instagram_number(code: str) -> str | None:
    """The number of a post behind the code in its address: base 64, six bits a letter. A post of a private account has 28 letters
    more, which are a key. None where it is no such code."""
    code = code[:-_KEY_LETTERS] if len(code) > _KEY_LETTERS else code
    number = 0
    for letter in code:
        value = _BASE64.find(letter)
        if value < 0:
            return None
        number = number << 6 | value
    return str(number) if 0 < number < 1 << 64 else None


def instagram_code(number: str) -> str:
    """The code of a post in its address, from its number."""
    left, code = int(number), ""
    while left:
        code, left = _BASE64[left & 63] + code, left >> 6
    return code


_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_KEY_LETTERS = 28


def _tiktok(link: _Link) -> LinkedPost:
    post = link.part("id")
    return LinkedPost(f"https://www.tiktok.com/@/video/{post}", "tiktok", post)


def _linkedin(link: _Link) -> LinkedPost:
    """What LinkedIn shows is an activity, a share or a post of a user, each with numbers of its own."""
    kind = {"ugcpost": "ugcPost"}.get(link.part("kind").lower(), link.part("kind").lower())
    urn = f"urn:li:{kind}:{link.part('id')}"
    return LinkedPost(f"https://www.linkedin.com/feed/update/{urn}", "linkedin", urn)


def handle_in(external_id: str) -> str | None:
    """The handle that stands in the place of an account's id, as it is in a Bluesky link by handle; None where the id does."""
    found = _BY_HANDLE.match(external_id)
    return found[1] if found else None


_BY_HANDLE = re.compile(r"at://((?!did:)[^/]+)/")
_COMMENTS = r"(?:/(?:r|user|u)/[^/]+)?/comments/(?P<post>[0-9A-Za-z]{2,13})"
_VENUES: tuple[tuple[re.Pattern[str], re.Pattern[str], _Read], ...] = tuple(
    (re.compile(hosts), re.compile(form), read)
    for hosts, form, read in (
        (r"(?:(?:www|m|mobile)\.)?(?:x|twitter)\.com", r"(?:/[^/]+)?(?:/web)?/status(?:es)?/(?P<id>\d+)(?:/.*)?", _x),
        (
            r"(?:[a-z-]+\.)?bsky\.app",
            r"/profile/(?P<account>did(?::|%3A)[a-z]+(?::|%3A)[\w.:-]+|[\w.-]+)/post/(?P<key>[\w.~:-]+)(?:/.*)?",
            _bluesky,
        ),
        (r"(?:[a-z]{1,4}\.)?reddit\.com", rf"{_COMMENTS}(?:/[^/]*)?", _reddit),
        (r"(?:[a-z]{1,4}\.)?reddit\.com", rf"{_COMMENTS}/[^/]*/(?P<comment>[0-9A-Za-z]{{2,13}})", _reddit),
        (r"(?:(?:www|m|music)\.)?youtube(?:-nocookie)?\.com", r"/watch", _youtube),
        (
            r"(?:(?:www|m|music)\.)?youtube(?:-nocookie)?\.com",
            r"/(?:shorts|live|embed|v)/(?P<video>[\w-]{6,20})(?:/.*)?",
            _youtube,
        ),
        (r"news\.ycombinator\.com", r"/item", _hacker_news),
        (r"(?:(?:www|m|mbasic)\.)?facebook\.com", r"/(?:permalink|story)\.php", _facebook),
        (r"(?:(?:www|m|mbasic)\.)?facebook\.com", r"/(?P<page>[\w.-]+)/posts/(?:[^/]*/)?(?P<post>\d{1,20})", _facebook),
        (r"(?:(?:www|m|mbasic)\.)?facebook\.com", r"/(?P<page>\d{1,20})_(?P<post>\d{1,20})", _facebook),
        (r"play\.google\.com", r"/store/apps/details", _google_play),
        (r"(?:[a-z]{2,3}(?:-[a-z]{2})?\.)?trustpilot\.com", r"/reviews/(?P<review>[0-9A-Fa-f]{24})", _trustpilot),
        (r"(?:t|telegram)\.me", r"/c/(?P<chat>\d{5,16})(?:/\d+)?/(?P<message>\d+)", _telegram),
        (
            r"(?:(?:www|m)\.)?instagram\.com",
            r"(?:/[^/]+)?/(?:p|reel|reels|tv)/(?P<code>[\w-]{6,40})(?:/.*)?",
            _instagram,
        ),
        (
            r"(?:(?:www|m)\.)?tiktok\.com",
            r"/(?:@[^/]*/(?:video|photo)/|embed/(?:v\d/)?|v/)(?P<id>\d{8,25})(?:\.html)?",
            _tiktok,
        ),
        (
            r"(?:(?:www|[a-z]{2})\.)?linkedin\.com",
            r"/(?:(?:embed/)?feed/update/urn:li:|posts/[^/]*[-_])(?P<kind>activity|share|ugc[Pp]ost)[:-](?P<id>\d{15,25})(?:-[\w-]*)?",
            _linkedin,
        ),
        # a local copy of another server's post (/@name@server/…) does not tell the post's own address
        (r".+", r"(?:/(?:web|deck))?/@(?P<account>\w[\w.-]*)/(?P<id>\d{15,20})", _mastodon),
        (r".+", r"/users/(?P<account>\w[\w.-]*)/statuses/(?P<id>\d{15,20})(?:/activity)?", _mastodon),
    )
)
