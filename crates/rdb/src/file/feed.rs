//! A file that comes in pieces, from a socket or a pipe. It keeps what belongs to the item that has not come whole, a value
//! included, however large that is.

use super::items::{self, Form, HEADER_BYTES, Item, State};
use super::{Damage, Doing, opcode};
use crate::{Error, Reader};
use base::crc64::crc64;

/// The items of a file that comes in pieces.
pub struct Feed {
    buffer: Vec<u8>,
    /// How much of the buffer is read, and of that how much is in the sum.
    read: usize,
    summed: usize,
    /// Where in the file the buffer begins.
    from: u64,
    /// Unread bytes with which it is worth to try again.
    enough: usize,
    state: Option<State>,
    sum: Option<u64>,
    is_cut: bool,
    is_over: bool,
}

impl Feed {
    /// `sums`: whether the check sum is to be verified at the end.
    pub fn new(sums: bool) -> Self {
        Self {
            buffer: Vec::new(),
            read: 0,
            summed: 0,
            from: 0,
            enough: HEADER_BYTES,
            state: None,
            sum: sums.then_some(0),
            is_cut: false,
            is_over: false,
        }
    }

    /// Takes what comes next.
    pub fn push(&mut self, bytes: &[u8]) {
        // What was read goes once it is the greater part, so each byte is moved once at most.
        if self.read > self.buffer.len() / 2 {
            self.add_up();
            self.buffer.drain(..self.read);
            self.from += self.read as u64;
            (self.read, self.summed) = (0, 0);
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Nothing more will come.
    pub fn close(&mut self) {
        self.is_cut = true;
        self.enough = 0;
    }

    /// What the header says, once it is there.
    pub fn form(&self) -> Option<Form> {
        self.state.map(|state| state.form)
    }

    /// Where in the file the next item begins.
    pub fn offset(&self) -> u64 {
        self.from + self.read as u64
    }

    /// Whether the end has been read.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What has come and is not read; after the end, what stands behind the file.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.read..]
    }

    /// The next item; `None` if more is needed ([`Feed::push`], or [`Feed::close`] if there is no more), or nothing is left. An item that has come
    /// whole may wait for what follows it, for a large one is not looked at with every piece.
    ///
    /// # Errors
    /// After damage nothing more is to be asked for.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, Damage> {
        if self.is_over || self.rest().len() < self.enough {
            return Ok(None);
        }
        if self.state.is_none() {
            let mut reader = Reader::new(&self.buffer);
            let form = Form::read(&mut reader).map_err(|error| self.damage(Doing::Header, error))?;
            self.state = Some(State::new(form));
            (self.read, self.enough) = (HEADER_BYTES, 1);
        }
        let mut state = self.state.expect("the header was read");
        match self.rest() {
            [] if !self.is_cut => return Ok(None),
            [opcode::END, ..] if !state.expects_key() => return self.end(state.sum_bytes()),
            _ => {}
        }
        let unread = &self.buffer[self.read..];
        let mut reader = Reader::new(unread);
        let end = self.from + self.buffer.len() as u64;
        match state.next(&mut reader, end) {
            Ok(item) => {
                self.read = self.buffer.len() - reader.rest().len();
                self.state = Some(state);
                self.enough = usize::from(!self.is_cut);
                Ok(Some(item))
            }
            Err(damage) if damage.error == Error::Truncated && !self.is_cut => {
                // Not with every piece: then a value in n pieces would be looked at n times.
                self.enough = unread.len().saturating_mul(2);
                Ok(None)
            }
            Err(damage) => Err(*damage),
        }
    }

    fn end(&mut self, sum_bytes: usize) -> Result<Option<Item<'_>>, Damage> {
        if self.rest().len() < 1 + sum_bytes {
            self.enough = 1 + sum_bytes;
            if !self.is_cut {
                return Ok(None);
            }
            self.read += 1;
            return Err(self.damage(Doing::CheckSum, Error::Truncated));
        }
        self.read += 1;
        self.add_up();
        self.is_over = true;
        let stored = <[u8; 8]>::try_from(&self.rest()[..sum_bytes]).ok().map(u64::from_le_bytes);
        let compared = items::compare(stored, self.sum);
        let compared = compared.map_err(|error| self.damage(Doing::CheckSum, error))?;
        self.read += sum_bytes;
        Ok(Some(Item::End(compared)))
    }

    fn add_up(&mut self) {
        if let Some(sum) = &mut self.sum {
            *sum = crc64(*sum, &self.buffer[self.summed..self.read]);
            self.summed = self.read;
        }
    }

    fn damage(&self, doing: Doing, error: Error) -> Damage {
        Damage { offset: self.offset(), item: self.offset(), doing, key: None, error }
    }
}
