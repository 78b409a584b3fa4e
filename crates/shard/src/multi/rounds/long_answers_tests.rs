//! Searches with long answers: these are put in order, read and written a little in each turn, and are what they would be in one piece.

use crate::trial::{Trial, request};

const DOCUMENTS: usize = 2000;

fn fill(trial: &mut Trial, conn: usize) {
    let words = "FT.CREATE i PREFIX 1 d: SCHEMA t TEXT g TAG n NUMERIC s NUMERIC SORTABLE";
    assert_eq!(trial.ask(conn, &request(&words.split(' ').collect::<Vec<_>>())), b"+OK\r\n");
    for number in 0..DOCUMENTS {
        let (key, tag) = (format!("d:{number}"), format!("tag{}", number * 7 % DOCUMENTS));
        let [n, s] = [7919, 5003].map(|prime| (number * prime % DOCUMENTS).to_string());
        let words = ["HSET", &key, "t", "hello", "g", &tag, "n", &n, "s", &s];
        assert_eq!(trial.ask(conn, &request(&words)), b":4\r\n");
    }
}

/// What the command answers inside a transaction, where it goes in one piece.
fn whole(trial: &mut Trial, conn: usize, command: &[u8]) -> Vec<u8> {
    let reply = trial.ask(conn, &[request(&["MULTI"]), command.to_vec(), request(&["EXEC"])].concat());
    reply.strip_prefix(b"+OK\r\n+QUEUED\r\n*1\r\n").expect("it has run").to_vec()
}

#[test]
fn long_answers_take_many_turns() {
    for shards in [1, 3] {
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        fill(&mut trial, conn);
        // With what each must take at least, each turn having 128 of fuel.
        for (words, turns_min) in [
            ("FT.SEARCH i * LIMIT 0 9999", 100),
            ("FT.SEARCH i * LIMIT 900 500 NOCONTENT", 20),
            ("FT.SEARCH i hello SORTBY s LIMIT 0 9999 RETURN 1 n", 100),
            ("FT.SEARCH i hello SORTBY n DESC LIMIT 3 9999", 100),
            ("FT.AGGREGATE i * LOAD 2 @n @g SORTBY 2 @n ASC LIMIT 0 9999", 100),
            (
                "FT.AGGREGATE i * GROUPBY 1 @g REDUCE COUNT 0 AS c SORTBY 2 @g ASC LIMIT 5 9999 APPLY @c*2 AS d",
                100,
            ),
            (
                "FT.AGGREGATE i * LOAD 1 @n SORTBY 2 @n ASC MAX 9999 GROUPBY 1 @n REDUCE SUM 1 @n AS m SORTBY 2 @m DESC MAX 700",
                100,
            ),
            ("FT.TAGVALS i g", 8),
        ] {
            let command = request(&words.split(' ').collect::<Vec<_>>());
            let expected = whole(&mut trial, conn, &command);
            trial.send(conn, &command);
            let mut turns = 1;
            while trial.deliver() || trial.go_on() {
                turns += 1;
            }
            let reply = trial.take_replies(conn);
            assert!(reply == expected, "{words} with {shards} shards: {}", reply.escape_ascii());
            assert!(turns >= turns_min, "{words}: {turns} turns with {shards} shards");
        }
    }
}

/// What is left of a cursor is weighed in slices, too.
#[test]
fn a_cursor_has_the_rest() {
    let mut trial = Trial::new(1);
    let conn = trial.connect();
    fill(&mut trial, conn);
    let words = "FT.AGGREGATE i * LOAD 1 @n SORTBY 2 @n ASC MAX 9999 WITHCURSOR COUNT 1990";
    let reply = trial.ask(conn, &request(&words.split(' ').collect::<Vec<_>>()));
    let text = String::from_utf8(reply).expect("it is text");
    let cursor = text.trim_end().rsplit(':').next().expect("a number stands at its end");
    assert!(text.starts_with("*2\r\n*1991\r\n:2000\r\n"), "{text}");
    let rest = trial.ask(conn, &request(&["FT.CURSOR", "READ", "i", cursor, "COUNT", "100"]));
    let rest = String::from_utf8(rest).expect("it is text");
    assert!(rest.starts_with("*2\r\n*11\r\n") && rest.ends_with("1999\r\n:0\r\n"), "{rest}");
}

/// Wherever the command stands, its answer is what it would be by itself, whatever its length.
#[test]
fn long_answers_inside_of_others() {
    for shards in [1, 3] {
        let mut trial = Trial::new(shards);
        let conn = trial.connect();
        assert_eq!(
            trial.ask(conn, &request(&["FT.CREATE", "i", "SCHEMA", "t", "TEXT", "n", "NUMERIC"])),
            b"+OK\r\n"
        );
        let text = "hello ".repeat(130);
        for number in 0..130 {
            let words = ["HSET", &format!("d:{number:03}"), "t", &text, "n", &number.to_string()];
            assert_eq!(trial.ask(conn, &request(&words)), b":2\r\n");
        }
        assert_eq!(trial.ask(conn, &request(&["SET", "k", "v"])), b"+OK\r\n");
        // With 43 documents for each slice there are lengths at which one ends with the last of them.
        for count in [85, 86, 87, 128, 129, 130] {
            let limit = count.to_string();
            let search = request(&["FT.SEARCH", "i", "*", "SORTBY", "n", "LIMIT", "0", &limit]);
            let alone = trial.ask(conn, &search);
            assert!(alone.len() > 65_536 && alone.ends_with(b"\r\n"));
            let get = request(&["GET", "k"]);
            let parts = [&request(&["MULTI"])[..], &get, &search, &get, &request(&["EXEC"])];
            let queued = [&b"+OK\r\n"[..], &b"+QUEUED\r\n".repeat(3), b"*3\r\n$1\r\nv\r\n"].concat();
            let whole = trial.ask(conn, &parts.concat());
            assert!(whole == [&queued, &alone[..], b"$1\r\nv\r\n"].concat(), "{count} with {shards} shards");
            let script = "return redis.call('FT.SEARCH','i','*','SORTBY','n','LIMIT',0,ARGV[1])";
            let inside = trial.ask(conn, &request(&["EVAL", script, "0", &limit]));
            assert!(inside == alone, "{count} with {shards} shards in a script");
            let before = request(&["VSIM", "nothing", "VALUES", "1", "1"]);
            let behind = trial.ask(conn, &[&before[..], &search, &get].concat());
            assert!(
                behind == [b"*0\r\n", &alone[..], b"$1\r\nv\r\n"].concat(),
                "{count} with {shards} shards"
            );
        }
    }
}
