//! A Weft server with documents `k0`, `k1` …, each with a vector `v`, two numbers and a title, and clients that ask it.

use crate::clock;
use crate::data::blob;
use std::collections::VecDeque;
use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};
use testkit::client::encode;
use testkit::{Client, Server};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Commands of one pipeline.
const DEPTH: usize = 32;
/// Clients that ask at the same time, so that the server has the next pipeline while one of them reads.
const CLIENTS: usize = 4;

/// A server and its clients.
pub struct Weft {
    pub server: Server,
    pub clients: Vec<Client>,
}

/// What a query has cost.
pub struct Cost {
    /// Microseconds of the server's processor time.
    pub us: f64,
    /// For each query the numbers of the documents.
    pub found: Vec<Vec<usize>>,
}

impl Weft {
    /// Starts a server with an empty index `i`.
    pub fn start(shards: &str, dimension: usize, arguments: &[&str]) -> Weft {
        let server = Server::weft(&[&["--shards", shards][..], arguments].concat());
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
        let create = format!(
            "FT.CREATE i SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM {dimension} DISTANCE_METRIC L2 r NUMERIC c NUMERIC"
        );
        clients[0].run(&create);
        Weft { server, clients }
    }

    /// Writes documents.
    pub fn load(&mut self, documents: impl Iterator<Item = (Vec<f32>, [f64; 2])>) -> Outcome<()> {
        let empty_bytes = testkit::process::resident_bytes(self.server.pid())?;
        let begin = (Instant::now(), testkit::process::cpu_time(self.server.pid())?);
        let mut documents = documents.enumerate().peekable();
        let (mut count, mut bytes) = (0usize, 0usize);
        while documents.peek().is_some() {
            let some = documents.by_ref().take(DEPTH);
            let commands: Vec<_> =
                some.map(|(number, (vector, shares))| hset(number, &vector, shares)).collect();
            bytes += commands.iter().map(|command| command[3].len()).sum::<usize>();
            count += commands.len();
            self.clients[0].pipeline(&commands);
        }
        self.settle()?;
        let seconds = (testkit::process::cpu_time(self.server.pid())? - begin.1).as_secs_f64();
        let used = (testkit::process::resident_bytes(self.server.pid())? - empty_bytes) as f64;
        println!(
            "loaded: {:.1} s ({seconds:.1} s of the server's processor time), {:.0} bytes resident for each, {:.3} times the vector",
            begin.0.elapsed().as_secs_f64(),
            used / count as f64,
            used / bytes as f64,
        );
        Ok(())
    }

    /// Waits until the server has nothing to do.
    fn settle(&self) -> Outcome<()> {
        loop {
            let before = self.server.cpu_time();
            sleep(Duration::from_millis(500));
            if self.server.cpu_time() == before {
                return Ok(());
            }
        }
    }

    /// Asks queries so many times.
    pub fn ask(&mut self, queries: &[Vec<f32>], times: usize, text: &str, form: &[&str]) -> Outcome<Cost> {
        let commands: Vec<_> = queries.iter().map(|query| search(text, query, form)).collect();
        let batches = (0..times).flat_map(|_| commands.chunks(DEPTH));
        let clients = &mut self.clients;
        let begun_ns = clock::processor_ns_of(self.server.pid())?;
        let (mut found, mut next) = (Vec::new(), 0);
        let mut asked = VecDeque::new();
        let mut read = |client: &mut Client, count: usize| -> Outcome<()> {
            for _ in 0..count {
                found.push(documents(client, text)?);
            }
            Ok(())
        };
        for (number, batch) in batches.enumerate() {
            let client = &mut clients[number % CLIENTS];
            if asked.len() == CLIENTS
                && let Some(count) = asked.pop_front()
            {
                read(client, count)?;
            }
            client.send_raw(&batch.concat())?;
            asked.push_back(batch.len());
            next = number + 1;
        }
        while let Some(count) = asked.pop_front() {
            // The one that was asked longest ago.
            let longest_ago = next - asked.len() - 1;
            read(&mut clients[longest_ago % CLIENTS], count)?;
        }
        found.truncate(queries.len());
        let used_ns = clock::processor_ns_of(self.server.pid())? - begun_ns;
        let us = used_ns as f64 / 1e3 / (times * queries.len()) as f64;
        Ok(Cost { us, found })
    }
}

/// The command that writes a document.
pub fn hset(number: usize, vector: &[f32], shares: [f64; 2]) -> Vec<Vec<u8>> {
    let [r, c] = shares.map(|share| share.to_string().into_bytes());
    let key = format!("k{number}").into_bytes();
    let title = format!("document number {number}").into_bytes();
    let head = [b"HSET".to_vec(), key, b"v".to_vec(), blob(vector)];
    let rest = [b"r".to_vec(), r, b"c".to_vec(), c, b"title".to_vec(), title];
    head.into_iter().chain(rest).collect()
}

/// The bytes of a search.
pub fn search(text: &str, query: &[f32], form: &[&str]) -> Vec<u8> {
    let words = [&["FT.SEARCH", "i", text][..], form, &["PARAMS", "2", "b"]].concat();
    let mut command: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    command.extend([blob(query), b"DIALECT".to_vec(), b"2".to_vec()]);
    encode(&command)
}

/// Reads a reply: the numbers of the documents. Keys are texts, fields are arrays.
pub fn documents(client: &mut Client, text: &str) -> Outcome<Vec<usize>> {
    let reply = client.reply()?;
    if reply.is_error() {
        return Err(format!("{text}: {reply:?}").into());
    }
    let keys = reply.items().unwrap_or_default().iter().skip(1).filter_map(|key| key.string());
    Ok(keys.filter_map(|key| key.strip_prefix('k')?.parse().ok()).collect())
}
