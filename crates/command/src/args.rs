//! The arguments of one command, the command's name first: spans into the buffer they arrived in. Large ones may stand
//! outside it, each in a buffer of its own that can become a value without being copied.

mod own;
mod push;
#[cfg(test)]
mod tests;

pub use own::OwnArgs;
pub use push::{copy_short, push, push_all, push_piece, push_some};

use crate::error::Error;
use base::blob::Blob;
use base::hash::HashSeed;
use keyspace::Key;
use resp::Span;
use std::ops::Index;

/// Bytes of one command's arguments in one buffer at most: positions have 32 bits, of which the highest are those of arguments outside.
pub const INSIDE_BYTES_MAX: usize = u32::MAX as usize - (32 << 20);

/// The arguments of one command, as its handler gets them: cheap to copy, and gone with the buffer they stand in.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buf: &'a [u8],
    spans: &'a [Span],
    seed: &'a HashSeed,
    /// Index of the key that was hashed on the way in (0: none) and its hash.
    hashed: usize,
    hash: u64,
    /// The arguments that stand outside the buffer.
    outside: &'a Vec<Blob>,
}

static NONE: Vec<Blob> = Vec::new();

impl<'a> Args<'a> {
    #[inline]
    pub fn new(buf: &'a [u8], spans: &'a [Span], seed: &'a HashSeed) -> Self {
        Self { buf, spans, seed, hashed: 0, hash: 0, outside: &NONE }
    }

    /// The same with the hash of argument `index` already known.
    #[inline]
    pub fn hashed(self, index: usize, hash: u64) -> Self {
        Self { hashed: index, hash, ..self }
    }

    /// As [`Args::new`], with the hash of argument `index` already known.
    pub fn with_hash(buf: &'a [u8], spans: &'a [Span], seed: &'a HashSeed, index: usize, hash: u64) -> Self {
        Self::new(buf, spans, seed).hashed(index, hash)
    }

    /// The same with the arguments that stand outside the buffer.
    #[inline]
    pub fn with_outside(self, outside: &'a Vec<Blob>) -> Self {
        Self { outside, ..self }
    }

    /// The same without the first `count` arguments.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn skip(self, count: usize) -> Self {
        Self { spans: &self.spans[count..], hashed: 0, ..self }
    }

    /// `count` of them from `first` on, as arguments by themselves.
    ///
    /// # Panics
    /// When there are fewer.
    #[inline]
    pub fn part(self, first: usize, count: usize) -> Self {
        Self { spans: &self.spans[first..first + count], hashed: 0, ..self }
    }

    /// Number of arguments, the name included.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`, if there are so many.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|&span| self.bytes(span))
    }

    /// The argument at `index`, which the arity check has made sure of.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.bytes(self.spans[index])
    }

    /// Eight bytes from the beginning of the command's name on, and its length, which is 1 to 8: for a look at it in one go. `None` also if too
    /// little stands behind a short name.
    #[inline]
    pub(crate) fn front_of_name(&self) -> Option<([u8; 8], usize)> {
        let Span { start, len } = *self.spans.first()?;
        let front = self.buf.get(start as usize..)?.first_chunk()?;
        matches!(len, 1..=8).then_some((*front, len as usize))
    }

    #[inline]
    fn bytes(self, span: Span) -> &'a [u8] {
        let start = span.start as usize;
        match self.buf.get(start..start + span.len as usize) {
            Some(bytes) => bytes,
            None => self.bytes_outside(span),
        }
    }

    #[cold]
    fn bytes_outside(self, span: Span) -> &'a [u8] {
        let index = span.outside_index().expect("other spans lie in the buffer");
        &self.outside[index]
    }

    /// Whether all arguments stand in the buffer.
    #[inline]
    pub fn all_inside(&self) -> bool {
        self.outside.is_empty()
    }

    /// The argument at `index` if it stands outside the buffer: to be kept as a value, without a copy.
    #[inline]
    pub fn blob(&self, index: usize) -> Option<&'a Blob> {
        if self.all_inside() { None } else { self.blob_outside(index) }
    }

    #[cold]
    fn blob_outside(&self, index: usize) -> Option<&'a Blob> {
        self.outside.get(self.spans.get(index)?.outside_index()?)
    }

    /// The key at `index`, hashed.
    #[inline(always)]
    pub fn key(&self, index: usize) -> Key<'a> {
        if index == self.hashed && index != 0 {
            return Key { bytes: self.at(index), hash: self.hash };
        }
        self.key_to_hash(index)
    }

    fn key_to_hash(&self, index: usize) -> Key<'a> {
        Key::new(self.at(index), self.seed)
    }

    /// The arguments from `index` on.
    pub fn from(
        &self,
        index: usize,
    ) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone + use<'a> {
        let args = *self;
        args.spans[index.min(args.spans.len())..].iter().map(move |&span| args.bytes(span))
    }

    /// The request as it came, if it came in just the form in which it is written down.
    #[inline]
    pub fn as_it_came(&self) -> Option<&'a [u8]> {
        let place = |span: &Span| span.start as usize..span.start as usize + span.len as usize;
        journal::chunk::as_it_came(self.buf, self.spans.iter().map(place))
    }

    pub fn spans(&self) -> &'a [Span] {
        self.spans
    }

    pub fn seed(&self) -> &'a HashSeed {
        self.seed
    }

    /// Whether the argument at `index` exists and equals `word` (upper case) in any case.
    #[inline]
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|arg| is_word(arg, word))
    }

    /// A signed 64-bit number.
    ///
    /// # Errors
    /// `ERR value is not an integer or out of range`
    #[inline]
    pub fn int(&self, index: usize) -> Result<i64, Error> {
        self.get(index).and_then(base::number::parse_i64).ok_or_else(|| Error::NOT_AN_INTEGER)
    }

    /// A number that is not negative.
    ///
    /// # Errors
    /// `ERR value is out of range, must be positive`, also for what is no number
    pub fn natural(&self, index: usize) -> Result<usize, Error> {
        let number = self.get(index).and_then(base::number::parse_i64);
        number.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| Error::MUST_BE_POSITIVE)
    }

    /// A cursor of SCAN and its kin.
    ///
    /// # Errors
    /// `ERR invalid cursor`
    pub fn cursor(&self, index: usize) -> Result<u64, Error> {
        self.get(index).and_then(base::number::parse_u64_lenient).ok_or_else(|| Error::INVALID_CURSOR)
    }

    /// A double.
    ///
    /// # Errors
    /// `ERR value is not a valid float`
    pub fn float(&self, index: usize) -> Result<f64, Error> {
        self.get(index).and_then(base::number::parse_f64).ok_or_else(|| Error::NOT_A_FLOAT)
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Whether `arg` is `word`, which is in upper case, in any case.
#[inline]
pub fn is_word(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}
