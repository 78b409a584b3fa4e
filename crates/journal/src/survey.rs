//! Whether a file is whole, and what of it is: blocks that end, seals that hold.
//!
//! What is wrong at the end of a file is a torn *tail*: what was not on the disk for certain when the machine stopped. It can be cut off. What
//! is wrong elsewhere is *damage*, with which no server should start. Where a file has seals, these say which is which; elsewhere only what is missing
//! at the end is a tail, as for redis-server.

use crate::TxId;
use crate::reader::{Entry, Flaw, Reader, Reason, Seal};
use crate::round::{SEAL, SEAL_BYTES, SUMMED_FROM};
use base::xxh3::xxh3_64;
use memchr::memmem;
use std::ops::Range;

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Survey {
    /// How far the file is whole; behind it comes nothing, filler, an annotation that was being written, or what is wrong.
    pub whole_bytes: u64,
    pub flaw: Option<Found>,
    /// Parts of transactions of several shards, in what is whole.
    pub parts: Vec<Part>,
    /// Somebody else has gone on with a file of ours: commands stand behind the rounds.
    pub is_continued: bool,
    /// Commands in what is whole, but for SELECT, MULTI and EXEC.
    pub commands: u64,
    /// Rounds, in what is whole.
    pub rounds: u64,
    /// Up to where everything of all files was on the disk when the last round was written.
    pub safe_bytes: u64,
    /// The database chosen at the end of what is whole; `None` if no number was said, or none that can be.
    pub db: Option<u16>,
    /// The first and the last time that was noted.
    pub times_unix_s: Option<(u64, u64)>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The end of the file can be cut off, at [`Survey::whole_bytes`].
    Tail(Flaw),
    Damage(Flaw),
}

/// The mark of a part of a transaction of several shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where the file is to be cut if the transaction is: at its round, which is whole or worth nothing. Outside of rounds, at the mark.
    pub offset: u64,
    pub tx: TxId,
    /// How many there are in all files.
    pub parts: u16,
}

/// What of a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Form {
    /// Where it begins: behind RDB data, if there is any.
    pub start: usize,
    /// It is known to be of ours, so what stands in it is sealed. One that begins with a seal is in any case.
    pub is_ours: bool,
}

/// Looks at a whole file. `see` is given every command of it in its order, including SELECT, MULTI and EXEC, and where it begins; also
/// of what turns out not to be whole.
///
/// # Panics
/// If the file is shorter than where to begin.
pub fn survey<'a>(bytes: &'a [u8], form: Form, mut see: impl FnMut(usize, &[&'a [u8]])) -> Survey {
    let survey = survey_while(bytes, form, |start, words| {
        see(start, words);
        true
    });
    survey.expect("it goes on to the end")
}

/// As [`survey`], as long as `see` wants to go on; `None` if it did not.
///
/// # Panics
/// If the file is shorter than where to begin.
pub fn survey_while<'a>(
    bytes: &'a [u8],
    form: Form,
    mut see: impl FnMut(usize, &[&'a [u8]]) -> bool,
) -> Option<Survey> {
    let mut look = Look::new(bytes, form);
    let mut reader = Reader::new(bytes, form.start);
    let flaw = loop {
        let step = match reader.next_entry() {
            Ok(None) => break look.unfinished(reader.offset()),
            Ok(Some((place, entry))) => {
                if let Entry::Command(words) = entry
                    && !see(place.start, words)
                {
                    return None;
                }
                look.entry(place, &entry)
            }
            Err(flaw) => Err(flaw),
        };
        if let Err(flaw) = step {
            break Some(flaw);
        }
    };
    Some(look.finish(flaw))
}

/// What is known while a file is looked at.
struct Look<'a> {
    bytes: &'a [u8],
    form: Form,
    survey: Survey,
    /// Where the last entry ends.
    end: usize,
    /// Where the last round begins and ends that is what it was.
    seal_at: usize,
    sealed_to: usize,
    /// Nothing but rounds was there last.
    is_sealed: bool,
    block: Option<Block>,
    /// In what has been read.
    db: Option<u16>,
    doubt: Option<Doubt>,
}

/// What was known before something that follows filler. If redis-server has gone on there, nothing is wrong from there to the end, but for what may
/// be missing there; if a disk has torn a round, there is more filler, or a round, or something else.
struct Doubt {
    survey: Survey,
    end: usize,
    /// Where what is doubtful begins.
    start: usize,
}

/// An open block, or a mark in front of one.
struct Block {
    start: usize,
    has_begun: bool,
    part: Option<Part>,
    commands: u64,
}

/// What a command is to us.
enum Meaning {
    Multi,
    Exec,
    Select(Option<u16>),
    Other,
}

impl Meaning {
    fn of(words: &[&[u8]]) -> Self {
        let name = words[0];
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"EXEC") => Meaning::Exec,
            5 if name.eq_ignore_ascii_case(b"MULTI") => Meaning::Multi,
            6 if name.eq_ignore_ascii_case(b"SELECT") => {
                let number = words.get(1).and_then(|word| base::number::parse_u64(word));
                Meaning::Select(number.and_then(|number| u16::try_from(number).ok()))
            }
            _ => Meaning::Other,
        }
    }
}

impl<'a> Look<'a> {
    fn new(bytes: &'a [u8], form: Form) -> Self {
        let whole_bytes = form.start as u64;
        Self {
            bytes,
            form,
            survey: Survey { whole_bytes, db: Some(0), ..Survey::default() },
            end: form.start,
            seal_at: form.start,
            sealed_to: form.start,
            is_sealed: form.is_ours || bytes[form.start..].starts_with(SEAL),
            block: None,
            db: Some(0),
            doubt: None,
        }
    }

    fn entry(&mut self, place: Range<usize>, entry: &Entry<'_, '_>) -> Result<(), Flaw> {
        let flaw = |reason| Err(Flaw { offset: place.start as u64, entry: place.start as u64, reason });
        if self.is_sealed && place.start >= self.sealed_to {
            match entry {
                // redis-server may have gone on with the file; then it has begun with one of these.
                Entry::Command(words) if matches!(words[0], b"SELECT" | b"MULTI") => {
                    if place.start > self.end {
                        let (survey, end) = (self.survey.clone(), self.end);
                        self.doubt = Some(Doubt { survey, end, start: place.start });
                    }
                }
                // Nothing of ours is ever written behind filler.
                Entry::Seal(_) if place.start == self.end => {}
                Entry::Command(_) | Entry::Seal(_) | Entry::Part { .. } => return flaw(Reason::Unsealed),
                // Of somebody else, or what has become of a seal.
                Entry::Timestamp { .. } | Entry::Annotation(_) => return Ok(()),
            }
        }
        let is_of_ours = matches!(entry, Entry::Seal(_) | Entry::Part { .. });
        if self.doubt.as_ref().is_some_and(|doubt| is_of_ours || place.start > self.end.max(doubt.start)) {
            return flaw(Reason::Unsealed);
        }
        let awaits_block = self.block.as_ref().is_some_and(|block| !block.has_begun);
        match entry {
            Entry::Command(words) => {
                self.is_sealed &= place.start < self.sealed_to;
                self.survey.is_continued |= self.survey.rounds > 0 && place.start >= self.sealed_to;
                let meaning = Meaning::of(words);
                if awaits_block && !matches!(meaning, Meaning::Multi) {
                    return flaw(Reason::NoPart);
                }
                if let Err(reason) = self.command(&meaning, place.start) {
                    return flaw(reason);
                }
            }
            _ if awaits_block => return flaw(Reason::NoPart),
            Entry::Part { .. } if self.block.is_some() => return flaw(Reason::NoPart),
            Entry::Part { tx, parts } => {
                let offset = if place.start < self.sealed_to { self.seal_at } else { place.start } as u64;
                let part = Part { offset, tx: *tx, parts: *parts };
                let (start, has_begun) = (place.start, false);
                self.block = Some(Block { start, has_begun, part: Some(part), commands: 0 });
            }
            Entry::Seal(seal) => {
                if let Err(reason) = self.seal(seal, &place) {
                    return flaw(reason);
                }
            }
            Entry::Timestamp { unix_s } => {
                let first = self.survey.times_unix_s.map_or(*unix_s, |times| times.0);
                self.survey.times_unix_s = Some((first, *unix_s));
            }
            Entry::Annotation(_) => {}
        }
        self.end = place.end;
        if self.block.is_none() && place.end >= self.sealed_to {
            self.survey.whole_bytes = place.end as u64;
            self.survey.db = self.db;
        }
        Ok(())
    }

    fn command(&mut self, meaning: &Meaning, start: usize) -> Result<(), Reason> {
        match meaning {
            Meaning::Multi => match &mut self.block {
                None => self.block = Some(Block { start, has_begun: true, part: None, commands: 0 }),
                Some(block) if block.has_begun => return Err(Reason::MultiInBlock),
                Some(block) => block.has_begun = true,
            },
            Meaning::Exec => {
                let block = self.block.take().ok_or(Reason::ExecOutsideBlock)?;
                self.survey.parts.extend(block.part);
                self.survey.commands += block.commands;
            }
            Meaning::Select(db) => self.db = *db,
            Meaning::Other => match &mut self.block {
                None => self.survey.commands += 1,
                Some(block) => block.commands += 1,
            },
        }
        Ok(())
    }

    fn seal(&mut self, seal: &Seal, place: &Range<usize>) -> Result<(), Reason> {
        let got = self.bytes.len() - place.end;
        if seal.bytes > got as u64 {
            return Err(Reason::EndsInWord { wanted: seal.bytes, got: got as u64 });
        }
        if !holds(seal, &self.bytes[place.start..]) {
            return Err(Reason::Sum { bytes: seal.bytes });
        }
        self.is_sealed = true;
        self.seal_at = place.start;
        self.sealed_to = place.end + seal.bytes as usize;
        self.survey.safe_bytes = self.survey.safe_bytes.max(seal.safe_bytes);
        self.survey.rounds += 1;
        Ok(())
    }

    /// What is wrong if nothing follows but filler up to `offset`.
    fn unfinished(&self, offset: usize) -> Option<Flaw> {
        let (entry, reason) = match &self.block {
            Some(block) => (block.start, Reason::EndsInBlock),
            None if self.doubt.is_some() && offset > self.end => (self.end, Reason::Unsealed),
            None => return None,
        };
        Some(Flaw { offset: self.bytes.len() as u64, entry: entry as u64, reason })
    }

    fn finish(mut self, mut flaw: Option<Flaw>) -> Survey {
        if let Some(Flaw { offset, entry, reason }) = &mut flaw
            && !reason.is_end()
            && let Some(doubt) = self.doubt.take()
        {
            (self.survey, self.end, self.is_sealed) = (doubt.survey, doubt.end, true);
            (*offset, *entry, *reason) = (doubt.start as u64, doubt.start as u64, Reason::Unsealed);
        }
        let Some(flaw) = flaw else { return self.survey };
        let found = Some(self.judge(flaw));
        if self.end == self.survey.whole_bytes as usize && self.block.is_none() {
            return Survey { flaw: found, ..self.survey };
        }
        // Some of what was counted goes with the block or the round that it is in.
        let whole = survey(&self.bytes[..self.survey.whole_bytes as usize], self.form, |_, _| ());
        Survey { flaw: found, ..whole }
    }

    fn judge(&self, flaw: Flaw) -> Found {
        let is_tail = if self.end < self.sealed_to {
            // The round is what was written.
            false
        } else if self.is_sealed {
            !self.was_safe(flaw.entry as usize)
        } else {
            flaw.reason.is_end()
        };
        if is_tail { Found::Tail(flaw) } else { Found::Damage(flaw) }
    }

    /// Whether a round at `from` or behind it says that what comes behind the last good entry was on the disk for certain.
    fn was_safe(&self, from: usize) -> bool {
        let mut left = 4 * self.bytes.len();
        for at in memmem::find_iter(&self.bytes[from..], SEAL).map(|at| from + at) {
            let Some(fields) = self.bytes.get(at + SEAL.len()..at + SEAL_BYTES) else { break };
            let seal = fields.strip_suffix(b"\r\n").and_then(Seal::of_fields).filter(|seal| {
                let is_inside = seal.bytes <= (self.bytes.len() - at - SEAL_BYTES) as u64;
                is_inside && seal.safe_bytes > self.end as u64 && seal.safe_bytes <= at as u64
            });
            let Some(seal) = seal else { continue };
            if holds(&seal, &self.bytes[at..]) {
                return true;
            }
            // Somebody has written this file to keep us busy: better not to cut anything.
            let Some(less) = left.checked_sub(seal.bytes as usize) else { return true };
            left = less;
        }
        false
    }
}

/// Whether what follows a seal, which begins here and ends in time, is what was written.
fn holds(seal: &Seal, bytes: &[u8]) -> bool {
    xxh3_64(&bytes[SUMMED_FROM..SEAL_BYTES + seal.bytes as usize]) == seal.sum
}

#[cfg(test)]
mod tests;
