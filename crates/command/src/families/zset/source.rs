//! What the commands over several sets take as input: sorted sets, and sets as if every member had score 1.

use crate::{Cx, Error};
use keyspace::Pos;
use keyspace::{Db, Key, ValueRef};
use std::ops::ControlFlow;
use types::listpack::Item;
use types::{Set, ZSet};

/// One input.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    Missing,
    Set(&'a Set),
    ZSet(&'a ZSet),
}

/// Where the inputs stand, `None` for keys that do not exist. Nothing of the database may change while the places are
/// in use.
///
/// # Errors
/// WRONGTYPE
pub fn find_all<'k>(
    cx: &mut Cx<'_>,
    keys: impl Iterator<Item = Key<'k>> + Clone,
) -> Result<Vec<Option<Pos>>, Error> {
    // The first round removes what has expired, so that in the second round nothing moves.
    for key in keys.clone() {
        if let Some(pos) = cx.find(key) {
            Source::at(cx.db(), pos)?;
        }
    }
    Ok(keys.map(|key| cx.find_for_write(key)).collect())
}

impl<'a> Source<'a> {
    /// The value at `pos`.
    ///
    /// # Errors
    /// WRONGTYPE
    pub fn at(db: &'a Db, pos: Pos) -> Result<Self, Error> {
        match db.value(pos) {
            ValueRef::Set(set) => Ok(Self::Set(set)),
            ValueRef::ZSet(zset) => Ok(Self::ZSet(zset)),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Set(set) => set.len(),
            Self::ZSet(zset) => zset.len(),
        }
    }

    /// The score of a member, if it is one.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::ZSet(zset) => zset.score(member),
        }
    }

    /// Visits members with their scores until `visit` breaks.
    pub fn visit(&self, mut visit: impl FnMut(Item<'a>, f64) -> ControlFlow<()>) {
        _ = match *self {
            Self::Missing => ControlFlow::Continue(()),
            Self::Set(set) => set.iter().try_for_each(|member| visit(member, 1.0)),
            Self::ZSet(zset) => zset.iter().try_for_each(|(member, score)| visit(member, score)),
        };
    }
}
