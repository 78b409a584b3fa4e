//! Replies that wait for others of their connection wait for a moment only, whatever else their shard has to do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
/// What the other shard is busy for, about.
const SLOW: Duration = Duration::from_millis(1200);

/// Makes the shard of `key` busy, and asks for something of it behind a PING: when the PING's reply came, and the other.
fn reply_times(slow: &mut Client, ours: &mut Client, key: &str) -> (Duration, Duration) {
    let sort = ["SORT", key, "ALPHA", "LIMIT", "0", "1"];
    let begun = Instant::now();
    slow.cmd(&sort);
    let count = (SLOW.as_secs_f64() / begun.elapsed().as_secs_f64()).ceil() as usize;
    slow.send_raw(&format!("{}\r\n", sort.join(" ")).repeat(count).into_bytes()).expect("it is open");
    std::thread::sleep(SLOW / 8);
    let begun = Instant::now();
    ours.send_raw(format!("PING\r\nTYPE {key}\r\n").as_bytes()).expect("it is open");
    ours.receive().expect("a reply");
    let first = begun.elapsed();
    ours.receive().expect("a reply");
    let second = begun.elapsed();
    (0..count).for_each(|_| drop(slow.receive().expect("a reply")));
    (first, second)
}

#[test]
fn a_busy_shard_sends_what_is_finished_before_a_slow_reply_comes() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "2"]).expect("weft-server starts");
    // Connections are dealt out in turn: the first and the third are of one shard.
    let (mut ours, mut slow, mut busy) = (server.client(), server.client(), server.client());
    // One of these belongs to that shard, the other does not.
    let keys = ["foo", "bar"];
    for key in keys {
        let mut words = vec!["RPUSH".to_owned(), key.to_owned()];
        words.extend((0..20_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()));
        slow.cmd(&words);
    }
    let done = AtomicBool::new(false);
    let times = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                busy.cmd(&["PING"]);
            }
        });
        let times = keys.map(|key| reply_times(&mut slow, &mut ours, key));
        done.store(true, Ordering::Relaxed);
        times
    });
    // Only the one that is asked of the other shard can come much later than what the own shard has finished.
    assert!(
        times.iter().any(|(first, second)| *second > SLOW / 20 && *first < *second / 2),
        "the finished replies waited: {times:?}"
    );
}
