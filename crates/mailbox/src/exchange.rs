//! All mailboxes of a process and the section in which a turn's messages are published.
//!
//! A turn's messages go out together. Three things hold, and the ordering argument needs no more:
//! - **arm**: a message of turn t of shard s counts only once `published[s] ≥ t`, so one turn's messages become executable together;
//! - **total order**: turns that carry multi-shard operations publish alone (*exclusive*), so any two of them stand in the same
//!   order in every mailbox;
//! - **all or nothing**: turns without such operations publish side by side (*shared*), but never while an exclusive one
//!   publishes, so each stands wholly before or wholly after every multi-shard operation.
//!
//! Shared entries cost one store and one load on lines that nobody else writes while no multi-shard operation is under way;
//! exclusive ones look at one flag per shard. Both only ever wait for a few pushes, never for anybody's commands.

use crate::queue::{Nodes, Queue};
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering, SPINS, spin_loop, yield_now};
use std::collections::VecDeque;

/// One value per cache line pair, so that neighbours do not disturb each other.
#[repr(align(128))]
struct Line<T>(T);

struct Station<T> {
    inbox: Queue<T>,
    /// Set while the owner sleeps in its ring; whoever else clears it wakes the owner.
    asleep: Line<AtomicBool>,
    /// Newest turn whose messages have all been pushed.
    published: Line<AtomicU64>,
    /// Set while the owner pushes in the shared section.
    pushing: Line<AtomicBool>,
}

/// The mailboxes of all shards.
pub struct Exchange<T> {
    stations: Vec<Station<T>>,
    /// Held by the shard that publishes exclusively.
    exclusive: Line<AtomicBool>,
}

impl<T: Send> Exchange<T> {
    /// One port per shard.
    pub fn ports(shards: usize) -> Vec<Port<T>> {
        let station = |_| Station {
            inbox: Queue::default(),
            asleep: Line(AtomicBool::new(false)),
            published: Line(AtomicU64::new(0)),
            pushing: Line(AtomicBool::new(false)),
        };
        let exchange = Arc::new(Self {
            stations: (0..shards).map(station).collect(),
            exclusive: Line(AtomicBool::new(false)),
        });
        (0..shards)
            .map(|id| Port { exchange: Arc::clone(&exchange), id, turn: 0, nodes: Nodes::default() })
            .collect()
    }
}

/// A shard's access to its own mailbox and to those of the others.
pub struct Port<T> {
    exchange: Arc<Exchange<T>>,
    id: usize,
    turn: u64,
    nodes: Nodes<T>,
}

impl<T: Send> Port<T> {
    pub fn shards(&self) -> usize {
        self.exchange.stations.len()
    }

    /// The number that the next publication will have.
    pub fn next_turn(&self) -> u64 {
        self.turn + 1
    }

    /// Publishes a turn's messages; `exclusive` if any of them is part of a multi-shard operation. Names, by `asleep`, the
    /// receivers that sleep: each must be roused now, or its mail be run for it.
    pub fn publish(
        &mut self,
        messages: impl Iterator<Item = (usize, T)>,
        exclusive: bool,
        mut asleep: impl FnMut(usize),
    ) {
        let exchange = &*self.exchange;
        let own = &exchange.stations[self.id];
        if exclusive {
            exchange.enter_exclusive()
        } else {
            exchange.enter_shared(own)
        }
        let mut touched = 0u64;
        let mut many = false;
        for (to, message) in messages {
            exchange.stations[to].inbox.push(message, &mut self.nodes);
            many |= to >= 64;
            touched |= 1 << (to % 64);
        }
        self.turn += 1;
        own.published.0.store(self.turn, Ordering::SeqCst);
        if exclusive {
            exchange.exclusive.0.store(false, Ordering::SeqCst);
        } else {
            own.pushing.0.store(false, Ordering::SeqCst);
        }
        if many {
            return (0..exchange.stations.len()).filter(|to| exchange.sleeps(*to)).for_each(asleep);
        }
        while touched != 0 {
            let to = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            if exchange.sleeps(to) {
                asleep(to);
            }
        }
    }

    /// Sends one message outside any turn: replies and continuations of what is already ordered. True: `to` sleeps
    /// and must be woken.
    pub fn send(&mut self, to: usize, message: T) -> bool {
        self.push(to, message) && self.rouse(to)
    }

    /// As [`Port::send`]. True: `to` sleeps, and must be roused or its mail be run for it.
    pub fn push(&mut self, to: usize, message: T) -> bool {
        self.exchange.stations[to].inbox.push(message, &mut self.nodes);
        self.exchange.sleeps(to)
    }

    /// Takes it on to wake a shard. False: somebody else has.
    pub fn rouse(&self, to: usize) -> bool {
        self.exchange.stations[to].asleep.0.swap(false, Ordering::SeqCst)
    }

    /// Sends messages that belong to no turn but stand, as a turn's do, wholly before or wholly after every multi-shard operation.
    /// `write` makes them from what has come here by then, which is added to `mail`: an operation that is not in it stands behind
    /// these messages. Returns, by `wake`, the shards that sleep and must be woken now.
    pub fn send_between(
        &mut self,
        mail: &mut VecDeque<T>,
        write: impl FnOnce(&VecDeque<T>) -> Vec<(usize, T)>,
        mut wake: impl FnMut(usize),
    ) {
        let exchange = &*self.exchange;
        let own = &exchange.stations[self.id];
        exchange.enter_shared(own);
        own.inbox.drain(mail, &mut self.nodes);
        let messages = write(mail);
        let receivers: Vec<usize> = messages.iter().map(|(to, _)| *to).collect();
        for (to, message) in messages {
            exchange.stations[to].inbox.push(message, &mut self.nodes);
        }
        own.pushing.0.store(false, Ordering::SeqCst);
        receivers.into_iter().filter(|to| exchange.sleeps(*to) && self.rouse(*to)).for_each(&mut wake);
    }

    /// The newest turn of shard `from` whose messages have all been pushed.
    #[inline]
    pub fn published(&self, from: usize) -> u64 {
        self.exchange.stations[from].published.0.load(Ordering::SeqCst)
    }

    /// Whether the messages of `turn` of shard `from` may be executed.
    #[inline]
    pub fn is_armed(&self, from: usize, turn: u64) -> bool {
        self.published(from) >= turn
    }

    /// Waits for the few pushes that may still be under way.
    pub fn wait_armed(&self, from: usize, turn: u64) {
        wait_until(|| self.is_armed(from, turn));
    }

    /// Whether own messages wait.
    #[inline]
    pub fn has_mail(&self) -> bool {
        !self.exchange.stations[self.id].inbox.is_empty()
    }

    /// Takes all own messages, oldest first.
    #[inline]
    pub fn drain(&mut self, out: &mut VecDeque<T>) -> usize {
        self.exchange.stations[self.id].inbox.drain(out, &mut self.nodes)
    }

    /// Takes all messages of a shard that sleeps, oldest first. Only for one that holds what the shard's own thread holds when it
    /// takes them, or their order would be lost.
    pub fn drain_of(&mut self, shard: usize, out: &mut VecDeque<T>) -> usize {
        self.exchange.stations[shard].inbox.drain(out, &mut self.nodes)
    }

    /// Announces that this shard is about to sleep. False: there is mail, do not sleep.
    pub fn prepare_sleep(&self) -> bool {
        let own = &self.exchange.stations[self.id];
        own.asleep.0.store(true, Ordering::SeqCst);
        if own.inbox.is_empty() {
            return true;
        }
        own.asleep.0.store(false, Ordering::SeqCst);
        false
    }

    /// Says that this shard runs again.
    #[inline]
    pub fn awake(&self) {
        let asleep = &self.exchange.stations[self.id].asleep.0;
        if asleep.load(Ordering::Relaxed) {
            asleep.store(false, Ordering::SeqCst);
        }
    }
}

impl<T> Exchange<T> {
    fn sleeps(&self, shard: usize) -> bool {
        self.stations[shard].asleep.0.load(Ordering::SeqCst)
    }

    fn enter_shared(&self, own: &Station<T>) {
        loop {
            own.pushing.0.store(true, Ordering::SeqCst);
            if !self.exclusive.0.load(Ordering::SeqCst) {
                return;
            }
            own.pushing.0.store(false, Ordering::SeqCst);
            wait_until(|| !self.exclusive.0.load(Ordering::SeqCst));
        }
    }

    fn enter_exclusive(&self) {
        let exclusive = &self.exclusive.0;
        while exclusive.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            wait_until(|| !exclusive.load(Ordering::SeqCst));
        }
        for station in &self.stations {
            wait_until(|| !station.pushing.0.load(Ordering::SeqCst));
        }
    }
}

/// Spins briefly, then gives the processor away: the one waited for may need this very core.
fn wait_until(mut done: impl FnMut() -> bool) {
    for _ in 0..SPINS {
        if done() {
            return;
        }
        spin_loop();
    }
    while !done() {
        yield_now();
    }
}
