// ioredis as a real client: what applications do with it must work the same here as with Redis. RESP2 and RESP3.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { port, within, everyByte } = require("./port.js");

for (const protocol of [2, 3]) {
  describe(`ioredis, RESP${protocol}`, { timeout: 60000 }, () => {
    let client;

    before(async () => {
      client = new Redis({ port, protocol, lazyConnect: true });
      client.on("error", () => {});
      await within(10000, client.connect(), "connect");
    });
    after(() => client.disconnect());
    beforeEach(() => client.flushall());

    test("speaks the protocol it asked for", async () => {
      const info = await client.client("INFO");
      assert.match(info, new RegExp(`resp=${protocol}`));
    });

    test("strings", async () => {
      assert.equal(await client.set("k", "v"), "OK");
      assert.equal(await client.get("k"), "v");
      assert.equal(await client.get("none"), null);
      assert.equal(await client.set("k", "w", "NX"), null);
      assert.equal(await client.set("k", "w", "EX", 100, "XX", "GET"), "v");
      assert.equal(await client.append("k", "xyz"), 4);
      assert.equal(await client.getrange("k", 1, -1), "xyz");
      assert.equal(await client.setrange("k", 1, "AB"), 4);
      assert.equal(await client.getdel("k"), "wABz");
      assert.equal(await client.incr("n"), 1);
      assert.equal(await client.incrby("n", 41), 42);
      assert.equal(await client.incrbyfloat("n", 0.5), "42.5");
      assert.equal(await client.mset({ a: 1, b: 2 }), "OK");
      assert.deepEqual(await client.mget("a", "none", "b"), ["1", null, "2"]);
      assert.equal(await client.msetnx("b", 3, "c", 4), 0);
      assert.equal(await client.getex("a", "EX", 10), "1");
      assert.equal(await client.setbit("bits", 7, 1), 0);
      assert.equal(await client.bitcount("bits"), 1);
    });

    test("binary and large values", async () => {
      const key = Buffer.from([0, 13, 10, 255]);
      for (const length of [0, 1, 300, 70000, 8 << 20]) {
        const value = everyByte(length);
        await client.set(key, value);
        assert.ok(value.equals(await client.getBuffer(key)), `${length} bytes`);
        assert.equal(await client.strlen(key), length);
      }
    });

    test("keys and their ages", async () => {
      await client.mset("a", 1, "b", 2);
      assert.equal(await client.exists("a", "b", "none"), 2);
      assert.equal(await client.type("a"), "string");
      assert.deepEqual((await client.keys("*")).sort(), ["a", "b"]);
      assert.equal(await client.rename("a", "c"), "OK");
      assert.equal(await client.copy("c", "d"), 1);
      assert.equal(await client.expire("c", 50), 1);
      const left = await client.ttl("c");
      assert.ok(left === 50 || left === 49);
      assert.equal(await client.persist("c"), 1);
      assert.equal(await client.del("b", "c", "d", "none"), 3);
      assert.equal(await client.dbsize(), 0);
    });

    test("hashes", async () => {
      assert.equal(await client.hset("h", { f: "v", g: 1 }), 2);
      assert.deepEqual(await client.hgetall("h"), { f: "v", g: "1" });
      assert.deepEqual(await client.hmget("h", "f", "none"), ["v", null]);
      assert.equal(await client.hincrby("h", "g", 4), 5);
      assert.equal(await client.hexists("h", "f"), 1);
      assert.deepEqual((await client.hkeys("h")).sort(), ["f", "g"]);
      assert.equal(await client.hdel("h", "f", "none"), 1);
    });

    test("lists", async () => {
      assert.equal(await client.rpush("l", "a", "b", "c"), 3);
      assert.equal(await client.lpush("l", "z"), 4);
      assert.deepEqual(await client.lrange("l", 0, -1), ["z", "a", "b", "c"]);
      assert.equal(await client.lpop("l"), "z");
      assert.deepEqual(await client.rpop("l", 2), ["c", "b"]);
      assert.equal(await client.lmove("l", "m", "LEFT", "RIGHT"), "a");
      assert.equal(await client.lpop("none"), null);
      assert.equal(await client.lpos("m", "a"), 0);
    });

    test("sets", async () => {
      assert.equal(await client.sadd("s", "a", "b", "c"), 3);
      assert.deepEqual([...(await client.smembers("s"))].sort(), ["a", "b", "c"]);
      await client.sadd("t", "c", "d");
      assert.deepEqual([...(await client.sinter("s", "t"))], ["c"]);
      assert.equal(await client.sunionstore("u", "s", "t"), 4);
      assert.equal(await client.sintercard(2, "s", "t"), 1);
      assert.equal(await client.srem("s", "a", "z"), 1);
    });

    test("sorted sets", async () => {
      assert.equal(await client.zadd("z", 1, "a", 2.5, "b", 3, "c"), 3);
      assert.equal(Number(await client.zscore("z", "b")), 2.5);
      assert.deepEqual(await client.zrange("z", 0, -1), ["a", "b", "c"]);
      assert.deepEqual(await client.zrangebyscore("z", "(1", "+inf", "LIMIT", 0, 1), ["b"]);
      assert.equal(Number(await client.zincrby("z", 10, "a")), 11);
      assert.equal(await client.zrank("z", "a"), 2);
      const pairs = (await client.zrange("z", 0, -1, "WITHSCORES")).flat().map(String);
      assert.deepEqual(pairs, ["b", "2.5", "c", "3", "a", "11"]);
    });

    test("places and estimates", async () => {
      assert.equal(await client.geoadd("g", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"), 2);
      assert.equal(Number(await client.geodist("g", "Palermo", "Catania", "km")), 166.2742);
      const near = await client.geosearch("g", "FROMLONLAT", 15, 37, "BYRADIUS", 100, "km");
      assert.deepEqual(near, ["Catania"]);
      assert.equal(await client.pfadd("p", "a", "b", "c"), 1);
      assert.equal(await client.pfcount("p"), 3);
    });

    test("a pipeline of a thousand, with one error in it", async () => {
      const pipeline = client.pipeline();
      for (let n = 0; n < 500; n++) pipeline.set(`k${n}`, n);
      pipeline.lpush("k0", "a");
      for (let n = 0; n < 500; n++) pipeline.get(`k${n}`);
      const replies = await pipeline.exec();
      assert.equal(replies.length, 1001);
      assert.match(replies[500][0].message, /^WRONGTYPE/);
      for (let n = 0; n < 500; n++) {
        assert.deepEqual(replies[n], [null, "OK"]);
        assert.deepEqual(replies[501 + n], [null, String(n)]);
      }
    });

    test("automatic pipelining", async () => {
      const eager = new Redis({ port, protocol, enableAutoPipelining: true });
      const values = await Promise.all(Array.from({ length: 300 }, () => eager.incr("count")));
      assert.deepEqual(values, Array.from({ length: 300 }, (_, n) => n + 1));
      eager.disconnect();
    });

    test("scan streams give every element", async () => {
      const expected = Array.from({ length: 1000 }, (_, n) => `key:${n}`).sort();
      await client.mset(expected.flatMap((key) => [key, 1]));
      await client.set("other", 1);
      const found = new Set();
      for await (const keys of client.scanStream({ match: "key:*", count: 50 })) {
        keys.forEach((key) => found.add(key));
      }
      assert.deepEqual([...found].sort(), expected);
      await client.hset("h", Object.fromEntries(expected.map((key) => [key, "v"])));
      const fields = new Set();
      for await (const pairs of client.hscanStream("h")) {
        pairs.filter((_, index) => index % 2 === 0).forEach((field) => fields.add(field));
      }
      assert.deepEqual([...fields].sort(), expected);
    });

    test("errors are ReplyErrors with Redis's codes", async () => {
      await client.set("k", "v");
      const fails = (command, text) =>
        assert.rejects(command, (error) => error.name === "ReplyError" && text.test(error.message));
      await fails(client.lpush("k", "a"), /^WRONGTYPE Operation against a key/);
      await fails(client.call("NOSUCHCOMMAND", "a"), /^ERR unknown command/);
      await fails(client.call("GET"), /^ERR wrong number of arguments for 'get' command/);
      await fails(client.incr("k"), /^ERR value is not an integer or out of range/);
      await fails(client.rename("none", "x"), /^ERR no such key/);
    });

    test("databases and names", async () => {
      const other = new Redis({ port, protocol, db: 3, connectionName: "worker" });
      await other.set("k", "three");
      assert.equal(await other.client("GETNAME"), "worker");
      assert.equal(await client.get("k"), null);
      assert.equal(await other.get("k"), "three");
      other.disconnect();
    });

    test("connects again after CLIENT KILL and goes on", async () => {
      const victim = new Redis({ port, protocol, retryStrategy: () => 20 });
      await victim.set("k", "v");
      const id = await victim.client("ID");
      const closed = new Promise((resolve) => victim.once("close", resolve));
      assert.equal(await client.client("KILL", "ID", id), 1);
      await within(5000, closed, "the end of the connection");
      assert.equal(await within(5000, victim.get("k"), "the next command"), "v");
      assert.ok((await victim.client("ID")) > id);
      victim.disconnect();
    });
  });
}
