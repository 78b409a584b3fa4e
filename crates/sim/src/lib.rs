//! The real shards on a simulated scheduler, mailbox, network and clock.
//!
//! A run follows from its seed: how many shards there are (1, 2, 4 or 8), what clients do ([`workload::Theme`]), who takes the next
//! step ([`world`]), and who stands still where it hurts. A step is a connection read, a message run, one access to a
//! mailbox or a flag ([`exchange`]), one connection's replies sent ([`seat`]). What clients saw is checked ([`check`]) against a
//! specification ([`model`]); when all is answered, no lock, key on loan or message may be left, and the accounts of memory must be right.
//!
//! Not simulated: memory orders weaker than sequential consistency, the disk, the sockets' own code in `server` and `runtime`.
//!
//! # What happens without a rule
//!
//! Of 200 runs (seeds 0 to 199) whose clients do what shows that the rule is missing (`sim --without RULE --directed --seeds 200`), so many
//! show an anomaly; in brackets, those in which the search for an order was given up.
//!
//! | rule | anomalous | what it takes to see it |
//! |---|---|---|
//! | arm | 34 (0) | a shard stops between the pushes of a pipeline x, y; y is read, then x |
//! | drain | 19 (2) | x lies in the mailbox of a shard that stands still; y, written later, is read elsewhere; x is asked of that shard itself |
//! | reply | 13 (2) | a watcher (MONITOR) reads of a write to x that is not pushed yet; x is read |
//! | exclusive | 30 (7) | two operations on the same two shards are pushed in different orders |
//! | sides | 11 (3) | an MGET gets between the pushes of a pipeline x, y |
//! | behind | 32 (6) | y is local and runs at once, x before it is under way |
//! | own | 65 (14) | after an MSET, a local GET of the same connection runs at once |
//! | clock | 6 (4) | a shard reads the clock, stands still, and takes a request that was sent after a key had expired |
//!
//! With all rules, 7,000 seeds (727,155 operations): no anomaly; three histories, all with strings that expire, were left undecided (none of the
//! first 4,000).
//!
//! What `behind` and `own` do makes `reply` nearly superfluous for what clients write and read: no local command runs before
//! what its connection sent earlier has been done. What is left for `reply` is to keep back what others can see of a command
//! before its turn is published: the lines of MONITOR, and the answer to CLIENT KILL while the killed connection's last writes wait to be pushed.
#![forbid(unsafe_code)]

pub mod check;
pub mod exchange;
mod freezer;
pub mod history;
pub mod model;
pub mod network;
pub mod nodes;
pub mod op;
pub mod rules;
pub mod search;
pub mod seat;
mod trace;
pub mod witness;
pub mod workload;
pub mod world;

pub use rules::{Rule, Rules};
pub use world::{Anomaly, Outcome, Plan, run};
