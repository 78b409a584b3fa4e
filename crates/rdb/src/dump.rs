//! The payload of DUMP and RESTORE: one value by itself.
//!
//! ```text
//! type (1 byte), value, version (2 bytes), CRC-64 of all before it (8 bytes), the last two little endian
//! ```
//!
//! The version written is the oldest that knows the value's type, so that a payload restores into as old a server as
//! possible. Bytes between value and version are passed over, as Redis does.
//!
//! Valkey writes its own version, which is greater than any of Redis, also where nothing in the value is different; what is has a type of its own.

use crate::encode::{Options, append_value, type_of};
use crate::file::{Brand, VALKEY_VERSION_MAX};
use crate::{Error, Reader, Shapes, VERSION_READ_MAX, decode};
use base::crc64::crc64;
use keyspace::{Value, ValueRef};

const VERSION_BYTES: usize = 2;
const CRC_BYTES: usize = 8;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its end says that it was damaged, or comes from a newer server.
    Trailer,
    Value(Error),
}

/// The payload of a value.
pub fn payload(value: ValueRef<'_>, options: &Options) -> Vec<u8> {
    let kind = type_of(value, options);
    let mut out = vec![kind.byte()];
    append_value(&mut out, value, kind, options);
    seal(&mut out, kind.version());
    out
}

/// Appends version and check sum to a type and value.
pub fn seal(out: &mut Vec<u8>, version: u16) {
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&crc64(0, out).to_le_bytes());
}

/// Type and value of a payload whose version is known and whose check sum is right.
pub fn open(payload: &[u8]) -> Option<&[u8]> {
    opened(payload).map(|(body, _)| body)
}

/// As [`open`], whatever the check sum is.
pub fn open_unsummed(payload: &[u8]) -> Option<&[u8]> {
    opened_unsummed(payload).map(|(body, _)| body)
}

/// The same with whose type it is.
fn opened(payload: &[u8]) -> Option<(&[u8], Brand)> {
    let (summed, crc) = payload.split_last_chunk::<CRC_BYTES>()?;
    opened_unsummed(payload).filter(|_| crc64(0, summed) == u64::from_le_bytes(*crc))
}

fn opened_unsummed(payload: &[u8]) -> Option<(&[u8], Brand)> {
    let (summed, _) = payload.split_last_chunk::<CRC_BYTES>()?;
    let (body, version) = summed.split_last_chunk::<VERSION_BYTES>()?;
    match u16::from_le_bytes(*version) {
        0..=VERSION_READ_MAX => Some((body, Brand::Redis)),
        VALKEY_VERSION_MAX => Some((body, Brand::Valkey)),
        _ => None,
    }
}

/// The same payload with the check sum that it should have.
pub fn resealed(payload: &[u8]) -> Option<Vec<u8>> {
    let (summed, _) = payload.split_last_chunk::<CRC_BYTES>()?;
    Some([summed, &crc64(0, summed).to_le_bytes()].concat())
}

/// The value of a payload.
///
/// # Errors
/// See [`Refused`].
pub fn restore(payload: &[u8], shapes: &Shapes<'_>) -> Result<Value, Refused> {
    value_of(opened(payload), shapes)
}

/// As [`restore`], whatever the check sum is: for tests of what a damaged payload does.
///
/// # Errors
/// See [`Refused`].
pub fn restore_unsummed(payload: &[u8], shapes: &Shapes<'_>) -> Result<Value, Refused> {
    value_of(opened_unsummed(payload), shapes)
}

fn value_of(opened: Option<(&[u8], Brand)>, shapes: &Shapes<'_>) -> Result<Value, Refused> {
    let (body, brand) = opened.ok_or(Refused::Trailer)?;
    let mut reader = Reader::new(body);
    let kind = reader.byte().and_then(|byte| brand.type_of(byte)).map_err(Refused::Value)?;
    decode::value(kind, &mut reader, shapes).map_err(Refused::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use keyspace::value::StrRef;

    #[test]
    fn a_payload_of_redis_opens_and_a_damaged_one_does_not() {
        // SET k hello, DUMP k on Redis 7.0.
        let payload = b"\x00\x05hello\x0a\x00cr\xdfve4 \x0a";
        let hello = ValueRef::Str { bytes: StrRef::Inline(b"hello"), raw: false };
        assert_eq!(super::payload(hello, &Options::default()), payload);
        assert_eq!(open(payload), Some(&payload[..7]));
        for at in 0..payload.len() {
            let mut damaged = payload.to_vec();
            damaged[at] ^= 1;
            assert_eq!(open(&damaged), None, "{at}");
            assert_eq!(open(&payload[..at]), None, "{at}");
        }
    }

    #[test]
    fn newer_versions_are_refused() {
        let seed = HashSeed::new(1, 2);
        let unknown = [VERSION_READ_MAX + 1, VALKEY_VERSION_MAX - 1, VALKEY_VERSION_MAX + 1, u16::MAX];
        for version in unknown {
            let mut newer = b"\x00\x05hello".to_vec();
            seal(&mut newer, version);
            for restore in [restore, restore_unsummed] {
                let refused = restore(&newer, &Shapes::with_defaults(&seed)).err();
                assert_eq!(refused, Some(Refused::Trailer), "{version}");
            }
        }
    }

    /// Its version stands behind every value; only hashes whose fields have times are different, and the types that Redis has got since.
    #[test]
    fn payloads_of_valkey_9_are_read_by_its_types() {
        let seed = HashSeed::new(1, 2);
        let restore = |body: &[u8]| {
            let mut payload = body.to_vec();
            seal(&mut payload, VALKEY_VERSION_MAX);
            super::restore(&payload, &Shapes::with_defaults(&seed))
        };
        let text = restore(b"\x00\x05hello").unwrap();
        assert!(matches!(text, Value::Str { bytes, .. } if bytes[..] == b"hello"[..]));
        // Two fields, of which one lives until 2100; the other has the time that means never.
        let time = 4_102_444_800_000_u64.to_le_bytes();
        let hash = [&b"\x16\x02\x01a\x011"[..], &time, b"\x01b\x012", &[0xff; 8]].concat();
        let Value::Hash(hash) = restore(&hash).unwrap() else { panic!("a hash") };
        assert_eq!(hash.len(), 2);
        assert_eq!(hash.iter_all().filter(|field| field.expire.is_some()).count(), 1);
        for byte in [23, 24, 25, 26, 28, 122] {
            assert_eq!(restore(&[byte, 1]).err(), Some(Refused::Value(Error::Unsupported(byte))));
        }
    }

    #[test]
    fn a_payload_without_a_value_is_refused() {
        let seed = HashSeed::new(1, 2);
        for (body, error) in [
            (&b""[..], Error::Truncated),
            (&[0], Error::Truncated),
            (&[6, 1], Error::Unsupported(6)),
            (&[7, 1], Error::Unsupported(7)),
            (&[255, 1], Error::Unsupported(255)),
        ] {
            let mut payload = body.to_vec();
            seal(&mut payload, 9);
            let refused = restore(&payload, &Shapes::with_defaults(&seed)).err();
            assert_eq!(refused, Some(Refused::Value(error)));
        }
    }
}
