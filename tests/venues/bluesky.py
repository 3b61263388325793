"""Bluesky as its servers are documented to behave: sessions, notifications, search, records under keys, messages and their log,
reports.

It keeps its own rules: 300 graphemes and 3,000 bytes, 25 posts at once, facets in bytes, a session that ends.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import regex

from tests.venues import Venue, json_of

US, THEM = "did:plc:acmetel2222222222222222", "did:plc:klant333333333333333333"
HANDLES = {US: "acmetel.test", THEM: "klant.test"}
PASSWORD = "abcd-efgh-ijkl-mnop"
AT = datetime(2026, 11, 20, 11, tzinfo=UTC)
POST = "app.bsky.feed.post"


class Bluesky(Venue):
    def __init__(self, page_size: int = 100) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}  # uri -> post view
        self.hidden: set[str] = set()  # that the app view does not show just now
        self.messages: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.password = PASSWORD
        self.sign_ins = 0
        self.generation = 0
        self.page_size = page_size
        self.takes_messages = True
        self.sees_messages = True  # whether the app password was made with access to them
        self.chat_away = False
        self.log: list[dict[str, Any]] = []

    # ruff: noqa: N802  # methods are named as the network names its calls
    # ------------------------------------------------ what people do

    def post(self, key: int, text: str, *, by: str = THEM, at: datetime | None = None, **record: Any) -> str:
        at = at or AT + timedelta(seconds=key)
        uri = f"at://{by}/{POST}/3k{key:011d}".translate(str.maketrans("0189", "abcd"))
        self.records[uri] = {
            "uri": uri, "cid": self._cid(text), "author": {"did": by, "handle": HANDLES[by], "displayName": "Klant"},
            "record": {"$type": POST, "text": text, "createdAt": _iso(at), "langs": ["nl"], **record},
            "indexedAt": _iso(at), "likeCount": 0, "replyCount": 0, "repostCount": 0, "quoteCount": 0,
        }  # fmt: skip
        return uri

    def says(
        self, number: int, text: str, *, by: str = THEM, at: datetime | None = None, to: str = "", **more: Any
    ) -> str:
        """A direct message; `to` is the other's DID where we write. Returns its id in our words."""
        convo = f"convo-{to or by}"
        sent_at = _iso(at or AT + timedelta(seconds=number))
        view = {
            "$type": "chat.bsky.convo.defs#messageView", "id": f"d{number}", "rev": f"r{number:06d}", "text": text,
            "sender": {"did": by}, "sentAt": sent_at, **more,
        }  # fmt: skip
        self.messages.append({**view, "convoId": convo})
        self._note("logCreateMessage", convo, view)
        return f"{convo}/d{number}"

    def takes_away(self, known: str) -> None:
        """Our own side takes a message away, which is all that there is."""
        convo, _, number = known.partition("/")
        one = next(one for one in self.messages if (one["convoId"], one["id"]) == (convo, number))
        self.messages.remove(one)
        gone = {name: one[name] for name in ("id", "rev", "sender", "sentAt")}
        self._note("logDeleteMessage", convo, {"$type": "chat.bsky.convo.defs#deletedMessageView", **gone})

    def _note(self, kind: str, convo: str, message: dict[str, Any]) -> None:
        rev = f"{len(self.log) + 1:06d}"
        shown = {name: value for name, value in message.items() if name != "convoId"}
        self.log.append({"$type": f"chat.bsky.convo.defs#{kind}", "rev": rev, "convoId": convo, "message": shown})

    def ours(self) -> list[dict[str, Any]]:
        return [one for uri, one in self.records.items() if uri.startswith(f"at://{US}/")]

    # ------------------------------------------------ what the servers answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        nsid = request.url.path.removeprefix("/xrpc/")
        name = nsid.replace(".", "_")
        if nsid == "com.atproto.server.createSession":
            return self._create_session(json_of(request))
        if nsid == "com.atproto.server.refreshSession":
            return self._refresh(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            if nsid in ("app.bsky.feed.searchPosts", "app.bsky.feed.getPosts"):
                return getattr(self, name)(request.url.params)  # type: ignore[no-any-return]
            return _error(401, "AuthenticationRequired")
        if token != f"access-{self.generation}":
            return _error(400, "ExpiredToken")
        handler: Callable[[Any], httpx.Response] | None = getattr(self, name, None)
        if handler is None:
            return _error(501, "MethodNotImplemented")
        if nsid.startswith("chat.bsky") and request.headers.get("atproto-proxy") != "did:web:api.bsky.chat#bsky_chat":
            return _error(501, "MethodNotImplemented")
        if nsid.startswith("chat.bsky") and not self.sees_messages:
            return _error(400, "InvalidToken", "Bad token method")
        if nsid.startswith("chat.bsky") and self.chat_away:
            return _error(502, "UpstreamFailure")
        if "moderation" in nsid and not request.headers.get("atproto-proxy", "").endswith("#atproto_labeler"):
            return _error(501, "MethodNotImplemented")
        return handler(json_of(request) if request.method == "POST" else request.url.params)

    def _create_session(self, asked: dict[str, str]) -> httpx.Response:
        self.sign_ins += 1
        if self.sign_ins > 300:
            return httpx.Response(429, json={"error": "RateLimitExceeded"}, headers={"RateLimit-Reset": "3600"})
        if (asked["identifier"], asked["password"]) != (HANDLES[US], self.password):
            return _error(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._tokens()

    def _refresh(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer refresh-{self.generation}":
            return _error(400, "ExpiredToken")
        self.generation += 1
        return self._tokens()

    def _tokens(self) -> httpx.Response:
        return httpx.Response(
            200, json={
                "did": US, "handle": HANDLES[US], "accessJwt": f"access-{self.generation}",
                "refreshJwt": f"refresh-{self.generation}",
            },
        )  # fmt: skip

    def app_bsky_notification_listNotifications(self, asked: Any) -> httpx.Response:
        found = []
        for one in self.records.values():
            facets = [f for facet in one["record"].get("facets", []) for f in facet["features"]]
            parent = one["record"].get("reply", {}).get("parent", {}).get("uri", "")
            named = any(feature.get("did") == US for feature in facets)
            reason = "reply" if parent.startswith(f"at://{US}/") else "mention" if named else None
            if reason in asked.get_list("reasons") and not one["uri"].startswith(f"at://{US}/"):
                kept = {name: value for name, value in one.items() if not name.endswith("Count")}
                found.append({**kept, "reason": reason, "isRead": False, "labels": []})
        return self._listing("notifications", found, asked)

    def app_bsky_feed_searchPosts(self, asked: Any) -> httpx.Response:
        assert asked["sort"] == "latest"
        words = asked["q"].lower().split()
        since = datetime.fromisoformat(asked["since"])
        found = [
            one for uri, one in self.records.items()
            if uri not in self.hidden and all(word in one["record"]["text"].lower() for word in words)
            and datetime.fromisoformat(one["indexedAt"]) >= since
        ]  # fmt: skip
        return self._listing("posts", found, asked)

    def _listing(self, name: str, found: list[dict[str, Any]], asked: Any) -> httpx.Response:
        found.sort(key=lambda one: (one["indexedAt"], one["uri"]), reverse=True)
        limit = min(int(asked["limit"]), self.page_size)
        if int(asked["limit"]) > 100:
            return _error(400, "InvalidRequest")
        start = next((n for n, one in enumerate(found) if one["uri"] == asked.get("cursor")), -1) + 1
        page = found[start : start + limit]
        more = {"cursor": page[-1]["uri"]} if start + limit < len(found) else {}
        return httpx.Response(200, json={name: page, **more}, headers={"RateLimit-Remaining": "2987"})

    def app_bsky_feed_getPosts(self, asked: Any) -> httpx.Response:
        uris = asked.get_list("uris")
        if not 0 < len(uris) <= 25:
            return _error(400, "InvalidRequest")
        shown = [self.records[uri] for uri in uris if uri in self.records and uri not in self.hidden]
        return httpx.Response(200, json={"posts": shown})

    def app_bsky_actor_getProfile(self, asked: Any) -> httpx.Response:
        did = asked["actor"]
        return httpx.Response(200, json={"did": did, "handle": HANDLES[did], "displayName": "Acme Tel"})

    def com_atproto_identity_resolveHandle(self, asked: Any) -> httpx.Response:
        did = next((did for did, handle in HANDLES.items() if handle == asked["handle"]), None)
        return (
            httpx.Response(200, json={"did": did}) if did else _error(400, "InvalidRequest", "Unable to resolve handle")
        )

    def com_atproto_repo_putRecord(self, asked: dict[str, Any]) -> httpx.Response:
        record, rkey = asked["record"], asked["rkey"]
        assert asked["repo"] == US
        if not regex.fullmatch(r"[234567abcdefghij][234567a-z]{12}", rkey):
            return _error(400, "InvalidRequest", "Invalid record key")
        text = record["text"]
        if len(regex.findall(r"\X", text)) > 300 or len(text.encode()) > 3_000:
            return _error(400, "InvalidRequest", "Record/text must not be longer than 300 graphemes")
        for facet in record.get("facets", []):
            place = facet["index"]
            text.encode()[place["byteStart"] : place["byteEnd"]].decode()
        for side in ("root", "parent"):
            ref = record["reply"][side]
            known = self.records.get(ref["uri"])
            if known is None or known["cid"] != ref["cid"]:
                return _error(400, "InvalidRequest", f"reply.{side} is no strong ref")
        uri = f"at://{US}/{POST}/{rkey}"
        if uri in self.records and asked.get("swapRecord", "") is None:
            return _error(400, "InvalidSwap", "Record was at another cid")
        made = {"uri": uri, "cid": self._cid(text), "author": {"did": US, "handle": HANDLES[US]}}
        self.records[uri] = {**made, "record": record, "indexedAt": record["createdAt"]}
        return httpx.Response(200, json={"uri": uri, "cid": made["cid"], "validationStatus": "valid"})

    def com_atproto_repo_getRecord(self, asked: Any) -> httpx.Response:
        one = self.records.get(f"at://{asked['repo']}/{asked['collection']}/{asked['rkey']}")
        if one is None:
            return _error(400, "RecordNotFound")
        return httpx.Response(200, json={"uri": one["uri"], "cid": one["cid"], "value": one["record"]})

    def com_atproto_repo_deleteRecord(self, asked: dict[str, str]) -> httpx.Response:
        self.records.pop(f"at://{asked['repo']}/{asked['collection']}/{asked['rkey']}", None)
        return httpx.Response(200, json={})

    def com_atproto_moderation_createReport(self, asked: dict[str, Any]) -> httpx.Response:
        assert asked["subject"]["cid"] == self.records[asked["subject"]["uri"]]["cid"]
        self.reports.append(asked)
        return httpx.Response(200, json={"id": len(self.reports)})

    def chat_bsky_convo_getConvoForMembers(self, asked: Any) -> httpx.Response:
        if not self.takes_messages:
            return _error(
                400, "InvalidRequest", "recipient requires incoming messages to come from someone they follow"
            )
        return httpx.Response(200, json={"convo": {"id": f"convo-{asked['members']}"}})

    def chat_bsky_convo_getMessages(self, asked: Any) -> httpx.Response:
        mine = [one for one in self.messages if one["convoId"] == asked["convoId"]]
        mine.sort(key=lambda one: str(one["sentAt"]), reverse=True)
        return httpx.Response(200, json=self._part("messages", mine, asked))

    def chat_bsky_convo_listConvos(self, asked: Any) -> httpx.Response:
        known = list(dict.fromkeys(one["convoId"] for one in self.messages))
        last = {
            one: max((m for m in self.messages if m["convoId"] == one), key=lambda m: str(m["sentAt"])) for one in known
        }
        known.sort(key=lambda one: str(last[one]["sentAt"]), reverse=True)
        shown = [
            {
                "id": one, "rev": "1", "muted": False, "unreadCount": 1, "status": "request", "lastMessage": last[one],
                "members": [{"did": US, "handle": HANDLES[US]}, {"did": THEM, "handle": HANDLES[THEM], "displayName": "Klant"}],
            }
            for one in known
        ]  # fmt: skip
        return httpx.Response(200, json=self._part("convos", shown, asked))

    def chat_bsky_convo_getLog(self, asked: Any) -> httpx.Response:
        if "cursor" not in asked:
            return httpx.Response(200, json={"cursor": f"{len(self.log):06d}", "logs": []})
        after = [one for one in self.log if one["rev"] > asked["cursor"]][: self.page_size]
        return httpx.Response(200, json={"cursor": after[-1]["rev"] if after else asked["cursor"], "logs": after})

    def _part(self, name: str, listed: list[dict[str, Any]], asked: Any) -> dict[str, Any]:
        start, limit = int(asked.get("cursor", 0)), min(int(asked["limit"]), self.page_size)
        more = {"cursor": str(start + limit)} if start + limit < len(listed) else {}
        return {name: listed[start : start + limit], **more}

    def chat_bsky_convo_sendMessage(self, asked: dict[str, Any]) -> httpx.Response:
        number = len(self.messages) + 1
        sent = {
            "id": f"m{number}", "convoId": asked["convoId"], "text": asked["message"]["text"], "sender": {"did": US},
            "sentAt": _iso(datetime(2026, 11, 20, 12, tzinfo=UTC)),
        }  # fmt: skip
        self.messages.append(sent)
        self._note("logCreateMessage", asked["convoId"], sent)
        return httpx.Response(200, json=sent)

    @staticmethod
    def _cid(text: str) -> str:
        return "bafyrei" + hashlib.sha256(text.encode()).hexdigest()[:52]


def names_us(text: str) -> list[dict[str, Any]]:
    start = len(text[: text.index("@acmetel.test")].encode())
    feature = {"$type": "app.bsky.richtext.facet#mention", "did": US}
    return [{"index": {"byteStart": start, "byteEnd": start + 13}, "features": [feature]}]


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(status: int, name: str, message: str = "no") -> httpx.Response:
    return httpx.Response(status, json={"error": name, "message": message})
