// Streams as a queue of work: a producer, a group of consumers that are killed and restarted, retries with XCLAIM by the number of
// deliveries, and a dead-letter stream for what can never be done. Keys without hash tags, so that the streams lie on several shards.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const path = require("node:path");
const readline = require("node:readline");
const Redis = require("ioredis");
const { port, within } = require("./port.js");
const { DEAD, KILLS, DELIVERIES_MAX, isHopeless } = require("./work.js");

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const GROUP = "workers";
const STREAMS = ["orders", "mails", "invoices"];
const ENTRIES = 400;

/** A process that consumes (consumer.js). What it says it has done is counted in `done`. */
class Consumer {
  constructor(name, done) {
    this.name = name;
    const program = path.join(__dirname, "consumer.js");
    this.process = spawn(process.execPath, [program, name, GROUP, ...STREAMS], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = readline.createInterface({ input: this.process.stdout });
    this.ready = new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        if (line === "ready") return resolve();
        const entry = line.slice("done ".length);
        done.set(entry, (done.get(entry) ?? 0) + 1);
      });
      this.process.once("exit", (code, signal) => reject(new Error(`consumer ${name} ended by itself: ${code ?? signal}`)));
    });
    this.ready.catch(() => {});
    // All that it has said has been read.
    this.silent = new Promise((resolve) => lines.once("close", resolve));
  }

  /** Whether it runs, as it should until it is killed. */
  get runs() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** SIGKILL: with whatever was under way. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.silent;
  }
}

describe("streams, ioredis", { timeout: 150000 }, () => {
  let client;
  before(() => (client = new Redis({ port })));
  after(() => client.disconnect());
  beforeEach(() => client.flushall());

  test("four consumer processes that are killed and restarted lose nothing", async () => {
    for (const stream of STREAMS) await client.xgroup("CREATE", stream, GROUP, "$", "MKSTREAM");
    const [added, done] = [new Map(), new Map()];
    const consumers = ["a", "b", "c", "d"].map((name) => new Consumer(name, done));
    const state = { isOver: false };
    try {
      await consume(consumers, added, done, state);
      assert.ok(consumers.every((consumer) => consumer.runs), "a consumer has ended by itself");
    } finally {
      // Also after a failure nobody starts another one.
      state.isOver = true;
      await Promise.all(consumers.map((consumer) => consumer.kill()));
    }
    const dead = await client.xrange(DEAD, "-", "+");
    const buried = new Set(dead.map(([, fields]) => `${fields[1]} ${fields[3]}`));
    for (const [entry, n] of added) {
      assert.equal(done.has(entry), !isHopeless(n), `${entry} (${n}) done`);
      if (isHopeless(n)) assert.ok(buried.has(entry), `${entry} (${n}) among the dead letters`);
    }
    assert.equal(added.size, ENTRIES);
    assert.ok([...done.keys(), ...buried].every((entry) => added.has(entry)), "there is nothing that was not produced");
    for (const [, fields] of dead) assert.ok(Number(fields[5]) >= DELIVERIES_MAX);
    for (const stream of STREAMS) {
      assert.deepEqual(await client.xpending(stream, GROUP), [0, null, null, null]);
    }
  });

  /** Produces all entries while consumers are killed and restarted, and waits until nothing is left to do. */
  async function consume(consumers, added, done, state) {
    const produce = async () => {
      for (let n = 1; n <= ENTRIES; n++) {
        const stream = STREAMS[n % STREAMS.length];
        added.set(`${stream} ${await client.xadd(stream, "*", "n", n, "text", "x".repeat(n % 40))}`, n);
        // So that entries come for as long as there is killing.
        await pause(n % 10 === 0 ? 30 : 0);
      }
    };
    const murder = async () => {
      for (let kills = 0; kills < KILLS; kills++) {
        const victim = Math.floor(Math.random() * consumers.length);
        await consumers[victim].ready;
        await pause(Math.random() * 40);
        await consumers[victim].kill();
        if (state.isOver) return;
        consumers[victim] = new Consumer(consumers[victim].name, done);
      }
    };
    await within(60000, Promise.all([produce(), murder()]), "producing");
    const left = async () => {
      const pending = await Promise.all(STREAMS.map((stream) => client.xpending(stream, GROUP)));
      const groups = await Promise.all(STREAMS.map((stream) => client.xinfo("GROUPS", stream)));
      const lag = groups.map(([group]) => group[group.indexOf("lag") + 1]);
      return [...pending.map(([count]) => count), ...lag].reduce((sum, count) => sum + count, 0);
    };
    const end = Date.now() + 60000;
    while ((await left()) > 0) {
      assert.ok(Date.now() < end, `${await left()} entries left`);
      await pause(20);
    }
  }

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
