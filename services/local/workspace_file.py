"""A workspace as a YAML file, for `webcare analyse`: brands, queries and issue types, without a database.

brand: {name: Northwind, aliases: [northwind mobile], handles: ["@northwind"], product_lines: [Fibre 500]}
queries: [{name: outage, text: "northwind AND (outage OR storing)"}]
sector: telecom                  # brings the issue types of that sector; without it, the common ones
issue_types: []                  # more of them, as in shared/models/taxonomies
languages: [en, nl]
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.local.trouble import LocalTrouble
from services.triage.stage import BrandBrief, Briefing, IssueTypeBrief, QueryBrief
from shared.models import taxonomy
from shared.models.phrase import TaxonomyError
from shared.models.taxonomy import IssueTypeDefinition


def _as_list(value: object) -> object:
    return [value] if isinstance(value, Mapping) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Brand(_Part):
    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    product_lines: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class _Query(_Part):
    name: str = Field(min_length=1)
    text: str = Field(min_length=1)
    languages: tuple[str, ...] = ()
    channel_types: tuple[str, ...] = ()


class _Workspace(_Part):
    brands: Annotated[tuple[_Brand, ...], BeforeValidator(_as_list)] = Field(default=(), alias="brand")
    queries: tuple[_Query, ...] = ()
    sector: str | None = None
    issue_types: tuple[dict[str, Any], ...] = ()
    languages: tuple[str, ...] = ("en", "nl")


def read_workspace(path: Path | None) -> Briefing:
    """What the stages may know. None: no brand, no query, the common issue types. Raises LocalTrouble."""
    given: Any = {}
    content = b""
    if path is not None:
        try:
            content = path.read_bytes()
            given = yaml.safe_load(content) or {}
        except OSError as error:
            raise LocalTrouble(f"{path} cannot be read: {error.strerror}.") from error
        except yaml.YAMLError as error:
            raise LocalTrouble(f"{path} is not YAML: {error}") from error
        if isinstance(given, dict) and "brands" in given:
            given = {"brand": given["brands"], **{name: value for name, value in given.items() if name != "brands"}}
    try:
        workspace = _Workspace.model_validate(given)
        issue_types = [*taxonomy.load(workspace.sector), *map(taxonomy.read_definition, workspace.issue_types)]
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise LocalTrouble(f"{path} does not describe a workspace: {problems}.") from error
    except TaxonomyError as error:
        raise LocalTrouble(f"{path}: {error}") from error
    return Briefing(
        workspace_id=str(path or "none"),
        version=hashlib.sha256(content).hexdigest()[:12],
        brands=tuple(
            BrandBrief(
                id=brand.name,
                name=brand.name,
                aliases=brand.aliases,
                handles=brand.handles,
                product_lines=brand.product_lines,
                exclude=brand.excluded,
            )
            for brand in workspace.brands
        ),
        queries=tuple(
            QueryBrief(id=query.name, name=query.name, text=query.text, languages=query.languages,
                       channel_types=query.channel_types)
            for query in workspace.queries
        ),
        issue_types=tuple(_briefs(issue_types)),
        languages=workspace.languages,
        own_handles=frozenset(handle.lower().lstrip("@") for brand in workspace.brands for handle in brand.handles),
    )  # fmt: skip


def _briefs(definitions: Iterable[IssueTypeDefinition]) -> Iterable[IssueTypeBrief]:
    for definition in definitions:
        source = definition.as_source()
        yield IssueTypeBrief(
            key=definition.key,
            name=definition.name["en"],
            severity=definition.severity,
            parent=definition.parent,
            phrases=source["phrases"],
            unless=source["unless"],
        )
