//! The arguments of one command, the command's name first: spans into the buffer they arrived in. Large ones may stand
//! outside it, each in a buffer of its own that can become a value without being copied.

use crate::error::Error;
use base::blob::Blob;
use base::hash::HashSeed;
use keyspace::Key;
use resp::{LARGE_BYTES_MIN, Span};
use std::ops::{Index, Range};

/// Bytes of one command's arguments in one buffer at most: positions have 32 bits, of which the highest are those of arguments outside.
pub const INSIDE_BYTES_MAX: usize = u32::MAX as usize - (32 << 20);

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

/// Appends a copy of all arguments in one piece, with what stands between them; whether that is possible, and worth it: they stand
/// close together in their buffer, and take no more than `bytes_max` there.
pub fn push_piece(args: Args<'_>, bytes_max: usize, buf: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    let (first, last) = match args.spans {
        [first, .., last] if args.all_inside() => (first.start, last.start.saturating_add(last.len)),
        _ => return false,
    };
    if last < first || (last - first) as usize > bytes_max {
        return false;
    }
    let (at, mark) = (buf.len() as u32, spans.len());
    let (mut total, mut ascend) = (0, first);
    for span in args.spans {
        if span.start < ascend {
            spans.truncate(mark);
            return false;
        }
        ascend = span.start + span.len;
        total += span.len;
        spans.push(Span { start: span.start - first + at, len: span.len });
    }
    if (last - first) / 2 > total {
        spans.truncate(mark);
        return false;
    }
    buf.extend_from_slice(&args.buf[first as usize..last as usize]);
    true
}

/// Arguments that belong to whoever holds them: of commands that wait.
#[derive(Clone, Default)]
pub struct OwnArgs {
    buf: Vec<u8>,
    spans: Vec<Span>,
    outside: Vec<Blob>,
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

    pub fn args<'a>(&'a self, seed: &'a HashSeed) -> Args<'a> {
        Args::new(&self.buf, &self.spans, seed).with_outside(&self.outside)
    }

    /// Their bytes, wherever they stand.
    pub fn len_bytes(&self) -> usize {
        self.buf.len() + self.outside.iter().map(|blob| blob.len()).sum::<usize>()
    }
}

/// Appends one of `args` to arguments whose bytes stand in `buf` and `outside`.
#[inline(always)]
pub fn push(args: Args<'_>, index: usize, buf: &mut Vec<u8>, spans: &mut Vec<Span>, outside: &mut Vec<Blob>) {
    if let Some(blob) = args.blob(index) {
        spans.push(Span::outside(outside.len(), blob.len()));
        outside.push(blob.clone());
        return;
    }
    let span = args.spans[index];
    spans.push(Span { start: buf.len() as u32, len: span.len });
    copy_short(buf, &args.buf[span.start as usize..], span.len as usize);
}

/// The same with several of them, which usually stand close together.
#[inline]
pub fn push_some(
    args: Args<'_>,
    range: Range<usize>,
    buf: &mut Vec<u8>,
    spans: &mut Vec<Span>,
    outside: &mut Vec<Blob>,
) {
    if let &[key, value] = &args.spans[range.clone()]
        && push_pair(args, key, value, buf, spans)
    {
        return;
    }
    range.for_each(|index| push(args, index, buf, spans, outside));
}

/// Appends two arguments in one piece; whether that is possible: they stand close together.
#[inline(always)]
fn push_pair(args: Args<'_>, key: Span, value: Span, buf: &mut Vec<u8>, spans: &mut Vec<Span>) -> bool {
    if !args.all_inside() || gap(key, value).is_none_or(|bytes| bytes > GAP_BYTES_MAX) {
        return false;
    }
    let (at, ahead) = (buf.len() as u32, value.start - key.start);
    let shifted = [Span { start: at, len: key.len }, Span { start: at + ahead, len: value.len }];
    spans.extend_from_slice(&shifted);
    copy_short(buf, &args.buf[key.start as usize..], (ahead + value.len) as usize);
    true
}

/// The same with all of them.
#[inline]
pub fn push_all(args: Args<'_>, buf: &mut Vec<u8>, spans: &mut Vec<Span>, outside: &mut Vec<Blob>) {
    match *args.spans {
        [name, key] if push_pair(args, name, key, buf, spans) => {}
        _ => push_many(args, buf, spans, outside),
    }
}

#[inline(never)]
fn push_many(args: Args<'_>, buf: &mut Vec<u8>, spans: &mut Vec<Span>, outside: &mut Vec<Blob>) {
    let is_close = |pair: &[Span]| gap(pair[0], pair[1]).is_some_and(|bytes| bytes <= GAP_BYTES_MAX);
    match args.spans {
        [first, .., last] if args.all_inside() && args.spans.windows(2).all(is_close) => {
            let (at, from) = (buf.len() as u32, first.start);
            spans.extend(args.spans.iter().map(|span| Span { start: span.start - from + at, len: span.len }));
            copy_short(buf, &args.buf[from as usize..], (last.start - from + last.len) as usize);
        }
        _ => (0..args.len()).for_each(|index| push(args, index, buf, spans, outside)),
    }
}

/// What stands between two arguments and may be copied with them.
const GAP_BYTES_MAX: u32 = 16;

/// Bytes between the first and the second, if they stand in this order.
#[inline]
fn gap(first: Span, second: Span) -> Option<u32> {
    second.start.checked_sub(first.start + first.len)
}

/// Appends the first `len` bytes of `from`; short ones without a call, for what lies behind them may be read, too.
///
/// # Panics
/// When there are fewer.
#[inline(always)]
pub fn copy_short(to: &mut Vec<u8>, from: &[u8], len: usize) {
    /// A copy of a fixed length is a few loads and stores.
    #[inline(always)]
    fn copy<const BYTES: usize>(to: &mut Vec<u8>, chunk: &[u8; BYTES], len: usize) {
        let end = to.len() + len;
        to.extend_from_slice(chunk);
        to.truncate(end);
    }
    match (from.first_chunk::<32>(), from.first_chunk::<128>()) {
        (Some(chunk), _) if len <= chunk.len() => copy(to, chunk, len),
        (_, Some(chunk)) if len <= chunk.len() => copy(to, chunk, len),
        _ => to.extend_from_slice(&from[..len]),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_outside_are_shared_when_they_are_kept() {
        let (seed, outside) = (HashSeed::new(1, 2), vec![Blob::new(vec![b'v'; 40_000])]);
        let spans = [Span { start: 0, len: 3 }, Span { start: 3, len: 1 }, Span::outside(0, 40_000)];
        let args = Args::new(b"SETk", &spans, &seed).with_outside(&outside);
        assert!(!args.all_inside());
        assert_eq!((args.at(0), args.at(1), args.at(2).len()), (&b"SET"[..], &b"k"[..], 40_000));
        assert!(args.blob(1).is_none() && args.blob(3).is_none());
        let own = OwnArgs::of(args);
        assert_eq!(own.len_bytes(), 40_004);
        let (again, rest) = (own.args(&seed), own.args(&seed).skip(1));
        assert!(std::sync::Arc::ptr_eq(again.blob(2).expect("outside"), &outside[0]));
        assert_eq!((rest.len(), rest.at(0)), (2, &b"k"[..]));
        assert!(rest.from(0).eq(again.from(1)) && rest.blob(1).is_some());
    }

    #[test]
    fn arguments_are_refilled() {
        let seed = HashSeed::new(1, 2);
        let span = |start, len| Span { start, len };
        let buf = b"$4\r\nMGET\r\n$1\r\na\r\n$0\r\n\r\n$2\r\nbc\r\n";
        let ascending = [span(4, 4), span(14, 1), span(21, 0), span(27, 2)];
        let [name, a, empty, bc] = ascending;
        let mut own = OwnArgs::default();
        for spans in [&ascending[..], &[name, bc, a], &[bc], &[], &[a, a], &[name, empty], &[a, bc]] {
            let args = Args::new(buf, spans, &seed);
            own.refill(args);
            assert!(own.args(&seed).from(0).eq(args.from(0)));
        }
        let far = [&b"k"[..], &[b' '; 1000], b"l"].concat();
        own.refill(Args::new(&far, &[span(0, 1), span(1001, 1)], &seed));
        assert_eq!((own.len_bytes(), own.args(&seed).at(1)), (2, &b"l"[..]));
        let outside = vec![Blob::new(vec![b'v'; 40_000])];
        let copied = |spans: &[Span]| {
            let (args, mut copy) = (Args::new(buf, spans, &seed), OwnArgs::default());
            copy.buf.extend(b"before");
            push_all(args, &mut copy.buf, &mut copy.spans, &mut copy.outside);
            copy.args(&seed).from(0).eq(args.from(0))
        };
        assert!(
            [&ascending[..], &[name, a], &[name, bc], &[bc, a], &[a, bc, name], &[bc], &[]]
                .map(copied)
                .iter()
                .all(|is| *is)
        );
        own.refill(Args::new(b"k", &[span(0, 1), Span::outside(0, 40_000)], &seed).with_outside(&outside));
        assert_eq!(own.args(&seed).at(1).len(), 40_000);
        own.clear_to(0);
        assert_eq!((own.len_bytes(), own.args(&seed).len()), (0, 0));
        assert_eq!(std::sync::Arc::strong_count(&outside[0]), 1);
    }

    #[test]
    fn some_arguments_are_pushed_in_one_piece_or_each_by_itself() {
        let seed = HashSeed::new(1, 2);
        let span = |start, len| Span { start, len };
        let buf = [&b"$3\r\nkey\r\n$5\r\nvalue\r\n"[..], &[b' '; 100], b"far"].concat();
        let (key, value, far) = (span(4, 3), span(13, 5), span(120, 3));
        for spans in
            [&[key, value][..], &[value, key], &[key, far], &[key], &[], &[key, value, far], &[key, key]]
        {
            let args = Args::new(&buf, spans, &seed);
            let mut own = OwnArgs::of_words(vec![b"before".to_vec()]);
            push_some(args, 0..spans.len(), &mut own.buf, &mut own.spans, &mut own.outside);
            assert!(own.args(&seed).from(1).eq(args.from(0)));
        }
        let outside = vec![Blob::new(vec![b'v'; 40_000])];
        let spans = [key, Span::outside(0, 40_000)];
        let mut own = OwnArgs::default();
        let args = Args::new(&buf, &spans, &seed).with_outside(&outside);
        push_some(args, 0..2, &mut own.buf, &mut own.spans, &mut own.outside);
        assert!(own.args(&seed).from(0).eq(args.from(0)) && own.args(&seed).blob(1).is_some());
    }

    #[test]
    fn short_and_long_pieces_are_copied() {
        let from: Vec<u8> = (0..=255).collect();
        for len in [0, 1, 31, 32, 33, 127, 128, 129, 200] {
            for end in [len, len + 1, (len + 40).min(256), 256] {
                let mut to = b"before".to_vec();
                copy_short(&mut to, &from[..end], len);
                assert_eq!(to, [b"before", &from[..len]].concat());
            }
        }
    }

    #[test]
    fn large_words_keep_their_buffers() {
        let seed = HashSeed::new(1, 2);
        let large = vec![b'w'; LARGE_BYTES_MIN];
        let at = large.as_ptr();
        let own = OwnArgs::of_words(vec![b"SET".to_vec(), b"key".to_vec(), large, b"NX".to_vec()]);
        let args = own.args(&seed);
        assert_eq!(
            (args.len(), args.at(0), args.at(1), args.at(3)),
            (4, &b"SET"[..], &b"key"[..], &b"NX"[..])
        );
        assert_eq!((args.at(2).as_ptr(), args.at(2).len()), (at, LARGE_BYTES_MIN));
        assert_eq!(own.len_bytes(), 8 + LARGE_BYTES_MIN);
    }
}
