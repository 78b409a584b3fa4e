//! The index of chunks of our own files, held against the file.

use base::crc64::crc64;
use rdb::Error;
use rdb::file::{Chunk, Damage, Doing, Index};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The first thing in which the index is wrong. `starts`: where in the file a database is chosen, ascending. `sums`: whether check sums were
/// written.
pub fn verify(file: &mut File, index: &Index, starts: &[u64], sums: bool) -> io::Result<Option<Damage>> {
    let mut next = index.chunks.first().map(|chunk| chunk.offset);
    for (number, chunk) in index.chunks.iter().enumerate() {
        let begins_well = next == Some(chunk.offset) && starts.binary_search(&chunk.offset).is_ok();
        next = chunk.offset.checked_add(chunk.bytes);
        if !begins_well || next.is_none() {
            return Ok(Some(damage(Doing::Index, chunk, Error::Corrupt("there is no chunk"))));
        }
        let found = if sums { sum(file, chunk)? } else { chunk.sum };
        if found != chunk.sum {
            let error = Error::CheckSum { stored: chunk.sum, found };
            return Ok(Some(damage(Doing::Chunk(number), chunk, error)));
        }
    }
    Ok(None)
}

fn damage(doing: Doing, chunk: &Chunk, error: Error) -> Damage {
    Damage { offset: chunk.offset, item: chunk.offset, doing, key: None, error }
}

fn sum(file: &mut File, chunk: &Chunk) -> io::Result<u64> {
    file.seek(SeekFrom::Start(chunk.offset))?;
    let (mut piece, mut left, mut sum) = (vec![0; 1 << 20], chunk.bytes, 0);
    while left > 0 {
        let wanted = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = file.read(&mut piece[..wanted])?;
        if count == 0 {
            break;
        }
        sum = crc64(sum, &piece[..count]);
        left -= count as u64;
    }
    Ok(sum)
}
