//! Ids as clients write them, with the errors that Redis has for them.

use crate::{Args, Error};
use types::stream::{NewId, StreamId};

pub const INVALID_ID: Error =
    Error::Reply(std::borrow::Cow::Borrowed(b"ERR Invalid stream ID specified as stream command argument"));

/// An id; without a sequence number it is the first of its millisecond.
///
/// # Errors
/// `ERR Invalid stream ID specified as stream command argument`
pub fn id(args: Args<'_>, index: usize) -> Result<StreamId, Error> {
    args.get(index).and_then(|text| StreamId::parse(text, 0)).ok_or_else(|| INVALID_ID)
}

/// An id, `-` or `+`.
///
/// # Errors
/// As [`id`].
pub fn bound(args: Args<'_>, index: usize) -> Result<StreamId, Error> {
    args.get(index).and_then(|text| StreamId::parse_bound(text, 0)).ok_or_else(|| INVALID_ID)
}

/// The id for a new entry.
///
/// # Errors
/// As [`id`].
pub fn new_id(args: Args<'_>, index: usize) -> Result<NewId, Error> {
    args.get(index).and_then(|text| NewId::parse(text, 0)).ok_or_else(|| INVALID_ID)
}

/// The first id of a range, which `(` in front excludes.
///
/// # Errors
/// As [`id`]; and when nothing can stand behind it.
pub fn first(args: Args<'_>, index: usize) -> Result<StreamId, Error> {
    let (text, is_excluded) = interval(args.at(index));
    let id = end(text, is_excluded, 0)?;
    if !is_excluded {
        return Ok(id);
    }
    id.next().ok_or_else(|| Error::err("invalid start ID for the interval"))
}

/// The last id of a range, likewise.
///
/// # Errors
/// As [`id`]; and when nothing can stand before it.
pub fn last(args: Args<'_>, index: usize) -> Result<StreamId, Error> {
    let (text, is_excluded) = interval(args.at(index));
    let id = end(text, is_excluded, u64::MAX)?;
    if !is_excluded {
        return Ok(id);
    }
    id.prev().ok_or_else(|| Error::err("invalid end ID for the interval"))
}

fn interval(text: &[u8]) -> (&[u8], bool) {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => (rest, true),
        _ => (text, false),
    }
}

/// `-` and `+` cannot be excluded.
fn end(text: &[u8], is_excluded: bool, missing_seq: u64) -> Result<StreamId, Error> {
    let id = if is_excluded {
        StreamId::parse(text, missing_seq)
    } else {
        StreamId::parse_bound(text, missing_seq)
    };
    id.ok_or_else(|| INVALID_ID)
}
