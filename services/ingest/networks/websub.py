"""WebSub: a hub tells when a feed changes. What the subscriber's side needs, apart from any channel; pure but for one call.

Nothing is remembered between asking a hub and hearing from it: the address it is given carries a proof that we asked for that
topic, and what it sends is signed with a key that it was given. A hub that is never heard changes nothing, as polling goes on.
"""

import hashlib
import hmac
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode, urljoin

from services.ingest.channel import Answer, HookAnswer, HttpClient, NotGenuine, Push
from services.ingest.networks.json_api import parsed
from shared.kit.http import AddressRefused, HttpError

LEASE = timedelta(days=10)
RENEWED_AFTER = timedelta(days=1)
"""Hubs may grant less than was asked and tell so where we cannot remember it; asking again daily costs one call."""
RETRIED_AFTER = timedelta(hours=1)
SLOWER = 10
SLOWEST = timedelta(hours=1)
ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
LONGEST_HEAD = 100_000  # bytes of a feed in which its hub is looked for
_FIRST_ITEM = re.compile(rb"<(?:[\w.-]+:)?(?:item|entry)[\s>]", re.IGNORECASE)
_LINK = re.compile(rb"<(?:[\w.-]+:)?link\s([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(rel|href)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_LINK_HEADER = re.compile(r"<([^<>]{1,2048})>((?:\s*;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\s,;\"]+)){1,10})")
_REL = re.compile(r"""rel\s*=\s*(?:"([^"]*)"|([^\s,;"]+))""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hub:
    """Where a feed's changes can be asked for: the hub's address, and the topic, which is the feed's address for itself."""

    url: str
    topic: str


def discover(answer: Answer) -> Hub | None:
    """The hub that a feed names: in its headers, else in its document (RSS, Atom, JSON Feed)."""
    links = _of_header(answer.headers.get("link", "")) or {}
    if "hub" not in links:
        links = {**_of_document(answer.body), **links}
    if "hub" not in links:
        return None
    url, topic = urljoin(answer.url, links["hub"]), urljoin(answer.url, links.get("self") or answer.url)
    good = all(one.lower().startswith(("http://", "https://")) and len(one) <= 2_048 for one in (url, topic))
    return Hub(url, topic) if good else None


async def subscribe(hub: Hub, hook_url: str, secret: str, http: HttpClient) -> bool:
    """Asks a hub for a topic; the hub then asks our hook whether that is so. False where it did not take the request."""
    mark = "&" if "?" in hook_url else "?"
    asked = {
        "hub.mode": "subscribe",
        "hub.topic": hub.topic,
        "hub.callback": f"{hook_url}{mark}{urlencode({'proof': _proof(secret, hub.topic)})}",
        "hub.secret": _key(secret),
        "hub.lease_seconds": str(int(LEASE.total_seconds())),
    }
    try:
        answer = await http.request(
            "POST", hub.url, content=urlencode(asked).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
    except (HttpError, AddressRefused):
        return False
    return 200 <= answer.status < 300


def answer_hook(push: Push, secret: str) -> HookAnswer | None:
    """The answer to a hub that asks whether we want a topic; to what it says without a right signature, which it must not learn;
    None where it delivers."""
    if push.method.upper() == "POST":
        return None if is_signed(push, secret) else HookAnswer(202)
    mode, topic, challenge = (push.query.get(f"hub.{name}", "") for name in ("mode", "topic", "challenge"))
    if mode == "denied":
        return HookAnswer(200)
    proof = push.query.get("proof", "")
    if mode == "subscribe" and challenge and hmac.compare_digest(proof.encode(), _proof(secret, topic).encode()):
        return HookAnswer(200, challenge.encode())
    return HookAnswer(404, b"We asked for no such thing.")


def is_signed(push: Push, secret: str) -> bool:
    """Whether the very bytes of a delivery are signed with the key that the hub was given."""
    method, _, said = push.headers.get("x-hub-signature", "").strip().partition("=")
    if method.lower() not in ALGORITHMS:
        return False
    right = hmac.new(_key(secret).encode(), push.body, method.lower()).hexdigest()
    return hmac.compare_digest(right.encode(), said.strip().lower().encode())


def verify(push: Push, secret: str) -> str:
    """An id for a delivery: hubs give none, so that the same bytes are the same delivery. Raises NotGenuine."""
    if not is_signed(push, secret):
        raise NotGenuine("X-Hub-Signature is missing, or not right for the bytes that came.")
    return hashlib.sha256(push.body).hexdigest()


def pause(rhythm: timedelta | None, usual: timedelta) -> timedelta:
    """How long to wait for the next poll where a hub tells of changes: ten times as long, but an hour at most, unless the feed
    itself asks for more. So a hub that falls silent costs an hour."""
    asked = rhythm or usual
    return max(asked, min(asked * SLOWER, SLOWEST))


def _key(secret: str) -> str:
    """What the hub signs with: worked out from our secret, which nobody is given."""
    return hmac.new(secret.encode(), b"websub key", hashlib.sha256).hexdigest()


def _proof(secret: str, topic: str) -> str:
    return hmac.new(secret.encode(), b"websub topic " + topic.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[
        :40
    ]


def _of_header(said: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for link in _LINK_HEADER.finditer(said[:20_000]):
        rel = _REL.search(link[2])
        _note(found, (rel[1] or rel[2]) if rel else "", link[1].strip())
    return found


def _of_document(body: bytes) -> dict[str, str]:
    head = body[:LONGEST_HEAD]
    if head.lstrip()[:1] == b"{":
        return _of_json(body)
    if (item := _FIRST_ITEM.search(head)) is not None:
        head = head[: item.start()]
    found: dict[str, str] = {}
    for link in _LINK.finditer(head):
        told = {one[1].lower(): one[2] or one[3] for one in _ATTRIBUTE.finditer(link[1].decode("utf-8", "replace"))}
        _note(found, told.get("rel") or "", html.unescape(told.get("href") or "").strip())
    return found


def _of_json(body: bytes) -> dict[str, str]:
    try:
        feed = parsed(body)
    except ValueError:
        return {}
    hubs = feed.get("hubs") if isinstance(feed, dict) else None
    named = [one for one in hubs if isinstance(one, Mapping)] if isinstance(hubs, list) else []
    url = next((one.get("url") for one in named if str(one.get("type")).lower() == "websub"), None)
    if not isinstance(url, str):
        return {}
    topic = feed.get("feed_url")
    return {"hub": url, **({"self": topic} if isinstance(topic, str) and topic else {})}


def _note(found: dict[str, str], rels: str, href: str) -> None:
    for rel in rels.lower().split():
        if rel in ("hub", "self") and href:
            found.setdefault(rel, href)
