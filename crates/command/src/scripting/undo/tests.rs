//! What commands do to streams is taken back: contents, groups, ages, expiries, and every byte of memory if they only added entries.

use super::*;
use crate::registry::{lookup, subcommand};
use crate::{OwnArgs, Plan};
use base::hash::HashSeed;
use base::random::Random;
use config::Config;
use rdb::dump::payload;
use rdb::encode::Options;

use resp::Reply;
use std::sync::Arc;

const KEYS: [&str; 3] = ["large", "small", "none"];

struct Bed {
    cx: ShardCx,
    journal: Option<Journal>,
}

impl Bed {
    fn new(random: &mut Random) -> Self {
        let mut cx = ShardCx::new(0, 1, Arc::new(Config::default()), HashSeed::new(1, 2), 3);
        (cx.now_ms, cx.now_us) = (1_800_000_000_000, 7);
        let mut bed = Self { cx, journal: None };
        for (key, count) in [("large", 200 + random.index(900)), ("small", random.index(6))] {
            (0..count).for_each(|n| assert!(bed.run(&format!("XADD {key} * field {n} text {}", n * n))));
            bed.run(&format!("XGROUP CREATE {key} g 0 MKSTREAM"));
            bed.run(&format!("XREADGROUP GROUP g c COUNT 3 STREAMS {key} >"));
        }
        if random.index(2) == 0 {
            assert!(bed.run("PEXPIRE large 100000"));
        }
        bed.cx.now_ms += 60_000;
        bed
    }

    /// Whether a journal that is being kept had room for what the command changes; if not, it has not run.
    fn run(&mut self, line: &str) -> bool {
        let own = OwnArgs::of_words(line.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        let seed = self.cx.seed.clone();
        let args = own.args(&seed);
        let mut command = lookup(args.at(0)).expect("a command");
        if let Plan::Container = command.plan {
            command = subcommand(command, args.at(1)).expect("a command");
        }
        let keys = self.cx.keys_of(command, args, 0);
        if let Some(journal) = &mut self.journal
            && !journal.keep(&mut self.cx, command, args, &keys)
        {
            return false;
        }
        // Errors are replies like others.
        let _ = (command.handler)(&mut Cx::internal(&mut self.cx, 0), args, &mut Reply::new(false));
        true
    }

    /// Contents of all keys with expiry and age; the same with all bytes held and all that is not shown.
    fn state(&mut self) -> (Vec<String>, String) {
        let (mut shown, mut whole) = (Vec::new(), format!("{:?}", self.cx.dbs[0].accounts()));
        for key in KEYS {
            let Some(pos) = find(&mut self.cx, &(0, key.as_bytes().to_vec())) else { continue };
            let space = &self.cx.dbs[0];
            let payload = payload(space.value(pos), &Options { version: 14, compress: false });
            let (expire, age) = (space.expire(pos), space.age(pos));
            shown.push(format!("{key} {expire:?} {age} {payload:?}"));
            if let ValueRef::Stream(stream) = space.value(pos) {
                whole += &format!("{key} {expire:?} {age} {} {stream:?}", space.entry_bytes(pos));
            }
        }
        (shown, whole)
    }
}

fn append(random: &mut Random) -> String {
    let trim = match random.index(4) {
        0 => format!("MAXLEN ~ {} ", 90 + random.index(1000)),
        1 => "MAXLEN ~ 10000 ".to_owned(),
        2 => "MINID 5 ".to_owned(),
        _ => String::new(),
    };
    let key = KEYS[random.index(3)];
    let long = if random.index(20) == 0 { 3000 } else { 60 };
    let text = "x".repeat(random.index(long));
    format!("XADD {key} {trim}* field {text} other {}", random.index(5))
}

fn other(random: &mut Random) -> String {
    let (key, number) = (KEYS[random.index(3)], random.index(8));
    match random.index(10) {
        0 => format!("XTRIM {key} MAXLEN {number}"),
        1 => format!("XADD {key} MAXLEN = {number} * a b"),
        2 => format!("XADD {key} IDMP producer {number} * a b"),
        3 => format!("XREADGROUP GROUP g c COUNT {} STREAMS {key} >", number + 1),
        4 => format!("XGROUP DESTROY {key} g"),
        5 => format!("PEXPIRE {key} {}", number + 1),
        6 => format!("DEL {key}"),
        7 => format!("RENAME {key} {}", KEYS[random.index(3)]),
        8 => format!("XSETID {key} 9999999999999-{number}"),
        _ => format!("XADD {key} {number}-1 a b"),
    }
}

#[test]
fn what_was_done_to_streams_is_taken_back() {
    let (mut refused, mut exact) = (0, 0);
    for seed in 0..150 {
        let mut random = Random::from_seed(seed);
        let mut bed = Bed::new(&mut random);
        for _ in 0..4 {
            let before = bed.state();
            let others = random.index(4);
            bed.journal = Some(Journal::default());
            bed.journal.as_mut().expect("just made").begin(&mut bed.cx);
            let mut lines = Vec::new();
            for _ in 0..random.index(40) {
                let is_other = random.index(10) < others;
                lines.push(if is_other { other(&mut random) } else { append(&mut random) });
                bed.cx.now_ms += random.below(3);
                if !bed.run(lines.last().expect("just made")) {
                    refused += 1;
                    break;
                }
            }
            let mut journal = bed.journal.take().expect("it was there");
            journal.pause(&mut bed.cx);
            let marks = journal.before.values().filter(|before| !matches!(before, Before::Copy(_)));
            let are_marks = marks.clone().count() == journal.before.len()
                && marks.clone().all(|before| match before {
                    Before::Mark(mark, _) => mark.front.bytes() == 0 && mark.producers.is_none(),
                    before => !matches!(before, Before::CopyAndMark(..)),
                });
            journal.undo(&mut bed.cx);
            let after = bed.state();
            assert_eq!(after.0, before.0, "seed {seed}: {lines:#?}");
            if are_marks {
                exact += 1;
                assert_eq!(after.1, before.1, "seed {seed}: {lines:#?}");
            }
            bed.cx.dbs[0].audit().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}: {lines:#?}"));
        }
    }
    println!("{exact} exactly, {refused} refused");
    assert!(exact > 100 && refused > 40);
}

#[test]
fn a_stream_that_only_grows_is_never_too_large() {
    let mut bed = Bed::new(&mut Random::from_seed(1));
    bed.journal = Some(Journal::default());
    bed.journal.as_mut().expect("just made").begin(&mut bed.cx);
    for _ in 0..5000 {
        assert!(bed.run("XADD large MAXLEN ~ 10000 * event progress jobId 17"));
    }
    // What takes more than there was, or does more to it, would need a copy.
    assert!(!bed.run("XTRIM large MAXLEN 10"));
    assert!(!bed.run("XADD large MAXLEN = 10 * event progress"));
    assert!(bed.run("XADD large IDMP producer message * event progress"));
    assert!(!bed.run("XDEL large 1-1"));
}

/// Of a stream of any size only what is trimmed is copied, and may come to 256 KiB.
#[test]
fn a_stream_that_keeps_its_length_is_never_too_large() {
    for trim in ["MAXLEN = 20000", "MAXLEN ~ 20000", "MINID ~ 1800000000000-500"] {
        let mut bed = Bed::new(&mut Random::from_seed(1));
        (0..20_000).for_each(|n| assert!(bed.run(&format!("XADD large * event progress jobId {n}"))));
        let before = bed.state().0;
        bed.journal = Some(Journal::default());
        bed.journal.as_mut().expect("just made").begin(&mut bed.cx);
        for n in 0..1000 {
            assert!(bed.run(&format!("XADD large {trim} * event progress jobId {n}")), "{trim} {n}");
        }
        assert!(bed.run("XTRIM large MAXLEN 19000"), "{trim}");
        let mut journal = bed.journal.take().expect("it was there");
        journal.pause(&mut bed.cx);
        assert!(journal.bytes > 0, "{trim}");
        journal.undo(&mut bed.cx);
        assert_eq!(bed.state().0, before, "{trim}");
        bed.cx.dbs[0].audit().expect("the accounts hold");
    }
}
