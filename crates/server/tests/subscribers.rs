//! Many subscribers, some of whom do not read and some of whom are gone: the limits hold, all others get their messages, and the memory
//! comes back.

use std::time::{Duration, Instant};
use testkit::{Client, Program, Server};

const WEFT: &str = env!("CARGO_BIN_EXE_weft-server");
/// As many as the system allows, if that is fewer: each is a descriptor here and one of the server's.
const LISTENERS_MAX: usize = 10_000;
/// Descriptors for everything else.
const OTHER_FILES: usize = 200;
/// Those that will not read.
const SLOW: usize = 100;
/// Those that will be gone, one of so many.
const DEAD_SHARE: usize = 4;
/// Bytes of a loud message; kernels hold some megabytes of them for a client that does not read.
const LOUD_BYTES: usize = 8 * 1024;
const LOUD_MESSAGES_MAX: usize = 20_000;
/// What four shards may keep of what they have used: their tables of connections, buffers for the next replies, pages of the allocator.
const KEPT_BYTES: u64 = 48 << 20;
/// What INFO may tell more than before: what a few clients of other ages have in their buffers.
const USED_BYTES_MORE: i64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

fn number(client: &mut Client, line: &str) -> i64 {
    client.run(line).integer().unwrap_or_else(|| panic!("{line} gives a number"))
}

fn subscribers(client: &mut Client, channel: &str) -> i64 {
    let reply = client.run(&format!("PUBSUB NUMSUB {channel}"));
    reply.items().and_then(|items| items[1].integer()).expect("a count")
}

/// Waits until something is so.
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `used_memory`, in which subscriptions and outputs are counted.
fn used(client: &mut Client) -> i64 {
    let info = client.run("INFO memory").string().expect("text");
    let value = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a field");
    value.parse().expect("a number")
}

/// How many listeners there can be.
fn listeners_count() -> usize {
    let files = runtime::rlimits::raise_open_files((LISTENERS_MAX + OTHER_FILES) as u64).expect("a limit");
    let count = LISTENERS_MAX.min((files.now as usize).saturating_sub(OTHER_FILES));
    if count < LISTENERS_MAX {
        eprintln!("{count} listeners instead of {LISTENERS_MAX}: {} open files are allowed", files.now);
    }
    assert!(count > 4 * SLOW, "{} open files are not enough", files.now);
    count
}

fn subscribe(client: &mut Client, channel: &str) {
    client.cmd(&["SUBSCRIBE", channel]);
}

/// Every listener has the message in what it gets.
fn all_get(listeners: &mut [Client], text: &str) {
    for client in listeners {
        let message = client.receive().expect("a message");
        assert_eq!(message.items().and_then(|items| items[2].string()).as_deref(), Some(text));
    }
}

#[test]
fn slow_and_dead_subscribers_do_no_harm() {
    let count = listeners_count();
    let arguments = ["--shards", "4", "--maxclients", &(count + OTHER_FILES / 2).to_string()];
    let server = Server::start(&Program::Peer(WEFT.into()), &arguments).expect("weft-server starts");
    let mut publisher = server.client();
    publisher.cmd(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 64kb 1"]);
    let (empty, used_empty) = (server.resident_bytes(), used(&mut publisher));
    let mut listeners: Vec<_> = (0..count).map(|_| server.client()).collect();
    let connected = used(&mut publisher);
    listeners.iter_mut().for_each(|client| subscribe(client, "all"));
    let told = used(&mut publisher) - connected;
    assert!((20..400).contains(&(told / count as i64)), "{told} bytes for {count} subscriptions");
    assert_eq!(number(&mut publisher, "PUBLISH all hello"), count as i64);
    all_get(&mut listeners, "hello");
    let mut slow = listeners.split_off(count - SLOW);
    slow.iter_mut().for_each(|client| subscribe(client, "loud"));
    let before = server.resident_bytes();

    let text = "x".repeat(LOUD_BYTES);
    let loud = ["PUBLISH", "loud", &text];
    let mut sent = 0;
    while publisher.cmd(&loud).integer() != Some(0) {
        sent += 1;
        assert!(sent < LOUD_MESSAGES_MAX, "those who do not read are still there");
    }
    let during = server.resident_bytes();
    assert!(during < before + (SLOW as u64) * (2 << 20), "from {before} to {during} bytes");
    let info = publisher.run("INFO stats").string().expect("text");
    let closed = format!("client_output_buffer_limit_disconnections:{SLOW}");
    assert!(info.lines().any(|line| line == closed), "{info}");

    assert_eq!(number(&mut publisher, "PUBLISH all again"), (count - SLOW) as i64);
    all_get(&mut listeners, "again");
    let left = count - SLOW - count / DEAD_SHARE;
    listeners.truncate(left);
    wait("the dead are noticed", || subscribers(&mut publisher, "all") == left as i64);
    assert_eq!(number(&mut publisher, "PUBLISH all last"), left as i64);
    all_get(&mut listeners, "last");
    listeners.clear();
    slow.clear();
    wait("all are gone", || subscribers(&mut publisher, "all") == 0);
    assert!(publisher.run("PUBSUB CHANNELS").items().is_some_and(<[_]>::is_empty));
    // What has been freed is given back after a while; when, is the allocator's affair.
    wait("the memory comes back", || {
        publisher.run("MEMORY PURGE").is_ok() && server.resident_bytes() < empty + KEPT_BYTES
    });
    wait("nothing is counted any more", || used(&mut publisher) < used_empty + USED_BYTES_MORE);
}

/// Who has messages and nothing else to get waits in a line that several turns serve. That changes nobody's order, neither of messages nor
/// between them and replies.
#[test]
fn everybody_has_all_messages_in_order_however_long_the_line() {
    const COUNT: usize = 1500;
    const MESSAGES: usize = 40;
    let files = runtime::rlimits::raise_open_files((2 * COUNT + OTHER_FILES) as u64).expect("a limit");
    let count = COUNT.min((files.now as usize).saturating_sub(OTHER_FILES) / 2);
    for shards in ["1", "3"] {
        let server =
            Server::start(&Program::Peer(WEFT.into()), &["--shards", shards]).expect("weft-server starts");
        let (mut publisher, mut other) = (server.client(), server.client());
        let mut listeners: Vec<_> = (0..count).map(|_| server.client()).collect();
        listeners.iter_mut().for_each(|client| subscribe(client, "line"));
        let mut left = count;
        for number in 0..MESSAGES {
            let text = number.to_string();
            assert_eq!(publisher.cmd(&["PUBLISH", "line", &text]).integer(), Some(left as i64));
            if number % 10 == 5 {
                // Some of them speak while they wait, and one leaves.
                for (index, client) in listeners.iter_mut().enumerate().skip(number).step_by(100) {
                    client.send(&["PING", &format!("{index} at {number}")]).expect("it is sent");
                }
                listeners[number].send(&["UNSUBSCRIBE", "line"]).expect("it is sent");
                left -= 1;
                wait("it is unsubscribed", || subscribers(&mut other, "line") == left as i64);
            }
        }
        for (index, client) in listeners.iter_mut().enumerate() {
            let (mut next, mut pongs, mut is_over) = (0, 0, false);
            let leaves_after = (index % 10 == 5 && index < MESSAGES).then_some(index);
            let pings =
                (0..MESSAGES).filter(|n| n % 10 == 5 && index >= *n && (index - n) % 100 == 0).count();
            while !is_over && (next < MESSAGES || pongs < pings) {
                let message = client.receive().expect("a message");
                let words: Vec<_> =
                    message.items().expect("words").iter().map(|item| item.string()).collect();
                match words[0].as_deref() {
                    Some("message") => {
                        assert_eq!(words[2], Some(next.to_string()), "of {index}");
                        next += 1;
                    }
                    Some("pong") => {
                        let pong = words[1].as_deref().expect("what was sent");
                        let at: usize =
                            pong.rsplit(' ').next().and_then(|at| at.parse().ok()).expect("a number");
                        // What was published before it was sent stands before it.
                        assert!(next > at, "of {index}: {pong} before message {next}");
                        pongs += 1;
                    }
                    Some("unsubscribe") => is_over = true,
                    kind => panic!("{kind:?}"),
                }
            }
            assert_eq!(leaves_after.map_or(MESSAGES, |after| after + 1), next, "of {index}");
            assert_eq!(pongs, pings, "of {index}");
        }
    }
}

/// Below the hard limit time counts; other clients have other limits.
#[test]
fn who_stays_above_the_soft_limit_is_closed() {
    let server = Server::start(&Program::Peer(WEFT.into()), &["--shards", "2"]).expect("weft-server starts");
    let mut publisher = server.client();
    publisher.cmd(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 64kb 1"]);
    let mut slow: Vec<_> = (0..3).map(|_| server.client()).collect();
    slow.iter_mut().for_each(|client| subscribe(client, "loud"));
    let text = "x".repeat(LOUD_BYTES);
    wait("those who do not read are closed", || {
        (0..200).any(|_| publisher.cmd(&["PUBLISH", "loud", &text]).integer() == Some(0))
    });
}

/// Occupies the shard of its key for so many seconds, in which that shard does nothing else.
fn occupy(client: &mut Client, seconds: &str) {
    let script = "local begun = os.clock() while os.clock() - begun < tonumber(ARGV[1]) do end return 1";
    client.send(&["EVAL", script, "1", "{b}", seconds]).expect("it is sent");
}

/// Two clients of a server with two shards: one whose shard the script of another occupies, and one of the other shard.
fn occupied_and_free(server: &Server, runner: &mut Client) -> (Client, Client) {
    // New connections go to one shard after the other.
    let (mut one, mut other) = (server.client(), server.client());
    occupy(runner, "0.3");
    std::thread::sleep(Duration::from_millis(50));
    one.send(&["PING"]).expect("it is sent");
    other.send(&["PING"]).expect("it is sent");
    let answers = |client: &mut Client| !client.receive_within(Duration::from_millis(5)).is_empty();
    loop {
        if answers(&mut one) {
            wait("the script ends", || answers(&mut other));
            runner.reply().expect("the script ends");
            return (other, one);
        }
        if answers(&mut other) {
            wait("the script ends", || answers(&mut one));
            runner.reply().expect("the script ends");
            return (one, other);
        }
    }
}

/// A shard in the middle of a long command takes nothing out of its mailbox. What is published for it meanwhile waits with its publisher.
#[test]
fn a_shard_that_stands_still_does_not_fill_the_memory() {
    const COUNT: usize = 60_000;
    const BYTES: usize = 1000;
    const MORE_BYTES_MAX: u64 = 24 << 20;
    let arguments = ["--shards", "2", "--busy-reply-threshold", "0"];
    let server = Server::start(&Program::Peer(WEFT.into()), &arguments).expect("weft-server starts");
    let mut runner = server.client();
    runner.cmd(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]);
    let (mut listener, mut publisher) = occupied_and_free(&server, &mut runner);
    subscribe(&mut listener, "news");
    let before = server.resident_bytes();
    occupy(&mut runner, "1.5");
    std::thread::sleep(Duration::from_millis(100));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..COUNT {
                let text = format!("{number:0BYTES$}");
                let request = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n${BYTES}\r\n{text}\r\n");
                publisher.send_raw(request.as_bytes()).expect("it is sent");
            }
            let replies = publisher.receive_raw(COUNT * ":1\r\n".len()).expect("all replies");
            assert!(replies == b":1\r\n".repeat(COUNT));
        });
        while runner.receive_within(Duration::from_millis(20)).is_empty() {
            let bytes = server.resident_bytes();
            assert!(bytes < before + MORE_BYTES_MAX, "from {before} to {bytes} bytes");
        }
        for number in 0..COUNT {
            let message = listener.receive().expect("a message");
            let text = message.items().and_then(|items| items[2].string()).expect("its text");
            assert_eq!(text.parse(), Ok(number));
        }
    });
}
