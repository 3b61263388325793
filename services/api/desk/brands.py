"""Brands: what people talk about."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.models.brand import Brand, BrandFields, Query
from shared.store import author, rows

_LISTS = ("aliases", "product_lines", "handles", "excluded")
_NAMES = ("name", *_LISTS)


async def create_brand(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a brand. Handles are kept folded (lower case, without @), so that own posts are told from mentions."""
    asked = _read(fields.read_fields(BrandFields, given))
    looked_for.may_choose(desk, "A brand's names", _NAMES, asked)
    brand = Brand(workspace_id=desk.workspace_id, **asked)
    await rows.add(desk.session, brand)
    return brand.id


async def change_brand(desk: Desk, brand_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a brand. Raises NotFound."""
    brand = await rows.take(desk.session, Brand, desk.workspace_id, brand_id)
    asked = _read(fields.changed_fields(BrandFields, brand, given))
    looked_for.may_choose(desk, "A brand's names", _NAMES, asked, brand)
    for name, value in asked.items():
        setattr(brand, name, value)
    await rows.touch(desk.session, brand)
    return brand.id


async def remove_brand(desk: Desk, brand_id: UUID) -> None:
    """Takes a brand away; its queries stay and listen for no brand. What was found for it stays found."""
    brand = await rows.take(desk.session, Brand, desk.workspace_id, brand_id)
    await rows.set_all(desk.session, Query, {"brand_id": None}, workspace_id=desk.workspace_id, brand_id=brand_id)
    await rows.remove(desk.session, brand)


def _read(given: BrandFields) -> dict[str, Any]:
    values = fields.values_of(given)
    errors = []
    for name in _LISTS:
        cleaned = [" ".join(word.split()) for word in values[name]]
        errors += [
            (f"/{name}/{place}", "is empty or longer than 200 characters")
            for place, word in enumerate(cleaned)
            if not 0 < len(word) <= 200
        ]
        values[name] = list(dict.fromkeys(cleaned))
    values["name"] = " ".join(values["name"].split())
    if not values["name"]:
        errors.append(("/name", "is empty"))
    if errors:
        raise Invalid("A brand's names must be words.", errors=errors)
    values["handles"] = list(dict.fromkeys(author.fold(handle) for handle in values["handles"]))
    return values
