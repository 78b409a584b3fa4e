//! Faults put in on purpose, to see whether tests find them. Only the package `tests/planted` is built with this module, and only
//! the environment in which its program is started chooses a fault: nothing a client sends does.

pub mod disk;

use crate::shard_loop::Mail;
use mailbox::Port;
use std::sync::OnceLock;
use std::time::Duration;

/// Names the fault.
const VARIABLE: &str = "WEFT_PLANTED";
/// Pauses between pushes are shorter than this, in µs.
const PAUSE_US_MAX: u64 = 60;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Operations on several shards stand in different orders in different mailboxes: nobody waits for the section, and every other
    /// turn is pushed in the opposite order.
    Reordered,
    /// What a shard gets of a turn is run before the rest of the turn is pushed.
    Early,
}

/// The fault of this process.
pub fn fault() -> Option<Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    *FAULT.get_or_init(|| match std::env::var(VARIABLE).as_deref() {
        Ok("reordered") => Some(Fault::Reordered),
        Ok("early") => Some(Fault::Early),
        _ => None,
    })
}

impl Fault {
    /// Publishes a turn's messages in the wrong way.
    pub fn publish(
        self,
        port: &mut Port<Mail>,
        messages: impl Iterator<Item = (usize, Mail)>,
        mut asleep: impl FnMut(usize),
    ) {
        let turn = port.next_turn();
        let mut messages: Vec<(usize, Mail)> = messages.collect();
        if turn.is_multiple_of(2) {
            messages.reverse();
        }
        if self == Fault::Early {
            port.publish(std::iter::empty(), false, |_| {});
        }
        for (at, (to, message)) in messages.into_iter().enumerate() {
            if at > 0 {
                std::thread::sleep(Duration::from_micros(turn % PAUSE_US_MAX));
            }
            if port.push(to, message) {
                asleep(to);
            }
        }
        if self == Fault::Reordered {
            port.publish(std::iter::empty(), false, |_| {});
        }
    }
}
