"""Brands over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import brands
from services.api.rest.door import Call, Door, one, page
from shared.models.brand import BrandFields

door = Door("brands")
_EXAMPLE = {"name": "Northwind", "aliases": ["northwind mobile"], "handles": ["@northwind"]}


@door.get("/brands", "listBrands", Action.READ_SETTINGS, page("brand"))
async def list_brands(call: Call) -> Response:
    """The brands, by name."""
    return await call.listed("brand")


@door.post("/brands", "createBrand", Action.WRITE_SETTINGS, one("brand"), takes=BrandFields, example=_EXAMPLE)
async def create_brand(call: Call) -> Response:
    """Adds a brand."""
    given = await call.body()
    return await call.write("brand", lambda desk: brands.create_brand(desk, given))


@door.get("/brands/{id}", "getBrand", Action.READ_SETTINGS, one("brand"))
async def get_brand(call: Call) -> Response:
    """One brand."""
    return await call.one("brand", call.id())


@door.patch("/brands/{id}", "changeBrand", Action.WRITE_SETTINGS, one("brand"), takes=BrandFields)
async def change_brand(call: Call) -> Response:
    """Changes what is sent of a brand."""
    key, given = call.id(), await call.body()
    return await call.write("brand", lambda desk: brands.change_brand(desk, key, given))


@door.delete("/brands/{id}", "removeBrand", Action.WRITE_SETTINGS)
async def remove_brand(call: Call) -> Response:
    """Takes a brand away."""
    return await call.do(lambda desk: brands.remove_brand(desk, call.id()))
