"""The schema: committed as it runs, and complete."""

from pathlib import Path

from graphql import build_schema, validate_schema

from services.api.desk.desk import view
from services.api.graphql.objects import camel, object_type, type_name
from services.api.graphql.publish import TARGET
from services.api.graphql.queries import READ
from services.api.graphql.schema import schema, sdl
from shared.models.read_model import Column


def test_the_committed_schema_is_the_one_that_runs() -> None:
    assert Path(__file__).parents[3] / "docs" / "api" / "schema.graphql" == TARGET
    assert TARGET.read_text(encoding="utf-8") == sdl(), "run `make docs`"


def test_the_schema_is_valid_and_says_what_each_root_field_is_for() -> None:
    assert validate_schema(build_schema(sdl())) == []
    for root in (schema().query_type, schema().mutation_type):
        assert root is not None
        for name, field in root.fields.items():
            assert (field.description or "")[:1].isupper(), name
            assert all(argument.description for argument in field.args.values()), name


def test_every_field_of_a_read_model_is_a_field_of_its_type() -> None:
    for noun in READ:
        shown = schema().type_map[type_name(noun)].fields  # type: ignore[attr-defined]
        for name, item in view(noun).fields.items():
            field = shown[camel(name)]
            assert field.description == item.doc
            if isinstance(item, Column):
                assert str(field.type).endswith("!") != item.null, (noun, name)
        assert len(shown) == len(view(noun).fields)


def test_a_type_is_made_once() -> None:
    assert object_type("mention") is object_type("mention")
