"""redis-cli and redis-benchmark, the programs themselves, with the modes that operators use. The port is given by WEFT_PORT."""

import json
import os
import re
import subprocess

import pytest

PORT = os.environ["WEFT_PORT"]
SECONDS_MAX = 60


def run(program, *arguments, stdin=b""):
    """What it printed; an exit code other than 0 or a stop by time fails the test."""
    line = [program, "-p", PORT, *arguments]
    done = subprocess.run(line, input=stdin, capture_output=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout.decode()


def cli(*arguments, stdin=b""):
    return run("redis-cli", *arguments, stdin=stdin)


def ask(*words):
    return cli(*words).rstrip("\n")


@pytest.fixture(autouse=True)
def empty():
    assert ask("flushall") == "OK"


@pytest.fixture
def keys():
    """A hundred keys of each type; the largest of each is called big:…"""
    lines = []
    for n in range(100):
        lines += [f"set s:{n} v", f"rpush l:{n} a b", f"hset h:{n} f v", f"sadd t:{n} a", f"zadd z:{n} 1 a"]
    lines.append("set big:s " + "v" * 1000)
    lines.append("rpush big:l " + " ".join(f"e{n}" for n in range(300)))
    lines.append("hset big:h " + " ".join(f"f{n} v" for n in range(301)))
    lines.append("sadd big:t " + " ".join(f"m{n}" for n in range(302)))
    lines.append("zadd big:z " + " ".join(f"{n} m{n}" for n in range(303)))
    output = cli("--pipe", stdin="".join(f"{line}\r\n" for line in lines).encode())
    assert "errors: 0, replies: 505" in output
    assert ask("dbsize") == "505"


def test_one_command():
    assert ask("set", "k", "v") == "OK"
    assert ask("--no-raw", "get", "k") == '"v"'
    assert ask("--no-raw", "get", "none") == "(nil)"
    assert ask("--csv", "mget", "k", "none") == '"v",NULL'
    assert ask("-n", "3", "--no-raw", "get", "k") == "(nil)"
    assert cli("-r", "3", "incr", "n").split() == ["1", "2", "3"]


def test_errors():
    assert ask("lpush", "k").startswith("ERR wrong number of arguments for 'lpush' command")
    ask("set", "k", "v")
    assert ask("lpush", "k", "a").startswith("WRONGTYPE ")
    line = ["redis-cli", "-p", PORT, "-e", "lpush", "k", "a"]
    assert subprocess.run(line, capture_output=True, timeout=SECONDS_MAX).returncode == 1


def test_resp3():
    ask("hset", "h", "f", "v")
    assert ask("-3", "--no-raw", "hgetall", "h") == '1# "f" => "v"'
    ask("zadd", "z", "1.5", "a")
    assert ask("-3", "--no-raw", "zscore", "z", "a") == "(double) 1.5"
    assert json.loads(cli("--json", "hgetall", "h")) == {"f": "v"}
    assert "proto" in ask("-3", "hello")


def test_values_from_standard_input():
    value = bytes(range(1, 256)) * 4000
    assert cli("-x", "set", "k", stdin=value) == "OK\n"
    assert ask("strlen", "k") == str(len(value))


def test_a_script_of_lines():
    assert cli(stdin=b"set a 1\nincr a\nget a\nselect 3\nget a\n").split() == ["OK", "2", "2", "OK"]


def test_pipe_counts_errors():
    text = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$3\r\nGET\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
    line = ["redis-cli", "-p", PORT, "--pipe"]
    done = subprocess.run(line, input=text, capture_output=True, timeout=SECONDS_MAX)
    assert b"errors: 1, replies: 3" in done.stdout and done.returncode == 1


def test_pipe_takes_much_at_once():
    text = b"".join(b"*3\r\n$3\r\nSET\r\n$6\r\nk%05d\r\n$100\r\n%s\r\n" % (n, b"v" * 100) for n in range(50000))
    assert "errors: 0, replies: 50000" in cli("--pipe", stdin=text)
    assert ask("dbsize") == "50000"


def test_scan(keys):
    assert len(set(cli("--scan").split())) == 505
    found = cli("--scan", "--pattern", "big:*").split()
    assert sorted(found) == ["big:h", "big:l", "big:s", "big:t", "big:z"]


def test_bigkeys(keys):
    output = cli("--bigkeys")
    assert "Sampled 505 keys in the keyspace" in output
    for kind, key, size in [
        ("string", "s", "1000 bytes"),
        ("list", "l", "300 items"),
        ("hash", "h", "301 fields"),
        ("set", "t", "302 members"),
        ("zset", "z", "303 members"),
    ]:
        assert re.search(rf"Biggest +{kind} found '\"big:{key}\"' has {size}", output), (kind, output)


def test_memkeys(keys):
    output = cli("--memkeys")
    assert "Sampled 505 keys in the keyspace" in output
    for kind, key in [("list", "l"), ("hash", "h"), ("set", "t"), ("zset", "z")]:
        assert re.search(rf"Biggest +{kind} found '\"big:{key}\"' has \d+ bytes", output), (kind, output)


def test_hotkeys(keys):
    assert ask("config", "set", "maxmemory-policy", "allkeys-lfu") == "OK"
    try:
        cli("-r", "2000", "get", "s:7")
        assert "s:7" in cli("--hotkeys")
    finally:
        ask("config", "set", "maxmemory-policy", "noeviction")


def test_latency():
    least, most, mean, samples = cli("--latency", "--raw", "-i", "0.3").split()[:4]
    assert int(samples) > 0 and int(least) <= int(most) and float(mean) >= 0


def test_stat():
    """--stat runs for ever; it is stopped after a few lines."""
    line = ["redis-cli", "-p", PORT, "--stat", "-i", "0.05"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as running:
        lines = [running.stdout.readline() for _ in range(5)]
        running.kill()
    assert "keys" in lines[1] and len(lines[2].split()) >= 6, lines


BENCHMARKS = (
    "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,"
    "lrange_100,lrange_300,lrange_500,lrange_600,mset"
)


@pytest.mark.parametrize("options", [[], ["-P", "16"], ["-P", "16", "-r", "1000", "-d", "200"], ["--threads", "2"]])
def test_benchmark(options):
    """Every test of redis-benchmark ends; an error reply would end the program with an exit code. So few may take no millisecond."""
    lines = run("redis-benchmark", "-t", BENCHMARKS, "-n", "2000", "-c", "20", "--csv", "-e", *options).splitlines()
    rates = {name: float(rate) for name, rate in re.findall(r'^"([^"]+)","([0-9.]+|inf)"', "\n".join(lines), re.M)}
    assert len(rates) >= len(BENCHMARKS.split(",")) and all(rate > 0 for rate in rates.values()), lines


def test_benchmark_of_a_command():
    run("redis-benchmark", "-n", "1000", "-c", "5", "-r", "100", "-q", "sadd", "set:__rand_int__", "m__rand_int__")
    assert 0 < int(ask("dbsize")) <= 100
