//! Writing at the next position: one after the other, or in a ring; and looking back from there.

use super::{EMPTY_MAX, reply_positions, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::parse_u64_lenient;
use resp::Reply;
use types::Array;
use types::array::INDEX_MAX;

pub const COMMANDS: &[Command] = &[
    row("ARINSERT", arinsert)
        .arity(-3)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM | FAST)
        .complexity("O(N) where N is the number of values")
        .summary("Sets one or more values at the next positions of an array.")
        .syntax("key:key value:string*"),
    row("ARRING", arring)
        .arity(-4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(
            "O(M) normally, O(N+M) on ring resize, where N is the maximum of the old and new ring size and M is \
             the number of inserted values",
        )
        .summary("Sets values at the next positions of an array that is a ring, over the oldest ones.")
        .syntax("key:key size:integer value:string*"),
    row("ARNEXT", arnext)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the position that ARINSERT would set next.")
        .syntax("key:key"),
    row("ARSEEK", arseek)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | FAST)
        .complexity("O(1)")
        .summary("Says which position of an array ARINSERT and ARRING set next.")
        .syntax("key:key index:integer"),
    row("ARLASTITEMS", arlastitems)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the count")
        .summary("Returns the values that were inserted last.")
        .syntax("key:key count:integer rev=REV?"),
];

/// The position behind the cursor; the highest one has none that could be set.
fn next(array: &Array) -> u64 {
    array.cursor().map_or(0, |cursor| cursor + 1)
}

/// ARINSERT key value [value …]
fn arinsert(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (key, count) = (args.key(1), args.len() - 2);
    let mut array = cx.upsert(key, Array::new)?;
    let first = next(&array);
    let last = first.checked_add(count as u64 - 1).filter(|&last| last <= INDEX_MAX);
    let last = last.ok_or_else(|| Error::err("insert index overflow"))?;
    (first..).zip(args.from(2)).for_each(|(index, value)| {
        array.set(index, value);
    });
    array.set_cursor(Some(last));
    drop(array);
    cx.event_of(count, Event::Array, "arinsert", key.bytes);
    out.natural(last);
    Ok(())
}

/// ARRING key size value [value …]
fn arring(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let size = args.int(2).map_err(|_| Error::err("invalid size"))?;
    let size = u64::try_from(size).ok().filter(|&size| size > 0);
    let size = size.ok_or_else(|| Error::err("size must be positive"))?;
    let key = args.key(1);
    let mut array = cx.upsert(key, Array::new)?;
    if let Some(keep) = to_keep(&array, size) {
        let resized = newest(&array, keep);
        *array = resized;
    }
    let mut cursor = 0;
    for value in args.from(3) {
        cursor = next(&array) % size;
        array.set(cursor, value);
        array.set_cursor(Some(cursor));
    }
    drop(array);
    cx.event_of(args.len() - 3, Event::Array, "arring", key.bytes);
    out.natural(cursor);
    Ok(())
}

/// How many elements at most stay when an array becomes a ring of another size than it looks to be; `None` if it stays as it
/// is. It does not when it shrinks, and when it grows while the next position is in the middle: what is new in it would
/// otherwise be overwritten before its new places are used. A cursor that was set to 0 says that just this is wanted.
fn to_keep(array: &Array, size: u64) -> Option<u64> {
    let span = array.end();
    if size < span {
        return Some(size);
    }
    let in_the_middle = array.cursor().is_some() && next(array) < span;
    (size > span && in_the_middle).then_some(span)
}

/// How many positions from `first` down to `last` are set before the first that is not, `most` at most.
fn in_a_row(array: &Array, first: u64, last: u64, most: u64) -> u64 {
    let mut count = 0;
    array.visit(first, last, |index, _| {
        let goes_on = index == first - count && count < most;
        count += u64::from(goes_on);
        goes_on
    });
    count
}

/// The elements before the cursor, back to the first empty position, at most `keep`: from position 0 on.
fn newest(array: &Array, keep: u64) -> Array {
    let span = array.end();
    let last = array.cursor().map_or(span - 1, |cursor| cursor % span);
    let mut count = in_a_row(array, last, 0, keep);
    if count == last + 1 && last + 1 < span {
        count += in_a_row(array, span - 1, last + 1, keep - count);
    }
    let mut ring = Array::new();
    let mut append = |from: u64, to: u64| {
        array.visit(from, to, |_, element| {
            let at = ring.len();
            element.with_text(|text| ring.set(at, text))
        });
    };
    let near = count.min(last + 1);
    if count > near {
        append(span - (count - near), span - 1);
    }
    if near > 0 {
        append(last + 1 - near, last);
    }
    ring.set_cursor(ring.len().checked_sub(1));
    ring
}

/// ARNEXT key
fn arnext(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.read::<Array>(args.key(1))?.map_or(0, next) {
        u64::MAX => out.null(),
        next => out.natural(next),
    }
    Ok(())
}

/// ARSEEK key index
fn arseek(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    // One more than can be set: then nothing can be inserted any more.
    let index = parse_u64_lenient(&args[2]).ok_or_else(|| Error::err("invalid array index"))?;
    let key = args.key(1);
    let Some(mut array) = cx.update::<Array>(key)? else {
        out.int(0);
        return Ok(());
    };
    array.set_cursor(index.checked_sub(1));
    drop(array);
    cx.event(Event::Array, "arseek", key.bytes);
    out.int(1);
    Ok(())
}

/// ARLASTITEMS key count [REV]
fn arlastitems(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let count = args.int(2).map_err(|_| Error::err("invalid COUNT"))?;
    let Some(count) = u64::try_from(count).ok().filter(|&count| count > 0) else {
        out.array(0);
        return Ok(());
    };
    let reverse = match args.len() {
        3 => false,
        4 if args.is(3, "REV") => true,
        4 => return Err(Error::SYNTAX),
        _ => return Err(Error::wrong_arity("arlastitems")),
    };
    let Some(array) = cx.read::<Array>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let end = array.end();
    let count = count.min(end);
    if count > array.len() && count > EMPTY_MAX {
        return Err(Error::err(format_args!("count exceeds maximum of {EMPTY_MAX} items")));
    }
    let last = array.cursor().filter(|&cursor| cursor < end).unwrap_or(end - 1);
    out.array(count as usize);
    // Back from the cursor to 0, then from the end.
    let near = count.min(last + 1);
    let (newer, older) = ((last, last + 1 - near), (count > near).then(|| (end - 1, end - (count - near))));
    if reverse {
        reply_positions(out, Some(array), newer.0, newer.1);
        older.into_iter().for_each(|(from, to)| reply_positions(out, Some(array), from, to));
    } else {
        older.into_iter().for_each(|(from, to)| reply_positions(out, Some(array), to, from));
        reply_positions(out, Some(array), newer.1, newer.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use types::array::Element;

    fn text(array: &Array, index: u64) -> Option<Vec<u8>> {
        array.get(index).map(Element::to_vec)
    }

    /// Step by step, as a ring is defined.
    fn newest_by_steps(array: &Array, keep: u64) -> Vec<Vec<u8>> {
        let span = array.end();
        let (mut at, mut kept) = (array.cursor().map_or(span - 1, |cursor| cursor % span), Vec::new());
        while (kept.len() as u64) < keep
            && let Some(text) = text(array, at)
        {
            kept.push(text);
            at = if at == 0 { span - 1 } else { at - 1 };
        }
        kept.reverse();
        kept
    }

    #[test]
    fn what_a_ring_keeps() {
        for seed in 0..5000 {
            let mut random = Random::from_seed(seed);
            let mut array = Array::new();
            let base = if random.below(4) == 0 { INDEX_MAX - 11 } else { 0 };
            for _ in 0..1 + random.below(30) {
                array.set(base + random.below(12), random.below(100).to_string().as_bytes());
            }
            array.set_cursor(
                [None, Some(random.below(12)), Some(INDEX_MAX - random.below(14))][random.index(3)],
            );
            let keep = 1 + random.below(array.end().min(14));
            let (ring, expected) = (newest(&array, keep), newest_by_steps(&array, keep));
            let kept: Vec<_> = (0..ring.end()).filter_map(|index| text(&ring, index)).collect();
            assert_eq!(kept, expected, "seed {seed}");
            assert_eq!(ring.len(), expected.len() as u64, "seed {seed}");
            assert_eq!(ring.cursor(), (expected.len() as u64).checked_sub(1), "seed {seed}");
        }
    }
}
