//! Requests about streams that are meant to do harm, over TCP.
#![forbid(unsafe_code)]

use testkit::{Server, Value};

/// As many ids as there is room for (CVE-2025-62507), and deleted entries that XAUTOCLAIM comes across (CVE-2022-31144).
#[test]
fn many_ids_of_a_stream_do_no_harm() {
    const COUNT: usize = 20_000;
    let server = Server::weft(&["--shards", "2"]);
    let mut client = server.client();
    let ids: Vec<String> = (1..=COUNT).map(|n| format!("{n}-1")).collect();
    let add: Vec<_> = ids.iter().map(|id| ["XADD", "s", id, "f", "v"]).collect();
    client.run("XGROUP CREATE s g 0 MKSTREAM");
    for piece in add.chunks(1000) {
        client.pipeline(piece);
    }
    client.run("XREADGROUP GROUP g c STREAMS s >");
    let with_ids = |words: &[&str], ids: &[String]| -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).chain(ids.iter().cloned()).collect()
    };
    let (first, second) = ids.split_at(COUNT / 2);
    client.cmd(&with_ids(&["XDEL", "s"], first));
    // No more deleted entries come in a reply than were asked for, however many there are.
    for count in [1, 7, 100] {
        let reply = client.run(&format!("XAUTOCLAIM s g other 0 0 COUNT {count}"));
        let Value::Array(parts) = reply else { panic!("{reply:?}") };
        let Some(Value::Array(gone)) = parts.get(2) else { panic!("{parts:?}") };
        assert_eq!(gone.len(), count);
    }
    let half = (COUNT / 2).to_string();
    for words in [&["XACKDEL", "s", "g", "DELREF", "IDS", &half][..], &["XDELEX", "s", "ACKED", "IDS", &half]]
    {
        let reply = client.cmd(&with_ids(words, second));
        assert!(matches!(&reply, Value::Array(items) if items.len() == COUNT / 2), "{words:?}");
    }
    client.cmd(&with_ids(&["XNACK", "s", "g", "FAIL", "IDS", &half], first));
    client.cmd(&with_ids(&["XACK", "s", "g"], first));
    client.cmd(&with_ids(&["XCLAIM", "s", "g", "c", "0"], &ids));
    for words in
        [&["XACKDEL", "s", "g", "IDS"][..], &["XNACK", "s", "g", "FAIL", "IDS"], &["XDELEX", "s", "IDS"]]
    {
        for count in
            ["-1", "0", "2", "2147483647", "4294967297", "9223372036854775807", "9223372036854775808"]
        {
            let reply = client.cmd(&with_ids(words, &[count.to_owned(), "1-1".to_owned()]));
            assert!(matches!(&reply, Value::Error(_)), "{words:?} {count}: {reply:?}");
        }
    }
    assert!(server.client().run("PING").string().is_some(), "{}", server.log_tail());
}
