"""An Instagram account, played: media that count their comments, answers one level deep, tags, private answers, conversations
with their window of 24 hours, webhooks."""

import re
from typing import Any

import httpx

from services.ingest.channel import Push
from tests.venues.graph import NOON, GraphVenue, delivery, error, gone, iso

ACCOUNT, HANDLE = "17841400000000001", "acme"
DAY = 86_400
NAMED_IN = re.compile(r"(mentioned_comment)\.comment_id\((\d+)\)\{|(mentioned_media)\.media_id\((\d+)\)\{")


class InstagramVenue(GraphVenue):
    """One account and what people write under its posts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.media: dict[str, dict[str, Any]] = {}
        self.tagged: list[dict[str, Any]] = []
        self.comments: dict[str, dict[str, Any]] = {}
        self.named: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.talks: dict[str, list[dict[str, Any]]] = {}
        self.elsewhere: dict[str, dict[str, Any]] = {}  # what stands under posts of others, or is one, by its id

    def post(self, ago: float = 0) -> str:
        known = f"180{self.next_id()}"
        self.media[known] = {"id": known, "at": self.now - ago}
        return known

    def tag(self, caption: str, ago: float = 0, by: str = "mila.foto") -> str:
        known = f"180{self.next_id()}"
        self.tagged.insert(0, {"id": known, "caption": caption, "at": self.now - ago, "by": by})
        return known

    def comment(self, on: str, text: str, ago: float = 0, by: tuple[str, str] = ("77", "klant")) -> str:
        """On a post, or an answer to a comment: to an answer, it lands below the same comment."""
        above = self.comments.get(on)
        parent = above and (above["parent"] or on)
        known = f"179{self.next_id()}"
        self.comments[known] = {
            "id": known, "text": text, "at": self.now - ago, "by": by, "media": above["media"] if above else on,
            "parent": parent, "hidden": False,
        }  # fmt: skip
        return known

    def tells(self, known: str, field: str = "comments", at: float | None = None, account: str = ACCOUNT) -> Push:
        one = self.comments[known]
        value = {
            "id": known, "text": one["text"], "from": {"id": one["by"][0], "username": one["by"][1]},
            "media": {"id": one["media"], "media_product_type": "FEED"}, **({"parent_id": one["parent"]} if one["parent"] else {}),
        }  # fmt: skip
        changes = [{"field": field, "value": value}]
        return delivery("instagram", {"id": account, "time": int(at or one["at"]) + 2, "changes": changes})

    def says(self, who: str, text: str = "", ago: float = 0, ours: bool = False, **more: Any) -> dict[str, Any]:
        """A direct message. `attachments` are kinds of files, `story` is "mention" or "reply_to"."""
        said = {"mid": f"aWdt{self.next_id()}", "text": text, "at": self.now - ago, "who": who, "ours": ours, **more}
        self.talks.setdefault(who, []).append(said)
        return said

    def event(self, said: dict[str, Any], **more: Any) -> dict[str, Any]:
        sides = (ACCOUNT, said["who"]) if said["ours"] else (said["who"], ACCOUNT)
        message: dict[str, Any] = {"mid": said["mid"], **({"text": said["text"]} if said["text"] else {}), **more}
        files = [*said.get("attachments", ()), *(["story_mention"] if said.get("story") == "mention" else [])]
        if files:
            url = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1"
            message["attachments"] = [{"type": kind, "payload": {"url": url}} for kind in files]
        if said.get("story") == "reply_to":
            message["reply_to"] = {"story": {"id": "18070001", "url": "https://lookaside.fbsbx.com/story"}}
        if said["ours"]:
            message["is_echo"] = True
        return {
            "sender": {"id": sides[0]}, "recipient": {"id": sides[1]}, "timestamp": int(said["at"] * 1000), "message": message,
        }  # fmt: skip

    def tells_messages(self, *events: dict[str, Any], account: str = ACCOUNT) -> Push:
        return delivery("instagram", {"id": account, "time": int(self.now * 1000), "messaging": list(events)})

    def tells_named(self, media: str, comment: str | None = None) -> Push:
        value = {"media_id": media, **({"comment_id": comment} if comment else {})}
        return delivery(
            "instagram", {"id": ACCOUNT, "time": int(self.now), "changes": [{"field": "mentions", "value": value}]}
        )

    def called(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        match method, path:
            case "GET", [known] if known == ACCOUNT and (where := NAMED_IN.match(asked["fields"])):
                edge, key = where[1] or where[3], where[2] or where[4]
                one = self.elsewhere.get(key)
                if one is None:
                    return gone(key)
                return httpx.Response(200, json={edge: one, "id": ACCOUNT})
            case "GET", [known] if known == ACCOUNT:
                return httpx.Response(200, json={"id": ACCOUNT, "username": HANDLE, "name": "Acme BV"})
            case "GET", [known, "media"] if known == ACCOUNT:
                assert "since" not in asked
                newest = sorted(self.media.values(), key=lambda one: -one["at"])
                return httpx.Response(200, json=self.listed([self._media(one) for one in newest], asked))
            case "GET", [known, "tags"] if known == ACCOUNT:
                shown = [
                    {"id": one["id"], "caption": one["caption"], "media_type": "IMAGE", "username": one["by"],
                     "permalink": f"https://www.instagram.com/p/{one['id']}/", "timestamp": iso(one["at"]), "like_count": 1}
                    for one in self.tagged
                ]  # fmt: skip
                return httpx.Response(200, json=self.listed(shown, asked))
            case "GET", [known, "conversations"] if known == ACCOUNT:
                assert asked["platform"] == "instagram"
                mine = {who: talk for who, talk in self.talks.items() if asked.get("user_id", who) == who}
                talks = sorted(mine, key=lambda who: -max(one["at"] for one in mine[who]))
                return httpx.Response(200, json=self.listed([self._talk(who) for who in talks], asked))
            case "POST", [known, "messages"] if known == ACCOUNT:
                return self._private(asked)
            case "POST", [known, "mentions"] if known == ACCOUNT:
                self.named.append(asked)
                return httpx.Response(200, json={"id": f"179{self.next_id()}"})
        return self._of_comment(method, path, asked)

    def _of_comment(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        match method, path:
            case "GET", [talk, "messages"] if talk.removeprefix("t_") in self.talks:
                return httpx.Response(200, json=self.listed(self._said(talk.removeprefix("t_")), asked))
            case "GET", [known, "comments"] if known in self.media:
                return httpx.Response(200, json=self.listed(self._top(known), asked))
            case _, [known, *_] if known not in self.comments:
                return gone(known)
            case "GET", [known]:
                one = self.comments[known]
                return httpx.Response(
                    200, json={"id": known, **({"parent_id": one["parent"]} if one["parent"] else {})}
                )
            case "GET", [known, "replies"]:
                assert self.comments[known]["parent"] is None, "an answer has no answers"
                return httpx.Response(200, json=self.listed(self._below(known), asked))
            case "POST", [known, "replies"]:
                if self.comments[known]["hidden"]:
                    return error(100, "Hidden comments cannot be replied to", 2207000)
                if len(asked["message"]) > 2200:
                    return error(100, "The comment is too long")
                return httpx.Response(200, json={"id": self.comment(known, asked["message"], by=(ACCOUNT, HANDLE))})
            case "POST", [known]:
                self.comments[known]["hidden"] = asked["hide"]
                return httpx.Response(200, json={"success": True})
            case "DELETE", [known]:
                del self.comments[known]
                return httpx.Response(200, json={"success": True})
        raise AssertionError(f"{method} {path} is not Instagram's")

    def _private(self, asked: dict[str, Any]) -> httpx.Response:
        if "id" in asked["recipient"]:
            return self._answer(asked["recipient"]["id"], asked["message"]["text"])
        one = self.comments.get(asked["recipient"]["comment_id"])
        if one is None:
            return gone("it")
        if self.now - one["at"] > 7 * DAY:
            return error(10, "This message is sent outside of allowed window.", 2534022)
        if any(sent["on"] == one["id"] for sent in self.messages):
            return error(10900, "Activity already replied to")
        if len(asked["message"]["text"].encode()) > 1000:
            return error(100, "Length of param message[text] must be less than or equal to 1000")
        sent = self.says(one["by"][0], asked["message"]["text"], ours=True)
        self.messages.insert(0, {**sent, "id": sent["mid"], "on": one["id"]})
        return httpx.Response(200, json={"recipient_id": one["by"][0], "message_id": sent["mid"]})

    def _answer(self, who: str, text: str) -> httpx.Response:
        theirs = [one["at"] for one in self.talks.get(who, ()) if not one["ours"]]
        if not theirs:
            return error(100, "No matching user found", 2018001)
        if self.now - max(theirs) >= DAY:
            return error(10, "This message is sent outside of allowed window.", 2534022)
        if len(text.encode()) > 1000:
            return error(100, "Length of param message[text] must be less than or equal to 1000")
        return httpx.Response(200, json={"recipient_id": who, "message_id": self.says(who, text, ours=True)["mid"]})

    def _talk(self, who: str) -> dict[str, Any]:
        updated = iso(max(one["at"] for one in self.talks[who]))
        return {"id": f"t_{who}", "updated_time": updated, "messages": self.listed(self._said(who), {"limit": "25"})}

    def _said(self, who: str) -> list[dict[str, Any]]:
        sides = {True: {"id": ACCOUNT, "username": HANDLE}, False: {"id": who, "username": f"klant.{who}"}}
        shown = []
        for one in sorted(self.talks[who], key=lambda one: -one["at"]):
            files = [
                {f"{kind}_data": {"url": "https://scontent.cdninstagram.com/v/x"}}
                for kind in one.get("attachments", ())
            ]
            story = (
                {"story": {one["story"]: {"id": "18070001", "link": "https://x.example/"}}} if "story" in one else {}
            )
            shown.append(
                {
                    "id": one["mid"], "message": one["text"], "from": sides[one["ours"]], "to": {"data": [sides[not one["ours"]]]},
                    "created_time": iso(one["at"]), **({"attachments": {"data": files}} if files else {}), **story,
                }
            )  # fmt: skip
        return shown

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": one["id"], "text": one["text"], "timestamp": iso(one["at"]), "username": one["by"][1], "like_count": 0,
            "from": {"id": one["by"][0], "username": one["by"][1]},
        }  # fmt: skip

    def _below(self, known: str) -> list[dict[str, Any]]:
        return [
            self._shown(one)
            for one in sorted(self.comments.values(), key=lambda one: one["at"])
            if one["parent"] == known
        ]

    def _top(self, media: str) -> list[dict[str, Any]]:
        found = [one for one in self.comments.values() if one["media"] == media and one["parent"] is None]
        shown = []
        for one in sorted(found, key=lambda one: -one["at"]):
            below = self.listed(self._below(one["id"]), {"limit": "50"})
            shown.append({**self._shown(one), **({"replies": below} if below["data"] else {})})
        return shown

    def _media(self, one: dict[str, Any]) -> dict[str, Any]:
        count = sum(comment["media"] == one["id"] for comment in self.comments.values())
        top = self.listed(self._top(one["id"]), {"limit": "50"})
        return {
            "id": one["id"], "timestamp": iso(one["at"]), "permalink": f"https://www.instagram.com/p/{one['id']}/",
            "comments_count": count, **({"comments": top} if top["data"] else {}),
        }  # fmt: skip
