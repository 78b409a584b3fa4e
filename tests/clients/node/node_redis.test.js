// node-redis as a real client: what applications do with it must work the same here as with Redis. RESP2 and RESP3.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const { createClient, ErrorReply, RESP_TYPES } = require("redis");
const { port, within, everyByte } = require("./port.js");

function connect(RESP, options = {}) {
  const client = createClient({ socket: { port, reconnectStrategy: () => 20 }, RESP, ...options });
  client.on("error", () => {});
  return within(10000, client.connect(), "connect");
}

for (const RESP of [2, 3]) {
  describe(`node-redis, RESP${RESP}`, { timeout: 60000 }, () => {
    let client;

    before(async () => {
      client = await connect(RESP);
    });
    after(() => client.destroy());
    beforeEach(() => client.flushAll());

    test("speaks the protocol it asked for", async () => {
      const info = await client.sendCommand(["CLIENT", "INFO"]);
      assert.match(String(info), new RegExp(`resp=${RESP}`));
    });

    test("strings", async () => {
      assert.equal(await client.set("k", "v"), "OK");
      assert.equal(await client.get("k"), "v");
      assert.equal(await client.get("none"), null);
      assert.equal(await client.set("k", "w", { condition: "NX" }), null);
      assert.equal(await client.set("k", "w", { condition: "XX", GET: true }), "v");
      assert.equal(await client.append("k", "xyz"), 4);
      assert.equal(await client.getRange("k", 1, -1), "xyz");
      assert.equal(await client.getDel("k"), "wxyz");
      assert.equal(await client.incrBy("n", 42), 42);
      assert.equal(Number(await client.incrByFloat("n", 0.5)), 42.5);
      assert.equal(await client.mSet({ a: "1", b: "2" }), "OK");
      assert.deepEqual(await client.mGet(["a", "none", "b"]), ["1", null, "2"]);
      assert.equal(Number(await client.mSetNX({ b: "3", c: "4" })), 0);
      assert.equal(await client.getEx("a", { type: "EX", value: 10 }), "1");
      assert.equal(await client.setBit("bits", 7, 1), 0);
      assert.equal(await client.bitCount("bits"), 1);
      assert.equal(await client.lcs("a", "b"), "");
    });

    test("binary and large values", async () => {
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      for (const length of [0, 1, 300, 70000, 8 << 20]) {
        const value = everyByte(length);
        await client.set("k", value);
        assert.ok(value.equals(await binary.get("k")), `${length} bytes`);
      }
    });

    test("keys and their ages", async () => {
      await client.mSet({ a: "1", b: "2" });
      assert.equal(await client.exists(["a", "b", "none"]), 2);
      assert.equal(await client.type("a"), "string");
      assert.deepEqual((await client.keys("*")).sort(), ["a", "b"]);
      assert.equal(await client.rename("a", "c"), "OK");
      assert.equal(Number(await client.expire("c", 50)), 1);
      assert.ok([49, 50].includes(await client.ttl("c")));
      assert.equal(Number(await client.persist("c")), 1);
      assert.equal(await client.objectEncoding("c"), "int");
      assert.equal(await client.unlink(["b", "c", "none"]), 2);
      assert.equal(await client.dbSize(), 0);
    });

    test("hashes", async () => {
      assert.equal(await client.hSet("h", { f: "v", g: "1" }), 2);
      assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "v", g: "1" });
      assert.deepEqual(await client.hmGet("h", ["f", "none"]), ["v", null]);
      assert.equal(await client.hIncrBy("h", "g", 4), 5);
      assert.equal(Number(await client.hExists("h", "f")), 1);
      assert.deepEqual((await client.hVals("h")).sort(), ["5", "v"]);
      assert.equal((await client.hRandFieldCountWithValues("h", 2)).length, 2);
      assert.equal(await client.hDel("h", ["f", "none"]), 1);
    });

    test("lists", async () => {
      assert.equal(await client.rPush("l", ["a", "b", "c"]), 3);
      assert.equal(await client.lPush("l", "z"), 4);
      assert.deepEqual(await client.lRange("l", 0, -1), ["z", "a", "b", "c"]);
      assert.deepEqual(await client.lPopCount("l", 2), ["z", "a"]);
      assert.equal(await client.lMove("l", "m", "LEFT", "RIGHT"), "b");
      assert.equal(await client.lPop("none"), null);
      assert.deepEqual(await client.lmPop(["none", "m"], "LEFT"), ["m", ["b"]]);
    });

    test("sets", async () => {
      assert.equal(await client.sAdd("s", ["a", "b", "c"]), 3);
      assert.deepEqual([...(await client.sMembers("s"))].sort(), ["a", "b", "c"]);
      await client.sAdd("t", ["c", "d"]);
      assert.deepEqual([...(await client.sInter(["s", "t"]))], ["c"]);
      assert.deepEqual((await client.smIsMember("s", ["a", "z"])).map(Number), [1, 0]);
      assert.equal(await client.sUnionStore("u", ["s", "t"]), 4);
      assert.equal(await client.sInterCard(["s", "t"]), 1);
    });

    test("sorted sets", async () => {
      const members = [{ score: 1, value: "a" }, { score: 2.5, value: "b" }, { score: Infinity, value: "c" }];
      assert.equal(await client.zAdd("z", members), 3);
      assert.equal(await client.zScore("z", "b"), 2.5);
      const pairs = (await client.zRangeWithScores("z", 0, -1)).map(({ score, value }) => ({ score, value }));
      assert.deepEqual(pairs, members);
      assert.deepEqual(await client.zRange("z", "(1", "+inf", { BY: "SCORE" }), ["b", "c"]);
      assert.equal(await client.zIncrBy("z", 10, "a"), 11);
      assert.deepEqual(await client.zmScore("z", ["a", "none"]), [11, null]);
      const { score, value } = await client.zPopMin("z");
      assert.deepEqual([score, value], [2.5, "b"]);
      assert.equal(await client.zRank("z", "none"), null);
    });

    test("places and estimates", async () => {
      const palermo = { longitude: 13.361389, latitude: 38.115556, member: "Palermo" };
      const catania = { longitude: 15.087269, latitude: 37.502669, member: "Catania" };
      assert.equal(await client.geoAdd("g", [palermo, catania]), 2);
      assert.equal(Number(await client.geoDist("g", "Palermo", "Catania", "km")), 166.2742);
      const near = await client.geoSearch("g", { longitude: 15, latitude: 37 }, { radius: 100, unit: "km" });
      assert.deepEqual(near, ["Catania"]);
      assert.equal(Number(await client.pfAdd("p", ["a", "b", "c"])), 1);
      assert.equal(await client.pfCount("p"), 3);
    });

    test("a thousand commands at once, with one error among them", async () => {
      const writes = Array.from({ length: 500 }, (_, n) => client.set(`k${n}`, String(n)));
      const wrong = assert.rejects(client.lPush("k0", "a"), /^Error: WRONGTYPE|WRONGTYPE/);
      const reads = Array.from({ length: 500 }, (_, n) => client.get(`k${n}`));
      assert.deepEqual(await Promise.all(writes), Array(500).fill("OK"));
      await wrong;
      assert.deepEqual(await Promise.all(reads), Array.from({ length: 500 }, (_, n) => String(n)));
      const pipelined = await client.multi().incr("n").incr("n").get("n").execAsPipeline();
      assert.deepEqual(pipelined, [1, 2, "2"]);
    });

    test("iterators give every element", async () => {
      const expected = Array.from({ length: 1000 }, (_, n) => `key:${n}`).sort();
      await client.mSet(expected.map((key) => [key, "1"]));
      await client.rPush("list", "a");
      const found = new Set();
      for await (const keys of client.scanIterator({ MATCH: "key:*", COUNT: 50 })) {
        keys.forEach((key) => found.add(key));
      }
      assert.deepEqual([...found].sort(), expected);
      await client.zAdd("z", expected.map((value, score) => ({ value, score })));
      const members = new Set();
      for await (const batch of client.zScanIterator("z")) batch.forEach(({ value }) => members.add(value));
      assert.deepEqual([...members].sort(), expected);
    });

    test("errors are ErrorReplies with Redis's texts", async () => {
      await client.set("k", "v");
      const fails = (command, text) =>
        assert.rejects(command, (error) => error instanceof ErrorReply && text.test(error.message));
      await fails(client.sAdd("k", "a"), /^WRONGTYPE Operation against a key/);
      await fails(client.sendCommand(["NOSUCHCOMMAND", "a"]), /^ERR unknown command/);
      await fails(client.sendCommand(["GET"]), /^ERR wrong number of arguments for 'get' command/);
      await fails(client.incr("k"), /^ERR value is not an integer or out of range/);
    });

    test("what the server tells of itself", async () => {
      assert.match(String(await client.info("server")), /redis_version:/);
      assert.deepEqual({ ...(await client.configGet("maxclients")) }, { maxclients: "10000" });
      const row = await client.commandInfo(["get"]);
      assert.equal(row[0].name, "get");
      assert.ok((await client.commandCount()) > 200);
      assert.equal((await client.clientInfo()).db, 0);
      assert.equal((await client.clientList()).length, 1);
      assert.deepEqual(await client.commandGetKeys(["MSET", "a", "1", "b", "2"]), ["a", "b"]);
      assert.ok((await client.time()) !== null);
      assert.ok((await client.memoryUsage("none")) === null);
    });

    test("databases and names", async () => {
      const other = await connect(RESP, { database: 3, name: "worker" });
      await other.set("k", "three");
      assert.equal(await other.clientGetName(), "worker");
      assert.equal(await client.get("k"), null);
      assert.equal(await other.get("k"), "three");
      other.destroy();
    });

    test("connects again after CLIENT KILL and goes on", async () => {
      const victim = await connect(RESP);
      await victim.set("k", "v");
      const id = await victim.clientId();
      const back = new Promise((resolve) => victim.once("reconnecting", resolve));
      assert.equal(await client.clientKill({ filter: "ID", id }), 1);
      await within(5000, back, "the end of the connection");
      assert.equal(await within(5000, victim.get("k"), "the next command"), "v");
      assert.ok((await victim.clientId()) > id);
      victim.destroy();
    });
  });
}
