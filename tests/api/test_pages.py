"""Health, figures for Prometheus, and the documentation pages."""

import re

import httpx
import pytest
from fastapi import FastAPI

from services.api.app import create_app
from shared.kit.database import Database
from shared.kit.errors import Unavailable
from shared.kit.settings import Settings
from tests.api.world import World


async def test_healthy_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ok", "service": "api", "checks": {"postgres": "ok", "schema": "ok", "valkey": "ok"},
    }  # fmt: skip


async def test_without_valkey_it_is_degraded_and_without_postgres_unready(
    api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lonely = create_app(api_settings.model_copy(update={"valkey_url": "redis://127.0.0.1:1/0"}))
    async with (
        lonely.router.lifespan_context(lonely),
        httpx.AsyncClient(transport=httpx.ASGITransport(lonely), base_url="http://a") as client,
    ):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")

        async def away(_: Database) -> None:
            raise Unavailable("no")

        monkeypatch.setattr(Database, "ping", away)
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["postgres"]) == (503, "away")
        assert (await client.get("/healthz")).status_code == 200


async def test_a_schema_that_is_behind_is_unready(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.kit.health import Health

    async def older(_: Database) -> str:
        return "0000_before"

    monkeypatch.setattr(Health, "_revision", staticmethod(older))
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "0000_before" in answer.json()["checks"]["schema"]


async def test_figures_for_prometheus(world: World) -> None:
    await world.a_mention()
    await world.get("/v1/brands")
    text = (await world.client.get("/metrics")).text
    assert re.search(r'webcare_http_requests_total\{method="GET",route="/v1/brands",status="200"\} \d', text)
    assert 'webcare_jobs_due{kind="mention.received"}' in text
    assert str(world.workspace_id) not in text


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_documentation_needs_no_other_host(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"https?://", page.text)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await client.get(asset)).status_code == 200, asset


async def test_every_problems_type_leads_to_what_it_means(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/v1/brands")).json()
    page, _, code = problem["type"].partition("#")
    text = (await client.get(page)).text
    assert f'id="{code}"' in text
    assert 'id="idempotency_key_reused"' in text


async def test_graphql_stands_beside(world: World) -> None:
    answer = await world.post("/graphql", {"query": "{ mentions(first: 3) { edges { node { id } } } }"}, status=200)
    assert answer == {"data": {"mentions": {"edges": []}}}


async def test_browsers_of_other_sites_are_let_in_only_where_they_are_named(api_settings: Settings) -> None:
    open_to = create_app(api_settings.model_copy(update={"cors_origins": ("https://console.example",)}))
    async with (
        open_to.router.lifespan_context(open_to),
        httpx.AsyncClient(transport=httpx.ASGITransport(open_to), base_url="http://a") as client,
    ):
        asks = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,idempotency-key",
        }
        fine = await client.options("/v1/brands", headers={"origin": "https://console.example", **asks})
        assert fine.status_code == 200
        assert fine.headers["access-control-allow-origin"] == "https://console.example"
        other = await client.options("/v1/brands", headers={"origin": "https://evil.example", **asks})
        assert "access-control-allow-origin" not in other.headers
