//! Random input for the libraries that read and write formats: nothing crashes, what was written is read back.

use super::Host;
use crate::{Env, Resume, Script, Step};
use base::random::Random;
use resp::Reply;

/// Runs a script with these arguments; its reply.
fn run(host: &mut Host, script: &Script, args: &[&[u8]]) -> Vec<u8> {
    let mut run = host.engine.start(script, &[], args, Env::default());
    let mut out = Reply::new(false);
    while !matches!(run.resume(&mut host.engine, Resume::Go, &mut out), Step::Done(_)) {}
    out.buf
}

/// Text that looks like the format often enough to get far.
fn likely(random: &mut Random, words: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(20) {
        match random.below(8) {
            0 => text.push(random.next_u64() as u8),
            _ => text.extend_from_slice(words[random.below(words.len() as u64) as usize]),
        }
    }
    text
}

const JSON: [&[u8]; 26] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\"a\"",
    b"1",
    b"-2.5e3",
    b"true",
    b"false",
    b"null",
    b" ",
    b"\\",
    b"\\u00e9",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b"0x1p3",
    b"inf",
    b"nan",
    b"{\"a\":",
    b"[1,",
    b"\0",
    b"1e999",
    b"\"\\n\"",
];
const MESSAGE_PACK: [&[u8]; 20] = [
    b"\x01",
    b"\x81",
    b"\x92",
    b"\xa1x",
    b"\xc0",
    b"\xc3",
    b"\xca\x3f\x80\0\0",
    b"\xcb\x3f\xf0\0\0\0\0\0\0",
    b"\xcc\xff",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd9\x02ab",
    b"\xda\0\x01a",
    b"\xdb\0\0\0\x01a",
    b"\xdc\0\x02",
    b"\xdd\0\0\0\x01",
    b"\xde\0\x01",
    b"\xdf\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xe0",
    b"\xc1",
];
const FORMAT: [&[u8]; 24] = [
    b"i",
    b"I",
    b"i3",
    b"I16",
    b"i32",
    b"b",
    b"B",
    b"h",
    b"l",
    b"L",
    b"T",
    b"f",
    b"d",
    b"s",
    b"c0",
    b"c3",
    b"x",
    b">",
    b"<",
    b"!",
    b"!4",
    b"!16",
    b" ",
    b"c2147483647",
];

#[test]
fn random_bytes_are_read_or_refused() {
    let seed = 11;
    let mut random = Random::from_seed(seed);
    let mut host = Host::new();
    let read = "local ok, v = pcall(cjson.decode, ARGV[1]) \
        local n = select('#', pcall(cmsgpack.unpack, ARGV[2])) pcall(cmsgpack.unpack_limit, ARGV[2], 2, #ARGV[2] / 2) \
        pcall(struct.unpack, ARGV[3], ARGV[4], 3) pcall(struct.size, ARGV[3]) pcall(struct.pack, ARGV[3], 1, 2, 'three', 4) \
        if ok then local text = cjson.encode(v) assert(text == cjson.encode(cjson.decode(text))) return text end return v";
    let script = host.engine.load(read.as_bytes()).unwrap();
    let mut accepted = 0;
    for _ in 0..20_000 {
        let (json, message) = (likely(&mut random, &JSON), likely(&mut random, &MESSAGE_PACK));
        let (format, data) = (likely(&mut random, &FORMAT), likely(&mut random, &MESSAGE_PACK));
        let reply = run(&mut host, &script, &[&json, &message, &format, &data]);
        let is_fine = reply.starts_with(b"$") || reply.windows(16).any(|text| text == b"Cannot serialise");
        assert!(
            is_fine,
            "seed {seed}: {} {}",
            String::from_utf8_lossy(&reply),
            String::from_utf8_lossy(&json)
        );
        accepted += usize::from(!reply.windows(8).any(|text| text == b"Expected"));
    }
    assert!(accepted > 500, "{accepted}");
}

/// A random value as Lua writes it.
fn value(random: &mut Random, depth: u32) -> String {
    match random.below(if depth > 4 { 5 } else { 7 }) {
        0 => ["true", "false"][random.below(2) as usize].to_owned(),
        1 => format!("{}", random.next_u64() as i32),
        2 => format!("{}", (random.next_u64() >> 11) as f64 / 1024.0),
        3 => format!("'{}'", "x".repeat(random.below(300) as usize)),
        4 => format!("string.char({},{},{})", random.below(256), random.below(256), random.below(128)),
        5 => {
            let items: Vec<String> = (0..1 + random.below(20)).map(|_| value(random, depth + 1)).collect();
            format!("{{{}}}", items.join(","))
        }
        _ => {
            let items: Vec<String> =
                (0..random.below(20)).map(|n| format!("['k{n}']={}", value(random, depth + 1))).collect();
            format!("{{{}}}", items.join(","))
        }
    }
}

#[test]
fn what_was_packed_is_unpacked() {
    let seed = 12;
    let mut random = Random::from_seed(seed);
    let mut host = Host::new();
    let same = "local function same(a, b, near) \
        if type(a) ~= type(b) then return false end \
        if type(a) == 'number' then return a == b or near and math.abs(a - b) <= math.abs(a) * 1e-13 end \
        if type(a) ~= 'table' then return a == b end \
        for k, v in pairs(a) do if not same(v, b[k], near) then return false end end \
        for k in pairs(b) do if a[k] == nil then return false end end return true end ";
    let same = same.replacen("local function same", "local same same = function", 1);
    for _ in 0..300 {
        let source = format!(
            "{same} local v = {} \
             local m = cmsgpack.unpack(cmsgpack.pack(v)) local j = cjson.decode(cjson.encode(v)) \
             return {{tostring(same(v, m)), tostring(same(v, j, true))}}",
            value(&mut random, 0)
        );
        assert_eq!(host.eval(&source), "*2;$4;true;$4;true;", "seed {seed}: {source}");
    }
    for _ in 0..300 {
        let bits = random.next_u64();
        let (a, b, c) = (bits as i32, bits as i16, f64::from(f32::from_bits(bits as u32 & 0xbfff_ffff)));
        let order = ["<", ">", "!8", ">!4"][random.below(4) as usize];
        let source = format!(
            "local a, b, c, d, e = struct.unpack('{order}ihfsb', struct.pack('{order}ihfsb', {a}, {b}, {c}, 'text', -1)) \
             return {{a == {a}, b == {b}, c == {c}, d == 'text', e == -1}}"
        );
        assert_eq!(host.eval(&source), "*5;:1;:1;:1;:1;:1;", "seed {seed}: {source}");
    }
}
