"""Asking by GraphQL, as somebody of a role."""

from collections.abc import Mapping
from typing import Any

from shared.models.workspace import Role
from tests.api.world import World


async def answered(
    world: World, query: str, variables: Mapping[str, Any] | None = None, *, role: Role = Role.ADMIN,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The whole answer to a document: data, errors, extensions."""
    sent = {"query": query, "variables": dict(variables or {})}
    answer = await world.call("POST", "/graphql", sent, role=role, headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def asked(world: World, query: str, variables: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """The data. Fails where there is any error."""
    told = await answered(world, query, variables, **more)
    assert "errors" not in told, told["errors"]
    return told["data"]


async def refused(world: World, query: str, variables: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The extensions of the one error. Fails where nothing was refused."""
    told = await answered(world, query, variables, **more)
    assert len(told["errors"]) == 1, told
    extensions: dict[str, Any] = {**told["errors"][0]["extensions"], "message": told["errors"][0]["message"]}
    return extensions
