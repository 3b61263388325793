"""From a question to its answer: the document found, measured and executed within its time."""

import asyncio
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import orjson
from graphql import ExecutionResult, OperationType

from services.api.graphql import errors, limits
from services.api.graphql.documents import Document, Documents, Refused
from services.api.graphql.executor import RowExecutor
from services.api.graphql.fields import Asked
from services.api.graphql.schema import schema
from shared.kit.errors import Invalid, Unavailable, WebcareError

TIME_OUT_S = 5.0


class TooSlow(Unavailable):
    """The answer was not ready in time."""

    code = "timed_out"
    title = "This took too long"


@dataclass(frozen=True, slots=True)
class Question:
    """A request as a client sends it: a document or its hash, with variables, and which operation of it is meant."""

    text: str | None
    hash: str | None = None
    operation: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The response. `status` is that of the request: 200 where something was executed, whatever became of its fields."""

    body: bytes
    status: int = 200


class Answers:
    """What answers questions. One per process."""

    def __init__(self) -> None:
        self.schema = schema()
        self.documents = Documents(self.schema)

    async def answer(self, asked: Asked, question: Question) -> Answer:
        """Answers. Everything that goes wrong is in the answer, in GraphQL's form."""
        try:
            document = self.documents.read(question.text, question.hash)
            sort = limits.check(document.node, question.operation, question.variables)
            if (known := document.told.get(question.operation)) is not None:
                return Answer(known)
            result = await self._execute(asked, document, question)
        except Refused as refused:
            status = 400
            return Answer(orjson.dumps({"errors": [errors.shown(one) for one in refused.errors]}), status)
        except TimeoutError:
            return _refused(
                TooSlow(f"This took more than {TIME_OUT_S:g} seconds and was stopped; ask for less at once.")
            )
        except WebcareError as wrong:
            return _refused(wrong)
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = [errors.shown(one) for one in result.errors]
        if result.data is None and result.errors and not any(one.path for one in result.errors):
            return Answer(orjson.dumps(body), Invalid.status)  # the variables do not fit; nothing was executed
        body["data"] = result.data
        if asked.replayed:
            body["extensions"] = {"idempotentReplayed": asked.replayed}
        said = orjson.dumps(body, default=str)
        if sort is OperationType.QUERY and not result.errors and document.is_introspection():
            document.told[question.operation] = said
        return Answer(said)

    async def _execute(self, asked: Asked, document: Document, question: Question) -> ExecutionResult:
        executor = RowExecutor.build(
            self.schema, document.node, None, asked, question.variables, question.operation, hide_suggestions=True,
            cuts=document.cuts_of(question.operation),
        )  # fmt: skip
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        result: Any = executor.execute_operation()
        if isawaitable(result):
            async with asyncio.timeout(TIME_OUT_S):
                result = await result
        assert isinstance(result, ExecutionResult)
        return result


def _refused(wrong: WebcareError) -> Answer:
    return Answer(orjson.dumps({"errors": [errors.told(wrong)]}), wrong.status)
