//! Where the files of a generation are to be cut so that no transaction of several shards is torn.
//!
//! Each file is whole up to somewhere ([`crate::survey`]). A transaction of which not all parts are in what is whole is cut away in every file,
//! with the rest of its round and what follows it there; with that other transactions may lose parts, so they are cut away, too, until nothing is left to cut. Nothing is
//! cut that need not be. Before anything new is written, what stays must be synced, cut or not: it may have been there only for the system,
//! and behind it a new generation begins. For the same reason only files of the newest generation may be cut; elsewhere it is damage. What was on the disk for certain cannot be concerned: if it is, files have been lost or changed, and nothing is cut.

use crate::TxId;
use crate::survey::{Part, Survey};
use std::collections::HashMap;
use std::fmt;

/// A file as far as it is whole.
#[derive(Clone, Copy, Debug)]
pub struct Remains<'a> {
    pub whole_bytes: u64,
    pub safe_bytes: u64,
    pub parts: &'a [Part],
}

impl<'a> From<&'a Survey> for Remains<'a> {
    fn from(survey: &'a Survey) -> Self {
        Self { whole_bytes: survey.whole_bytes, safe_bytes: survey.safe_bytes, parts: &survey.parts }
    }
}

/// A transaction that was on the disk for certain is not there any more, or not wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    pub tx: TxId,
    /// Which file has a part of it, and where.
    pub file: usize,
    pub offset: u64,
    pub parts_wanted: u16,
    pub parts_found: usize,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tx, offset, parts_wanted, parts_found, .. } = self;
        write!(
            f,
            "at byte {offset}: of transaction {tx} there were {parts_wanted} parts, but only {parts_found} are there"
        )
    }
}

impl std::error::Error for Lost {}

/// What is known of a transaction.
#[derive(Default)]
struct Transaction {
    /// As its marks say; they say the same.
    wanted: u16,
    /// The file and the index of each part that is there.
    places: Vec<(usize, usize)>,
    is_cut: bool,
    is_safe: bool,
}

/// Where each file is to be cut: at most where it stops being whole.
///
/// # Errors
/// If something would be cut that was safe.
pub fn cuts(files: &[Remains]) -> Result<Vec<u64>, Lost> {
    let mut transactions: HashMap<TxId, Transaction> = HashMap::new();
    for (file, remains) in files.iter().enumerate() {
        for (index, part) in remains.parts.iter().enumerate() {
            let transaction = transactions.entry(part.tx).or_default();
            transaction.wanted = transaction.wanted.max(part.parts);
            transaction.places.push((file, index));
            transaction.is_safe |= part.offset < remains.safe_bytes;
        }
    }
    let mut torn: Vec<TxId> = Vec::new();
    for (tx, transaction) in &mut transactions {
        transaction.is_cut = transaction.places.len() < usize::from(transaction.wanted);
        if transaction.is_cut {
            torn.push(*tx);
        }
    }
    // By file, how many of its parts stay.
    let mut kept: Vec<_> = files.iter().map(|remains| remains.parts.len()).collect();
    while let Some(tx) = torn.pop() {
        let transaction = &transactions[&tx];
        if transaction.is_safe {
            return Err(lost(files, tx, transaction));
        }
        for (file, index) in transaction.places.clone() {
            // What stands in the same round goes with it.
            let parts = files[file].parts;
            let index = parts.partition_point(|part| part.offset < parts[index].offset);
            let gone = index..kept[file].max(index);
            kept[file] = kept[file].min(index);
            for part in &parts[gone] {
                let other = transactions.get_mut(&part.tx).expect("all are known");
                if !std::mem::replace(&mut other.is_cut, true) {
                    torn.push(part.tx);
                }
            }
        }
    }
    let cut = |(remains, kept): (&Remains, usize)| {
        remains.parts.get(kept).map_or(remains.whole_bytes, |part| part.offset)
    };
    Ok(files.iter().zip(kept).map(cut).collect())
}

fn lost(files: &[Remains], tx: TxId, transaction: &Transaction) -> Lost {
    let (file, index) = transaction.places[0];
    Lost {
        tx,
        file,
        offset: files[file].parts[index].offset,
        parts_wanted: transaction.wanted,
        parts_found: transaction.places.len(),
    }
}

#[cfg(test)]
mod tests;
