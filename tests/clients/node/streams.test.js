// Streams as a queue of work: a producer, a group of consumers that are killed and restarted, retries with XCLAIM by the number of
// deliveries, and a dead-letter stream for what can never be done. Keys without hash tags, so that the streams lie on several shards.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { port, within } = require("./port.js");

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const GROUP = "workers";
const STREAMS = ["orders", "mails", "invoices"];
const DEAD = "dead-letters";
const IDLE_MS = 60;
const DELIVERIES_MAX = 5;
const ENTRIES = 400;

/** A consumer: it reads, works, acknowledges, takes over what others have left lying, and may be killed at any time. */
class Consumer {
  constructor(name, done, work) {
    Object.assign(this, { name, done, work, killed: false });
    this.client = new Redis({ port, retryStrategy: null, maxRetriesPerRequest: 0 });
    this.client.on("error", () => {});
    this.running = this.run().catch((error) => {
      if (!this.killed) throw error;
    });
  }

  async run() {
    await this.own();
    while (!this.killed) {
      const read = await this.client.xreadgroup("GROUP", GROUP, this.name, "COUNT", 7, "BLOCK", 20, "STREAMS",
        ...STREAMS, ...STREAMS.map(() => ">"));
      for (const [stream, entries] of read ?? []) await this.process(stream, entries);
      for (const stream of STREAMS) await this.takeOver(stream);
    }
  }

  /** What was delivered to this name before it was killed. */
  async own() {
    const read = await this.client.xreadgroup("GROUP", GROUP, this.name, "STREAMS", ...STREAMS, ...STREAMS.map(() => "0"));
    for (const [stream, entries] of read) await this.process(stream, entries);
  }

  /** Claims what has been idle; what was delivered too often goes to the dead letters. */
  async takeOver(stream) {
    const pending = await this.client.xpending(stream, GROUP, "IDLE", IDLE_MS, "-", "+", 20);
    for (const [id, , , deliveries] of pending) {
      const entries = await this.client.xclaim(stream, GROUP, this.name, IDLE_MS, id);
      if (entries.length === 0) continue;
      if (deliveries < DELIVERIES_MAX) {
        await this.process(stream, entries);
        continue;
      }
      const [[, fields]] = entries;
      await this.client.xadd(DEAD, "*", "stream", stream, "id", id, "deliveries", deliveries, ...fields);
      await this.client.xack(stream, GROUP, id);
    }
  }

  async process(stream, entries) {
    for (const [id, fields] of entries) {
      if (!this.work(fields[1])) continue;
      this.done.set(`${stream} ${id}`, (this.done.get(`${stream} ${id}`) ?? 0) + 1);
      assert.equal(await this.client.xack(stream, GROUP, id) <= 1, true);
    }
  }

  /** Its connection is gone without a word, with whatever was under way. */
  kill() {
    this.killed = true;
    this.client.disconnect();
    return this.running;
  }
}

describe("streams, ioredis", { timeout: 60000 }, () => {
  let client;
  before(() => (client = new Redis({ port })));
  after(() => client.disconnect());
  beforeEach(() => client.flushall());

  test("four consumers that are killed and restarted lose nothing", async () => {
    for (const stream of STREAMS) await client.xgroup("CREATE", stream, GROUP, "$", "MKSTREAM");
    const [added, done, attempts] = [new Map(), new Map(), new Map()];
    // One of nine fails at the first attempts, one of fifty always.
    const work = (n) => {
      attempts.set(n, (attempts.get(n) ?? 0) + 1);
      if (n % 50 === 0) return false;
      return n % 9 !== 0 || attempts.get(n) > 2;
    };
    const consumers = ["a", "b", "c", "d"].map((name) => new Consumer(name, done, work));
    const produce = async () => {
      for (let n = 1; n <= ENTRIES; n++) {
        const stream = STREAMS[n % STREAMS.length];
        added.set(`${stream} ${await client.xadd(stream, "*", "n", n, "text", "x".repeat(n % 40))}`, n);
        if (n % 20 === 0) await pause(5);
      }
    };
    let kills = 0;
    const murder = async () => {
      while (added.size < ENTRIES || kills < 12) {
        await pause(10 + Math.random() * 30);
        const victim = Math.floor(Math.random() * consumers.length);
        const { name } = consumers[victim];
        await consumers[victim].kill();
        consumers[victim] = new Consumer(name, done, work);
        kills += 1;
      }
    };
    await within(30000, Promise.all([produce(), murder()]), "producing");
    const left = async () => {
      const pending = await Promise.all(STREAMS.map((stream) => client.xpending(stream, GROUP)));
      const groups = await Promise.all(STREAMS.map((stream) => client.xinfo("GROUPS", stream)));
      const lag = groups.map(([group]) => group[group.indexOf("lag") + 1]);
      return [...pending.map(([count]) => count), ...lag].reduce((sum, count) => sum + count, 0);
    };
    const end = Date.now() + 20000;
    while ((await left()) > 0) {
      assert.ok(Date.now() < end, `${await left()} entries left`);
      await pause(20);
    }
    await Promise.all(consumers.map((consumer) => consumer.kill()));
    const dead = await client.xrange(DEAD, "-", "+");
    const buried = new Set(dead.map(([, fields]) => `${fields[1]} ${fields[3]}`));
    for (const [entry, n] of added) {
      const isDead = n % 50 === 0;
      assert.equal(buried.has(entry), isDead, `${entry} (${n}) among the dead letters`);
      assert.equal(done.has(entry), !isDead, `${entry} (${n}) done`);
    }
    assert.equal(done.size + buried.size, ENTRIES);
    for (const [, fields] of dead) assert.ok(Number(fields[5]) >= DELIVERIES_MAX);
    for (const stream of STREAMS) {
      assert.deepEqual(await client.xpending(stream, GROUP), [0, null, null, null]);
    }
  });

  test("XREADGROUP, XACK, XCLAIM, XAUTOCLAIM and XINFO as ioredis gives them", async () => {
    await client.xgroup("CREATE", "s", "g", "0", "MKSTREAM");
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await client.xadd("s", "*", "n", n));
    const [[name, entries]] = await client.xreadgroup("GROUP", "g", "one", "COUNT", 2, "STREAMS", "s", ">");
    assert.deepEqual([name, entries], ["s", [[ids[0], ["n", "0"]], [ids[1], ["n", "1"]]]]);
    assert.equal(await client.xack("s", "g", ids[0]), 1);
    assert.deepEqual(await client.xpending("s", "g"), [1, ids[1], ids[1], [["one", "1"]]]);
    assert.deepEqual(await client.xclaim("s", "g", "two", 0, ids[1]), [[ids[1], ["n", "1"]]]);
    const [next, claimed] = await client.xautoclaim("s", "g", "three", 0, "0");
    assert.deepEqual([next, claimed], ["0-0", [[ids[1], ["n", "1"]]]]);
    const consumers = await client.xinfo("CONSUMERS", "s", "g");
    assert.deepEqual(consumers.map((consumer) => [consumer[1], consumer[3]]), [["one", 0], ["three", 1], ["two", 0]]);
    assert.equal(await client.xreadgroup("GROUP", "g", "one", "BLOCK", 10, "STREAMS", "s", ">") !== null, true);
    assert.equal(await client.xreadgroup("GROUP", "g", "one", "BLOCK", 10, "STREAMS", "s", ">"), null);
  });

  test("a consumer that waits is served by an entry of another connection, and told when its group ends", async () => {
    await client.xgroup("CREATE", "s", "g", "$", "MKSTREAM");
    const waiter = new Redis({ port });
    const read = () => within(10000, waiter.xreadgroup("GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"), "the entry");
    const first = read();
    await pause(20);
    const id = await client.xadd("s", "*", "a", "b");
    assert.deepEqual(await first, [["s", [[id, ["a", "b"]]]]]);
    const second = read().catch((error) => error);
    await pause(20);
    assert.equal(await client.xgroup("DESTROY", "s", "g"), 1);
    assert.match((await second).message, /^NOGROUP /);
    waiter.disconnect();
  });
});
