//! The loop of one shard's thread: the turn of `docs/ARCHITECTURE.md`, on a real reactor.

mod accept;
mod drain;
mod gate;
mod input;
mod large;
mod load;
mod mail;
mod messages;
mod output;
mod pinning;
mod save;
mod slowed;
mod spin;
mod together;
mod upkeep;
mod visit;
mod yielding;

use self::input::INPUT_BYTES;
pub use self::mail::Mail;
use self::pinning::Pinning;
use self::spin::Spin;
use crate::desk::{self, LooksAgain, Seated};
use crate::process::Process;
use crate::send::{Sent, Spares};
use command::freeing;
use mailbox::Port;
use runtime::socket::Reserve;
use runtime::{Event, Listener, Reactor, clock};
use shard::{Shard, Step, TURN};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// While clients wait for syncs: what these are to contain may show while another shard runs this one's mail.
const SYNC_LOOK: Duration = Duration::from_millis(10);
/// Listeners' tokens lie above all connections'.
const LISTENER_TOKENS: usize = 1 << 30;

pub struct ShardLoop {
    id: usize,
    pub(crate) shard: Seated,
    reactor: Box<dyn Reactor>,
    port: Port<Mail>,
    pub(crate) process: Arc<Process>,
    /// Their places are their names; those closed leave gaps.
    listeners: Vec<Option<Listener>>,
    /// Which of the shards that take connections gets the next one.
    next_dealt: usize,
    sent: Vec<Sent>,
    spares: Spares,
    /// Connections whose output goes out in one call, and what becomes of that.
    together: Vec<usize>,
    send_results: Vec<std::io::Result<usize>>,
    /// Shards that sleep and have got mail in this turn.
    sleepers: Vec<usize>,
    events: Vec<Event>,
    input: Vec<u8>,
    inputs: Vec<(u32, Range<usize>)>,
    /// Connections that may have more input than was read: they come last in the next turn.
    unread: Vec<usize>,
    /// Connections that were not read at all, for others had used the turn's room: they come first in the next turn.
    passed_over: Vec<usize>,
    /// Connections and listeners that are not looked at before clients are served again.
    shut_out: Vec<usize>,
    /// Connections that are not read until they go on with the input they have.
    halted: Vec<usize>,
    /// Connections that wait until vectors are linked.
    slowed: slowed::Line,
    /// Bytes of large arguments read in this turn.
    large_bytes: usize,
    /// Connections that would take more output than their share of a turn.
    unsent: Vec<usize>,
    /// Connections that have messages and nothing else to be sent, in the order in which they came to that.
    line: VecDeque<u32>,
    /// The number of this turn, from 1.
    turn: u64,
    /// As many purges has this one followed.
    given_back: u64,
    next_tick_us: u64,
    /// When clients and other shards are looked after again while slices of other work follow each other.
    next_round_us: u64,
    /// The next slice of that work is due at once.
    goes_on: bool,
    /// Nothing has happened since the shard went to sleep.
    is_quiet: bool,
    /// When the data have to be looked after again, `u64::MAX` for never, if nothing has happened since that was found out.
    due_us: Option<u64>,
    /// Bytes of data and keys evicted at the last tick.
    told: (u64, u64),
    /// Connections with replies that wait for others, asked of other shards, to go out with them; and until when (µs), in that
    /// order. One that has sent meanwhile knows of another time or none.
    held_back: VecDeque<(usize, u64)>,
    /// How long to look for mail before sleeping, while replies of other shards are awaited.
    spin: Spin,
    /// Lets a connection be answered when no descriptor is left.
    reserve: Reserve,
    next_complaint_us: u64,
    /// Listeners that could not accept and whose connections wait.
    stalled_listeners: Vec<usize>,
    /// Connections above the soft limit of unsent replies.
    slow: Vec<upkeep::Slow>,
    next_idle_check: usize,
    has_more_to_load: bool,
    /// What it has to save waits for the disk.
    is_ahead_of_disk: bool,
    gate: gate::Gate,
    /// When this shard, which looks after that, sees next whether it is time for a save; µs.
    next_save_look_us: u64,
    /// The same for the journal.
    next_log_look_us: u64,
    /// When this shard, which shares its processor, let others have it last; µs.
    gave_way_us: u64,
    pinning: Pinning,
    /// Since when its time awake is not counted yet, 0 if it has just slept; µs.
    awake_since_us: u64,
    /// Before this time no slice of work offers the processor to others.
    offers_processor_at_ns: u64,
}

/// How often a shard that shares its processor, and always finds something to do, lets others have it, µs: the scheduler would do that every few
/// milliseconds, in the middle of a turn.
const GIVES_WAY_EVERY_US: u64 = 500;

impl ShardLoop {
    pub fn new(
        shard: Shard,
        reactor: Box<dyn Reactor>,
        port: Port<Mail>,
        process: Arc<Process>,
        listeners: Vec<Listener>,
    ) -> Self {
        let id = usize::from(shard.cx.id);
        let pinning = Pinning::new(!process.moves_among.is_empty());
        let desk = process.desks[id].get_or_init(|| desk::set_up(shard));
        Self {
            id,
            shard: Seated::new(desk),
            reactor,
            port,
            process,
            listeners: listeners.into_iter().map(Some).collect(),
            next_dealt: 0,
            sent: Vec::new(),
            spares: Spares::default(),
            together: Vec::new(),
            send_results: Vec::new(),
            sleepers: Vec::new(),
            events: Vec::new(),
            input: vec![0; INPUT_BYTES],
            inputs: Vec::new(),
            unread: Vec::new(),
            passed_over: Vec::new(),
            shut_out: Vec::new(),
            halted: Vec::new(),
            slowed: slowed::Line::default(),
            large_bytes: 0,
            unsent: Vec::new(),
            line: VecDeque::new(),
            turn: 0,
            given_back: 0,
            next_tick_us: 0,
            next_round_us: 0,
            goes_on: false,
            is_quiet: false,
            due_us: None,
            told: (0, 0),
            held_back: VecDeque::new(),
            spin: Spin::default(),
            reserve: Reserve::new(),
            next_complaint_us: 0,
            stalled_listeners: Vec::new(),
            slow: Vec::new(),
            next_idle_check: 0,
            has_more_to_load: false,
            is_ahead_of_disk: false,
            gate: gate::Gate::default(),
            next_save_look_us: 0,
            next_log_look_us: 0,
            gave_way_us: 0,
            pinning,
            awake_since_us: 0,
            offers_processor_at_ns: 0,
        }
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// When the reactor fails.
    pub fn listen(&mut self) -> std::io::Result<()> {
        for (index, listener) in self.listeners.iter().flatten().enumerate() {
            self.reactor.add_listener(LISTENER_TOKENS + index, listener.fd())?;
        }
        Ok(())
    }

    /// Runs until the process ends.
    ///
    /// # Errors
    /// When the reactor fails.
    pub fn run(mut self) -> std::io::Result<()> {
        while !self.process.ending.load(Ordering::Relaxed) {
            self.turn()?;
        }
        self.drain()?;
        // The process ends now: giving back every key's memory would only take time.
        std::mem::forget(self);
        Ok(())
    }

    fn turn(&mut self) -> std::io::Result<()> {
        // Here and not among the commands of a turn: these have been answered, and who asks meanwhile is heard next.
        let has_worked = self.shard.work_on_parts();
        if has_worked {
            self.offer_processor();
        }
        self.wait(has_worked)?;
        self.process.exchange_memory(&mut self.shard);
        self.process.saver.tell(&mut self.shard.cx);
        if self.shard.cx.is_loading {
            self.see_to_loading();
        }
        if self.process.journal.opening() != self.shard.cx.journal.opening && !self.shard.cx.is_loading {
            self.follow_journal();
        }
        for step in TURN {
            match step {
                Step::Collect => self.collect(),
                Step::Mail => self.take_mail(),
                Step::Execute => {
                    self.execute();
                    self.see_to_requests();
                }
                Step::Publish => self.publish(),
                Step::Send => {
                    self.flush();
                    self.move_away();
                }
            }
        }
        let (now_ms, now_us) = (self.shard.cx.now_ms, self.shard.cx.now_us);
        if self.awake_since_us == 0 {
            self.awake_since_us = now_us;
        }
        if now_us >= self.next_tick_us {
            self.tick(now_ms, now_us);
        } else if self.shard.cx.indexes.are_links_behind() {
            self.link_on();
        }
        if now_us >= self.pinning.next_look_us {
            self.look_at_pinning(now_us);
        }
        if freeing::is_due(&self.shard.cx) {
            self.free_memory();
        }
        if self.shard.cx.is_saving() {
            self.save_on();
        }
        self.see_to_saves();
        let purges = self.process.purges.load(Ordering::Relaxed);
        if purges != self.given_back {
            self.follow_purge(purges);
        }
        if self.shard.has_added() {
            // What is over or evicted.
            self.process.journal.take_from(&mut self.shard);
            self.process.journal.ask_for_sync(0);
        }
        Ok(())
    }

    /// Waits for events, but not if there is something to do: what parts of commands have said, if they were at work, is on nobody's list yet.
    fn wait(&mut self, has_worked: bool) -> std::io::Result<()> {
        self.events.clear();
        if !self.halted.is_empty() {
            self.end_halts();
        }
        if !self.slowed.is_empty() {
            self.end_slowness();
        }
        if !self.shut_out.is_empty() && !self.shard.cx.is_closed {
            self.unread.append(&mut self.shut_out);
        }
        let busy = has_worked
            || !self.unread.is_empty()
            || !self.passed_over.is_empty()
            || !self.unsent.is_empty()
            || !self.line.is_empty()
            || self.port.has_mail()
            || !self.shard.mail().is_empty()
            || self.shard.has_ready_input()
            || self.shard.has_outgoing()
            || self.goes_on
            || self.saves_on()
            || self.loads_on()
            || self.gate_opens()
            || freeing::is_due(&self.shard.cx);
        if busy || self.spin.until_mail(&self.port, self.shard.awaits_others()) {
            (self.is_quiet, self.due_us) = (false, None);
            return self.reactor.wait(Some(Duration::ZERO), &mut self.events);
        }
        let (_, now_us) = clock::now();
        self.count_awake(now_us);
        self.awake_since_us = 0;
        let own = self.requests_timeout(self.sleep_max(now_us));
        // Visitors must find the desk free whenever they find this shard asleep for long: but first, it is asleep.
        if !self.port.prepare_sleep() {
            (self.is_quiet, self.due_us) = (false, None);
            return self.reactor.wait(Some(Duration::ZERO), &mut self.events);
        }
        let held = self.held_back.front();
        let held = held.map(|(_, until_us)| Duration::from_micros(until_us.saturating_sub(now_us).max(1)));
        let look = self.shard.awaits_sync().then_some(SYNC_LOOK);
        let slowed = (!self.slowed.is_empty()).then_some(slowed::LOOK);
        let timeout = own.into_iter().chain(held).chain(look).chain(slowed).min();
        let at_us = own.map(|own| now_us + own.as_micros() as u64);
        self.shard.leave(LooksAgain { at_us, needs_ticks: upkeep::needs_ticks(&self.shard.cx) });
        if self.process.shares_processors && now_us >= self.gave_way_us + GIVES_WAY_EVERY_US {
            self.gave_way_us = now_us;
            std::thread::yield_now();
        }
        let result = self.reactor.wait(timeout, &mut self.events);
        self.port.awake();
        self.shard.sit_down();
        self.is_quiet = self.events.is_empty() && !self.port.has_mail() && self.shard.mail().is_empty();
        if !self.is_quiet {
            self.due_us = None;
        }
        result
    }

    /// Counts the time up to now among that in which this shard did not sleep.
    fn count_awake(&mut self, now_us: u64) {
        if self.awake_since_us > 0 {
            self.shard.cx.stats.awake_us += now_us.saturating_sub(self.awake_since_us);
        }
        self.awake_since_us = now_us;
    }

    /// Step 3: parses and runs what was collected.
    fn execute(&mut self) {
        if self.shard.cx.is_closed && self.inputs.is_empty() {
            // Only what has begun goes on.
            return self.shard.resume_input();
        }
        self.shard.end_pause();
        self.shard.end_waits();
        let inputs = std::mem::take(&mut self.inputs);
        self.shard.receive(&self.input, &inputs);
        self.inputs = inputs;
        self.inputs.clear();
        self.shard.resume_input();
    }

    pub(crate) fn close(&mut self, token: usize) {
        drop(self.reactor.remove(token));
        // The number may go to a new connection before this turn's input is executed, which is not its.
        self.inputs.retain(|(conn, _)| *conn as usize != token);
        if self.shard.conn(token).open {
            self.shard.close(token);
            self.process.clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
