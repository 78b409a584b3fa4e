// Client-side caching: node-redis's own, and invalidations that ioredis has redirected to a connection that is subscribed.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { createClient } = require("redis");
const { port, within } = require("./port.js");

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(condition, what) {
  const end = Date.now() + 5000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, what);
    await pause(2);
  }
}

describe("node-redis with a cache", { timeout: 60000 }, () => {
  let client, writer;

  before(async () => {
    const options = { socket: { port }, RESP: 3 };
    client = createClient({ ...options, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: "LRU" } });
    writer = createClient(options);
    for (const one of [client, writer]) {
      one.on("error", () => {});
      await within(10000, one.connect(), "connect");
    }
  });
  after(() => [client, writer].forEach((one) => one.destroy()));
  beforeEach(() => writer.flushAll());

  test("what is read is kept and forgotten when it changes", async () => {
    const keys = Array.from({ length: 20 }, (_, number) => `key:${number}`);
    for (let version = 1; version < 5; version++) {
      await Promise.all(keys.map((key) => writer.set(key, String(version))));
      for (const key of keys) {
        await until(async () => (await client.get(key)) === String(version), `${key} is older than ${version}`);
        assert.equal(await client.get(key), String(version));
      }
    }
  });

  test("all that changes a key", async () => {
    const changes = [
      [() => writer.del("k"), null],
      [() => writer.pExpire("k", 1), null],
      [() => writer.rename("other", "k"), "new"],
      [() => writer.mSet({ k: "new", other: "newer" }), "new"],
      [() => writer.eval("return redis.call('SET', KEYS[1], 'new')", { keys: ["k"] }), "new"],
      [() => writer.multi().set("k", "new").set("other", "newer").exec(), "new"],
      [() => writer.flushAll(), null],
    ];
    for (const [change, expected] of changes) {
      await writer.mSet({ k: "old", other: "new" });
      await until(async () => (await client.get("k")) === "old", `${change} begins`);
      await change();
      await until(async () => (await client.get("k")) === expected, `${change}`);
    }
  });

  test("collections", async () => {
    await writer.hSet("h", { a: "1" });
    assert.deepEqual({ ...(await client.hGetAll("h")) }, { a: "1" });
    await writer.hSet("h", "b", "2");
    await until(async () => (await client.hGetAll("h")).b === "2", "the hash has changed");
  });
});

describe("ioredis with redirected invalidations", { timeout: 60000 }, () => {
  let clients, subscriber, heard;

  before(async () => {
    // Several, for they have their homes on different shards.
    clients = Array.from({ length: 6 }, () => new Redis({ port, protocol: 2, lazyConnect: true }));
    subscriber = new Redis({ port, protocol: 2, lazyConnect: true });
    for (const client of [...clients, subscriber]) {
      client.on("error", () => {});
      await within(10000, client.connect(), "connect");
    }
    const id = await subscriber.client("ID");
    await subscriber.subscribe("__redis__:invalidate");
    heard = [];
    subscriber.on("message", (channel, keys) => {
      assert.equal(channel, "__redis__:invalidate");
      heard.push(keys === null ? null : String(keys));
    });
    for (const client of clients) {
      assert.equal(await client.client("TRACKING", "ON", "REDIRECT", id), "OK");
    }
  });
  after(() => [...clients, subscriber].forEach((client) => client.disconnect()));

  test("each reader's keys come to the subscriber", async () => {
    const keys = clients.map((_, number) => `key:${number}`);
    await Promise.all(clients.map((client, number) => client.get(keys[number])));
    for (const key of keys) {
      await clients[0].set(key, "1");
    }
    await until(() => heard.length >= keys.length, "all have been told");
    // Each comes by way of its reader's shard, so one does not wait for another.
    assert.deepEqual(heard.splice(0).sort(), keys);
  });

  test("nothing comes once tracking is off", async () => {
    await Promise.all(clients.map((client) => client.get("k")));
    await Promise.all(clients.slice(1).map((client) => client.client("TRACKING", "OFF")));
    await clients[1].set("k", "1");
    await until(() => heard.length > 0, "one is told");
    await pause(50);
    assert.deepEqual(heard.splice(0), ["k"]);
  });
});
