//! Running the mail of a shard that sleeps, instead of waking it.
//!
//! To wake a thread costs more than a few commands, on both sides, and its replies cost a second wake-up. So whoever has brought
//! commands to a sleeping shard sits down at its desk, if they are few and short, and does what its thread would do in a turn
//! that has nothing but mail. Everything else is left where it lies, and the thread is woken.

use super::upkeep::TICK_US;
use super::{Mail, ShardLoop};
use crate::desk::{self, Desk};
use command::freeing;
use command::spec::{Merge, Plan, flag};
use runtime::clock;
use shard::message::Item;
use shard::{Message, Shard};
use std::collections::VecDeque;

/// Commands that one visit runs; with more, two threads at work are worth a wake-up.
const COMMANDS_MAX: usize = 64;
/// Arguments and their bytes in a message that a visit runs: what takes much to say takes long to do.
const ARGS_MAX: usize = 4 * COMMANDS_MAX;
const ARG_BYTES_MAX: usize = 16 * 1024;
/// A turn goes on with the replies that visits have brought, but not for ever.
const ROUNDS_MAX: usize = 4;

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
            self.shard.resume();
            self.see_to_requests();
        }
        self.hand_over();
        for to in std::mem::take(&mut self.sleepers) {
            self.rouse(to);
        }
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
        self.port.has_mail()
    }

    fn rouse(&self, to: usize) {
        if self.port.rouse(to) {
            super::wake(&self.process.wakers, to);
        }
    }

    /// Runs the mail of another shard; whether its own thread may sleep on.
    fn visit(&mut self, to: usize) -> bool {
        let Some(mut desk) = self.process.desks[to].get().and_then(|desk| desk::visit(desk)) else {
            return false;
        };
        let Desk { shard, mail, looks_again_us } = &mut *desk;
        self.port.drain_of(to, mail);
        let (now_ms, now_us) = clock::now();
        shard.set_time(now_ms, now_us);
        self.process.exchange_memory(shard);
        let mut left = COMMANDS_MAX;
        while let Some(message) = next_short(mail, &mut left) {
            if let Some((from, turn)) = message.armed_by() {
                self.port.wait_armed(from, turn);
            }
            shard.on_message(message);
        }
        shard.send_news();
        self.process.exchange_memory(shard);
        if shard.outgoing.put_news_first() {
            for (receiver, message) in shard.outgoing.posts.drain(..) {
                if self.port.push(receiver, Mail::Shard(message)) && receiver != self.id {
                    self.rouse(receiver);
                }
            }
        }
        mail.is_empty() && !shard.has_outgoing() && may_sleep_on(shard, now_us, *looks_again_us)
    }
}

/// Takes the next message if it is nothing but short commands, no more than are `left`.
fn next_short(mail: &mut VecDeque<Mail>, left: &mut usize) -> Option<Message> {
    let Mail::Shard(Message::Commands(batch)) = mail.front()? else { return None };
    let (count, args) = (batch.items.len(), batch.spans.len());
    let is_large = count > *left || args > ARGS_MAX || batch.args.len() > ARG_BYTES_MAX;
    if is_large
        || batch.earlier.is_some()
        || batch.news.is_some()
        || !batch.outside.is_empty()
        || !batch.items.iter().all(is_short)
    {
        return None;
    }
    *left -= count;
    match mail.pop_front() {
        Some(Mail::Shard(message)) => Some(message),
        _ => unreachable!("as the front was"),
    }
}

/// Whether a command, or its share on one shard, takes little time if it has few arguments.
fn is_short(item: &Item) -> bool {
    let command = item.command;
    let is_brief =
        command.flags & (flag::SHORT | flag::FAST) != 0 || matches!(command.plan, Plan::Split(Merge::Ok));
    let takes_many = command.flags & flag::COUNTED != 0 && item.spans.1 > 2;
    item.ask.runs() && is_brief && !takes_many
}

/// Whether a visit has left nothing to do for the thread of the shard before it looks again by itself.
fn may_sleep_on(shard: &Shard, now_us: u64, looks_again_us: Option<u64>) -> bool {
    // When it went to sleep it knew nothing of what expires now.
    let looks_soon = looks_again_us.is_some_and(|at_us| at_us <= now_us + TICK_US);
    let needs_ticks = super::upkeep::needs_ticks(&shard.cx);
    let looks_in_time =
        |deadline_us: u64| looks_again_us.is_some_and(|looks_again_us| looks_again_us <= deadline_us);
    shard.dirty_conns.is_empty()
        && shard.next_deadline_us().is_none_or(looks_in_time)
        && shard.cx.effects.is_empty()
        && !shard.has_ready_input()
        && !freeing::is_due(&shard.cx)
        && (!needs_ticks || looks_soon)
}
