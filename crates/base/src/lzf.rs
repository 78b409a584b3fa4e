//! LZF, the compression of strings in RDB files, compatible with liblzf in both directions.
//!
//! A compressed text is a row of pieces:
//!
//! ```text
//! 000lllll                    l + 1 literal bytes follow (1 to 32)
//! lllooooo oooooooo           copy l + 2 bytes (3 to 8) from o + 1 bytes back, 1 <= l <= 6
//! 111ooooo llllllll oooooooo  copy l + 9 bytes (9 to 264) from o + 1 bytes back
//! ```
//!
//! What is read may be hostile: [`decompress`] never panics and never allocates more than 88 times its input.

use std::ops::Range;

const LITERALS_MAX: usize = 32;
const COPY_BYTES_MIN: usize = 3;
const COPY_BYTES_MAX: usize = 264;
const DISTANCE_MAX: usize = 1 << 13;

/// Three bytes of input can say 264 bytes of output, at best.
const EXPANSION_MAX: usize = COPY_BYTES_MAX / 3;

/// Inputs longer than this are not compressed: positions are kept in 32 bits.
const INPUT_BYTES_MAX: usize = u32::MAX as usize - 1;

/// Compresses `input` into at most `bytes_max` bytes; `None` if it does not get that small (or is empty).
///
/// Redis stores a string compressed if it has more than 20 bytes and shrinks by at least four.
pub fn compress(input: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes_max.min(input.len()));
    append_compressed(&mut out, input, bytes_max).then_some(out)
}

/// As [`compress`], behind what is in `out` already; false if nothing was appended.
pub fn append_compressed(out: &mut Vec<u8>, input: &[u8], bytes_max: usize) -> bool {
    if input.is_empty() || bytes_max == 0 || input.len() > INPUT_BYTES_MAX {
        return false;
    }
    let before = out.len();
    // Tables that fit the input, so that short strings do not pay for clearing a large one.
    let shrank = match input.len() {
        0..=255 => append_with(out, input, bytes_max, Seen::new(&mut [0u8; 1 << 8])),
        256..=2048 => append_with(out, input, bytes_max, Seen::new(&mut [0u16; 1 << 11])),
        2049..=0xffff => append_with(out, input, bytes_max, Seen::new(&mut [0u16; 1 << 13])),
        _ => append_with(out, input, bytes_max, Seen::new(&mut vec![0u32; 1 << 15])),
    };
    if !shrank {
        out.truncate(before);
    }
    shrank
}

fn append_with<P: Position>(
    out: &mut Vec<u8>,
    input: &[u8],
    bytes_max: usize,
    mut seen: Seen<'_, P>,
) -> bool {
    let before = out.len();
    let (mut at, mut literals_from) = (0, 0);
    loop {
        let room = bytes_max - (out.len() - before);
        let literals = input.len() - literals_from;
        let fits = literals + literals.div_ceil(LITERALS_MAX) <= room;
        // Text that does not shrink shall not be read to its end in vain: a copy takes two bytes behind what stands in front of it.
        let end = if fits { input.len() } else { literals_from + room.saturating_sub(1) };
        let Some((from, to)) = seen.next_copy(input, at..end) else {
            if fits {
                append_literals(out, &input[literals_from..]);
            }
            return fits;
        };
        let len = common_len(input, from, to);
        append_literals(out, &input[literals_from..to]);
        append_copy(out, to - from, len);
        if out.len() - before > bytes_max {
            return false;
        }
        at = to + len;
        literals_from = at;
        // Remember the last two places inside the copy, as liblzf does, and skip the others for speed.
        for place in at - 2..at {
            if let Some(&bytes) = input.get(place..).and_then(|rest| rest.first_chunk::<COPY_BYTES_MIN>()) {
                seen.replace(bytes, place);
            }
        }
    }
}

/// A position, in no more bits than the longest input of its size needs.
trait Position: Copy {
    fn of(position: usize) -> Self;
    fn get(self) -> usize;
}

impl Position for u8 {
    fn of(position: usize) -> Self {
        position as u8
    }

    fn get(self) -> usize {
        self.into()
    }
}

impl Position for u16 {
    fn of(position: usize) -> Self {
        position as u16
    }

    fn get(self) -> usize {
        self.into()
    }
}

impl Position for u32 {
    fn of(position: usize) -> Self {
        position as u32
    }

    fn get(self) -> usize {
        self as usize
    }
}

/// Where each hash of three bytes was seen last; 0 if it was not: then what stands there is something else, for that is seen first.
struct Seen<'t, P> {
    /// A power of two of them.
    positions: &'t mut [P],
    hash_shift: u32,
}

impl<'t, P: Position> Seen<'t, P> {
    fn new(positions: &'t mut [P]) -> Self {
        let bits = positions.len().trailing_zeros();
        Self { positions, hash_shift: 32 - bits }
    }

    /// The first place in a range at which something comes again, behind where it stood before, near enough to be copied. All are noted up to there.
    #[inline]
    fn next_copy(&mut self, input: &[u8], range: Range<usize>) -> Option<(usize, usize)> {
        let windows = input.get(range.start..)?.windows(COPY_BYTES_MIN);
        range.zip(windows).find_map(|(at, bytes)| {
            let from = self.replace([bytes[0], bytes[1], bytes[2]], at);
            // Nothing but this is asked each time, and it is nearly always the same.
            let is_again = input[from..from + COPY_BYTES_MIN] == *bytes;
            (is_again && from < at && at - from <= DISTANCE_MAX).then_some((from, at))
        })
    }

    /// Notes that `bytes` stand at `position`, and returns where bytes of the same hash stood before.
    #[inline]
    fn replace(&mut self, [a, b, c]: [u8; COPY_BYTES_MIN], position: usize) -> usize {
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> self.hash_shift;
        std::mem::replace(&mut self.positions[hash as usize], P::of(position)).get()
    }
}

/// How many bytes at `from` and at the later `at` agree, up to the most that one piece can copy.
#[inline]
fn common_len(input: &[u8], from: usize, at: usize) -> usize {
    let later = &input[at..input.len().min(at + COPY_BYTES_MAX)];
    let mut len = 0;
    for (a, b) in input[from..].chunks(8).zip(later.chunks(8)) {
        if a.len() < 8 || a != b {
            return len + a.iter().zip(b).take_while(|(a, b)| a == b).count();
        }
        len += 8;
    }
    len
}

fn append_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for chunk in literals.chunks(LITERALS_MAX) {
        out.push(chunk.len() as u8 - 1);
        out.extend_from_slice(chunk);
    }
}

fn append_copy(out: &mut Vec<u8>, distance: usize, len: usize) {
    let [high, low] = (distance as u16 - 1).to_be_bytes();
    match len - 2 {
        short @ ..7 => out.extend_from_slice(&[(short as u8) << 5 | high, low]),
        long => out.extend_from_slice(&[7 << 5 | high, (long - 7) as u8, low]),
    }
}

/// Decompresses to exactly `len` bytes; `None` if `input` is not the compressed form of so many.
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > input.len().saturating_mul(EXPANSION_MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = input;
    while let [control, tail @ ..] = rest {
        let control = usize::from(*control);
        if control < LITERALS_MAX {
            let (literals, tail) = tail.split_at_checked(control + 1)?;
            if literals.len() > len - out.len() {
                return None;
            }
            out.extend_from_slice(literals);
            rest = tail;
            continue;
        }
        let (count, low, tail) = match (control >> 5, tail) {
            (7, [extra, low, tail @ ..]) => (usize::from(*extra) + 9, *low, tail),
            (short @ ..7, [low, tail @ ..]) => (short + 2, *low, tail),
            _ => return None,
        };
        let distance = ((control & 31) << 8 | usize::from(low)) + 1;
        let from = out.len().checked_sub(distance)?;
        if count > len - out.len() {
            return None;
        }
        // A copy may reach into what it writes: then it repeats the bytes from `from` on, more of them each time.
        let mut left = count;
        while left > 0 {
            let now = left.min(out.len() - from);
            out.extend_from_within(from..from + now);
            left -= now;
        }
        rest = tail;
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn reads_what_liblzf_wrote() {
        // Written by liblzf 3.6 (the Python package python-lzf).
        let written: &[(&[u8], &[u8])] = &[
            (b"\x01aa\xe0\x11\x00\x01aa", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            (b"\x03abca\xe0\x0a\x02\x00c", b"abcabcabcabcabcabcabcabc"),
            (b"\x1fthe quick brown fox jumps over t \x1e\x08lazy dog;`\x0d\xe0\x04,\x01ox", b"the quick brown fox jumps over the lazy dog; the quick brown fox"),
            (b"\x01\x00\x00\xe0\xff\x00\xe0\x17\x00\x01\x00\x00", &[0; 300]),
            (b"\x06hello h\xe0\x08\x05\x04world\xe0\x0a\x05\x090123456789\xe0\x00\x0a\x0189", b"hello hello hello hello world world world world 0123456789 0123456789"),
            (b"\x1f\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x08 !\"#$%&'\x00\xe0\x1c'\x01&'", b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\"#$%&'\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f !\"#$%&'"),
        ];
        for (compressed, text) in written {
            assert_eq!(decompress(compressed, text.len()).as_deref(), Some(*text));
            let ours = compress(text, text.len()).expect("compressible");
            assert_eq!(decompress(&ours, text.len()).as_deref(), Some(*text));
            assert!(ours.len() <= compressed.len() + 2, "{} bytes for {}", ours.len(), compressed.len());
        }
    }

    /// Text with repetitions near and far.
    fn draw_text(random: &mut Random) -> Vec<u8> {
        let (len_bits, alphabet_bits) = (random.below(15), random.below(9));
        let (len, alphabet) = (random.index(1 << len_bits), 1 + random.below(1 << alphabet_bits));
        let mut text: Vec<u8> = Vec::new();
        while text.len() < len {
            if random.below(3) > 0 || text.is_empty() {
                text.extend((0..1 + random.below(40)).map(|_| random.below(alphabet) as u8));
            } else {
                let from = random.index(text.len());
                let count = 1 + random.index(600);
                (from..from + count).for_each(|place| text.push(text[place]));
            }
        }
        text
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let seed = 71;
        let mut random = Random::from_seed(seed);
        let mut smaller = 0;
        for _ in 0..2_000 {
            let text = draw_text(&mut random);
            // Every thirty-two bytes cost one more at worst.
            let worst = text.len() + text.len() / 32 + 1;
            let Some(compressed) = compress(&text, worst) else {
                assert!(text.is_empty());
                continue;
            };
            assert_eq!(decompress(&compressed, text.len()), Some(text.clone()), "seed {seed}");
            assert_eq!(compress(&text, compressed.len()).as_ref(), Some(&compressed));
            assert_eq!(compress(&text, compressed.len() - 1), None);
            let mut behind = b"before".to_vec();
            assert!(!append_compressed(&mut behind, &text, compressed.len() - 1) && behind == b"before");
            assert!(append_compressed(&mut behind, &text, compressed.len()) && behind[6..] == compressed);
            assert_eq!(decompress(&compressed, text.len() + 1), None);
            assert_eq!(decompress(&compressed, text.len() - 1), None);
            smaller += u32::from(compressed.len() < text.len());
        }
        assert!(smaller > 1_000, "{smaller}");
    }

    #[test]
    fn short_texts_are_given_up_only_if_they_do_not_shrink() {
        let seed = 73;
        let mut random = Random::from_seed(seed);
        let mut outcomes = [0; 2];
        for _ in 0..100_000 {
            let (alphabet, longest) = (1 + random.below(30), if random.below(8) == 0 { 300 } else { 60 });
            let len = 1 + random.index(longest);
            let text: Vec<u8> = (0..len).map(|_| b'a' + random.below(alphabet) as u8).collect();
            let whole = compress(&text, usize::MAX).expect("there is room");
            assert_eq!(decompress(&whole, len).as_ref(), Some(&text), "seed {seed}");
            for bytes_max in [len.saturating_sub(4), whole.len() - 1, whole.len()] {
                let expected = (whole.len() <= bytes_max).then_some(&whole);
                assert_eq!(compress(&text, bytes_max).as_ref(), expected, "{}", text.escape_ascii());
            }
            outcomes[usize::from(whole.len() + 4 <= len)] += 1;
        }
        assert!(outcomes.iter().all(|&count| count > 5_000), "{outcomes:?}");
    }

    #[test]
    fn the_longest_copies_and_distances() {
        let zeros = vec![0; 10_000];
        let compressed = compress(&zeros, 200).unwrap();
        assert_eq!(decompress(&compressed, zeros.len()), Some(zeros));
        for gap in [DISTANCE_MAX - 3, DISTANCE_MAX - 2, DISTANCE_MAX] {
            let noise = |index: usize| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8;
            let text = [b"needle".to_vec(), (0..gap - 3).map(noise).collect(), b"needle".to_vec()].concat();
            let compressed = compress(&text, text.len() * 2).unwrap();
            assert_eq!(decompress(&compressed, text.len()), Some(text));
        }
    }

    #[test]
    fn hostile_input_is_refused() {
        let refused: &[(&[u8], usize)] = &[
            (b"", 1),
            (b"\x00", 1),             // a literal that is missing
            (b"\x01a", 2),            // half of the literals
            (b"\x00a", 0),            // more than was said
            (b"\x20\x00", 3),         // a copy from before the start
            (b"\x00a\x20\x01", 4),    // the same, a byte too far
            (b"\x00a\x20", 4),        // a copy without its distance
            (b"\x00a\xe0", 10),       // a long copy without its length
            (b"\x00a\xe0\x00", 10),   // a long copy without its distance
            (b"\x00a\x20\x00", 3),    // a copy that does not fit
            (b"\x00a", usize::MAX),   // a length that would exhaust memory
            (b"\x00a\x20\x00", 1000), // a length that so few bytes cannot reach
        ];
        for (input, len) in refused {
            assert_eq!(decompress(input, *len), None, "{} to {len} bytes", input.escape_ascii());
        }
        assert_eq!(decompress(b"\x00a\x20\x00", 4).as_deref(), Some(&b"aaaa"[..]));
        assert_eq!(decompress(b"", 0).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn random_input_never_panics() {
        let mut random = Random::from_seed(72);
        for _ in 0..50_000 {
            let mut input = vec![0; random.index(40)];
            random.fill(&mut input);
            let len = random.index(400);
            assert!(decompress(&input, len).is_none_or(|out| out.len() == len));
        }
    }
}
