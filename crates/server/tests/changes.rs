//! `rdb_changes_since_last_save` counts what Redis counts: for most commands over elements each element, for others the key. The
//! numbers are those of redis-server 7.0, which the same lines are run against where it is installed.

use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");

/// Words are separated by single spaces; a space at the end stands before an empty word.
const BEFORE: &[&str] = &[
    "SET s v",
    "SET n 5",
    "APPEND ap x",
    "RPUSH l a b c d e a",
    "SADD st a b c d",
    "SADD st2 b c z",
    "HSET h f 1 g 2 k 3",
    "ZADD z 1 a 2 b 3 c 4 d",
    "ZADD z2 1 a 9 q",
    "SET bits abc",
    "PFADD hll a b c",
    "PFADD hll2 c d",
    "GEOADD g 13.36 38.11 P 15.08 37.5 C",
    "RPUSH l2 x y",
    "SET ttl v EX 100",
    "MSET m1 1 m2 2",
    "SET exp v",
];

/// What each line adds, one after the other.
#[rustfmt::skip]
const LINES: &[(u64, &str)] = &[
    (1, "SET s w"),
    (1, "SET s w EX 100"),
    (1, "SET s w KEEPTTL"),
    (0, "SET s w NX"),
    (0, "SET new w XX"),
    (0, "SETNX s q"),
    (1, "SETNX snew q"),
    (1, "SETEX se 10 v"),
    (1, "PSETEX se 10000 v"),
    (1, "GETSET s v"),
    (1, "GETDEL s"),
    (0, "GETEX ttl"),
    (1, "GETEX ttl PERSIST"),
    (1, "GETEX ttl EX 100"),
    (0, "GETEX s EX 100"),
    (1, "GETEX exp PXAT 1"),
    (3, "MSET a 1 b 2 c 3"),
    (0, "MSETNX a 1 q 2"),
    (3, "MSETNX q1 1 q2 2 q3 3"),
    (1, "INCR n"),
    (1, "INCRBY n 3"),
    (1, "INCRBYFLOAT n 1.5"),
    (1, "DECR newdec"),
    (1, "APPEND s x"),
    (1, "APPEND s "),
    (1, "SETRANGE s 1 zz"),
    (0, "SETRANGE s 1 "),
    (1, "SETBIT bits 3 1"),
    (0, "SETBIT bits 3 1"),
    (1, "BITOP AND bd bits s"),
    (1, "BITOP AND bd none1 none2"),
    (2, "BITFIELD bf SET u8 0 5 INCRBY u8 8 1"),
    (0, "BITFIELD bf GET u8 0"),
    (0, "BITFIELD bf SET u8 0 5"),
    (2, "DEL a b none"),
    (1, "UNLINK c"),
    (1, "EXPIRE s 100"),
    (0, "EXPIRE none 100"),
    (1, "PERSIST s"),
    (0, "PERSIST s"),
    (1, "PEXPIRE s 100000"),
    (0, "EXPIREAT exp 1"),
    (1, "RENAME m1 m3"),
    (0, "RENAMENX m3 m2"),
    (1, "RENAMENX m3 m4"),
    (1, "COPY m4 m5"),
    (0, "COPY m4 m5"),
    (1, "COPY m4 m5 REPLACE"),
    (1, "MOVE m5 3"),
    (0, "TOUCH m4"),
    (1, "LPUSH l x"),
    (3, "LPUSH l x y z"),
    (2, "RPUSH l q w"),
    (0, "LPUSHX none q"),
    (2, "RPUSHX l a b"),
    (1, "LPOP l"),
    (2, "LPOP l 2"),
    (3, "RPOP l 3"),
    (0, "LPOP none"),
    (1, "LSET l 0 v"),
    (1, "LINSERT l BEFORE v u"),
    (0, "LINSERT l BEFORE zzz u"),
    (2, "LREM l 0 a"),
    (0, "LREM l 0 nonexist"),
    (4, "LTRIM l 0 2"),
    (0, "LTRIM l 0 -1"),
    (3, "LTRIM l 5 9"),
    (5, "RPUSH l a b c d e"),
    (1, "LMOVE l l2 LEFT RIGHT"),
    (1, "RPOPLPUSH l l2"),
    (1, "RPOPLPUSH l l"),
    (2, "LMPOP 1 l LEFT COUNT 2"),
    (0, "LMPOP 1 none LEFT"),
    (0, "SADD st a"),
    (3, "SADD st x y z"),
    (1, "SREM st x nope"),
    (2, "SREM st y z"),
    (1, "SPOP st"),
    (2, "SPOP st 2"),
    (5, "SADD st a b c d e f"),
    (6, "SPOP st 100"),
    (3, "SADD st a b c"),
    (2, "SMOVE st st2 a"),
    (0, "SMOVE st st2 nope"),
    (1, "SMOVE st st2 b"),
    (1, "SINTERSTORE d1 st st2"),
    (1, "SUNIONSTORE d2 st st2"),
    (0, "SDIFFSTORE d3 st st"),
    (1, "SDIFFSTORE d2 st st"),
    (1, "HSET h f 2"),
    (3, "HSET h f 2 n1 1 n2 2"),
    (2, "HMSET h f 1 g 2"),
    (0, "HSETNX h f 1"),
    (1, "HSETNX h nn 1"),
    (1, "HINCRBY h f 1"),
    (1, "HINCRBYFLOAT h f 1.5"),
    (2, "HDEL h n1 n2 none"),
    (0, "HDEL h none"),
    (0, "ZADD z 1 a"),
    (1, "ZADD z 5 a"),
    (2, "ZADD z 5 a 6 e 7 f"),
    (1, "ZADD z NX 8 a 8 g"),
    (0, "ZADD z XX 9 nope"),
    (1, "ZADD z INCR 1 a"),
    (1, "ZINCRBY z 2 a"),
    (1, "ZREM z a nope"),
    (0, "ZREM z nope"),
    (2, "ZREM z b c"),
    (4, "ZADD z 1 a 2 b 3 c 4 d 5 e"),
    (1, "ZPOPMIN z"),
    (2, "ZPOPMAX z 2"),
    (1, "ZADD z 1 a 2 b 3 c 4 d 5 e"),
    (2, "ZMPOP 1 z MIN COUNT 2"),
    (2, "ZREMRANGEBYRANK z 0 1"),
    (0, "ZREMRANGEBYSCORE z 0 1"),
    (4, "ZADD z 1 a 2 b 3 c 4 d 5 e"),
    (3, "ZREMRANGEBYSCORE z 2 4"),
    (3, "ZADD z3 0 a 0 b 0 c"),
    (2, "ZREMRANGEBYLEX z3 [a [b"),
    (1, "ZRANGESTORE zd z 0 -1"),
    (1, "ZRANGESTORE zd none 0 -1"),
    (1, "ZUNIONSTORE zd 2 z z2"),
    (1, "ZINTERSTORE zd 2 z z2"),
    (1, "ZDIFFSTORE zd 2 z z2"),
    (1, "ZDIFFSTORE zd 2 z z"),
    (0, "PFADD hll a"),
    (3, "PFADD hll q w e"),
    (1, "PFADD newhll"),
    (1, "PFMERGE hll hll2"),
    (1, "PFCOUNT hll"),
    (0, "PFCOUNT hll"),
    (0, "GEOADD g 13.36 38.11 P"),
    (2, "GEOADD g 13.36 38.12 P 1 1 N"),
    (3, "GEOSEARCHSTORE gd g FROMMEMBER C BYRADIUS 9000 km"),
    (3, "GEORADIUS g 15 37 9000 km STORE gd2"),
    (1, "GEORADIUS g 15 37 1 m STORE gd2"),
    (4, "SORT l2 ALPHA STORE sd"),
    (1, "SORT none STORE sd"),
    (0, "SORT none STORE sd"),
    (0, "SELECT 0"),
    (1, "SWAPDB 1 2"),
    (0, "SETRANGE newsr 0 "),
    (1, "SETRANGE newsr 5 x"),
    (0, "LPOS l a"),
    (0, "OBJECT ENCODING l"),
    (29, "FLUSHDB"),
    (0, "FLUSHDB"),
    (1, "SET a 1"),
    (1, "SET b 1"),
    (3, "FLUSHALL"),
    (1, "SET a 1"),
    (0, "SELECT 3"),
    (1, "SET z 1"),
    (0, "SELECT 0"),
    (2, "FLUSHALL ASYNC"),
    (0, "CONFIG RESETSTAT"),
    (2, "HSET hh a 1 b 2"),
    (2, "HDEL hh a b"),
    (2, "SADD ss a b"),
    (2, "SREM ss a b"),
];

fn run(client: &mut Client, line: &str) {
    client.cmd(&line.split(' ').collect::<Vec<_>>());
}

fn changes(client: &mut Client) -> u64 {
    let text = client.run("INFO persistence").string().expect("INFO is text");
    let (_, rest) = text.split_once("rdb_changes_since_last_save:").expect("INFO has the figure");
    rest.lines().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn check(server: &Server, name: &str) {
    let mut client = server.client();
    BEFORE.iter().for_each(|line| run(&mut client, line));
    let mut before = changes(&mut client);
    for (expected, line) in LINES {
        run(&mut client, line);
        let now = changes(&mut client);
        assert_eq!(now - before, *expected, "{name}: {line}");
        before = now;
    }
}

#[test]
fn changes_are_counted_as_redis_counts_them() {
    let weft = Program::Peer(WEFT.into());
    for shards in ["1", "4"] {
        check(&Server::start(&weft, &["--shards", shards]).expect("weft-server starts"), "weft-server");
    }
    if Program::redis().find().is_some() {
        check(&Server::redis(&["--save", ""]), "redis-server");
    }
}
