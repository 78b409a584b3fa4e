//! The real shards on a simulated scheduler, mailbox, network and clock.
//!
//! A run follows from its seed: how many shards there are (1, 2, 4 or 8), what clients do ([`workload::Theme`]), who takes the next
//! step ([`world`]), and who stands still where it hurts. A step is a connection read, a message run, one access to a
//! mailbox or a flag ([`exchange`]), one connection's replies sent ([`shard_thread`]). What clients saw is checked ([`check`]) against a
//! specification ([`model`], [`streams`]), messages and caches by themselves (`listening`, `caching`); when all is answered, no lock, key
//! on loan or message may be left, and the accounts of memory must be right.
//!
//! [`crash`] has the same shards write append-only files onto a simulated disk whose power goes at any moment.
//!
//! Not simulated: memory orders weaker than sequential consistency, the sockets' own code in `server` and `runtime`.
//!
//! # What happens without a rule
//!
//! Of 200 runs (seeds 0 to 199) whose clients do what shows that the rule is missing (`sim --without RULE --directed --seeds 200`), so many
//! show an anomaly; in brackets, those in which the search for an order was given up.
//!
//! | rule | anomalous | what it takes to see it |
//! |---|---|---|
//! | arm | 23 (1) | a shard stops between the pushes of a pipeline x, y; y is read, then x |
//! | drain | 12 (4) | x lies in the mailbox of a shard that stands still; y, written later, is read elsewhere; x is asked of that shard itself |
//! | reply | 10 (2) | a watcher (MONITOR) reads of a write to x that is not pushed yet; x is read |
//! | exclusive | 40 (5) | two operations on the same two shards are pushed in different orders |
//! | sides | 11 (4) | an MGET gets between the pushes of a pipeline x, y |
//! | behind | 32 (6) | y is local and runs at once, x before it is under way |
//! | own | 67 (14) | after an MSET, a local GET of the same connection runs at once |
//! | clock | 5 (6) | a shard reads the clock, stands still, and takes a request that was sent after a key had expired |
//! | ahead | 5 (0) | a shard stops between a message and the writes before it; the listener looks for them |
//! | together | 17 (0) | a shard stops between commands and a message; one of the commands publishes elsewhere |
//! | news | 41 (0) | PUBLISH is answered before its message is sent; the next one is published elsewhere, or somebody begins or ends to listen |
//! | tell | 5 (0) | a write to x is answered, and y written because of that; y is read before the message that x has changed comes |
//! | stamp | 4 (1) | a reader's GET y waits to be published, a PING behind it is answered; x is written, then y; what is told of x goes behind the PING |
//! | changes | 82 (0) | what is told of x is lost |
//! | claim | 6 (0) | nobody tells who waits on two shards that there is something on one |
//!
//! With all rules, 4,000 seeds (431,085 operations): no anomaly; two histories were left undecided (none of the first 3,000).
//!
//! What `behind` and `own` do makes `reply` nearly superfluous for what clients write and read: no local command runs before
//! what its connection sent earlier has been done. What is left for `reply` is to keep back what others can see of a command
//! before its turn is published: the lines of MONITOR, and the answer to CLIENT KILL while the killed connection's last writes wait to be pushed.
#![forbid(unsafe_code)]

mod caching;
pub mod check;
pub mod crash;
pub mod exchange;
mod faults;
mod freezer;
pub mod history;
mod listening;
mod log;
pub mod model;
pub mod network;
mod news;
pub mod nodes;
pub mod op;
pub mod outcome;
pub mod rules;
pub mod search;
pub mod shard_thread;
pub mod streams;
mod trace;
pub mod witness;
pub mod workload;
pub mod world;

pub use outcome::{Anomaly, Outcome, Plan};
pub use rules::{Rule, Rules};
pub use world::run;
