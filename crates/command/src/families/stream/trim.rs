//! XTRIM, and how XADD and XTRIM say what to trim.

use super::{ids, row, told};
use crate::args::is_word;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{References, Trim, TrimTo};

pub const COMMANDS: &[Command] = &[row("XTRIM", xtrim)
    .arity(-4)
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .flags(WRITE)
    .since("5.0.0")
    .complexity("O(N), N: entries removed; whole blocks go at once")
    .tips(&["nondeterministic_output"])
    .history(&[
        ("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),
        ("8.2.0", "Added the `KEEPREF`, `DELREF` and `ACKED` options."),
    ])
    .summary("Removes entries at the front of a stream.")
    .syntax(
        "key:key trim{strategy(maxlen=MAXLEN|minid=MINID^6.2.0) operator(equal==|approximately=~)? \
         threshold:string LIMIT@count:integer?^6.2.0 condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)?}",
    )];

/// Entries that an approximate trim without LIMIT removes at most, where the size of blocks gives no number.
const LIMIT: i64 = 10_000;
const LIMIT_MAX: i64 = 1_000_000;

/// The word that says what becomes of the references of groups, if it stands at `index`.
pub fn references(args: Args<'_>, index: usize) -> Option<References> {
    let word = args.get(index)?;
    match word {
        _ if is_word(word, "KEEPREF") => Some(References::Keep),
        _ if is_word(word, "DELREF") => Some(References::Delete),
        _ if is_word(word, "ACKED") => Some(References::Acked),
        _ => None,
    }
}

/// Reads the words about trimming.
#[derive(Default)]
pub struct Parser {
    to: Option<TrimTo>,
    approximate: bool,
    limit: Option<i64>,
    references: Option<References>,
}

impl Parser {
    /// Takes the option at `index`, if it is one; how many arguments it has.
    ///
    /// # Errors
    /// Those of Redis.
    pub fn take(&mut self, args: Args<'_>, index: usize) -> Result<usize, Error> {
        if self.references.is_none() {
            self.references = references(args, index);
            if self.references.is_some() {
                return Ok(1);
            }
        }
        let more = args.len() - 1 - index;
        if more == 0 {
            return Ok(0);
        }
        let by_len = args.is(index, "MAXLEN");
        if by_len || args.is(index, "MINID") {
            return self.take_threshold(args, index, by_len);
        }
        if args.is(index, "LIMIT") {
            let limit = args.int(index + 1)?;
            if limit < 0 {
                return Err(Error::err("The LIMIT argument must be >= 0."));
            }
            self.limit = Some(limit);
            return Ok(2);
        }
        Ok(0)
    }

    fn take_threshold(&mut self, args: Args<'_>, index: usize, by_len: bool) -> Result<usize, Error> {
        if self.to.is_some() {
            return Err(Error::err(
                "syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let sign = args.at(index + 1);
        self.approximate = sign == b"~" && index + 2 < args.len();
        let at = if (sign == b"~" || sign == b"=") && index + 2 < args.len() { index + 2 } else { index + 1 };
        self.to = Some(if by_len {
            let max = args.int(at)?;
            TrimTo::Len(u64::try_from(max).map_err(|_| Error::err("The MAXLEN argument must be >= 0."))?)
        } else {
            TrimTo::Id(ids::id(args, at)?)
        });
        Ok(at + 1 - index)
    }

    /// What is to be trimmed, if anything is.
    ///
    /// # Errors
    /// Those of Redis.
    pub fn finish(self, cx: &Cx<'_>, is_needed: bool) -> Result<Option<Trim>, Error> {
        let without = |what: &str| Err(Error::err(format_args!("syntax error, {what}")));
        if self.to.is_none() && self.limit.is_some_and(|limit| limit != 0) {
            return without("LIMIT cannot be used without specifying a trimming strategy");
        }
        if self.to.is_none() && is_needed {
            return without("XTRIM must be called with a trimming strategy");
        }
        // Redis leaves the word where it has made a trim exact.
        if self.limit.is_some() && !self.approximate && !cx.shard.replays() {
            return without("LIMIT cannot be used without the special ~ option");
        }
        let Some(to) = self.to else { return Ok(None) };
        let by_blocks = (cx.shard.limits.stream.block_entries_max as i64).wrapping_mul(100);
        let limit = match self.limit {
            Some(_) if cx.shard.replays() => 0,
            Some(limit) => limit,
            None if !self.approximate => 0,
            None if by_blocks <= 0 => LIMIT,
            None => by_blocks.min(LIMIT_MAX),
        };
        Ok(Some(Trim {
            to,
            approximate: self.approximate,
            limit: limit as u64,
            references: self.references.unwrap_or_default(),
        }))
    }
}

/// What XTRIM trims.
pub fn trim_of(cx: &Cx<'_>, args: Args<'_>) -> Result<Trim, Error> {
    let (mut parser, mut index) = (Parser::default(), 2);
    while index < args.len() {
        match parser.take(args, index)? {
            0 => return Err(Error::SYNTAX),
            taken => index += taken,
        }
    }
    Ok(parser.finish(cx, true)?.expect("it was needed"))
}

/// XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]
fn xtrim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let trim = trim_of(cx, args)?;
    let key = args.key(1);
    let (logs, mut told) = (cx.logs(), None);
    let removed = cx.update::<Stream>(key)?.map_or(0, |mut stream| {
        let (removed, last) = stream.trim_with_last(trim);
        told = (logs && trim.is_by_blocks() && removed > 0).then(|| told::exact(trim, last, &stream));
        removed
    });
    if removed > 0 {
        cx.event_of(removed as usize, Event::Stream, "xtrim", key.bytes);
    }
    if let Some(told) = told {
        cx.log_words(key.bytes, [vec![b"XTRIM".to_vec(), key.bytes.to_vec()], told].concat());
    }
    out.count(removed as usize);
    Ok(())
}
