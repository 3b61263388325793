"""Secrets: API keys that can be recognised and not guessed, and values that lie encrypted in the database."""

import base64
import hashlib
import hmac
import os
import zlib
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.kit.errors import WebcareError

KEY_PREFIX = "wc_live_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VERSION = b"\x01"


class WrongKey(WebcareError):
    """Something was encrypted with another WEBCARE_SECRET_KEY."""

    code = "wrong_secret_key"


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits.rjust(width, "0")


def new_api_key() -> str:
    """A new key: `wc_live_<8>_<43><6>`; the last six are a checksum by which secret scanners tell a real one."""
    public = _base62(int.from_bytes(os.urandom(5)), 8)[-8:]
    secret = _base62(int.from_bytes(os.urandom(32)), 43)
    body = f"{KEY_PREFIX}{public}_{secret}"
    return body + _base62(zlib.crc32(body.encode()), 6)


def key_prefix(key: str) -> str:
    """The part of a key that may be shown and looked up: its first 16 characters."""
    return key[:16]


def hash_api_key(key: str) -> bytes:
    """SHA-256 of the key. A key has 256 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode()).digest()


def same_hash(one: bytes, other: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one, other)


class Vault:
    """Encrypts and decrypts values with AES-256-GCM, bound to the workspace and the field they belong to.

    `secret_key` is WEBCARE_SECRET_KEY, 32 characters or more. A value moved to another row's field does not decrypt.
    """

    def __init__(self, secret_key: str) -> None:
        if len(secret_key) < 32:
            raise WebcareError(
                "WEBCARE_SECRET_KEY must have 32 characters or more; make one with `openssl rand -base64 48`."
            )
        self._cipher = AESGCM(hashlib.sha256(b"webcare vault\x00" + secret_key.encode()).digest())

    def seal(self, plain: str, workspace_id: UUID, field: str) -> bytes:
        """The encrypted form of `plain`: one version byte, a 12-byte nonce, the ciphertext with its tag."""
        nonce = os.urandom(12)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain.encode(), self._bound(workspace_id, field))

    def open(self, sealed: bytes, workspace_id: UUID, field: str) -> str:
        """The plain value. Raises WrongKey where the key, the workspace or the field is not the one it was sealed for."""
        try:
            return self._cipher.decrypt(sealed[1:13], sealed[13:], self._bound(workspace_id, field)).decode()
        except InvalidTag as wrong:
            raise WrongKey(
                f"{field} cannot be decrypted: WEBCARE_SECRET_KEY is not the one it was stored with. Set the former key again."
            ) from wrong

    @staticmethod
    def _bound(workspace_id: UUID, field: str) -> bytes:
        return workspace_id.bytes + field.encode()


def new_webhook_secret() -> str:
    """A Standard Webhooks secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()
