//! Numbers in as few bytes as they need: seven bits to a byte, the lowest first (LEB128).

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number of the usual size.
pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    put(out, u128::from(number));
}

/// Reads the number at `at` and moves behind it. Only what [`put`] has written is read.
#[inline]
pub(super) fn get_u32(bytes: &[u8], at: &mut usize) -> u32 {
    let first = bytes[*at];
    *at += 1;
    if first < 0x80 {
        return u32::from(first);
    }
    let (mut number, mut shift) = (u32::from(first & 0x7f), 7);
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

/// The same for masks.
pub(super) fn get(bytes: &[u8], at: &mut usize) -> u128 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

/// Ascending numbers as their differences.
pub(super) fn put_ascending(out: &mut Vec<u8>, numbers: impl Iterator<Item = u32>) {
    let mut before = 0;
    for number in numbers {
        put_u32(out, number - before);
        before = number;
    }
}

/// What [`put_ascending`] has written.
pub(super) fn ascending(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (mut at, mut before) = (0, 0);
    std::iter::from_fn(move || {
        (at < bytes.len()).then(|| {
            before += get_u32(bytes, &mut at);
            before
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        for number in [0, 1, 127, 128, 300, u128::from(u32::MAX), u128::MAX] {
            put(&mut out, number);
        }
        let mut at = 0;
        for number in [0, 1, 127, 128, 300, u32::MAX] {
            assert_eq!(get_u32(&out, &mut at), number);
        }
        assert_eq!(get(&out, &mut at), u128::MAX);
        assert_eq!(at, out.len());
        let mut out = Vec::new();
        put_ascending(&mut out, [3, 3, 900, u32::MAX].into_iter());
        assert_eq!(ascending(&out).collect::<Vec<_>>(), [3, 3, 900, u32::MAX]);
    }
}
