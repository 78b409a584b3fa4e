//! Arbitrary bytes in arbitrary pieces for the request parser, against a reference that looks at the whole each time.
#![forbid(unsafe_code)]

use base::random::Random;
use resp::inline::{needs_rewrite, split_words};
use resp::{Limits, Parsed, RequestParser};
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits { bulk_bytes_max: 5000, args_max: 100, authenticated: true };

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    /// The bytes were refused; otherwise more are awaited.
    refused: bool,
    /// Where the refused or incomplete request begins.
    end: usize,
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The rules of the protocol written down as plainly as possible: `Some(None)` is a refusal, `None` wants more.
#[allow(clippy::option_option)]
fn reference_one(bytes: &[u8]) -> Option<Option<(Vec<Vec<u8>>, usize)>> {
    if *bytes.first()? != b'*' {
        let newline = bytes.iter().position(|&b| b == b'\n')?;
        let line = bytes[..newline].strip_suffix(b"\r").unwrap_or(&bytes[..newline]);
        return Some(split_words(line).map(|words| (words, newline + 1)));
    }
    let line = |at: usize| {
        let cr = at + bytes[at..].iter().position(|&b| b == b'\r')?;
        bytes.get(cr + 1)?;
        let number = base::number::parse_i64(&bytes[at..cr]);
        Some((number, cr + 2))
    };
    let (count, mut at) = line(1)?;
    let Some(count) = count.filter(|&count| count <= LIMITS.args_max as i64) else { return Some(None) };
    let mut words = Vec::new();
    for _ in 0..count {
        // Whatever it begins with, the line is awaited.
        let first = *bytes.get(at)?;
        let (len, body) =
            if first == b'\r' { (None, at + 1 + usize::from(bytes.len() > at + 1)) } else { line(at + 1)? };
        if first == b'\r' && body == at + 1 {
            return None;
        }
        if first != b'$' {
            return Some(None);
        }
        let Some(len) = len.filter(|len| (0..=LIMITS.bulk_bytes_max as i64).contains(len)) else {
            return Some(None);
        };
        let end = body + len as usize;
        if bytes.len() < end + 2 {
            return None;
        }
        words.push(bytes[body..end].to_vec());
        at = end + 2;
    }
    Some(Some((words, at)))
}

fn reference(bytes: &[u8]) -> Outcome {
    let (mut requests, mut at) = (Vec::new(), 0);
    loop {
        match reference_one(&bytes[at..]) {
            None => return Outcome { requests, refused: false, end: at },
            Some(None) => return Outcome { requests, refused: true, end: at },
            Some(Some((words, used))) => {
                requests.push(words);
                at += used;
            }
        }
    }
}

/// Feeds the parser piece by piece, as a connection does; `cuts` are the places between the pieces.
fn parsed(bytes: &[u8], cuts: &[usize]) -> Outcome {
    let (mut requests, mut at, mut parser) = (Vec::new(), 0, RequestParser::default());
    for &cut in cuts.iter().chain([&bytes.len()]) {
        // Bytes of requests that are done have been dropped meanwhile: everything moves to the front.
        let buf = &bytes[at..cut];
        let mut start = 0;
        loop {
            let mut spans = Vec::new();
            match parser.parse(buf, start, &mut spans, &LIMITS) {
                Ok(Parsed::Request { end }) => {
                    assert!(end > start && end <= buf.len(), "a request ends at {end} of {}", buf.len());
                    requests.push(spans.iter().map(|span| span.of(buf).to_vec()).collect());
                    start = end;
                }
                Ok(Parsed::Large { .. }) => unreachable!("nothing is put outside here"),
                Ok(Parsed::Incomplete { missing }) => {
                    assert!(missing > 0 && spans.is_empty());
                    break;
                }
                Err(error) => {
                    assert!(!error.0.iter().any(|byte| b"\r\n".contains(byte)), "{error:?}");
                    // A line with escapes is not read in place: the caller decodes it.
                    let line = buf[start..].split(|&b| b == b'\n').next().unwrap_or_default();
                    if buf[start] == b'*' || !needs_rewrite(line) {
                        return Outcome { requests, refused: true, end: at + start };
                    }
                    match split_words(line) {
                        None => return Outcome { requests, refused: true, end: at + start },
                        Some(words) => requests.push(words),
                    }
                    start += line.len() + 1;
                }
            }
        }
        at += start;
    }
    Outcome { requests, refused: false, end: at }
}

/// Requests, well-formed for the most part.
fn bytes(random: &mut Random) -> Vec<u8> {
    const PIECES: [&[u8]; 22] = [
        b"*",
        b"$",
        b"\r\n",
        b"\r",
        b"\n",
        b"*1\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"*2147483648\r\n",
        b"$5001\r\n",
        b"*01\r\n",
        b"$3\rxabcde",
        b"PING\r\n",
        b"GET k\n",
        b"SET k \"a\\x41 b\"\r\n",
        b"'a' \"",
        b"*2\r\r",
        b"\"a\"b\n",
        b"$99999999999999999999\r\n",
        b"*100\r\n",
    ];
    let mut out = Vec::new();
    for _ in 0..1 + random.index(6) {
        if random.below(4) == 0 {
            out.extend_from_slice(PIECES[random.index(PIECES.len())]);
            continue;
        }
        let count = random.index(5);
        out.extend(format!("*{count}\r\n").bytes());
        for _ in 0..count {
            let mut word = vec![0; if random.below(20) == 0 { random.index(5200) } else { random.index(6) }];
            random.fill(&mut word);
            out.extend(format!("${}\r\n", word.len()).bytes());
            out.extend(word);
            out.extend(b"\r\n");
        }
    }
    for _ in 0..random.below(3) {
        let at = random.index(out.len());
        match random.below(3) {
            0 => out[at] = random.next_u64() as u8,
            1 => drop(out.remove(at)),
            _ => out.insert(at, b"*$\r\n0129\"'\\ "[random.index(12)]),
        }
        if out.is_empty() {
            break;
        }
    }
    out
}

#[test]
fn any_bytes_in_any_pieces_are_read_as_the_protocol_says() {
    let seconds = from_env("WEFT_FUZZ_SECONDS").unwrap_or(3);
    let first = from_env("WEFT_FUZZ_SEED").unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut seed = first;
    while Instant::now() < end {
        let mut random = Random::from_seed(seed);
        let bytes = bytes(&mut random);
        let mut cuts: Vec<usize> = (0..random.index(8)).map(|_| random.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let shown = bytes.escape_ascii().to_string();
        let expected = reference(&bytes);
        assert_eq!(parsed(&bytes, &[]), expected, "WEFT_FUZZ_SEED={seed}: {shown}");
        assert_eq!(parsed(&bytes, &cuts), expected, "WEFT_FUZZ_SEED={seed}, cut at {cuts:?}: {shown}");
        seed += 1;
    }
    println!("{} cases from seed {first}", seed - first);
}
