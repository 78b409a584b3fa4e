//! XREAD: what has come to streams since some ids.
//!
//! Reading takes nothing away, so an entry serves all who wait. What `$` means is settled when the command first runs.

use super::{ids, reply_id, reply_words, row};
use crate::blocking::{Awaits, Overdue, Wait, milliseconds};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use std::ops::Range;
use types::Stream;
use types::stream::{Entry, StreamId};

const NOTES: &str = "Incomplete because a stream key named STREAMS (or options before it) can shift the STREAMS keyword; \
                     fall back to xreadGetKeys";

pub const COMMANDS: &[Command] = &[row("XREAD", xread)
    .arity(-4)
    .keys(&[KeySpec::halved("STREAMS", 1, RO | ACCESS | INCOMPLETE).notes(NOTES).found_by(keys_of_streams)])
    .flags(READONLY | BLOCKING | MOVABLEKEYS)
    .since("5.0.0")
    .complexity("For each stream: O(M), M: entries returned")
    .history(&[("8.10.0", "Added the `MAXCOUNT` and `MAXSIZE` options.")])
    .summary("Returns entries of streams behind the ids given; waits for some if there are none.")
    .syntax(
        "COUNT@count:integer? MAXCOUNT@maxcount:integer?^8.10.0 MAXSIZE@maxsize:integer?^8.10.0 \
         BLOCK@milliseconds:integer? STREAMS@streams{key:key* id:string*}",
    )];

/// What the client said before the streams.
struct Options {
    count: usize,
    count_in_all: usize,
    bytes_in_all: usize,
    /// Whether to wait, and for how long.
    timeout_us: Option<Option<u64>>,
    /// The first key, and how many there are.
    keys_at: usize,
    keys: usize,
}

/// A number above 0.
///
/// # Errors
/// When it is none.
pub fn positive(args: Args<'_>, index: usize, name: &str) -> Result<usize, Error> {
    let value = usize::try_from(args.int(index)?).ok().filter(|&value| value > 0);
    value.ok_or_else(|| Error::err(format_args!("{name} must be a positive integer")))
}

fn group_only(option: &str) -> Error {
    Error::err(format_args!("The {option} option is only supported by XREADGROUP. You called XREAD instead."))
}

/// Options of XREAD and XREADGROUP that a number follows.
const WITH_A_NUMBER: [&str; 5] = ["COUNT", "BLOCK", "CLAIM", "MAXCOUNT", "MAXSIZE"];

/// The keys of XREAD and XREADGROUP: half of what stands behind STREAMS. Nothing before it may be taken for it, for a group and a consumer
/// may have any name.
pub fn keys_of_streams(args: &Args<'_>) -> Range<usize> {
    let mut index = 1;
    while index < args.len() && !args.is(index, "STREAMS") {
        index += match () {
            () if args.is(index, "NOACK") => 1,
            () if args.is(index, "GROUP") => 3,
            () if WITH_A_NUMBER.iter().any(|word| args.is(index, word)) => 2,
            // The command refuses it.
            () => return 0..0,
        };
    }
    let behind = args.len().saturating_sub(index + 1);
    if behind.is_multiple_of(2) { index + 1..index + 1 + behind / 2 } else { 0..0 }
}

impl Options {
    fn parse(cx: &Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        let max = usize::MAX;
        let mut options =
            Self { count: max, count_in_all: max, bytes_in_all: max, timeout_us: None, keys_at: 0, keys: 0 };
        let mut index = 1;
        while options.keys_at == 0 && index < args.len() {
            options.take(cx, args, index)?;
            index += 2;
        }
        if options.keys_at == 0 {
            return Err(Error::SYNTAX);
        }
        if options.count != max && options.count_in_all < options.count {
            return Err(Error::err("MAXCOUNT must be greater than or equal to COUNT"));
        }
        Ok(options)
    }

    /// Takes the option at `index` and its argument.
    fn take(&mut self, cx: &Cx<'_>, args: Args<'_>, index: usize) -> Outcome {
        let more = args.len() - index - 1;
        let is = |word| more > 0 && args.is(index, word);
        if is("COUNT") {
            let count = usize::try_from(args.int(index + 1)?).unwrap_or(0);
            self.count = if count == 0 { usize::MAX } else { count };
        } else if is("BLOCK") {
            self.timeout_us = Some(milliseconds(cx, args, index + 1)?);
        } else if is("MAXCOUNT") {
            self.count_in_all = positive(args, index + 1, "MAXCOUNT")?;
        } else if is("MAXSIZE") {
            self.bytes_in_all = positive(args, index + 1, "MAXSIZE")?;
        } else if is("STREAMS") {
            if !more.is_multiple_of(2) {
                return Err(Error::err(
                    "Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
                ));
            }
            (self.keys_at, self.keys) = (index + 1, more / 2);
        } else if more > 1 && args.is(index, "GROUP") {
            return Err(group_only("GROUP"));
        } else if args.is(index, "NOACK") {
            return Err(group_only("NOACK"));
        } else if is("CLAIM") {
            return Err(group_only("CLAIM"));
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(())
    }
}

/// What is wanted of a stream.
#[derive(Clone, Copy)]
enum Wanted {
    /// Entries behind an id.
    Behind(StreamId),
    /// The last entry.
    Last,
}

impl Wanted {
    /// Reads the id that belongs to a key; `$` is what the stream ends with now.
    fn parse(stream: Option<&Stream>, args: Args<'_>, index: usize) -> Result<Self, Error> {
        match args.at(index) {
            b"$" => Ok(Self::Behind(stream.map_or(StreamId::MIN, Stream::last_id))),
            b"+" => Ok(Self::Last),
            b">" => Err(Error::err(
                "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
            )),
            _ => ids::id(args, index).map(Self::Behind),
        }
    }

    /// The last entry, if it is wanted.
    fn last(self, stream: &Stream) -> Option<Entry<'_>> {
        stream.last().filter(|last| match self {
            Self::Behind(id) => last.id > id,
            Self::Last => true,
        })
    }
}

/// How much more the reply may have.
pub struct Budget {
    entries: usize,
    bytes: usize,
    /// Length of the reply when it began.
    from: usize,
    pub served: usize,
}

impl Budget {
    /// For a reply that begins now.
    pub fn new(entries: usize, bytes: usize, out: &Reply) -> Self {
        Self { entries, bytes, from: out.len(), served: 0 }
    }

    /// Whether there is room for another entry. The first always finds some.
    pub fn allows(&self, out: &Reply) -> bool {
        self.served == 0 || (self.served < self.entries && out.len() - self.from < self.bytes)
    }
}

/// Writes what is wanted of one stream, if there is any.
fn serve(
    stream: &Stream,
    key: &[u8],
    wanted: Wanted,
    count: usize,
    budget: &mut Budget,
    out: &mut Reply,
) -> bool {
    let Some(last) = wanted.last(stream) else { return false };
    let from = match wanted {
        Wanted::Behind(id) => id.next().expect("there is a greater one"),
        Wanted::Last => last.id,
    };
    if !out.resp3 {
        out.array(2);
    }
    out.bulk(key);
    let (mark, mut served) = (out.mark(), 0);
    for entry in stream.range(from, last.id) {
        if served == count || !budget.allows(out) {
            break;
        }
        out.array(2);
        reply_id(out, entry.id);
        reply_words(out, entry.fields);
        served += 1;
        budget.served += 1;
    }
    out.array_around(mark, served);
    true
}

/// Ends the reply about so many streams, which begins at `mark`. If there are none: how long to wait, or, if that is not asked for, the reply that
/// says so.
pub fn time_to_wait(
    streams: usize,
    mark: (usize, usize),
    timeout_us: Option<Option<u64>>,
    out: &mut Reply,
) -> Option<Option<u64>> {
    if streams > 0 {
        out.before(mark, |out| if out.resp3 { out.map(streams) } else { out.array(streams) });
        return None;
    }
    if timeout_us.is_none() {
        out.null_array();
    }
    timeout_us
}

/// XREAD [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key …] id [id …]
fn xread(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let options = Options::parse(cx, args)?;
    let keys = options.keys_at..options.keys_at + options.keys;
    let mut all = Vec::with_capacity(options.keys);
    for index in keys.clone() {
        if cx.passes_over(index) {
            continue;
        }
        let stream = cx.read::<Stream>(args.key(index))?;
        all.push((index, Wanted::parse(stream, args, index + options.keys)?));
    }
    let mark = out.mark();
    let mut budget = Budget::new(options.count_in_all, options.bytes_in_all, out);
    let mut streams = 0;
    for &(index, wanted) in &all {
        if !budget.allows(out) {
            break;
        }
        let key = args.key(index);
        // Whoever counts hits and misses, or listens to events, sees as with Redis that it looks twice.
        let Some(pos) = cx.find(key) else { continue };
        if let keyspace::ValueRef::Stream(stream) = cx.db().value(pos) {
            streams += usize::from(serve(stream, key.bytes, wanted, options.count, &mut budget, out));
        }
    }
    let Some(timeout_us) = time_to_wait(streams, mark, options.timeout_us, out) else { return Ok(()) };
    let settled = all.iter().filter_map(|&(index, wanted)| match wanted {
        Wanted::Behind(id) if args.at(index + options.keys) == b"$" => {
            Some((index + options.keys, id.to_string().into_bytes()))
        }
        _ => None,
    });
    let (settled, keys) = (settled.collect(), keys.collect());
    let (awaits, overdue) = (Awaits::Stream, Overdue::NullArray);
    cx.wait(Wait { awaits, keys, timeout_us, overdue, settled, ..Wait::default() }, out)
}
