//! The payload of FUNCTION DUMP and FUNCTION RESTORE: the code of libraries, as it stands in RDB files.
//!
//! ```text
//! opcode 245, code (a string), … version (2 bytes), CRC-64 of all before it (8 bytes), the last two little endian
//! ```

use crate::dump::seal;
use crate::{Error, Reader, VERSION_MIN, append_string};

/// What stands before each library.
const LIBRARY: u8 = 245;
/// What stood there before Redis 7.0 was released.
const LIBRARY_OLD: u8 = 246;

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has libraries in the form that they had before Redis 7.0.
    Old,
    /// It has something else than libraries.
    Other,
    Code(Error),
}

/// The payload of libraries, by their code.
pub fn payload<'a>(codes: impl Iterator<Item = &'a [u8]>, compress: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(LIBRARY);
        append_string(&mut out, code, compress);
    }
    seal(&mut out, VERSION_MIN);
    out
}

/// The code of each library in a payload without its end ([`crate::dump::open`]); a refusal is the last.
pub fn codes(body: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, Refused>> {
    let mut reader = Reader::new(body);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over || reader.rest().is_empty() {
            return None;
        }
        let code = next(&mut reader);
        is_over = code.is_err();
        Some(code)
    })
}

fn next(reader: &mut Reader<'_>) -> Result<Vec<u8>, Refused> {
    match reader.byte().map_err(Refused::Code)? {
        LIBRARY => reader.string().map(crate::Text::into_vec).map_err(Refused::Code),
        LIBRARY_OLD => Err(Refused::Old),
        _ => Err(Refused::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump;

    #[test]
    fn what_is_written_is_read() {
        let codes: [&[u8]; 3] = [b"#!lua name=a\n", b"", &[b'x'; 20_000]];
        for compress in [false, true] {
            let payload = payload(codes.into_iter(), compress);
            let body = dump::open(&payload).expect("a right check sum");
            let read: Result<Vec<_>, _> = super::codes(body).collect();
            assert_eq!(read.expect("libraries"), codes);
        }
        let none = payload([].into_iter(), true);
        assert_eq!(none.len(), 10);
        assert_eq!(super::codes(dump::open(&none).expect("a right check sum")).count(), 0);
    }

    #[test]
    fn a_payload_of_redis_is_read() {
        // FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function() return 1 end)", FUNCTION DUMP on Redis 7.0.
        let code = b"#!lua name=l\nredis.register_function('f', function() return 1 end)";
        let mut ours = vec![LIBRARY];
        append_string(&mut ours, code, false);
        assert_eq!(&ours[..4], b"\xf5\x40\x42#");
        assert_eq!(super::codes(&ours).collect::<Vec<_>>(), [Ok(code.to_vec())]);
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let refusals = |body: &[u8]| codes(body).filter_map(Result::err).collect::<Vec<_>>();
        assert_eq!(refusals(&[246, 1, b'x']), [Refused::Old]);
        assert_eq!(refusals(&[245, 1, b'x', 0, 1, b'y']), [Refused::Other]);
        assert_eq!(refusals(&[245, 3, b'x']), [Refused::Code(Error::Truncated)]);
        assert_eq!(refusals(&[245]), [Refused::Code(Error::Truncated)]);
    }
}
