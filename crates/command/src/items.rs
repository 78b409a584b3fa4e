//! Replies made of the items that packed collections hold.

use crate::Error;
use resp::Reply;
use resp::reply::BulkRun;
use types::hash::Value;
use types::listpack::Item;

/// One item as a bulk string.
#[inline]
pub fn reply_item(out: &mut Reply, item: Item<'_>) {
    match item {
        Item::Str(bytes) => out.bulk(bytes),
        Item::Int(value) => out.bulk_int(value),
    }
}

/// The value of a field.
#[inline]
pub fn reply_value(out: &mut Reply, value: Value<'_>) {
    match value {
        Value::Str(bytes) => out.bulk(bytes),
        Value::Int(value) => out.bulk_int(value),
        Value::Lent(loan) => out.bulk(&loan.to_vec()),
    }
}

/// The value of a field in a run of bulk strings.
#[inline]
pub fn run_value(run: &mut BulkRun<'_>, value: Value<'_>) {
    match value {
        Value::Str(bytes) => run.bulk(bytes),
        Value::Int(value) => run.int(value),
        Value::Lent(loan) => run.bulk(&loan.to_vec()),
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

/// Elements drawn with repetition in one reply: more would keep the shard for too long.
const DRAWS_MAX: u64 = 1 << 26;
/// Bytes that such a reply may be expected to have.
const DRAWN_BYTES_MAX: u64 = 1 << 30;

/// Refuses to draw `count` elements, repeats allowed, from a collection of `len` in `bytes` when the reply could not be held
/// in memory.
///
/// # Errors
/// `ERR value is out of range`
pub fn check_draws(count: u64, bytes: usize, len: usize) -> Result<(), Error> {
    let mean = (bytes / len.max(1)) as u64;
    let fits = count <= DRAWS_MAX && count.saturating_mul(mean) <= DRAWN_BYTES_MAX;
    if fits { Ok(()) } else { Err(Error::OUT_OF_RANGE) }
}
