"""What X demands of who keeps posts: to take away what was deleted there. Asked once a day by a compliance job.

A job takes a list of ids, works on it for minutes, and then says which of them may be kept no more.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.ingest.channel import ChannelError, Cursor, IncomingMention, Page, expect_read, reading
from services.ingest.networks.json_api import Fields, expect_json, moment, parsed
from services.ingest.networks.x_api import Api, refuse_unpaid
from services.ingest.networks.x_posts import tombstone
from shared.kit import clock

EVERY = timedelta(days=1)
JOBS = "/2/compliance/jobs"
GOES = frozenset({"deleted", "bounced", "protected", "suspended", "deactivated"})
"""Reasons for which a post is taken away; `scrub_geo` takes away a place, which is not kept."""


class Upkeep:
    """Goes one step with each turn; where it stands is in the cursor. What goes wrong is tried again the next day, and never
    holds up reading."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def turn(self, cursor: Cursor) -> Page:
        """One step."""
        now = clock.now()
        job: Mapping[str, Any] = cursor.get("compliance") or {}
        held = list(dict.fromkeys([*(cursor.get("heard") or ()), *(cursor.get("held") or ())]))
        gone: list[IncomingMention] = []
        try:
            if job.get("id"):
                result = await self._result(job)
                if result is None:
                    return Page(cursor=cursor)
                told = [tombstone(known, now) for known in result if known in held]
                gone, job = told, {"at": job["at"]}
            else:
                asked = moment(job.get("at"))
                if not held or (asked is not None and now - asked < EVERY):
                    return Page(cursor=cursor)
                job = {**await self._ask(held), "at": clock.iso(now)}
        except ChannelError as failed:
            job = {"at": clock.iso(now), "failed": str(failed)[:300]}
        left = {one.external_id for one in gone}
        kept = {
            name: [known for known in cursor[name] if known not in left]
            for name in ("held", "heard")
            if cursor.get(name)
        }
        return Page(tuple(gone), {**cursor, **kept, "compliance": job})

    async def _ask(self, held: list[str]) -> dict[str, str]:
        with reading(self._api.what):
            answer = await self._api.call("POST", JOBS, json={"type": "tweets"})
        refuse_unpaid(answer)
        job = Fields(expect_json(answer, self._api.what).get("data"), "job", {})
        upload, download, known = job.link("upload_url"), job.link("download_url"), job.text("id")
        if not (upload and download and known):
            return {"failed": "X made a compliance job otherwise than documented."}
        with reading(self._api.what):
            expect_read(await self._api.elsewhere("PUT", upload, content="\n".join(held).encode()), self._api.what)
        return {"id": known, "result": download}

    async def _result(self, job: Mapping[str, Any]) -> list[str] | None:
        """The ids that may be kept no more; None while the job is at work."""
        _, told = await self._api.read(f"{JOBS}/{job['id']}")
        status = Fields(told.get("data"), "job", {}).text("status")
        if status in ("created", "in_progress"):
            return None
        if status != "complete":
            return []
        with reading(self._api.what):
            answer = expect_read(await self._api.elsewhere("GET", str(job["result"])), self._api.what)
        found = []
        for line in answer.body.splitlines():
            try:
                one = Fields(parsed(line), "result", {})
            except ValueError:
                continue
            if one.text("reason") in GOES and (known := one.text("id")):
                found.append(known)
        return found
