"""Synapse, the homeserver of Matrix's own people, on loopback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.interop.programs import free_port, listens, python_with, running, said_by

SERVER_NAME = "loop.test"


@dataclass(frozen=True)
class RunningSynapse:
    """A running homeserver, and what its people do there."""

    url: str
    client: httpx.Client

    def register(self, name: str) -> tuple[str, str]:
        """A new account: its user id and its access token."""
        told = {"username": name, "password": "pw-" + name, "auth": {"type": "m.login.dummy"}}
        found = self.ask("POST", "/register", "", told)
        return str(found["user_id"]), str(found["access_token"])

    def ask(self, method: str, path: str, token: str, told: Any = None) -> dict[str, Any]:
        """A call of the client API."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.client.request(method, f"{self.url}/_matrix/client/v3{path}", headers=headers, json=told)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def say(self, room: str, token: str, key: str, body: str, **content: Any) -> str:
        """Something said in a room; its event id."""
        path = f"/rooms/{room}/send/m.room.message/{key}"
        return str(self.ask("PUT", path, token, {"msgtype": "m.text", "body": body, **content})["event_id"])


def install_synapse() -> Path:
    """The interpreter that has Synapse. Raises Failed."""
    return python_with("synapse")


@contextmanager
def synapse_server(folder: Path) -> Iterator[RunningSynapse]:
    """A new homeserver with an empty database."""
    python = install_synapse()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "homeserver.yaml"
    said_by(
        python, "-m", "synapse.app.homeserver", "--server-name", SERVER_NAME, "--config-path", config, "--generate-config",
        "--report-stats=no", "--config-directory", folder, "--data-directory", folder, what="configuring Synapse",
    )  # fmt: skip
    port = free_port()
    text = re.sub(r"port: 8008", f"port: {port}", config.read_text())
    text = re.sub(r"bind_addresses: .*", "bind_addresses: ['127.0.0.1']", text)
    text = re.sub(r"trusted_key_servers:\n(?:[ -].*\n?)+", "trusted_key_servers: []\n", text)
    busy = "{per_second: 1000, burst_count: 1000}"
    text += "\nenable_registration: true\nenable_registration_without_verification: true\nbcrypt_rounds: 4\n"
    text += f"rc_message: {busy}\nrc_registration: {busy}\n"
    config.write_text(text)
    command: list[str | Path] = [python, "-m", "synapse.app.homeserver", "--config-path", config]
    starting = running(command, folder / "synapse.out", ready=lambda: listens(port), cwd=folder)
    with starting, httpx.Client(timeout=30) as client:  # one for all: a test says hundreds of things
        yield RunningSynapse(f"http://127.0.0.1:{port}", client)
