//! Adding and removing at the ends of a list.

use super::{POPPED, PUSHED, end_at, popped, pushed, row};
use crate::items::{reply_item, run_item};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::I64Buf;
use keyspace::{Key, Update};
use resp::Reply;
use std::ops::Range;
use types::List;
use types::list::End;

const PUSH_COST: &str = "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.";
const POP_COST: &str = "O(N) where N is the number of elements returned";

pub const COMMANDS: &[Command] = &[
    row("LPUSH", lpush)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .complexity(PUSH_COST)
        .summary("Adds elements before the head of a list; creates the list if there is none.")
        .history(&[("2.4.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("RPUSH", rpush)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .complexity(PUSH_COST)
        .summary("Adds elements behind the tail of a list; creates the list if there is none.")
        .history(&[("2.4.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("LPUSHX", lpushx)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.2.0")
        .complexity(PUSH_COST)
        .summary("Adds elements before the head of a list that exists.")
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("RPUSHX", rpushx)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.2.0")
        .complexity(PUSH_COST)
        .summary("Adds elements behind the tail of a list that exists.")
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("LPOP", lpop)
        .arity(-2)
        .keys(&[POPPED])
        .flags(WRITE | FAST | COUNTED)
        .complexity(POP_COST)
        .summary("Removes elements at the head of a list and returns them.")
        .history(&[("6.2.0", "Added the `count` argument.")])
        .syntax("key:key count:integer?^6.2.0"),
    row("RPOP", rpop)
        .arity(-2)
        .keys(&[POPPED])
        .flags(WRITE | FAST | COUNTED)
        .complexity(POP_COST)
        .summary("Removes elements at the tail of a list and returns them.")
        .history(&[("6.2.0", "Added the `count` argument.")])
        .syntax("key:key count:integer?^6.2.0"),
    row("LMPOP", lmpop)
        .arity(-4)
        .keys(&[KeySpec::counted(1, RW | ACCESS | DELETE)])
        .flags(WRITE | MOVABLEKEYS)
        .since("7.0.0")
        .complexity("O(N+M) where N is the number of provided keys and M is the number of elements returned.")
        .summary("Removes elements of the first list that has any and returns them with its key.")
        .syntax("numkeys:integer key:key* where(left=LEFT|right=RIGHT) COUNT@count:integer?"),
];

/// LPUSH key element [element …]
pub fn lpush(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    push(cx, args, End::Head, out)
}

/// RPUSH key element [element …]
pub fn rpush(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    push(cx, args, End::Tail, out)
}

#[inline(always)]
fn push(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    let (key, limit) = (args.key(1), cx.shard.limits.list);
    let list = cx.upsert(key, || List::new(limit))?;
    let len = push_all(list, args, end);
    cx.event_of(args.len() - 2, Event::List, pushed(end), key.bytes);
    out.count(len);
    Ok(())
}

/// LPUSHX key element [element …]
fn lpushx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    push_existing(cx, args, End::Head, out)
}

/// RPUSHX key element [element …]
fn rpushx(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    push_existing(cx, args, End::Tail, out)
}

fn push_existing(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let Some(list) = cx.update::<List>(key)? else {
        out.int(0);
        return Ok(());
    };
    let len = push_all(list, args, end);
    cx.event_of(args.len() - 2, Event::List, pushed(end), key.bytes);
    out.count(len);
    Ok(())
}

/// Adds the arguments from the second on; the new length.
#[inline(always)]
fn push_all(mut list: Update<'_, List>, args: Args<'_>, end: End) -> usize {
    if args.len() == 3 {
        list.push(end, &args[2]);
    } else {
        list.grow(args.from(2).map(<[u8]>::len).sum(), args.len() - 2);
        args.from(2).for_each(|element| list.push_grown(end, element));
    }
    list.len()
}

/// LPOP key [count]
pub fn lpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop(cx, args, End::Head, out)
}

/// RPOP key [count]
pub fn rpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    pop(cx, args, End::Tail, out)
}

#[inline(always)]
fn pop(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    if args.len() > 2 {
        return pop_many(cx, args, end, out);
    }
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.null();
        return Ok(());
    };
    list.pop(end, |item| reply_item(out, item));
    let emptied = list.finish();
    removed(cx, key, end, 1, emptied);
    Ok(())
}

fn pop_many(cx: &mut Cx<'_>, args: Args<'_>, end: End, out: &mut Reply) -> Outcome {
    if args.len() > 3 {
        return Err(Error::wrong_arity(if end == End::Head { "lpop" } else { "rpop" }));
    }
    let count = args.natural(2)?;
    let key = args.key(1);
    let Some(list) = cx.update::<List>(key)? else {
        out.null_array();
        return Ok(());
    };
    if count == 0 {
        out.array(0);
        return Ok(());
    }
    let count = count.min(list.len());
    let emptied = pop_range(list, end, count, out);
    removed(cx, key, end, count, emptied);
    Ok(())
}

/// Removes up to `count` elements at `end` and writes them as an array, the outermost first; whether none is left.
fn pop_range(mut list: Update<'_, List>, end: End, count: usize, out: &mut Reply) -> bool {
    let len = list.len();
    let count = count.min(len);
    out.array(count);
    let mut run = out.run(0);
    match end {
        End::Head => list.range(0, count).for_each(|item| run_item(&mut run, item)),
        End::Tail => list.range_rev(len - 1, count).for_each(|item| run_item(&mut run, item)),
    }
    list.remove_range(if end == End::Head { 0 } else { len - count }, count);
    list.finish()
}

/// Tells that `count` elements were removed at `end`.
#[inline]
pub fn removed(cx: &mut Cx<'_>, key: Key<'_>, end: End, count: usize, emptied: bool) {
    cx.event_of(count, Event::List, popped(end), key.bytes);
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
}

/// Writes down that elements, or one, were removed at an end.
pub fn tell_popped(cx: &mut Cx<'_>, key: Key<'_>, end: End, count: Option<usize>) {
    let name: &[u8] = if end == End::Head { b"LPOP" } else { b"RPOP" };
    match count {
        Some(count) => cx.log(key.bytes, &[name, key.bytes, I64Buf::from_u64(count as u64).as_bytes()]),
        None => cx.log(key.bytes, &[name, key.bytes]),
    }
}

/// What LMPOP and BLMPOP pop, and from where.
pub struct Popping {
    /// The arguments that are keys.
    pub keys: Range<usize>,
    end: End,
    count: usize,
}

impl Popping {
    /// Reads the arguments from the number of keys on, which stands at `index`.
    ///
    /// # Errors
    /// Those of LMPOP.
    pub fn parse(args: Args<'_>, index: usize) -> Result<Self, Error> {
        let numkeys = args.int(index).ok().filter(|&n| n > 0);
        let numkeys = numkeys.ok_or_else(|| Error::err("numkeys should be greater than 0"))? as usize;
        let where_at = numkeys.saturating_add(index + 1);
        let end = end_at(args, where_at)?;
        let count = match args.len() - where_at - 1 {
            0 => 1,
            1 => return Err(Error::SYNTAX),
            more if args.is(where_at + 1, "COUNT") => {
                let count = positive_count(args, where_at + 2)?;
                if more > 2 {
                    return Err(Error::SYNTAX);
                }
                count
            }
            _ => return Err(Error::SYNTAX),
        };
        Ok(Self { keys: index + 1..where_at, end, count })
    }

    /// Pops from the first of the lists that there is; whether there is one.
    ///
    /// # Errors
    /// WRONGTYPE
    pub fn pop(&self, cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Result<bool, Error> {
        for index in self.keys.clone() {
            if cx.passes_over(index) {
                continue;
            }
            let key = args.key(index);
            let Some(list) = cx.update::<List>(key)? else { continue };
            out.array(2);
            out.bulk(key.bytes);
            let count = self.count.min(list.len());
            let emptied = pop_range(list, self.end, count, out);
            removed(cx, key, self.end, count, emptied);
            if cx.logs() {
                tell_popped(cx, key, self.end, Some(count));
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]
fn lmpop(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if !Popping::parse(args, 1)?.pop(cx, args, out)? {
        out.null_array();
    }
    Ok(())
}

/// A number of elements of which there is at least one.
pub fn positive_count(args: Args<'_>, index: usize) -> Result<usize, Error> {
    let count = args.int(index).ok().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
    count.ok_or_else(|| Error::err("count should be greater than 0"))
}
