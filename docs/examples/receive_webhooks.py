"""Receives webhooks on this machine, checks their signatures and prints what happened. Standard library only.

Start it with the endpoint's secret: `python3 docs/examples/receive_webhooks.py whsec_…`
"""

# ruff: noqa: INP001  # a program that people run, not a module of ours

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 9000
TOLERANCE_S = 300


def is_genuine(key: bytes, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Whether one of the signatures is right and the time is near (Standard Webhooks 1.0). Header names in lower case."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > TOLERANCE_S:
        return False
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    right = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(hmac.compare_digest(right, given) for given in headers.get("webhook-signature", "").split(" "))


def key_of(secret: str) -> bytes:
    """The key inside a secret that begins with whsec_."""
    return base64.b64decode(secret.removeprefix("whsec_"))


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is genuine and 401 to the rest. A repeat has the same webhook-id: a real receiver keeps them."""

    key = b""

    def do_POST(self) -> None:
        """One delivery."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        genuine = is_genuine(self.key, headers, body, time.time())
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine:
            event = json.loads(body)
            sys.stdout.write(f"{event['timestamp']}  {event['type']:32} {event['subject']}\n")
            sys.stdout.flush()

    def log_message(self, *_: object) -> None:
        """Says nothing of its own."""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the endpoint's secret: receive_webhooks.py whsec_…")
    Receiver.key = key_of(sys.argv[1])
    sys.stdout.write(f"Listening on http://127.0.0.1:{PORT}/ for webhooks.\n")
    ThreadingHTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
