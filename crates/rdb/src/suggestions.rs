//! Suggestions, as RediSearch has them in files: values of the module type `trietype0`.
//!
//! ```text
//! count { text, score, payload }*
//! ```
//! Texts and payloads are strings with a zero byte behind them, scores are doubles; who has no payload has an empty string. Version 0 has no payloads. Version 1 is written, which every RediSearch since 1.0
//! reads; of a newer one, which counts documents behind each entry, only the tests of RediSearch tell.

use crate::encode::Room;
use crate::module::{FieldReader, FieldWriter, ModuleId};
use crate::{Error, Reader};
use types::Suggestions;
use types::suggestions::Suggestion;

const ID: ModuleId = ModuleId::new(b"trietype0", 1);

/// Appends what stands before the entries; where to go on.
pub fn append_head(out: &mut Vec<u8>, suggestions: &Suggestions, compress: bool) -> usize {
    FieldWriter::begin(out, ID, compress).unsigned(suggestions.len() as u64);
    0
}

/// Appends what follows from an entry on; where to go on if there was not room for all.
pub fn append_from(out: &mut Vec<u8>, suggestions: &Suggestions, from: usize, room: Room) -> Option<usize> {
    for number in from..suggestions.numbers_end() {
        if let Some(suggestion) = suggestions.suggestion(number) {
            append_entry(out, suggestion, room.compress);
        }
        if room.is_used_up(out) {
            return Some(number + 1);
        }
    }
    append_end(out, room.compress);
    None
}

/// Appends an entry.
pub fn append_entry(out: &mut Vec<u8>, suggestion: Suggestion<'_>, compress: bool) {
    let mut fields = FieldWriter::resume(out, compress);
    fields.string(&[suggestion.text, b"\0"].concat());
    fields.double(suggestion.score.into());
    match suggestion.payload {
        Some(payload) => fields.string(&[payload, b"\0"].concat()),
        None => fields.string(b""),
    }
}

/// Appends what stands behind the entries.
pub fn append_end(out: &mut Vec<u8>, compress: bool) {
    FieldWriter::resume(out, compress).end();
}

/// Reads suggestions.
///
/// # Errors
/// See [`Error`].
pub fn read(reader: &mut Reader<'_>) -> Result<Suggestions, Error> {
    let id = ModuleId::read(reader)?;
    let has_payloads = match id.version() {
        0 => false,
        1 => true,
        version => return Err(Error::ModuleVersion(id.name(), version)),
    };
    let mut fields = FieldReader::new(reader);
    let mut suggestions = Suggestions::new();
    for done in 0..fields.unsigned()? {
        let text = fields.string()?;
        let score = fields.double()? as f32;
        let payload = if has_payloads { Some(fields.string()?) } else { None };
        let payload = payload.as_ref().and_then(|payload| payload.strip_suffix(b"\0"));
        let text = text.strip_suffix(b"\0").ok_or(Error::Corrupt("text of a suggestion"))?;
        suggestions.add(text, score, false, payload);
        // What is passed over could be announced without end, and what is twice is none.
        if suggestions.len() as u64 != done + 1 {
            return Err(Error::Corrupt("text of a suggestion"));
        }
    }
    fields.end()?;
    if suggestions.is_empty() { Err(Error::Empty) } else { Ok(suggestions) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shapes;
    use crate::dump::{Refused, payload, restore, seal};
    use crate::encode::{Encoder, Options, Progress};
    use base::hash::HashSeed;
    use keyspace::{Value, ValueRef};

    fn restored(payload: &[u8]) -> Result<Suggestions, Refused> {
        let seed = HashSeed::new(1, 2);
        match restore(payload, &Shapes::with_defaults(&seed))? {
            Value::Suggestions(suggestions) => Ok(*suggestions),
            _ => panic!("another type"),
        }
    }

    /// A payload of some version with these fields.
    fn sealed(version: u16, write: impl FnOnce(&mut FieldWriter<'_>)) -> Vec<u8> {
        let mut out = vec![7];
        let mut fields = FieldWriter::begin(&mut out, ModuleId::new(b"trietype0", version), true);
        write(&mut fields);
        fields.end();
        seal(&mut out, 12);
        out
    }

    fn content(suggestions: &Suggestions) -> Vec<(Vec<u8>, f32, Option<Vec<u8>>)> {
        let numbers = 0..suggestions.numbers_end();
        let of = |number| {
            let suggestion = suggestions.suggestion(number)?;
            Some((suggestion.text.to_vec(), suggestion.score, suggestion.payload.map(<[u8]>::to_vec)))
        };
        numbers.filter_map(of).collect()
    }

    #[test]
    fn many_are_written_in_steps() {
        let mut suggestions = Suggestions::new();
        for n in 0..5000 {
            suggestions.add(
                format!("text {n}").as_bytes(),
                n as f32 / 7.0,
                false,
                (n % 3 == 0).then_some(b"a\0b"),
            );
        }
        for n in 0..1000 {
            assert!(suggestions.remove(format!("text {}", n * 3).as_bytes()));
        }
        let value = ValueRef::Suggestions(&suggestions);
        let mut encoder = Encoder::new(value, &Options::default());
        let (mut out, mut steps) = (vec![encoder.kind().byte()], 1);
        while encoder.step(value, &mut out, 1000) == Progress::More {
            steps += 1;
            assert!(out.len() <= steps * 1100);
        }
        assert!(steps > 50);
        seal(&mut out, 12);
        // Behind the value: version and check sum.
        let whole = payload(value, &Options::default());
        assert!(out[..out.len() - 10] == whole[..whole.len() - 10]);
        assert_eq!(content(&restored(&out).expect("own bytes")), content(&suggestions));
    }

    #[test]
    fn both_versions_are_read() {
        let old = sealed(0, |fields| {
            fields.unsigned(1);
            fields.string(b"test\0");
            fields.double(0.5);
        });
        assert_eq!(content(&restored(&old).expect("right")), [(b"test".to_vec(), 0.5, None)]);
        // As RediSearch's test of such records has it.
        let new = sealed(1, |fields| {
            fields.unsigned(1);
            fields.string(b"test\0");
            fields.double(1.0);
            fields.string(b"This is a normal payload\0");
        });
        let payload = Some(b"This is a normal payload".to_vec());
        assert_eq!(content(&restored(&new).expect("right")), [(b"test".to_vec(), 1.0, payload)]);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let entry = |fields: &mut FieldWriter<'_>, text: &[u8]| {
            fields.string(text);
            fields.double(1.0);
            fields.string(b"");
        };
        let refused = |payload: Vec<u8>| assert!(matches!(restored(&payload), Err(Refused::Value(_))));
        refused(sealed(1, |fields| fields.unsigned(0)));
        refused(sealed(2, |fields| fields.unsigned(0)));
        refused(sealed(1, |fields| {
            fields.unsigned(1 << 60);
            entry(fields, b"a\0");
        }));
        for text in [&b""[..], b"\0", b"a", &[b'a'; 600]] {
            refused(sealed(1, |fields| {
                fields.unsigned(1);
                entry(fields, text);
            }));
        }
        refused(sealed(1, |fields| {
            fields.unsigned(2);
            entry(fields, b"a\0");
            entry(fields, b"a\0");
        }));
    }
}
