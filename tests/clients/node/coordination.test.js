// Transactions, blocking pops and disconnects, with ioredis and node-redis.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { createClient, WatchError } = require("redis");
const { port, within } = require("./port.js");

const keys = (count) => Array.from({ length: count }, (_, n) => `key:${n}`);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until so many clients are blocked. */
async function blocked(client, number) {
  const end = Date.now() + 10000;
  while (!(await client.info("clients")).includes(`blocked_clients:${number}\r`)) {
    assert.ok(Date.now() < end, `${number} clients should be blocked`);
    await pause(5);
  }
}

for (const protocol of [2, 3]) {
  describe(`ioredis coordinates, RESP${protocol}`, { timeout: 60000 }, () => {
    let client;

    before(() => (client = new Redis({ port, protocol })));
    after(() => client.disconnect());
    beforeEach(() => client.flushall());
    async function withClients(count, work) {
      const clients = Array.from({ length: count }, () => new Redis({ port, protocol, retryStrategy: null }));
      clients.forEach((each) => each.on("error", () => {}));
      try {
        return await work(clients);
      } finally {
        clients.forEach((each) => each.disconnect());
      }
    }

    test("transactions answer all at once, with the errors of single commands", async () => {
      const replies = await client.multi().mset("a", 1, "b", 2).incr("a").lpush("b", "x").mget("a", "b").exec();
      assert.deepEqual(replies.map(([, reply]) => reply).filter((reply) => reply !== undefined), ["OK", 2, ["2", "2"]]);
      assert.match(replies[2][0].message, /^WRONGTYPE/);
      await assert.rejects(client.multi().set("a", 5).call("NOSUCH").exec(), /^ReplyError: EXECABORT/);
      assert.equal(await client.get("a"), "2");
      await client.multi({ pipeline: false });
      assert.equal(await client.set("a", 7), "QUEUED");
      assert.equal(await client.discard(), "OK");
      assert.equal(await client.get("a"), "2");
    });

    test("WATCH: of all who count at once, none overwrites another", async () => {
      await client.set("count", 0);
      await withClients(8, async (clients) => {
        let lost = 0;
        await Promise.all(clients.map(async (each) => {
          for (let done = 0; done < 10; ) {
            await each.watch("count");
            const count = Number(await each.get("count"));
            const result = await each.multi().set("count", count + 1).set(`seen:${count}`, 1).exec();
            if (result === null) lost += 1;
            else done += 1;
          }
        }));
        assert.equal(await client.get("count"), "80");
        assert.equal(await client.dbsize(), 81);
        assert.ok(lost > 0, "clients should have met each other");
      });
    });

    test("nobody sees half a transaction over many keys", async () => {
      await client.mset(keys(10).flatMap((key) => [key, 0]));
      await withClients(6, async (clients) => {
        let running = 3;
        await Promise.all(clients.map(async (each, name) => {
          if (name < 3) {
            for (let n = 0; n < 60; n++) {
              await keys(10).reduce((block, key) => block.incrby(key, name + 1), each.multi()).exec();
            }
            running -= 1;
            return;
          }
          while (running > 0) {
            const reads = name === 3 ? await each.mget(keys(10))
              : (await keys(10).reduce((block, key) => block.get(key), each.multi()).exec()).map(([, reply]) => reply);
            assert.equal(new Set(reads).size, 1, String(reads));
          }
        }));
        assert.equal(await client.get("key:9"), String(60 * (1 + 2 + 3)));
      });
    });

    test("blocking pops are served in the order in which they came", async () => {
      await withClients(5, async (clients) => {
        const served = [];
        for (const [place, each] of clients.entries()) {
          each.blpop("none", "queue", 0).then(([key, value]) => served.push([place, key, value]));
          await blocked(client, place + 1);
        }
        assert.equal(await client.rpush("queue", 0, 1, 2), 3);
        await client.multi().rpush("queue", 3).rpush("queue", 4).exec();
        await blocked(client, 0);
        await pause(20);
        // Replies of different connections may be read in another order.
        served.sort(([one], [other]) => one - other);
        assert.deepEqual(served, clients.map((_, place) => [place, "queue", String(place)]));
      });
    });

    test("what a client that vanishes waited for goes to the next", async () => {
      await withClients(4, async ([first, second, third, fourth]) => {
        const rejected = assert.rejects(first.blpop("queue", 0));
        await blocked(client, 1);
        const id = await second.client("ID");
        const killed = assert.rejects(second.blpop("queue", "other", 0));
        await blocked(client, 2);
        const got = third.brpop("other", "queue", 0);
        await blocked(client, 3);
        first.disconnect();
        assert.equal(await client.client("KILL", "ID", id), 1);
        await Promise.all([rejected, killed]);
        await blocked(client, 1);
        await fourth.lpush("queue", "value");
        assert.deepEqual(await within(5000, got, "the pop"), ["queue", "value"]);
        assert.equal(await client.exists("queue"), 0);
      });
    });

    test("every kind of blocking pop, over several keys", async () => {
      await withClients(1, async ([each]) => {
        const pops = [
          [() => each.blmove("from", "to", "LEFT", "RIGHT", 5), () => client.rpush("from", "v"), "v"],
          [() => each.brpoplpush("from", "to", 5), () => client.rpush("from", "v"), "v"],
          [() => each.blmpop(5, 2, "none", "from", "LEFT", "COUNT", 2), () => client.rpush("from", 1, 2, 3), ["from", ["1", "2"]]],
          [() => each.bzpopmin("none", "z", 5), () => client.zadd("z", 2, "b", 1, "a"), ["z", "a", "1"]],
          [() => each.bzpopmax("none", "y", 5), () => client.zadd("y", 2, "b", 1, "a"), ["y", "b", "2"]],
        ];
        for (const [pop, push, expected] of pops) {
          const popped = pop();
          await blocked(client, 1);
          await push();
          const reply = await within(5000, popped, "the pop");
          assert.deepEqual(Array.isArray(reply) ? reply.map((part) => Array.isArray(part) ? part : String(part)) : reply, expected);
        }
        assert.equal(await each.blpop("none", 0.05), null);
        assert.equal(await client.llen("to"), 2);
      });
    });
  });

  describe(`node-redis coordinates, RESP${protocol}`, { timeout: 60000 }, () => {
    let client;

    before(async () => {
      client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: protocol });
      client.on("error", () => {});
      await client.connect();
    });
    after(() => client.destroy());
    beforeEach(() => client.flushAll());

    test("transactions and their types", async () => {
      const replies = await client.multi().set("a", "1").incr("a").hSet("h", "f", "v").hGetAll("h").exec();
      assert.deepEqual([...replies.slice(0, 3), { ...replies[3] }], ["OK", 2, 1, { f: "v" }]);
      await assert.rejects(client.multi().set("a", "x").incr("a").exec(), /1 commands failed/);
      assert.equal(await client.get("a"), "x");
    });

    test("WATCH", async () => {
      const other = await client.duplicate().connect();
      await client.watch(["a", "b"]);
      await other.set("b", "changed");
      await assert.rejects(client.multi().set("a", "1").exec(), WatchError);
      assert.equal(await client.get("a"), null);
      await client.watch("a");
      await client.unwatch();
      await other.set("a", "2");
      assert.deepEqual(await client.multi().get("a").exec(), ["2"]);
      other.destroy();
    });

    test("scripts", async () => {
      const lua = "return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('INCRBY', KEYS[2], ARGV[1])}";
      const options = { keys: ["a", "b"], arguments: ["5"] };
      assert.deepEqual(await client.eval(lua, options), [5, 5]);
      const sha = await client.scriptLoad(lua);
      assert.deepEqual(await client.evalSha(sha, options), [10, 10]);
      assert.deepEqual(await client.multi().evalSha(sha, options).get("b").exec(), [[15, 15], "15"]);
      await client.scriptFlush();
      await assert.rejects(client.evalSha(sha, options), /^\w*Error: NOSCRIPT/);
    });

    test("blocking pops on connections of their own", async () => {
      const others = await Promise.all(Array.from({ length: 3 }, () => client.duplicate().connect()));
      const popped = others.map((other) => other.blPop(["x", "y"], 10));
      await blocked(client, 3);
      await client.multi().rPush("x", "1").rPush("y", "2").rPush("x", "3").exec();
      const elements = (await within(5000, Promise.all(popped), "the pops")).map(({ element }) => element);
      assert.deepEqual(elements.sort(), ["1", "2", "3"]);
      const lost = assert.rejects(others[0].blPop("x", 0));
      await blocked(client, 1);
      others.forEach((other) => other.destroy());
      await lost;
      await blocked(client, 0);
      assert.equal(await client.rPush("x", "stays"), 1);
    });
  });
}
