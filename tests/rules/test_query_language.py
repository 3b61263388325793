"""The listening query language: what it finds, where, what it refuses and at which place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.folding import Folded, fold
from shared.rules.gate import Gate
from shared.rules.query_language import (
    DEEPEST,
    LONGEST,
    MOST_TERMS,
    And,
    Not,
    Or,
    Query,
    QuerySyntaxError,
    Term,
    leaves,
    matches,
    parse,
    terms,
)


def found(query: str, text: str) -> list[str]:
    return [text[span.start : span.end] for span in matches(parse(query), text)]


@pytest.mark.parametrize(
    ("query", "text", "spans"),
    [
        ("storing", "Weer STORING bij jullie!", ["STORING"]),
        ("storing", "Verstoring en storingen", []),
        ("storing", "storing, storing.", ["storing", "storing"]),
        ("brulee", "Crème Brûlée", ["Brûlée"]),
        ("BRÛLÉE", "creme brulee", ["brulee"]),
        ("strasse", "die Straße", ["Straße"]),
        ("klm", "#KLM @klm klm.nl", ["KLM", "klm", "klm"]),
        ("#klm", "#KLM @klm klm, #klmsucks", ["#KLM"]),
        ("@klm", "@KLM: hoi #klm, mail x@klm.nl, @klm_nl, @klm@mastodon.example", ["@KLM", "@klm"]),
        ('"customer service"', "Customer  service; customer-service", ["Customer  service", "customer-service"]),
        ('"customer service"', "customer\nservice, customer. service", ["customer\nservice"]),
        ('"customer service"', "customers service", []),
        ("“customer service”", "customer service", ["customer service"]),
        ('"doesn\'t work"', "it doesn’t work", ["doesn’t work"]),
        ("AT&T c++", "AT&T and C++", ["AT&T", "C++"]),
        ("yahoo!", "Yahoo is down", ["Yahoo"]),
        ('"yahoo!"', "Yahoo is down, Yahoo! is", ["Yahoo!"]),
        ("😡", "kapot😡😡", ["😡", "😡"]),
        ("a b", "a c", []),
        ("a b", "b a", ["b", "a"]),
        ("a AND b", "b a", ["b", "a"]),
        ("a OR b", "b c", ["b"]),
        ("a OR b", "b a", ["b", "a"]),
        ("a b OR c", "c", ["c"]),
        ("a (b OR c)", "c a", ["c", "a"]),
        ("a (b OR c)", "c b", []),
        ("a -b", "a c", ["a"]),
        ("c -b", "a c", ["c"]),
        ("a -b", "a b", []),
        ("a AND NOT b", "a b", []),
        ("a -(b OR c)", "a c", []),
        ('a -"b c"', "a c b", ["a"]),
        ("a NOT (b AND NOT c)", "a b c", ["a", "c"]),
        ("--a", "a", ["a"]),
        ("a and b", "a b", []),
        ("a and b", "a and b", ["a", "and", "b"]),
        ("e-mail", "per e-mail", ["e-mail"]),
        ("a(b)", "a b", ["a", "b"]),
        ('"a"b', "a b", ["a", "b"]),
        ("a a", "a", ["a"]),
        ("日本", "東日本旅客", ["日本"]),
        ("storing", "", []),
        ('"a a"', "xa a a", ["a a"]),
    ],
)  # fmt: skip
def test_what_is_found(query: str, text: str, spans: list[str]) -> None:
    assert found(query, text) == spans


def test_places_are_those_of_the_original() -> None:
    text = "😡 Straße: é\u0301én KAPOT\u0301"
    (span,) = matches(parse("kapot"), text)
    assert (span.start, span.end) == (text.index("KAPOT"), len(text))
    assert matches(parse("kapot"), Folded(text)) == (span,)


@pytest.mark.parametrize(
    ("query", "position", "says"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("()", 1, "nothing in front"),
        ("a AND", 5, "ends too soon"),
        ("a OR OR b", 5, "OR joins"),
        ("AND a", 0, "AND joins"),
        ("a AND OR b", 6, "OR joins"),
        ("a NOT", 5, "ends too soon"),
        ("a (b OR c", 2, "never closed"),
        ("a) b", 1, "closes nothing"),
        ('a "b', 2, "never closed"),
        ('a ""', 2, "nothing to look for"),
        ('a "\u0301"', 2, "nothing to look for"),
        ("a - b", 2, "nothing to look for"),
        ("a && b", 2, "nothing to look for"),
        ("a , b", 2, "nothing to look for"),
        ("a author:b", 2, "'author:'"),
        ("a (lang:nl)", 3, "'lang:'"),
        ("https://example.com", 0, "put it in quotes"),
        ("a NEAR/3 b", 2, "'NEAR/3'"),
        ("a stor*", 6, "*"),
        ("NOT a", 0, "does not look for"),
        ("-a -b", 0, "does not look for"),
        ("a OR NOT b", 0, "does not look for"),
        ("a OR (b OR -c)", 0, "does not look for"),
        ("NOT (a AND b)", 0, "does not look for"),
    ],
)
def test_what_is_refused_and_where(query: str, position: int, says: str) -> None:
    with pytest.raises(QuerySyntaxError, match=re.escape(says)) as refused:
        parse(query)
    assert refused.value.position == position


def test_what_looks_like_an_operator_can_be_looked_for_in_quotes() -> None:
    assert found('"author:b"', "by author:b here") == ["author:b"]
    assert found('"OR"', "or") == ["or"]
    assert found('"stor*"', "stor*") == ["stor*"]
    assert found("12:30", "at 12:30") == ["12:30"]


def test_size_has_limits() -> None:
    with pytest.raises(QuerySyntaxError, match="characters at most"):
        parse("a" * (LONGEST + 1))
    assert len(list(leaves(parse("a " * MOST_TERMS)))) == MOST_TERMS
    with pytest.raises(QuerySyntaxError, match="terms at most"):
        parse("a " * (MOST_TERMS + 1))
    parse("(" * DEEPEST + "a" + ")" * DEEPEST)
    for deep in ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), "-" * (DEEPEST + 1) + "a", "(" * 8_000):
        with pytest.raises(QuerySyntaxError, match="deep at most"):
            parse(deep)


def test_the_tree() -> None:
    tree = parse('Northwind ("is down" OR @northwind OR #Outage) -sale')
    assert isinstance(tree, And)
    assert [(leaf.text, leaf.kind, leaf.position) for leaf in leaves(tree)] == [
        ("Northwind", "word", 0),
        ("is down", "phrase", 11),
        ("@northwind", "handle", 24),
        ("#Outage", "hashtag", 38),
        ("sale", "word", 48),
    ]
    assert isinstance(tree.parts[1], Or)
    assert isinstance(tree.parts[2], Not)


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        ("northwind AND (outage OR storing)", {"northwind"}),
        ("a OR b", {"a", "b"}),
        ("(a OR b) cd -e", {"cd"}),
        ("(a OR b) (cde OR fgh OR i)", {"a", "b"}),
        ('"customer service"', {"customer"}),
        ("@klm OR Brûlée", {"@klm", "brulee"}),
        ("NOT (NOT a OR b)", {"a"}),
    ],
)
def test_terms_for_the_gate(query: str, needed: set[str]) -> None:
    assert terms(parse(query)) == needed


# ------------------------------------------------ by chance, against a plain reading of the same tree

WORDS = st.sampled_from(["a", "b", "c", "ab", "É", "é", "straße", "#a", "@b", "😡", '"a b"', '"b c"'])


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from([" AND ", " ", " OR "]), inner)
    return pairs.map(lambda p: f"({''.join(p)})") | inner.map(lambda q: f"NOT ({q})") | inner.map(lambda q: f"-({q})")


QUERIES = st.recursive(WORDS, _joined, max_leaves=8)
TEXTS = st.lists(
    st.sampled_from(["a", "B", "c", "ab", "e", "STRASSE", "#A", "@b", "x@b", "😡", ",", "a-b", "b\nc", "ba"]),
    max_size=6,
).map(" ".join)


def holds(query: Query, text: str) -> bool:
    """Whether a query holds, by the words of the text alone."""
    match query:
        case Term():
            words = re.findall(r"[#@]?\w+|😡", re.sub(r"\S@\S+", "x b", fold(text)))
            bare = [word.lstrip("#@") for word in words]
            if query.kind in {"handle", "hashtag"}:
                return query.words[0] in words
            if query.kind == "phrase":
                return re.search(rf"(?<!\w){query.words[0]}[\s-]+{query.words[1]}(?!\w)", fold(text)) is not None
            return query.words[0] in bare
        case And():
            return all(holds(part, text) for part in query.parts)
        case Or():
            return any(holds(part, text) for part in query.parts)
        case Not():
            return not holds(query.part, text)


@given(QUERIES, TEXTS)
def test_agrees_with_a_plain_reading(query: str, text: str) -> None:
    try:
        tree = parse(query)
    except QuerySyntaxError as refused:
        assert "does not look for" in refused.message  # noqa: PT017
        return
    spans = matches(tree, text)
    assert bool(spans) is holds(tree, text)
    assert list(spans) == sorted(set(spans), key=lambda span: (span.start, span.end))
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    if spans:
        assert Gate(dict.fromkeys(terms(tree), True)).any(text)


@given(st.text(alphabet='ab"()-ANDORT #@:*é\n“” ', max_size=30))
def test_every_text_is_a_query_or_a_sentence_about_it(text: str) -> None:
    try:
        tree = parse(text)
    except QuerySyntaxError as refused:
        assert 0 <= refused.position <= len(text)  # noqa: PT017
        assert refused.message.endswith(".")  # noqa: PT017
    else:
        assert terms(tree)
        assert matches(tree, "") == ()
