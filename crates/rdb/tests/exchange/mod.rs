//! Values of all kinds in a real server, and what it says of them.

use base::hash::HashSeed;
use base::random::Random;
use keyspace::Value;
use rdb::Shapes;
use testkit::{Client, Program, Value as Answer};
use types::list::ListLimit;
use types::stream::StreamId;
use types::zset::ZSetLimits;

/// Limits small enough that all forms come up quickly; those of `shapes`.
pub const ARGUMENTS: &str = "--set-max-intset-entries 64 --hash-max-listpack-entries 32 --hash-max-listpack-value 64 \
    --zset-max-listpack-entries 32 --zset-max-listpack-value 64 --list-max-listpack-size -1";

pub fn shapes(seed: &HashSeed) -> Shapes<'_> {
    let mut shapes = Shapes::with_defaults(seed);
    shapes.list = ListLimit::new(-1);
    shapes.set.max_intset_entries = 64;
    shapes.hash.max_listpack_entries = 32;
    shapes.zset = ZSetLimits { max_listpack_entries: 32, max_listpack_value: 64 };
    shapes
}

pub fn peers() -> Vec<Program> {
    let named = std::env::var_os("RDB_PEERS").unwrap_or_default();
    let named: Vec<_> = std::env::split_paths(&named).filter(|path| path.is_file()).collect();
    let mut peers: Vec<_> = named.into_iter().map(Program::Peer).collect();
    peers.extend(Program::redis().find().map(|_| Program::redis()));
    peers
}

fn some_text(kind: usize, random: &mut Random) -> Vec<u8> {
    let mut noise = vec![0; [0, 1, 10, 63, 64, 65, 300][random.index(7)]];
    match kind {
        0 => (random.below(400) as i64 - 200).to_string().into(),
        1 => (random.next_u64() as i64).to_string().into(),
        2 => format!("v{}", random.below(1 << 30)).into(),
        3 => {
            random.fill(&mut noise);
            noise
        }
        4 => vec![b'z'; [100, 5000, 20_000][random.index(3)]],
        _ => some_text(random.index(4), random),
    }
}

const SCORES: [&str; 12] =
    ["inf", "-inf", "0", "-0", "1", "1.5", "3.2", "1e300", "5e-324", "0.1", "-123456789012", "1e-7"];

/// Values of all types, sizes and kinds of elements; the names of their keys, which begin with the command.
pub fn fill(client: &mut Client, field_ttls: bool, random: &mut Random) -> Vec<String> {
    let mut keys = Vec::new();
    for kind in 0..6 {
        for count in [1, 3, 20, 33, 130, 600] {
            if kind == 4 && count > 33 {
                continue;
            }
            let texts: Vec<_> = (0..count).map(|_| some_text(kind, random)).collect();
            let mut add = |command: &str, parts: Vec<Vec<u8>>| {
                let key = format!("{command}-{kind}-{count}");
                let mut arguments = vec![command.as_bytes().to_vec(), key.clone().into()];
                arguments.extend(parts);
                assert!(!client.cmd(&arguments).is_error(), "{key}");
                keys.push(key);
            };
            add("SET", vec![texts[0].clone()]);
            add("RPUSH", texts.clone());
            add("SADD", texts.clone());
            let pairs = texts.iter().flat_map(|text| [text.clone(), some_text(kind, random)]);
            add("HSET", pairs.collect());
            let pairs = texts.iter().flat_map(|text| [b"f".to_vec(), text.clone()]);
            add("XADD", [b"*".to_vec()].into_iter().chain(pairs).collect());
            let pairs = texts.iter().flat_map(|text| [SCORES[random.index(12)].into(), text.clone()]);
            add("ZADD", pairs.collect());
        }
    }
    for count in [1, 90, 700] {
        let key = format!("XADD-{count}");
        for entry in 0..count {
            client.cmd(&[&b"XADD"[..], key.as_bytes(), b"*", b"a", &some_text(5, random), b"b", b"1"]);
            if entry % 3 == 0 {
                let last = client.cmd(&["XADD", &key, "*", "c", "2"]);
                client.cmd(&[&b"XDEL"[..], key.as_bytes(), last.bytes().expect("an id")]);
            }
        }
        client.cmd(&["XTRIM", &key, "MAXLEN", "500"]);
        keys.push(key);
    }
    for count in [1, 20, 200].into_iter().filter(|_| field_ttls) {
        let key = format!("HPEXPIREAT-{count}");
        for field in 0..count {
            client.cmd(&["HSET", &key, &format!("f{field}"), "v"]);
            if field % 3 == 0 {
                let at_ms = 20_000_000_000_000 + random.below(1 << 40);
                client.cmd(&["HPEXPIREAT", &key, &at_ms.to_string(), "FIELDS", "1", &format!("f{field}")]);
            }
        }
        keys.push(key);
    }
    keys
}

/// What the server says of a key: its elements as texts, sorted where they have no order.
pub fn told(client: &mut Client, key: &str) -> Vec<String> {
    let shown = |answer: &Answer| answer.bytes().expect("an element").escape_ascii().to_string();
    let mut list = |words: &[&str]| -> Vec<String> {
        client.cmd(words).items().expect("a collection").iter().map(shown).collect()
    };
    let command = key.split('-').next().expect("keys begin with a command");
    match command {
        "SET" => return vec![shown(&client.cmd(&["GET", key]))],
        "RPUSH" => return list(&["LRANGE", key, "0", "-1"]),
        "XADD" => {
            let told = client.cmd(&["XRANGE", key, "-", "+"]);
            let entries = told.items().expect("entries").iter().map(|entry| entry.items().expect("a pair"));
            let words = |words: &Answer| -> String {
                words.items().expect("words").iter().map(|word| format!(" {}", shown(word))).collect()
            };
            return entries.map(|entry| shown(&entry[0]) + &words(&entry[1])).collect();
        }
        "ZADD" => {
            let flat = list(&["ZRANGE", key, "0", "-1", "WITHSCORES"]);
            let score = |text: &String| base::number::parse_f64(text.as_bytes()).expect("a score");
            return flat.chunks(2).map(|pair| format!("{} {}", pair[0], score(&pair[1]))).collect();
        }
        _ => {}
    }
    let mut elements = match command {
        "SADD" => list(&["SMEMBERS", key]),
        _ => list(&["HGETALL", key]).chunks(2).map(|pair| pair.join(" ")).collect(),
    };
    for pair in elements.iter_mut().filter(|_| command == "HPEXPIREAT") {
        let field = pair.split(' ').next().unwrap_or_default().to_owned();
        let answer = client.cmd(&["HPEXPIRETIME", key, "FIELDS", "1", &field]);
        let at_ms = answer.items().and_then(|items| items[0].integer()).expect("a time");
        pair.push_str(&if at_ms < 0 { String::new() } else { format!(" {at_ms}") });
    }
    elements.sort();
    elements
}

/// The same of a value that was read.
pub fn held(value: &Value) -> Vec<String> {
    let shown = |item: types::listpack::Item<'_>| item.to_vec().escape_ascii().to_string();
    let mut unordered: Vec<String> = match value {
        Value::Str { bytes, .. } => vec![bytes.escape_ascii().to_string()],
        Value::List(list) => return list.range(0, list.len()).map(shown).collect(),
        Value::ZSet(zset) => {
            return zset.iter().map(|(member, score)| format!("{} {score}", shown(member))).collect();
        }
        Value::Stream(stream) => {
            let words = |fields: types::stream::Fields<'_>| {
                fields.map(|(field, value)| format!(" {} {}", shown(field), shown(value))).collect::<String>()
            };
            let entries = stream.range(StreamId::MIN, StreamId::MAX);
            return entries.map(|entry| format!("{}{}", entry.id, words(entry.fields))).collect();
        }
        Value::Array(_) | Value::Json(_) | Value::VectorSet(_) | Value::Suggestions(_) => {
            unreachable!("no peer has them")
        }
        Value::Set(set) => set.iter().map(shown).collect(),
        Value::Hash(hash) => {
            let expire = |at_ms: Option<u64>| at_ms.map_or(String::new(), |at_ms| format!(" {at_ms}"));
            let entries = hash.iter_all();
            entries
                .map(|e| {
                    format!("{} {}{}", shown(e.field), e.value.to_vec().escape_ascii(), expire(e.expire))
                })
                .collect()
        }
    };
    unordered.sort();
    unordered
}
