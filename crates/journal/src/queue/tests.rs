//! What rounds take in and what waits: cases, and any interleaving against a model.

use super::*;
use base::random::Random;
use std::collections::HashMap;

fn chunk(words: &[&str]) -> Chunk {
    let mut chunk = Chunk::default();
    chunk.command(0, words.iter().map(|word| word.as_bytes()));
    chunk
}

fn part(tx: u64, word: &str) -> Chunk {
    let mut chunk = Chunk::default();
    chunk.begin_part(TxId(tx));
    chunk.command(0, [word.as_bytes()]);
    chunk.end_part();
    chunk
}

fn added(chunks: Vec<(u16, Chunk)>, closed: &[u64]) -> Added {
    Added { chunks, closed: closed.iter().map(|tx| TxId(*tx)).collect() }
}

/// What the rounds so far have written, by shard and generation.
#[derive(Default)]
struct Written {
    files: HashMap<(u16, usize), String>,
    generation: usize,
}

impl Written {
    fn add(&mut self, round: &Round) -> String {
        let mut all = String::new();
        for step in &round.steps {
            let Step::Append { shard, pieces } = step else {
                self.generation += 1;
                continue;
            };
            for piece in pieces {
                let text = String::from_utf8(piece.bytes.clone()).expect("text").replace("\r\n", " ");
                self.files.entry((*shard, self.generation)).or_default().push_str(&text);
                all.push_str(&text);
            }
        }
        all
    }
}

#[test]
fn rounds_take_what_there_is() {
    let mut queue = Queue::new(2);
    assert!(queue.take_round().is_none());
    assert_eq!(queue.hand_over(Added::default()), queue.done_up_to());
    let a = queue.hand_over(added(vec![(1, chunk(&["A"]))], &[]));
    let b = queue.hand_over(added(vec![(0, chunk(&["B"])), (1, chunk(&["C"]))], &[]));
    let first = queue.take_round().expect("a round");
    assert!(queue.bytes_waiting() == 33 && !queue.has_waiting());
    let d = queue.hand_over(added(vec![(1, chunk(&["D"]))], &[]));
    assert!(a < b && b < d && d == queue.ticket());
    assert!(queue.done_up_to() < a);
    let mut written = Written::default();
    assert_eq!(written.add(&first), "*1 $1 B *1 $1 A *1 $1 C ");
    queue.done(first);
    assert_eq!(queue.done_up_to(), b);
    let second = queue.take_round().expect("a round");
    queue.done(second);
    assert_eq!((queue.done_up_to(), queue.bytes_waiting()), (d, 0));
    assert!(queue.chunk().bytes.capacity() > 0);
}

#[test]
fn parts_wait_for_each_other_and_what_follows_for_them() {
    let mut queue = Queue::new(3);
    let mut written = Written::default();
    let before = queue.hand_over(added(vec![(0, chunk(&["A"]))], &[]));
    queue.hand_over(added(vec![(0, part(7, "X"))], &[]));
    queue.hand_over(added(vec![(0, chunk(&["B"])), (1, chunk(&["C"]))], &[]));
    let round = queue.take_round().expect("a round");
    assert_eq!(written.add(&round), "*1 $1 A *1 $1 C ");
    queue.done(round);
    assert_eq!(queue.done_up_to(), before);
    assert!(queue.take_round().is_none() && queue.has_waiting());
    queue.hand_over(added(vec![(2, part(7, "Y"))], &[]));
    assert!(queue.take_round().is_none());
    queue.hand_over(added(vec![], &[7, 8]));
    let round = queue.take_round().expect("a round");
    let text = written.add(&round);
    assert_eq!(text.matches("#weft-tx 0000000000000007 0002 *1 $5 MULTI ").count(), 2, "{text}");
    queue.done(round);
    assert_eq!(queue.done_up_to(), queue.ticket());
}

#[test]
fn what_waits_makes_others_wait() {
    let mut queue = Queue::new(3);
    // The first is open; the second has a part behind it, and the third one behind the second.
    queue.hand_over(added(vec![(0, part(1, "A"))], &[]));
    queue.hand_over(added(vec![(0, part(2, "B")), (1, part(2, "B"))], &[2]));
    queue.hand_over(added(vec![(1, part(3, "C")), (2, part(3, "C"))], &[3]));
    assert!(queue.take_round().is_none());
    queue.hand_over(added(vec![], &[1]));
    assert_eq!(queue.take_round().expect("all").steps.len(), 3);
}

#[test]
fn generations_end_together() {
    let end = |before: &str, head: Option<(u16, &[&[u8]])>, after: &str| {
        let mut chunk = chunk(&[before]);
        chunk.end_generation(head);
        chunk.command(3, [after.as_bytes()]);
        chunk
    };
    let mut queue = Queue::new(2);
    let mut written = Written::default();
    let head: &[&[u8]] = &[b"FLUSHALL"];
    queue.hand_over(added(vec![(0, end("A", Some((0, head)), "B"))], &[]));
    let round = queue.take_round().expect("what is before");
    assert_eq!(written.add(&round), "*1 $1 A ");
    queue.done(round);
    assert_eq!(queue.done_up_to(), Ticket(0));
    assert!(queue.take_round().is_none());
    queue.hand_over(added(vec![(1, end("C", None, "D"))], &[]));
    let round = queue.take_round().expect("everything");
    assert!(matches!(round.steps[1], Step::NextGeneration));
    written.add(&round);
    queue.done(round);
    assert_eq!(queue.done_up_to(), queue.ticket());
    assert_eq!(queue.bytes_waiting(), 0);
    // It is a transaction of all: what follows it anywhere is not there without it.
    let mark = "#weft-tx ffffffffffffffff 0002 *1 $5 MULTI ";
    let expected = format!("{mark}*1 $8 FLUSHALL *1 $4 EXEC *2 $6 SELECT $1 3 *1 $1 B ");
    assert_eq!(written.files[&(0, 1)], expected);
    assert_eq!(written.files[&(1, 0)], "*1 $1 C ");
    assert_eq!(written.files[&(1, 1)], format!("{mark}*1 $4 EXEC *1 $1 D "));
}

#[test]
fn an_end_without_anything_else() {
    let end = || {
        let mut chunk = Chunk::default();
        chunk.end_generation(None);
        chunk.end_generation(None);
        chunk
    };
    let mut queue = Queue::new(2);
    queue.hand_over(added(vec![(0, end()), (1, end())], &[]));
    let round = queue.take_round().expect("two ends");
    assert!(matches!(round.steps[..], [Step::NextGeneration, Step::NextGeneration]));
    queue.done(round);
    assert_eq!(queue.done_up_to(), queue.ticket());
}

#[test]
fn what_is_given_up_is_done() {
    let mut queue = Queue::new(2);
    queue.hand_over(added(vec![(0, part(1, "A")), (1, chunk(&["B"]))], &[]));
    let round = queue.take_round().expect("a round");
    queue.give_up();
    assert_eq!(queue.done_up_to(), queue.ticket());
    queue.done(round);
    assert_eq!(queue.bytes_waiting(), 0);
    queue.hand_over(added(vec![(0, part(1, "A"))], &[1]));
    assert!(queue.take_round().is_some());
}

/// A transaction that is on its way: its shards that have not handed over, in any order.
struct Underway {
    tx: u64,
    shards: Vec<u16>,
}

/// What the model knows.
struct World {
    random: Random,
    queue: Queue,
    shards: u16,
    underway: Vec<Underway>,
    next: u64,
    /// By shard, the words in their order; `|` where a generation ends.
    handed_over: Vec<Vec<String>>,
    /// How many words of each shard had been handed over when a ticket was given.
    tickets: Vec<(Ticket, Vec<usize>)>,
    written: Vec<Vec<String>>,
    rounds: VecDeque<(Round, Vec<usize>)>,
    parts: HashMap<u64, usize>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::from_seed(seed);
        let shards = 1 + random.below(5) as u16;
        let empty = vec![Vec::new(); usize::from(shards)];
        Self {
            random,
            queue: Queue::new(shards),
            shards,
            underway: Vec::new(),
            next: 0,
            handed_over: empty.clone(),
            tickets: Vec::new(),
            written: empty,
            rounds: VecDeque::new(),
            parts: HashMap::new(),
        }
    }

    fn word(&mut self, shard: u16, what: &str) -> String {
        self.next += 1;
        let word = format!("{what}{}", self.next);
        self.handed_over[usize::from(shard)].push(word.clone());
        word
    }

    fn hand_over(&mut self, added: Added) {
        let ticket = self.queue.hand_over(added);
        self.tickets.push((ticket, self.handed_over.iter().map(Vec::len).collect()));
    }

    /// A chunk of commands and of parts of transactions that are under way.
    fn plain(&mut self) {
        let shard = self.random.below(u64::from(self.shards)) as u16;
        let (mut chunk, mut closed) = (self.queue.chunk(), Vec::new());
        for _ in 0..self.random.below(4) {
            let candidates: Vec<_> =
                (0..self.underway.len()).filter(|at| self.underway[*at].shards.contains(&shard)).collect();
            // Transactions stand in one order on all shards: the first is the oldest.
            if let Some(&at) = candidates.first()
                && self.random.below(2) == 0
            {
                let tx = self.underway[at].tx;
                self.underway[at].shards.retain(|other| *other != shard);
                chunk.begin_part(TxId(tx));
                let word = self.word(shard, &format!("{tx}:"));
                chunk.command(0, [word.as_bytes()]);
                chunk.end_part();
                *self.parts.entry(tx).or_default() += 1;
                if self.underway[at].shards.is_empty() {
                    self.underway.remove(at);
                    closed.push(TxId(tx));
                }
            } else {
                let word = self.word(shard, "-");
                chunk.command(self.random.below(3) as u16, [word.as_bytes()]);
            }
        }
        self.hand_over(Added { chunks: vec![(shard, chunk)], closed });
    }

    fn begin(&mut self) {
        let mut shards: Vec<_> = (0..self.shards).filter(|_| self.random.below(2) == 0).collect();
        self.random.shuffle(&mut shards);
        self.next += 1;
        if !shards.is_empty() {
            self.underway.push(Underway { tx: self.next, shards });
        }
    }

    /// All transactions under way end, then the generation on every shard.
    fn end(&mut self) {
        while !self.underway.is_empty() {
            self.plain();
        }
        for shard in 0..self.shards {
            let mut chunk = self.queue.chunk();
            chunk.end_generation(None);
            self.handed_over[usize::from(shard)].push("|".to_owned());
            self.hand_over(added(vec![(shard, chunk)], &[]));
            if self.random.below(3) == 0 {
                self.take();
            }
        }
    }

    fn take(&mut self) {
        let round =
            if self.random.below(2) == 0 { self.queue.take_round() } else { self.queue.take_appends() };
        self.took(round);
    }

    fn take_all(&mut self) {
        let round = self.queue.take_round();
        self.took(round);
    }

    fn took(&mut self, round: Option<Round>) {
        let Some(round) = round else { return };
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for step in &round.steps {
            let Step::Append { shard, pieces } = step else {
                self.written.iter_mut().for_each(|words| words.push("|".to_owned()));
                continue;
            };
            for piece in pieces {
                let text = String::from_utf8(piece.bytes.clone()).expect("text");
                for line in text.split("\r\n") {
                    if line.starts_with(['-', '|']) || line.contains(':') {
                        self.written[usize::from(*shard)].push(line.to_owned());
                    } else if let Some((tx, parts)) =
                        line.strip_prefix("#weft-tx ").and_then(|rest| rest.split_once(' '))
                    {
                        let tx = u64::from_str_radix(tx, 16).expect("an id");
                        assert_eq!(usize::from_str_radix(parts, 16), Ok(self.parts[&tx]));
                        *seen.entry(tx).or_default() += 1;
                    }
                }
            }
        }
        for (tx, parts) in seen {
            assert_eq!(parts, self.parts[&tx], "half a transaction in a round");
            assert!(self.underway.iter().all(|underway| underway.tx != tx), "it is under way");
        }
        self.rounds.push_back((round, self.written.iter().map(Vec::len).collect()));
    }

    fn done(&mut self) {
        let Some((round, written)) = self.rounds.pop_front() else { return };
        self.queue.done(round);
        let done = self.queue.done_up_to();
        for (ticket, needed) in &self.tickets {
            let is_done = needed.iter().zip(&written).all(|(needed, written)| needed <= written);
            assert!(is_done || *ticket > done, "{ticket:?} is not done, but {done:?}");
        }
    }
}

#[test]
fn any_interleaving() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..150 {
            match world.random.below(20) {
                0..9 => world.plain(),
                9..12 => world.begin(),
                12..16 => world.take(),
                16..19 => world.done(),
                _ => world.end(),
            }
        }
        world.end();
        world.take_all();
        while !world.rounds.is_empty() {
            world.done();
        }
        assert_eq!(world.written, world.handed_over, "seed {seed}");
        assert_eq!(world.queue.done_up_to(), world.queue.ticket(), "seed {seed}");
        assert!(world.queue.bytes_waiting() == 0 && world.queue.open.is_empty(), "seed {seed}");
    }
}
