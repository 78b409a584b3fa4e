//! Reading a data file: every shard a part of it, all at the same time.
//!
//! Our own files have an index of chunks, which are shared out. Of any other file each shard reads all, and builds what is its own.

use rdb::Text;
use rdb::file::{Item, Items, Parts};

pub use rdb::file::{Damage, Record};

/// Something a reader comes upon.
pub enum Found<'a> {
    /// The code of a library; every reader sees all of them.
    Function(Text<'a>),
    Record(Record<'a>),
    /// One that every reader sees: it is for the one whose it is.
    RecordForAll(Record<'a>),
}

/// Why reading has ended early.
#[derive(Debug)]
pub enum Stop<E> {
    /// The file cannot be read.
    Damage(Damage),
    /// The visitor would not go on.
    Refused(E),
}

impl<E> From<Damage> for Stop<E> {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// The reader with number `reader` of so many reads its part of a file, or all of it. `sums`: check sums are verified.
///
/// # Errors
/// When the file cannot be read, or `visit` says so.
pub fn read<E>(
    bytes: &[u8],
    sums: bool,
    (reader, readers): (usize, usize),
    mut visit: impl FnMut(Found<'_>) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    let Some(parts) = Parts::find(bytes, sums) else {
        // One look at the check sum is enough.
        let mut items = Items::of_file(bytes, sums && reader == 0)?;
        return walk(&mut items, &mut visit, true);
    };
    walk(&mut parts.head(), &mut visit, false)?;
    for (number, chunk) in parts.chunks().iter().enumerate() {
        // What one shard of as many has written is its own.
        let place = if usize::from(parts.sources()) == readers { chunk.source.into() } else { number };
        if place % readers == reader {
            walk(&mut parts.chunk(number)?, &mut visit, false)?;
        }
    }
    Ok(())
}

/// Whether a file is not one that every shard can read a part of, or has something behind its data.
pub fn is_of_others(bytes: &[u8]) -> bool {
    Parts::find(bytes, false).is_none()
}

/// Reads all of a file, behind whose data something else may follow; where that is.
///
/// # Errors
/// See [`read`].
pub fn read_front<E>(
    bytes: &[u8],
    sums: bool,
    mut visit: impl FnMut(Found<'_>) -> Result<(), E>,
) -> Result<usize, Stop<E>> {
    let mut items = Items::of_file(bytes, sums)?;
    walk(&mut items, &mut visit, false)?;
    Ok(items.offset() as usize)
}

fn walk<E>(
    items: &mut Items<'_>,
    mut visit: impl FnMut(Found<'_>) -> Result<(), E>,
    is_for_all: bool,
) -> Result<(), Stop<E>> {
    while let Some(item) = items.next_item()? {
        let found = match item {
            Item::Function(code) => Found::Function(code),
            Item::Record(record) if is_for_all => Found::RecordForAll(record),
            Item::Record(record) => Found::Record(record),
            _ => continue,
        };
        visit(found).map_err(Stop::Refused)?;
    }
    Ok(())
}
