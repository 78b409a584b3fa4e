//! Rounds of a command of the tests' own: each shard counts its keys as often as it is told, in as many slices as it is told.

use super::*;
use crate::trial::{Trial, request};
use base::hash::HashSeed;
use command::rounds::{Enquiry, SLICE_FUEL};
use command::{Cx, OwnArgs};

/// `COUNT rounds slices`
static COUNT: Command = Command::in_rounds::<Count>("COUNT").arity(3).flags(command::spec::flag::READONLY);

struct Count;

struct Counting {
    rounds: u64,
    slices: u64,
    left: u64,
}

struct Sum;

fn counting(rounds: u64, slices: u64) -> Box<dyn Part> {
    Box::new(Counting { rounds, slices, left: slices })
}

impl Enquiry for Count {
    fn begin(_cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        let number = |at| base::number::parse_u64(args.at(at)).ok_or(Error::NOT_AN_INTEGER);
        Ok(counting(number(1)?, number(2)?))
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(Sum)
    }
}

impl Part for Counting {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        self.left -= 1;
        if self.left > 0 {
            *fuel = 0;
            return Ok(None);
        }
        Ok(Some(Box::new((self.rounds, self.slices, cx.db().len()))))
    }
}

impl Merge for Sum {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let answers =
            answers.into_iter().map(|answer| *answer.downcast::<(u64, u64, usize)>().expect("of Counting"));
        let answers: Vec<_> = answers.collect();
        assert_eq!(answers.len(), usize::from(cx.shard.shards));
        let (rounds, slices, _) = answers[0];
        match rounds {
            0 => Err(Error::SYNTAX),
            1 => {
                out.count(answers.iter().map(|(.., keys)| keys).sum());
                Ok(Next::Done)
            }
            _ => {
                let parts = (0..cx.shard.shards).map(|shard| (shard, counting(rounds - 1, slices))).collect();
                Ok(Next::Round(parts, Box::new(Sum)))
            }
        }
    }
}

fn count(trial: &mut Trial, conn: usize, rounds: u64, slices: u64) {
    let words = ["COUNT".to_owned(), rounds.to_string(), slices.to_string()];
    let args = OwnArgs::of_words(words.map(String::into_bytes).to_vec());
    trial.shards[0].start_rounds(conn, &COUNT, args.args(&HashSeed::new(1, 2)));
    trial.publish(0);
}

fn fill(trial: &mut Trial, conn: usize) {
    for number in 0..20 {
        assert_eq!(trial.ask(conn, &request(&["SET", &format!("key{number}"), "v"])), b"+OK\r\n");
    }
}

#[test]
fn all_shards_answer_every_round() {
    for shards in [1, 2, 5] {
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        fill(&mut trial, conn);
        for (rounds, slices) in [(1, 1), (1, 3), (3, 1), (4, 9)] {
            count(&mut trial, conn, rounds, slices);
            trial.settle();
            assert_eq!(trial.take_replies(conn), b":20\r\n", "{shards} shards, {rounds} rounds of {slices}");
        }
        count(&mut trial, conn, 0, 2);
        trial.settle();
        assert_eq!(trial.take_replies(conn), b"-ERR syntax error\r\n");
    }
}

#[test]
fn others_are_served_between_slices() {
    for shards in [1, 3] {
        let mut trial = Trial::new(shards);
        let (conn, other) = (trial.connect(), trial.connect());
        fill(&mut trial, conn);
        count(&mut trial, conn, 2, 1000);
        let key = trial.key_on(0, "key");
        for _ in 0..10 {
            trial.send(other, &request(&["APPEND", &key, "x"]));
            assert!(trial.take_replies(other).starts_with(b":"), "{shards} shards");
        }
        assert_eq!(trial.take_replies(conn), b"");
        trial.settle();
        assert!(trial.take_replies(conn).starts_with(b":2"));
    }
}

/// A turn has fuel for one slice, however many ask.
#[test]
fn many_parts_share_a_turn() {
    let mut trial = Trial::new(1);
    let conns: Vec<_> = (0..9).map(|_| trial.connect()).collect();
    conns.iter().for_each(|conn| count(&mut trial, *conn, 1, 3));
    // The first has used up the turn's fuel.
    assert!(trial.shards[0].slices.has_work());
    for _ in 0..2 {
        trial.shards[0].resume();
    }
    let answered = |trial: &mut Trial, conn: &usize| !trial.take_replies(*conn).is_empty();
    assert!(!conns.iter().any(|conn| answered(&mut trial, conn)), "{SLICE_FUEL}");
    trial.settle();
    assert!(conns.iter().all(|conn| answered(&mut trial, conn)));
}

/// Keys that are lent to other shards are in no keyspace: a part waits until they are home.
#[test]
fn keys_on_loan_are_waited_for() {
    let mut random = base::random::Random::from_seed(7);
    for round in 0..200 {
        let mut trial = Trial::new(3);
        let (conn, other) = (trial.connect(), trial.connect());
        fill(&mut trial, conn);
        let names: Vec<_> = (0..20).map(|number| format!("key{number}")).collect();
        for _ in 0..3 {
            let (from, to) = (random.index(20), random.index(20));
            trial.send(other, &request(&["RENAME", &names[from], &names[to]]));
            trial.send(other, &request(&["SET", &names[from], "again"]));
            for _ in 0..random.index(6) {
                trial.deliver_any(&mut random);
            }
        }
        count(&mut trial, conn, 2, 4);
        for _ in 0..random.index(40) {
            trial.deliver_any(&mut random);
        }
        trial.settle();
        let seen = String::from_utf8(trial.take_replies(conn)).expect("text");
        let keys: usize = seen.trim_start_matches(':').trim_end().parse().expect("a number");
        assert!((17..=20).contains(&keys), "round {round}: {keys}");
    }
}

#[test]
fn who_has_gone_gets_nothing() {
    for shards in [1, 4] {
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        count(&mut trial, conn, 3, 5);
        trial.close(0, conn);
        let next = trial.connect();
        trial.settle();
        assert_eq!(trial.ask(next, &request(&["PING"])), b"+PONG\r\n");
    }
}
