"""JSON Web Tokens that we sign with a customer's private key, as the stores of Apple (ES256) and Google (RS256) ask for."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.ingest.channel_errors import AskForNewCredential


def signed_token(claims: Mapping[str, Any], private_key: str, key_id: str, what: str) -> str:
    """The claims, signed with a private key in PEM: ES256 for one on the curve P-256, RS256 for an RSA one.

    Raises AskForNewCredential where the key cannot be read or is of another sort.
    """
    try:
        key = _loaded(private_key.replace("\\n", "\n").strip())
    except (ValueError, TypeError, UnsupportedAlgorithm) as wrong:
        raise AskForNewCredential(f"The private key for {what} cannot be read. Enter the whole file.") from wrong
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        head = _part({"alg": "ES256", "kid": key_id, "typ": "JWT"}) + b"." + _part(claims)
        r, s = decode_dss_signature(key.sign(head, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")  # JWS wants both numbers bare, not in DER
    elif isinstance(key, rsa.RSAPrivateKey):
        head = _part({"alg": "RS256", "kid": key_id, "typ": "JWT"}) + b"." + _part(claims)
        signature = key.sign(head, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise AskForNewCredential(
            f"The private key for {what} is of another sort than needed. Enter the one it gave you."
        )
    return (head + b"." + _base64(signature)).decode()


@lru_cache(maxsize=100)
def _loaded(pem: str) -> PrivateKeyTypes:
    """The key; kept, because checking an RSA key takes a fifth of a second, in which nothing else happens."""
    return load_pem_private_key(pem.encode(), password=None)


def _part(content: Mapping[str, Any]) -> bytes:
    return _base64(orjson.dumps(content))


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
