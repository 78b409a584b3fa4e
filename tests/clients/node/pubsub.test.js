// Messages as applications use them: ioredis and node-redis, both protocols, channels, patterns and sharded channels, subscriptions that
// are made again when a connection was lost, and events of keys. Channels and keys without hash tags, so that they are on several shards.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { createClient } = require("redis");
const { port, within, everyByte } = require("./port.js");

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(condition, what) {
  const end = Date.now() + 5000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, what);
    await pause(2);
  }
}

const CHANNELS = Array.from({ length: 30 }, (_, number) => `news:${number}`);

describe("messages, ioredis", { timeout: 60000 }, () => {
  let client, listener;
  before(() => (client = new Redis({ port })));
  after(() => client.disconnect());
  beforeEach(async (context) => {
    await client.flushall();
    listener = new Redis({ port });
    listener.on("error", () => {});
  });
  const ended = (run) => () => within(20000, run(), "it").finally(() => listener.disconnect());

  test("messages of each channel come in order, by channel and by pattern", ended(async () => {
    const heard = new Map();
    const hear = (name) => (message) => heard.set(name, [...(heard.get(name) ?? []), Number(message)]);
    listener.on("message", (channel, message) => hear(channel)(message));
    listener.on("pmessage", (pattern, channel, message) => hear(`${pattern} ${channel}`)(message));
    assert.equal(await listener.subscribe(...CHANNELS), CHANNELS.length);
    assert.equal(await listener.psubscribe("news:1*", "none:*"), CHANNELS.length + 2);
    const numbers = Array.from({ length: 50 }, (_, number) => number);
    const pipeline = client.pipeline();
    for (const number of numbers) for (const channel of CHANNELS) pipeline.publish(channel, number);
    const received = (await pipeline.exec()).map(([, count]) => count);
    assert.deepEqual(received.slice(0, CHANNELS.length), CHANNELS.map((name) => (name.startsWith("news:1") ? 2 : 1)));
    const all = CHANNELS.length + CHANNELS.filter((name) => name.startsWith("news:1")).length;
    await until(() => [...heard.values()].flat().length === all * numbers.length, "all have come");
    assert.equal(heard.size, all);
    for (const [name, messages] of heard) assert.deepEqual(messages, numbers, name);
  }));

  test("who has a message sees what was written before it", ended(async () => {
    const reader = new Redis({ port });
    const seen = [];
    listener.on("message", (_, key) => seen.push(reader.get(key)));
    await listener.subscribe("changed");
    const pipeline = client.pipeline();
    for (let number = 0; number < 300; number++) pipeline.set(`key:${number}`, number).publish("changed", `key:${number}`);
    await pipeline.exec();
    await until(() => seen.length === 300, "all have come");
    assert.deepEqual(await Promise.all(seen), Array.from({ length: 300 }, (_, number) => String(number)));
    reader.disconnect();
  }));

  test("bytes of every value, and many of them", ended(async () => {
    const heard = [];
    listener.on("messageBuffer", (channel, message) => heard.push([channel, message]));
    const [channel, message] = [everyByte(256), everyByte(300_000)];
    await listener.subscribe(channel);
    assert.equal(await client.publish(channel, message), 1);
    await until(() => heard.length === 1, "it has come");
    assert.deepEqual(heard[0], [channel, message]);
  }));

  test("subscriptions are made again when the connection was lost", ended(async () => {
    const heard = [];
    listener.on("message", (channel, message) => heard.push(message));
    listener.on("pmessage", (pattern, channel, message) => heard.push(message));
    await listener.subscribe("a", "b");
    await listener.psubscribe("p*");
    assert.ok((await client.client("KILL", "TYPE", "pubsub")) >= 1);
    await until(async () => (await client.publish("a", "again")) === 1, "it listens again");
    await until(async () => (await client.publish("p1", "pattern")) === 1, "it listens to the pattern again");
    await until(() => heard.includes("again") && heard.includes("pattern"), "they have come");
    assert.deepEqual(await client.pubsub("NUMSUB", "a", "b", "c"), ["a", 1, "b", 1, "c", 0]);
    assert.equal(await client.pubsub("NUMPAT"), 1);
  }));

  test("events of keys: changes in their order, and what expires by itself", ended(async () => {
    await client.config("SET", "notify-keyspace-events", "KEA");
    const [events, expired] = [[], new Set()];
    listener.on("pmessage", (pattern, channel, event) => events.push([channel.replace(/^.*?:/, ""), event]));
    listener.on("message", (channel, key) => expired.add(key));
    await listener.psubscribe("__keyspace@0__:job:*");
    await listener.subscribe("__keyevent@0__:expired");
    const keys = Array.from({ length: 20 }, (_, number) => `job:${number}`);
    await Promise.all(keys.map((key) => client.multi().hset(key, "state", "new").hset(key, "state", "done").pexpire(key, 60).exec()));
    await until(() => expired.size === keys.length, "all have expired");
    await until(() => events.length === 4 * keys.length, "all has been told");
    for (const key of keys) {
      const told = events.filter(([name]) => name === key).map(([, event]) => event);
      assert.deepEqual(told, ["hset", "hset", "expire", "expired"], key);
    }
    await client.config("SET", "notify-keyspace-events", "");
  }));
});

for (const RESP of [2, 3]) {
  describe(`messages, node-redis, RESP${RESP}`, { timeout: 60000 }, () => {
    let client, listener;
    before(async () => {
      const options = { socket: { port, reconnectStrategy: 10 }, RESP };
      client = createClient(options);
      listener = createClient(options);
      for (const one of [client, listener]) {
        one.on("error", () => {});
        await within(10000, one.connect(), "connect");
      }
    });
    after(() => [client, listener].forEach((one) => one.destroy()));

    test("channels, patterns and sharded channels side by side", async () => {
      const heard = [];
      const hear = (kind) => (message, channel) => heard.push(`${kind} ${channel} ${message}`);
      await listener.subscribe(CHANNELS, hear("message"));
      await listener.pSubscribe("news:2?", hear("pattern"));
      for (const channel of CHANNELS) await listener.sSubscribe(channel, hear("sharded"));
      assert.deepEqual((await client.pubSubChannels("news:*")).sort(), [...CHANNELS].sort());
      assert.deepEqual((await client.pubSubShardChannels()).sort(), [...CHANNELS].sort());
      assert.equal(await client.pubSubNumPat(), 1);
      for (const channel of CHANNELS) {
        assert.equal(await client.publish(channel, "all"), /:2.$/.test(channel) ? 2 : 1);
        assert.equal(await client.sPublish(channel, "here"), 1);
      }
      await until(() => heard.length === 2 * CHANNELS.length + 10, "all have come");
      const expected = CHANNELS.flatMap((name) => [`message ${name} all`, `sharded ${name} here`]);
      const patterns = CHANNELS.filter((name) => /:2.$/.test(name)).map((name) => `pattern ${name} all`);
      assert.deepEqual(heard.sort(), [...expected, ...patterns].sort());
      await listener.unsubscribe();
      await listener.pUnsubscribe();
      await listener.sUnsubscribe();
      assert.deepEqual(await client.pubSubChannels(), []);
      assert.deepEqual(await client.pubSubShardChannels(), []);
      assert.equal(await client.publish("news:20", "nobody"), 0);
    });

    test("subscriptions are made again when the connection was lost", async () => {
      const heard = [];
      await listener.subscribe("a", (message) => heard.push(message));
      await listener.sSubscribe("b", (message) => heard.push(message));
      assert.ok((await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"])) >= 1);
      await until(async () => (await client.publish("a", "again")) === 1, "it listens again");
      await until(async () => (await client.sPublish("b", "here")) === 1, "it listens to the sharded channel again");
      await until(() => heard.includes("again") && heard.includes("here"), "they have come");
      await listener.unsubscribe();
      await listener.sUnsubscribe();
    });

    test("messages are published by transactions and scripts", async () => {
      const heard = [];
      await listener.subscribe(CHANNELS, (message, channel) => heard.push(`${channel} ${message}`));
      await client.multi().set("k", "1").publish("news:1", "one").publish("news:2", "two").exec();
      const script = "for _, name in ipairs(ARGV) do redis.call('PUBLISH', name, 'script') end return redis.call('GET', KEYS[1])";
      assert.equal(await client.eval(script, { keys: ["k"], arguments: ["news:3", "news:4"] }), "1");
      await until(() => heard.length === 4, "all have come");
      assert.deepEqual(heard, ["news:1 one", "news:2 two", "news:3 script", "news:4 script"]);
      await listener.unsubscribe();
    });
  });
}
