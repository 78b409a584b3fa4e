//! XSETID.

use super::{ids, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Stream;

pub const COMMANDS: &[Command] = &[row("XSETID", xsetid)
    .arity(-3)
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | DENYOOM | FAST)
    .since("5.0.0")
    .complexity("O(1)")
    .history(&[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")])
    .summary("Sets what a stream knows of itself; for replication.")
    .syntax(
        "key:key last-id:string ENTRIESADDED@entries-added:integer?^7.0.0 MAXDELETEDID@max-deleted-id:string?^7.0.0",
    )];

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
fn xsetid(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let last = ids::id(args, 2)?;
    let (mut added, mut deleted, mut index) = (None, None, 3);
    while index < args.len() {
        if index + 1 < args.len() && args.is(index, "ENTRIESADDED") {
            let count = u64::try_from(args.int(index + 1)?);
            added = Some(count.map_err(|_| Error::err("entries_added must be positive"))?);
        } else if index + 1 < args.len() && args.is(index, "MAXDELETEDID") {
            let id = ids::id(args, index + 1)?;
            if last < id {
                return Err(smaller("the provided max_deleted_entry_id"));
            }
            deleted = Some(id);
        } else {
            return Err(Error::SYNTAX);
        }
        index += 2;
    }
    let key = args.key(1);
    {
        let mut stream = cx.update::<Stream>(key)?.ok_or_else(|| Error::NO_SUCH_KEY)?;
        if last < stream.max_deleted_id {
            return Err(smaller("current max_deleted_entry_id"));
        }
        if !stream.is_empty() && stream.last().is_some_and(|entry| last < entry.id) {
            return Err(smaller("the target stream top item"));
        }
        if added.is_some_and(|added| !stream.is_empty() && added < stream.len() as u64) {
            return Err(Error::err(
                "The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
        stream.set_last_id(last);
        stream.entries_added = added.unwrap_or(stream.entries_added);
        stream.max_deleted_id = deleted.filter(|id| !id.is_zero()).unwrap_or(stream.max_deleted_id);
    }
    cx.event(Event::Group, "xsetid", key.bytes);
    out.ok();
    Ok(())
}

fn smaller(than: &str) -> Error {
    Error::err(format_args!("The ID specified in XSETID is smaller than {than}"))
}
