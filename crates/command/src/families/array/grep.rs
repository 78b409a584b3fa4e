//! ARGREP: which elements of a range look as wanted.

use super::pattern::{Pace, Pattern, Source};
use super::range::limit;
use super::{index, reply_pair, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::Array;

pub const COMMANDS: &[Command] = &[row("ARGREP", argrep)
    .arity(-6)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .complexity(
        "O(P * C) where P is the number of visited positions in touched slices and C is the cost of evaluating \
         the predicates on one existing element.",
    )
    .summary("Returns the positions of a range of an array whose values look as wanted.")
    .syntax(
        "key:key start:string end:string \
         predicate(exact{exact=EXACT string:string}|match{match=MATCH string:string}|\
         glob{glob=GLOB pattern:string}|re{re=RE pattern:string})* \
         options(and=AND|or=OR|LIMIT@limit:integer|withvalues=WITHVALUES|nocase=NOCASE)?*",
    )];

const PATTERNS_MAX: usize = 250;

#[derive(Default)]
struct Options<'a> {
    sources: Vec<Source<'a>>,
    all: bool,
    limit: Option<u64>,
    with_values: bool,
    nocase: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let (mut options, mut at) = (Self::default(), 4);
        while at < args.len() {
            let argument = args.get(at + 1);
            if let Some(source) = Source::new(args.at(at), argument.unwrap_or_default())? {
                argument.ok_or_else(|| Error::SYNTAX)?;
                if options.sources.len() >= PATTERNS_MAX {
                    return Err(Error::err(format_args!("too many predicates, maximum is {PATTERNS_MAX}")));
                }
                options.sources.push(source);
                at += 1;
            } else if args.is(at, "LIMIT") && argument.is_some() {
                options.limit = Some(limit(args, at + 1)?);
                at += 1;
            } else if args.is(at, "WITHVALUES") {
                options.with_values = true;
            } else if args.is(at, "NOCASE") {
                options.nocase = true;
            } else if args.is(at, "AND") || args.is(at, "OR") {
                options.all = args.is(at, "AND");
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        if options.sources.is_empty() { Err(Error::SYNTAX) } else { Ok(options) }
    }
}

/// The patterns of one command.
struct Search<'a> {
    patterns: Vec<Pattern<'a>>,
    all: bool,
    nocase: bool,
    expressions: usize,
    /// An element in small letters, if anybody asks for it.
    small: Vec<u8>,
    needs_small: bool,
}

impl Search<'_> {
    /// `None` if finding out takes too long.
    fn is_match(&mut self, text: &[u8], pace: &Pace) -> Option<bool> {
        if self.needs_small {
            self.small.clear();
            self.small.extend(text.iter().map(u8::to_ascii_lowercase));
        }
        for pattern in &mut self.patterns {
            if pattern.is_match(text, &self.small, self.nocase, pace)? != self.all {
                return Some(!self.all);
            }
        }
        Some(self.all)
    }
}

/// A position, the first or the last of the array.
#[derive(Clone, Copy)]
enum Bound {
    First,
    Last,
    At(u64),
}

impl Bound {
    fn parse(args: Args<'_>, at: usize) -> Result<Self, Error> {
        Ok(match &args[at] {
            b"-" => Self::First,
            b"+" => Self::Last,
            _ => Self::At(index(args, at)?),
        })
    }

    fn of(self, array: &Array) -> u64 {
        match self {
            Self::First => 0,
            Self::Last => array.end() - 1,
            Self::At(index) => index,
        }
    }
}

/// ARGREP key start end EXACT | MATCH | GLOB | RE pattern … [AND | OR] [LIMIT limit] [WITHVALUES] [NOCASE]
fn argrep(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, end) = (Bound::parse(args, 2)?, Bound::parse(args, 3)?);
    let options = Options::parse(args)?;
    let (nocase, among) = (options.nocase, options.sources.len());
    let patterns = options.sources.iter().map(|source| source.compile(nocase, among));
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    let positions: Vec<_> = patterns.iter().filter_map(Pattern::positions).collect();
    let most = positions.iter().fold(1, |sum: u64, &one| sum.saturating_add(one));
    let mut search = Search {
        all: options.all,
        nocase,
        expressions: positions.len(),
        small: Vec::new(),
        needs_small: nocase && patterns.iter().any(Pattern::is_part),
        patterns,
    };
    let clock_ns = cx.shard.platform.clock_ns;
    let Some(array) = cx.read::<Array>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let (mark, mut count) = (out.mark(), 0);
    let limit = options.limit.unwrap_or(u64::MAX);
    let mut pace = Pace::new(clock_ns, most);
    let mut ends = true;
    array.visit(start.of(array), end.of(array), |index, element| {
        match element.with_text(|text| look(&mut search, &mut pace, text)) {
            None => ends = false,
            Some(false) => {}
            Some(true) => {
                count += 1;
                if options.with_values { reply_pair(out, index, element) } else { out.natural(index) }
            }
        }
        ends && count < limit
    });
    if !ends {
        out.rewind(mark);
        return Err(Error::err("regular expression takes too long"));
    }
    out.array_around(mark, count as usize);
    Ok(())
}

/// Whether an element is as wanted; `None` if finding out takes too long.
fn look(search: &mut Search<'_>, pace: &mut Pace, text: &[u8]) -> Option<bool> {
    if search.expressions > 0 && !pace.goes_on(text.len(), search.expressions) {
        return None;
    }
    search.is_match(text, pace)
}
