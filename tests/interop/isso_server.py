"""Isso, as its own people made it, on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.interop.programs import free_port, listens, python_with, running


@dataclass(frozen=True)
class RunningIsso:
    """A running server, and what a visitor of the site does there."""

    url: str
    site: str

    def comment(
        self, text: str, *, uri: str = "/nieuws/storing", author: str = "Klant", parent: int | None = None
    ) -> httpx.Response:
        told = {"author": author, "text": text, "parent": parent, "title": "Storing"}
        answer = httpx.post(f"{self.url}/new", params={"uri": uri}, json=told, headers={"Origin": self.site})
        answer.raise_for_status()
        return answer

    def change(self, posted: httpx.Response, text: str | None) -> httpx.Response:
        """Edits a comment, or deletes it, with the cookie of who posted it. An edit gives another cookie."""
        number = posted.json()["id"]
        cookie = posted.headers["set-cookie"].split(";")[0].partition("=")[2].strip('"')
        headers = {"Cookie": f"{number}={cookie}", "Origin": self.site, "Content-Type": "application/json"}
        url = f"{self.url}/id/{number}"
        answer = (
            httpx.delete(url, headers=headers) if text is None else httpx.put(url, headers=headers, json={"text": text})
        )
        answer.raise_for_status()
        return answer


def install_isso() -> Path:
    """The interpreter that has Isso. Raises Failed."""
    return python_with("isso")


@contextmanager
def isso_server(folder: Path, *, moderated: bool = False, ratelimit: int | None = None) -> Iterator[RunningIsso]:
    """A new server with an empty database."""
    python = install_isso()
    port, site = free_port(), "http://127.0.0.1:8090"
    folder.mkdir(parents=True, exist_ok=True)
    guard = (
        "enabled = false"
        if ratelimit is None
        else f"enabled = true\nratelimit = {ratelimit}\ndirect-reply = 99\nreply-to-self = true"
    )
    (folder / "isso.conf").write_text(
        f"[general]\ndbpath = {folder}/comments.db\nhost = {site}/\nlatest-enabled = true\nmax-age = 15m\n"
        f"[moderation]\nenabled = {'true' if moderated else 'false'}\n[server]\nlisten = http://127.0.0.1:{port}\n[guard]\n{guard}\n"
    )
    command: list[str | Path] = [python.with_name("isso"), "-c", folder / "isso.conf", "run"]
    with running(command, folder / "isso.log", ready=lambda: listens(port), cwd=folder):
        yield RunningIsso(f"http://127.0.0.1:{port}", site)
