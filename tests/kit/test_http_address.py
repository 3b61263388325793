"""Addresses for protocols other than HTTP: judged by the same guard, on the protocol's own ports."""

import httpx
import pytest

from shared.kit.http import AddressRefused, HttpClient


def client(*answers: str, allowed: tuple[str, ...] = ()) -> HttpClient:
    async def resolver(_host: str, _port: int) -> list[str]:
        if not answers:
            raise OSError("no such name")
        return list(answers)

    return HttpClient(allowed, resolver=resolver)


async def test_a_public_name_gives_its_address() -> None:
    http = client("93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert await http.address("Mail.Example.", 993, usual={143, 993}) == "93.184.216.34"
    through = http.through(httpx.MockTransport(lambda _request: httpx.Response(200)))
    assert await through.address("mail.example", 993, usual={993}) == "93.184.216.34"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_an_inner_address_is_refused_however_it_is_named(address: str) -> None:
    with pytest.raises(AddressRefused, match="not called"):
        await client(address).address("mail.example", 993, usual={993})
    with pytest.raises(AddressRefused, match="not called"):
        await client("93.184.216.34", address).address("mail.example", 993, usual={993})
    with pytest.raises(AddressRefused):
        await client().address(address, 993, usual={993})


async def test_another_port_than_the_protocols_is_refused() -> None:
    for port in (22, 6379, 443):
        with pytest.raises(AddressRefused, match="Use 143 or 993"):
            await client("93.184.216.34").address("mail.example", port, usual={143, 993})
    with pytest.raises(AddressRefused, match="port of the web"):
        await client("93.184.216.34").address("mail.example", 993)


async def test_inside_an_allowed_network_any_port_is_fine() -> None:
    http = client("127.0.0.1", allowed=("127.0.0.0/8",))
    assert await http.address("localhost", 10_143, usual={993}) == "127.0.0.1"
    assert await http.address("127.0.0.1", 10_143) == "127.0.0.1"


async def test_what_is_no_name_and_what_has_no_address() -> None:
    with pytest.raises(AddressRefused):
        await client().address("mail example\r\n", 993, usual={993})
    with pytest.raises(OSError, match="no such name"):
        await client().address("mail.example", 993, usual={993})
