//! Interesting arguments: keys of every type, numbers at the edges, strings that are empty, binary, long or look like
//! something else.

use base::random::Random;
use command::Command;

/// Keys, each of the type that [`crate::episode`] stores there first. Braces put some of them together on one shard.
const KEYS: &[(&str, &[&[u8]])] = &[
    ("string", &[b"s1", b"{t}s", b"num"]),
    ("bitmap", &[b"bits", b"{t}s"]),
    ("hyperloglog", &[b"hll", b"{t}hll"]),
    ("list", &[b"l1", b"{t}l", b"big:l"]),
    ("set", &[b"set1", b"{t}set", b"ints", b"big:set"]),
    ("hash", &[b"h1", b"{t}h", b"big:h"]),
    ("sorted-set", &[b"z1", b"{t}z", b"big:z"]),
    ("geo", &[b"geo", b"{t}geo"]),
    ("array", &[b"ar1", b"{t}ar", b"big:ar"]),
    ("stream", &[b"x1", b"{t}x", b"big:x"]),
    ("json", &[b"j1", b"{t}j", b"big:j"]),
    ("vector_set", &[b"v1", b"{t}v", b"big:v"]),
    ("suggestion", &[b"sug1", b"{t}sug", b"big:sug"]),
];

/// Keys that are absent at first, or odd.
const OTHER_KEYS: &[&[u8]] = &[b"", b"missing", b"{t}new", b"new", b"\x00\xff\r\n{", b"{}", b"k\"'\\", b"-1"];

const NUMBERS: &[&str] = &[
    "-9223372036854775808",
    "-9223372036854775807",
    "-4294967296",
    "-2147483649",
    "-2147483648",
    "-1",
    "0",
    "1",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "4294967297",
    "9007199254740993",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "67108863",
    "67108865",
    "536870911",
    "536870912",
    "16777216",
    "255",
    "256",
    "65536",
];

const NOT_NUMBERS: &[&str] = &[
    "nan", "inf", "-inf", "+inf", "", " 1", "1 ", "+1", "01", "-0", "0x10", "1e3", "1.5", "abc", "9e999",
    "1_0",
];

const DOUBLES: &[&str] = &[
    "0",
    "-0",
    "1.5",
    "-1.5",
    "3",
    "1e10",
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "5e-324",
    "1e-400",
    "1e400",
    "0.1",
    "0.30000000000000004",
    "9007199254740993",
    "123456789012345678",
    "179.9999",
    "-85.05112878",
    "85.06",
    "13.4",
];

const WORDS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"1",
    b"2",
    b"3",
    b"-5",
    b"10",
    b"",
    b"hello",
    b"1.5",
    b"\x00",
    b"\xff\xfe",
    b"with space",
    b"\r\n",
    b"a\r\n+OK\r\n",
    b"{}",
    b"*",
    b"#",
    b"LIMIT",
    b"MATCH",
    b"WITHSCORES",
    b"COUNT",
    b"nx",
    b"FIELDS",
    b"9223372036854775807",
    b"Palermo",
    b"Catania",
    b"\xe2\x82\xac",
    b"STORE",
    b"GET",
    b"BY",
];

const BOUNDS: &[&[u8]] = &[
    b"-", b"+", b"[a", b"(a", b"[c", b"(z", b"[", b"(", b"-inf", b"+inf", b"inf", b"(1", b"(-inf", b"1",
    b"5", b"(nan", b"0", b"-1", b"a", b"[\xff", b"(1.5e3",
];

const PATTERNS: &[&[u8]] = &[
    b"*",
    b"?",
    b"a*",
    b"*a*b*c*",
    b"[a-c]",
    b"[^a]*",
    b"[",
    b"[a-",
    b"\\",
    b"\\*",
    b"",
    b"{t}*",
    b"h*->*",
    b"********************************a",
    b"[z-a]",
    b"big:*",
    b"#",
    b"*->a",
    b"nokey",
    b"s*",
    b"^[a-z]+(1|2)?$",
    b"(((a{9}){9}){99}",
    b"\\1",
];

/// Ids of entries, and what nearly is one.
const STREAM_IDS: &[&[u8]] = &[
    b"-",
    b"+",
    b"$",
    b">",
    b"0-0",
    b"0",
    b"0-1",
    b"18446744073709551615-18446744073709551615",
    b"18446744073709551615",
    b"5-18446744073709551615",
    b"(1-1",
    b"(0-0",
    b"(",
    b"1-*",
    b"7-*",
    b"1-",
    b"-1",
    b"1-1-1",
    b"x-1",
];

const ENCODINGS: &[&[u8]] =
    &[b"u8", b"i8", b"u1", b"i1", b"u63", b"i64", b"u64", b"i65", b"u0", b"i16", b"u32", b"x8", b"u", b""];

const OFFSETS: &[&[u8]] =
    &[b"0", b"#0", b"#1", b"7", b"100", b"#100", b"4294967295", b"#536870911", b"-1", b"#-1"];

const PFDEBUG: &[&[u8]] = &[b"GETREG", b"DECODE", b"ENCODING", b"TODENSE", b"SIMD"];

/// Directives that change how values are kept, and values for them.
const SETTINGS: &[(&str, &[&str])] = &[
    ("list-max-listpack-size", &["-2", "1", "4", "-1"]),
    ("hash-max-listpack-entries", &["128", "0", "3"]),
    ("hash-max-listpack-value", &["64", "0", "8"]),
    ("set-max-intset-entries", &["512", "0", "3"]),
    ("set-max-listpack-entries", &["128", "0", "3"]),
    ("set-max-listpack-value", &["64", "0", "8"]),
    ("zset-max-listpack-entries", &["128", "0", "3"]),
    ("zset-max-listpack-value", &["64", "0", "8"]),
    ("hll-sparse-max-bytes", &["3000", "0", "16"]),
    ("stream-node-max-bytes", &["4096", "0", "100"]),
    ("stream-node-max-entries", &["100", "0", "1", "5"]),
    ("maxmemory", &["0", "0", "0", "1"]),
    ("maxmemory-policy", &["noeviction", "noeviction", "allkeys-lfu", "volatile-ttl", "allkeys-random"]),
    ("lazyfree-lazy-user-del", &["no", "yes"]),
];

/// Scripts that use what they are given in all ways; each ends.
pub const SCRIPTS: &[&str] = &[
    "return redis.call('set', KEYS[1], ARGV[1])",
    "return redis.pcall(ARGV[1], KEYS[1], ARGV[2])",
    "redis.call('del', KEYS[1], KEYS[2]) return redis.pcall('rename', KEYS[2], KEYS[1])",
    "for i = 1, 20 do redis.call('incr', 'made:' .. i) end return redis.call('dbsize')",
    "local all = {} for i, key in ipairs(KEYS) do all[i] = redis.call('type', key) end return all",
    "redis.call('rpush', 'walk', 1) redis.pcall('lpop', KEYS[1]) return redis.call('rpoplpush', 'walk', 'end')",
    "local kind = redis.call('type', KEYS[1]).ok if kind == 'string' then redis.call('copy', KEYS[1], 'copy:' .. kind) end return kind",
    "redis.pcall('sort', KEYS[1], 'by', 'w:*', 'get', '#', 'store', 'sorted') return redis.call('keys', '*')",
    "redis.call('select', 1) redis.call('set', 'there', 1) return redis.call('exists', 'there', KEYS[1])",
    "redis.call('set', 'half', 1) error('stopped')",
    "return {1, 2.5, 'x', false, {ok = 'fine'}, {err = 'ERR bad'}, cjson.decode(cjson.encode({a = ARGV}))}",
];

/// A CONFIG SET that changes how values are kept, or whether there is memory.
pub fn setting(random: &mut Random) -> Vec<Vec<u8>> {
    let (name, values) = pick(random, SETTINGS);
    [b"CONFIG", &b"SET"[..], name.as_bytes(), pick(random, values).as_bytes()].map(<[u8]>::to_vec).to_vec()
}

const LENGTHS: [usize; 8] = [44, 45, 63, 65, 255, 512, 4097, 70_000];

/// One of a list.
pub fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.index(from.len())]
}

/// True once in `n` times.
pub fn one_in(random: &mut Random, n: u64) -> bool {
    random.below(n) == 0
}

/// A key for a command: mostly one of its own type.
pub fn key(random: &mut Random, command: &Command) -> Vec<u8> {
    let own = KEYS.iter().find(|(group, _)| *group == command.group);
    let from = match (random.below(10), own) {
        (0..=6, Some((_, keys))) => keys,
        (0..=8, _) => pick(random, KEYS).1,
        _ => OTHER_KEYS,
    };
    let key = *pick(random, from);
    if one_in(random, 300) {
        return key.repeat(300);
    }
    key.to_vec()
}

/// A whole number, or something that nearly is one.
pub fn integer(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0..=11 => (random.below(24) as i64 - 4).to_string().into_bytes(),
        12..=13 => random.below(2000).to_string().into_bytes(),
        14..=18 => pick(random, NUMBERS).as_bytes().to_vec(),
        _ => pick(random, NOT_NUMBERS).as_bytes().to_vec(),
    }
}

/// The id of an entry of a stream, most often of one that may be there.
fn stream_id(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0..=3 => format!("{}-{}", random.below(20), random.below(3)).into_bytes(),
        4 => random.below(150).to_string().into_bytes(),
        5 => format!("{}-{}", random.below(1 << 40), random.below(3)).into_bytes(),
        _ => pick(random, STREAM_IDS).to_vec(),
    }
}

/// A number with a fraction, or something that nearly is one.
pub fn double(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0..=5 => format!("{:.3}", random.unit_f64() * 160.0 - 80.0).into_bytes(),
        6..=9 => pick(random, DOUBLES).as_bytes().to_vec(),
        10 => pick(random, NUMBERS).as_bytes().to_vec(),
        _ => pick(random, NOT_NUMBERS).as_bytes().to_vec(),
    }
}

/// Any string: a member, field, element or value.
pub fn string(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0..=8 => pick(random, &WORDS[..10]).to_vec(),
        9..=12 => pick(random, WORDS).to_vec(),
        13 => integer(random),
        14 => double(random),
        _ => {
            let mut bytes = vec![0; *pick(random, &LENGTHS)];
            match one_in(random, 2) {
                true => random.fill(&mut bytes),
                false => bytes.fill(b'x'),
            }
            bytes
        }
    }
}

/// A path into a document, made of what the paths of others are made of; most often one that is right.
fn json_path(random: &mut Random) -> Vec<u8> {
    const STEPS: &[&str] = &[
        ".a",
        ".b",
        ".c",
        "['a']",
        "[\"b\",'a']",
        "[0]",
        "[-1]",
        "[1]",
        "[0,-2]",
        "[*]",
        ".*",
        "..a",
        "..*",
        "..[0]",
        "[::-1]",
        "[1:]",
        "[:2]",
        "[?@.a]",
        "[?(@>1)]",
        "[?@.a==1 || !@.b]",
        "[?@ =~ '^x']",
        "[?@ in [1,'x',null]]",
        "[?@ sizeof 2]",
        "[?length(@) > 1 && @.b != $.a]",
        "[9223372036854775807]",
        "[?@..a]",
    ];
    const TAILS: &[&str] = &[
        "",
        "",
        "",
        "",
        "",
        "",
        "~",
        ".length()",
        " + 1",
        ".keys()",
        ".append(1)",
        "[",
        ".",
        "]",
        " ",
        "(",
        ".sum()",
        "\0",
    ];
    const HEADS: &[&str] = &["$", "$", "$", "$", ".", "", "-$", "(", "@", "a"];
    let mut path = pick(random, HEADS).to_string();
    let count = random.below(4);
    (0..count).for_each(|_| path.push_str(pick::<&str>(random, STEPS)));
    path.push_str(pick::<&str>(random, TAILS));
    path.into_bytes()
}

/// JSON, sometimes with something wrong in it.
fn json_text(random: &mut Random, depth: usize) -> Vec<u8> {
    let list = |random: &mut Random, brackets: [&str; 2], named: bool| {
        let count = if one_in(random, 20) { 300 } else { random.below(5) };
        let mut out = brackets[0].as_bytes().to_vec();
        for n in 0..count {
            out.extend_from_slice(if n == 0 { b"" } else { b"," });
            if named {
                let name =
                    if count > 5 { format!("m{n}") } else { pick(random, &["a", "b", "c"]).to_string() };
                out.extend_from_slice(format!("\"{name}\":").as_bytes());
            }
            out.extend_from_slice(&json_text(random, depth + 1));
        }
        out.extend_from_slice(brackets[1].as_bytes());
        out
    };
    match random.below(if depth > 3 { 12 } else { 20 }) {
        0..=3 => (random.below(9) as i64 - 3).to_string().into_bytes(),
        4 => pick(random, DOUBLES).as_bytes().to_vec(),
        5 => pick(random, NUMBERS).as_bytes().to_vec(),
        6 => pick(random, &["true", "false", "null"]).as_bytes().to_vec(),
        7..=9 => format!("\"{}\"", "x".repeat(random.index(90))).into_bytes(),
        10 => format!("[{}1.5]", "0.25,".repeat(random.index(90))).into_bytes(),
        11 if one_in(random, 4) => {
            pick(random, &["{", "[1,", "nul", "\"\\ud800\"", "1e999", "01", ""]).as_bytes().to_vec()
        }
        11 => format!("[{}1]", "-7,".repeat(random.index(90))).into_bytes(),
        12..=15 => list(random, ["[", "]"], false),
        _ => list(random, ["{", "}"], true),
    }
}

/// An argument by its kind and name in the command's syntax.
pub fn by_kind(random: &mut Random, command: &Command, kind: &str, name: &str, now_ms: u64) -> Vec<u8> {
    match (kind, name) {
        ("key", _) => key(random, command),
        (_, "encoding") => pick(random, ENCODINGS).to_vec(),
        (_, "offset") if command.group == "bitmap" => pick(random, OFFSETS).to_vec(),
        (_, "cursor") if random.below(4) > 0 => b"0".to_vec(),
        (_, "fieldset-name") => pick(random, &WORDS[..2]).to_vec(),
        (_, "subcommand") => pick(random, PFDEBUG).to_vec(),
        (_, "index" | "index1" | "index2" | "db" | "destination-db") if random.below(8) > 0 => {
            random.below(4).to_string().into_bytes()
        }
        (_, "group" | "consumer") if random.below(16) > 0 => pick(random, &[b"one", b"two"]).to_vec(),
        (_, "min-idle-time") if random.below(4) > 0 => b"0".to_vec(),
        (
            _,
            "id" | "ID" | "start" | "end" | "last-id" | "lastid" | "threshold" | "stream-id"
            | "max-deleted-id",
        ) if command.group == "stream" => stream_id(random),
        (_, "min" | "max") => pick(random, BOUNDS).to_vec(),
        (_, "path") if command.group == "json" => json_path(random),
        (_, "value") if command.group == "json" => json_text(random, 0),
        ("integer", _) => integer(random),
        ("double", _) => double(random),
        ("pattern", _) => pick(random, PATTERNS).to_vec(),
        ("unix-time", _) if random.below(4) > 0 => unix_time(random, command, now_ms),
        ("unix-time", _) => integer(random),
        (_, "command-name" | "command") => {
            let commands: Vec<_> = command::registry::all().collect();
            pick(random, &commands).name.as_bytes().to_vec()
        }
        _ => string(random),
    }
}

/// A time or duration, for arguments of that name, which is either past or too far away to come while a test runs.
pub fn far_time(random: &mut Random, name: &str, now_ms: u64) -> Option<Vec<u8>> {
    if !(name.contains("seconds") || name == "ttl" || name == "timeout") {
        return None;
    }
    if one_in(random, 4) {
        let edges = if one_in(random, 2) { NUMBERS } else { NOT_NUMBERS };
        let edge = pick(random, edges).as_bytes();
        let is_soon = base::number::parse_i64(edge).is_some_and(|edge| (1..1_000_000).contains(&edge));
        return Some(if is_soon { b"-1".to_vec() } else { edge.to_vec() });
    }
    let in_ms = (1 + random.below(1000)) * 1_000_000;
    let base_ms = if name.starts_with("unix-time") { now_ms } else { 0 };
    let unit = if name.contains("milliseconds") || name == "ttl" { 1 } else { 1000 };
    Some(((base_ms + in_ms) / unit).to_string().into_bytes())
}

/// A time around now, in the unit of the command.
fn unix_time(random: &mut Random, command: &Command, now_ms: u64) -> Vec<u8> {
    let at_ms = now_ms + random.below(10_000) - random.below(2) * 5_000;
    let in_seconds = !command.name.starts_with('P') && !command.name.starts_with("HP");
    (if in_seconds { at_ms / 1000 } else { at_ms }).to_string().into_bytes()
}
