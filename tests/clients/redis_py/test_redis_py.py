"""redis-py as a real client: what applications do with it must work the same here as with Redis."""

import threading
import time

import pytest
import redis
from conftest import PORT
from redis.backoff import NoBackoff
from redis.retry import Retry


# Strings and keys


def test_strings(client):
    assert client.set("k", "v") is True
    assert client.get("k") == "v"
    assert client.get("none") is None
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", xx=True, get=True) == "v"
    assert client.append("k", "xyz") == 4
    assert client.getrange("k", 1, -1) == "xyz"
    assert client.setrange("k", 1, "AB") == 4
    assert client.strlen("k") == 4
    assert client.getdel("k") == "wABz"
    assert client.incr("n") == 1
    assert client.incrby("n", 41) == 42
    assert client.decr("n", 2) == 40
    assert client.incrbyfloat("n", 0.5) == 40.5
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "none", "b") == ["1", None, "2"]
    assert client.msetnx({"b": 3, "c": 4}) is False


def test_binary_safety(raw):
    value = bytes(range(256)) * 300
    assert raw.set(b"\x00key\r\n", value) is True
    assert raw.get(b"\x00key\r\n") == value


def test_large_values(raw):
    value = b"x" * (8 << 20)
    raw.set("large", value)
    assert raw.get("large") == value
    assert raw.strlen("large") == len(value)


def test_keys(client):
    client.mset({"a": 1, "b": 2})
    assert client.exists("a", "b", "none") == 2
    assert client.type("a") == "string"
    assert sorted(client.keys("*")) == ["a", "b"]
    assert client.rename("a", "c") is True
    assert client.delete("b", "c", "none") == 2
    assert client.dbsize() == 0
    with pytest.raises(redis.ResponseError, match="no such key"):
        client.rename("none", "x")


def test_expiry(client):
    client.set("k", "v", ex=100)
    assert 99 <= client.ttl("k") <= 100
    assert client.persist("k") is True
    assert client.ttl("k") == -1
    assert client.expire("k", 50, nx=True) is True
    assert client.pexpiretime("k") > time.time() * 1000
    assert client.pexpire("k", 20) is True
    time.sleep(0.05)
    assert client.get("k") is None
    assert client.ttl("k") == -2


def test_wrong_type_is_an_error(client):
    client.set("k", "v")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.lpush("k", "a")
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command("NOSUCHCOMMAND")


def test_scan_iter(client):
    expected = {f"key:{n}" for n in range(1000)}
    client.mset({key: 1 for key in expected})
    client.set("other", 1)
    assert set(client.scan_iter(match="key:*", count=50)) == expected
    client.rpush("list", "a")
    assert list(client.scan_iter(_type="list")) == ["list"]


# Collections


def test_hashes(client):
    assert client.hset("h", mapping={"f": "v", "g": "1"}) == 2
    assert client.hset("h", "f", "w") == 0
    assert client.hgetall("h") == {"f": "w", "g": "1"}
    assert client.hget("h", "none") is None
    assert client.hmget("h", ["f", "none"]) == ["w", None]
    assert client.hincrby("h", "g", 4) == 5
    assert client.hincrbyfloat("h", "g", 0.5) == 5.5
    assert client.hexists("h", "f") is True
    assert sorted(client.hkeys("h")) == ["f", "g"]
    assert client.hlen("h") == 2
    assert client.hdel("h", "f", "none") == 1
    client.hset("many", mapping={f"f{n}": n for n in range(700)})
    assert dict(client.hscan_iter("many", count=20)) == {f"f{n}": str(n) for n in range(700)}


def test_lists(client):
    assert client.rpush("l", "a", "b", "c") == 3
    assert client.lpush("l", "z") == 4
    assert client.lrange("l", 0, -1) == ["z", "a", "b", "c"]
    assert client.lpop("l") == "z"
    assert client.rpop("l", 2) == ["c", "b"]
    assert client.lindex("l", 0) == "a"
    assert client.linsert("l", "after", "a", "b") == 2
    assert client.lset("l", 0, "A") is True
    assert client.lrem("l", 0, "b") == 1
    assert client.lmove("l", "m", "LEFT", "RIGHT") == "A"
    assert client.llen("l") == 0
    assert client.lpos("m", "A") == 0
    assert client.lpop("none") is None


def test_sets(client):
    assert client.sadd("s", "a", "b", "c") == 3
    assert client.smembers("s") == {"a", "b", "c"}
    assert client.sismember("s", "a") == 1
    assert client.smismember("s", ["a", "z"]) == [1, 0]
    assert client.srem("s", "a", "z") == 1
    assert client.scard("s") == 2
    client.sadd("t", "c", "d")
    assert client.sinter("s", "t") == {"c"}
    assert client.sunion("s", "t") == {"b", "c", "d"}
    assert client.sdiff("s", "t") == {"b"}
    assert client.sunionstore("u", "s", "t") == 3
    assert client.spop("u") in {"b", "c", "d"}
    assert set(client.sscan_iter("s")) == {"b", "c"}


def test_sorted_sets(client):
    assert client.zadd("z", {"a": 1, "b": 2.5, "c": 3}) == 3
    assert client.zscore("z", "b") == 2.5
    assert client.zscore("z", "none") is None
    assert client.zrange("z", 0, -1) == ["a", "b", "c"]
    with_scores = client.zrange("z", 0, -1, withscores=True)
    assert [tuple(pair) for pair in with_scores] == [("a", 1.0), ("b", 2.5), ("c", 3.0)]
    assert client.zrangebyscore("z", "(1", "+inf") == ["b", "c"]
    assert client.zrevrange("z", 0, 0) == ["c"]
    assert client.zincrby("z", 10, "a") == 11.0
    assert client.zrank("z", "a") == 2
    assert client.zcount("z", 0, 5) == 2
    assert client.zrem("z", "a") == 1
    # redis-py leaves a single pair flat in RESP3.
    assert client.zpopmin("z") in ([("b", 2.5)], ["b", 2.5])
    assert client.zcard("z") == 1
    assert dict(client.zscan_iter("z")) == {"c": 3.0}


# Pipelines, transactions, publishing


def test_pipelines(client):
    with client.pipeline(transaction=False) as pipe:
        for n in range(500):
            pipe.set(f"k{n}", n)
        for n in range(500):
            pipe.get(f"k{n}")
        replies = pipe.execute()
    assert replies == [True] * 500 + [str(n) for n in range(500)]


def test_an_error_in_a_pipeline_leaves_the_others(client):
    with client.pipeline(transaction=False) as pipe:
        pipe.set("k", "v").lpush("k", "a").get("k")
        replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == "v"


def test_connection_pool_with_threads():
    pool = redis.ConnectionPool(port=PORT, max_connections=8, decode_responses=True)
    blocking = redis.BlockingConnectionPool(port=PORT, max_connections=3, timeout=5, decode_responses=True)
    redis.Redis(connection_pool=pool).flushall()

    def count(connections):
        client = redis.Redis(connection_pool=connections)
        for _ in range(50):
            client.incr("count")

    threads = [threading.Thread(target=count, args=(connections,)) for connections in [pool, blocking] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redis.Redis(connection_pool=pool).get("count") == "400"
    pool.disconnect()
    blocking.disconnect()


def test_a_connection_has_its_database_and_name():
    with redis.Redis(port=PORT, db=3, client_name="worker", decode_responses=True) as client:
        client.set("k", "three")
        assert client.client_getname() == "worker"
        assert client.client_info()["db"] in (3, "3")
        with redis.Redis(port=PORT, decode_responses=True) as other:
            assert other.get("k") is None
        client.flushdb()


def test_ping_and_info(client):
    assert client.ping() is True
    assert client.echo("hello") == "hello"
    info = client.info("server")
    assert "redis_version" in info
    assert client.config_get("maxmemory") == {"maxmemory": client.config_get("maxmemory")["maxmemory"]}


def test_resp3_types():
    with redis.Redis(port=PORT, protocol=3, decode_responses=True) as client:
        client.flushall()
        client.hset("h", mapping={"f": "v"})
        assert client.execute_command("HGETALL", "h") == {"f": "v"}
        client.zadd("z", {"a": 1.5})
        assert client.execute_command("ZSCORE", "z", "a") == 1.5
        client.sadd("s", "a")
        assert set(client.execute_command("SMEMBERS", "s")) == {"a"}
        assert client.execute_command("GET", "none") is None


def test_memory_stats_name_the_databases_with_keys(client):
    client.set("k", "v")
    stats = client.memory_stats()
    databases = [name for name in stats if name.startswith("db.") and name[3:].isdigit()]
    assert databases == ["db.0"]
    assert stats["keys.count"] == 1 and stats["total.allocated"] > 0


def test_info_counts_wrong_passwords_and_errors(client):
    client.config_resetstat()
    # Redis keeps this count; before 7.2 it has none.
    denied = client.info("stats").get("acl_access_denied_auth")
    # With retries, redis-py would try the password several times.
    with redis.Redis(port=PORT, retry=Retry(NoBackoff(), 0)) as other, pytest.raises(redis.AuthenticationError):
        other.execute_command("AUTH", "nobody", "x")
    client.set("k", "v")
    with pytest.raises(redis.ResponseError):
        client.lpush("k", "a")
    # redis-py may have had errors of its own while it connected.
    errors = client.info("errorstats")
    assert errors["errorstat_WRONGPASS"] == errors["errorstat_WRONGTYPE"] == {"count": 1}
    assert client.info("stats")["total_error_replies"] == sum(error["count"] for error in errors.values())
    assert client.info("stats").get("acl_access_denied_auth") == (None if denied is None else denied + 1)
