//! The loop of one shard's thread: the turn of `docs/ARCHITECTURE.md`, on a real reactor.

mod accept;
mod drain;
mod gate;
mod large;
mod load;
mod save;
mod spin;
mod together;
mod upkeep;
mod visit;

use self::spin::Spin;
use crate::courier::ProcessCourier;
use crate::desk::{self, LooksAgain, Seated, SharedDesk};
use crate::journal::Journal;
use crate::loading::Progress;
use crate::log;
use crate::saving::ProcessSaver;
use crate::send::{self, Outcome, Sent, Spares};
use command::freeing;
use config::Config;
use mailbox::Port;
use runtime::signals::Signal;
use runtime::socket::Reserve;
use runtime::{Event, Listener, Reactor, Socket, Waker, clock};
use shard::message::Batch;
use shard::{Carrier, Message, Moving, Shard, Step, TURN};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// What travels between shard threads. It is moved several times on its way: two words, of which what comes most needs no more.
pub enum Mail {
    /// As the messages of these names.
    Commands(Box<Batch>),
    Replies(Box<Batch>),
    /// Any other message.
    Other(Box<Message>),
    /// A new connection to serve.
    Adopt {
        socket: Socket,
        is_unix: bool,
    },
    /// A connection that this shard serves most of.
    Move(Box<(Socket, Moving)>),
}

impl From<Message> for Mail {
    #[inline]
    fn from(message: Message) -> Self {
        match message {
            Message::Commands(batch) => Self::Commands(batch),
            Message::Replies(batch) => Self::Replies(batch),
            other => Self::Other(Box::new(other)),
        }
    }
}

/// Input bytes collected before they are executed.
const INPUT_BYTES: usize = 256 * 1024;
/// One connection's share of them per turn.
const INPUT_BYTES_PER_CONN: usize = 32 * 1024;
/// Input of one connection that waits for its own commands, beyond which it is not read for a while.
const HELD_INPUT_BYTES_MAX: usize = 1 << 20;
/// While clients wait for syncs: what these are to contain may show while another shard runs this one's mail.
const SYNC_LOOK: Duration = Duration::from_millis(10);
/// Listeners' tokens lie above all connections'.
const LISTENER_TOKENS: usize = 1 << 30;

/// Replies are held back for others of the same connection this long at most, and up to this many bytes.
const HOLD_BACK_US: u64 = 200;
const HOLD_BACK_BYTES_MAX: usize = 16 * 1024;
const HELD_BACK_MAX: usize = 4096;
/// So many bytes may wait for the reply before them without a look at the client's limit.
const HELD_REPLY_BYTES_FREE: usize = 64 * 1024;

/// Changes on a shard that are not saved. Its thread writes it in nearly every turn: none shares the line.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Unsaved(AtomicU64);

/// What all shard threads share: set-up and a few words about the process, never data.
pub struct Process {
    pub config: Arc<Config>,
    pub wakers: Arc<Vec<OnceLock<Waker>>>,
    pub(crate) desks: Vec<OnceLock<SharedDesk>>,
    pub(crate) saver: Arc<ProcessSaver>,
    /// How far the shards are that load.
    pub(crate) progress: Arc<Progress>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) courier: Arc<ProcessCourier>,
    /// Changes on each shard since the last save, while there are save points.
    unsaved: Vec<Unsaved>,
    /// A signal asks for the end, which shard 0 brings about.
    end_asked_by: Mutex<Option<Signal>>,
    is_asked_to_end: AtomicBool,
    /// A signal has asked for the end, and it has not been found impossible since.
    expects_end: AtomicBool,
    /// How often a shard has freed so much that all should give memory back.
    purges: AtomicU64,
    ending: AtomicBool,
    /// The end does not wait for clients that do not read.
    at_once: AtomicBool,
    next_client: AtomicU64,
    /// Connections that have been let in and are not closed.
    clients: AtomicU64,
    /// Bytes of data of each shard, for `maxmemory`.
    pub used_bytes: Vec<AtomicU64>,
    /// The path of the configuration file, or empty.
    pub config_file: String,
    pub about: OnceLock<Arc<command::platform::About>>,
    /// Shards that owe no reply any more, once the end has been asked for.
    settled: AtomicUsize,
}

impl Process {
    pub fn new(config: Arc<Config>, shards: usize, config_file: String) -> Self {
        let wakers = Arc::new((0..shards).map(|_| OnceLock::new()).collect());
        let progress = Arc::new(Progress::default());
        let journal = Arc::new(Journal::new(&config, Arc::clone(&wakers)));
        let saver = ProcessSaver::new(
            shards as u16,
            Arc::clone(&wakers),
            Arc::clone(&progress),
            Arc::clone(&journal),
        );
        let courier = Arc::new(ProcessCourier::new(Arc::clone(&wakers)));
        Self {
            config,
            courier,
            saver: Arc::new(saver),
            progress,
            journal,
            wakers,
            desks: (0..shards).map(|_| OnceLock::new()).collect(),
            unsaved: (0..shards).map(|_| Unsaved::default()).collect(),
            end_asked_by: Mutex::new(None),
            is_asked_to_end: AtomicBool::new(false),
            expects_end: AtomicBool::new(false),
            purges: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            at_once: AtomicBool::new(false),
            next_client: AtomicU64::new(1),
            clients: AtomicU64::new(0),
            used_bytes: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            config_file,
            about: OnceLock::new(),
            settled: AtomicUsize::new(0),
        }
    }

    /// Tells the other shards how much this one holds, and it how much they do.
    pub(crate) fn exchange_memory(&self, shard: &mut Shard) {
        let cx = &mut shard.cx;
        if cx.limits.memory_bytes_max == 0 {
            return;
        }
        let id = usize::from(cx.id);
        self.used_bytes[id].store(cx.used_bytes(), Ordering::Relaxed);
        let others = self.used_bytes.iter().enumerate().filter(|(other, _)| *other != id);
        cx.eviction.other_bytes = others.map(|(_, bytes)| bytes.load(Ordering::Relaxed)).sum();
    }

    /// Asks for the end as the configuration wants it after this signal: with a save or without.
    pub fn ask_for_end(&self, signal: Signal) {
        self.expects_end.store(true, Ordering::SeqCst);
        *self.end_asked_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(signal);
        self.is_asked_to_end.store(true, Ordering::SeqCst);
        if let Some(waker) = self.wakers[0].get() {
            waker.wake();
        }
    }

    /// Whether a signal has asked for the end, and it has not been found impossible since.
    pub fn expects_end(&self) -> bool {
        self.expects_end.load(Ordering::SeqCst)
    }

    /// The end is not possible.
    pub(crate) fn stay(&self) {
        self.expects_end.store(false, Ordering::SeqCst);
        log::warning("Error trying to save the DB, can't exit.");
        log::warning("Errors trying to shut down the server. Check the logs for more information.");
    }

    /// Asks all shards to end: pending replies are sent, nothing new is read. `at_once`: to nobody who does not take them now.
    pub fn end(&self, at_once: bool) {
        self.at_once.fetch_or(at_once, Ordering::SeqCst);
        if !self.ending.swap(true, Ordering::SeqCst) {
            log::notice("User requested shutdown...");
        }
        self.wakers.iter().filter_map(OnceLock::get).for_each(Waker::wake);
    }
}

/// Carries a turn's messages through the real mailboxes.
struct Post<'a> {
    port: &'a mut Port<Mail>,
    /// Receivers that sleep, each once.
    sleepers: &'a mut Vec<usize>,
}

impl Carrier for Post<'_> {
    fn next_turn(&self) -> u64 {
        self.port.next_turn()
    }

    fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, exclusive: bool) {
        let messages = messages.map(|(to, message)| (to, Mail::from(message)));
        #[cfg(feature = "planted")]
        if let Some(fault) = crate::planted::fault() {
            return fault.publish(self.port, messages, |to| self.sleepers.push(to));
        }
        self.port.publish(messages, exclusive, |to| self.sleepers.push(to));
    }

    fn post(&mut self, to: usize, mut message: Message) {
        message.see(|| self.port.published(to));
        if self.port.push(to, message.into()) && !self.sleepers.contains(&to) {
            self.sleepers.push(to);
        }
    }
}

/// Puts mail into the box of a shard, and wakes the shard if it sleeps.
fn send_mail(port: &mut Port<Mail>, wakers: &[OnceLock<Waker>], to: usize, mail: Mail) {
    if port.send(to, mail) {
        wake(wakers, to);
    }
}

fn wake(wakers: &[OnceLock<Waker>], shard: usize) {
    if let Some(waker) = wakers[shard].get() {
        waker.wake();
    }
}

pub struct ShardLoop {
    id: usize,
    pub(crate) shard: Seated,
    reactor: Box<dyn Reactor>,
    port: Port<Mail>,
    pub(crate) process: Arc<Process>,
    /// Their places are their names; those closed leave gaps.
    listeners: Vec<Option<Listener>>,
    /// Which shard gets the next connection.
    next_shard: usize,
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
    /// Connections that may have more input than was read.
    unread: Vec<usize>,
    /// Those of them that were not read at all, for others had used the turn's room: they come first in the next turn.
    passed_over: Vec<usize>,
    /// Connections and listeners that are not looked at before clients are served again.
    shut_out: Vec<usize>,
    /// Connections that are not read until they go on with the input they have.
    halted: Vec<usize>,
    /// Bytes of large arguments read in this turn.
    large_bytes: usize,
    /// Connections that would take more output than their share of a turn.
    unsent: Vec<usize>,
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
    /// How long to look before sleeping for mail, while replies of other shards are awaited, and for events, if this is the only
    /// shard and has a processor to itself.
    spin: Spin,
    is_alone: bool,
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
}

impl ShardLoop {
    pub fn new(
        shard: Shard,
        reactor: Box<dyn Reactor>,
        port: Port<Mail>,
        process: Arc<Process>,
        listeners: Vec<Listener>,
        is_alone: bool,
    ) -> Self {
        let id = usize::from(shard.cx.id);
        let desk = process.desks[id].get_or_init(|| desk::set_up(shard));
        Self {
            id,
            shard: Seated::new(desk),
            reactor,
            port,
            process,
            listeners: listeners.into_iter().map(Some).collect(),
            next_shard: 0,
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
            large_bytes: 0,
            unsent: Vec::new(),
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
            is_alone,
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
        self.wait()?;
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
        if now_us >= self.next_tick_us {
            self.tick(now_ms, now_us);
        }
        if freeing::is_due(&self.shard.cx) {
            self.free_memory();
        }
        if self.shard.cx.saving.is_some() {
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

    fn wait(&mut self) -> std::io::Result<()> {
        self.events.clear();
        if !self.halted.is_empty() {
            self.end_halts();
        }
        if !self.shut_out.is_empty() && !self.shard.cx.is_closed {
            self.unread.append(&mut self.shut_out);
        }
        let busy = !self.unread.is_empty()
            || !self.unsent.is_empty()
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
        // Not when it has just woken up for its own affairs: then nobody is about to ask for more.
        if !self.is_quiet && self.looks_for_events() {
            self.due_us = None;
            return self.reactor.wait(Some(Duration::ZERO), &mut self.events);
        }
        let (_, now_us) = clock::now();
        let own = self.requests_timeout(self.sleep_max(now_us));
        // Visitors must find the desk free whenever they find this shard asleep for long: but first, it is asleep.
        if !self.port.prepare_sleep() {
            (self.is_quiet, self.due_us) = (false, None);
            return self.reactor.wait(Some(Duration::ZERO), &mut self.events);
        }
        let held = self.held_back.front();
        let held = held.map(|(_, until_us)| Duration::from_micros(until_us.saturating_sub(now_us).max(1)));
        let look = self.shard.awaits_sync().then_some(SYNC_LOOK);
        let timeout = own.into_iter().chain(held).chain(look).min();
        let at_us = own.map(|own| now_us + own.as_micros() as u64);
        self.shard.leave(LooksAgain { at_us, needs_ticks: upkeep::needs_ticks(&self.shard.cx) });
        let result = self.reactor.wait(timeout, &mut self.events);
        self.port.awake();
        self.shard.sit_down();
        self.is_quiet = self.events.is_empty() && !self.port.has_mail() && self.shard.mail().is_empty();
        if !self.is_quiet {
            self.due_us = None;
        }
        result
    }

    /// Sends what has been held back until now. The first that stays behind is one that really waits.
    fn send_held_back(&mut self, now_us: u64) {
        while let Some(&(token, until_us)) = self.held_back.front() {
            let waits = self.sent[token].held_until_us == until_us;
            if waits && until_us > now_us && self.held_back.len() <= HELD_BACK_MAX {
                return;
            }
            self.held_back.pop_front();
            if waits {
                self.send(token);
            }
        }
    }

    /// Step 1: reads what the connections brought, without looking at it.
    fn collect(&mut self) {
        let events = std::mem::take(&mut self.events);
        let mut used = 0;
        self.turn += 1;
        self.large_bytes = 0;
        let unread = std::mem::take(&mut self.unread);
        let readable = events.iter().filter_map(|e| match e {
            Event::Readable(token) => Some(*token),
            _ => None,
        });
        for token in unread.into_iter().chain(readable) {
            if self.shard.cx.is_closed {
                self.shut_out.push(token);
                continue;
            }
            if token >= LISTENER_TOKENS {
                self.accept(token - LISTENER_TOKENS);
                continue;
            }
            used = self.read(token, used);
        }
        for event in &events {
            match *event {
                // Not now: should the connection turn out to be broken, what was just read of it must have run.
                Event::Writable(token) if self.is_open(token) => self.send_in_turn(token),
                // There is no further event: the next turn finds the end of file behind what was read now.
                Event::Ended(token) if self.is_open(token) => self.unread.push(token),
                _ => {}
            }
        }
        if !self.passed_over.is_empty() {
            self.passed_over.append(&mut self.unread);
            std::mem::swap(&mut self.passed_over, &mut self.unread);
        }
        self.events = events;
    }

    /// Reads from one connection into the shared buffer from `used` on; how much of it is used now.
    fn read(&mut self, token: usize, used: usize) -> usize {
        let conn = self.shard.conn(token);
        if !conn.open {
            return used;
        }
        // Several events of one connection may come together, or one with the rest of what it sent before. Its input must be
        // in one piece, and run before the end of it is seen.
        if conn.read_in_turn == self.turn {
            self.unread.push(token);
            return used;
        }
        if conn.holds_back() && conn.input_bytes() > HELD_INPUT_BYTES_MAX {
            self.halted.push(token);
            return used;
        }
        let end = (used + INPUT_BYTES_PER_CONN).min(self.input.len());
        if end - used < INPUT_BYTES_PER_CONN / 4 {
            self.passed_over.push(token);
            return used;
        }
        if conn.large.is_some() {
            return self.read_large(token, used..end);
        }
        match self.reactor.recv(token, &mut self.input[used..end]) {
            Ok(0) => self.end_of_input(token),
            Ok(count) if self.sends_too_much(token, count) => self.close(token),
            Ok(count) => {
                self.has_input(token, used..used + count);
                if count == end - used {
                    self.unread.push(token);
                }
                return used + count;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.unread.push(token),
            Err(_) => self.close(token),
        }
        used
    }

    /// Has connections read again that have gone on with their input.
    #[cold]
    fn end_halts(&mut self) {
        let shard = &self.shard;
        self.unread.extend(self.halted.extract_if(.., |token| {
            let conn = shard.conn(*token);
            !conn.holds_back() || conn.input_bytes() <= HELD_INPUT_BYTES_MAX
        }));
    }

    /// Bytes of the shared buffer are a connection's input in this turn.
    #[inline]
    fn has_input(&mut self, token: usize, range: Range<usize>) {
        self.inputs.push((token as u32, range));
        let conn = self.shard.conn_mut(token);
        conn.read_in_turn = self.turn;
        self.spares.lend(&mut conn.out);
    }

    /// Listeners' tokens are nobody's.
    fn is_open(&self, token: usize) -> bool {
        token < LISTENER_TOKENS && self.shard.conn(token).open
    }

    /// A client has sent all it will: it is gone, or waits for replies that are still on their way. What it sent before runs.
    fn end_of_input(&mut self, token: usize) {
        let conn = self.shard.conn_mut(token);
        if conn.blocked.is_some() {
            // Nobody is there to be served.
            self.close(token);
        } else if conn.holds_back() {
            conn.ended = true;
        } else if conn.is_in_order() && conn.out.is_empty() {
            self.close(token);
        } else {
            conn.closing = true;
        }
    }

    /// Step 2: everything other shards sent, in order.
    fn take_mail(&mut self) {
        self.port.drain(self.shard.mail());
        for (op, delivery) in self.process.courier.take(self.id) {
            let message = Message::Delivered { op, delivery: Box::new(delivery) };
            self.shard.mail().push_back(message.into());
        }
        // Read once everything that this turn runs is here: nobody who has seen a key expire elsewhere finds one here, with the same
        // time to live, that has not.
        let (now_ms, now_us) = clock::now();
        self.shard.set_time(now_ms, now_us);
        while let Some(mail) = self.shard.mail().pop_front() {
            match mail {
                Mail::Commands(batch) => {
                    self.port.wait_armed(batch.from.into(), batch.turn);
                    self.shard.on_message(Message::Commands(batch));
                }
                Mail::Replies(batch) => self.shard.on_message(Message::Replies(batch)),
                Mail::Other(message) => self.shard.on_message(*message),
                Mail::Adopt { socket, is_unix } => self.adopt(socket, is_unix),
                Mail::Move(connection) => {
                    let (socket, moving) = *connection;
                    self.attach(socket, moving);
                }
            }
        }
    }

    /// Step 3: parses and runs what was collected.
    fn execute(&mut self) {
        if self.shard.cx.is_closed && self.inputs.is_empty() {
            // Only what has begun goes on.
            return self.shard.resume();
        }
        self.shard.end_pause();
        self.shard.end_waits();
        let inputs = std::mem::take(&mut self.inputs);
        self.shard.receive(&self.input, &inputs);
        self.inputs = inputs;
        self.inputs.clear();
        self.shard.resume();
    }

    /// Puts this turn's messages into the mailboxes. Whoever learns of a write by them, or by a reply, learns what it has cost:
    /// `maxmemory` is kept by what the others tell.
    fn hand_over(&mut self) {
        self.process.journal.take_from(&mut self.shard);
        if self.shard.awaits_sync() {
            self.see_to_syncs();
        }
        self.process.exchange_memory(&mut self.shard);
        let mut carrier = Post { port: &mut self.port, sleepers: &mut self.sleepers };
        self.shard.outgoing.hand_over(&mut carrier);
    }

    /// Step 5: one send per connection that has something to say.
    fn flush(&mut self) {
        match self.is_gated() {
            true => self.flush_gated(),
            false => self.flush_all(),
        }
    }

    fn flush_all(&mut self) {
        for token in std::mem::take(&mut self.unsent) {
            self.sent[token].waits = false;
            self.send(token);
        }
        let now_us = self.shard.cx.now_us;
        let held_until_us = now_us + HOLD_BACK_US;
        let mut dirty = std::mem::take(&mut self.shard.dirty_conns);
        for conn in dirty.drain(..) {
            let token = conn as usize;
            let conn = self.shard.conn_mut(token);
            conn.dirty = false;
            if !conn.is_in_order() && conn.out.len() < HOLD_BACK_BYTES_MAX {
                // More is on its way from other shards, and one system call can carry all of it.
                let much = conn.held_bytes() > HELD_REPLY_BYTES_FREE;
                if self.sent[token].held_until_us == 0 {
                    self.sent[token].held_until_us = held_until_us;
                    self.held_back.push_back((token, held_until_us));
                }
                if much && self.reads_too_slowly(token) {
                    self.close(token);
                }
            } else {
                self.send_soon(token);
            }
        }
        self.send_together();
        if self.shard.dirty_conns.is_empty() {
            self.shard.dirty_conns = dirty;
        }
        self.send_held_back(now_us);
    }

    fn send(&mut self, token: usize) {
        self.sent[token].held_until_us = 0;
        let now_ms = self.shard.cx.now_ms;
        let conn = self.shard.conn_mut(token);
        if !conn.open {
            return;
        }
        let unsent = conn.out.len() - self.sent[token].bytes();
        let (sent, spares) = (&mut self.sent[token], &mut self.spares);
        let total = sent.sendable(&conn.out, conn.net_out_bytes);
        let outcome = send::flush(self.reactor.as_mut(), token, (&mut conn.out, total), sent, spares);
        conn.sent_in_part = self.sent[token].bytes() > 0;
        let sent = (unsent + self.sent[token].bytes() - conn.out.len()) as u64;
        conn.net_out_bytes += sent;
        if sent > 0 {
            conn.last_active_ms = now_ms;
        }
        self.shard.cx.stats.net_out_bytes += sent;
        if outcome == Outcome::More {
            self.send_in_turn(token);
        }
        let conn = self.shard.conn_mut(token);
        let over = conn.closing && conn.is_in_order() && conn.out.is_empty();
        if outcome == Outcome::Broken || over || outcome == Outcome::Blocked && self.reads_too_slowly(token) {
            self.close(token);
        }
    }

    /// Has the connection's output sent when the replies of a turn are.
    fn send_in_turn(&mut self, token: usize) {
        if !std::mem::replace(&mut self.sent[token].waits, true) {
            self.unsent.push(token);
        }
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
