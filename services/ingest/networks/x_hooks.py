"""X's webhooks: the challenge by which it makes sure of us, signatures, and the activity events that it delivers. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

import orjson

from services.ingest.channel import HookAnswer, NotGenuine, Page, Push, SkipThis
from services.ingest.networks.json_api import Fields, parsed
from services.ingest.networks.x_posts import Gathered

HEADER = "x-twitter-webhooks-signature"
LONGEST_TOKEN = 1_000


def signature(secret: str, signed: bytes) -> str:
    """As X writes it: `sha256=` and base64."""
    return "sha256=" + base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def answer_hook(push: Push, secrets: Sequence[str]) -> HookAnswer | None:
    """The answer to a challenge (GET with `crc_token`); None where it is a delivery. Raises NotGenuine."""
    if push.method.upper() != "GET":
        return None
    token = push.query.get("crc_token", "")
    if not token or len(token) > LONGEST_TOKEN:
        raise NotGenuine("X asks with a crc_token.")
    if not secrets:
        raise NotGenuine("This channel has no API key secret, so no challenge can be answered.")
    answer = orjson.dumps({"response_token": signature(secrets[0], token.encode())})
    return HookAnswer(200, answer, "application/json; charset=utf-8")


def verify(push: Push, secrets: Sequence[str]) -> str:
    """The delivery's id: the event's, else a hash of the very bytes. Raises NotGenuine."""
    given = push.headers.get(HEADER, "").encode()
    if not secrets or not given:
        raise NotGenuine(f"The delivery is not signed: {HEADER} and an API key secret are needed.")
    if not any(hmac.compare_digest(signature(secret, push.body).encode(), given) for secret in secrets):
        raise NotGenuine("The signature is not right. Check the API key secret.")
    try:
        told = parsed(push.body)
    except ValueError:
        told = None
    event = told.get("data") if isinstance(told, dict) else None
    known = event.get("event_uuid") if isinstance(event, dict) else None
    return known[:200] if isinstance(known, str) and known else hashlib.sha256(push.body).hexdigest()


def read_push(push: Push, at: datetime, user_id: str) -> Page:
    """The events in a delivery; those of our own doing are left out. Raises SkipThis where it cannot be read."""
    try:
        told = parsed(push.body)
    except ValueError as wrong:
        raise SkipThis(f"The delivery is not JSON: {wrong}.") from wrong
    data = told.get("data") if isinstance(told, dict) else None
    events = data if isinstance(data, list) else [data]
    if not any(isinstance(one, dict) for one in events):
        raise SkipThis('The delivery holds no event under "data".')
    gathered = Gathered()
    for one in events:
        gathered.take_event(Fields(one, "event", gathered.drift), at)
    if user_id:
        gathered.mentions = [
            one for one in gathered.mentions if one.author is None or one.author.external_id != user_id
        ]
    return gathered.page({})
