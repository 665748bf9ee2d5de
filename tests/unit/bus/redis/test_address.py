import pytest

from bus.redis.address import RedisAddress, is_redis
from bus.transport.endpoints import InvalidEndpoint


@pytest.mark.parametrize(
    ("url", "hosts", "database", "name"),
    [
        ("redis://10.0.0.1:7000/3", (("10.0.0.1", 7000),), 3, ""),
        ("redis://cache", (("cache", 6379),), 0, ""),
        ("rediss://[::1]:7000", (("::1", 7000),), 0, ""),
        ("redis+sentinel://a,b:7/main/2", (("a", 26379), ("b", 7)), 2, "main"),
    ],
)
def test_an_address_gives_hosts_database_and_name(url, hosts, database, name):
    assert is_redis(url)
    found = RedisAddress.parse(url)
    assert (found.hosts, found.database, found.name, str(found)) == (hosts, database, name, url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://a,b",
        "redis://a:x",
        "redis://a/b",
        "redis://a/1/2",
        "redis://a/16384",
        "redis://a?db=1",
        "redis+sentinel://a",
        "redis+sentinel://a/b c",
    ],
)
def test_any_other_address_is_refused_with_what_is_allowed(url):
    with pytest.raises(InvalidEndpoint, match="allowed is redis://HOST:PORT/DB"):
        RedisAddress.parse(url)


def test_a_login_in_an_address_is_refused_and_not_shown():
    with pytest.raises(InvalidEndpoint) as refused:
        RedisAddress.parse("redis://me:secret@a:1/0")
    assert "secret" not in str(refused.value)
    assert "a:1/0" in str(refused.value)


def test_without_the_extra_an_address_is_refused_with_its_name(monkeypatch):
    monkeypatch.setattr("bus.redis.address.find_spec", lambda _: None)
    with pytest.raises(InvalidEndpoint, match=r"pip install 'weir-events\[redis\]'"):
        RedisAddress.parse("redis://a")


def test_other_buses_are_not_of_redis():
    assert not is_redis("ipc:///run/weir")
    assert not is_redis("tcp://127.0.0.1:1")
