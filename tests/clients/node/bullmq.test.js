// BullMQ, as its users have it: no settings, no hash tags, so that a queue's keys lie on all shards.
// Its scripts write every change of state into a stream, which QueueEvents reads.
"use strict";

const { test, describe, before, after, beforeEach, afterEach } = require("node:test");
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { Queue, Worker, FlowProducer, QueueEvents } = require("bullmq");
const { port, within } = require("./port.js");

const connection = { port, maxRetriesPerRequest: null };
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until a condition holds; all conditions here come true by themselves. */
async function until(condition, what) {
  const end = Date.now() + 20000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `${what} took too long`);
    await pause(10);
  }
}

describe("BullMQ", { timeout: 120000 }, () => {
  let client, opened, count = 0;

  before(() => (client = new Redis({ port })));
  after(() => client.disconnect());
  beforeEach(async () => {
    opened = [];
    count += 1;
    await client.flushall();
  });
  afterEach(() => Promise.all(opened.reverse().map((each) => each.close())));

  function open(each) {
    opened.push(each);
    each.on("error", (error) => assert.fail(error));
    return each;
  }
  const queue = (name = `queue${count}`, options) => open(new Queue(name, { connection, ...options }));
  const worker = (of, work, options) => open(new Worker(of.name, work, { connection, ...options }));
  const finished = (of, jobs, state = "completed") =>
    until(async () => (await of.getJobCounts(state))[state] === jobs, `${jobs} ${state} jobs`);

  test("several workers share the jobs, each of which is done once", async () => {
    const jobs = queue();
    const done = new Map();
    const work = async ({ id, data }) => {
      done.set(id, (done.get(id) ?? 0) + 1);
      await pause(data.n % 3);
      return data.n * 2;
    };
    for (let n = 0; n < 4; n++) worker(jobs, work, { concurrency: 5 });
    const single = await Promise.all(Array.from({ length: 100 }, (_, n) => jobs.add("one", { n })));
    const bulk = await jobs.addBulk(Array.from({ length: 200 }, (_, n) => ({ name: "bulk", data: { n: 100 + n } })));
    await finished(jobs, 300);
    assert.deepEqual([...done.values()], Array(300).fill(1));
    assert.equal(new Set([...single, ...bulk].map((job) => job.id)).size, 300);
    const last = await jobs.getJob(bulk[199].id);
    assert.equal(last.returnvalue, 598);
    assert.equal(last.attemptsMade, 1);
    assert.equal(await last.getState(), "completed");
    const counts = await jobs.getJobCounts("waiting", "active", "delayed", "failed", "prioritized", "paused");
    assert.deepEqual(Object.values(counts), [0, 0, 0, 0, 0, 0]);
  });

  test("a failed job is tried again after its backoff, and at last stays failed", async () => {
    const jobs = queue();
    const times = { third: [], never: [] };
    worker(jobs, async ({ name }) => {
      times[name].push(Date.now());
      if (name === "never" || times[name].length < 3) throw new Error(`attempt ${times[name].length}`);
      return "well";
    }, { concurrency: 2 });
    const third = await jobs.add("third", {}, { attempts: 5, backoff: { type: "exponential", delay: 60 } });
    const never = await jobs.add("never", {}, { attempts: 2, backoff: { type: "fixed", delay: 20 } });
    await finished(jobs, 1);
    await finished(jobs, 1, "failed");
    assert.equal((await jobs.getJob(third.id)).attemptsMade, 3);
    const [first, second, last] = times.third;
    assert.ok(second - first >= 58 && last - second >= 118, `tried at ${times.third}`);
    const failed = await jobs.getJob(never.id);
    assert.deepEqual([failed.attemptsMade, failed.failedReason], [2, "attempt 2"]);
    assert.equal(failed.stacktrace.length, 2);
    await failed.retry();
    await until(() => times.never.length > 2, "the retry");
  });

  test("delayed jobs come when they are due, in that order", async () => {
    const jobs = queue();
    const done = [];
    worker(jobs, async ({ data, timestamp }) => done.push({ ...data, due: timestamp + data.delay, at: Date.now() }));
    for (const delay of [300, 100, 200]) await jobs.add("later", { delay }, { delay });
    const promoted = await jobs.add("promoted", { delay: 0 }, { delay: 3600000 });
    assert.equal(await promoted.getState(), "delayed");
    await promoted.promote();
    await finished(jobs, 4);
    assert.equal(done.filter(({ delay }) => delay === 0).length, 1);
    const dues = done.filter(({ delay }) => delay > 0).map(({ due }) => due);
    assert.deepEqual(dues, dues.toSorted((one, other) => one - other));
    for (const { due, at } of done) assert.ok(at >= due - 2, `${due - at} ms early`);
  });

  test("priorities, and the newest first", async () => {
    const jobs = queue();
    for (const priority of [5, 1, 3, 2, 4]) await jobs.add("p", `priority ${priority}`, { priority });
    for (const name of ["first", "second"]) await jobs.add("f", name);
    await jobs.add("l", "newest", { lifo: true });
    assert.equal((await jobs.getCountsPerPriority([1, 2, 3]))[2], 1);
    const done = [];
    worker(jobs, async ({ data }) => done.push(data));
    await finished(jobs, 8);
    const priorities = [1, 2, 3, 4, 5].map((priority) => `priority ${priority}`);
    assert.deepEqual(done, ["newest", "first", "second", ...priorities]);
  });

  test("a job scheduler repeats until it is removed", async () => {
    const jobs = queue();
    const done = [];
    worker(jobs, async ({ data }) => done.push(data));
    await jobs.upsertJobScheduler("tick", { every: 50 }, { name: "t", data: "every" });
    await jobs.upsertJobScheduler("cron", { pattern: "* * * * * *" }, { name: "c", data: "cron" });
    assert.equal((await jobs.getJobSchedulers()).length, 2);
    await until(() => done.filter((data) => data === "every").length >= 5, "five repetitions");
    await until(() => done.includes("cron"), "the second");
    assert.equal(await jobs.removeJobScheduler("tick"), true);
    assert.equal(await jobs.removeJobScheduler("cron"), true);
    await until(async () => (await jobs.getJobCounts("active")).active === 0, "the last repetition");
    const ended = done.length;
    await pause(150);
    assert.equal(done.length, ended);
    assert.deepEqual(await jobs.getJobSchedulers(), []);
  });

  test("flows: parents wait for their children, on other queues too", async () => {
    const [parents, children] = [queue("parents"), queue("children")];
    const flows = open(new FlowProducer({ connection }));
    worker(children, async ({ data }) => {
      if (data.fails) throw new Error("no");
      return data.n * 10;
    }, { concurrency: 3 });
    worker(parents, async (job) => {
      const values = Object.values(await job.getChildrenValues());
      return values.reduce((sum, value) => sum + value, 1);
    }, { concurrency: 2 });
    const child = (n, opts = {}, rest = {}) => ({ name: "c", queueName: "children", data: { n, ...rest }, opts });
    const grown = (children) => ({ name: "p", queueName: "parents", children });
    const tree = await flows.add(grown([child(1), child(2), grown([child(3), child(4)])]));
    await finished(parents, 2);
    assert.equal((await parents.getJob(tree.job.id)).returnvalue, 10 + 20 + (30 + 40 + 1) + 1);
    const broken = await flows.add(grown([child(1), child(2, { failParentOnFailure: true }, { fails: true })]));
    await finished(parents, 1, "failed");
    assert.match((await parents.getJob(broken.job.id)).failedReason, /^child .* failed$/);
    const dependencies = await (await parents.getJob(tree.job.id)).getDependenciesCount();
    assert.equal(dependencies.processed, 3);
  });

  test("a paused queue keeps its jobs", async () => {
    const jobs = queue();
    const done = [];
    worker(jobs, async ({ data }) => done.push(data));
    await jobs.add("a", 1);
    await finished(jobs, 1);
    await jobs.pause();
    assert.equal(await jobs.isPaused(), true);
    for (const n of [2, 3]) await jobs.add("a", n);
    await pause(100);
    assert.deepEqual(done, [1]);
    await jobs.resume();
    await finished(jobs, 3);
    assert.deepEqual(done, [1, 2, 3]);
  });

  test("the rate limit holds for all workers together", async () => {
    const jobs = queue();
    const times = [];
    const limiter = { max: 5, duration: 200 };
    const start = Date.now();
    for (let n = 0; n < 3; n++) worker(jobs, async () => times.push(Date.now()), { limiter, concurrency: 4 });
    await jobs.addBulk(Array.from({ length: 20 }, (_, n) => ({ name: "limited", data: n })));
    await finished(jobs, 20);
    // Twenty jobs need four windows, of which three must have passed before the last.
    assert.ok(times[19] - start >= 3 * limiter.duration - 10, `${times[19] - start} ms`);
  });

  test("a job whose worker vanishes is given to another", async () => {
    const jobs = queue();
    const soon = { lockDuration: 200, stalledInterval: 100 };
    let left;
    const began = new Promise((resolve) => {
      left = worker(jobs, () => new Promise(() => resolve()), { ...soon, skipLockRenewal: true });
    });
    const job = await jobs.add("stalls", {});
    await within(10000, began, "the first worker");
    opened.splice(opened.indexOf(left), 1);
    await left.close(true);
    worker(jobs, async () => "rescued", soon);
    await finished(jobs, 1);
    const rescued = await jobs.getJob(job.id);
    assert.deepEqual([rescued.returnvalue, rescued.stalledCounter], ["rescued", 1]);
  });

  test("what belongs to a job: data, progress, logs, names that are taken", async () => {
    const jobs = queue();
    const job = await jobs.add("a", { n: 1 }, { jobId: "own" });
    assert.equal((await jobs.add("a", { n: 2 }, { jobId: "own" })).id, "own");
    await job.updateData({ n: 3 });
    await job.updateProgress(42);
    for (const line of ["one", "two"]) await job.log(line);
    const again = await jobs.getJob("own");
    assert.deepEqual([again.data, again.progress], [{ n: 3 }, 42]);
    assert.deepEqual(await jobs.getJobLogs("own"), { logs: ["one", "two"], count: 2 });
    const deduplication = { id: "same" };
    const first = await jobs.add("b", {}, { deduplication });
    assert.equal((await jobs.add("b", {}, { deduplication })).id, first.id);
    assert.equal(await jobs.count(), 2);
  });

  test("removal: one job, all that wait, the old ones, everything", async () => {
    const jobs = queue();
    const [first] = await jobs.addBulk(Array.from({ length: 10 }, (_, n) => ({ name: "a", data: n })));
    await first.remove();
    assert.equal(await jobs.getJob(first.id), undefined);
    await jobs.drain();
    assert.equal(await jobs.count(), 0);
    worker(jobs, async ({ data }) => {
      if (data % 2) throw new Error("odd");
    });
    for (let n = 0; n < 10; n++) await jobs.add("a", n, { removeOnComplete: 3 });
    await finished(jobs, 5, "failed");
    await finished(jobs, 3);
    assert.equal((await jobs.clean(0, 100, "failed")).length, 5);
    await Promise.all(opened.splice(1).map((each) => each.close()));
    await jobs.add("a", 1, { delay: 100000 });
    await jobs.obliterate({ force: true });
    assert.deepEqual(await client.keys("bull:*"), []);
  });

  test("events", async () => {
    const jobs = queue();
    const events = open(new QueueEvents(jobs.name, { connection, lastEventId: "0-0" }));
    await events.waitUntilReady();
    const seen = [];
    for (const name of ["added", "active", "completed", "failed"]) events.on(name, ({ jobId }) => seen.push([name, jobId]));
    worker(jobs, async ({ data }) => data + 1);
    const job = await jobs.add("a", 1);
    assert.equal(await within(10000, job.waitUntilFinished(events), "the event"), 2);
    await until(() => seen.length >= 3, "three events");
    assert.deepEqual(seen.map(([name]) => name), ["added", "active", "completed"]);
  });
});
