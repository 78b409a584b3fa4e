//! Arguments that outlive the buffer they came in.

use super::push::{push, push_piece};
use super::{Args, INSIDE_BYTES_MAX};
use base::blob::Blob;
use base::hash::HashSeed;
use resp::{LARGE_BYTES_MIN, Span};

/// Arguments that belong to whoever holds them: of commands that wait.
#[derive(Clone, Default)]
pub struct OwnArgs {
    pub(super) buf: Vec<u8>,
    pub(super) spans: Vec<Span>,
    pub(super) outside: Vec<Blob>,
}

impl OwnArgs {
    /// A copy, but for arguments outside the buffer, which are shared.
    pub fn of(args: Args<'_>) -> Self {
        let mut own = Self { spans: Vec::with_capacity(args.len()), ..Self::default() };
        own.refill(args);
        own
    }

    /// Takes a copy of other arguments instead, into the memory that these have. What stands close together in its buffer is
    /// copied in one piece.
    pub fn refill(&mut self, args: Args<'_>) {
        self.clear();
        if !push_piece(args, INSIDE_BYTES_MAX, &mut self.buf, &mut self.spans) {
            (0..args.len())
                .for_each(|index| push(args, index, &mut self.buf, &mut self.spans, &mut self.outside));
        }
    }

    /// Forgets all arguments; the memory stays, up to so many bytes.
    pub fn clear_to(&mut self, bytes_max: usize) {
        self.clear();
        self.buf.shrink_to(bytes_max);
        self.spans.shrink_to(bytes_max / size_of::<Span>());
    }

    fn clear(&mut self) {
        self.buf.clear();
        self.spans.clear();
        self.outside.clear();
    }

    /// Of words that each have a buffer of their own, which large ones keep.
    pub fn of_words(words: Vec<Vec<u8>>) -> Self {
        let mut own = Self { buf: Vec::new(), spans: Vec::with_capacity(words.len()), outside: Vec::new() };
        for word in words {
            if word.len() >= LARGE_BYTES_MIN || own.buf.len() + word.len() > INSIDE_BYTES_MAX {
                own.spans.push(Span::outside(own.outside.len(), word.len()));
                own.outside.push(Blob::new(word));
            } else {
                own.spans.push(Span { start: own.buf.len() as u32, len: word.len() as u32 });
                own.buf.extend_from_slice(&word);
            }
        }
        own
    }

    /// Takes a copy of these words instead, into the memory that those before have left. Large ones get a buffer of their own, which can
    /// become a value.
    pub fn refill_with(&mut self, words: &[&[u8]]) {
        self.clear();
        for word in words {
            if word.len() >= LARGE_BYTES_MIN || self.buf.len() + word.len() > INSIDE_BYTES_MAX {
                self.spans.push(Span::outside(self.outside.len(), word.len()));
                self.outside.push(Blob::new(word.to_vec()));
            } else {
                self.spans.push(Span { start: self.buf.len() as u32, len: word.len() as u32 });
                self.buf.extend_from_slice(word);
            }
        }
    }

    /// Puts another text in the place of an argument.
    pub fn replace(&mut self, index: usize, text: &[u8]) {
        self.spans[index] = Span { start: self.buf.len() as u32, len: text.len() as u32 };
        self.buf.extend_from_slice(text);
    }

    /// The arguments as a handler gets them; `seed` hashes their keys.
    pub fn args<'a>(&'a self, seed: &'a HashSeed) -> Args<'a> {
        Args::new(&self.buf, &self.spans, seed).with_outside(&self.outside)
    }

    /// Their bytes, wherever they stand.
    pub fn len_bytes(&self) -> usize {
        self.buf.len() + self.outside.iter().map(|blob| blob.len()).sum::<usize>()
    }
}
