"""Webhooks of Meta's apps: their handshake, their signature, and what is in a delivery.

Meta knows one address for all accounts of one kind (pages, Instagram accounts, WhatsApp accounts) that an app serves.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Any, ClassVar

from services.ingest.channel import HookAnswer, NotGenuine, Push, SkipThis
from services.ingest.networks.json_api import parsed
from services.ingest.networks.meta import MetaSecrets

LONGEST_CHALLENGE = 500


class Hooks:
    """The webhooks of an app: their handshake and their signature."""

    def __init__(self, secrets: MetaSecrets) -> None:
        both = (secrets.app_secret, secrets.former_app_secret)
        self._keys = [one.get_secret_value().encode() for one in both if one and one.get_secret_value()]
        self._verify = secrets.verify_token.get_secret_value() if secrets.verify_token else ""

    def verify(self, push: Push) -> str:
        """The id of a delivery, made from its bytes, for Meta gives none. Raises NotGenuine."""
        if not self._keys:
            raise NotGenuine("This channel has no app secret. Enter it, so that webhooks can be checked.")
        method, _, given = push.headers.get("x-hub-signature-256", "").partition("=")
        if method != "sha256" or not given:
            raise NotGenuine("The delivery is not signed: X-Hub-Signature-256 is needed.")
        for key in self._keys:
            right = hmac.digest(key, push.body, hashlib.sha256).hex()
            if hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")):
                return hashlib.sha256(push.body).hexdigest()
        raise NotGenuine("The signature is not right. Check that the app secret is that of the app that delivers.")

    def answer(self, push: Push) -> HookAnswer | None:
        """The answer to the question whether the callback address is ours; None where it is a delivery."""
        if push.method.upper() != "GET":
            return None
        given = push.query.get("hub.verify_token", "")
        if push.query.get("hub.mode") != "subscribe" or not self._verify:
            raise NotGenuine("This is no subscription, or the channel has no verify token. Enter one.")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._verify.encode()):
            raise NotGenuine("The verify token is not right. Enter the same one here and at Meta.")
        return HookAnswer(body=push.query.get("hub.challenge", "")[:LONGEST_CHALLENGE].encode("utf-8", "replace"))


def entries_in(body: bytes, of: str, *kinds: str) -> list[dict[str, Any]]:
    """The events of a delivery, each as {entry, time, kind, …}: `kinds` are the lists of an entry in which they stand.

    Instagram's own login puts `field` and `value` into the entry itself. There are none in a delivery about another object: it is
    taken, for Meta would repeat it and in the end deliver nothing at all. Raises SkipThis where it is no delivery.
    """
    found: list[dict[str, Any]] = []
    for entry in _entries(body, of):
        about = {"entry": entry.get("id"), "time": entry.get("time")}
        if "field" in entry and "changes" in kinds:
            found.append({"field": entry["field"], "value": entry.get("value"), **about, "kind": "changes"})
        for kind in kinds:
            listed = entry.get(kind)
            events = listed if isinstance(listed, list) else []
            found += [{**one, **about, "kind": kind} for one in events if isinstance(one, dict)]
    for one in (one for one in found if one["kind"] == "changes"):
        one["field"] = one["field"] if isinstance(one.get("field"), str) else ""
    return found


def _entries(body: bytes, of: str) -> list[dict[str, Any]]:
    try:
        whole = parsed(body)
    except ValueError as wrong:
        raise SkipThis(f"The delivery is not JSON: {wrong}.") from wrong
    if not isinstance(whole, dict) or not isinstance(whole.get("entry"), list):
        raise SkipThis("The delivery has no entries, which every delivery of Meta has.")
    return [one for one in whole["entry"] if isinstance(one, dict)] if whole.get("object") == of else []


class Hooked:
    """The side of a channel that Meta calls. `_hooks` are its app's, and `_watched` is the account of which it takes in."""

    hook_of: ClassVar[str]
    """The object of Meta's whose events come to its hook."""
    _hooks: Hooks
    _watched: str

    def verify(self, push: Push, at: datetime) -> str:
        """Checks X-Hub-Signature-256 over the very bytes."""
        return self._hooks.verify(push)

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """Answers Meta's question whether this address is ours."""
        return self._hooks.answer(push)

    def watches(self) -> str:
        """The id of the account, page or number."""
        return self._watched

    def told_of(self, push: Push) -> frozenset[str]:
        """The ids of the accounts or pages that a delivery tells of."""
        return frozenset(one for entry in _entries(push.body, self.hook_of) if (one := id_in(entry, "id")))

    def _of_ours(self, push: Push, *kinds: str) -> list[dict[str, Any]]:
        """What a delivery tells of our account; one delivery may tell of several."""
        return [one for one in entries_in(push.body, self.hook_of, *kinds) if id_in(one, "entry") == self._watched]


def id_in(told: Any, name: str) -> str | None:
    """An id as Meta tells it, in digits or as a number."""
    found = told.get(name) if isinstance(told, dict) else None
    return str(found)[:64] if isinstance(found, str | int) and not isinstance(found, bool) and found else None
