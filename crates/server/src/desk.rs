//! A shard and its mail, and who sits at them: the shard's own thread while it is awake; while it sleeps, whoever brings mail may
//! run that on the spot (see `docs/decisions/visits.md`).
//!
//! The lock is taken once per sleep, not per turn. It protects everything of a shard but what belongs to its thread: the reactor,
//! the sockets, the buffers.

use crate::shard_loop::Mail;
use shard::Shard;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, TryLockError};

pub struct Desk {
    pub shard: Shard,
    /// Taken out of the mailbox and not run yet, oldest first.
    pub mail: VecDeque<Mail>,
    pub looks_again: LooksAgain,
}

/// What visitors have to know of the shard's thread while it sleeps.
#[derive(Clone, Copy, Default)]
pub struct LooksAgain {
    /// It will not look again by itself before this time; `None`: not at all.
    pub at_us: Option<u64>,
    /// There may be something to be looked after at every tick.
    pub needs_ticks: bool,
}

/// Lives as long as the process.
pub type SharedDesk = &'static Mutex<Desk>;

/// Puts a shard on a desk of its own.
pub fn set_up(shard: Shard) -> SharedDesk {
    Box::leak(Box::new(Mutex::new(Desk { shard, mail: VecDeque::new(), looks_again: LooksAgain::default() })))
}

/// The desk, if nobody sits there.
pub fn visit(desk: SharedDesk) -> Option<MutexGuard<'static, Desk>> {
    match desk.try_lock() {
        Ok(desk) => Some(desk),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(_)) => unreachable!("a panic ends the process"),
    }
}

/// A shard's own thread at its desk.
pub struct Seated {
    desk: SharedDesk,
    guard: Option<MutexGuard<'static, Desk>>,
}

const AWAY: &str = "the shard's thread sits at its desk whenever it is awake";

impl Seated {
    pub fn new(desk: SharedDesk) -> Self {
        let mut seated = Self { desk, guard: None };
        seated.sit_down();
        seated
    }

    /// Takes the seat; a visitor finishes first.
    pub fn sit_down(&mut self) {
        if self.guard.is_none() {
            self.guard = Some(self.desk.lock().expect("a panic ends the process"));
        }
    }

    /// Leaves the desk to visitors, to look again at the given time.
    pub fn leave(&mut self, looks_again: LooksAgain) {
        if let Some(mut desk) = self.guard.take() {
            desk.looks_again = looks_again;
        }
    }

    pub fn desk(&mut self) -> &mut Desk {
        self.guard.as_mut().expect(AWAY)
    }

    pub fn mail(&mut self) -> &mut VecDeque<Mail> {
        &mut self.desk().mail
    }
}

impl Deref for Seated {
    type Target = Shard;

    #[inline]
    fn deref(&self) -> &Shard {
        &self.guard.as_ref().expect(AWAY).shard
    }
}

impl DerefMut for Seated {
    #[inline]
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.guard.as_mut().expect(AWAY).shard
    }
}
