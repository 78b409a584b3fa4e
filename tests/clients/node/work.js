// What the consumers of streams.test.js have to do, known to them and to who checks it. Entries are numbered.
"use strict";

module.exports = {
  DEAD: "dead-letters",
  IDLE_MS: 60,
  KILLS: 12,
  /** More than what kills, each of which ends one delivery of an entry, and first attempts that fail come to. On a slow machine, where work is taken over
   * while it goes on, others than the hopeless may be buried; they are done all the same. */
  DELIVERIES_MAX: 16,
  /** One of fifty can never be done. */
  isHopeless: (n) => n % 50 === 0,
  /** One of nine fails at the first two deliveries. */
  isDoneAt: (n, deliveries) => n % 9 !== 0 || deliveries > 2,
};
