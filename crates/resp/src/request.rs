//! Requests: the multi-bulk form `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n` and the inline form `GET k\r\n`.
//!
//! Invariant: what was parsed once is not looked at again. A request that arrives in pieces keeps its progress in
//! the [`RequestParser`], so a client that sends byte by byte costs linear, not quadratic, work.

use crate::inline;
use base::number::parse_i64;

/// Inline requests and length lines longer than this are refused (Redis: PROTO_INLINE_MAX_SIZE).
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Arguments from this length on need not stand in the caller's buffer (Redis: PROTO_MBULK_BIG_ARG).
pub const LARGE_BYTES_MIN: usize = 32 * 1024;

/// A piece of the caller's buffer: the bytes of one argument. Or the number of an argument that stands outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

/// Buffers are shorter than this; what begins here or later is the number of an argument outside.
const OUTSIDE_FROM: u32 = u32::MAX - (1 << 24);

impl Span {
    /// The `index`-th argument that stands outside the buffer.
    pub fn outside(index: usize, len: usize) -> Self {
        let start = OUTSIDE_FROM.checked_add(index as u32).expect("memory ends before there are so many");
        Self { start, len: len as u32 }
    }

    /// Which of the arguments outside the buffer it is, if it is one.
    #[inline]
    pub fn outside_index(self) -> Option<usize> {
        self.start.checked_sub(OUTSIDE_FROM).map(|index| index as usize)
    }

    /// The bytes the span stands for, if they are in `buf`.
    #[inline]
    pub fn inside(self, buf: &[u8]) -> Option<&[u8]> {
        buf.get(self.start as usize..self.start as usize + self.len as usize)
    }

    /// The same argument once the request stands `by` bytes further on.
    fn shifted(self, by: usize) -> Self {
        if self.outside_index().is_some() { self } else { Self { start: self.start + by as u32, ..self } }
    }

    /// The bytes the span stands for in `buf`, which must not be outside it.
    #[inline]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        &buf[self.start as usize..self.start as usize + self.len as usize]
    }
}

/// What a client may announce.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest bulk string in bytes (`proto-max-bulk-len`).
    pub bulk_bytes_max: u64,
    /// Most arguments of one request.
    pub args_max: u64,
    /// Whether the client has authenticated (or need not); before that, smaller limits hold.
    pub authenticated: bool,
}

/// Limits that hold before AUTH, as in Redis since 6.2.6.
const ARGS_MAX_BEFORE_AUTH: u64 = 10;
const BULK_BYTES_MAX_BEFORE_AUTH: u64 = 16 * 1024;

/// Why a connection must be closed. The texts are Redis's, without the `-ERR ` in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError(pub Vec<u8>);

impl ProtocolError {
    fn new(text: &str) -> Self {
        Self([b"Protocol error: ", text.as_bytes()].concat())
    }

    fn unexpected(byte: u8) -> Self {
        let shown = if byte == b'\r' || byte == b'\n' { b' ' } else { byte };
        Self([b"Protocol error: expected '$', got '", &[shown][..], b"'"].concat())
    }
}

/// Outcome of one attempt to read a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A whole request: its arguments were appended to `spans` (maybe none: an empty line, `*0`). It ends at `end`.
    Request { end: usize },
    /// The same, and some of its arguments stand outside ([`Span::outside_index`]).
    Large { end: usize },
    /// More bytes are needed; `missing` is a lower bound of how many.
    Incomplete { missing: usize },
}

/// Progress within one request. Positions are relative to the start of the request.
#[derive(Clone, Debug, Default)]
pub struct RequestParser {
    args_left: u32,
    /// Length of the bulk whose header has been read.
    bulk: Option<u32>,
    /// First byte not yet looked at.
    at: usize,
    started: bool,
    /// The bulk at hand stands outside the buffer; how many before it do.
    is_outside: bool,
    outside: u32,
    /// Spans of arguments already complete, relative to the start of the request; used only between attempts.
    saved: Vec<Span>,
}

impl RequestParser {
    /// True between two attempts at the same request.
    pub fn in_progress(&self) -> bool {
        self.started || self.at > 0
    }

    /// The large bulk of which more bytes are awaited: where it begins, relative to the request, and its length. Never the
    /// command's name.
    pub fn awaited_bulk(&self) -> Option<(usize, usize)> {
        let len = self.bulk.filter(|&len| len as usize >= LARGE_BYTES_MIN)?;
        (!self.is_outside && !self.saved.is_empty()).then_some((self.at, len as usize))
    }

    /// The bulk that [`RequestParser::awaited_bulk`] tells of is kept outside the buffer from now on: in what is parsed next
    /// its line end stands where it began. Call when all of it is there.
    pub fn put_outside(&mut self) {
        assert!(self.awaited_bulk().is_some(), "no large bulk is awaited");
        self.is_outside = true;
    }

    /// Reads one request that begins at `start` in `buf`; spans are positions in `buf`.
    ///
    /// After [`Parsed::Incomplete`] call again with the same beginning and more bytes; `buf` may have moved, and `start`
    /// with it.
    ///
    /// # Errors
    /// The text of the error reply after which the connection is closed.
    #[inline]
    pub fn parse(
        &mut self,
        buf: &[u8],
        start: usize,
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        if !self.in_progress()
            && let Some(end) = parse_whole(buf, start, spans, limits)
        {
            return Ok(Parsed::Request { end });
        }
        self.parse_slowly(buf, start, spans, limits)
    }

    #[cold]
    fn parse_slowly(
        &mut self,
        buf: &[u8],
        start: usize,
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        let bytes = &buf[start..];
        if !self.started {
            match bytes.first() {
                None => return Ok(Parsed::Incomplete { missing: 1 }),
                Some(b'*') => {}
                Some(_) => return self.parse_inline(bytes, start, spans),
            }
            let Some((count, next)) = length_line(bytes, 0, "too big mbulk count string")? else {
                return Ok(Parsed::Incomplete { missing: 1 });
            };
            let count = count
                .filter(|&n| n <= limits.args_max as i64)
                .ok_or_else(|| ProtocolError::new("invalid multibulk length"))?;
            if !limits.authenticated && count > ARGS_MAX_BEFORE_AUTH as i64 {
                return Err(ProtocolError::new("unauthenticated multibulk length"));
            }
            if count <= 0 {
                *self = Self::default();
                return Ok(Parsed::Request { end: start + next });
            }
            self.started = true;
            self.args_left = count as u32;
            self.at = next;
        }
        while self.args_left > 0 {
            if let Some(missing) = self.one_bulk(bytes, limits)? {
                return Ok(Parsed::Incomplete { missing });
            }
        }
        let end = start + self.at;
        spans.extend(self.saved.iter().map(|span| span.shifted(start)));
        let is_large = self.outside > 0;
        *self = Self::default();
        Ok(if is_large { Parsed::Large { end } } else { Parsed::Request { end } })
    }

    /// Reads one bulk string; `Some(missing bytes)` when it is not all there.
    fn one_bulk(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let len = match self.bulk {
            Some(len) => len,
            None => {
                // The line must be whole before its first byte is judged.
                let line = length_line(bytes, self.at, "too big bulk count string")?;
                let Some((len, next)) = line else { return Ok(Some(1)) };
                if bytes[self.at] != b'$' {
                    return Err(ProtocolError::unexpected(bytes[self.at]));
                }
                let len = len
                    .filter(|&n| n >= 0 && n as u64 <= limits.bulk_bytes_max && n < i64::from(u32::MAX))
                    .ok_or_else(|| ProtocolError::new("invalid bulk length"))?;
                if !limits.authenticated && len as u64 > BULK_BYTES_MAX_BEFORE_AUTH {
                    return Err(ProtocolError::new("unauthenticated bulk length"));
                }
                self.at = next;
                self.bulk = Some(len as u32);
                len as u32
            }
        };
        let end = self.at + if self.is_outside { 0 } else { len as usize } + 2;
        if bytes.len() < end {
            return Ok(Some(end - bytes.len()));
        }
        if std::mem::take(&mut self.is_outside) {
            self.saved.push(Span::outside(self.outside as usize, len as usize));
            self.outside += 1;
        } else {
            self.saved.push(Span { start: self.at as u32, len });
        }
        self.at = end;
        self.bulk = None;
        self.args_left -= 1;
        Ok(None)
    }

    fn parse_inline(
        &mut self,
        bytes: &[u8],
        start: usize,
        spans: &mut Vec<Span>,
    ) -> Result<Parsed, ProtocolError> {
        let Some(newline) = bytes[self.at..].iter().position(|&b| b == b'\n') else {
            if bytes.len() > INLINE_BYTES_MAX {
                return Err(ProtocolError::new("too big inline request"));
            }
            self.at = bytes.len();
            return Ok(Parsed::Incomplete { missing: 1 });
        };
        let newline = self.at + newline;
        self.at = 0;
        let line = bytes[..newline].strip_suffix(b"\r").unwrap_or(&bytes[..newline]);
        if !inline::plain_words(line, start, spans) {
            return Err(ProtocolError::new("unbalanced quotes in request"));
        }
        Ok(Parsed::Request { end: start + newline + 1 })
    }
}

/// A line at `at`: its number behind the first byte, and where the next line begins. `None`: the line is not complete.
/// `Some((None, _))`: not a number.
#[allow(clippy::type_complexity)]
fn length_line(
    bytes: &[u8],
    at: usize,
    too_long: &str,
) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
    let rest = &bytes[at..];
    let Some(cr) = rest.iter().take(INLINE_BYTES_MAX + 1).position(|&b| b == b'\r') else {
        if rest.len() > INLINE_BYTES_MAX {
            return Err(ProtocolError::new(too_long));
        }
        return Ok(None);
    };
    if rest.len() < cr + 2 {
        return Ok(None);
    }
    Ok(Some((parse_i64(rest[..cr].get(1..).unwrap_or_default()), at + cr + 2)))
}

/// The common case in one go: a multi-bulk request that is wholly there and within all limits. `None`: look closer.
#[inline]
fn parse_whole(buf: &[u8], start: usize, spans: &mut Vec<Span>, limits: &Limits) -> Option<usize> {
    if *buf.get(start)? != b'*' || !limits.authenticated {
        return None;
    }
    let mark = spans.len();
    let end = parse_short(buf, start, spans, limits).or_else(|| {
        spans.truncate(mark);
        parse_any(buf, start, spans, limits)
    });
    if end.is_none() {
        spans.truncate(mark);
    }
    end
}

/// A word of eight bytes at `at`, the first one lowest.
#[inline(always)]
fn word(buf: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*buf.get(at..)?.first_chunk()?))
}

/// The digit that is the `byte`-th of a word; more than 9 if there is none.
#[inline(always)]
fn digit(word: u64, byte: u32) -> u64 {
    (word >> (8 * byte) & 0xff).wrapping_sub(u64::from(b'0'))
}

/// A request of at most nine arguments, each of less than 1,000 bytes, with a name of less than 10: its header and that of its name are one word,
/// and so is the header of every other argument with the line end before it. On `None` there may be spans of its first arguments.
#[inline]
fn parse_short(buf: &[u8], start: usize, spans: &mut Vec<Span>, limits: &Limits) -> Option<usize> {
    const FRONT: u64 = u64::from_le_bytes(*b"*\0\r\n$\0\r\n");
    const DIGITS: u64 = 0x0000_ff00_0000_ff00;
    const BETWEEN: u64 = u64::from_le_bytes(*b"\r\n$\0\0\0\0\0");
    let front = word(buf, start)?;
    let (count, len) = (digit(front, 1), digit(front, 5));
    if front & !DIGITS != FRONT || count.wrapping_sub(1) >= 9 || len > 9 || limits.bulk_bytes_max < 999 {
        return None;
    }
    let (mut body, mut len) = (start + 8, len as usize);
    spans.reserve(count as usize);
    for _ in 1..count {
        spans.push(Span { start: body as u32, len: len as u32 });
        let head = word(buf, body + len)?;
        let (first, second, third) = (digit(head, 3), digit(head, 4), digit(head, 5));
        // What follows the first digit tells how many there are.
        let (bytes, value) = if head >> 32 & 0xffff == 0x0a0d {
            (6, first)
        } else if head >> 40 & 0xffff == 0x0a0d && first != 0 && second <= 9 {
            (7, 10 * first + second)
        } else if head >> 48 == 0x0a0d && first != 0 && second <= 9 && third <= 9 {
            (8, 100 * first + 10 * second + third)
        } else {
            return None;
        };
        if head & 0xff_ffff != BETWEEN || first > 9 {
            return None;
        }
        body += len + bytes;
        len = value as usize;
    }
    spans.push(Span { start: body as u32, len: len as u32 });
    let end = body + len + 2;
    (end <= buf.len()).then_some(end)
}

/// As [`parse_whole`], of any size. On `None` there may be spans of its first arguments.
fn parse_any(buf: &[u8], start: usize, spans: &mut Vec<Span>, limits: &Limits) -> Option<usize> {
    let (count, mut at) = short_length(buf, start + 1)?;
    if count == 0 || count as u64 > limits.args_max {
        return None;
    }
    for _ in 0..count {
        let bulk = if buf.get(at) == Some(&b'$') { short_length(buf, at + 1) } else { None };
        let (len, body) = bulk?;
        let end = body + len + 2;
        if end > buf.len() || len as u64 > limits.bulk_bytes_max {
            return None;
        }
        spans.push(Span { start: body as u32, len: len as u32 });
        at = end;
    }
    Some(at)
}

/// A number of one to eight digits, without leading zeros, followed by `\r\n`, and the position behind it.
#[inline]
fn short_length(buf: &[u8], at: usize) -> Option<(usize, usize)> {
    // Most have one or two digits.
    if let Some(four) = buf.get(at..).and_then(|rest| rest.first_chunk()) {
        let four = u32::from_le_bytes(*four);
        let (tens, ones) = ((four & 0xff).wrapping_sub(0x30), (four >> 8 & 0xff).wrapping_sub(0x30));
        if four & 0x00ff_ff00 == 0x000a_0d00 && tens <= 9 {
            return Some((tens as usize, at + 3));
        }
        if four & 0xffff_0000 == 0x0a0d_0000 && tens.wrapping_sub(1) < 9 && ones <= 9 {
            return Some((tens as usize * 10 + ones as usize, at + 4));
        }
    }
    long_length(buf, at)
}

/// As [`short_length`], whatever the number of digits.
fn long_length(buf: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (i, &byte) in buf.get(at..)?.iter().take(9).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let padded = i > 1 && buf[at] == b'0';
            let ends = byte == b'\r' && i > 0 && !padded && buf.get(at + i + 1) == Some(&b'\n');
            return ends.then_some((value, at + i + 2));
        }
        value = value * 10 + digit as usize;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { bulk_bytes_max: 512 << 20, args_max: i32::MAX as u64, authenticated: true };

    fn words(buf: &[u8], spans: &[Span]) -> Vec<Vec<u8>> {
        spans.iter().map(|s| s.of(buf).to_vec()).collect()
    }

    fn error_of(bytes: &[u8], limits: &Limits) -> String {
        let error = RequestParser::default().parse(bytes, 0, &mut Vec::new(), limits).unwrap_err();
        String::from_utf8_lossy(&error.0).into_owned()
    }

    #[test]
    fn pipelined_requests_in_one_buffer() {
        let buf = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n";
        let (mut parser, mut spans) = (RequestParser::default(), Vec::new());
        assert_eq!(parser.parse(buf, 0, &mut spans, &LIMITS), Ok(Parsed::Request { end: 20 }));
        assert_eq!(words(buf, &spans), [b"GET".to_vec(), b"k".to_vec()]);
        spans.clear();
        assert_eq!(parser.parse(buf, 20, &mut spans, &LIMITS), Ok(Parsed::Request { end: buf.len() }));
        assert_eq!(words(buf, &spans), [b"PING".to_vec()]);
    }

    #[test]
    fn any_split_gives_the_same_request() {
        for whole in [&b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\nvv\r\n"[..], b"SET k v\r\n", b"*0\r\n"] {
            let mut once = Vec::new();
            RequestParser::default().parse(whole, 0, &mut once, &LIMITS).unwrap();
            let (mut parser, mut spans) = (RequestParser::default(), Vec::new());
            for end in 0..whole.len() {
                let got = parser.parse(&whole[..end], 0, &mut spans, &LIMITS).unwrap();
                assert!(matches!(got, Parsed::Incomplete { .. }), "{end}");
                assert!(spans.is_empty());
            }
            assert_eq!(parser.parse(whole, 0, &mut spans, &LIMITS), Ok(Parsed::Request { end: whole.len() }));
            assert_eq!(spans, once);
        }
    }

    /// The quick way for short ones agrees with the slow one, also where something is missing or is not what it should be.
    #[test]
    fn short_requests_are_read_alike_in_one_go_and_byte_by_byte() {
        let lens = [0, 1, 9, 10, 11, 99, 100, 999, 1000, 1001];
        let mut wholes = Vec::new();
        for count in 1..=11 {
            for (index, &len) in lens.iter().enumerate() {
                let args = (0..count).map(|arg| if arg == count / 2 { len } else { lens[(arg + index) % 4] });
                let bulks = args.map(|len| format!("${len}\r\n{}\r\n", "x".repeat(len))).collect::<String>();
                wholes.push(format!("*{count}\r\n{bulks}").into_bytes());
            }
        }
        let read = |buf: &[u8], step: usize| {
            let (mut parser, mut spans, mut upto) = (RequestParser::default(), Vec::new(), 0);
            loop {
                upto = (upto + step).min(buf.len());
                let parsed = parser.parse(&buf[..upto], 0, &mut spans, &LIMITS);
                if upto == buf.len() || !matches!(parsed, Ok(Parsed::Incomplete { .. })) {
                    return (parsed, spans);
                }
            }
        };
        for whole in wholes {
            let (parsed, spans) = read(&whole, whole.len());
            assert_eq!(parsed, Ok(Parsed::Request { end: whole.len() }));
            assert_eq!(read(&whole, 1), (parsed, spans));
            // Behind a short header every byte in turn is another.
            for at in 0..whole.len().min(40) {
                for byte in [b'0', b'7', b'\r', b'\n', b'$', b'x'] {
                    let mut changed = whole.clone();
                    changed[at] = byte;
                    assert_eq!(
                        read(&changed, changed.len()),
                        read(&changed, 1),
                        "{}",
                        changed.escape_ascii()
                    );
                }
            }
        }
    }

    #[test]
    fn a_request_may_move_between_attempts() {
        let (mut parser, mut spans) = (RequestParser::default(), Vec::new());
        parser.parse(b"xxxx*2\r\n$3\r\nGET\r\n$1", 4, &mut spans, &LIMITS).unwrap();
        let buf = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        parser.parse(buf, 0, &mut spans, &LIMITS).unwrap();
        assert_eq!(words(buf, &spans), [b"GET".to_vec(), b"k".to_vec()]);
    }

    #[test]
    fn errors_are_those_of_redis() {
        let texts = [
            (&b"*a\r\n"[..], "Protocol error: invalid multibulk length"),
            (b"*2147483648\r\n", "Protocol error: invalid multibulk length"),
            (b"*1\r\nx\r\n", "Protocol error: expected '$', got 'x'"),
            (b"*1\r\n$-5\r\n", "Protocol error: invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"),
            (b"SET \"a\r\n", "Protocol error: unbalanced quotes in request"),
        ];
        for (bytes, text) in texts {
            assert_eq!(error_of(bytes, &LIMITS), text);
        }
        let long = vec![b'x'; INLINE_BYTES_MAX + 1];
        assert_eq!(error_of(&long, &LIMITS), "Protocol error: too big inline request");
        let mut long = vec![b'1'; INLINE_BYTES_MAX + 3];
        long[0] = b'*';
        assert_eq!(error_of(&long, &LIMITS), "Protocol error: too big mbulk count string");
    }

    #[test]
    fn lengths_with_leading_zeros_are_refused_however_they_arrive() {
        for bytes in [&b"*01\r\n$4\r\nPING\r\n"[..], b"*1\r\n$04\r\nPING\r\n"] {
            assert!(error_of(bytes, &LIMITS).ends_with("length"));
        }
    }

    #[test]
    fn before_auth_limits_are_small() {
        let limits = Limits { authenticated: false, ..LIMITS };
        assert_eq!(error_of(b"*11\r\n", &limits), "Protocol error: unauthenticated multibulk length");
        assert_eq!(error_of(b"*1\r\n$16385\r\n", &limits), "Protocol error: unauthenticated bulk length");
        let (mut parser, mut spans) = (RequestParser::default(), Vec::new());
        let buf = b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n";
        assert_eq!(parser.parse(buf, 0, &mut spans, &limits), Ok(Parsed::Request { end: buf.len() }));
    }

    #[test]
    fn large_bulks_may_stand_outside() {
        let (head, len) = ("*4\r\n$4\r\nMSET\r\n$1\r\nk\r\n$40000\r\n", 40_000);
        let (mut parser, mut spans) = (RequestParser::default(), Vec::new());
        let mut buf = format!("xx{head}vvv").into_bytes();
        parser.parse(&buf, 2, &mut spans, &LIMITS).unwrap();
        assert_eq!(parser.awaited_bulk(), Some((head.len(), len)));
        parser.put_outside();
        assert_eq!(parser.awaited_bulk(), None);
        buf.truncate(2 + head.len());
        let got = parser.parse(&buf, 2, &mut spans, &LIMITS);
        assert_eq!(got, Ok(Parsed::Incomplete { missing: 2 }));
        buf.extend_from_slice(b"\r\n$1\r\n2\r\n*1\r\n$4\r\nPING\r\n");
        // The request has moved to the front.
        buf.drain(..2);
        let end = head.len() + 9;
        assert_eq!(parser.parse(&buf, 0, &mut spans, &LIMITS), Ok(Parsed::Large { end }));
        assert_eq!(spans[2], Span::outside(0, len));
        assert_eq!(spans[2].outside_index(), Some(0));
        assert_eq!(
            (spans[0].of(&buf), spans[1].of(&buf), spans[3].of(&buf)),
            (&b"MSET"[..], &b"k"[..], &b"2"[..])
        );
        assert!(!parser.in_progress());
        spans.clear();
        assert_eq!(parser.parse(&buf, end, &mut spans, &LIMITS), Ok(Parsed::Request { end: buf.len() }));
    }

    #[test]
    fn names_and_short_bulks_stay_inside() {
        for (request, awaited) in [
            (&b"*2\r\n$40000\r\nGET"[..], false),
            (b"*2\r\n$3\r\nGET\r\n$32767\r\n", false),
            (b"*2\r\n$3\r\nGET\r\n$32768\r\n", true),
            (b"*2\r\n$3\r\nGET\r\n$32768", false),
        ] {
            let mut parser = RequestParser::default();
            parser.parse(request, 0, &mut Vec::new(), &LIMITS).unwrap();
            assert_eq!(parser.awaited_bulk().is_some(), awaited);
        }
    }

    #[test]
    fn an_incomplete_bulk_says_how_much_is_missing() {
        let mut parser = RequestParser::default();
        let got = parser.parse(b"*2\r\n$3\r\nGET\r\n$100\r\nabc", 0, &mut Vec::new(), &LIMITS);
        assert_eq!(got, Ok(Parsed::Incomplete { missing: 99 }));
    }
}
