//! A shard's part of a save, between its clients' commands; and when it is time for one.

use super::ShardLoop;
use super::mail::wake;
use crate::log;
use crate::process::Unsaved;
use command::saving::{Purpose, Saver};
use command::state::Effect;
use runtime::clock;
use runtime::signals::Signal;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Time for it in one turn, while nobody asks for anything and while somebody does.
const IDLE_NS: u64 = 250_000;
const BUSY_NS: u64 = 100_000;
/// Time between two looks whether the disk has caught up.
const DISK_LOOK_US: u64 = 1000;
/// Time between two looks whether a save is due, while there are changes that are not saved.
const POINTS_LOOK_US: u64 = 1_000_000;
/// Time between two looks whether the journal is to be rewritten, while it is written.
const LOG_LOOK_US: u64 = 100_000;
/// The shard that looks.
const LOOKER: usize = 0;
/// After a save that failed the next is tried no sooner (as in Redis), seconds.
const RETRY_S: u64 = 5;

impl ShardLoop {
    /// Whether the next turn should go on with a save at once.
    pub(super) fn saves_on(&self) -> bool {
        self.shard.cx.is_saving() && !self.is_ahead_of_disk
    }

    /// Goes on with a save for a little while, as long as the disk keeps up.
    #[cold]
    pub(super) fn save_on(&mut self) {
        let begun_ns = clock::monotonic_ns();
        let is_idle = self.events.is_empty();
        let nanos = if is_idle { IDLE_NS } else { BUSY_NS };
        loop {
            self.is_ahead_of_disk = self.process.saver.is_behind();
            if self.is_ahead_of_disk || !self.shard.save_on() || clock::monotonic_ns() - begun_ns > nanos {
                break;
            }
        }
        if is_idle {
            self.offer_processor();
        }
    }

    /// How long the shard may sleep as far as saves are concerned, µs.
    pub(super) fn sleep_for_saves_us(&self, now_us: u64) -> Option<u64> {
        let disk = self.shard.cx.is_saving().then_some(DISK_LOOK_US);
        let looks = self.id == LOOKER && !self.shard.cx.config.save.is_empty() && self.unsaved() > 0;
        let points = looks.then(|| self.next_save_look_us.saturating_sub(now_us).max(1));
        let log = (self.id == LOOKER && self.process.saver.awaits_look())
            .then(|| self.next_log_look_us.saturating_sub(now_us).max(1));
        disk.into_iter().chain(points).chain(log).min()
    }

    /// At the end of a turn: what has changed may have to be saved, and the process to end.
    #[inline]
    pub(super) fn see_to_saves(&mut self) {
        if !self.shard.cx.config.save.is_empty() {
            self.tell_unsaved();
        }
        if self.id == LOOKER && self.shard.cx.now_us >= self.next_log_look_us {
            self.look_after_log();
        }
        if self.id == LOOKER && self.process.is_asked_to_end.load(Ordering::Relaxed) {
            self.end_as_configured();
        }
    }

    fn unsaved(&self) -> u64 {
        self.process.unsaved.iter().map(|Unsaved(changes)| changes.load(Ordering::Relaxed)).sum()
    }

    /// Says how much there is that is not saved, and looks whether it is time to save it.
    fn tell_unsaved(&mut self) {
        let now_us = self.shard.cx.now_us;
        let Unsaved(own) = &self.process.unsaved[self.id];
        if own.load(Ordering::Relaxed) != self.shard.cx.dirty {
            let before = own.swap(self.shard.cx.dirty, Ordering::Relaxed);
            if before == 0 && self.id != LOOKER {
                wake(&self.process.wakers, LOOKER);
            }
        }
        if self.id == LOOKER && now_us >= self.next_save_look_us {
            self.next_save_look_us = now_us + POINTS_LOOK_US;
            self.save_if_due();
        }
    }

    #[cold]
    fn save_if_due(&mut self) {
        let (report, unsaved) = (self.process.saver.report(), self.unsaved());
        let now_s = clock::wall_us() / 1_000_000;
        let may_try = report.is_last_ok || now_s.saturating_sub(report.last_try_s) > RETRY_S;
        if report.under_way.is_some() || !may_try {
            return;
        }
        let since_s = now_s.saturating_sub(report.last_save_s);
        let points = &self.shard.cx.config.save;
        let due = points.iter().find(|point| unsaved >= point.changes && since_s > point.seconds);
        if let Some(point) = due {
            let (changes, seconds) = (point.changes, point.seconds);
            log::notice(format_args!("{changes} changes in {seconds} seconds. Saving..."));
            self.begin(Purpose::Snapshot);
        }
    }

    /// What is due begins.
    #[cold]
    fn look_after_log(&mut self) {
        self.next_log_look_us = self.shard.cx.now_us + LOG_LOOK_US;
        if let Some(purpose) = self.process.saver.due(&self.shard.cx.config) {
            self.begin(purpose);
        }
    }

    fn begin(&mut self, purpose: Purpose) {
        if self.shard.cx.open_save(purpose).is_ok() {
            self.shard.save_of_own_accord(purpose);
        }
    }

    /// Saves first, if the signal is to do so, or there are save points; not while data is loading. A save waits for a script that runs
    /// for too long, which only clients can end: they are served until it is over.
    #[cold]
    fn end_as_configured(&mut self) {
        let mut asked_by = self.process.end_asked_by.lock().unwrap_or_else(PoisonError::into_inner);
        let config = &self.shard.cx.config;
        let flags = match *asked_by {
            Some(Signal::Interrupt) => config.shutdown_on_sigint,
            Some(Signal::Terminate) => config.shutdown_on_sigterm,
            None => return,
        };
        let saves = flags.saves(!config.save.is_empty()) && !self.shard.cx.is_loading;
        if saves && self.shard.is_occupied() {
            return;
        }
        *asked_by = None;
        drop(asked_by);
        self.process.is_asked_to_end.store(false, Ordering::Relaxed);
        if self.process.saver.refuses_end(flags.is_forced()) {
            return self.process.forget_end();
        }
        let effect = match saves {
            true => Effect::SaveAndEnd { conn: None, now: flags.is_now(), force: flags.is_forced() },
            false => Effect::Shutdown { now: flags.is_now() },
        };
        self.shard.cx.effects.push(effect);
        // The shard may sleep after this turn.
        self.see_to_requests();
    }
}
