//! Key specifications: which arguments of a command are keys, and what it does with them.

use crate::{Args, Error, Outcome};
use std::ops::Range;

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    Index(u16),
    /// Behind this word, looked for from this argument on (negative: from the end, backwards).
    Keyword(&'static str, i16),
    Unknown,
}

/// Which arguments from there are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` behind the first (negative: counted from the last argument), every `step`-th; `limit` > 1 with `last` -1:
    /// only the first 1/limit of the arguments.
    Range {
        last: i16,
        step: u16,
        limit: u16,
    },
    /// A count at `index` behind the beginning, keys from `first`, every `step`-th.
    KeyNum {
        index: u16,
        first: u16,
        step: u16,
    },
    Unknown,
}

/// One key specification (Redis: key-specs).
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    pub begin: Begin,
    pub find: Find,
    pub access: u16,
    pub notes: &'static str,
    /// Finds the one key (its index) of a specification that is `Unknown` to clients.
    pub finder: Option<fn(&Args<'_>) -> Range<usize>>,
}

impl KeySpec {
    /// One key at argument `index`.
    pub const fn at(index: u16, access: u16) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// Keys from argument `index` to the one `last` behind it (negative: from the end), every `step`-th.
    pub const fn range(index: u16, last: i16, step: u16, access: u16) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Range { last, step, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// A key count at argument `index`, the keys behind it.
    pub const fn counted(index: u16, access: u16) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::KeyNum { index: 0, first: 1, step: 1 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// One key behind a word.
    pub const fn keyword(word: &'static str, from: i16, access: u16) -> Self {
        Self {
            begin: Begin::Keyword(word, from),
            find: Find::Range { last: 0, step: 1, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// Keys behind a word, which is looked for from the end, until the end.
    pub const fn last_keyword(word: &'static str, from: i16, access: u16) -> Self {
        Self {
            begin: Begin::Keyword(word, from),
            find: Find::Range { last: -1, step: 1, limit: 0 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// Keys behind a word, and behind them as many other arguments.
    pub const fn halved(word: &'static str, from: i16, access: u16) -> Self {
        Self {
            begin: Begin::Keyword(word, from),
            find: Find::Range { last: -1, step: 1, limit: 2 },
            access,
            notes: "",
            finder: None,
        }
    }

    /// Keys that no specification can name (SORT BY).
    pub const fn unknown(access: u16) -> Self {
        Self { begin: Begin::Unknown, find: Find::Unknown, access, notes: "", finder: None }
    }

    /// How to find the keys of a specification that is not precise.
    pub const fn found_by(mut self, finder: fn(&Args<'_>) -> Range<usize>) -> Self {
        self.finder = Some(finder);
        self
    }

    pub const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// The indexes of the keys this specification finds, appended to `out`.
    ///
    /// # Errors
    /// `ERR Invalid arguments specified for command` when a count does not fit the arguments.
    pub fn find(&self, args: &Args<'_>, out: &mut Vec<usize>) -> Outcome {
        if let Some(finder) = self.finder {
            out.extend(finder(args));
            return Ok(());
        }
        let Some(first) = self.first(args) else { return Ok(()) };
        let argc = args.len();
        let (first, last, step) = match self.find {
            Find::Unknown => return Ok(()),
            Find::Range { last, step, limit } => {
                let last = match last {
                    0.. => first + last as usize,
                    // What is odd is nobody's key; the command refuses it.
                    -1 if limit > 1 => match (argc - first) / limit as usize {
                        0 => return Ok(()),
                        count => first + count - 1,
                    },
                    _ => argc.saturating_sub(last.unsigned_abs() as usize),
                };
                (first, last, step as usize)
            }
            Find::KeyNum { index, first: offset, step } => {
                let invalid = || Error::err("Invalid arguments specified for command");
                let count = args.get(first + index as usize).and_then(base::number::parse_i64);
                let count = count.filter(|&n| n >= 0 && n as usize <= argc).ok_or_else(invalid)? as usize;
                if count == 0 {
                    return Ok(());
                }
                let first = first + offset as usize;
                (first, first + (count - 1) * step as usize, step as usize)
            }
        };
        if last >= argc {
            return Err(Error::err("Invalid arguments specified for command"));
        }
        out.extend((first..=last).step_by(step));
        Ok(())
    }

    /// Which arguments are keys, as [`KeySpec::find`] says, if that can be told of what is known of the arguments; else `None`.
    pub fn places(&self, args: &[Option<&[u8]>]) -> Option<Vec<usize>> {
        let Begin::Index(begin) = self.begin else { return None };
        let (begin, argc) = (begin as usize, args.len());
        if self.finder.is_some() {
            return None;
        }
        let (first, last, step) = match self.find {
            Find::Unknown => return None,
            Find::Range { limit: 2.., .. } => return None,
            Find::Range { last, step, .. } if last >= 0 => (begin, begin + last as usize, step),
            Find::Range { last, step, .. } => (begin, argc.checked_sub(last.unsigned_abs() as usize)?, step),
            Find::KeyNum { index, first, step } => {
                let count = args.get(begin + index as usize).copied()?;
                let count =
                    usize::try_from(base::number::parse_i64(count?)?).ok().filter(|count| *count <= argc)?;
                let first = begin + first as usize;
                (first, first + count.checked_sub(1)? * step as usize, step)
            }
        };
        (last < argc).then(|| (first..=last).step_by(step as usize).collect())
    }

    fn first(&self, args: &Args<'_>) -> Option<usize> {
        match self.begin {
            Begin::Index(index) => ((index as usize) < args.len()).then_some(index as usize),
            Begin::Keyword(word, from) if from >= 0 => {
                (from as usize..args.len()).find(|&i| args.is(i, word)).map(|i| i + 1)
            }
            Begin::Keyword(word, from) => {
                let start = args.len().checked_sub(from.unsigned_abs() as usize)?;
                (1..=start).rev().find(|&i| args.is(i, word)).map(|i| i + 1)
            }
            Begin::Unknown => None,
        }
        .filter(|&first| first < args.len())
    }
}
