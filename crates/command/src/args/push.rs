//! Copying arguments behind others: what stands close together in one piece, for that is what commands for other shards cost.

use super::Args;
use base::blob::Blob;
use resp::Span;
use std::ops::Range;

/// Appends a copy of all arguments in one piece, with what stands between them; whether that is possible, and worth it: they stand
/// close together in their buffer, and take no more than `bytes_max` there.
#[inline]
pub fn push_piece(args: Args<'_>, bytes_max: usize, buf: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    let Some(first) = args.spans.first().filter(|_| args.all_inside()) else { return false };
    let (first, mut end, mut total, mut ascends) = (first.start, first.start, 0, true);
    for span in args.spans {
        ascends &= span.start >= end;
        end = span.start + span.len;
        total += span.len;
    }
    let bytes = end.wrapping_sub(first);
    if !ascends || bytes as usize > bytes_max || bytes / 2 > total {
        return false;
    }
    let ahead = (buf.len() as u32).wrapping_sub(first);
    spans.extend(args.spans.iter().map(|span| Span { start: span.start.wrapping_add(ahead), len: span.len }));
    buf.extend_from_slice(&args.buf[first as usize..end as usize]);
    true
}

/// Appends one of `args` to arguments whose bytes stand in `buf` and `outside`.
#[inline(always)]
pub fn push(args: Args<'_>, index: usize, buf: &mut Vec<u8>, spans: &mut Vec<Span>, outside: &mut Vec<Blob>) {
    if let Some(blob) = args.blob(index) {
        spans.push(Span::outside(outside.len(), blob.len()));
        outside.push(blob.clone());
        return;
    }
    let span = args.spans[index];
    spans.push(Span { start: buf.len() as u32, len: span.len });
    copy_short(buf, &args.buf[span.start as usize..], span.len as usize);
}

/// The same with several of them, which usually stand close together.
#[inline]
pub fn push_some(
    args: Args<'_>,
    range: Range<usize>,
    buf: &mut Vec<u8>,
    spans: &mut Vec<Span>,
    outside: &mut Vec<Blob>,
) {
    if let &[key, value] = &args.spans[range.clone()]
        && push_pair(args, key, value, buf, spans)
    {
        return;
    }
    range.for_each(|index| push(args, index, buf, spans, outside));
}

/// Appends two arguments in one piece; whether that is possible: they stand close together.
#[inline(always)]
fn push_pair(args: Args<'_>, key: Span, value: Span, buf: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    if !args.all_inside() || gap(key, value).is_none_or(|bytes| bytes > GAP_BYTES_MAX) {
        return false;
    }
    let (at, ahead) = (buf.len() as u32, value.start - key.start);
    let shifted = [Span { start: at, len: key.len }, Span { start: at + ahead, len: value.len }];
    spans.extend_from_slice(&shifted);
    copy_short(buf, &args.buf[key.start as usize..], (ahead + value.len) as usize);
    true
}

/// The same with all of them.
#[inline]
pub fn push_all(args: Args<'_>, buf: &mut Vec<u8>, spans: &mut Vec<Span>, outside: &mut Vec<Blob>) {
    match *args.spans {
        [name, key] if push_pair(args, name, key, buf, spans) => {}
        _ => push_many(args, buf, spans, outside),
    }
}

#[inline(never)]
fn push_many(args: Args<'_>, buf: &mut Vec<u8>, spans: &mut Vec<Span>, outside: &mut Vec<Blob>) {
    let is_close = |pair: &[Span]| gap(pair[0], pair[1]).is_some_and(|bytes| bytes <= GAP_BYTES_MAX);
    match args.spans {
        [first, .., last] if args.all_inside() && args.spans.windows(2).all(is_close) => {
            let (at, from) = (buf.len() as u32, first.start);
            spans.extend(args.spans.iter().map(|span| Span { start: span.start - from + at, len: span.len }));
            copy_short(buf, &args.buf[from as usize..], (last.start - from + last.len) as usize);
        }
        _ => (0..args.len()).for_each(|index| push(args, index, buf, spans, outside)),
    }
}

/// What stands between two arguments and may be copied with them.
const GAP_BYTES_MAX: u32 = 16;

/// Bytes between the first and the second, if they stand in this order.
#[inline]
fn gap(first: Span, second: Span) -> Option<u32> {
    second.start.checked_sub(first.start + first.len)
}

/// Appends the first `len` bytes of `from`; short ones without a call, for what lies behind them may be read, too.
///
/// # Panics
/// When there are fewer.
#[inline(always)]
pub fn copy_short(to: &mut Vec<u8>, from: &[u8], len: usize) {
    /// A copy of a fixed length is a few loads and stores.
    #[inline(always)]
    fn copy<const BYTES: usize>(to: &mut Vec<u8>, chunk: &[u8; BYTES], len: usize) {
        let end = to.len() + len;
        to.extend_from_slice(chunk);
        to.truncate(end);
    }
    match (from.first_chunk::<32>(), from.first_chunk::<128>()) {
        (Some(chunk), _) if len <= chunk.len() => copy(to, chunk, len),
        (_, Some(chunk)) if len <= chunk.len() => copy(to, chunk, len),
        _ => to.extend_from_slice(&from[..len]),
    }
}
