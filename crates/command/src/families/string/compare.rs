//! Comparing a string with a value or its digest: the conditions of SET and DELEX, and DIGEST itself.
//!
//! The digest is XXH3 (64 bits, no seed) in 16 lower-case hexadecimal digits.

use super::row;
use crate::args::is_word;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    row("DIGEST", digest)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("8.4.0")
        .complexity("O(N) where N is the length of the string value.")
        .summary("Returns the hash digest of the string stored at a key, in hexadecimal digits.")
        .syntax("key:key"),
    row("DELEX", delex)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | DELETE | VARIABLE_FLAGS)])
        .flags(WRITE | FAST)
        .since("8.4.0")
        .complexity("O(1) for IFEQ/IFNE, O(N) for IFDEQ/IFDNE where N is the length of the string value.")
        .summary("Deletes a key if its string value, or the digest of it, is or is not the given one.")
        .syntax(concat!(
            "key:key condition(IFEQ@ifeq-value:string|IFNE@ifne-value:string|",
            "IFDEQ@ifdeq-digest:string|IFDNE@ifdne-digest:string)?",
        )),
];

const DIGEST_BYTES: usize = 16;

/// What a string is compared with.
#[derive(Clone, Copy)]
pub struct Comparison<'a> {
    /// `IFEQ`, `IFDEQ`: must be equal; `IFNE`, `IFDNE`: must differ.
    equal: bool,
    /// By digest.
    digest: bool,
    with: &'a [u8],
}

impl<'a> Comparison<'a> {
    /// The comparison that an option's name and its argument stand for.
    pub fn parse(word: &[u8], with: &'a [u8]) -> Option<Self> {
        let (equal, digest) = match word.len() {
            4 if is_word(word, "IFEQ") => (true, false),
            4 if is_word(word, "IFNE") => (false, false),
            5 if is_word(word, "IFDEQ") => (true, true),
            5 if is_word(word, "IFDNE") => (false, true),
            _ => return None,
        };
        Some(Self { equal, digest, with })
    }

    pub fn is_same_kind(&self, other: &Self) -> bool {
        (self.equal, self.digest) == (other.equal, other.digest)
    }

    /// What is not there equals nothing.
    pub fn holds_for_absent(&self) -> bool {
        !self.equal
    }

    /// # Errors
    /// A digest of the wrong length.
    pub fn holds(&self, value: &[u8]) -> Result<bool, Error> {
        if !self.digest {
            return Ok((value == self.with) == self.equal);
        }
        if self.with.len() != DIGEST_BYTES {
            return Err(Error::err("must be exactly 16 hexadecimal characters"));
        }
        Ok(digest_of(value).eq_ignore_ascii_case(self.with) == self.equal)
    }
}

fn digest_of(value: &[u8]) -> [u8; DIGEST_BYTES] {
    let hash = base::xxh3::xxh3_64(value);
    std::array::from_fn(|i| b"0123456789abcdef"[(hash >> (60 - 4 * i)) as usize & 15])
}

/// DIGEST key
fn digest(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    match cx.str(args.key(1))? {
        Some(value) => out.bulk(&digest_of(value.bytes())),
        None => out.null(),
    }
    Ok(())
}

/// DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]
fn delex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    // As in Redis, nothing is wrong with any condition while there is nothing to delete.
    let Some(pos) = cx.find_for_write(args.key(1)) else {
        out.int(0);
        return Ok(());
    };
    if args.len() != 2 && args.len() != 4 {
        return Err(Error::wrong_arity("delex"));
    }
    if args.len() == 4 {
        let value = cx.db().str(pos);
        let value = value
            .ok_or_else(|| Error::err("Key should be of string type if conditions are specified"))?
            .bytes();
        let comparison = Comparison::parse(&args[2], args.at(3))
            .ok_or_else(|| Error::err("Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?;
        if !comparison.holds(value)? {
            out.int(0);
            return Ok(());
        }
    }
    cx.db().remove(pos);
    cx.event(Event::Generic, "del", &args[1]);
    if cx.logs() {
        cx.log_deleted(&args[1]);
    }
    out.int(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::digest_of;

    #[test]
    fn digests_of_redis() {
        assert_eq!(&digest_of(b"Hello world"), b"b6acb9d84a38ff74");
        assert_eq!(&digest_of(b""), b"2d06800538d394c2");
        assert_eq!(&digest_of(b"v8"), b"0cc76dbb41381419");
    }
}
