//! Putting a sorted set made by a command under its destination key.

use crate::{Cx, Event};
use keyspace::{Key, Typed};
use resp::Reply;
use types::ZSet;

/// Puts `zset` in the place of whatever `key` holds, or removes the key if there is nothing to put, and replies the
/// number of members.
pub fn store(cx: &mut Cx<'_>, key: Key<'_>, zset: ZSet, event: &'static str, out: &mut Reply) {
    let len = zset.len();
    if len > 0 {
        let age = cx.shard.clock_age();
        let pos = cx.find_for_write(key);
        cx.db().put(key, pos, zset.into_value(), None, age);
        // Redis counts the places that GEOSEARCHSTORE and GEORADIUS store one by one, but not the members of the others.
        let changes = if event.starts_with("geo") { len } else { 1 };
        cx.event_of(changes, Event::ZSet, event, key.bytes);
    } else if cx.delete(key) {
        cx.event(Event::Generic, "del", key.bytes);
    }
    out.count(len);
}
