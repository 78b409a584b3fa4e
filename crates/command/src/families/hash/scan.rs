//! HSCAN.
//!
//! Cursors are the table's, with its guarantee: a field that is there from the start to the end is returned. A packed
//! hash is returned whole.

use super::{NONDETERMINISTIC, READ, fields, row};
use crate::items::{reply_item, reply_value};
use crate::scan_options::ScanOptions;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Outcome};
use base::number::I64Buf;
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("HSCAN", hscan)
        .arity(-3)
        .keys(READ)
        .flags(READONLY)
        .since("2.8.0")
        .complexity(
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
             return back to 0. N is the number of elements inside the collection.",
        )
        .summary("Goes through the fields and values of a hash in steps.")
        .tips(NONDETERMINISTIC)
        .syntax("key:key cursor:integer MATCH@pattern:pattern? COUNT@count:integer? novalues=NOVALUES?"),
];

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
fn hscan(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let cursor = args.cursor(2)?;
    let Some(pos) = fields::find(cx, args.key(1))? else {
        // Redis looks at the options only if there is something to scan.
        out.array(2);
        out.bulk(b"0");
        out.array(0);
        return Ok(());
    };
    let options = ScanOptions::parse(args, 3, true)?;
    let now_ms = cx.now_ms();
    let (mark, mut count) = (out.mark(), 0);
    let next = fields::at(cx, pos).scan(cursor, options.count, now_ms, |entry| {
        if !options.admits(entry.field) {
            return;
        }
        count += 1;
        reply_item(out, entry.field);
        if !options.no_values {
            reply_value(out, entry.value);
        }
    });
    out.before(mark, |out| {
        out.array(2);
        out.bulk(I64Buf::from_u64(next).as_bytes());
        out.array(if options.no_values { count } else { 2 * count });
    });
    Ok(())
}
