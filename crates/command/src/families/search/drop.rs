//! FT.DROPINDEX.

use super::{count_change, first, on_all};
use crate::indexes::{DB, index_not_found};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Event, Outcome};
use base::number::parse_u64;
use keyspace::{Free, Key};
use resp::Reply;

pub const COMMANDS: &[Command] = &[on_all("FT.DROPINDEX", drop_index, first, WRITE)
    .arity(-2)
    .complexity("O(1) or O(N) if documents are deleted, where N is the number of keys in the keyspace")
    .since("2.0.0")
    .summary("Deletes an index, and its documents if asked to.")
    .syntax("index:string delete_docs(delete_docs=DD)?")];

/// FT.DROPINDEX index [DD]
fn drop_index(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let deletes = match args.len() {
        2 => false,
        3 if args.is(2, "DD") => true,
        3 => return Err(Error::text("SEARCH_ARG_UNRECOGNIZED Unknown argument")),
        _ => return Err(Error::wrong_arity("FT.DROPINDEX")),
    };
    cx.shard.settle_indexes();
    let name = cx.shard.indexes.resolve(args.at(1)).to_vec();
    if !drop_named(cx, &name, deletes) {
        return Err(index_not_found(args.at(1)));
    }
    out.ok();
    Ok(())
}

/// What becomes of a TEMPORARY index that nobody has asked for too long: a command for all shards that no client sends.
pub const EXPIRE: Command = on_all("FT.DROPINDEX", expire, first, WRITE);

/// FT.DROPINDEX index number: the index goes with its documents, unless another has its name by now.
fn expire(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.settle_indexes();
    let name = args.at(1);
    let index = cx.shard.indexes.get(name).filter(|index| index.definition.name == name);
    if index.is_some_and(|index| Some(index.definition.number) == parse_u64(args.at(2))) {
        drop_named(cx, name, true);
    }
    out.ok();
    Ok(())
}

/// Removes an index, with its documents if it `deletes` them; whether there was one of that very name.
fn drop_named(cx: &mut Cx<'_>, name: &[u8], deletes: bool) -> bool {
    let Some(index) = cx.shard.remove_index(name) else { return false };
    if deletes {
        // Which documents it had is not known when it is played again.
        cx.shard.write_for_all(&[b"FT.DROPINDEX", name]);
        delete(cx, index.documents.iter().map(|(_, key)| &key[..]));
    }
    count_change(cx.shard);
    true
}

/// Deletes keys as DEL does.
fn delete<'k>(cx: &mut Cx<'_>, keys: impl Iterator<Item = &'k [u8]>) {
    let seed = cx.shard.seed.clone();
    for key in keys {
        if let Some(pos) = cx.find_in(DB, Key::new(key, &seed)) {
            cx.shard.dbs[usize::from(DB)].discard(pos, Free::Now);
            cx.event_in(DB, Event::Generic, "del", key);
            cx.log_in(DB, key, &[b"DEL", key]);
        }
    }
}
