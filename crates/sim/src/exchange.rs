//! The mailboxes of crate `mailbox`, one atomic access at a time.
//!
//! What [`mailbox::Port::publish`] and [`mailbox::Port::send`] do in a row is a list of acts here, and between any two of them other
//! shards may run. Waiting is an act that makes no progress. Memory is sequentially consistent: weaker orders are not
//! modelled.
//!
//! [`mailbox::Port::publish`]: ../../mailbox/struct.Port.html
//! [`mailbox::Port::send`]: ../../mailbox/struct.Port.html

use crate::faults::Faults;
use crate::rules::{Rule, Rules};
use base::random::Random;
use shard::{Message, Moving, Transport};
use std::collections::VecDeque;

/// Whether a step got anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Ran,
    /// It waits for another shard, and will look again.
    Waits,
    /// There is nothing left to do.
    Done,
}

/// What travels between shards.
pub enum Mail {
    Shard(Message),
    /// A connection (the link of that number) comes to be served.
    Move {
        link: usize,
        moving: Moving,
    },
}

#[derive(Default)]
struct Station {
    inbox: VecDeque<Mail>,
    asleep: bool,
    published: u64,
    pushing: bool,
}

/// The mailboxes of all shards.
pub struct Exchange {
    stations: Vec<Station>,
    exclusive: bool,
    rules: Rules,
}

impl Exchange {
    pub fn new(shards: usize, rules: Rules) -> Self {
        Self { stations: (0..shards).map(|_| Station::default()).collect(), exclusive: false, rules }
    }

    /// Whether messages of this turn may run.
    pub fn is_armed(&self, from: usize, turn: u64) -> bool {
        !self.rules.keep(Rule::Arm) || self.stations[from].published >= turn
    }

    pub fn has_mail(&self, shard: usize) -> bool {
        !self.stations[shard].inbox.is_empty()
    }

    /// Takes all mail of a shard, oldest first.
    pub fn drain(&mut self, shard: usize, out: &mut VecDeque<Mail>) {
        out.append(&mut self.stations[shard].inbox);
    }

    /// One message for a shard from somebody who visits another.
    pub fn post(&mut self, to: usize, mail: Mail) {
        self.push(to, mail);
        self.stations[to].asleep = false;
    }

    fn push(&mut self, to: usize, mut mail: Mail) {
        let station = &mut self.stations[to];
        if let Mail::Shard(message) = &mut mail
            && self.rules.keep(Rule::Stamp)
        {
            message.see(|| station.published);
        }
        station.inbox.push_back(mail);
    }

    pub fn set_asleep(&mut self, shard: usize, asleep: bool) {
        self.stations[shard].asleep = asleep;
    }

    pub fn is_asleep(&self, shard: usize) -> bool {
        self.stations[shard].asleep
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Shared,
    Exclusive,
}

enum Act {
    Enter(Section),
    Push(usize, Mail),
    /// The turn's messages have all been pushed.
    Arm(u64),
    Leave(Section),
    Rouse(usize),
}

/// How far entering the section has come.
#[derive(Clone, Copy)]
enum Entering {
    Begin,
    /// Shared: this shard has said that it pushes, and now looks whether another publishes exclusively.
    Look,
    /// Shared: it has taken that back and waits.
    Wait,
    /// Exclusive: the flag is ours; stations from this one on may still push.
    Sweep(usize),
}

/// What one turn of a shard publishes, on its way into the mailboxes.
pub struct Publication {
    shard: usize,
    /// The newest turn published, this one included.
    pub turn: u64,
    acts: VecDeque<Act>,
    entering: Entering,
    random: Random,
    /// Sleeping shards whose mail this one will run itself now.
    pub visits: Vec<usize>,
    /// Some messages of the turn have been pushed, but it is not armed.
    pub is_torn: bool,
}

impl Publication {
    /// For a shard that has published up to `turn`.
    pub fn new(shard: usize, turn: u64, random: Random) -> Self {
        let acts = VecDeque::new();
        Self { shard, turn, acts, entering: Entering::Begin, random, visits: Vec::new(), is_torn: false }
    }

    /// One message outside any turn.
    pub fn post(&mut self, to: usize, mail: Mail) {
        self.acts.extend([Act::Push(to, mail), Act::Rouse(to)]);
    }

    /// Takes one act.
    pub fn step(&mut self, exchange: &mut Exchange) -> Progress {
        match self.acts.front() {
            None => return Progress::Done,
            Some(Act::Enter(section)) => {
                let section = *section;
                if !self.enter(section, exchange) {
                    return Progress::Waits;
                }
                return Progress::Ran;
            }
            Some(_) => {}
        }
        match self.acts.pop_front().expect("looked at") {
            Act::Enter(_) => unreachable!("seen to above"),
            Act::Push(to, mail) => {
                self.is_torn |= matches!(mail, Mail::Shard(Message::Commands(_) | Message::News(_)));
                exchange.push(to, mail);
            }
            Act::Arm(turn) => {
                let is_news = |act: &Act| matches!(act, Act::Push(_, Mail::Shard(Message::News(_))));
                self.is_torn = self.acts.iter().any(is_news);
                exchange.stations[self.shard].published = turn;
            }
            Act::Leave(Section::Exclusive) => exchange.exclusive = false,
            Act::Leave(Section::Shared) => exchange.stations[self.shard].pushing = false,
            Act::Rouse(to) if exchange.stations[to].asleep && self.random.below(4) > 0 => {
                self.visits.push(to)
            }
            Act::Rouse(to) => exchange.stations[to].asleep = false,
        }
        Progress::Ran
    }

    /// Takes one step into the section; false when it has to wait.
    fn enter(&mut self, section: Section, exchange: &mut Exchange) -> bool {
        let sides = exchange.rules.keep(Rule::Sides);
        match (self.entering, section) {
            (Entering::Begin, Section::Shared) => {
                exchange.stations[self.shard].pushing = sides;
                self.entering = Entering::Look;
            }
            (Entering::Look, _) if exchange.exclusive && sides => {
                exchange.stations[self.shard].pushing = false;
                self.entering = Entering::Wait;
            }
            (Entering::Look, _) => self.entered(),
            (Entering::Wait, _) if exchange.exclusive => return false,
            (Entering::Wait, _) => self.entering = Entering::Begin,
            (Entering::Begin, Section::Exclusive) if exchange.exclusive => return false,
            (Entering::Begin, Section::Exclusive) => {
                exchange.exclusive = true;
                self.entering = Entering::Sweep(0);
            }
            (Entering::Sweep(at), _) if at == exchange.stations.len() => self.entered(),
            (Entering::Sweep(at), _) if exchange.stations[at].pushing => return false,
            (Entering::Sweep(at), _) => self.entering = Entering::Sweep(at + 1),
        }
        true
    }

    fn entered(&mut self) {
        self.acts.pop_front();
        self.entering = Entering::Begin;
    }
}

/// A publication that keeps the rule or not.
pub struct Writer<'a> {
    pub publication: &'a mut Publication,
    pub rules: Rules,
    pub faults: &'a mut Faults,
}

impl Transport for Writer<'_> {
    fn next_turn(&self) -> u64 {
        self.publication.turn + 1
    }

    fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, exclusive: bool) {
        let exclusive = exclusive && self.rules.keep(Rule::Exclusive);
        let section = if exclusive { Section::Exclusive } else { Section::Shared };
        let mut pushes: Vec<_> = messages.collect();
        // No rule depends on the order of the pushes, but that news come last.
        let commands = pushes.iter().filter(|(_, message)| matches!(message, Message::Commands(_))).count();
        let mut news = pushes.split_off(commands);
        self.publication.random.shuffle(&mut pushes);
        self.publication.random.shuffle(&mut news);
        let mut late = Vec::new();
        if self.rules.keep(Rule::Together) {
            pushes.append(&mut news);
        } else {
            late = news;
        }
        let touched: Vec<usize> = pushes.iter().map(|(to, _)| *to).collect();
        self.publication.turn += 1;
        let acts = &mut self.publication.acts;
        acts.push_back(Act::Enter(section));
        acts.extend(pushes.into_iter().map(|(to, message)| Act::Push(to, Mail::Shard(message))));
        acts.push_back(Act::Arm(self.publication.turn));
        acts.push_back(Act::Leave(section));
        acts.extend(touched.into_iter().map(Act::Rouse));
        late.into_iter().for_each(|(to, message)| self.publication.post(to, Mail::Shard(message)));
    }

    fn post(&mut self, to: usize, message: Message) {
        if let Some(message) = self.faults.pass(to, message) {
            self.publication.post(to, Mail::Shard(message));
        }
    }
}
