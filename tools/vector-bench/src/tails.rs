//! How long the slowest wait: a query alone on the server, and a GET while queries and HSETs of indexed documents go on beside it.

use crate::data::{K, Points, recall};
use crate::weft::{Outcome, Weft, documents, hset, search};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use testkit::Client;
use testkit::client::encode;

/// In so many directions vectors of one centre differ.
const LATENT: usize = 48;
const QUERIES: usize = 500;
/// So many of them are asked exactly as well.
const EXACT: usize = 50;
/// How long one measurement of GETs takes.
const SPAN: Duration = Duration::from_secs(3);
/// Turns of idle and busy.
const TURNS: usize = 3;

/// `vector-bench tails COUNT DIMENSION EF SHARDS`
pub fn measure(count: &str, dimension: &str, ef: &str, shards: &str) -> Outcome<()> {
    let (count, ef): (usize, usize) = (count.parse()?, ef.parse()?);
    let mut points = Points::new(dimension.parse()?, LATENT);
    let queries = points.take(QUERIES);
    let mut weft = Weft::start(shards, points.dimension(), &[]);
    weft.load((0..count).map(|number| (points.next(), [number as f64 / count as f64; 2])))?;
    let text = format!("*=>[KNN {K} @v $b EF_RUNTIME {ef} AS d]");
    queries_alone(&mut weft, &queries, &text)?;
    weft.clients[0].run("SET g value");
    for turn in 0..TURNS {
        let idle = Times::new(gets(&mut weft.clients[0])?);
        println!("GET, nothing beside it: {idle}");
        for (searching, writing) in [(1, 0), (0, 1), (1, 1), (4, 2)] {
            let beside = Beside { searching, writing, text: &text, queries: &queries, count, turn };
            let (busy, searched, written) = beside.gets(&mut weft, &mut points)?;
            println!(
                "GET beside {searching} that search ({searched:.0} a second) and {writing} that write ({written:.0} a second): {busy}; p99 {:.2} times idle",
                busy.at(0.99) / idle.at(0.99)
            );
        }
    }
    Ok(())
}

/// One query after the other.
fn queries_alone(weft: &mut Weft, queries: &[Vec<f32>], text: &str) -> Outcome<()> {
    let client = &mut weft.clients[0];
    let commands: Vec<Vec<u8>> = queries.iter().map(|query| search(text, query, &["NOCONTENT"])).collect();
    let mut times_us = Vec::new();
    let mut found = Vec::new();
    for turn in 0..5 {
        for command in &commands {
            let begin = Instant::now();
            client.send_raw(command)?;
            let these = documents(client, text)?;
            // The first turn fetches what lies far away.
            if turn > 0 {
                times_us.push(begin.elapsed().as_nanos() as f64 / 1e3);
            } else {
                found.push(these);
            }
        }
    }
    let each = format!("@r:[-inf inf]=>[KNN {K} @v $b HYBRID_POLICY ADHOC_BF]");
    let mut exact = Vec::new();
    for query in &queries[..EXACT] {
        client.send_raw(&search(&each, query, &["NOCONTENT"]))?;
        exact.push(documents(client, &each)?);
    }
    println!("{text}, alone: {}, recall {:.4}", Times::new(times_us), recall(&found[..EXACT], &exact));
    Ok(())
}

/// Who else asks.
struct Beside<'a> {
    searching: usize,
    writing: usize,
    text: &'a str,
    queries: &'a [Vec<f32>],
    count: usize,
    turn: usize,
}

impl Beside<'_> {
    /// GETs, with searches and writes a second.
    fn gets(&self, weft: &mut Weft, points: &mut Points) -> Outcome<(Times, f64, f64)> {
        let searches: Vec<Vec<u8>> =
            self.queries.iter().map(|query| search(self.text, query, &["NOCONTENT"])).collect();
        let vectors: Vec<Vec<f32>> = (0..2000).map(|_| points.next()).collect();
        // New vectors for documents that are there: when all have been used, for others.
        let write = |at: usize| {
            let number = at * 7919 + at / vectors.len() * 13 + self.turn * 101;
            encode(&hset(number % self.count, &vectors[at % vectors.len()], [0.5; 2]))
        };
        let search = |at: usize| searches[at % searches.len()].clone();
        let commands: [&(dyn Fn(usize) -> Vec<u8> + Sync); 2] = [&search, &write];
        let is_over = AtomicBool::new(false);
        let counts = [AtomicU64::new(0), AtomicU64::new(0)];
        let repeat = |mut client: Client, kind: usize, first: usize| {
            let mut at = first;
            while !is_over.load(Relaxed) {
                at += 1;
                if client.send_raw(&commands[kind](at)).and_then(|()| client.reply()).is_err() {
                    return;
                }
                counts[kind].fetch_add(1, Relaxed);
            }
        };
        let began = Instant::now();
        let times = thread::scope(|scope| {
            for (kind, clients) in [self.searching, self.writing].into_iter().enumerate() {
                for number in 0..clients {
                    let client = weft.server.client();
                    let repeat = &repeat;
                    scope.spawn(move || repeat(client, kind, number * 1009));
                }
            }
            let times = gets(&mut weft.clients[0]);
            is_over.store(true, Relaxed);
            times
        })?;
        let seconds = began.elapsed().as_secs_f64();
        let [searched, written] = counts.map(|count| count.into_inner() as f64 / seconds);
        Ok((Times::new(times), searched, written))
    }
}

/// One GET after the other, for a while: microseconds of each.
fn gets(client: &mut Client) -> Outcome<Vec<f64>> {
    let get = encode(&["GET", "g"]);
    let mut times_us = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < SPAN {
        let sent = Instant::now();
        client.send_raw(&get)?;
        client.reply()?;
        times_us.push(sent.elapsed().as_nanos() as f64 / 1e3);
    }
    Ok(times_us)
}

/// Times in microseconds, in order.
struct Times(Vec<f64>);

impl Times {
    fn new(mut times_us: Vec<f64>) -> Times {
        times_us.sort_by(f64::total_cmp);
        Times(times_us)
    }

    /// What so many did not exceed.
    fn at(&self, share: f64) -> f64 {
        self.0[((self.0.len() as f64 * share) as usize).min(self.0.len() - 1)]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, nearly] = [0.5, 0.99, 0.999].map(|share| self.at(share));
        write!(out, "{half:.0} us, p99 {most:.0}, p99.9 {nearly:.0} ({} of them)", self.0.len())
    }
}
