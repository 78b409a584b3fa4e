//! A shard's thread: the turn of [`shard::TURN`], cut into steps between which any other thread may run.
//!
//! One connection is read, one message run, one push made, one connection's replies sent at a time. The sleep of a shard
//! without work follows the protocol of the real loop too, so that a lost wake-up shows as a standstill.

mod output;
mod visits;

use crate::exchange::{Exchange, Mail, Progress, Publication, Writer};
use crate::faults::Faults;
use crate::log::Log;
use crate::network::Link;
use crate::rules::{Rule, Rules};
use crate::witness;
use base::hash::HashSeed;
use base::random::Random;
use command::ShardCx;
use command::indexes::Registry;
use command::session::Session;
use config::Config;
use output::Gate;
use shard::effects::Request;
use shard::{Shard, Step, TURN};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// What surrounds a thread.
pub struct Around<'a> {
    pub exchange: &'a mut Exchange,
    pub links: &'a mut [Link],
    pub random: &'a mut Random,
    pub now_ms: u64,
    pub now_us: u64,
    /// What is written down goes there; nobody is answered before it is on disk.
    pub log: Option<&'a mut Log>,
}

impl Around<'_> {
    /// Hands over what a shard has added.
    fn journal(&mut self, shard: &mut Shard) {
        if let Some(log) = &mut self.log {
            log.take_from(shard);
        }
    }

    /// Whether everything that was handed over is on disk.
    fn is_all_safe(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.handed() <= log.safe())
    }
}

/// Where in its loop the thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the step of this index; `true`: it has begun.
    Turn(usize, bool),
    /// It has said that it will sleep, and looks into its mailbox once more.
    FallingAsleep,
    Asleep,
}

pub struct ShardThread {
    pub shard: Shard,
    id: usize,
    rules: Rules,
    order: [Step; 5],
    at: At,
    /// Links to read this turn.
    readable: Vec<usize>,
    buf: Vec<u8>,
    inputs: Vec<(u32, Range<usize>)>,
    mail: VecDeque<Mail>,
    publication: Option<Publication>,
    faults: Faults,
    /// It has run other shards' mail in this turn so often, and looks at its own again before it sends.
    visits: usize,
    published: u64,
    to_send: Vec<u32>,
    held_back: Vec<u32>,
    /// The link of each connection number, and how much of its replies the network has taken.
    link_of: Vec<usize>,
    sent: Vec<usize>,
    /// Connections with replies that the network did not take.
    blocked: Vec<u32>,
    /// For each connection number; and which of them wait for the disk.
    gates: Vec<Gate>,
    gated: Vec<u32>,
    /// How often the network took only a part of what there was to send.
    pub cuts: u64,
    /// Out of 8: how readily connections move.
    restless: u64,
}

impl ShardThread {
    pub fn new(
        id: usize,
        shards: usize,
        rules: Rules,
        (config, graphs): (&Arc<Config>, &Arc<Registry>),
        random: &mut Random,
    ) -> Self {
        let hash_seed = HashSeed::new(7, 11);
        let mut cx = ShardCx::new(id as u16, shards as u16, Arc::clone(config), hash_seed, random.next_u64());
        cx.indexes.share_graphs(Arc::clone(graphs));
        // What is timed alone is told to the witness.
        cx.commands.all_alone = true;
        cx.platform.ran = Some(witness::note);
        Self {
            shard: Shard::new(cx),
            id,
            rules,
            order: order(rules),
            at: At::Turn(0, false),
            readable: Vec::new(),
            buf: Vec::new(),
            inputs: Vec::new(),
            mail: VecDeque::new(),
            publication: None,
            faults: Faults::new(rules, id as u64),
            visits: 0,
            published: 0,
            to_send: Vec::new(),
            held_back: Vec::new(),
            link_of: Vec::new(),
            sent: Vec::new(),
            blocked: Vec::new(),
            gates: Vec::new(),
            gated: Vec::new(),
            cuts: 0,
            restless: [0, 0, 1, 8][random.index(4)],
        }
    }

    /// Whether it sleeps and nothing will wake it.
    pub fn is_idle(&self, exchange: &Exchange, links: &[Link]) -> bool {
        self.at == At::Asleep && exchange.is_asleep(self.id) && !self.has_input(links)
    }

    /// The same, at a time.
    pub fn is_idle_at(&self, now_us: u64, exchange: &Exchange, links: &[Link]) -> bool {
        self.is_idle(exchange, links) && !self.is_due(now_us)
    }

    /// Whether it is between the first push and the arming of a turn.
    pub fn is_mid_publication(&self) -> bool {
        self.publication.as_ref().is_some_and(|publication| publication.is_torn)
    }

    /// Whether it has begun to collect input.
    pub fn is_collecting(&self) -> bool {
        matches!(self.at, At::Turn(index, true) if self.order.get(index) == Some(&Step::Collect))
    }

    /// Whether it has messages that it has not begun to push.
    pub fn is_unpublished(&self) -> bool {
        self.shard.has_outgoing() || self.faults.has_late()
    }

    /// Whether it has commands for other shards that it has not begun to push, and replies to what was asked behind them.
    pub fn is_ahead(&self) -> bool {
        let is_ahead = |conn: &u32| self.shard.conn(*conn as usize).held_bytes() > 0;
        self.shard.outgoing.has_batches && self.shard.dirty_conns.iter().any(is_ahead)
    }

    /// Whether it has collected input, or drained mail, that has not run.
    pub fn is_loaded(&self) -> bool {
        !self.inputs.is_empty() || !self.mail.is_empty()
    }

    fn has_input(&self, links: &[Link]) -> bool {
        links.iter().any(|link| link.shard == Some(self.id) && link.is_readable())
            || self.blocked.iter().any(|&conn| links[self.link_of[conn as usize]].is_writable())
    }

    /// Whether somebody waits here for a time that has come.
    fn is_due(&self, now_us: u64) -> bool {
        self.shard.next_deadline_us().is_some_and(|at_us| at_us <= now_us)
    }

    /// Whether somebody waits here for a time to come.
    pub fn awaits_time(&self) -> bool {
        self.shard.next_deadline_us().is_some()
    }

    /// One step.
    pub fn step(&mut self, around: &mut Around<'_>) -> Progress {
        let progress = match self.at {
            At::Turn(index, has_begun) if index < TURN.len() => {
                self.at = At::Turn(index, true);
                match self.order[index] {
                    Step::Collect => self.collect(has_begun, around),
                    Step::Mail => self.take_mail(has_begun, around),
                    Step::Execute => self.execute(around),
                    Step::Publish => self.publish(has_begun, around),
                    Step::Send => self.send_next(has_begun, around),
                }
            }
            At::Turn(..) => self.fall_asleep(around),
            At::FallingAsleep if around.exchange.has_mail(self.id) => {
                around.exchange.set_asleep(self.id, false);
                self.at = At::Turn(0, false);
                Progress::Ran
            }
            At::FallingAsleep => {
                self.at = At::Asleep;
                Progress::Ran
            }
            At::Asleep
                if around.exchange.is_asleep(self.id)
                    && !self.has_input(around.links)
                    && !self.is_due(around.now_us) =>
            {
                Progress::Waits
            }
            At::Asleep => {
                around.exchange.set_asleep(self.id, false);
                self.at = At::Turn(0, false);
                Progress::Ran
            }
        };
        if let (Progress::Done, At::Turn(index, _)) = (progress, self.at) {
            let next = self.step_again(index, around).unwrap_or(index + 1);
            self.at = At::Turn(next, false);
        }
        progress
    }

    /// After a visit, a turn may go back to its mail for the replies, once more or a few times, but reads nothing again.
    fn step_again(&mut self, index: usize, around: &mut Around<'_>) -> Option<usize> {
        let place = |step| self.order.iter().position(|s| *s == step);
        let (mail, publish) = (place(Step::Mail)?, place(Step::Publish)?);
        let again =
            index == publish && mail < publish && self.visits > 0 && around.exchange.has_mail(self.id);
        if index == publish {
            self.visits = 0;
        }
        (again && around.random.below(4) > 0).then_some(mail)
    }

    fn fall_asleep(&mut self, around: &mut Around<'_>) -> Progress {
        let busy = !self.held_back.is_empty()
            || self.has_input(around.links)
            || self.shard.has_ready_input()
            || self.has_open_gate(around);
        if busy || around.exchange.has_mail(self.id) {
            self.at = At::Turn(0, false);
        } else {
            around.exchange.set_asleep(self.id, true);
            self.at = At::FallingAsleep;
        }
        Progress::Ran
    }

    fn collect(&mut self, has_begun: bool, around: &mut Around<'_>) -> Progress {
        if !has_begun {
            self.begin_to_collect(around);
            return Progress::Ran;
        }
        let Some(index) = self.readable.pop() else { return Progress::Done };
        let link = &mut around.links[index];
        let Some(conn) = link.conn else {
            let (id, addr) = (index as u64 + 1, index.to_string());
            let conn = self.shard.open(Session { id, addr, authenticated: true, ..Session::default() });
            self.serve(conn, index, link);
            return Progress::Ran;
        };
        let start = self.buf.len();
        let max = match around.random.below(4) {
            0 => 1 + around.random.index(40),
            _ => usize::MAX,
        };
        if link.read(max, &mut self.buf) > 0 {
            self.inputs.push((conn as u32, start..self.buf.len()));
        }
        // A broken connection may show while it is read, even when some of its bytes are left.
        if link.is_gone && (link.unread() == 0 || around.random.below(4) == 0) {
            self.close(conn, link);
        }
        Progress::Ran
    }

    /// Sees who has something to read, and sends what could not be sent, or was held back for long enough.
    fn begin_to_collect(&mut self, around: &mut Around<'_>) {
        if !self.rules.keep(Rule::Clock) || !self.rules.keep(Rule::Drain) {
            self.shard.set_time(around.now_ms, around.now_us);
        }
        let mut again = std::mem::take(&mut self.blocked);
        if around.random.below(2) == 0 {
            again.append(&mut self.held_back);
        }
        again.append(&mut self.gated);
        again.into_iter().for_each(|conn| self.send(conn as usize, around));
        let links = around.links.iter().enumerate();
        let ours = links.filter(|(_, link)| link.shard == Some(self.id) && link.is_readable());
        self.readable = ours.map(|(index, _)| index).collect();
        around.random.shuffle(&mut self.readable);
        self.buf.clear();
    }

    /// From now on a link is served here, under a number.
    fn serve(&mut self, conn: usize, index: usize, link: &mut Link) {
        (link.shard, link.conn) = (Some(self.id), Some(conn));
        let len = self.link_of.len().max(conn + 1);
        self.link_of.resize(len, 0);
        self.sent.resize(len, 0);
        self.gates.resize_with(len, Gate::default);
        (self.link_of[conn], self.sent[conn], self.gates[conn]) = (index, 0, Gate::default());
    }

    fn close(&mut self, conn: usize, link: &mut Link) {
        link.close();
        self.inputs.retain(|(input, _)| *input as usize != conn);
        self.blocked.retain(|blocked| *blocked as usize != conn);
        self.gated.retain(|gated| *gated as usize != conn);
        self.shard.close(conn);
    }

    fn take_mail(&mut self, has_begun: bool, around: &mut Around<'_>) -> Progress {
        if !has_begun {
            around.exchange.drain(self.id, &mut self.mail);
            if self.rules.keep(Rule::Clock) {
                self.shard.set_time(around.now_ms, around.now_us);
            }
            return Progress::Ran;
        }
        match self.mail.front() {
            None => return Progress::Done,
            Some(Mail::Shard(message))
                if message.armed_by().is_some_and(|(from, turn)| !around.exchange.is_armed(from, turn)) =>
            {
                return Progress::Waits;
            }
            Some(_) => {}
        }
        match self.mail.pop_front().expect("looked at") {
            Mail::Shard(message) => self.shard.on_message(message),
            Mail::Move { link, moving } => {
                let conn = self.shard.attach(moving);
                self.serve(conn, link, &mut around.links[link]);
            }
        }
        Progress::Ran
    }

    fn execute(&mut self, around: &mut Around<'_>) -> Progress {
        self.shard.end_pause();
        self.shard.end_waits();
        let inputs = std::mem::take(&mut self.inputs);
        for (conn, _) in &inputs {
            if around.random.below(8) < self.restless {
                self.shard.conn_mut(*conn as usize).pull.hasten();
            }
        }
        if self.rules.keep(Rule::Behind) && self.rules.keep(Rule::Own) {
            self.shard.receive(&self.buf, &inputs);
        } else {
            inputs.into_iter().for_each(|(conn, range)| self.receive_forgetfully(conn, range));
        }
        self.shard.resume();
        self.shard.send_news();
        for request in self.shard.take_requests() {
            let (Request::Close(conn) | Request::CloseSlow(conn, _)) = request else { continue };
            self.close(conn, &mut around.links[self.link_of[conn]]);
        }
        Progress::Done
    }

    /// Hands input over byte by byte, and has the connection forget before each what it has under way: that is how it runs
    /// without the rules that look at it.
    fn receive_forgetfully(&mut self, conn: u32, range: Range<usize>) {
        let index = conn as usize;
        for at in range {
            let (behind, own) = (self.rules.keep(Rule::Behind), self.rules.keep(Rule::Own));
            let state = self.shard.conn_mut(index);
            let writes = if behind { 0 } else { std::mem::take(&mut state.writes_elsewhere) };
            let through = if own { 0 } else { std::mem::take(&mut state.through_own_mailbox) };
            self.shard.receive(&self.buf, &[(conn, at..at + 1)]);
            let state = self.shard.conn_mut(index);
            state.writes_elsewhere += writes;
            state.through_own_mailbox += through;
        }
    }

    fn publish(&mut self, has_begun: bool, around: &mut Around<'_>) -> Progress {
        if !has_begun {
            if around.log.as_ref().is_some_and(|log| log.is_in_time()) {
                around.journal(&mut self.shard);
            }
            let mut publication = Publication::new(self.id, self.published, around.random.fork());
            for (to, message) in self.faults.take_early(&mut self.shard.outgoing) {
                publication.post(to, Mail::Shard(message));
            }
            let (rules, faults) = (self.rules, &mut self.faults);
            let mut writer = Writer { publication: &mut publication, rules, faults };
            self.shard.outgoing.hand_over(&mut writer);
            self.publication = Some(publication);
            return Progress::Ran;
        }
        let publication = self.publication.as_mut().expect("made when the step began");
        let progress = publication.step(around.exchange);
        if progress == Progress::Done {
            self.published = publication.turn;
            self.publication = None;
        }
        progress
    }

    fn send_next(&mut self, has_begun: bool, around: &mut Around<'_>) -> Progress {
        if !has_begun {
            self.to_send = std::mem::take(&mut self.shard.dirty_conns);
            (0..self.to_send.len()).for_each(|at| self.gate(self.to_send[at], around));
            return Progress::Ran;
        }
        let Some(conn) = self.to_send.pop() else { return self.move_away(around) };
        let index = conn as usize;
        let state = self.shard.conn_mut(index);
        state.dirty = false;
        if !state.is_in_order() && around.random.below(2) == 0 {
            self.held_back.push(conn);
        } else {
            self.send(index, around);
        }
        Progress::Ran
    }

    /// Connections that others serve more go there; then, at times, what has expired is removed.
    fn move_away(&mut self, around: &mut Around<'_>) -> Progress {
        if let Some(publication) = &mut self.publication {
            let progress = publication.step(around.exchange);
            if progress == Progress::Done {
                self.publication = None;
            }
            return progress;
        }
        let mut publication = Publication::new(self.id, self.published, around.random.fork());
        for (to, message) in self.faults.take_late() {
            publication.post(to, Mail::Shard(message));
        }
        for (conn, to) in self.shard.movers() {
            let link = self.link_of[conn];
            let Some(moving) = self.shard.detach(conn) else { continue };
            self.blocked.retain(|blocked| *blocked as usize != conn);
            (around.links[link].shard, around.links[link].conn) = (None, None);
            publication.post(usize::from(to), Mail::Move { link, moving });
        }
        if around.random.below(8) == 0 {
            command::sweep::sweep(&mut self.shard.cx);
            self.shard.cx.scan_for_indexes();
            self.shard.cx.link_for_indexes(false);
        }
        around.journal(&mut self.shard);
        self.publication = Some(publication);
        Progress::Ran
    }
}

/// The order of the turn, with the steps exchanged that a broken rule would have the other way round.
fn order(rules: Rules) -> [Step; 5] {
    let mut order = TURN;
    let mut exchange = |rule, first, second| {
        if !rules.keep(rule) {
            let at = |step| TURN.iter().position(|s| *s == step).expect("all steps are there");
            order.swap(at(first), at(second));
        }
    };
    exchange(Rule::Drain, Step::Mail, Step::Execute);
    exchange(Rule::Reply, Step::Publish, Step::Send);
    order
}
