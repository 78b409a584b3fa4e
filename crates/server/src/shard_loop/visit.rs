//! Running the mail of a shard that sleeps, instead of waking it.
//!
//! To wake a thread costs more than a few commands, on both sides, and its replies cost a second wake-up. So whoever has brought
//! commands to a sleeping shard sits down at its desk, if they are few and short, and does what its thread would do in a turn
//! that has nothing but mail. The same with the reply that a client of that shard waits for, if there is nothing else between them: it
//! is sent from here. Everything else is left where it lies, and the thread is woken.

use super::upkeep::TICK_US;
use super::{Mail, ShardLoop};
use crate::desk::{self, Desk, LooksAgain};
use command::freeing;
use runtime::Socket;
use runtime::clock;
use shard::{Message, Shard, VISIT_COMMANDS_MAX};
use std::collections::VecDeque;

/// Bytes of a reply that is sent for a sleeper.
const REPLY_BYTES_MAX: usize = 16 * 1024;
/// A turn goes on with the replies that visits have brought, but not for ever.
const ROUNDS_MAX: usize = 8;

impl ShardLoop {
    /// Step 4: hands this turn's messages over, and sees to those who sleep.
    pub(super) fn publish(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.hand_over();
            if !self.visit_sleepers() {
                return;
            }
            // Another turn, whose input is nothing: what visits have answered goes out with the replies of this one.
            self.take_mail();
            self.shard.resume_input();
            self.see_to_requests();
        }
        self.hand_over();
        // What these answer is for the next turn.
        self.visit_sleepers();
    }

    /// Runs the mail of shards that sleep, or wakes them; whether there is new mail here.
    fn visit_sleepers(&mut self) -> bool {
        if self.sleepers.is_empty() {
            return false;
        }
        while let Some(to) = self.sleepers.pop() {
            if self.visit(to) {
                self.shard.cx.stats.visits += 1;
            } else {
                self.rouse(to);
            }
        }
        self.port.has_mail() || !self.shard.mail().is_empty()
    }

    fn rouse(&self, to: usize) {
        if self.port.rouse(to) {
            super::mail::wake(&self.process.wakers, to);
        }
    }

    /// Runs the mail of another shard; whether its own thread may sleep on.
    fn visit(&mut self, to: usize) -> bool {
        let Some(mut desk) = self.process.desks[to].get().and_then(|desk| desk::visit(desk)) else {
            return false;
        };
        let Desk { shard, mail, looks_again } = &mut *desk;
        if shard.cx.is_loading {
            // It has not looked yet whether all have loaded.
            return false;
        }
        let mut looks_again = *looks_again;
        self.port.drain_of(to, mail);
        let (now_ms, now_us) = clock::now();
        shard.set_time(now_ms, now_us);
        self.process.saver.tell(&mut shard.cx);
        self.process.exchange_memory(shard);
        let (mut left, mut writes) = (VISIT_COMMANDS_MAX, false);
        while let Some(message) = next_short(shard, mail, &mut left, &mut writes) {
            if let Some((from, turn)) = message.armed_by() {
                self.port.wait_armed(from, turn);
            }
            shard.on_message(message);
        }
        shard.send_news();
        self.process.journal.take_from(shard);
        self.process.exchange_memory(shard);
        if shard.outgoing.put_news_first() {
            for (receiver, mut message) in shard.outgoing.posts.drain(..) {
                message.see(|| self.port.published(receiver));
                if receiver == self.id {
                    // As if by the mailbox: behind all that has come, and before all that this shard sends once it is left.
                    let own = self.shard.mail();
                    self.port.drain(own);
                    own.push_back(message.into());
                } else if self.port.push(receiver, message.into()) {
                    self.sleepers.push(receiver);
                }
            }
        }
        let has_outgoing = shard.has_outgoing();
        // Replies that must wait for the journal are its thread's affair.
        if !shard.dirty_conns.is_empty() && !has_outgoing && !self.process.journal.holds_back() {
            send_for(shard);
        }
        looks_again.needs_ticks = looks_again.needs_ticks || writes && super::upkeep::needs_ticks(&shard.cx);
        desk.looks_again = looks_again;
        let Desk { shard, mail, .. } = &*desk;
        mail.is_empty() && !has_outgoing && may_sleep_on(shard, now_us, looks_again)
    }
}

/// Takes the next message if visitors run it, and it takes no longer than as many commands as are `left`; whether it `writes`.
#[inline]
fn next_short(
    shard: &Shard,
    mail: &mut VecDeque<Mail>,
    left: &mut usize,
    writes: &mut bool,
) -> Option<Message> {
    let errand = match mail.front()? {
        Mail::Commands(batch) => shard.are_commands_for_visitors(batch)?,
        Mail::Replies(batch) => shard.are_replies_for_visitors(batch)?,
        Mail::Other(message) => shard.is_word_for_visitors(message)?,
        Mail::Adopt { .. } | Mail::Move(_) => return None,
    };
    *left = left.checked_sub(errand.commands)?;
    *writes |= errand.writes;
    match mail.pop_front()? {
        Mail::Commands(batch) => Some(Message::Commands(batch)),
        Mail::Replies(batch) => Some(Message::Replies(batch)),
        Mail::Other(message) => Some(*message),
        Mail::Adopt { .. } | Mail::Move(_) => unreachable!("as the front was"),
    }
}

/// Sends the replies of a shard that is visited, whose messages are out. Its sockets stay open, for only its own thread closes them. What
/// a socket does not take at once is left to that thread.
fn send_for(shard: &mut Shard) {
    shard.forget_idle_resumes();
    let now_ms = shard.cx.now_ms;
    let mut dirty = std::mem::take(&mut shard.dirty_conns);
    dirty.retain(|&token| {
        let fd = shard.cx.sessions.get(token as usize).map(|session| session.fd);
        let conn = shard.conn_mut(token as usize);
        let is_whole = conn.is_in_order() && !conn.sent_in_part && !conn.closing && conn.out.blobs.is_empty();
        let (Some(fd), true) = (fd, is_whole && (1..=REPLY_BYTES_MAX).contains(&conn.out.len())) else {
            return true;
        };
        let Ok(count) = Socket::send_on(fd, &conn.out.buf) else { return true };
        conn.out.drop_front(count);
        conn.net_out_bytes += count as u64;
        conn.last_active_ms = now_ms;
        conn.dirty = !conn.out.is_empty();
        let is_left = conn.dirty;
        shard.cx.stats.net_out_bytes += count as u64;
        shard.cx.stats.writes += 1;
        is_left
    });
    shard.dirty_conns = dirty;
}

/// Whether a visit has left nothing to do for the thread of the shard before it looks again by itself.
fn may_sleep_on(shard: &Shard, now_us: u64, looks_again: LooksAgain) -> bool {
    // When it went to sleep it knew nothing of what expires now.
    let looks_by = |deadline_us: u64| looks_again.at_us.is_some_and(|at_us| at_us <= deadline_us);
    shard.dirty_conns.is_empty()
        && shard.next_deadline_us().is_none_or(looks_by)
        && shard.cx.effects.is_empty()
        && !shard.has_ready_input()
        && !freeing::is_due(&shard.cx)
        && (!looks_again.needs_ticks || looks_by(now_us + TICK_US))
}
