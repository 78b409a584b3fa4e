//! XDEL.

use super::{ids, row};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::Stream;

pub const COMMANDS: &[Command] = &[row("XDEL", xdel)
    .arity(-3)
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .flags(WRITE | FAST)
    .since("5.0.0")
    .complexity("O(1) for each entry")
    .summary("Deletes entries of a stream.")
    .syntax("key:key id:string*")];

/// XDEL key id [id …]
fn xdel(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let Some(mut stream) = cx.update::<Stream>(key)? else {
        out.int(0);
        return Ok(());
    };
    let ids = (2..args.len()).map(|index| ids::id(args, index)).collect::<Result<Vec<_>, Error>>()?;
    let deleted = ids.into_iter().filter(|&id| stream.delete(id)).count();
    drop(stream);
    if deleted > 0 {
        cx.event_of(deleted, Event::Stream, "xdel", key.bytes);
    }
    out.count(deleted);
    Ok(())
}
