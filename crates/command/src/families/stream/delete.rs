//! XDEL and XDELEX.

use super::{ids, row, trim};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{Deletion, References, StreamId};

const DELETED: &[KeySpec] = &[KeySpec::at(1, RW | DELETE)];

pub const COMMANDS: &[Command] = &[
    row("XDEL", xdel)
        .arity(-3)
        .keys(DELETED)
        .flags(WRITE | FAST)
        .since("5.0.0")
        .complexity("O(1) for each entry")
        .summary("Deletes entries of a stream.")
        .syntax("key:key id:string*"),
    row("XDELEX", xdelex)
        .arity(-5)
        .keys(DELETED)
        .flags(WRITE | FAST)
        .since("8.2.0")
        .complexity("O(1) for each entry")
        .summary("Deletes entries of a stream, with regard to the consumer groups that refer to them.")
        .syntax(
            "key:key condition(keepref=KEEPREF|delref=DELREF|acked=ACKED)? \
             IDS@ids{numids:integer id:string*}",
        ),
];

/// XDEL key id [id …]
fn xdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let deleted = match cx.update::<Stream>(key)? {
        None => 0,
        Some(mut stream) => {
            let ids = some_ids(args, 2, args.len() - 2)?;
            ids.into_iter().filter(|&id| stream.delete(id)).count()
        }
    };
    if deleted > 0 {
        cx.event_of(deleted, Event::Stream, "xdel", key.bytes);
    }
    out.count(deleted);
    Ok(())
}

pub fn some_ids(args: Args<'_>, first: usize, count: usize) -> Result<Vec<StreamId>, Error> {
    (first..first + count).map(|index| ids::id(args, index)).collect()
}

/// XDELEX key [KEEPREF|DELREF|ACKED] IDS numids id [id …]
fn xdelex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    // Redis looks at the key's type before the arguments.
    let is_there = cx.update::<Stream>(key)?.is_some();
    let (references, first, count) = options(args, 2)?;
    if !is_there {
        out.array(count);
        (0..count).for_each(|_| out.int(-1));
        return Ok(());
    }
    let ids = some_ids(args, first, count)?;
    out.array(count);
    let (mut deleted, mut forgets) = (0, false);
    if let Some(mut stream) = cx.update::<Stream>(key)? {
        forgets = references == References::Delete && !stream.groups.is_empty();
        for id in ids {
            let deletion = stream.delete_with(id, references);
            deleted += usize::from(deletion == Deletion::Done);
            out.int(match deletion {
                Deletion::Missing => -1,
                Deletion::Done => 1,
                Deletion::Refused => 2,
            });
        }
    }
    if deleted > 0 {
        cx.event_of(deleted, Event::Stream, "xdel", key.bytes);
    } else if forgets && cx.logs() {
        // Groups may have referred to entries that were deleted before: no change that counts, but one that stays.
        cx.log_words(key.bytes, args.from(0).map(<[u8]>::to_vec).collect());
    }
    Ok(())
}

/// What becomes of references, where the ids begin and how many there are; the options, from `index` on, stand in any order.
pub fn options(args: Args<'_>, mut index: usize) -> Result<(References, usize, usize), Error> {
    let (mut references, mut ids) = (None, None);
    while index < args.len() {
        let word = trim::references(args, index);
        if word.is_some() && references.is_none() {
            references = word;
            index += 1;
        } else if args.is(index, "IDS") && index + 1 < args.len() {
            let count = args.int(index + 1).ok().and_then(|count| usize::try_from(count).ok());
            let count = count.filter(|&count| count > 0);
            let count = count.ok_or_else(|| Error::err("Number of IDs must be a positive integer"))?;
            if count > args.len() - index - 2 {
                return Err(Error::err("The `numids` parameter must match the number of arguments"));
            }
            ids = Some((index + 2, count));
            index += 2 + count;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let (first, count) = ids.ok_or_else(|| Error::SYNTAX)?;
    Ok((references.unwrap_or_default(), first, count))
}
