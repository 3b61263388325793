"""Anything that can send JSON: shops with reviews, partners, scripts, automation tools. Read, not answered.

Mentions come by `POST /v1/mentions` with an API key, or by `POST /v1/hooks/{channel_id}` signed as Standard Webhooks
1.0 says (`webhook-id`, `webhook-timestamp`, `webhook-signature`). The body is the same: a mention, an array of them,
`{"mentions": […]}`, or one JSON object a line.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field, SecretStr, field_validator

from services.ingest.channel import (
    Channel,
    ChannelSecrets,
    ChannelSettings,
    HttpClient,
    NotGenuine,
    Page,
    Push,
    Rejected,
    ReplyRules,
    Skipped,
    SkipThis,
    read_mentions,
)

TOLERANCE = timedelta(seconds=300)
SHORTEST_SECRET = 24  # bytes, as Standard Webhooks asks
LONGEST_DELIVERY_ID = 256
MOST_MENTIONS = 5_000
_NOT_JSON = "not_json"


class PushSettings(ChannelSettings):
    """There is nothing to set."""


class PushSecrets(ChannelSecrets):
    """What signed deliveries are checked with. Both count, so that a change of the secret loses no delivery."""

    signing_secret: SecretStr | None = Field(
        default=None,
        title="Signing secret",
        description="whsec_ and 24 random bytes or more in base64. Unset: only API keys may push.",
    )
    former_signing_secret: SecretStr | None = Field(default=None, title="The signing secret before, during a change")

    @field_validator("signing_secret", "former_signing_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(_key(secret)) < SHORTEST_SECRET:
            raise ValueError(f"holds fewer than {SHORTEST_SECRET} bytes; make one with `openssl rand -base64 32`")
        return secret


class PushChannel:
    """One sender."""

    title: ClassVar[str] = "Push (your own systems)"
    Settings: ClassVar[type[ChannelSettings]] = PushSettings
    Secrets: ClassVar[type[ChannelSecrets]] = PushSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    reply_rules: ReplyRules = ReplyRules()

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        PushSettings.model_validate(settings)
        known = PushSecrets.model_validate(secrets)
        self._keys = [_key(secret) for secret in (known.signing_secret, known.former_signing_secret) if secret]

    def verify(self, push: Push, at: datetime) -> str:
        """The `webhook-id`, once the signature over id, time and body is right and the time is within five minutes."""
        if not self._keys:
            raise NotGenuine("This channel has no signing secret. Set one, or push to /v1/mentions with an API key.")
        delivery_id, stamp, signatures = (
            push.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not (delivery_id and stamp and signatures) or len(delivery_id) > LONGEST_DELIVERY_ID:
            raise NotGenuine(
                "The delivery is not signed: webhook-id, webhook-timestamp and webhook-signature are needed."
            )
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 10):
            raise NotGenuine("webhook-timestamp is not a whole number of seconds since 1970.")
        if abs(at - datetime.fromtimestamp(int(stamp), UTC)) > TOLERANCE:
            raise NotGenuine("webhook-timestamp is more than five minutes off. Check the sender's clock.")
        signed = f"{delivery_id}.{stamp}.".encode() + push.body
        given = [part.removeprefix("v1,").encode() for part in signatures.split(" ") if part.startswith("v1,")]
        for key in self._keys:
            right = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
            if any(hmac.compare_digest(right, one) for one in given):
                return delivery_id
        raise NotGenuine("The signature is not right. Check the secret, and sign the very bytes that are sent.")

    def read_push(self, push: Push, at: datetime) -> Page:
        """The mentions in a delivery; an item that is none is skipped with its reason."""
        return _page(split_body(push.body, push.headers.get("content-type", "")))

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A body as mentions."""
        return _page(split_body(body))


def split_body(body: bytes, content_type: str = "") -> list[Any]:
    """The items of a body, as parsed JSON; a line that is not JSON becomes a Rejected in its place.

    Raises SkipThis where the body as a whole cannot be read, or holds more than 5,000 items.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if "ndjson" in media_type or "jsonl" in media_type or "json-seq" in media_type:
        items = _lines(body)
    else:
        try:
            whole = _parsed(body)
        except ValueError as wrong:
            items = _lines(body)
            if len(items) < 2 or isinstance(items[0], Rejected):  # it was not meant as lines
                raise SkipThis(f"The body is not JSON: {wrong}.") from wrong
        else:
            items = _items(whole)
    if len(items) > MOST_MENTIONS:
        raise SkipThis(f"The body holds {len(items):,} mentions; at most {MOST_MENTIONS:,} are taken at once.")
    return items


def _items(whole: Any) -> list[Any]:
    if isinstance(whole, dict):
        if "mentions" not in whole:
            return [whole]
        if set(whole) != {"mentions"}:
            raise SkipThis('Beside "mentions" the body holds something else. Put every field into its mention.')
        whole = whole["mentions"]
    if not isinstance(whole, list):
        raise SkipThis('The body is not a mention, an array of mentions or {"mentions": […]}.')
    return whole


def _lines(body: bytes) -> list[Any]:
    items: list[Any] = []
    for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        line = line.strip(b" \t\r\x1e")
        if line:
            try:
                items.append(_parsed(line))
            except ValueError as wrong:
                items.append(Rejected(len(items), _NOT_JSON, f"This line is not JSON: {wrong}."))
    return items


def _parsed(body: bytes) -> Any:
    """JSON, including halves of surrogate pairs, which networks send and strict parsers refuse. Raises ValueError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as strict:
        if b"\\u" not in body:
            raise ValueError(str(strict)) from strict
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except RecursionError as deep:
            raise ValueError("it is nested too deeply") from deep


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _page(items: list[Any]) -> Page:
    good, bad = read_mentions(items)
    return Page(
        mentions=tuple(mention for _, mention in good),
        skipped=tuple(Skipped(one.detail, index=one.index, code=one.code) for one in bad),
    )


def _key(secret: SecretStr) -> bytes:
    try:
        return base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise ValueError("is not whsec_ and base64") from wrong


CHANNEL: type[Channel] = PushChannel
