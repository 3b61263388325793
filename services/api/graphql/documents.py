"""Documents: parsed and validated once for each text, and found again by text or by hash (persisted documents)."""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)

from services.api.graphql.executor import Cuts
from services.api.graphql.limits import MOST_TOKENS
from shared.kit.errors import Invalid, WebcareError

MOST_KEPT_CHARACTERS = 200_000
"""A parsed text takes a few hundred times its own size: this much of text is some 50 MB."""
LONGEST = 50_000
_MOST_ERRORS = 10
_HASH = re.compile(r"[0-9a-f]{64}")


class Refused(Exception):
    """A text that is no document of this schema: what is wrong with it, and where."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class UnknownDocument(WebcareError):
    """A hash came without its text, and the text is not known here (any more)."""

    status = 404
    code = "persisted_query_not_found"
    title = "Send the document with its hash"


@dataclass(slots=True)
class Document:
    """A document as it is kept. `told` are answers that never change (introspection), by operation; `cuts` how its rows are
    cut to what it asks for, by operation too."""

    text: str
    node: DocumentNode
    told: dict[str | None, bytes] = field(default_factory=dict)
    cuts: dict[str | None, Cuts] = field(default_factory=dict)

    def cuts_of(self, operation: str | None) -> Cuts:
        """Where the cuts of an operation are kept. A document with directives may ask for other fields each time, so that
        nothing is kept of it."""
        return {} if "@" in self.text else self.cuts.setdefault(operation, {})

    def is_introspection(self) -> bool:
        """Whether it asks for nothing but the schema itself, so that its answer is always the same."""
        operations = [one for one in self.node.definitions if isinstance(one, OperationDefinitionNode)]
        return all(
            isinstance(node, FieldNode) and node.name.value in ("__schema", "__type", "__typename")
            for one in operations
            for node in one.selection_set.selections
        ) and not any(one.variable_definitions for one in operations)


class Documents:
    """The documents that were used last, for one schema. One per process."""

    def __init__(self, schema: GraphQLSchema, most_characters: int = MOST_KEPT_CHARACTERS) -> None:
        self._schema = schema
        self._most = most_characters
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._by_hash: dict[str, str] = {}
        self._characters = 0

    def read(self, text: str | None, hash_: str | None) -> Document:
        """The document of a text, or of a hash that came with its text before.

        Raises Refused for a text that is none, Invalid where text and hash do not belong together, UnknownDocument."""
        if hash_ is not None and not _HASH.fullmatch(hash_):
            raise Invalid(
                "sha256Hash must be the SHA-256 of the document in hexadecimal.",
                errors=[("/extensions/persistedQuery/sha256Hash", "is none")],
            )
        if text is None:
            known = self._by_hash.get(hash_ or "")
            if known is None:
                # The sentence is part of the protocol: clients look for it and send the text.
                raise UnknownDocument("PersistedQueryNotFound")
            return self._parsed(known)
        if hash_ is not None and sha256(text.encode()).hexdigest() != hash_:
            raise Invalid(
                "The hash is not that of the document.",
                errors=[("/extensions/persistedQuery/sha256Hash", "belongs to another text")],
            )
        document = self._parsed(text)
        if hash_ is not None and text in self._kept:
            self._by_hash[hash_] = text
        return document

    def _parsed(self, text: str) -> Document:
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            return known
        if len(text) > LONGEST:
            raise Invalid(f"A document has at most {LONGEST:,} characters; put values into variables.")
        try:
            node = parse(text, max_tokens=MOST_TOKENS)
        except GraphQLError as wrong:
            raise Refused([wrong]) from wrong
        errors = validate(self._schema, node, specified_rules, max_errors=_MOST_ERRORS, hide_suggestions=True)
        if errors:
            raise Refused(errors)
        document = self._kept[text] = Document(text, node)
        self._characters += len(text)
        while self._characters > self._most and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        return document

    def _forget(self, text: str) -> None:
        del self._kept[text]
        self._characters -= len(text)
        self._by_hash.pop(sha256(text.encode()).hexdigest(), None)
