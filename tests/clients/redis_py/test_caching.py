"""redis-py's client-side caching: what one client keeps is forgotten when another changes it."""

import time

import pytest
import redis
from conftest import PORT
from redis.cache import CacheConfig


@pytest.fixture
def caching():
    """A client that caches, and one that changes things."""
    writer = redis.Redis(port=PORT, decode_responses=True)
    version = tuple(int(number) for number in writer.info("server")["redis_version"].split(".")[:2])
    if version < (7, 4):
        pytest.skip("redis-py caches from servers of version 7.4 and later")
    writer.flushall()
    client = redis.Redis(port=PORT, protocol=3, decode_responses=True, cache_config=CacheConfig())
    yield client, writer
    client.close()
    writer.close()


def cached(client):
    return client.get_cache().size


def until(condition):
    """A client looks for invalidations when it is used; the server sends them at once."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_is_read_is_kept_and_forgotten_when_it_changes(caching):
    client, writer = caching
    keys = [f"key:{number}" for number in range(20)]
    writer.mset({key: 1 for key in keys})
    for key in keys:
        assert client.get(key) == "1"
    assert cached(client) == len(keys)
    for version in range(2, 6):
        for key in keys:
            writer.set(key, version)
        for key in keys:
            until(lambda: client.get(key) == str(version))
        assert cached(client) == len(keys)


def test_all_that_changes_a_key(caching):
    client, writer = caching
    changes = {
        "DEL": lambda: writer.delete("k"),
        "EXPIRE": lambda: writer.pexpire("k", 1),
        "RENAME": lambda: writer.rename("other", "k"),
        "EVAL": lambda: writer.eval("return redis.call('SET', KEYS[1], 'new')", 1, "k"),
        "EXEC": lambda: writer.pipeline().set("k", "new").set("other", "new").execute(),
        "FLUSHALL": lambda: writer.flushall(),
    }
    for name, change in changes.items():
        writer.mset({"k": "old", "other": "new"})
        until(lambda: client.get("k") == "old")
        change()
        expected = None if name in ("DEL", "EXPIRE", "FLUSHALL") else "new"
        until(lambda: client.get("k") == expected)


def test_collections_and_many_keys(caching):
    client, writer = caching
    writer.hset("h", mapping={"a": 1})
    writer.rpush("l", 1, 2)
    writer.mset({"x": 1, "y": 2})
    for _ in range(2):
        assert client.hgetall("h") == {"a": "1"}
        assert client.lrange("l", 0, -1) == ["1", "2"]
        assert client.mget("x", "y") == ["1", "2"]
    assert cached(client) == 3
    writer.hset("h", "b", 2)
    writer.set("y", 3)
    until(lambda: client.hgetall("h") == {"a": "1", "b": "2"})
    until(lambda: client.mget("x", "y") == ["1", "3"])


def test_a_clients_own_writes(caching):
    client, _ = caching
    for number in range(50):
        client.set("k", number)
        until(lambda: client.get("k") == str(number))
