//! XADD.

use super::trim::{Parser, trim_of};
use super::{ids, producers, reply_id, row, told};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use std::borrow::Cow;
use types::Stream;
use types::stream::{Memory, NewId, Producers, StreamId, Trim, name_of_pairs};

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
        "key:key nomkstream=NOMKSTREAM?^6.2.0 condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)? \
         idmp(IDMPAUTO@pid:string|IDMP@idmp{pid:string iid:string})?^8.6.0 \
         trim{strategy(maxlen=MAXLEN|minid=MINID^6.2.0) operator(equal==|approximately=~)? threshold:string \
         LIMIT@count:integer?^6.2.0}? \
         id-selector(auto-id=*|id:string) data{field:string value:string}*",
    )];

/// What stands before the fields.
struct Options {
    no_mkstream: bool,
    trim: Option<Trim>,
    /// `None`: the next.
    id: Option<NewId>,
    /// The message is added once at most.
    once: Option<Once>,
    /// Where the fields begin.
    fields: usize,
}

/// The arguments that name a producer and, if it does so itself, the message.
#[derive(Clone, Copy)]
struct Once {
    producer: usize,
    message: Option<usize>,
}

impl Once {
    /// Takes IDMP or IDMPAUTO at `index`; how many arguments it has.
    fn take(once: &mut Option<Self>, args: Args<'_>, index: usize) -> Result<usize, Error> {
        let more = args.len() - index - 1;
        let (is_named, is_auto) = (args.is(index, "IDMP"), args.is(index, "IDMPAUTO"));
        let count = if is_named { 3 } else { 2 };
        if !(is_named || is_auto) || more < count - 1 {
            return Ok(0);
        }
        if once.is_some() {
            return Err(Error::err("IDMP/IDMPAUTO specified multiple times"));
        }
        let message = is_named.then_some(index + 2);
        let option = if is_named { "IDMP" } else { "IDMPAUTO" };
        for (at, name) in [(Some(index + 1), "producer"), (message, "idempotent")] {
            if at.is_some_and(|at| args.at(at).is_empty()) {
                return Err(Error::err(format_args!("{option} requires a non-empty {name} ID")));
            }
        }
        *once = Some(Self { producer: index + 1, message });
        Ok(count)
    }
}

impl Options {
    /// Whether it would do something else another time.
    fn is_told(&self) -> bool {
        let has_id = matches!(self.id, Some(NewId::Given(_)));
        !has_id || self.once.is_some() || self.trim.is_some_and(|trim| trim.is_by_blocks())
    }

    #[inline]
    fn parse(cx: &Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        // Nearly always the id is chosen here, and nothing else is said.
        if args.at(2) == b"*" {
            return Ok(Self { no_mkstream: false, trim: None, id: None, once: None, fields: 3 });
        }
        Self::parse_words(cx, args)
    }

    fn parse_words(cx: &Cx<'_>, args: Args<'_>) -> Result<Self, Error> {
        let (mut parser, mut no_mkstream, mut id, mut index) = (Parser::default(), false, None, 2);
        let mut once = None;
        while index < args.len() && args.at(index) != b"*" {
            let taken = match parser.take(args, index)? {
                0 => Once::take(&mut once, args, index)?,
                taken => taken,
            };
            match taken {
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
        if once.is_some() && id.is_some() {
            return Err(Error::err("IDMP/IDMPAUTO can be used only with auto-generated IDs"));
        }
        Ok(Self { no_mkstream, trim, id, once, fields: index + 1 })
    }
}

/// XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO pid|IDMP pid iid] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value …]
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
    if let Some(once) = options.once
        && let Some(id) = added_before(cx, args, &options, once)?
    {
        reply_id(out, id);
        return Ok(());
    }
    let memory = producers::memory(cx);
    let tells = cx.logs() && options.is_told();
    let (id, trimmed, told) = {
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
        let is_first = stream.producers().is_none();
        if let Some(once) = options.once {
            let (producer, message) = once.names(args, options.fields);
            stream.producers_mut(memory).add(producer, &message, id, now_ms);
        }
        let (trimmed, last) = options.trim.map_or((0, None), |trim| stream.trim_with_last(trim));
        (id, trimmed, tells.then(|| Told::of(&stream, &options, last, is_first)))
    };
    reply_id(out, id);
    cx.event(Event::Stream, "xadd", key.bytes);
    if trimmed > 0 {
        cx.notice(Event::Stream, "xtrim", key.bytes);
    }
    if let Some(told) = told {
        told.log(cx, args, &options, id);
    }
    Ok(())
}

/// What must be known of a stream behind XADD, to write down what it has done.
struct Told {
    trim: Vec<Vec<u8>>,
    /// What producers are remembered by, of whom this is the first.
    memory: Option<Memory>,
}

impl Told {
    /// `last`: the last entry that was trimmed, if that is known.
    fn of(stream: &Stream, options: &Options, last: Option<StreamId>, is_first: bool) -> Self {
        let memory = stream.producers().filter(|_| is_first).map(Producers::memory);
        Self { trim: options.trim.map_or(Vec::new(), |trim| told::exact(trim, last, stream)), memory }
    }

    fn log(self, cx: &mut Cx<'_>, args: Args<'_>, options: &Options, id: StreamId) {
        let key = args.at(1);
        let mut words = vec![b"XADD".to_vec(), key.to_vec()];
        // The message can be noted while its entry is there: a trim that takes it comes behind.
        let (before, behind) =
            if options.once.is_some() { (Vec::new(), self.trim) } else { (self.trim, Vec::new()) };
        words.extend(before);
        words.push(id.text().as_bytes().to_vec());
        words.extend(args.from(options.fields).map(<[u8]>::to_vec));
        cx.log_words(key, words);
        if let Some(once) = options.once {
            let (producer, message) = once.names(args, options.fields);
            cx.log_message(key, [producer, &message], id, self.memory);
        }
        if !behind.is_empty() {
            cx.log_words(key, [vec![b"XTRIM".to_vec(), key.to_vec()], behind].concat());
        }
    }
}

/// What a command can do to a stream that adds an entry at most, and trims at most.
pub struct Growth {
    pub trim: Option<Trim>,
    /// The entry's producer is noted.
    pub is_once: bool,
}

/// `None` of commands that may do something else.
pub fn growth(cx: &Cx<'_>, command: &Command, args: Args<'_>) -> Option<Growth> {
    match command.full_name {
        "xadd" => {
            let options = Options::parse(cx, args).ok()?;
            Some(Growth { trim: options.trim, is_once: options.once.is_some() })
        }
        "xtrim" => Some(Growth { trim: Some(trim_of(cx, args).ok()?), is_once: false }),
        _ => None,
    }
}

impl Once {
    /// The names of the producer and of the message.
    fn names<'a>(self, args: Args<'a>, fields: usize) -> (&'a [u8], Cow<'a, [u8]>) {
        let message = match self.message {
            Some(index) => Cow::Borrowed(args.at(index)),
            None => Cow::Owned(name_of_pairs(args.from(fields)).to_vec()),
        };
        (args.at(self.producer), message)
    }
}

/// The id of the entry that was made of a message when it came before. That it came again is counted.
#[cold]
fn added_before(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    options: &Options,
    once: Once,
) -> Result<Option<StreamId>, Error> {
    let (now_ms, memory) = (cx.now_ms(), producers::memory(cx));
    let (producer, message) = once.names(args, options.fields);
    let Some(mut stream) = cx.update::<Stream>(args.key(1))? else { return Ok(None) };
    let id = stream.producers().and_then(|it| it.get(producer, &message, now_ms));
    if id.is_some() {
        stream.producers_mut(memory).duplicates += 1;
    }
    Ok(id)
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
