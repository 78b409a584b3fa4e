//! HSCAN.
//!
//! Cursors are the table's, with its guarantee: a field that is there from the start to the end is returned. A packed
//! hash is returned whole.

use super::fields;
use crate::items::reply_item;
use crate::scan_options::ScanOptions;
use crate::{Args, Cx, Outcome};
use base::number::I64Buf;
use resp::Reply;

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
            reply_item(out, entry.value);
        }
    });
    out.before(mark, |out| {
        out.array(2);
        out.bulk(I64Buf::from_u64(next).as_bytes());
        out.array(if options.no_values { count } else { 2 * count });
    });
    Ok(())
}
