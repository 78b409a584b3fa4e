//! HSCAN.
//!
//! Cursors are the table's, with its guarantee: a field that is there from the start to the end is returned. A packed
//! hash is returned whole.

use super::fields::{self, reply_item};
use crate::{Args, Cx, Error, Outcome};
use base::glob;
use base::number::I64Buf;
use resp::Reply;

/// Fields looked at in one step unless COUNT says otherwise.
const COUNT: usize = 10;

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    values: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut options = Self { pattern: None, count: COUNT, values: true };
        let mut index = 3;
        while index < args.len() {
            match args.get(index + 1) {
                Some(_) if args.is(index, "COUNT") => {
                    let count = args.int(index + 1)?;
                    options.count =
                        usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?;
                    index += 2;
                }
                Some(pattern) if args.is(index, "MATCH") => {
                    options.pattern = (pattern != b"*").then_some(pattern);
                    index += 2;
                }
                _ if args.is(index, "NOVALUES") => {
                    options.values = false;
                    index += 1;
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }
}

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub fn hscan(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let cursor = args.cursor(2)?;
    let Some(pos) = fields::find(cx, args.key(1))? else {
        // Redis looks at the options only if there is something to scan.
        out.array(2);
        out.bulk(b"0");
        out.array(0);
        return Ok(());
    };
    let options = Options::parse(args)?;
    let now_ms = cx.now_ms();
    let (mut found, mut count) = (Reply::new(false), 0);
    let next = fields::at(cx, pos).scan(cursor, options.count, now_ms, |entry| {
        let wanted = |field: &[u8]| options.pattern.is_none_or(|pattern| glob::matches(pattern, field));
        if !entry.field.with_text(wanted) {
            return;
        }
        count += 1;
        reply_item(&mut found, entry.field);
        if options.values {
            reply_item(&mut found, entry.value);
        }
    });
    out.array(2);
    out.bulk(I64Buf::from_u64(next).as_bytes());
    out.array(if options.values { 2 * count } else { count });
    out.append(&mut found);
    Ok(())
}
