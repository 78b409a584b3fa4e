//! What the commands of hashes have in common: look-ups, and fields whose time is over.
//!
//! An expired field counts as absent. A command that asks for one removes it on the way and tells so with the event
//! `hexpired`; a hash without fields goes, with the event `del`.

use crate::{Cx, Error, Outcome};
use keyspace::{Key, Pos, Typed};
use types::Hash;

/// Whether some field of the hash may have expired.
#[inline]
pub fn may_be_over(hash: &Hash, now_ms: u64) -> bool {
    hash.next_expire().is_some_and(|at_ms| at_ms <= now_ms)
}

/// Where the hash under a key stands, for a command that reads it.
///
/// # Errors
/// WRONGTYPE
#[inline]
pub fn find(cx: &mut Cx<'_>, key: Key<'_>) -> Result<Option<Pos>, Error> {
    let Some(pos) = cx.find(key) else { return Ok(None) };
    if Hash::of(cx.db().value(pos)).is_none() { Err(Error::WRONG_TYPE) } else { Ok(Some(pos)) }
}

/// The hash at a place that [`find`] gave.
#[inline]
pub fn at<'c>(cx: &'c mut Cx<'_>, pos: Pos) -> &'c Hash {
    Hash::of(cx.db().value(pos)).expect("the type was checked")
}

/// For write commands that know of a wrong type before they look at their other arguments.
///
/// # Errors
/// WRONGTYPE
pub fn check_type(cx: &mut Cx<'_>, key: Key<'_>) -> Outcome {
    match cx.find_for_write(key) {
        Some(pos) if Hash::of(cx.db().value(pos)).is_none() => Err(Error::WRONG_TYPE),
        _ => Ok(()),
    }
}

/// Removes those of `fields` that have expired from the hash at `pos`.
#[cold]
pub fn forget_expired<'a>(cx: &mut Cx<'_>, key: Key<'_>, pos: Pos, fields: impl Iterator<Item = &'a [u8]>) {
    let (now_ms, mut expired) = (cx.now_ms(), cx.subkeys());
    let mut hash = cx.db().update::<Hash>(pos);
    fields.filter(|field| hash.remove_expired(field, now_ms)).for_each(|field| expired.add(field));
    let emptied = hash.finish();
    cx.note_expired_fields(key.bytes, &expired, emptied);
}

/// Removes all expired fields from the hash at `pos`; whether nothing is left and the key is gone.
pub fn forget_all_expired(cx: &mut Cx<'_>, key: Key<'_>, pos: Pos) -> bool {
    let now_ms = cx.now_ms();
    if !may_be_over(at(cx, pos), now_ms) {
        return false;
    }
    let mut expired = cx.subkeys();
    let mut hash = cx.db().update::<Hash>(pos);
    while may_be_over(&hash, now_ms) {
        hash.expire_fields(now_ms, usize::MAX, |field| expired.add(field));
    }
    let emptied = hash.finish();
    cx.note_expired_fields(key.bytes, &expired, emptied);
    emptied
}
