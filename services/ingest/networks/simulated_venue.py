"""The venue that the simulated channel talks to: what customers posted and which of our replies it took, in a file.

The file is the ground truth: it outlives a killed process, several processes may use it at once, and a test reads in it
what really happened. Nothing here knows of faults; `simulated_network.py` puts those in between.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from shared.kit import clock

_TABLES = """
CREATE TABLE IF NOT EXISTS post (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS change (seq INTEGER PRIMARY KEY AUTOINCREMENT, post_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reply (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT UNIQUE, in_reply_to TEXT NOT NULL, text TEXT NOT NULL,
    private INTEGER NOT NULL, accepted_at TEXT NOT NULL, replaced INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS moderated (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS call (operation TEXT NOT NULL, key TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (operation, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS played (step INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS opened (at TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class AcceptedReply:
    """A reply that the venue took, in the order in which it took them."""

    id: str
    in_reply_to: str
    text: str
    private: bool
    accepted_at: datetime
    token: str | None
    replaced: bool


@dataclass(frozen=True, slots=True)
class Moderated:
    """Something that was asked of the venue and that it did, in the order in which it did it: hide, unhide, report or dispute of
    the post `subject`, delete_reply of the reply."""

    action: str
    subject: str
    reason: str
    at: datetime


@cache
def open_venue(path: Path) -> "Venue":
    """The venue in that file; one object in a process, however many channels speak to it."""
    return Venue(path)


class Venue:
    """A venue in the file `path`, made when it is first opened. Calls block a little: use a thread in async code."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        # one connection kept open: closing the last one makes SQLite write everything through to the disk
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        with suppress(sqlite3.OperationalError):  # another process is just doing the same
            self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)
        with self._open() as db:
            now = clock.now().isoformat()
            db.execute("INSERT INTO opened SELECT ? WHERE NOT EXISTS (SELECT 1 FROM opened)", (now,))

    # ---------------------------------------------------------------- what customers do

    def post(self, text: str, **fields: Any) -> str:
        """A customer posts. `fields`: id, author {id, handle, name, followers …}, created_at, kind, visibility,
        in_reply_to, thread, rating, lang, title, url. Gives the post's id."""
        return self.post_many([{**fields, "text": text}])[0]

    def post_many(self, posts: Iterable[Mapping[str, Any]]) -> list[str]:
        """Many at once, in this order. Gives their ids."""
        with self._open() as db:
            return [_post(db, post) for post in posts]

    def edit(self, post_id: str, text: str) -> None:
        """The customer changes the words of a post. Raises LookupError where there is none."""
        with self._open() as db:
            _change(db, post_id, _edited(text))

    def delete(self, post_id: str) -> None:
        """The customer takes a post away. Raises LookupError where there is none."""
        with self._open() as db:
            _change(db, post_id, _deleted())

    def play_step(self, number: int, do: str, fields: Mapping[str, Any]) -> None:
        """A step of a script: `post`, `edit` or `delete`, once whoever plays it, also when killed in the middle."""
        with self._open() as db:
            if db.execute("INSERT INTO played VALUES (?) ON CONFLICT DO NOTHING", (number,)).rowcount == 0:
                return
            if do == "post":
                _post(db, fields)
            else:
                _change(db, fields["id"], _edited(fields["text"]) if do == "edit" else _deleted())

    # ---------------------------------------------------------------- what the network shows

    def changes(self, after: int, limit: int, since: str = "") -> tuple[list[dict[str, Any]], int, bool]:
        """Posts as they stand now that were made or changed after change number `after`; the number to go on from; and
        whether there is more. `since` leaves out what was created before it (ISO 8601)."""
        with self._open() as db:
            rows = db.execute(
                "SELECT seq, body FROM change JOIN post ON post.id = post_id WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit + 1),
            ).fetchall()
        latest = {body["id"]: body for body in (json.loads(row[1]) for row in rows[:limit])}
        wanted = [body for body in latest.values() if not since or body["created_at"] >= since]
        return wanted, rows[:limit][-1][0] if rows else after, len(rows) > limit

    def find(self, post_id: str) -> dict[str, Any] | None:
        """A post as it stands."""
        with self._open() as db:
            return _body(db, post_id)

    def has_reply(self, post_id: str, *, private: bool) -> bool:
        """Whether a reply of ours stands there."""
        return any(reply.private == private and not self.is_deleted(reply.id) for reply in self.replies(post_id))

    def posts_by(self, author_id: str) -> list[dict[str, Any]]:
        """What an author posted, oldest first."""
        with self._open() as db:
            rows = db.execute(
                "SELECT body FROM post WHERE json_extract(body, '$.author.id') = ? ORDER BY rowid", (author_id,)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    # ---------------------------------------------------------------- what we say there

    def accept(
        self, in_reply_to: str, text: str, *, private: bool, token: str | None = None, replaces: bool = False
    ) -> AcceptedReply:
        """Takes a reply. With a `token` that was seen before it gives the reply that was taken then."""
        with self._open() as db:
            former = _by_token(db, token)
            if former is not None:
                return former
            if replaces:
                stands = (in_reply_to, int(private))
                db.execute("UPDATE reply SET replaced = 1 WHERE in_reply_to = ? AND private = ?", stands)
            row = db.execute(
                "INSERT INTO reply (token, in_reply_to, text, private, accepted_at) VALUES (?, ?, ?, ?, ?) RETURNING *",
                (token, in_reply_to, text, int(private), clock.now().isoformat()),
            ).fetchone()
            return _reply(row)

    def taken_as(self, token: str) -> AcceptedReply | None:
        """The reply that was taken with this token."""
        with self._open() as db:
            return _by_token(db, token)

    def replies(self, in_reply_to: str | None = None) -> list[AcceptedReply]:
        """Every reply that was taken (of one post), in order: the ground truth."""
        with self._open() as db:
            rows = db.execute(
                "SELECT * FROM reply WHERE ?1 IS NULL OR in_reply_to = ?1 ORDER BY seq", (in_reply_to,)
            ).fetchall()
        return [_reply(row) for row in rows]

    # ---------------------------------------------------------------- what we ask about what stands there

    def moderate(self, action: str, subject: str, reason: str = "") -> None:
        """Does what is asked, and keeps that it was asked: the ground truth, each time it was."""
        with self._open() as db:
            row = (action, subject, reason, clock.now().isoformat())
            db.execute("INSERT INTO moderated (action, subject, reason, at) VALUES (?, ?, ?, ?)", row)

    def moderated(self, subject: str | None = None) -> list[Moderated]:
        """Everything that was asked and done (about one post or reply), in order."""
        with self._open() as db:
            rows = db.execute(
                "SELECT action, subject, reason, at FROM moderated WHERE ?1 IS NULL OR subject = ?1 ORDER BY seq",
                (subject,),
            ).fetchall()
        return [Moderated(action, about, reason, datetime.fromisoformat(at)) for action, about, reason, at in rows]

    def is_hidden(self, post_id: str) -> bool:
        """Whether a post is hidden as things stand."""
        last = [one.action for one in self.moderated(post_id) if one.action in ("hide", "unhide")][-1:]
        return last == ["hide"]

    def is_deleted(self, reply_id: str) -> bool:
        """Whether a reply of ours was taken away again."""
        return any(one.action == "delete_reply" for one in self.moderated(reply_id))

    # ---------------------------------------------------------------- what the network remembers of itself

    def count_call(self, operation: str, key: str = "") -> int:
        """Which call of its sort this is, from 1; counted at once, so that no killed process plays a fault twice."""
        with self._open() as db:
            return int(
                db.execute(
                    "INSERT INTO call VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
                    (operation, key),
                ).fetchone()[0]
            )

    def opened_at(self) -> datetime:
        """When the venue was first opened: where its script begins."""
        with self._open() as db:
            return datetime.fromisoformat(db.execute("SELECT at FROM opened").fetchone()[0])

    def steps_left(self, steps: int) -> Sequence[int]:
        """Which of the script's steps were not played yet."""
        with self._open() as db:
            played = {row[0] for row in db.execute("SELECT step FROM played")}
        return [step for step in range(steps) if step not in played]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other thread or process is in at the same time."""
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _post(db: sqlite3.Connection, post: Mapping[str, Any]) -> str:
    number = db.execute("INSERT INTO change (post_id) VALUES ('') RETURNING seq").fetchone()[0]
    post_id = str(post.get("id") or f"post-{number}")
    created_at = post.get("created_at") or clock.now()
    if isinstance(created_at, str):
        created_at = datetime.fromisoformat(created_at)
    db.execute("INSERT INTO post VALUES (?, ?)", (post_id, _dump({**post, "id": post_id, "created_at": created_at})))
    db.execute("UPDATE change SET post_id = ? WHERE seq = ?", (post_id, number))
    return post_id


def _change(db: sqlite3.Connection, post_id: str, changes: Mapping[str, Any]) -> None:
    body = _body(db, post_id)
    if body is None:
        raise LookupError(f"There is no post {post_id} at this venue.")
    db.execute("UPDATE post SET body = ? WHERE id = ?", (_dump({**body, **changes}), post_id))
    db.execute("INSERT INTO change (post_id) VALUES (?)", (post_id,))


def _edited(text: str) -> Mapping[str, Any]:
    return {"text": text, "edited_at": clock.now()}


def _deleted() -> Mapping[str, Any]:
    return {"text": "", "deleted_at": clock.now()}


def _body(db: sqlite3.Connection, post_id: str) -> dict[str, Any] | None:
    row = db.execute("SELECT body FROM post WHERE id = ?", (post_id,)).fetchone()
    body: dict[str, Any] | None = json.loads(row[0]) if row else None
    return body


def _by_token(db: sqlite3.Connection, token: str | None) -> AcceptedReply | None:
    row = db.execute("SELECT * FROM reply WHERE token = ?", (token,)).fetchone() if token else None
    return _reply(row) if row else None


def _dump(body: Mapping[str, Any]) -> str:
    return json.dumps(body, default=lambda at: clock.iso(at) if isinstance(at, datetime) else str(at))


def _reply(row: Sequence[Any]) -> AcceptedReply:
    seq, token, in_reply_to, text, private, accepted_at, replaced = row
    at = datetime.fromisoformat(accepted_at)
    return AcceptedReply(f"reply-{seq}", in_reply_to, text, bool(private), at, token, bool(replaced))
