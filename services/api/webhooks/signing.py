"""How a receiver knows that a webhook is ours: Standard Webhooks 1.0 signatures (HMAC-SHA256, `v1`)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from shared.kit.errors import WebcareError

SECRET_PREFIX = "whsec_"  # noqa: S105  # how secrets begin, not one


class UnreadableSecret(WebcareError):
    """A webhook secret is not `whsec_` and base64."""

    code = "unreadable_secret"


def key_of(secret: str) -> bytes:
    """The key inside a secret. Raises UnreadableSecret; an empty key would let anybody sign."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise UnreadableSecret("The endpoint's secret cannot be read; rotate it.") from wrong
    if not secret.startswith(SECRET_PREFIX) or not key:
        raise UnreadableSecret("The endpoint's secret cannot be read; rotate it.")
    return key


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature, `v1,<base64>`, over `{id}.{timestamp}.{body}`. `timestamp` in whole seconds of Unix time."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def headers(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a try made at `at`: the id is the same on each try, the timestamp is that of the try.
    Several keys (during a rotation) give several signatures, of which the receiver needs one."""
    timestamp = int(at.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(key, message_id, timestamp, body) for key in keys),
    }
