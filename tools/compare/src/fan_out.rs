//! A load generator of our own for PUBLISH: it publishes, and holds the subscribers.
//!
//! It runs as a process of its own (`compare fan-out …`), pinned as redis-benchmark is. One connection sends a pipeline of messages in
//! one write, or one after the other when it has the reply to the one before; when every subscriber has all the messages, the next
//! pipeline follows. A request is a message that has arrived, so CPU per request is CPU per delivery; latency is the time until a
//! pipeline has arrived everywhere.
//!
//! Subscribing costs the server much more than a message. So the generator itself asks the system for the server's CPU time, when all are
//! subscribed and when all has arrived. Every byte that arrives is compared with what was published.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Outcome;
use crate::client::{Client, info_field, write_command};
use crate::load::{Burst, Cpu};
use crate::procstat::CpuTime;

/// The word after the program's name that makes it this load generator.
pub const WORD: &str = "fan-out";
const QUIET_LONGEST: Duration = Duration::from_secs(10);
const PUBLISHER: Token = Token(usize::MAX);
const SUBSCRIBERS_MAX: u64 = 20_000;

/// The word for how the messages of a pipeline follow each other.
pub fn pace(one_by_one: bool) -> &'static str {
    if one_by_one { ONE_BY_ONE } else { TOGETHER }
}

const ONE_BY_ONE: &str = "one-by-one";
const TOGETHER: &str = "together";

/// What one process does: `compare fan-out PORT SUBSCRIBERS PIPELINE DELIVERIES PACE PUBLISH CHANNEL MESSAGE`.
pub fn main(words: &[String]) -> Outcome<()> {
    let [port, subscribers, pipeline, deliveries, pace, words @ ..] = words else {
        return Err("PORT SUBSCRIBERS PIPELINE DELIVERIES PACE PUBLISH CHANNEL MESSAGE".into());
    };
    let (port, subscribers) = (port.parse()?, subscribers.parse::<u64>()?.clamp(1, SUBSCRIBERS_MAX));
    let (pipeline, deliveries) = (pipeline.parse::<u64>()?.clamp(1, 1000), deliveries.parse::<u64>()?);
    let [_, channel, message] = words else { return Err("one channel and one message".into()) };
    let pid = pid_of(port)?;
    let mut load = Load::new(port, words, channel, message, (subscribers as usize, pipeline as usize))?;
    let ahead = if pace == ONE_BY_ONE { 1 } else { pipeline as usize };
    let mut times = Vec::new();
    let (before, begun) = (CpuTime::of(pid)?, Instant::now());
    for _ in 0..deliveries.div_ceil(subscribers * pipeline) {
        times.push(load.pipeline(ahead)?.as_secs_f64() * 1e3);
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), CpuTime::of(pid)?);
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0.0);
    let (arrived, user) = (times.len() as u64 * subscribers * pipeline, cpu.user_share_since(&before));
    let (rate, spent) = (arrived as f64 / seconds, cpu.seconds_since(&before));
    println!("deliveries {arrived} {rate} {} {} {} {spent} {user}", at(0.5), at(0.99), at(0.999));
    Ok(())
}

/// Reads what [`main`] has printed.
pub fn parse(text: &str) -> Option<Burst> {
    let line = text.lines().find_map(|line| line.strip_prefix("deliveries "))?;
    let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let [requests, requests_per_second, p50_ms, p99_ms, p999_ms, seconds, user_share] = numbers[..] else {
        return None;
    };
    let cpu = Some(Cpu { seconds, user_share });
    Some(Burst { requests: requests as u64, requests_per_second, p50_ms, p99_ms, p999_ms, cpu })
}

fn pid_of(port: u16) -> Outcome<u32> {
    let info = Client::connect(port)?.info("server")?;
    let pid = info_field(&info, "process_id").ok_or("the server does not tell its process id")?;
    Ok(pid.parse()?)
}

struct Subscriber {
    stream: TcpStream,
    /// Bytes of this pipeline's messages that have come.
    come: usize,
}

struct Load {
    poll: Poll,
    events: Events,
    publisher: TcpStream,
    subscribers: Vec<Subscriber>,
    /// A pipeline, its replies, and what a subscriber gets for it.
    requests: Vec<u8>,
    /// Of one of them.
    request_bytes: usize,
    replies: Vec<u8>,
    messages: Vec<u8>,
}

impl Load {
    /// Connects and subscribes.
    fn new(
        port: u16,
        words: &[String],
        channel: &str,
        message: &str,
        (count, pipeline): (usize, usize),
    ) -> Outcome<Load> {
        let poll = Poll::new()?;
        let (mut one, mut frame, mut confirmation) = (Vec::new(), Vec::new(), Vec::new());
        write_command(&mut one, words.iter().map(|word| word.as_bytes()));
        write_command(&mut frame, ["message", channel, message].iter().map(|word| word.as_bytes()));
        write_command(&mut confirmation, ["subscribe", channel].iter().map(|word| word.as_bytes()));
        confirmation[1] = b'3';
        confirmation.extend_from_slice(b":1\r\n");
        let mut subscribe = Vec::new();
        write_command(&mut subscribe, ["SUBSCRIBE", channel].iter().map(|word| word.as_bytes()));
        let connect = |token, ask: &[u8], expected: &[u8]| -> Outcome<TcpStream> {
            let mut stream = std::net::TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(QUIET_LONGEST))?;
            stream.write_all(ask)?;
            let mut answer = vec![0; expected.len()];
            stream.read_exact(&mut answer)?;
            if answer != expected {
                return Err(format!("the server answered: {}", String::from_utf8_lossy(&answer)).into());
            }
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, token, Interest::READABLE)?;
            Ok(stream)
        };
        let publisher = connect(PUBLISHER, b"PING\r\n", b"+PONG\r\n")?;
        let subscriber = |number| {
            let stream = connect(Token(number), &subscribe, &confirmation)?;
            Ok(Subscriber { stream, come: 0 })
        };
        let subscribers = (0..count).map(subscriber).collect::<Outcome<_>>()?;
        let (requests, messages) = (one.repeat(pipeline), frame.repeat(pipeline));
        let replies = format!(":{count}\r\n").repeat(pipeline).into_bytes();
        let events = Events::with_capacity(1024);
        let request_bytes = one.len();
        Ok(Load { poll, events, publisher, subscribers, requests, request_bytes, replies, messages })
    }

    /// Publishes a pipeline, at most so many messages ahead of the replies, and waits until all of it has come to everybody; how long
    /// that took.
    fn pipeline(&mut self, ahead: usize) -> Outcome<Duration> {
        let begun = Instant::now();
        let (mut waiting, mut answered) = (self.subscribers.len(), 0);
        let (mut sent, mut published) = (0, ahead);
        self.publish_to(&mut sent, published * self.request_bytes)?;
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.come = 0);
        while waiting > 0 || answered < self.replies.len() {
            self.poll.poll(&mut self.events, Some(QUIET_LONGEST))?;
            if self.events.is_empty() {
                return Err(format!("{waiting} subscribers wait for messages in vain").into());
            }
            for event in &self.events {
                if event.token() == PUBLISHER {
                    answered = take(&mut self.publisher, &self.replies, answered)?;
                    let replies = answered * self.requests.len() / self.request_bytes / self.replies.len();
                    published = replies + ahead;
                } else {
                    let Subscriber { stream, come } = &mut self.subscribers[event.token().0];
                    let was_complete = *come == self.messages.len();
                    *come = take(stream, &self.messages, *come)?;
                    waiting -= usize::from(!was_complete && *come == self.messages.len());
                }
            }
            self.publish_to(&mut sent, published * self.request_bytes)?;
        }
        Ok(begun.elapsed())
    }

    /// Sends the requests up to `end`, or all, of which so many bytes are `sent`.
    fn publish_to(&mut self, sent: &mut usize, end: usize) -> Outcome<()> {
        let end = end.min(self.requests.len());
        while *sent < end {
            // The server has answered everything before, so there is room as soon as it reads.
            match self.publisher.write(&self.requests[*sent..end]) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Reads what is there, which must be `expected` from `from` on; how much of that has come now.
fn take(stream: &mut TcpStream, expected: &[u8], mut from: usize) -> Outcome<usize> {
    let mut chunk = [0; 16 << 10];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Err("the server has closed a connection".into()),
            Ok(count) => {
                if expected.get(from..from + count) != Some(&chunk[..count]) {
                    let text = String::from_utf8_lossy(&chunk[..count.min(200)]);
                    return Err(format!("the server sent what was not expected: {text}").into());
                }
                from += count;
                if count < chunk.len() {
                    // What comes later has an event of its own.
                    return Ok(from);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(from),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read_back() {
        let burst = parse("deliveries 16000 2500.5 1.5 2.5 3.5 0.25 0.5\n").unwrap();
        assert_eq!((burst.requests, burst.requests_per_second, burst.p999_ms), (16_000, 2500.5, 3.5));
        assert_eq!(burst.cpu, Some(Cpu { seconds: 0.25, user_share: 0.5 }));
        assert_eq!(parse("deliveries 16000 2500.5\n"), None);
    }
}
