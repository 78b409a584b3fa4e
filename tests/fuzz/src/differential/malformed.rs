//! Broken requests to both servers: the bytes they answer, and whether they close the connection.
//!
//! Each case has a connection of its own. Those of a batch are sent at once and read after a while, for silence is an answer
//! too.

use super::pair::Pair;
use base::random::Random;
use std::time::Duration;
use testkit::Client;

/// Cases under way at the same time.
const BATCH: usize = 100;
/// How long the servers may take for a batch, and for what comes late.
const WAIT: Duration = Duration::from_millis(150);
const WAIT_MORE: Duration = Duration::from_millis(3);

/// Numbers as counts and lengths, right and wrong.
const NUMBERS: &[&str] = &[
    "",
    "-",
    "+",
    "+1",
    "-1",
    "-0",
    "-2",
    "0",
    "00",
    "01",
    "1",
    "2",
    "1 ",
    " 1",
    "1.0",
    "1e3",
    "0x1",
    "a",
    "1a",
    "1024",
    "1048576",
    "1048577",
    "536870912",
    "536870913",
    "2147483647",
    "2147483648",
    "4294967297",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "99999999999999999999999999999999",
    "\0",
    "1\0",
];

/// Lines of the inline form.
const LINES: &[&str] = &[
    "",
    " ",
    "\t",
    "PING",
    " PING ",
    "PING\t",
    "PING\0",
    "\0PING",
    "ECHO \"a",
    "ECHO 'a",
    "ECHO \"a\"b",
    "ECHO 'a'b",
    "ECHO \"a\" ",
    "ECHO \"a\\\"b\"",
    "ECHO 'a\\'b'",
    "ECHO 'a\\nb'",
    "ECHO \"\\x41\\xzz\\n\\q\"",
    "ECHO a\"b",
    "ECHO a'b\"",
    "ECHO \"\"",
    "ECHO ''",
    "ECHO \"\\",
    "ECHO 'a\\",
    "ECHO \\x41",
    "\"PING\"",
    "'PING",
    "ECHO a b",
    "foo",
    "foo bar",
    "$5",
    "+OK",
    ":1",
    "-ERR",
    "~1",
    "%1",
    ">1",
    "(1",
    "#t",
    "_",
    "ECHO a\rb",
    "\rPING",
    "PING\r",
    "GET \"a b\"c",
    "\x7f",
];

/// Bytes between the two requests, and more than that.
fn cases() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for number in NUMBERS {
        all.push(format!("*{number}\r\n").into_bytes());
        all.push(format!("*{number}\r\n$4\r\nPING\r\n").into_bytes());
        all.push(format!("*1\r\n${number}\r\n").into_bytes());
        all.push(format!("*2\r\n$4\r\nECHO\r\n${number}\r\nab\r\n").into_bytes());
        all.push(format!("*2\r\n$4\r\nECHO\r\n$2\r\nab\r\n*{number}\r\nPING\r\n").into_bytes());
    }
    for line in LINES {
        all.push(format!("{line}\r\n").into_bytes());
        all.push(format!("{line}\nPING\n").into_bytes());
        all.push(format!("*1\r\n$4\r\nPING\r\n{line}\r\n*1\r\n$4\r\nPING\r\n").into_bytes());
    }
    for byte in 0..=255u8 {
        all.push([b"*1\r\n", &[byte][..], b"4\r\nPING\r\n"].concat());
        all.push([&[byte][..], b"1\r\n$4\r\nPING\r\n"].concat());
    }
    for len in [65_535, 65_536, 65_537, 70_000] {
        all.push(vec![b'x'; len]);
        all.push([&vec![b'x'; len][..], b"\r\nPING\r\n"].concat());
        all.push([b"ECHO ", &vec![b'x'; len][..], b"\r\n"].concat());
        all.push([b"*", &vec![b'1'; len][..]].concat());
        all.push([b"*1\r\n$", &vec![b'1'; len][..]].concat());
        all.push([b"*1\r\n", &vec![b'x'; len][..]].concat());
    }
    all.extend([
        b"*1\r\n$4\nPING\r\n".to_vec(),
        b"*1\n$4\r\nPING\r\n".to_vec(),
        b"*1\rx$4\rxPINGxx".to_vec(),
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n".to_vec(),
        b"*1\r\n$3\r\nPING\r\n".to_vec(),
        b"*1\r\n$5\r\nPING\r\n".to_vec(),
        b"*1\r\n$0\r\n\r\n".to_vec(),
        b"*2\r\n$0\r\n\r\n$0\r\n\r\n".to_vec(),
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n:5\r\n".to_vec(),
        b"*2\r\n*1\r\n$4\r\nPING\r\n".to_vec(),
        b"*-1\r\n*0\r\n\r\n*1\r\n$4\r\nPING\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"host: a\r\nPING\r\n".to_vec(),
        b"PING\r\nQUIT\r\nPING\r\n".to_vec(),
        b"QUIT\r\n*1\r\n:5\r\n".to_vec(),
        b"*2\r\n$4\r\nQUIT\r\n$1\r\na\r\nPING\r\n".to_vec(),
    ]);
    all
}

/// Pieces of requests in any order.
fn random_case(random: &mut Random) -> Vec<u8> {
    const PIECES: [&[u8]; 20] = [
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
        b"*2\r\n$4\r\nECHO\r\n",
        b"$4\r\nPING\r\n",
        b"PING\r\n",
        b"ECHO \"a b\"\r\n",
        b"'a' \"",
        b"\0",
        b"\xff",
        b"$3\r\nabc\r\n",
        b"12",
        b"ECHO ",
    ];
    let mut out = Vec::new();
    for _ in 0..2 + random.index(8) {
        out.extend_from_slice(PIECES[random.index(PIECES.len())]);
    }
    out
}

/// What came back.
#[derive(PartialEq, Eq)]
struct Outcome {
    bytes: Vec<u8>,
    closed: bool,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.bytes[..self.bytes.len().min(300)].escape_ascii();
        write!(f, "{shown}{}", if self.closed { " (closed)" } else { "" })
    }
}

/// All cases, and so many random ones; the differences.
pub fn compare(pair: &Pair, seed: u64, random_cases: usize) -> Vec<String> {
    let mut random = Random::from_seed(seed);
    let mut all = cases();
    all.extend((0..random_cases).map(|_| random_case(&mut random)));
    all.retain(|case| !is_left_out(case));
    all.chunks(BATCH).flat_map(|cases| compare_batch(pair, cases)).collect()
}

/// Redis looks for the end of a line only as far as the first zero byte, and so waits for ever; we do not.
fn is_left_out(case: &[u8]) -> bool {
    case.contains(&0)
}

fn compare_batch(pair: &Pair, cases: &[Vec<u8>]) -> Vec<String> {
    let clients: Vec<[Client; 2]> = cases
        .iter()
        .map(|case| {
            [&pair.weft, &pair.peer].map(|server| {
                let mut client = server.client();
                // What closes early may refuse the rest.
                let _ = client.send_raw(case);
                client
            })
        })
        .collect();
    std::thread::sleep(WAIT);
    let mut differences = Vec::new();
    for (case, clients) in cases.iter().zip(clients) {
        let [first, second] = clients.map(|mut client| {
            let bytes = client.receive_within(WAIT_MORE);
            Outcome { bytes, closed: client.is_closed_within(WAIT_MORE) }
        });
        if first != second {
            let shown = case[..case.len().min(120)].escape_ascii();
            let more = if case.len() > 120 { "…" } else { "" };
            differences.push(format!(">> {shown}{more}\nfirst:  {first}\nsecond: {second}"));
        }
    }
    differences
}
