"""The guard before every outgoing call, as a table: what may be called and what may not."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from shared.kit.addresses import LONGEST_URL, WEBHOOKS, AddressGuard, AddressRefused, Target, read_url, refusal

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::169.254.169.254",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:a9fe:a9fe::5601:5601",
    "2001:10::1",
    "2001:20::1",
    "2001:2::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called(address: str) -> None:
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize("address", REFUSED)
def test_other_addresses_are_not_called(address: str) -> None:
    assert refusal(ip_address(address)) is not None


GOOD_URLS = {
    "https://example.com/feed": Target("https", "example.com", 443),
    "http://example.com": Target("http", "example.com", 80),
    "HTTPS://EXAMPLE.com:8443/x?y=z#f": Target("https", "example.com", 8443),
    "https://example.com./feed": Target("https", "example.com", 443),
    "https://bücher.example/": Target("https", "xn--bcher-kva.example", 443),
    "http://my_service:9000/": Target("http", "my_service", 9000),
    "http://127.0.0.1:8080/": Target("http", "127.0.0.1", 8080),
    "http://[::1]:8080/": Target("http", "::1", 8080),
    "http://１２７.0.0.1/": Target("http", "127.0.0.1", 80),
}
BAD_URLS = [
    "",
    "example.com/feed",
    "//example.com/feed",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:6379/_FLUSHALL",
    "unix:/var/run/docker.sock",
    "http://",
    "http:///path",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com@10.0.0.1/",
    "https://example.com\\@10.0.0.1/",
    "https://example.com /",
    "https://example.com/a b",
    "https://example.com\r\nHost: 10.0.0.1/",
    "https://exa\tmple.com/",
    "https://example.com/\u202egnp",
    "https://exam\u200bple.com/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:https/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://1.2.3.4.5/",
    "http://0/",
    "http://[::1/",
    "http://[example.com]/",
    "http://[fe80::1%25eth0]/",
    "http://%31%32%37.0.0.1/",
    "https://-example.com/",
    "https://example..com/",
    "https://example.com../",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com/" + "a" * 8_200,
]


@pytest.mark.parametrize(("url", "target"), GOOD_URLS.items())
def test_a_url_is_taken_apart(url: str, target: Target) -> None:
    assert read_url(url) == target


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_programs_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        read_url(url)


def _answers(**names: list[str]) -> object:
    async def resolve(host: str, port: int) -> Sequence[str]:
        key = host.replace(".", "_")
        if key not in names:
            raise OSError("unknown")
        return names[key]

    return resolve


def _guard(allowed: Sequence[str] = (), *, webhooks: bool = False, **names: list[str]) -> AddressGuard:
    rules = {"rules": WEBHOOKS} if webhooks else {}
    return AddressGuard(allowed, resolver=_answers(**names), **rules)  # type: ignore[arg-type]


async def test_a_name_is_judged_by_every_address_it_stands_for() -> None:
    guard = _guard(good_example=["93.184.215.14", "2606:4700::1111"], mixed_example=["93.184.215.14", "10.0.0.1"])
    assert await guard.addresses("good.example", 443) == ["93.184.215.14", "2606:4700::1111"]
    with pytest.raises(AddressRefused, match=r"mixed\.example leads to 10\.0\.0\.1 \(a private network\)"):
        await guard.addresses("mixed.example", 443)


async def test_a_bare_public_address_is_refused_and_a_bare_allowed_one_is_called() -> None:
    with pytest.raises(AddressRefused, match="bare IP"):
        await _guard().check("https://1.1.1.1/")
    assert await _guard(["127.0.0.0/8"]).check("http://127.0.0.1:9999/") == Target("http", "127.0.0.1", 9999)


async def test_allowed_networks_open_any_port_and_only_themselves() -> None:
    guard = _guard(["127.0.0.0/8"], localhost=["::1", "127.0.0.1"], intranet=["10.0.0.5"], feed_example=["1.1.1.1"])
    assert await guard.addresses("localhost", 5555) == ["127.0.0.1"]  # ::1 was not allowed and is left out
    with pytest.raises(AddressRefused, match="WEBCARE_ALLOWED_NETWORKS"):
        await guard.addresses("intranet", 80)
    with pytest.raises(AddressRefused, match="port 5555"):
        await guard.addresses("feed.example", 5555)


async def test_a_mapped_address_counts_as_the_address_in_it() -> None:
    assert _guard(["127.0.0.0/8"]).is_allowed(ip_address("::ffff:127.0.0.1"))
    assert not _guard(["127.0.0.0/8"]).is_allowed(ip_address("64:ff9b::7f00:1"))
    assert not _guard(["::/0"]).is_allowed(ip_address("127.0.0.1"))
    assert _guard([str(ip_network("10.0.0.0/8"))]).is_allowed(ip_address("10.9.8.7"))


@pytest.mark.parametrize("url", ["http://hook.example/", "https://hook.example:8080/", "https://hook.example:22/"])
async def test_webhooks_go_by_https_on_its_ports(url: str) -> None:
    guard = _guard(webhooks=True, hook_example=["1.1.1.1"])
    with pytest.raises(AddressRefused):
        await guard.check(url)
    assert await guard.check("https://hook.example/in") == Target("https", "hook.example", 443)
    inside = _guard(["127.0.0.0/8"], webhooks=True, hook_example=["127.0.0.1"])
    assert (await inside.check(url)).host == "hook.example"


@pytest.mark.parametrize("port", [0, 21, 22, 23, 25, 53, 110, 143, 445, 3306, 5432, 6379, 9200, 11211, 27017])
async def test_ports_of_other_services_are_not_called(port: int) -> None:
    with pytest.raises(AddressRefused):
        await _guard(good_example=["1.1.1.1"]).addresses("good.example", port)


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "fe80::1%lo"])
async def test_what_only_the_resolver_takes_for_an_address_never_reaches_it(host: str) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError("the resolver was asked")

    with pytest.raises(AddressRefused):
        await AddressGuard(resolver=resolve).addresses(host, 80)


async def test_the_last_look_sees_an_address_that_was_never_resolved() -> None:
    guard = _guard()
    guard.judge_connection("1.1.1.1", 443)
    for address, port in (("169.254.169.254", 80), ("::ffff:10.0.0.1", 80), ("1.1.1.1", 22), ("example.com", 443)):
        with pytest.raises(AddressRefused):
            guard.judge_connection(address, port)


async def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.kit.addresses.RESOLVE_SECONDS", 0.05)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    with pytest.raises(OSError):  # noqa: PT011  # TimeoutError is one
        await AddressGuard(resolver=resolve).addresses("slow.example", 443)


async def test_a_name_that_nobody_knows_is_refused_when_it_is_entered() -> None:
    with pytest.raises(AddressRefused, match=r"nowhere\.example cannot be found"):
        await _guard().check("https://nowhere.example/")


async def test_the_real_resolver_is_judged_too() -> None:
    with pytest.raises(AddressRefused, match="localhost leads to"):
        await AddressGuard().check("http://localhost/")


def test_what_a_server_has_to_take_is_called_and_no_longer() -> None:
    """Calls that ask for a hundred ids, and pictures with a signature, are longer than a person would type."""
    address = "https://example.com/?"
    longest = address + "a" * (LONGEST_URL - len(address))
    assert LONGEST_URL >= 8_000
    assert read_url(longest) == Target("https", "example.com", 443)
    with pytest.raises(AddressRefused, match="8193 characters"):
        read_url(f"{longest}a")
