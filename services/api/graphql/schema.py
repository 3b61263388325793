"""The schema, built once: what can be read and what can be done, from the read models and the table of verbs."""

from functools import cache

import strawberry
from graphql import GraphQLSchema, print_schema
from strawberry.schema.config import StrawberryConfig

from services.api.graphql import limits
from services.api.graphql.fields import RootInfo
from services.api.graphql.issues import issue_fields
from services.api.graphql.metrics import metric_fields
from services.api.graphql.mutations import mutation_field
from services.api.graphql.objects import from_row, object_type
from services.api.graphql.queries import READ, noun_fields
from services.api.graphql.readings import reading_fields
from services.api.graphql.verbs import VERBS


@cache
def schema() -> GraphQLSchema:
    """The schema as graphql-core executes it. The first call builds it, which takes a moment: call it at the start."""
    query = strawberry.type(
        type("Query", (), {**noun_fields(), **reading_fields(), **metric_fields(), **issue_fields()}),
        description="What can be read.",
    )
    changes = {name: mutation_field(name, verb) for name, verb in VERBS.items()}
    mutation = strawberry.type(
        type("Mutation", (), changes), description="What can be done. Each is one transaction, in the order written."
    )
    built = strawberry.Schema(
        query=query,
        mutation=mutation,
        types=[object_type(noun) for noun in READ],
        config=StrawberryConfig(default_resolver=from_row, info_class=RootInfo),
    )
    limits.learn([plural for plural, _ in READ.values()], list(READ))
    core: GraphQLSchema = vars(built)["_schema"]  # strawberry keeps it to itself; we execute without its layers
    return core


def sdl() -> str:
    """The schema in GraphQL's own language."""
    return print_schema(schema()).rstrip() + "\n"
