//! Moving elements from one list to another, or within one.

use super::ends::{positive_count, removed, tell_popped};
use super::{POPPED, end_at, pushed, row};
use crate::items::reply_item;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::Pos;
use keyspace::{Key, Typed};
use resp::Reply;
use types::List;
use types::list::End;

const PUSHED_SECOND: KeySpec = KeySpec::at(2, RW | INSERT);

pub const COMMANDS: &[Command] = &[
    row("LMOVE", lmove)
        .arity(5)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM)
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Moves an element from an end of one list to an end of another and returns it.")
        .syntax(
            "source:key destination:key#1 wherefrom(left=LEFT|right=RIGHT) whereto(left=LEFT|right=RIGHT)",
        ),
    row("LMOVEM", lmovem)
        .arity(-5)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM)
        .since("8.10.0")
        .complexity("O(N) where N is the number of elements moved.")
        .summary("Moves elements from an end of one list to an end of another and returns them.")
        .syntax(
            "source:key destination:key#1 wherefrom(left=LEFT|right=RIGHT) whereto(left=LEFT|right=RIGHT) \
             how-many{selector(COUNT@count:integer|EXACTLY@exactly:integer) ordering(obo=OBO|bulk=BULK)}?",
        ),
    row("RPOPLPUSH", rpoplpush)
        .arity(3)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM)
        .since("1.2.0")
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .complexity("O(1)")
        .summary("Moves the last element of one list before the head of another and returns it.")
        .syntax("source:key destination:key#1"),
];

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
fn lmove(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (end_at(args, 3)?, end_at(args, 4)?);
    move_one(cx, args, from, to, out)
}

/// RPOPLPUSH source destination
fn rpoplpush(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    move_one(cx, args, End::Tail, End::Head, out)
}

pub fn move_one(cx: &mut Cx<'_>, args: Args<'_>, from: End, to: End, out: &mut Reply) -> Outcome {
    let (source, destination) = (args.key(1), args.key(2));
    let Some((source_pos, destination_pos)) = find_both(cx, source, destination)? else {
        out.null();
        return Ok(());
    };
    let mut list = cx.db().update::<List>(source_pos);
    let start = out.buf.len();
    list.peek(from).into_iter().for_each(|item| reply_item(out, item));
    // The reply has the element's text: what stands between its header and the last line end.
    let written = &out.buf[start..];
    let header = written.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1);
    let element = &written[header..written.len() - 2];
    if source.bytes == destination.bytes {
        list.pop(from, |_| ());
        list.push(to, element);
        drop(list);
        cx.notice(Event::List, pushed(to), destination.bytes);
        removed(cx, source, from, 1, false);
        return Ok(());
    }
    drop(list);
    // Of keys that come from several shards each has its own.
    if cx.shard.logs() && cx.shard.guests.are_here() {
        tell_moves(cx, [source, destination], [from, to], &[element.to_vec()]);
    }
    let source_pos = match destination_pos {
        Some(pos) => {
            cx.db().update::<List>(pos).push(to, element);
            Some(source_pos)
        }
        None => {
            let limit = cx.shard.limits.list;
            cx.upsert(destination, || List::new(limit))?.push(to, element);
            // The new entry may have moved the others.
            cx.find_for_write(source)
        }
    };
    cx.notice(Event::List, pushed(to), destination.bytes);
    let mut list = cx.db().update::<List>(source_pos.expect("the source was there"));
    list.pop(from, |_| ());
    let emptied = list.finish();
    removed(cx, source, from, 1, emptied);
    Ok(())
}

/// Writes down that an element was moved.
pub fn tell_moved(cx: &mut Cx<'_>, args: Args<'_>, from: End, to: End) {
    let (source, destination) = (&args[1], &args[2]);
    cx.log(source, &[b"LMOVE", source, destination, side(from), side(to)]);
}

fn side(end: End) -> &'static [u8] {
    if end == End::Head { b"LEFT" } else { b"RIGHT" }
}

/// Writes down that elements were moved from one list to another, where they stand in this order: each list by itself.
fn tell_moves(cx: &mut Cx<'_>, [source, destination]: [Key<'_>; 2], [from, to]: [End; 2], moved: &[Vec<u8>]) {
    tell_popped(cx, source, from, (moved.len() > 1).then_some(moved.len()));
    let elements = moved.iter().map(Vec::as_slice);
    match to {
        End::Head => cx.log_items(b"LPUSH", destination.bytes, elements.rev()),
        End::Tail => cx.log_items(b"RPUSH", destination.bytes, elements),
    }
}

/// The places of both lists; `None` if there is no source. The destination may be absent.
fn find_both(
    cx: &mut Cx<'_>,
    source: Key<'_>,
    destination: Key<'_>,
) -> Result<Option<(Pos, Option<Pos>)>, Error> {
    // In this order: should the source's time be over, its removal does not spoil a place that is used.
    let destination_pos = cx.find_for_write(destination);
    let Some(source_pos) = cx.find_for_write(source) else { return Ok(None) };
    for pos in [Some(source_pos), destination_pos].into_iter().flatten() {
        if List::of(cx.db().value(pos)).is_none() {
            return Err(Error::WRONG_TYPE);
        }
        cx.touch(pos);
    }
    Ok(Some((source_pos, destination_pos)))
}

/// How many elements LMOVEM moves, and in which order they arrive.
#[derive(Clone, Copy)]
pub struct Batch {
    count: usize,
    /// All of them or none.
    exactly: bool,
    /// One by one; otherwise they keep their order.
    one_by_one: bool,
}

impl Batch {
    /// Reads the arguments from `index` on, if there are any.
    ///
    /// # Errors
    /// Those of LMOVEM.
    pub fn parse(args: Args<'_>, index: usize) -> Result<Self, Error> {
        if args.len() == index {
            return Ok(Self { count: 1, exactly: false, one_by_one: false });
        }
        let exactly = args.is(index, "EXACTLY");
        if args.len() != index + 3 || !(exactly || args.is(index, "COUNT")) {
            return Err(Error::SYNTAX);
        }
        let count = positive_count(args, index + 1)?;
        let one_by_one = args.is(index + 2, "OBO");
        if !one_by_one && !args.is(index + 2, "BULK") {
            return Err(Error::SYNTAX);
        }
        Ok(Self { count, exactly, one_by_one })
    }
}

/// LMOVEM source destination LEFT|RIGHT LEFT|RIGHT [COUNT count|EXACTLY count OBO|BULK]
fn lmovem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (from, to) = (end_at(args, 3)?, end_at(args, 4)?);
    let batch = Batch::parse(args, 5)?;
    if !move_many(cx, args, from, to, batch, out)? {
        out.null_array();
    }
    Ok(())
}

/// Moves as many elements as are asked for, if there are enough; whether there were.
///
/// # Errors
/// WRONGTYPE
pub fn move_many(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    from: End,
    to: End,
    batch: Batch,
    out: &mut Reply,
) -> Result<bool, Error> {
    let (source, destination) = (args.key(1), args.key(2));
    let Some((source_pos, _)) = find_both(cx, source, destination)? else { return Ok(false) };
    let mut list = cx.db().update::<List>(source_pos);
    let len = list.len();
    if batch.exactly && batch.count > len {
        return Ok(false);
    }
    let count = batch.count.min(len);
    let first = if from == End::Head { 0 } else { len - count };
    // Elements that go one by one to the end they came from arrive in reverse.
    let reverse = batch.one_by_one && from == to;
    out.array(count);
    let moved = take_range(&mut list, first, count, reverse, out);
    let same = source.bytes == destination.bytes;
    if same {
        push_block(&mut list, to, &moved);
    }
    let emptied = list.finish();
    if !same {
        let limit = cx.shard.limits.list;
        push_block(&mut *cx.upsert(destination, || List::new(limit))?, to, &moved);
    }
    cx.notice(Event::List, pushed(to), destination.bytes);
    removed(cx, source, from, count, emptied);
    if cx.logs() && !same {
        tell_moves(cx, [source, destination], [from, to], &moved);
    } else if cx.logs() {
        tell_turned(cx, source, [from, to], count, reverse);
    }
    Ok(true)
}

/// Writes down that elements were moved within a list.
fn tell_turned(cx: &mut Cx<'_>, key: Key<'_>, [from, to]: [End; 2], count: usize, reverse: bool) {
    let (key, order): (_, &[u8]) = (key.bytes, if reverse { b"OBO" } else { b"BULK" });
    let count = I64Buf::from_u64(count as u64);
    cx.log(key, &[b"LMOVEM", key, key, side(from), side(to), b"COUNT", count.as_bytes(), order]);
}

/// Removes `count` elements from `first` on, writes them to the reply in the order they will arrive in and returns them.
fn take_range(list: &mut List, first: usize, count: usize, reverse: bool, out: &mut Reply) -> Vec<Vec<u8>> {
    let mut moved: Vec<Vec<u8>> = list.range(first, count).map(|item| item.to_vec()).collect();
    if reverse {
        moved.reverse();
    }
    let mut run = out.run(0);
    moved.iter().for_each(|element| run.bulk(element));
    list.remove_range(first, count);
    moved
}

/// Adds elements at an end in such a way that they stand there in their order.
fn push_block(list: &mut List, end: End, elements: &[Vec<u8>]) {
    list.grow(elements.iter().map(Vec::len).sum(), elements.len());
    match end {
        End::Head => elements.iter().rev().for_each(|element| list.push_grown(end, element)),
        End::Tail => elements.iter().for_each(|element| list.push_grown(end, element)),
    }
}
