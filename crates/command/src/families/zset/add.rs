//! ZADD and ZINCRBY, and what GEOADD shares with them. All scores are read before the first change.

use crate::args::is_word;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::hash::HashSeed;
use keyspace::Key;
use resp::Reply;
use types::ZSet;
use types::zset::ZSetLimits;

pub const COMMANDS: &[Command] = &[
    Command::new("ZADD", zadd)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Adds members to a sorted set, or changes their scores.")
        .complexity("O(log(N)) for each member, N: members of the set")
        .history(&[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ])
        .syntax(
            "key:key condition(nx=NX|xx=XX)?^3.0.2 comparison(gt=GT|lt=LT)?^6.2.0 change=CH?^3.0.2 \
             increment=INCR?^3.0.2 data{score:double member:string}*",
        ),
    Command::new("ZINCRBY", zincrby)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .acl(acl::SORTEDSET)
        .group("sorted-set")
        .since("1.2.0")
        .summary("Adds to the score of a member.")
        .complexity("O(log(N)), N: members of the set")
        .syntax("key:key increment:integer member:string"),
];

/// The words before the first score.
#[derive(Clone, Copy, Default)]
pub struct Options {
    pub nx: bool,
    pub xx: bool,
    pub gt: bool,
    pub lt: bool,
    /// Changed members are counted with the new ones.
    pub ch: bool,
    pub incr: bool,
}

impl Options {
    /// Reads the options from argument 2 on; also the index of the first argument that is none.
    #[inline]
    fn parse(args: Args<'_>) -> (Self, usize) {
        let (mut options, mut index) = (Self::default(), 2);
        while args.get(index).is_some_and(|word| options.take(word)) {
            index += 1;
        }
        (options, index)
    }

    #[inline]
    fn take(&mut self, word: &[u8]) -> bool {
        // Nearly always the first word is a score already.
        if !word.first().is_some_and(u8::is_ascii_alphabetic) {
            return false;
        }
        let flag = match word {
            _ if is_word(word, "NX") => &mut self.nx,
            _ if is_word(word, "XX") => &mut self.xx,
            _ if is_word(word, "GT") => &mut self.gt,
            _ if is_word(word, "LT") => &mut self.lt,
            _ if is_word(word, "CH") => &mut self.ch,
            _ if is_word(word, "INCR") => &mut self.incr,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// Refuses what does not go together; `count` is the number of scores.
    fn check(&self, count: usize) -> Outcome {
        if self.nx && self.xx {
            return Err(Error::err("XX and NX options at the same time are not compatible"));
        }
        if (self.nx && (self.gt || self.lt)) || (self.gt && self.lt) {
            return Err(Error::err("GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.incr && count > 1 {
            return Err(Error::err("INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// Whether every member gets the score given, whatever it had.
    #[inline]
    fn is_plain(&self) -> bool {
        !(self.nx || self.xx || self.gt || self.lt || self.incr)
    }

    /// The score a member gets that had `old`; `None` if it stays as it is. Not a number when infinities cancel out.
    #[inline]
    fn decide(&self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.xx).then_some(given) };
        let new = if self.incr { old + given } else { given };
        let stays = self.nx || (self.gt && new <= old) || (self.lt && new >= old);
        (!stays).then_some(new)
    }
}

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member …]
fn zadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (options, first) = Options::parse(args);
    add(cx, args, options, first, out)
}

/// ZINCRBY key increment member
fn zincrby(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (options, first) = Options::parse(args);
    add(cx, args, Options { incr: true, ..options }, first, out)
}

#[inline]
fn add(cx: &mut Cx<'_>, args: Args<'_>, options: Options, first: usize, out: &mut Reply) -> Outcome {
    let words = args.len() - first;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    options.check(words / 2)?;
    add_pairs(cx, args.key(1), options, words / 2, out, |nth| {
        Ok((args.float(first + 2 * nth)?, args.at(first + 2 * nth + 1)))
    })
}

/// Adds `count` members, of which `read` gives score and name. The reading is done twice rather than remembered: once
/// for the errors, once for the changes.
#[inline]
pub fn add_pairs<'a>(
    cx: &mut Cx<'_>,
    key: Key<'_>,
    options: Options,
    count: usize,
    out: &mut Reply,
    read: impl Fn(usize) -> Result<(f64, &'a [u8]), Error>,
) -> Outcome {
    let first = read(0)?;
    for nth in 1..count {
        read(nth)?;
    }
    let (limits, seed) = (cx.shard.limits.zset, cx.shard.seed.clone());
    let mut tally = Tally::default();
    {
        let zset = if options.xx {
            cx.update::<ZSet>(key)?
        } else {
            Some(cx.upsert(key, || ZSet::for_members(count, first.1.len(), &limits, &seed))?)
        };
        if let Some(mut zset) = zset {
            zset.expect(count, &limits, &seed);
            tally.put(&mut zset, first, options, &limits, &seed)?;
            for nth in 1..count {
                tally.put(&mut zset, read(nth)?, options, &limits, &seed)?;
            }
        }
    }
    if tally.added + tally.updated > 0 {
        let name = if options.incr { "zincr" } else { "zadd" };
        cx.event_of(tally.added + tally.updated, Event::ZSet, name, key.bytes);
    }
    match tally.score {
        Some(score) if options.incr => out.double(score),
        None if options.incr => out.null(),
        _ => out.count(tally.added + if options.ch { tally.updated } else { 0 }),
    }
    Ok(())
}

/// What adding has come to.
#[derive(Default)]
struct Tally {
    added: usize,
    updated: usize,
    /// The score that the last member got, even if it had it before.
    score: Option<f64>,
}

impl Tally {
    #[inline]
    fn put(
        &mut self,
        zset: &mut ZSet,
        (given, member): (f64, &[u8]),
        options: Options,
        limits: &ZSetLimits,
        seed: &HashSeed,
    ) -> Outcome {
        let mut wanted = Some(given);
        let change = if options.is_plain() {
            zset.insert(member, given, limits, seed)
        } else {
            zset.update(member, limits, seed, |old| {
                wanted = options.decide(old, given);
                wanted.filter(|score| !score.is_nan())
            })
        };
        if wanted.is_some_and(f64::is_nan) {
            return Err(Error::err("resulting score is not a number (NaN)"));
        }
        self.score = wanted;
        match (change.old, change.new) {
            (None, Some(_)) => self.added += 1,
            (old, new) => self.updated += usize::from(old != new),
        }
        Ok(())
    }
}
