//! Reading replies just far enough to know where one ends: what merging the parts of a split command needs.

/// Nested replies deeper than this are refused rather than followed.
const DEPTH_MAX: usize = 128;

/// The length in bytes of the first whole reply in `bytes`; `None` when it is incomplete or malformed.
pub fn reply_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // Replies still to be passed over at each open level.
    let mut open = vec![1usize];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let (kind, count, next) = header(bytes, at)?;
        at = next;
        match kind {
            b'$' | b'=' | b'!' if count >= 0 => at = at.checked_add(count as usize + 2)?,
            b'*' | b'~' | b'>' if count > 0 => open.push(count as usize),
            b'%' if count > 0 => open.push(2 * count as usize),
            // An attribute precedes the reply it belongs to.
            b'|' => {
                *open.last_mut()? += 1;
                open.push(2 * count.max(0) as usize);
            }
            _ => {}
        }
        if open.len() > DEPTH_MAX || at > bytes.len() {
            return None;
        }
    }
    Some(at)
}

/// Kind, number (0 where the line is no number) and position behind the line that begins at `at`.
#[inline]
pub fn header(bytes: &[u8], at: usize) -> Option<(u8, i64, usize)> {
    let line = bytes.get(at..)?;
    let (&kind, digits) = line.split_first()?;
    // Lengths and most numbers, without a look at the line as a whole.
    let mut number = 0;
    for (index, &byte) in digits.iter().enumerate().take(DIGITS_MAX) {
        match byte {
            b'0'..=b'9' => number = 10 * number + i64::from(byte - b'0'),
            b'\r' if index > 0 && digits.get(index + 1) == Some(&b'\n') => {
                return Some((kind, number, at + index + 3));
            }
            _ => break,
        }
    }
    long_header(line, at)
}

/// Digits of a number that cannot overflow.
const DIGITS_MAX: usize = 18;

fn long_header(line: &[u8], at: usize) -> Option<(u8, i64, usize)> {
    let end = line.windows(2).position(|w| w == b"\r\n")?;
    let number = std::str::from_utf8(line.get(1..end)?).ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    Some((*line.first()?, number, at + end + 2))
}

/// The length in bytes of the reply that `bytes` begin with, if it is a bulk string or the lack of one.
#[inline]
pub fn bulk_len(bytes: &[u8]) -> Option<usize> {
    let digit = |byte: u8| usize::from(byte - b'0');
    // The usual lengths, without a loop.
    let end = match bytes.first_chunk::<6>() {
        Some([b'$', a @ b'0'..=b'9', b'\r', b'\n', ..]) => digit(*a) + 6,
        Some([b'$', a @ b'0'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', _]) => 10 * digit(*a) + digit(*b) + 7,
        Some([b'$', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', b'\n']) => {
            100 * digit(*a) + 10 * digit(*b) + digit(*c) + 8
        }
        _ => return long_bulk_len(bytes),
    };
    (end <= bytes.len()).then_some(end)
}

fn long_bulk_len(bytes: &[u8]) -> Option<usize> {
    match header(bytes, 0)? {
        (b'$', count @ 0.., next) => Some(next + count as usize + 2).filter(|end| *end <= bytes.len()),
        (b'$' | b'_', _, next) => Some(next),
        _ => None,
    }
}

/// The number in an integer reply (`:n`), if `bytes` is one.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    match header(bytes, 0)? {
        (b':', number, _) => Some(number),
        _ => None,
    }
}

/// Whether `bytes` begins with an error reply.
pub fn is_error(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(b'-' | b'!'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_whole_replies() {
        for whole in [
            &b"+OK\r\n"[..],
            b"$5\r\nhello\r\n",
            b"$-1\r\n",
            b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
            b"%1\r\n+a\r\n:1\r\n",
            b"*0\r\n",
            b"_\r\n",
            b"|1\r\n+k\r\n:1\r\n:5\r\n",
        ] {
            let mut more = whole.to_vec();
            more.extend_from_slice(b":9\r\n");
            assert_eq!(reply_len(&more), Some(whole.len()), "{}", String::from_utf8_lossy(whole));
            assert_eq!(reply_len(&whole[..whole.len() - 1]), None);
        }
    }

    #[test]
    fn headers_and_bulk_strings() {
        type Header = (u8, i64, usize);
        let cases: [(&[u8], Option<Header>); 11] = [
            (b"$5\r\nhello\r\n", Some((b'$', 5, 4))),
            (b":0\r\n", Some((b':', 0, 4))),
            (b":-12\r\n", Some((b':', -12, 6))),
            (b":9223372036854775807\r\n", Some((b':', i64::MAX, 22))),
            (b":99999999999999999999\r\n", Some((b':', 0, 23))),
            (b"_\r\n", Some((b'_', 0, 3))),
            (b"+12a\r\n", Some((b'+', 0, 6))),
            (b"+1\ra\r\n", Some((b'+', 0, 6))),
            (b"$5\r", None),
            (b"$", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(header(bytes, 0), expected, "{}", bytes.escape_ascii());
            let moved = [b"x", bytes].concat();
            assert_eq!(header(&moved, 1), expected.map(|(kind, number, next)| (kind, number, next + 1)));
        }
        let lens: [(&[u8], Option<usize>); 11] = [
            (b"$5\r\nhello\r\n:1\r\n", Some(11)),
            (b"$12\r\nhello, world\r\n", Some(19)),
            (b"$12\r\nhello, worl\r\n", None),
            (b"$012\r\nhello, world\r\n:1\r\n", Some(20)),
            (b"$0012\r\nhello, world\r\n", Some(21)),
            (b"$1\r\nx", None),
            (b"$5\r\nhello\r", None),
            (b"$0\r\n\r\n", Some(6)),
            (b"$-1\r\n$1\r\nx\r\n", Some(5)),
            (b"_\r\n", Some(3)),
            (b":1\r\n", None),
        ];
        lens.iter().for_each(|(bytes, expected)| assert_eq!(bulk_len(bytes), *expected));
    }

    #[test]
    fn hostile_depth_is_refused() {
        assert_eq!(reply_len(&b"*1\r\n".repeat(1000)), None);
    }
}
