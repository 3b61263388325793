"""Links in running text: found with the right ends, and nothing else taken for one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules import urls


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/x?y=1#z now", ["https://a.example/x?y=1#z"]),
        ("see https://a.example/x.", ["https://a.example/x"]),
        ("really?! (https://a.example/x)!", ["https://a.example/x"]),
        ("(https://a.example/x_(y))", ["https://a.example/x_(y)"]),
        ("[text](https://a.example/x)", ["https://a.example/x"]),
        ('<a href="https://a.example/x">', ["https://a.example/x"]),
        ("“https://a.example/x”", ["https://a.example/x"]),
        ("HTTPS://A.example", ["HTTPS://A.example"]),
        ("見てhttps://a.example/日本。次", ["https://a.example/日本"]),
        ("https://t.co/abc… more", ["https://t.co/abc"]),
        ("https://a.example/x,https://b.example", ["https://a.example/x,https://b.example"]),
        ("http://localhost:8000/x", ["http://localhost:8000/x"]),
        ("https://", []),
        ("http://nothing", []),
        ("www.northwind.nl is down", ["www.northwind.nl"]),
        ("go to northwind.com/help, please", ["northwind.com/help"]),
        ("northwind.co.uk.", ["northwind.co.uk"]),
        ("mail jan@northwind.nl", []),
        ("@northwind.nl and #northwind.nl", []),
        ("version 2.0 of node.js costs 3.50", []),
        ("niet.De app", []),
        ("x.nl:8080/a", ["x.nl:8080/a"]),
        ("münchen.de", ["münchen.de"]),
        ("northwind.nl-fan", []),
        ("e.g. this", []),
    ],
)
def test_finds(text: str, links: list[str]) -> None:
    assert [text[link.start : link.end] for link in urls.find(text)] == links


def test_addresses_get_a_scheme() -> None:
    assert [link.url for link in urls.find("https://a.example www.b.nl")] == ["https://a.example", "http://www.b.nl"]


def test_bare_addresses_only_where_asked() -> None:
    assert [link.url for link in urls.find("https://a.example www.b.nl", bare=False)] == ["https://a.example"]


def test_some_venues_take_more_for_an_address() -> None:
    text = "niet.De app, seat.now gone"
    assert [text[link.start : link.end] for link in urls.find(text, loose=True)] == ["niet.De", "seat.now"]


def test_places_are_code_points() -> None:
    (link,) = urls.find("😡é\u0301 https://a.example/😡")
    assert (link.start, link.end) == (4, 23)


@given(st.text(alphabet='ahttps:/.wnlcom ()[]"?!😡é,;-@#', max_size=60))
def test_links_are_parts_of_the_text_in_order(text: str) -> None:
    for loose in (False, True):
        found = urls.find(text, loose=loose)
        assert all(link.url.endswith(text[link.start : link.end]) for link in found)
        assert all(one.end <= other.start for one, other in pairwise(found))
        assert not any(letter.isspace() for link in found for letter in link.url)
