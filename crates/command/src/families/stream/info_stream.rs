//! What XINFO STREAM tells.

use super::info_groups::reply_groups;
use super::{producers, reply_entries, reply_entry, reply_id};
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use types::Stream;
use types::stream::{Entry, Producers, StreamId};

/// Entries of a stream, and pending entries of its groups and consumers, that FULL shows unless told otherwise.
const SHOWN: usize = 10;

/// XINFO STREAM key [FULL [COUNT count]]
pub fn stream(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let now_ms = cx.now_ms();
    let none = Producers::new(producers::memory(cx));
    let stream = cx.read::<Stream>(args.key(2))?.ok_or_else(|| Error::NO_SUCH_KEY)?;
    let count = match args.len() {
        3 => None,
        4 if args.is(3, "FULL") => Some(SHOWN),
        6 if args.is(3, "FULL") && args.is(4, "COUNT") => match usize::try_from(args.int(5)?) {
            Ok(0) => Some(usize::MAX),
            Ok(count) => Some(count),
            Err(_) => Some(SHOWN),
        },
        _ => return Err(Error::subcommand_syntax("XINFO", &args[1])),
    };
    out.map(if count.is_some() { 15 } else { 16 });
    reply_state(out, stream);
    reply_producers(out, stream.producers().unwrap_or(&none), now_ms);
    match count {
        None => {
            out.bulk(b"groups");
            out.count(stream.groups.len());
            out.bulk(b"first-entry");
            reply_optional(out, stream.range(StreamId::MIN, StreamId::MAX).next());
            out.bulk(b"last-entry");
            reply_optional(out, stream.last());
        }
        Some(count) => {
            out.bulk(b"entries");
            reply_entries(out, stream.range(StreamId::MIN, StreamId::MAX).take(count));
            out.bulk(b"groups");
            reply_groups(out, stream, count);
        }
    }
    Ok(())
}

fn reply_state(out: &mut Reply, stream: &Stream) {
    out.bulk(b"length");
    out.count(stream.len());
    out.bulk(b"radix-tree-keys");
    out.count(stream.blocks());
    out.bulk(b"radix-tree-nodes");
    out.count(radix_tree_nodes(stream));
    for (name, id) in
        [("last-generated-id", stream.last_id()), ("max-deleted-entry-id", stream.max_deleted_id)]
    {
        out.bulk(name.as_bytes());
        reply_id(out, id);
    }
    out.bulk(b"entries-added");
    out.int(stream.entries_added as i64);
    out.bulk(b"recorded-first-entry-id");
    reply_id(out, stream.first_id());
}

fn reply_producers(out: &mut Reply, producers: &Producers, now_ms: u64) {
    let (memory, (tracked, messages)) = (producers.memory(), producers.count(now_ms));
    for (name, number) in [
        ("idmp-duration", memory.duration_s),
        ("idmp-maxsize", memory.messages_max as u64),
        ("pids-tracked", tracked as u64),
        ("iids-tracked", messages as u64),
        ("iids-added", producers.added),
        ("iids-duplicates", producers.duplicates),
    ] {
        out.bulk(name.as_bytes());
        out.int(number as i64);
    }
}

fn reply_optional(out: &mut Reply, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(out, entry),
        None => out.null(),
    }
}

/// How many nodes the radix tree of Redis has for the ids of the blocks: texts of 16 bytes, in which a chain of bytes without
/// branches is one node, and so is every branch and every end.
fn radix_tree_nodes(stream: &Stream) -> usize {
    const END: usize = 16;
    // What stands at `at` below a branch at `above`: whether bytes lie between them.
    let chain = |at: usize, above: usize| usize::from(at > above + 1);
    // Where the way to the last text branches, ascending.
    let mut branches: Vec<usize> = Vec::new();
    let (mut count, mut before) = (0, None::<[u8; END]>);
    for node in stream.nodes() {
        let id = node.master().to_be_bytes();
        count += 1;
        let Some(before) = before.replace(id) else { continue };
        let common = before.iter().zip(&id).take_while(|(one, other)| one == other).count();
        let mut last = END;
        while let Some(branch) = branches.pop_if(|branch| *branch > common) {
            count += chain(last, branch);
            last = branch;
        }
        if branches.last() != Some(&common) {
            branches.push(common);
            count += 1;
        }
        count += chain(last, common);
    }
    let mut last = if count == 0 { 0 } else { END };
    while let Some(branch) = branches.pop() {
        count += chain(last, branch);
        last = branch;
    }
    // The top: a chain that begins it, or nothing at all.
    count + usize::from(last > 0 || count == 0)
}
