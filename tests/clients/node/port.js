// The server under test, whose port is given by WEFT_PORT. Replies that differ between releases are asked about here.
"use strict";

const assert = require("node:assert/strict");

const port = Number(process.env.WEFT_PORT);
assert.ok(port > 0, "WEFT_PORT names the port of the server");

/** A promise that is given up after a while, so that a lost reply fails one test instead of stopping all. */
function within(milliseconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Bytes of every value, with line ends and zeros in all places. */
function everyByte(length) {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 255));
}

module.exports = { port, within, everyByte };
