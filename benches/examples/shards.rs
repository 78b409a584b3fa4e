//! The price of a request on 1, 2, 4 … shards, without sockets and on one thread: 64 connections with pipelines of 16 GETs of random
//! keys, dealt out over the shards, which exchange what belongs elsewhere through the real mailboxes.
//!
//! `cargo run --release -p benches --example shards -- 1 2 4 8 16` prints ns per request for each number of shards.
//! For instructions, count inside `measured` only, one number of shards at a time (the second argument is rounds):
//! `valgrind --tool=callgrind --toggle-collect='*measured*' target/release/examples/shards 4x200`.

use base::hash::HashSeed;
use base::random::Random;
use command::ShardCx;
use command::session::Session;
use config::Config;
use mailbox::{Exchange, Port};
use shard::{Message, Shard, Transport};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

const CONNECTIONS: usize = 64;
const PIPELINE: usize = 16;
const KEYS: u64 = 100_000;
const ROUNDS: usize = 400;
const VALUE_BYTES: usize = 64;

/// One shard with its mailbox and its connections.
struct Seat {
    shard: Shard,
    port: Port<Message>,
    mail: VecDeque<Message>,
    conns: Vec<usize>,
}

struct Post<'a>(&'a mut Port<Message>);

impl Transport for Post<'_> {
    fn next_turn(&self) -> u64 {
        self.0.next_turn()
    }

    fn publish(&mut self, messages: impl Iterator<Item = (usize, Message)>, exclusive: bool) {
        self.0.publish(messages, exclusive, |_| {});
    }

    fn post(&mut self, to: usize, message: Message) {
        self.0.send(to, message);
    }
}

impl Seat {
    fn take_mail(&mut self) {
        self.port.drain(&mut self.mail);
        while let Some(message) = self.mail.pop_front() {
            self.shard.on_message(message);
        }
    }

    fn publish(&mut self) {
        self.shard.outgoing.hand_over(&mut Post(&mut self.port));
    }

    /// Forgets the replies that have come; their bytes.
    fn collect_replies(&mut self) -> usize {
        let mut bytes = 0;
        for index in std::mem::take(&mut self.shard.dirty_conns) {
            let conn = self.shard.conn_mut(index as usize);
            conn.dirty = false;
            bytes += conn.out.len();
            conn.out.clear();
        }
        bytes
    }
}

fn seats(shards: usize) -> Vec<Seat> {
    let seed = HashSeed::new(1, 2);
    let session = || Session { authenticated: true, ..Session::default() };
    let seat = |(id, port)| {
        let config = Arc::new(Config::default());
        let cx = ShardCx::new(id as u16, shards as u16, config, seed.clone(), 3);
        let mut shard = Shard::new(cx);
        let conns = (0..CONNECTIONS / shards).map(|_| shard.open(session())).collect();
        Seat { shard, port, mail: VecDeque::new(), conns }
    };
    Exchange::ports(shards).into_iter().enumerate().map(seat).collect()
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    bytes.into_bytes()
}

/// One round: every connection's pipeline is answered. Input of all connections of a shard comes in one turn.
#[inline(never)]
fn measured(seats: &mut [Seat], inputs: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    for (seat, input) in seats.iter_mut().zip(inputs) {
        seat.take_mail();
        let each = input.len() / seat.conns.len();
        let ranges: Vec<_> =
            seat.conns.iter().enumerate().map(|(i, &conn)| (conn as u32, i * each..(i + 1) * each)).collect();
        seat.shard.receive(input, &ranges);
        seat.publish();
        bytes += seat.collect_replies();
    }
    // Requests arrive, then replies come back.
    for _ in 0..2 {
        for seat in seats.iter_mut() {
            seat.take_mail();
            seat.publish();
            bytes += seat.collect_replies();
        }
    }
    bytes
}

fn run(shards: usize, rounds: usize) {
    let mut seats = seats(shards);
    let value = "x".repeat(VALUE_BYTES);
    let mut random = Random::from_seed(7);
    for key in 0..KEYS {
        let input = request(&["SET", &format!("key:{key:012}"), &value]);
        let conn = seats[0].conns[0] as u32;
        seats[0].shard.receive(&input, &[(conn, 0..input.len())]);
        if key % 64 == 63 || key + 1 == KEYS {
            seats[0].publish();
            (0..2).for_each(|_| {
                seats.iter_mut().for_each(|seat| {
                    seat.take_mail();
                    seat.publish();
                    seat.collect_replies();
                })
            });
        }
    }
    let per_shard = CONNECTIONS / shards * PIPELINE;
    let mut pipelines = || -> Vec<u8> {
        (0..per_shard).flat_map(|_| request(&["GET", &format!("key:{:012}", random.below(KEYS))])).collect()
    };
    let inputs: Vec<Vec<Vec<u8>>> = (0..8).map(|_| (0..shards).map(|_| pipelines()).collect()).collect();
    let (begun, mut bytes) = (Instant::now(), 0);
    for round in 0..rounds {
        bytes += measured(&mut seats, &inputs[round % inputs.len()]);
    }
    let requests = rounds * CONNECTIONS * PIPELINE;
    assert_eq!(bytes, requests * (VALUE_BYTES + "$64\r\n\r\n".len()), "every request has its reply");
    let ns = begun.elapsed().as_nanos() as f64 / requests as f64;
    println!("{shards} shards: {requests} requests, {ns:.0} ns each on one thread");
}

fn main() {
    for word in std::env::args().skip(1) {
        let (shards, rounds) = word.split_once('x').unwrap_or((&word, ""));
        let shards: usize = shards.parse().expect("a number of shards");
        assert!(CONNECTIONS.is_multiple_of(shards), "a power of two, {CONNECTIONS} at most");
        run(shards, rounds.parse().unwrap_or(ROUNDS));
    }
}
