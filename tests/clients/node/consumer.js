// A consumer of a group as a process of its own, to be killed at any time: `consumer.js NAME GROUP STREAM…`. It says `ready` once it has seen to what
// was delivered to its name before, and `done STREAM ID` for each entry before it acknowledges it, in one system call. It reads, works, takes over what others have left lying,
// and buries what has been delivered too often. It ends when its standard input does, so that nothing outlives the test.
"use strict";

const fs = require("node:fs");
const Redis = require("ioredis");
const { port } = require("./port.js");
const { DEAD, IDLE_MS, DELIVERIES_MAX, isHopeless, isDoneAt } = require("./work.js");

const [name, group, ...streams] = process.argv.slice(2);
const client = new Redis({ port, retryStrategy: null, maxRetriesPerRequest: 0 });
const say = (line) => fs.writeSync(1, `${line}\n`);

process.stdin.on("end", () => process.exit(0)).resume();

/** Works on entries that have been delivered so often to anybody, and acknowledges those that are done. */
async function work(stream, entries, deliveries) {
  for (const [id, fields] of entries) {
    const n = Number(fields[1]);
    if (isHopeless(n) || !isDoneAt(n, deliveries)) continue;
    say(`done ${stream} ${id}`);
    await client.xack(stream, group, id);
  }
}

/** Claims what has been idle; what was delivered too often goes to the dead letters. */
async function takeOver(stream) {
  const pending = await client.xpending(stream, group, "IDLE", IDLE_MS, "-", "+", 20);
  for (const [id, , , deliveries] of pending) {
    const entries = await client.xclaim(stream, group, name, IDLE_MS, id);
    if (entries.length === 0) continue;
    if (deliveries < DELIVERIES_MAX) {
      await work(stream, entries, deliveries + 1);
      continue;
    }
    const [[, fields]] = entries;
    await client.xadd(DEAD, "*", "stream", stream, "id", id, "deliveries", deliveries, ...fields);
    await client.xack(stream, group, id);
  }
}

async function run() {
  const own = await client.xreadgroup("GROUP", group, name, "STREAMS", ...streams, ...streams.map(() => "0"));
  for (const [stream, entries] of own) await work(stream, entries, 1);
  say("ready");
  for (;;) {
    const read = await client.xreadgroup("GROUP", group, name, "COUNT", 7, "BLOCK", 20, "STREAMS", ...streams, ...streams.map(() => ">"));
    for (const [stream, entries] of read ?? []) await work(stream, entries, 1);
    for (const stream of streams) await takeOver(stream);
  }
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});
