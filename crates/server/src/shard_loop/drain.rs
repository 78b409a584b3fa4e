//! The end of a shard: what was asked is answered, then all shards leave together. After a last save nothing is begun any more, though
//! it was asked.
//!
//! Input that has not been read stays unread. A client that does not read its replies delays the end, but not for long, and not
//! after SHUTDOWN NOW.

use super::ShardLoop;
use runtime::{Event, clock};
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long clients may take to read what is pending.
const DRAIN_US_MAX: u64 = 1_000_000;
/// A request that is still unanswered after this long without mail waits for something else than a shard.
const QUIET_US: u64 = 50_000;
/// Pause between two looks at the mailbox; nobody wakes a shard now.
const PAUSE: Duration = Duration::from_millis(1);

impl ShardLoop {
    /// Sends what is owed.
    ///
    /// # Errors
    /// When the reactor fails.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        self.listeners.iter().flatten().for_each(|listener| listener.stop());
        self.unread.clear();
        let (_, start_us) = clock::now();
        let (mut last_mail_us, mut settled) = (start_us, false);
        loop {
            self.events.clear();
            let goes_on = !self.unsent.is_empty() || !self.line.is_empty() || self.shard.has_ready_input();
            let pause = if goes_on { Duration::ZERO } else { PAUSE };
            self.reactor.wait(Some(pause), &mut self.events)?;
            let (now_ms, now_us) = clock::now();
            self.shard.set_time(now_ms, now_us);
            for event in std::mem::take(&mut self.events) {
                if let Event::Writable(token) = event {
                    self.send(token);
                }
            }
            if self.port.has_mail() {
                last_mail_us = now_us;
            }
            self.take_mail();
            self.execute();
            self.shard.work_on_parts();
            self.shard.send_news();
            self.publish();
            self.flush();
            let quiet = now_us - last_mail_us > QUIET_US;
            if !settled && self.is_settled(quiet) {
                settled = true;
                self.process.settled.fetch_add(1, Ordering::SeqCst);
            }
            let all = self.process.settled.load(Ordering::SeqCst) == self.port.shards();
            if all || now_us - start_us > DRAIN_US_MAX {
                return Ok(());
            }
        }
    }

    /// Whether nobody waits for this shard's replies. With `quiet`, what is still unanswered does not count.
    fn is_settled(&self, quiet: bool) -> bool {
        let has_tried_all = self.unsent.is_empty() && self.line.is_empty();
        let at_once = self.process.at_once.load(Ordering::SeqCst) && has_tried_all;
        !self.shard.has_ready_input()
            && self.shard.cx.sessions.iter().all(|(token, _)| {
                let conn = self.shard.conn(token);
                (at_once || conn.out.is_empty()) && (quiet || conn.is_in_order() || conn.blocked.is_some())
            })
    }
}
