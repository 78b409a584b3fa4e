//! What a shard does now and then, and what it does not put up with: expired keys, idle clients, clients that send too much
//! or read too slowly.
//!
//! Nothing here runs while there is nothing to look after: an idle shard sleeps until the next key or field expires, or for good.
//! Only what it does itself can bring that forward, and whoever takes memory that it must give wakes it.

use super::ShardLoop;
use crate::log;
use command::{ShardCx, freeing};
use config::OutputLimit;
use runtime::{Waker, clock};
use shard::conn::Slowing;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time between two rounds while the shard is awake.
pub(super) const TICK_US: u64 = 100_000;
/// Time between two looks at the clients and at the other shards while there is more to expire or to evict.
const SHORT_TICK_US: u64 = 10_000;
/// Share of the time (percent) for what is expired and evicted while clients ask for something, and how much more each step
/// of `active-expire-effort` gives; as in Redis.
const BUSY_SHARE: u64 = 25;
const BUSY_SHARE_STEP: u64 = 2;
/// No clock is trusted for longer: the time of day, by which keys expire, may be set.
const SLEEP_US_MAX: u64 = 60_000_000;
/// Time between two rounds when only clients have to be looked after.
const CLIENT_TICK_US: u64 = 1_000_000;
/// Time for giving memory back in one turn, while nobody asks for anything and while somebody does.
const FREE_IDLE_NS: u64 = 500_000;
const FREE_BUSY_NS: u64 = 100_000;
/// Clients looked at in one round, at least; a quarter of them if that is more.
const IDLE_CHECKS_MIN: usize = 1024;
/// No limit on a client's input is lower, so that less need not be looked at.
const INPUT_BYTES_FREE: usize = 1 << 20;
/// Input of one client before it has given its password.
const INPUT_BYTES_MAX_BEFORE_AUTH: usize = 1 << 20;
/// Input of one client outside its large arguments at most, whatever is configured: positions in it have 32 bits.
const INPUT_BYTES_MAX: usize = command::args::INSIDE_BYTES_MAX;

/// A client whose unsent replies exceed the soft limit.
pub(super) struct Slow {
    token: u32,
    generation: u32,
    since_ms: u64,
}

impl ShardLoop {
    /// How long the shard may sleep; `None`: until something happens.
    pub(super) fn sleep_max(&self, now_us: u64) -> Option<Duration> {
        let cx = &self.shard.cx;
        let clients = !self.slow.is_empty() || cx.config.timeout_s > 0 && !cx.sessions.is_empty();
        let stalled = !self.stalled_listeners.is_empty();
        let data = needs_ticks(cx);
        let round = stalled || data && self.due_us.is_none();
        let due_us = if round { Some(self.next_tick_us) } else { self.due_us.filter(|_| data) };
        let due_us = due_us.filter(|&at_us| at_us != u64::MAX).map(|at_us| at_us.max(self.next_tick_us));
        let wait_us = due_us.map(|at_us| at_us.saturating_sub(now_us));
        let deadline_us = self.shard.next_deadline_us().map(|at_us| at_us.saturating_sub(now_us));
        let saves_us = self.sleep_for_saves_us(now_us);
        let wait_us = wait_us.into_iter().chain(deadline_us).chain(saves_us).min();
        let wait_us = if clients { Some(wait_us.unwrap_or(u64::MAX).min(CLIENT_TICK_US)) } else { wait_us };
        wait_us.map(|wait_us| Duration::from_micros(wait_us.max(1)))
    }

    /// When the next round is due if nothing happens until then; `None` if that cannot be said.
    fn next_due_us(&self, now_ms: u64, now_us: u64) -> Option<u64> {
        let due_ms = command::sweep::next_due_ms(&self.shard.cx)?;
        if due_ms == u64::MAX {
            return Some(due_ms);
        }
        Some(now_us + due_ms.saturating_sub(now_ms).saturating_mul(1000).min(SLEEP_US_MAX))
    }

    /// Gives some memory back that nobody needs any more; the next turn goes on with it.
    #[cold]
    pub(super) fn free_memory(&mut self) {
        let nanos = if self.events.is_empty() { FREE_IDLE_NS } else { FREE_BUSY_NS };
        if freeing::slice(&mut self.shard.cx, nanos).has_purged {
            // Some of it came from the heaps of others, who have visited this shard or read the values for it.
            self.given_back = self.process.purges.fetch_add(1, Ordering::Relaxed) + 1;
            self.wake_others();
        }
    }

    /// Gives memory back that another shard has freed.
    #[cold]
    pub(super) fn follow_purge(&mut self, purges: u64) {
        self.given_back = purges;
        let begun_ns = clock::monotonic_ns();
        runtime::memory::give_back();
        self.shard.cx.check_latency("lazyfree-cycle", clock::monotonic_ns() - begun_ns);
    }

    fn wake_others(&self) {
        let others = self.process.wakers.iter().enumerate().filter(|(id, _)| *id != self.id);
        others.filter_map(|(_, waker)| waker.get()).for_each(Waker::wake);
    }

    /// One round, at most ten times a second; while there is more to expire, to evict, to index or to link, a short slice of that again and
    /// again, for a shard never stands still for long.
    pub(super) fn tick(&mut self, now_ms: u64, now_us: u64) {
        // A pause keeps the data as it is.
        let paused = self.shard.cx.pause.is_some();
        let (_, begun_us) = clock::now();
        self.count_awake(begun_us);
        let evicted = self.shard.cx.stats.evicted_keys;
        self.shard.cx.cursors.sweep(now_us);
        self.shard.expire_index();
        let more_expires = !paused && command::sweep::sweep(&mut self.shard.cx);
        let bytes = self.shard.cx.used_bytes();
        let more_to_evict = command::eviction::tick(&mut self.shard.cx);
        let more_to_index = !paused && self.shard.cx.scan_for_indexes();
        let beside_searches = self.shard.has_queued_parts();
        let more_to_index = self.shard.cx.link_for_indexes(beside_searches) || more_to_index;
        let evicts = self.shard.cx.used_bytes() < bytes;
        let evicts_keys = self.shard.cx.stats.evicted_keys > evicted;
        let more = more_expires || more_to_evict || more_to_index;
        self.next_tick_us = match more {
            true if more_expires || more_to_index || evicts_keys => self.after_slice(begun_us),
            // Others have to evict, or nobody can.
            true => now_us + SHORT_TICK_US,
            false => now_us + TICK_US,
        };
        self.goes_on = self.next_tick_us <= begun_us || self.shard.cx.indexes.are_links_behind();
        if self.goes_on {
            self.offer_processor();
        }
        let settled = self.is_quiet && !paused && !more && !evicts;
        self.due_us = if settled { self.next_due_us(now_ms, now_us) } else { None };
        if !more || now_us >= self.next_round_us {
            self.next_round_us = now_us + SHORT_TICK_US;
            self.call_for_eviction();
            self.close_idle(now_ms);
            self.close_slow(now_ms);
            self.retry_listeners();
        }
    }

    /// Links vectors while too many are not linked: in each turn, for others may wait for that. What else a tick does keeps its share of the time.
    #[cold]
    pub(super) fn link_on(&mut self) {
        let beside_searches = self.shard.has_queued_parts();
        self.shard.cx.link_for_indexes(beside_searches);
        self.offer_processor();
        self.see_to_links();
    }

    /// Whether slices of links go on in each turn; those that are left then go on with the next tick, which is due.
    pub(super) fn see_to_links(&mut self) {
        let was_behind = std::mem::replace(&mut self.goes_on, self.shard.cx.indexes.are_links_behind());
        if was_behind && !self.goes_on {
            self.next_tick_us = 0;
        }
    }

    /// When the next slice is due: at once if nobody asks for anything.
    fn after_slice(&self, begun_us: u64) -> u64 {
        if self.events.is_empty() {
            return begun_us;
        }
        let share = BUSY_SHARE + BUSY_SHARE_STEP * (self.shard.cx.config.active_expire_effort as u64 - 1);
        let (_, now_us) = clock::now();
        now_us + now_us.saturating_sub(begun_us) * (100 - share) / share
    }

    /// Wakes the other shards if all must evict, and this one has grown or evicts.
    fn call_for_eviction(&mut self) {
        let told = (self.shard.cx.used_bytes(), self.shard.cx.stats.evicted_keys);
        let (bytes, evicted) = std::mem::replace(&mut self.told, told);
        if (told.0 > bytes || told.1 > evicted) && command::eviction::concerns_all(&self.shard.cx) {
            self.process.exchange_memory(&mut self.shard);
            self.wake_others();
        }
    }

    /// Whether a connection that has just sent `count` bytes has sent too many that cannot be executed yet.
    #[inline]
    pub(super) fn sends_too_much(&mut self, token: usize, count: usize) -> bool {
        let conn = self.shard.conn(token);
        let bytes = conn.input_bytes() + conn.queued_bytes() + count;
        bytes > INPUT_BYTES_FREE && self.exceeds_input_limit(token, bytes)
    }

    #[cold]
    fn exceeds_input_limit(&mut self, token: usize, bytes: usize) -> bool {
        let most = self.shard.cx.config.client_query_buffer_limit;
        let unknown = !self.shard.conn(token).authenticated && bytes > INPUT_BYTES_MAX_BEFORE_AUTH;
        let over = unknown || bytes as u64 > most || self.shard.conn(token).input.len() > INPUT_BYTES_MAX;
        if over {
            self.shard.cx.stats.input_limit_closed += 1;
            let client = self.describe(token);
            log::warning(format_args!(
                "Closing client that reached max query buffer length: {client} qbuf={bytes}"
            ));
        }
        over
    }

    /// How much a client may leave unread.
    fn output_limit(&self, token: usize) -> OutputLimit {
        let limits = &self.shard.cx.config.client_output_buffer_limit;
        if self.shard.conn(token).subscribed { limits.pubsub } else { limits.normal }
    }

    /// Whether a connection whose socket takes no more, or whose replies wait for others, must be closed for what has not been sent.
    #[cold]
    pub(super) fn reads_too_slowly(&mut self, token: usize) -> bool {
        let limit = self.output_limit(token);
        let bytes = self.unsent_bytes(token);
        if exceeds(bytes, limit.hard_bytes) {
            self.log_slow(token, bytes);
            return true;
        }
        let generation = self.shard.conn(token).generation;
        let known = |slow: &Slow| slow.token as usize == token && slow.generation == generation;
        if exceeds(bytes, limit.soft_bytes) && !self.slow.iter().any(known) {
            self.slow.push(Slow { token: token as u32, generation, since_ms: self.shard.cx.now_ms });
        }
        false
    }

    /// Closes the clients that have been above the soft limit for too long; forgets those that are below it again.
    fn close_slow(&mut self, now_ms: u64) {
        if self.slow.is_empty() {
            return;
        }
        for slow in std::mem::take(&mut self.slow) {
            let token = slow.token as usize;
            let (conn, limit) = (self.shard.conn(token), self.output_limit(token));
            let same = conn.open && conn.generation == slow.generation;
            let bytes = if same { self.unsent_bytes(token) } else { 0 };
            if !same || !exceeds(bytes, limit.soft_bytes) {
                continue;
            }
            if is_over(&limit, now_ms.saturating_sub(slow.since_ms)) {
                self.log_slow(token, bytes);
                self.close(token);
            } else {
                self.slow.push(slow);
            }
        }
    }

    /// Closes some of the clients that have neither sent nor read anything for `timeout`. One that waits for a reply is not
    /// idle, nor is one that listens.
    fn close_idle(&mut self, now_ms: u64) {
        let timeout_ms = u64::from(self.shard.cx.config.timeout_s) * 1000;
        let tokens = self.sent.len();
        if timeout_ms == 0 || tokens == 0 {
            return;
        }
        for _ in 0..(tokens / 4).max(IDLE_CHECKS_MIN).min(tokens) {
            self.next_idle_check = (self.next_idle_check + 1) % tokens;
            let token = self.next_idle_check;
            let conn = self.shard.conn(token);
            // It may have sent something that we do not read.
            let is_slowed = conn.slowing == Slowing::InLine;
            let idle = now_ms.saturating_sub(conn.last_active_ms) > timeout_ms && !is_slowed;
            let listens = conn.subscribed || self.shard.cx.monitoring.contains(&token);
            if idle && conn.open && conn.outstanding() == 0 && !listens {
                log::verbose("Closing idle client");
                self.close(token);
            }
        }
    }

    /// Bytes of replies that the system has not taken, those that wait for others included.
    pub(super) fn unsent_bytes(&self, token: usize) -> usize {
        let conn = self.shard.conn(token);
        self.sent[token].unsent(&conn.out) + conn.held_bytes()
    }

    /// Closes a client for what it has not read.
    pub(crate) fn close_slow_now(&mut self, token: usize, bytes: usize) {
        if self.shard.conn(token).open {
            self.log_slow(token, bytes);
            self.close(token);
        }
    }

    /// Notes that a client is closed for what it has not read.
    fn log_slow(&mut self, token: usize, bytes: usize) {
        self.shard.cx.stats.output_limit_closed += 1;
        let client = self.describe(token);
        log::warning(format_args!(
            "Client {client} omem={bytes} closed for overcoming of output buffer limits."
        ));
    }

    fn describe(&self, token: usize) -> String {
        match self.shard.cx.sessions.get(token) {
            Some(session) => {
                let (id, addr, local) = (session.id, &session.addr, &session.local_addr);
                format!("id={id} addr={addr} laddr={local}")
            }
            None => "id=?".to_owned(),
        }
    }
}

/// Whether a shard's data must be looked after even if nobody asks for anything.
pub(super) fn needs_ticks(cx: &ShardCx) -> bool {
    cx.limits.memory_bytes_max != 0
        || cx.dbs.iter().any(|db| db.has_expiry())
        || cx.indexes.have_keys_to_see()
        || cx.indexes.have_links_to_make()
        || !cx.cursors.is_empty()
        || cx.indexes.have_temporary()
}

/// Whether `bytes` reach a limit; 0 is none.
fn exceeds(bytes: usize, limit: u64) -> bool {
    limit > 0 && bytes as u64 >= limit
}

/// Whether the time above the soft limit is over.
fn is_over(limit: &OutputLimit, elapsed_ms: u64) -> bool {
    elapsed_ms > limit.soft_seconds.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_exceeded_by_nothing() {
        assert!(!exceeds(usize::MAX, 0));
        assert!(!exceeds(9, 10));
        assert!(exceeds(10, 10));
        let limit = OutputLimit { hard_bytes: 0, soft_bytes: 1, soft_seconds: 2 };
        assert!(!is_over(&limit, 2000) && is_over(&limit, 2001));
    }
}
