//! A load generator of our own, for what redis-benchmark cannot send: transactions of several commands.
//!
//! It runs as a process of its own (`compare load …`), pinned as redis-benchmark is, and works as that does: each connection sends a
//! pipeline of transactions in one write, waits for all replies, and sends the next. One random number goes into all placeholders
//! of a transaction, so that hash tags hold it together. Latency is that of a whole pipeline.
//!
//! Any error among the replies ends it: what fails must not look fast.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Outcome;
use crate::cases::{RANDOM, THEN};
use crate::client::write_command;
use crate::load::Burst;

/// The word after the program's name that makes it a load generator.
pub const WORD: &str = "load";
const QUIET_LONGEST: Duration = Duration::from_secs(10);

/// What one process does: `compare load PORT CONNECTIONS PIPELINE TRANSACTIONS RANGE WORD…`.
pub fn main(words: &[String]) -> Outcome<()> {
    let number = |at: usize| -> Outcome<u64> {
        let word = words.get(at).ok_or("PORT CONNECTIONS PIPELINE TRANSACTIONS RANGE WORD…")?;
        word.parse().map_err(|_| format!("{word:?} is not a number").into())
    };
    let (port, connections) = (u16::try_from(number(0)?)?, number(1)?.clamp(1, 10_000));
    let (pipeline, wanted, range) = (number(2)?.clamp(1, 10_000), number(3)?, number(4)?.max(1));
    let template = Template::of(&words[5..]);
    let mut load = Load { template, pipeline, range, left: wanted, random: 1, done: 0, times: Vec::new() };
    let seconds = load.run(port, connections as usize)?;
    load.times.sort_unstable();
    let at = |part: f64| {
        let place = (load.times.len() as f64 * part) as usize;
        load.times.get(place).map_or(0.0, |nanos| *nanos as f64 / 1e6)
    };
    let rate = load.done as f64 / seconds;
    println!("transactions {} {rate} {} {} {}", load.done, at(0.5), at(0.99), at(0.999));
    Ok(())
}

/// Reads what [`main`] has printed.
pub fn parse(text: &str) -> Option<Burst> {
    let line = text.lines().find_map(|line| line.strip_prefix("transactions "))?;
    let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let [requests, requests_per_second, p50_ms, p99_ms, p999_ms] = numbers[..] else { return None };
    Some(Burst { requests: requests as u64, requests_per_second, p50_ms, p99_ms, p999_ms, cpu: None })
}

/// One transaction, encoded, with the places of its random number.
struct Template {
    bytes: Vec<u8>,
    places: Vec<usize>,
    replies: usize,
}

impl Template {
    fn of(words: &[String]) -> Template {
        let mut bytes = Vec::new();
        let commands: Vec<&[String]> = words.split(|word| word == THEN).collect();
        for command in &commands {
            write_command(&mut bytes, command.iter().map(|word| word.as_bytes()));
        }
        let matches = bytes.windows(RANDOM.len()).enumerate();
        let places = matches.filter(|(_, part)| *part == RANDOM.as_bytes()).map(|(at, _)| at).collect();
        Template { bytes, places, replies: commands.len() }
    }

    fn append(&self, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let digits = format!("{number:012}");
        for place in &self.places {
            out[start + place..start + place + RANDOM.len()].copy_from_slice(digits.as_bytes());
        }
    }
}

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    transactions: u64,
    replies_left: usize,
    begun: Instant,
}

struct Load {
    template: Template,
    pipeline: u64,
    range: u64,
    left: u64,
    random: u64,
    done: u64,
    /// Nanoseconds of every pipeline.
    times: Vec<u64>,
}

impl Load {
    /// All transactions; the seconds they took.
    fn run(&mut self, port: u16, count: usize) -> Outcome<f64> {
        let mut poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for token in 0..count {
            // Connected first, so that no connection is made in the measured time.
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
            let (out, input) = (Vec::new(), Vec::new());
            let begun = Instant::now();
            connections.push(Connection {
                stream,
                out,
                written: 0,
                input,
                transactions: 0,
                replies_left: 0,
                begun,
            });
        }
        let mut events = Events::with_capacity(count.max(64));
        let begun = Instant::now();
        let mut busy = 0;
        for connection in &mut connections {
            busy += usize::from(self.next(connection)?);
        }
        while busy > 0 {
            poll.poll(&mut events, Some(QUIET_LONGEST))?;
            if events.is_empty() {
                return Err("the server has stopped answering".into());
            }
            for event in &events {
                let connection = &mut connections[event.token().0];
                if event.is_writable() {
                    connection.flush()?;
                }
                if event.is_readable() && connection.replies_left > 0 && connection.receive()? {
                    self.times.push(connection.begun.elapsed().as_nanos() as u64);
                    self.done += connection.transactions;
                    busy -= usize::from(!self.next(connection)?);
                }
            }
        }
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Sends the next pipeline on a connection, if there is one.
    fn next(&mut self, connection: &mut Connection) -> Outcome<bool> {
        let transactions = self.pipeline.min(self.left);
        self.left -= transactions;
        connection.out.clear();
        for _ in 0..transactions {
            // xorshift64: fast, and the same in every burst.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.template.append(self.random % self.range, &mut connection.out);
        }
        connection.transactions = transactions;
        connection.replies_left = transactions as usize * self.template.replies;
        connection.written = 0;
        connection.begun = Instant::now();
        connection.flush()?;
        Ok(transactions > 0)
    }
}

impl Connection {
    fn flush(&mut self) -> Outcome<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there; whether all replies have come.
    fn receive(&mut self) -> Outcome<bool> {
        let mut chunk = [0; 16 << 10];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut at = 0;
        while self.replies_left > 0
            && let Some(end) = end_of_reply(&self.input, at)?
        {
            at = end;
            self.replies_left -= 1;
        }
        self.input.drain(..at);
        Ok(self.replies_left == 0)
    }
}

/// Where the reply that begins at `at` ends, if it is all there. An error is one for us, too.
fn end_of_reply(input: &[u8], at: usize) -> Outcome<Option<usize>> {
    let Some(length) = input[at..].windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = std::str::from_utf8(&input[at..at + length])?;
    let after = at + length + 2;
    let count = || line[1..].parse::<i64>().map(|count| count.max(0) as usize);
    match line.as_bytes().first() {
        Some(b'-') => Err(format!("the server answered: {line}").into()),
        Some(b'$') if line != "$-1" => {
            let end = after + count()? + 2;
            Ok((end <= input.len()).then_some(end))
        }
        Some(b'*') => {
            let mut end = after;
            for _ in 0..count()? {
                match end_of_reply(input, end)? {
                    Some(next) => end = next,
                    None => return Ok(None),
                }
            }
            Ok(Some(end))
        }
        _ => Ok(Some(after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_carry_one_number() {
        let words = ["MULTI", THEN, "GET", "{__rand_int__}:a", THEN, "EXEC"].map(str::to_owned);
        let template = Template::of(&words);
        let mut out = Vec::new();
        template.append(7, &mut out);
        let expected =
            b"*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nGET\r\n$16\r\n{000000000007}:a\r\n*1\r\n$4\r\nEXEC\r\n";
        assert_eq!((out.as_slice(), template.replies), (&expected[..], 3));
    }

    #[test]
    fn ends_of_replies() {
        let input = b"+OK\r\n*3\r\n:1\r\n$2\r\nab\r\n*1\r\n$-1\r\n$0\r\n\r\n";
        let ends = |input: &[u8]| {
            let mut ends = vec![0];
            while let Ok(Some(end)) = end_of_reply(input, ends[ends.len() - 1]) {
                ends.push(end);
            }
            ends[1..].to_vec()
        };
        assert_eq!(ends(input), [5, 30, 36]);
        assert_eq!(ends(&input[..29]), [5]);
        assert!(end_of_reply(b"*1\r\n-ERR no\r\n", 0).is_err());
    }

    #[test]
    fn the_report_is_read_back() {
        let burst = parse("transactions 100 2500.5 1.5 2.5 3.5\n").unwrap();
        assert_eq!((burst.requests, burst.requests_per_second, burst.p999_ms), (100, 2500.5, 3.5));
        assert_eq!(parse("transactions 100\n"), None);
    }
}
