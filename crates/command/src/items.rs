//! Replies made of the items that packed collections hold.

use resp::Reply;
use resp::reply::BulkRun;
use types::listpack::Item;

/// One item as a bulk string.
#[inline]
pub fn reply_item(out: &mut Reply, item: Item<'_>) {
    match item {
        Item::Str(bytes) => out.bulk(bytes),
        Item::Int(value) => out.bulk_int(value),
    }
}

/// One item of a run of bulk strings.
#[inline]
pub fn run_item(run: &mut BulkRun<'_>, item: Item<'_>) {
    match item {
        Item::Str(bytes) => run.bulk(bytes),
        Item::Int(value) => run.int(value),
    }
}
