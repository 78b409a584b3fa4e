//! The cases, as tables. A new case is a new row.

use crate::data::{Data, Kind};

/// Placeholders in a command: a random number below the key range (redis-benchmark puts it in) …
pub const RANDOM: &str = "__rand_int__";
/// … and a value of 64 letters.
pub const VALUE: &str = "{64 bytes}";
/// What stands between the commands of a transaction …
pub const THEN: &str = "|";
/// … and for the digest of the case's script.
pub const SHA: &str = "{sha}";
pub const VALUE_BYTES: usize = 64;

/// Bytes of the value in the memory cases.
const MEMORY_VALUE_BYTES: usize = 32;

/// When a case's data is (re)made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Loaded once and shared with other cases; the case does not change its shape.
    Never,
    /// Deleted and loaded again before every burst.
    EveryRound,
    /// Likewise, with one element for every request of the burst.
    EveryRoundPerRequest,
}

/// A burst of equal requests.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    /// One command, or several with [`THEN`] in between, which count as one request.
    pub command: &'static [&'static str],
    /// The script whose digest [`SHA`] stands for.
    pub script: Option<&'static str>,
    pub pipeline: u32,
    pub connections: u32,
    pub requests: u64,
    pub data: Data,
    pub reset: Reset,
    /// Range of the random numbers; 0 means that of `--keys`.
    pub range: u64,
    /// Connections begin with CLIENT TRACKING ON (redis-benchmark only).
    pub tracking: bool,
    /// The publisher waits for the reply to every message.
    pub one_by_one: bool,
    /// Whether the group `rates` has it; the others are in `extra`.
    pub usual: bool,
}

/// `count: 0` stands for `--keys`.
const STRINGS: Data =
    Data { kind: Kind::Strings { value_bytes: VALUE_BYTES, ttl: false }, key: "key:", count: 0 };
const COUNTERS: Data = Data { kind: Kind::Counters, key: "ctr:", count: 0 };
const fn one_key(kind: Kind, key: &'static str, count: u64) -> Data {
    Data { kind, key, count }
}
const LIST: Kind = Kind::List { value_bytes: VALUE_BYTES };
const SET: Kind = Kind::Set { member_prefix: "element:" };
const HASH: Kind = Kind::Hash { member_prefix: "element:", value_bytes: VALUE_BYTES };
const SORTED_SET: Kind = Kind::SortedSet { member_prefix: "element:" };

/// What most rows share: pipelines of 16 on 50 connections over the shared strings.
const BASE: Case = Case {
    name: "",
    command: &[],
    script: None,
    pipeline: 16,
    connections: 50,
    requests: 1_000_000,
    data: STRINGS,
    reset: Reset::Never,
    range: 0,
    tracking: false,
    one_by_one: false,
    usual: true,
};

const SET_ONE: &[&str] = &["SET", "key:__rand_int__", VALUE];
const GET: &[&str] = &["GET", "key:__rand_int__"];
const MSET_10: &[&str] = &[
    "MSET",
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
    "key:__rand_int__",
    VALUE,
];

const MGET_10: &[&str] = &[
    "MGET",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
    "key:__rand_int__",
];

/// A group reads a stream of 100 entries and acknowledges them.
#[rustfmt::skip]
const READ_AND_ACKNOWLEDGE: &[&str] = &[
    "XGROUP", "DESTROY", "stream:group", "g", THEN,
    "XGROUP", "CREATE", "stream:group", "g", "0", THEN,
    "XREADGROUP", "GROUP", "g", "c", "COUNT", "100", "STREAMS", "stream:group", ">", THEN,
    "XACK", "stream:group", "g",
    "1700000000000-0", "1700000000001-0", "1700000000002-0", "1700000000003-0", "1700000000004-0",
    "1700000000005-0", "1700000000006-0", "1700000000007-0", "1700000000008-0", "1700000000009-0",
    "1700000000010-0", "1700000000011-0", "1700000000012-0", "1700000000013-0", "1700000000014-0",
    "1700000000015-0", "1700000000016-0", "1700000000017-0", "1700000000018-0", "1700000000019-0",
    "1700000000020-0", "1700000000021-0", "1700000000022-0", "1700000000023-0", "1700000000024-0",
    "1700000000025-0", "1700000000026-0", "1700000000027-0", "1700000000028-0", "1700000000029-0",
    "1700000000030-0", "1700000000031-0", "1700000000032-0", "1700000000033-0", "1700000000034-0",
    "1700000000035-0", "1700000000036-0", "1700000000037-0", "1700000000038-0", "1700000000039-0",
    "1700000000040-0", "1700000000041-0", "1700000000042-0", "1700000000043-0", "1700000000044-0",
    "1700000000045-0", "1700000000046-0", "1700000000047-0", "1700000000048-0", "1700000000049-0",
    "1700000000050-0", "1700000000051-0", "1700000000052-0", "1700000000053-0", "1700000000054-0",
    "1700000000055-0", "1700000000056-0", "1700000000057-0", "1700000000058-0", "1700000000059-0",
    "1700000000060-0", "1700000000061-0", "1700000000062-0", "1700000000063-0", "1700000000064-0",
    "1700000000065-0", "1700000000066-0", "1700000000067-0", "1700000000068-0", "1700000000069-0",
    "1700000000070-0", "1700000000071-0", "1700000000072-0", "1700000000073-0", "1700000000074-0",
    "1700000000075-0", "1700000000076-0", "1700000000077-0", "1700000000078-0", "1700000000079-0",
    "1700000000080-0", "1700000000081-0", "1700000000082-0", "1700000000083-0", "1700000000084-0",
    "1700000000085-0", "1700000000086-0", "1700000000087-0", "1700000000088-0", "1700000000089-0",
    "1700000000090-0", "1700000000091-0", "1700000000092-0", "1700000000093-0", "1700000000094-0",
    "1700000000095-0", "1700000000096-0", "1700000000097-0", "1700000000098-0", "1700000000099-0",
];

/// Ten commands on one hash tag.
#[rustfmt::skip]
const MULTI_10: &[&str] = &[
    "MULTI", THEN,
    "SET", "{__rand_int__}:s", VALUE, THEN,
    "GET", "{__rand_int__}:s", THEN,
    "STRLEN", "{__rand_int__}:s", THEN,
    "EXPIRE", "{__rand_int__}:s", "1000", THEN,
    "INCR", "{__rand_int__}:n", THEN,
    "GET", "{__rand_int__}:n", THEN,
    "HSET", "{__rand_int__}:h", "field", VALUE, THEN,
    "HGET", "{__rand_int__}:h", "field", THEN,
    "SADD", "{__rand_int__}:u", "member", THEN,
    "EXISTS", "{__rand_int__}:u", THEN,
    "EXEC",
];

/// To all connections of the case but one.
const PUBLISH: &[&str] = &["PUBLISH", "news", VALUE];

/// Width in milliseconds, limit, who asks.
const SLIDING_WINDOW: &str = "\
local time = redis.call('TIME')
local now, width = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - width)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], width)
return 1";
const TWO_KEYS: &str = "redis.call('SET', KEYS[2], ARGV[1]) return redis.call('GET', KEYS[1])";
const TWO_UNDECLARED: &str = "redis.call('SET', ARGV[2], ARGV[3]) return redis.call('GET', ARGV[1])";
/// For cases that need no data before.
const NOTHING: Data = one_key(SET, "set:nothing", 1);

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    Case { name: "get_p16", command: GET, ..BASE },
    Case { name: "set_p16", command: SET_ONE, ..BASE },
    Case { name: "get_p1", command: GET, pipeline: 1, requests: 300_000, ..BASE },
    Case { name: "set_p1", command: SET_ONE, pipeline: 1, requests: 300_000, ..BASE },
    Case { name: "get_p1_400c", command: GET, pipeline: 1, connections: 400, requests: 300_000, ..BASE },
    Case { name: "incr", command: &["INCR", "ctr:__rand_int__"], data: COUNTERS, ..BASE },
    Case { name: "lpush", command: &["LPUSH", "list:push", VALUE],
           data: one_key(LIST, "list:push", 1), reset: Reset::EveryRound, ..BASE },
    Case { name: "rpop", command: &["RPOP", "list:pop"],
           data: one_key(LIST, "list:pop", 0), reset: Reset::EveryRoundPerRequest, ..BASE },
    Case { name: "sadd", command: &["SADD", "set:add", "element:__rand_int__"],
           data: one_key(SET, "set:add", 1), reset: Reset::EveryRound, ..BASE },
    Case { name: "hset", command: &["HSET", "hash:set", "element:__rand_int__", VALUE],
           data: one_key(HASH, "hash:set", 1), reset: Reset::EveryRound, ..BASE },
    Case { name: "zadd", command: &["ZADD", "zset:add", RANDOM, "element:__rand_int__"], requests: 500_000,
           data: one_key(SORTED_SET, "zset:add", 1), reset: Reset::EveryRound, ..BASE },
    Case { name: "spop", command: &["SPOP", "set:pop"],
           data: one_key(SET, "set:pop", 0), reset: Reset::EveryRoundPerRequest, ..BASE },
    Case { name: "zrange_100", command: &["ZRANGE", "zset:read", "0", "99"], requests: 100_000,
           data: one_key(SORTED_SET, "zset:read", 100_000), ..BASE },
    Case { name: "lrange_100", command: &["LRANGE", "list:read", "0", "99"], requests: 100_000,
           data: one_key(LIST, "list:read", 100_000), ..BASE },
    Case { name: "xadd", command: &["XADD", "stream:add", "*", "sensor", "s17", "value", "__rand_int__", "unit", "celsius"],
           data: one_key(Kind::Stream, "stream:add", 1), reset: Reset::EveryRound, ..BASE },
    Case { name: "xreadgroup", command: READ_AND_ACKNOWLEDGE, pipeline: 4, connections: 1, requests: 20_000,
           data: one_key(Kind::Stream, "stream:group", 100), usual: false, ..BASE },
    Case { name: "xrange_100", command: &["XRANGE", "stream:read", "-", "+", "COUNT", "100"], requests: 50_000,
           data: one_key(Kind::Stream, "stream:read", 100_000), ..BASE },
    Case { name: "mset_10", command: MSET_10, requests: 150_000, ..BASE },

    // Collections over many keys: what several shards can share, unlike one hot key.
    Case { name: "lpush_spread", command: &["LPUSH", "l:__rand_int__", VALUE], range: 10_000,
           usual: false, ..BASE },
    Case { name: "hset_spread", command: &["HSET", "h:__rand_int__", "f:__rand_int__", VALUE], range: 10_000,
           usual: false, ..BASE },
    Case { name: "zadd_spread", command: &["ZADD", "z:__rand_int__", RANDOM, "m:__rand_int__"], range: 10_000,
           usual: false, ..BASE },
    // Depths and connection counts around the usual ones.
    Case { name: "ping_p1", command: &["PING"], pipeline: 1, requests: 300_000, usual: false, ..BASE },
    Case { name: "get_p1_1c", command: GET, pipeline: 1, connections: 1, requests: 100_000,
           usual: false, ..BASE },
    Case { name: "get_p100", command: GET, pipeline: 100, requests: 2_000_000, usual: false, ..BASE },
    Case { name: "get_tracking", command: GET, tracking: true, usual: false, ..BASE },
    Case { name: "get_miss_p16", command: &["GET", "nil:__rand_int__"], usual: false, ..BASE },
    Case { name: "mget_10", command: MGET_10, requests: 150_000, usual: false, ..BASE },

    // One message to many: a request is a delivery, the connections are the subscribers.
    Case { name: "publish_p16", command: PUBLISH, connections: 1000, requests: 3_200_000, data: NOTHING, usual: false, ..BASE },
    // The publisher waits for each reply, and for the subscribers after every 16.
    Case { name: "publish_by_one", command: PUBLISH, connections: 1000, requests: 800_000, one_by_one: true, data: NOTHING,
           usual: false, ..BASE },
    Case { name: "publish_p1", command: PUBLISH, connections: 1000, pipeline: 1, requests: 300_000, data: NOTHING,
           usual: false, ..BASE },

    // Transactions and scripts. The slots of {b} and {a} are in the lower and the upper half: on two shards, if there are two or four.
    Case { name: "multi_10", command: MULTI_10, pipeline: 1, requests: 100_000, data: NOTHING, usual: false, ..BASE },
    Case { name: "window_limiter", script: Some(SLIDING_WINDOW),
           command: &["EVALSHA", SHA, "1", "limit:__rand_int__", "1000", "100", "__rand_int__"],
           pipeline: 1, requests: 100_000, range: 10_000, data: NOTHING, usual: false, ..BASE },
    Case { name: "script_one_shard", script: Some(TWO_KEYS),
           command: &["EVALSHA", SHA, "2", "{b}:__rand_int__", "{b}:__rand_int__", VALUE],
           requests: 300_000, data: NOTHING, usual: false, ..BASE },
    Case { name: "script_two_shards", script: Some(TWO_KEYS),
           command: &["EVALSHA", SHA, "2", "{b}:__rand_int__", "{a}:__rand_int__", VALUE],
           requests: 300_000, data: NOTHING, usual: false, ..BASE },
    Case { name: "undeclared_one_shard", script: Some(TWO_UNDECLARED),
           command: &["EVALSHA", SHA, "0", "{b}:__rand_int__", "{b}:__rand_int__", VALUE],
           requests: 300_000, data: NOTHING, usual: false, ..BASE },
    Case { name: "undeclared_two_shards", script: Some(TWO_UNDECLARED),
           command: &["EVALSHA", SHA, "0", "{b}:__rand_int__", "{a}:__rand_int__", VALUE],
           requests: 300_000, data: NOTHING, usual: false, ..BASE },
];

/// Resident growth per element after loading a data set into a fresh server.
#[derive(Clone, Copy, Debug)]
pub struct MemoryCase {
    pub name: &'static str,
    pub data: Data,
    /// Bytes of key or member and value (and score) in one element.
    pub payload_bytes: u64,
}

const fn strings(count: u64, ttl: bool) -> Data {
    Data { kind: Kind::Strings { value_bytes: MEMORY_VALUE_BYTES, ttl }, key: "key:", count }
}

#[rustfmt::skip]
pub const MEMORY_CASES: &[MemoryCase] = &[
    MemoryCase { name: "mem_1m", data: strings(1_000_000, false), payload_bytes: 48 },
    MemoryCase { name: "mem_1m_ttl", data: strings(1_000_000, true), payload_bytes: 48 },
    MemoryCase { name: "mem_5m", data: strings(5_000_000, false), payload_bytes: 48 },
    MemoryCase { name: "mem_5m_ttl", data: strings(5_000_000, true), payload_bytes: 48 },
    MemoryCase { name: "mem_hash_1m", payload_bytes: 48, data: one_key(
        Kind::Hash { member_prefix: "fld:", value_bytes: MEMORY_VALUE_BYTES }, "hash:mem", 1_000_000) },
    MemoryCase { name: "mem_set_1m", payload_bytes: 16, data: one_key(
        Kind::Set { member_prefix: "mem:" }, "set:mem", 1_000_000) },
    MemoryCase { name: "mem_zset_1m", payload_bytes: 24, data: one_key(
        Kind::SortedSet { member_prefix: "mem:" }, "zset:mem", 1_000_000) },
    MemoryCase { name: "mem_stream_1m", payload_bytes: 18, data: one_key(Kind::Stream, "stream:mem", 1_000_000) },
];

/// The name of the case that only waits.
pub const IDLE: &str = "idle";

/// What a run measures.
#[derive(Default)]
pub struct Selection {
    pub rates: Vec<Case>,
    pub memory: Vec<MemoryCase>,
    pub idle: bool,
}

impl Selection {
    /// Resolves names and groups; every case comes once, in the order of the tables.
    pub fn of(names: &[String]) -> Result<Selection, String> {
        let wants = |name: &str, group: &str| names.iter().any(|n| n == name || n == group || n == "all");
        for name in names {
            let group = ["rates", "extra", "memory", IDLE, "all"].contains(&name.as_str());
            let case = CASES.iter().any(|case| case.name == name)
                || MEMORY_CASES.iter().any(|case| case.name == name);
            if !group && !case {
                return Err(format!("no case {name:?}; `compare cases` lists them"));
            }
        }
        let group = |case: &Case| if case.usual { "rates" } else { "extra" };
        Ok(Selection {
            rates: CASES.iter().filter(|case| wants(case.name, group(case))).copied().collect(),
            memory: MEMORY_CASES.iter().filter(|case| wants(case.name, "memory")).copied().collect(),
            idle: wants(IDLE, IDLE),
        })
    }
}

impl Case {
    /// Whether its connections are subscribers to what is published, which redis-benchmark does not have.
    pub fn is_fan_out(&self) -> bool {
        self.command[0] == PUBLISH[0]
    }

    /// Whether it is made of several commands, which redis-benchmark cannot send.
    pub fn is_transaction(&self) -> bool {
        self.command.contains(&THEN)
    }
}

/// The list for people.
pub fn print() {
    println!("{:<21} {:>8} {:>5} {:>9}  command", "rates", "pipeline", "conns", "requests");
    for case in CASES {
        let extra = if case.usual { "" } else { " (extra)" };
        let mut command = case.command.join(" ");
        if command.len() > 70 {
            command = format!("{} …", &command[..60]);
        }
        println!(
            "{:<21} {:>8} {:>5} {:>9}  {command}{extra}",
            case.name, case.pipeline, case.connections, case.requests
        );
    }
    println!("\nmemory");
    for case in MEMORY_CASES {
        println!("{:<14} {} elements, payload {} bytes each", case.name, case.data.count, case.payload_bytes);
    }
    println!("\n{IDLE:<14} CPU of a server with its data that nobody asks for anything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_groups_resolve() {
        let names = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let all = Selection::of(&names("all")).unwrap();
        let mut seen: Vec<&str> = all.rates.iter().map(|case| case.name).collect();
        seen.extend(all.memory.iter().map(|case| case.name));
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(all.idle);
        let some = Selection::of(&names("set_p16,mem_1m,get_p16")).unwrap();
        assert_eq!(some.rates.iter().map(|case| case.name).collect::<Vec<_>>(), ["get_p16", "set_p16"]);
        assert_eq!(some.memory.len(), 1);
        assert!(!some.idle && Selection::of(&names("nothing")).is_err());
    }
}
