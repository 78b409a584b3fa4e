//! What goes wrong, and when.

use base::random::Random;
use std::collections::HashMap;
use std::io;

/// The numbers that Linux gives to errors of a disk.
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// A kind of step that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Of a file or a directory.
    Create,
    Write,
    SetLen,
    Sync,
    Rename,
    Remove,
    SyncDirectory,
}

impl Step {
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Write,
        Self::SetLen,
        Self::Sync,
        Self::Rename,
        Self::Remove,
        Self::SyncDirectory,
    ];
}

/// How a step goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With an error of the system. Of a write any part may have happened.
    Error(i32),
    /// A write takes only a part. Other steps have no such thing, and go well.
    Short,
}

/// How often steps go wrong, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// Any step.
    pub eio: u64,
    /// What needs room.
    pub enospc: u64,
    /// Writes.
    pub short: u64,
}

/// Mistakes of a writer, as if it had made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// It does not sync files.
    FileSync,
    /// It syncs a file only after the next rename.
    SyncBehindRename,
    /// It does not sync directories.
    DirectorySync,
    /// It passes over errors of writes, and over short ones.
    WriteErrors,
}

impl Omission {
    pub const ALL: [Self; 4] =
        [Self::FileSync, Self::SyncBehindRename, Self::DirectorySync, Self::WriteErrors];
}

/// What becomes of a step.
pub enum Outcome {
    Well,
    Short,
    Fail(io::Error),
}

#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub crash_at: Option<u64>,
    /// Steps so far, and of each kind.
    pub steps: u64,
    counts: HashMap<Step, u64>,
    /// Steps that went wrong.
    pub failures: u64,
    /// A step's number.
    pub at: Option<(u64, Fault)>,
    /// A number among the steps of a kind, and whether those behind it fail, too.
    pub nth: Option<(Step, u64, Fault, bool)>,
    pub rates: Rates,
    /// No file may be longer, bytes.
    pub file_bytes_max: Option<u64>,
    pub omission: Option<Omission>,
}

impl Faults {
    pub fn count(&self, step: Step) -> u64 {
        self.counts.get(&step).copied().unwrap_or(0)
    }

    pub fn has_crashed(&self) -> bool {
        self.crash_at.is_some_and(|at| self.steps >= at)
    }

    pub fn check_power(&self) -> io::Result<()> {
        if self.has_crashed() { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    /// How many bytes of a write there is room for.
    ///
    /// # Errors
    /// When there is none.
    pub fn room(&self, offset: u64, bytes: usize) -> io::Result<usize> {
        let left = self.file_bytes_max.map_or(u64::MAX, |max| max.saturating_sub(offset));
        match usize::try_from(left).unwrap_or(usize::MAX).min(bytes) {
            0 if bytes > 0 => Err(io::Error::from_raw_os_error(ENOSPC)),
            room => Ok(room),
        }
    }

    /// Counts a step and says how it goes.
    ///
    /// # Errors
    /// When the power is gone.
    pub fn judge(&mut self, step: Step, random: &mut Random) -> io::Result<Outcome> {
        self.check_power()?;
        let (number, of_kind) = (self.steps, self.count(step));
        self.steps += 1;
        *self.counts.entry(step).or_default() += 1;
        let fault = match (self.at, self.nth) {
            (Some((at, fault)), _) if at == number => Some(fault),
            (_, Some((kind, at, fault, lasts)))
                if kind == step && (at == of_kind || lasts && at < of_kind) =>
            {
                Some(fault)
            }
            _ => self.draw(step, random),
        };
        let outcome = match fault {
            Some(Fault::Error(number)) => Outcome::Fail(io::Error::from_raw_os_error(number)),
            Some(Fault::Short) if step == Step::Write => Outcome::Short,
            _ => Outcome::Well,
        };
        self.failures += u64::from(!matches!(outcome, Outcome::Well));
        Ok(outcome)
    }

    fn draw(&self, step: Step, random: &mut Random) -> Option<Fault> {
        let needs_room = matches!(step, Step::Create | Step::Write | Step::SetLen | Step::Sync);
        let mut happens = |percent: u64| percent > 0 && random.below(100) < percent;
        if happens(self.rates.eio) {
            Some(Fault::Error(EIO))
        } else if needs_room && happens(self.rates.enospc) {
            Some(Fault::Error(ENOSPC))
        } else if happens(self.rates.short) {
            Some(Fault::Short)
        } else {
            None
        }
    }
}
