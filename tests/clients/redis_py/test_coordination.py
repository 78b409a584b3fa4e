"""redis-py's locks, scripts, transactions and blocking pops, with many clients at once."""

import threading
import time

import pytest
import redis
from conftest import PORT
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, WatchError

CLIENTS = 16


def together(work, clients=CLIENTS):
    """Runs `work` with a client of its own on each of so many threads; what they return."""
    results, errors = [None] * clients, []

    def run(number):
        try:
            with redis.Redis(port=PORT, decode_responses=True) as own:
                results[number] = work(own, number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]
    return results


def until_blocked(client, count):
    end = time.monotonic() + 10
    while client.info("clients")["blocked_clients"] != count:
        assert time.monotonic() < end
        time.sleep(0.002)


# Locks


def test_no_update_under_a_lock_is_lost(client):
    client.set("sum", 0)

    def count(own, _):
        for _ in range(5):
            with own.lock("lock", timeout=30, sleep=0.002, blocking_timeout=50):
                own.set("sum", int(own.get("sum")) + 1)

    together(count)
    assert client.get("sum") == str(CLIENTS * 5)
    assert client.exists("lock") == 0


def test_a_lock_belongs_to_its_token(client):
    lock = client.lock("lock", timeout=10)
    assert lock.acquire(token="mine") is True
    assert client.lock("lock").acquire(blocking=False) is False
    assert lock.owned() and client.lock("lock").locked()
    assert lock.extend(20) is True
    assert 28 <= client.ttl("lock") <= 30
    assert lock.reacquire() is True
    assert 8 <= client.ttl("lock") <= 10
    client.set("lock", "another's")
    with pytest.raises(LockNotOwnedError):
        lock.release()
    assert client.get("lock") == "another's"
    with pytest.raises(LockError):
        lock.release()


# Scripts


def test_registered_scripts(client):
    move = client.register_script(
        "local n = redis.call('GETDEL', KEYS[1]) redis.call('INCRBY', KEYS[2], n or ARGV[1]) return redis.call('GET', KEYS[2])"
    )
    client.set("from", 5)
    assert move(keys=["from", "to"], args=[7]) == "5"
    client.script_flush()
    assert move(keys=["from", "to"], args=[7]) == "12"
    pipeline = client.pipeline()
    pipeline.set("from", 30)
    move(keys=["from", "to"], args=[0], client=pipeline)
    client.script_flush()
    assert pipeline.execute() == [True, "42"]
    assert client.script_exists(move.sha, "0" * 40) == [True, False]
    with pytest.raises(NoScriptError):
        client.evalsha("0" * 40, 0)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE.*script: "):
        client.eval("redis.call('SET', KEYS[1], 1) return redis.call('LPUSH', KEYS[1], 1)", 1, "k")


def test_replies_of_scripts(client):
    assert client.eval("return {1, 2.9, 'a', true, false, {3, {}}, nil, 4}", 0) == [1, 2, "a", 1, None, [3, []]]
    assert client.eval("return redis.status_reply('FINE')", 0) == "FINE"
    assert client.eval("return cjson.encode({a = cjson.decode('[1, {\"b\": null}]')})", 0) == '{"a":[1,{"b":null}]}'
    with pytest.raises(redis.ResponseError, match="^MINE is mine"):
        client.eval("return redis.error_reply('MINE is mine')", 0)
    with pytest.raises(redis.ResponseError, match="user_script:1: boom script: "):
        client.eval("error('boom')", 0)


def test_a_limiter_lets_no_more_pass(client):
    lua = """
        local passed = redis.call('INCR', KEYS[1])
        if passed == 1 then redis.call('PEXPIRE', KEYS[1], 60000) end
        if passed > tonumber(ARGV[1]) then return 0 end
        redis.call('SADD', 'passed:' .. ARGV[2] % 5, ARGV[2])
        return 1
    """

    def ask(own, number):
        limiter = own.register_script(lua)
        return sum(limiter(keys=["limit"], args=[50, number * 100 + n]) for n in range(10))

    assert sum(together(ask)) == 50
    assert sum(client.scard(f"passed:{n}") for n in range(5)) == 50


# Transactions


def test_pipelines_as_transactions(client):
    with client.pipeline(transaction=True) as pipe:
        pipe.mset({"a": 1, "b": 2, "c": 3}).incr("a").lpush("b", "x").get("c")
        with pytest.raises(redis.ResponseError, match=r"Command # 3 \(LPUSH b x\) of pipeline caused error: WRONGTYPE"):
            pipe.execute()
        pipe.mget("a", "b").lpush("b", "x").incr("a")
        mget, error, count = pipe.execute(raise_on_error=False)
        assert mget == ["2", "2"] and isinstance(error, redis.ResponseError) and count == 3
        pipe.set("a", 9).execute_command("GET")
        with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
            pipe.execute()
    assert client.get("a") == "3"


def test_transaction_tries_again_until_nobody_interferes(client):
    client.set("n", 0)

    def count(own, _):
        for _ in range(5):

            def once(pipe):
                n = int(pipe.get("n"))
                pipe.multi()
                pipe.set("n", n + 1)
                pipe.rpush("order", n)

            own.transaction(once, "n")

    together(count, 8)
    assert client.get("n") == "40"
    assert client.lrange("order", 0, -1) == [str(n) for n in range(40)]
    with client.pipeline() as pipe:
        pipe.watch("n", "order")
        client.rpush("order", "x")
        pipe.multi()
        pipe.get("n")
        with pytest.raises(WatchError):
            pipe.execute()


# Blocking pops


def test_a_queue_gives_every_element_once(client):
    def work(own, number):
        if number < 4:
            for n in range(50):
                own.lpush(f"queue:{n % 3}", f"{number}:{n}")
            return []
        queues = [f"queue:{n}" for n in range(3)]
        return [element for _, element in iter(lambda: own.brpop(queues, timeout=1), None)]

    got = sum(together(work, 10), [])
    assert client.dbsize() == 0
    assert sorted(got) == sorted(f"{number}:{n}" for number in range(4) for n in range(50))


def test_unblock_and_timeouts(client):
    assert client.blpop("none", timeout=0.05) is None
    ids = []

    def wait(own, _):
        ids.append(own.client_id())
        with pytest.raises(redis.ResponseError, match="^UNBLOCKED"):
            own.bzpopmin(["none", "neither"], timeout=0)
        return own.bzpopmin(["none", "scores"], timeout=20)

    def release(number):
        until_blocked(client, 1)
        assert client.client_unblock(ids[0], error=True)
        until_blocked(client, 1)
        client.zadd("scores", {"b": 2, "a": 1})

    thread = threading.Thread(target=release, args=(0,))
    thread.start()
    assert [[*map(str, popped)] for popped in together(wait, 1)] in ([["scores", "a", "1.0"]], [["scores", "a", "1"]])
    thread.join()
