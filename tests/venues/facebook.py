"""A Facebook page, played: posts, comments of two depths, recommendations, private replies with their one-in-seven-days rule,
webhooks."""

from typing import Any

import httpx

from services.ingest.channel import Push
from tests.venues.graph import NOON, GraphVenue, delivery, error, gone, iso

PAGE = "500"
DAY = 86_400


class FacebookVenue(GraphVenue):
    """One page and what people write there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.things: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.reviews: list[dict[str, Any]] = []
        self.under_reviews: list[dict[str, Any]] = []
        self.tells_ratings = True  # newer versions of the API do not
        self.denies_answers = False  # says that it does not know the request, and takes it

    # ---- what people do there

    def post(self, text: str, ago: float = 0, by: str = PAGE, **more: Any) -> str:
        return self._add(
            {"item": "post", "message": text, "by": by, "post": None, "parent": None, **more}, f"{PAGE}_", ago
        )

    def comment(self, on: str, text: str, ago: float = 0, by: str = "77", **more: Any) -> str:
        parent = self.things[on]
        post = parent["post"] or on
        return self._add(
            {"item": "comment", "message": text, "by": by, "post": post, "parent": on, **more},
            f"{post.split('_')[1]}_",
            ago,
        )

    def review(self, text: str, ago: float = 0, by: str = "88", advised: bool = True) -> str:
        story = str(int(self.next_id()) + 900_000)
        self.reviews.insert(0, {"story": story, "text": text, "by": by, "advised": advised, "at": self.now - ago})
        return story

    def rated(self, story: str, verb: str = "add", **more: Any) -> dict[str, Any]:
        """The webhook's change of a recommendation."""
        one = next(one for one in self.reviews if one["story"] == story)
        value = {
            "item": "rating", "verb": verb, "open_graph_story_id": story, "reviewer_id": one["by"],
            "reviewer_name": f"Person {one['by']}", "created_time": int(one["at"]), "review_text": one["text"],
            "recommendation_type": "POSITIVE" if one["advised"] else "NEGATIVE",
        }  # fmt: skip
        return {"field": "ratings", "value": {**value, **more}}

    def remove(self, known: str) -> None:
        del self.things[known]
        self.order.remove(known)

    def _add(self, thing: dict[str, Any], prefix: str, ago: float) -> str:
        known = prefix + self.next_id()
        self.things[known] = {**thing, "id": known, "at": self.now - ago, "hidden": False}
        self.order.append(known)
        return known

    # ---- webhooks

    def change(self, known: str, verb: str = "add", **more: Any) -> dict[str, Any]:
        thing = self.things[known]
        value: dict[str, Any] = {
            "item": thing["item"], "verb": verb, "post_id": thing["post"] or known, "created_time": int(thing["at"]),
            "from": {"id": thing["by"], "name": f"Person {thing['by']}"},
        }  # fmt: skip
        if thing["item"] == "comment":
            value |= {"comment_id": known, "parent_id": thing["parent"]}
        if verb not in ("remove", "hide", "unhide"):
            value["message"] = thing["message"]
        return {"field": "feed", "value": {**value, **more}}

    def tells(self, *changes: dict[str, Any], page: str = PAGE, **how: Any) -> Push:
        return delivery("page", {"id": page, "time": int(self.now), "changes": list(changes)}, **how)

    # ---- the API

    def called(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        match method, path:
            case "GET", ["me"]:
                return httpx.Response(
                    200, json={"id": PAGE, "name": "Acme", "username": "acme", "link": "https://www.facebook.com/acme"}
                )
            case "GET", ["500", "feed"]:
                posts = [
                    one
                    for one in self._newest("post")
                    if one["at"] >= float(asked.get("since", 0)) and not one.get("tags")
                ]
                return httpx.Response(200, json=self.listed([self._post(one) for one in posts], asked))
            case "GET", ["500", "tagged"]:
                return httpx.Response(
                    200, json=self.listed([self._post(one) for one in self._newest("post") if one.get("tags")], asked)
                )
            case "GET", ["500", "ratings"]:
                if not self.tells_ratings:
                    return error(12, "(#12) Deprecated for versions v22.0 and higher")
                newest = sorted(self.reviews, key=lambda one: -one["at"])
                return httpx.Response(200, json=self.listed([self._review(one) for one in newest], asked))
            case "GET", ["500", "conversations"]:
                talk = [one for one in reversed(self.messages) if one["to"] == asked["user_id"]]
                shown = {
                    "data": [
                        {"id": one["id"], "message": one["text"], "from": {"id": PAGE}, "created_time": iso(one["at"])}
                        for one in talk
                    ]
                }
                return httpx.Response(200, json={"data": [{"id": "t_1", "messages": shown}] if talk else []})
            case "POST", ["500", "messages"]:
                return self._private(asked)
        return self._of_thing(method, path, asked)

    def _of_thing(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        match method, path:
            case "POST", [story, "comments"] if any(one["story"] == story for one in self.reviews):
                self.under_reviews.append({"id": f"{story}_{self.next_id()}", "on": story, "message": asked["message"]})
                if self.denies_answers:
                    return error(100, "Unsupported request - method type: post")
                return httpx.Response(200, json={"id": self.under_reviews[-1]["id"]})
            case "GET", [story, "comments"] if any(one["story"] == story for one in self.reviews):
                return httpx.Response(200, json={"data": []})
            case _, [known] if known not in self.things:
                return gone(known)
            case _, [known, "comments"] if known not in self.things:
                return gone(known)
            case "GET", [known, "comments"]:
                assert asked["filter"] == "stream"
                assert asked["order"] == "reverse_chronological"
                return httpx.Response(200, json=self.listed([self._comment(one) for one in self._below(known)], asked))
            case "POST", [known, "comments"]:
                if not 0 < len(asked["message"]) <= 8000:
                    return error(100, "The comment is too long")
                return httpx.Response(200, json={"id": self.comment(known, asked["message"], by=PAGE)})
            case "POST", [known]:
                self.things[known]["hidden"] = asked["is_hidden"]
                return httpx.Response(200, json={"success": True})
            case "DELETE", [known]:
                self.remove(known)
                return httpx.Response(200, json={"success": True})
        raise AssertionError(f"{method} {path} is not Facebook's")

    def _private(self, asked: dict[str, Any]) -> httpx.Response:
        thing = self.things.get(asked["recipient"].get("comment_id") or asked["recipient"].get("post_id"))
        if thing is None:
            return gone("it")
        assert ("comment_id" in asked["recipient"]) == (thing["item"] == "comment")
        if self.now - thing["at"] > 7 * DAY:
            return error(10, "(#10) This message is sent outside of allowed window.", 2018278)
        if any(one["on"] == thing["id"] for one in self.messages):
            return error(10900, "(#10900) Activity already replied to")
        if len(asked["message"]["text"]) > 2000:
            return error(100, "(#100) Length of param message[text] must be less than or equal to 2000")
        sent = {
            "id": f"m_{self.next_id()}",
            "text": asked["message"]["text"],
            "to": thing["by"],
            "at": self.now,
            "on": thing["id"],
        }
        self.messages.append(sent)
        return httpx.Response(200, json={"recipient_id": thing["by"], "message_id": sent["id"]})

    def _review(self, one: dict[str, Any]) -> dict[str, Any]:
        return {
            "created_time": iso(one["at"]), "recommendation_type": "positive" if one["advised"] else "negative",
            **({"review_text": one["text"]} if one["text"] else {}), "open_graph_story": {"id": one["story"]},
            "reviewer": {"id": one["by"], "name": f"Person {one['by']}"},
        }  # fmt: skip

    def _newest(self, item: str) -> list[dict[str, Any]]:
        found = [self.things[known] for known in self.order if self.things[known]["item"] == item]
        return sorted(found, key=lambda one: one["at"], reverse=True)

    def _below(self, known: str) -> list[dict[str, Any]]:
        return [one for one in self._newest("comment") if known in (one["post"], one["parent"])]

    def _shown(self, thing: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": thing["id"], "message": thing["message"], "created_time": iso(thing["at"]),
            "from": {"id": thing["by"], "name": f"Person {thing['by']}"}, "permalink_url": f"https://www.facebook.com/{thing['id']}",
        }  # fmt: skip

    def _post(self, thing: dict[str, Any]) -> dict[str, Any]:
        below = self.listed([self._comment(one) for one in self._below(thing["id"])], {"limit": "50"})
        return {**self._shown(thing), **({"comments": below} if below["data"] else {})}

    def _comment(self, thing: dict[str, Any]) -> dict[str, Any]:
        parent = {"parent": {"id": thing["parent"]}} if thing["parent"] != thing["post"] else {}
        return {**self._shown(thing), **parent, "like_count": 0, "comment_count": len(self._below(thing["id"]))}
