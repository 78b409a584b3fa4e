//! XADD.

use super::trim::Parser;
use super::{ids, reply_id, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{NewId, StreamId, Trim};

pub const COMMANDS: &[Command] = &[row("XADD", xadd)
    .arity(-5)
    .keys(&[KeySpec::at(1, RW | UPDATE)
        .notes("UPDATE instead of INSERT because of the optional trimming feature")])
    .flags(WRITE | DENYOOM | FAST)
    .since("5.0.0")
    .complexity("O(1) for the entry, O(N) for N entries trimmed")
    .tips(&["nondeterministic_output"])
    .history(&[
        ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
    ])
    .summary("Adds an entry to a stream.")
    .syntax(
        "key:key nomkstream=NOMKSTREAM?^6.2.0 trim{strategy(maxlen=MAXLEN|minid=MINID^6.2.0) \
         operator(equal==|approximately=~)? threshold:string LIMIT@count:integer?^6.2.0}? \
         id-selector(auto-id=*|id:string) data{field:string value:string}*",
    )];

/// What stands before the fields.
struct Options {
    no_mkstream: bool,
    trim: Option<Trim>,
    /// `None`: the next.
    id: Option<NewId>,
    /// Where the fields begin.
    fields: usize,
}

impl Options {
    #[inline]
    fn parse(cx: &Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        // Nearly always the id is chosen here, and nothing else is said.
        if args.at(2) == b"*" {
            return Ok(Self { no_mkstream: false, trim: None, id: None, fields: 3 });
        }
        Self::parse_words(cx, args)
    }

    fn parse_words(cx: &Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        let (mut parser, mut no_mkstream, mut id, mut index) = (Parser::default(), false, None, 2);
        while index < args.len() && args.at(index) != b"*" {
            match parser.take(args, index)? {
                0 if args.is(index, "NOMKSTREAM") => {
                    no_mkstream = true;
                    index += 1;
                }
                0 => {
                    id = Some(ids::new_id(args, index)?);
                    break;
                }
                taken => index += taken,
            }
        }
        let trim = parser.finish(cx, false)?;
        Ok(Self { no_mkstream, trim, id, fields: index + 1 })
    }
}

/// XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value …]
fn xadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let options = Options::parse(cx, args)?;
    let words = args.len().saturating_sub(options.fields);
    if words < 2 || !words.is_multiple_of(2) {
        return Err(Error::wrong_arity("xadd"));
    }
    if options.id == Some(NewId::Given(StreamId::MIN)) {
        return Err(Error::err("The ID specified in XADD must be greater than 0-0"));
    }
    let (key, now_ms, limits) = (args.key(1), cx.now_ms(), cx.shard.limits.stream);
    let (id, trimmed) = {
        let stream = match options.no_mkstream {
            false => Some(cx.upsert(key, Stream::new)?),
            true => cx.update::<Stream>(key)?,
        };
        let Some(mut stream) = stream else {
            out.null();
            return Ok(());
        };
        let id = next_id(&stream, options.id, now_ms)?;
        if !stream.append(id, args.from(options.fields), limits) {
            return Err(Error::err("Elements are too large to be stored"));
        }
        (id, options.trim.map_or(0, |trim| stream.trim(trim)))
    };
    reply_id(out, id);
    cx.event(Event::Stream, "xadd", key.bytes);
    if trimmed > 0 {
        cx.notice(Event::Stream, "xtrim", key.bytes);
    }
    Ok(())
}

/// The id of the entry that is to be added.
#[inline]
fn next_id(stream: &Stream, wanted: Option<NewId>, now_ms: u64) -> Result<StreamId, Error> {
    let last = stream.last_id();
    let id = match wanted {
        None => last.next_at(now_ms),
        Some(wanted) => wanted.behind(last),
    };
    id.ok_or_else(|| {
        Error::err(if last == StreamId::MAX {
            "The stream has exhausted the last possible ID, unable to add more items"
        } else {
            "The ID specified in XADD is equal or smaller than the target stream top item"
        })
    })
}
