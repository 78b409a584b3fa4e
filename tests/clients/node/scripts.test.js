// Locks, limiters and queues made of scripts, by the packages that people use and by scripts as they stand in many applications:
// under concurrency, with keys that lie on different shards, declared and not.
"use strict";

const { test, describe, before, after, beforeEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { createClient } = require("redis");
const Redlock = require("redlock");
const BeeQueue = require("bee-queue");
const { RateLimiterRedis } = require("rate-limiter-flexible");
const { port, within } = require("./port.js");

const CLIENTS = 16;

const SCRIPTS = {
  /** A window that slides: now, width and limit; who is let through is a member. */
  slidingWindow: {
    numberOfKeys: 1,
    lua: `local now, width, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
      redis.call("ZREMRANGEBYSCORE", KEYS[1], 0, now - width)
      if redis.call("ZCARD", KEYS[1]) >= limit then return 0 end
      redis.call("ZADD", KEYS[1], now, ARGV[4])
      redis.call("PEXPIRE", KEYS[1], width)
      return 1`,
  },
  /** A bucket: capacity, tokens a second, now in seconds, tokens wanted. Answers whether they were there, and how many are left. */
  tokenBucket: {
    numberOfKeys: 1,
    lua: `local capacity, rate, now, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
      local state = redis.call("HMGET", KEYS[1], "tokens", "at")
      local tokens, at = tonumber(state[1]) or capacity, tonumber(state[2]) or now
      tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
      local allowed = tokens >= wanted
      if allowed then tokens = tokens - wanted end
      redis.call("HSET", KEYS[1], "tokens", tokens, "at", now)
      redis.call("EXPIRE", KEYS[1], math.ceil(capacity / rate) * 2)
      return {allowed and 1 or 0, tostring(tokens)}`,
  },
  /** Deletes a lock that still is the caller's own. */
  release: {
    numberOfKeys: 1,
    lua: `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`,
  },
  /** Keeps the best score of a player, and the record of the day. */
  bestScore: {
    numberOfKeys: 2,
    lua: `local old = redis.call("ZSCORE", KEYS[1], ARGV[1])
      if old and tonumber(old) >= tonumber(ARGV[2]) then return 0 end
      redis.call("ZADD", KEYS[1], ARGV[2], ARGV[1])
      local record = redis.call("GET", KEYS[2])
      if not record or tonumber(ARGV[2]) > tonumber(record) then redis.call("SET", KEYS[2], ARGV[2]) end
      return 1`,
  },
  /** Takes the job that is due first, as pollers of scheduled jobs do. */
  takeDue: {
    numberOfKeys: 1,
    lua: `local due = redis.call("ZRANGE", KEYS[1], "-inf", ARGV[1], "BYSCORE", "LIMIT", 0, 1)
      if due[1] then redis.call("ZREM", KEYS[1], due[1]) end
      return due[1]`,
  },
  /** Money from one account to another, whose names come as arguments: no key is declared. */
  transfer: {
    numberOfKeys: 0,
    lua: `local from, to, amount = "account:" .. ARGV[1], "account:" .. ARGV[2], tonumber(ARGV[3])
      if tonumber(redis.call("GET", from) or 0) < amount then return redis.error_reply("POOR no money") end
      redis.call("DECRBY", from, amount)
      return redis.call("INCRBY", to, amount)`,
  },
};

/** The clients' own random numbers: the same in every run. */
function numbersFrom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("scripts of applications", { timeout: 60000 }, () => {
  let clients, client;

  before(() => {
    clients = Array.from({ length: CLIENTS }, () => new Redis({ port, scripts: SCRIPTS }));
    [client] = clients;
  });
  after(() => clients.forEach((each) => each.disconnect()));
  beforeEach(() => client.flushall());
  const all = (work) => Promise.all(clients.map(work));

  test("redlock: no update under a lock is lost", async () => {
    await client.set("sum", 0);
    let inside = 0;
    await all(async (each) => {
      const redlock = new Redlock([each], { retryCount: 2000, retryDelay: 2, retryJitter: 3 });
      for (let n = 0; n < 5; n++) {
        const lock = await redlock.lock("lock:sum", 20000);
        assert.equal(++inside, 1);
        await each.set("sum", Number(await each.get("sum")) + 1);
        inside -= 1;
        await lock.unlock();
      }
    });
    assert.equal(await client.get("sum"), String(CLIENTS * 5));
    assert.equal(await client.exists("lock:sum"), 0);
  });

  test("redlock: several things at once, extended, and let go by their owner only", async () => {
    const redlock = new Redlock([client], { retryCount: 0 });
    const lock = await redlock.lock(["lock:a", "lock:b", "lock:c"], 1000);
    await assert.rejects(redlock.lock(["lock:z", "lock:b"], 1000), { name: "LockError" });
    assert.equal(await client.exists("lock:z"), 0);
    await lock.extend(60000);
    for (const key of ["lock:a", "lock:b", "lock:c"]) assert.ok((await client.pttl(key)) > 50000);
    await client.set("lock:b", "another's");
    await assert.rejects(lock.unlock());
    assert.equal(await client.get("lock:b"), "another's");
  });

  test("locks of SET NX and a script that compares", async () => {
    let inside = 0, held = 0;
    await all(async (each, name) => {
      for (let n = 0; n < 5; n++) {
        while ((await each.set("lock", name, "PX", 20000, "NX")) === null);
        assert.equal(++inside, 1);
        held += 1;
        assert.equal(await each.release("lock", "another"), 0);
        inside -= 1;
        assert.equal(await each.release("lock", name), 1);
      }
    });
    assert.equal(held, CLIENTS * 5);
  });

  for (const [name, make] of [["ioredis", null], ["node-redis", () => createClient({ url: `redis://127.0.0.1:${port}` })]]) {
    test(`rate-limiter-flexible on ${name} lets no more than its points pass`, async () => {
      const connection = make && (await make().connect());
      const options = { points: 25, duration: 60, keyPrefix: "limit", useRedisPackage: make !== null };
      const limiters = clients.map((each) => new RateLimiterRedis({ storeClient: connection ?? each, ...options }));
      let passed = 0, refused = 0;
      await Promise.all(limiters.map(async (limiter) => {
        for (let n = 0; n < 10; n++) {
          await limiter.consume("user").then(() => (passed += 1), (why) => {
            assert.ok(why.msBeforeNext > 0, why);
            refused += 1;
          });
        }
      }));
      assert.deepEqual([passed, refused], [25, CLIENTS * 10 - 25]);
      assert.equal((await limiters[0].get("user")).consumedPoints, CLIENTS * 10);
      await limiters[0].penalty("user", 3);
      await limiters[0].block("user", 5);
      assert.equal(await limiters[0].delete("user"), true);
      assert.equal((await limiters[0].consume("user")).remainingPoints, 24);
      if (connection) connection.destroy();
    });
  }

  test("a sliding window", async () => {
    const passed = await all(async (each, name) => {
      let passed = 0;
      for (let n = 0; n < 20; n++) passed += await each.slidingWindow("window", 1000 + n, 5000, 50, `${name}:${n}`);
      return passed;
    });
    assert.equal(passed.reduce((sum, each) => sum + each), 50);
    assert.equal(await client.zcard("window"), 50);
    assert.ok((await client.pttl("window")) <= 5000);
    assert.equal(await client.slidingWindow("window", 1000000, 5000, 50, "later"), 1);
    assert.equal(await client.zcard("window"), 1);
  });

  test("a bucket of tokens", async () => {
    const passed = await all(async (each) => {
      let passed = 0;
      for (let n = 0; n < 20; n++) passed += (await each.tokenBucket("bucket", 100, 10, 5000, 1))[0];
      return passed;
    });
    assert.equal(passed.reduce((sum, each) => sum + each), 100);
    assert.deepEqual(await client.tokenBucket("bucket", 100, 10, 5001.5, 5), [1, "10"]);
    assert.deepEqual(await client.tokenBucket("bucket", 100, 10, 5001.5, 11), [0, "10"]);
    assert.equal(await client.ttl("bucket"), 20);
  });

  test("the best score, over two keys", async () => {
    const best = Array(10).fill(0);
    await all(async (each, name) => {
      const random = numbersFrom(name);
      for (let n = 0; n < 30; n++) {
        const [player, score] = [random(10), random(100000)];
        best[player] = Math.max(best[player], score);
        await each.bestScore("scores", "record", player, score);
      }
    });
    for (const [player, score] of best.entries()) assert.equal(Number(await client.zscore("scores", player)), score);
    assert.equal(Number(await client.get("record")), Math.max(...best));
  });

  test("pollers of scheduled jobs get each that is due once", async () => {
    await client.zadd("schedule", ...Array.from({ length: 300 }, (_, n) => [n, `job ${n}`]).flat());
    const taken = await all(async (each) => {
      const taken = [];
      for (let job; (job = await each.takeDue("schedule", 249)) !== null; ) taken.push(job);
      return taken;
    });
    assert.deepEqual(taken.flat().sort(), Array.from({ length: 250 }, (_, n) => `job ${n}`).sort());
    assert.equal(await client.zcard("schedule"), 50);
  });

  test("undeclared keys: money is neither made nor lost", async () => {
    const accounts = Array.from({ length: 20 }, (_, n) => `account:${n}`);
    await client.mset(accounts.flatMap((account) => [account, 100]));
    await all(async (each, name) => {
      const random = numbersFrom(name + 100);
      const some = Array.from({ length: 40 }, () => each.transfer(random(20), random(20), random(60)));
      for (const result of await Promise.allSettled(some)) {
        if (result.status === "rejected") assert.match(result.reason.message, /^POOR no money/);
      }
      const values = (await each.mget(accounts)).map(Number);
      assert.equal(values.reduce((sum, value) => sum + value), 2000);
      assert.ok(Math.min(...values) >= 0);
    });
  });

  test("scripts in pipelines and transactions, after SCRIPT FLUSH too", async () => {
    await client.script("FLUSH");
    const pipeline = client.pipeline().set("lock", "me").release("lock", "you").release("lock", "me").exec();
    assert.deepEqual(await pipeline, [[null, "OK"], [null, 0], [null, 1]]);
    await client.script("FLUSH");
    const block = client.multi().set("lock", "me").eval(SCRIPTS.release.lua, 1, "lock", "me").exists("lock").exec();
    assert.deepEqual(await block, [[null, "OK"], [null, 1], [null, 0]]);
    const sha = await client.script("LOAD", SCRIPTS.release.lua);
    assert.deepEqual(await client.script("EXISTS", sha, "0".repeat(40)), [1, 0]);
    assert.equal(await client.evalsha(sha, 1, "lock", "me"), 0);
    await assert.rejects(client.evalsha("0".repeat(40), 0), /^ReplyError: NOSCRIPT/);
    await assert.rejects(client.eval("return redis.call('INCR', KEYS[1], 1)", 1, "k"), /^ReplyError: ERR .*script: /);
  });

  test("bee-queue: jobs go through brpoplpush and scripts, with retries", async () => {
    const settings = { redis: { port }, getEvents: false, sendEvents: false, stallInterval: 500 };
    const queue = new BeeQueue("letters", { ...settings, isWorker: false });
    const workers = Array.from({ length: 3 }, () => new BeeQueue("letters", settings));
    const attempts = new Map();
    const ended = new Promise((resolve) => {
      for (const worker of workers) {
        worker.process(4, async ({ data }) => {
          attempts.set(data.n, (attempts.get(data.n) ?? 0) + 1);
          if (data.n % 10 === 0 && attempts.get(data.n) < 3) throw new Error("again");
        });
        worker.on("succeeded", async () => (await queue.checkHealth()).succeeded === 100 && resolve());
      }
    });
    await Promise.all(Array.from({ length: 100 }, (_, n) => queue.createJob({ n }).retries(4).save()));
    await within(30000, ended, "a hundred jobs");
    for (const [n, times] of attempts) assert.equal(times, n % 10 === 0 ? 3 : 1);
    const { waiting, active, failed } = await queue.checkHealth();
    assert.deepEqual([waiting, active, failed], [0, 0, 0]);
    await Promise.all([queue, ...workers].map((each) => each.close()));
  });
});
