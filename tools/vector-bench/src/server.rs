//! FT.SEARCH through a running server beside the library on the same vectors: what a query costs in processor time, and with filters how much more
//! than by the best of the fixed plans.
//!
//! Vectors lie around centres. Each has a random number (`r`) and one that goes with where it lies (`c`), so that ranges of either are filters of any size.

use crate::clock::{self, Clock};
use base::random::Random;
use std::collections::VecDeque;
use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};
use testkit::client::encode;
use testkit::{Client, Server};
use vector::{Element, Hnsw, Metric, Parameters, Space};

type Outcome<T> = Result<T, Box<dyn Error>>;

const K: usize = 10;
const CENTRES: usize = 200;
const QUERIES: usize = 1000;
/// Commands of one pipeline.
const DEPTH: usize = 32;
/// Clients that ask at the same time, so that the server has the next pipeline while one of them reads.
const CLIENTS: usize = 4;
/// Turns of each measurement.
const TURNS: usize = 5;

/// What stands behind a query. Replies have only keys, the distance, or what RedisVL and LangChain ask for.
const FORMS: [(&str, &[&str]); 3] = [
    ("NOCONTENT", &["NOCONTENT"]),
    ("RETURN 1 d", &["RETURN", "1", "d"]),
    ("RETURN 2 title d SORTBY d", &["RETURN", "2", "title", "d", "SORTBY", "d", "ASC", "LIMIT", "0", "10"]),
];

struct Data {
    dimension: usize,
    vectors: Vec<Vec<f32>>,
    /// Of each vector: a random number, and how far it reaches in one direction, as shares of all vectors below it.
    shares: Vec<[f64; 2]>,
    queries: Vec<Vec<f32>>,
}

impl Data {
    fn new(count: usize, dimension: usize) -> Data {
        let mut random = Random::from_seed(1);
        let normal = |random: &mut Random| (0..6).map(|_| random.unit_f64() - 0.5).sum::<f64>() as f32;
        let point = |random: &mut Random| (0..dimension).map(|_| normal(random)).collect::<Vec<f32>>();
        let centres: Vec<Vec<f32>> = (0..CENTRES).map(|_| point(&mut random)).collect();
        let mut around = |count: usize| -> Vec<Vec<f32>> {
            let one = |_| {
                let centre = &centres[random.index(CENTRES)];
                let noise = point(&mut random);
                centre.iter().zip(noise).map(|(centre, noise)| centre + 0.8 * noise).collect()
            };
            (0..count).map(one).collect()
        };
        let (vectors, queries) = (around(count), around(QUERIES));
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| vectors[*a][0].total_cmp(&vectors[*b][0]));
        let mut shares = vec![[0.0; 2]; count];
        for (at, vector) in order.into_iter().enumerate() {
            shares[vector] = [random.unit_f64(), at as f64 / count as f64];
        }
        Data { dimension, vectors, shares, queries }
    }

    /// The nearest of those that pass, for the first queries.
    fn exact(&self, queries: usize, passes: impl Fn(&[f64; 2]) -> bool) -> Vec<Vec<usize>> {
        let there: Vec<usize> = (0..self.vectors.len()).filter(|at| passes(&self.shares[*at])).collect();
        let nearest = |query: &Vec<f32>| {
            let distance = |at: &usize| {
                let parts = self.vectors[*at].iter().zip(query).map(|(a, b)| (a - b) * (a - b));
                parts.sum::<f32>()
            };
            let mut all: Vec<(f32, usize)> = there.iter().map(|at| (distance(at), *at)).collect();
            let count = K.min(all.len());
            if count > 0 {
                all.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0));
            }
            all[..count].iter().map(|(_, at)| *at).collect()
        };
        self.queries.iter().take(queries).map(nearest).collect()
    }
}

fn blob(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Which share of what is there was found.
fn recall(found: &[Vec<usize>], exact: &[Vec<usize>]) -> f64 {
    let there: usize = exact.iter().map(Vec::len).sum();
    let both =
        found.iter().zip(exact).map(|(found, exact)| exact.iter().filter(|at| found.contains(at)).count());
    both.sum::<usize>() as f64 / there.max(1) as f64
}

/// The library: microseconds of a query, and what was found.
fn library(data: &Data, ef: usize) -> Outcome<(f64, Vec<Vec<usize>>)> {
    let mut index = Hnsw::new(Space::new(Element::F32, Metric::L2, data.dimension)?, Parameters::default())?;
    for (label, vector) in data.vectors.iter().enumerate() {
        index.insert(label as u32, &blob(vector))?;
        while index.is_behind() {
            index.work(1000);
        }
    }
    index.finish();
    let mut reader = index.reader();
    let mut found = Vec::new();
    let begin = Clock::start();
    for _ in 0..TURNS {
        found.clear();
        for query in &data.queries {
            let nearest = reader.nearest(&blob(query), K, Some(ef))?;
            found.push(nearest.iter().map(|found| found.label as usize).collect());
        }
    }
    Ok((begin.seconds() * 1e6 / (TURNS * QUERIES) as f64, found))
}

/// Waits until the server has nothing to do.
fn settle(server: &Server) -> Outcome<()> {
    loop {
        let before = testkit::process::cpu_time(server.pid())?;
        sleep(Duration::from_millis(500));
        if testkit::process::cpu_time(server.pid())? == before {
            return Ok(());
        }
    }
}

fn load(client: &mut Client, server: &Server, data: &Data) -> Outcome<()> {
    let dimension = data.dimension.to_string();
    let create = format!(
        "FT.CREATE i SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM {dimension} DISTANCE_METRIC L2 r NUMERIC c NUMERIC"
    );
    client.run(&create);
    let empty_bytes = testkit::process::resident_bytes(server.pid())?;
    let begin = (Instant::now(), testkit::process::cpu_time(server.pid())?);
    for (batch, vectors) in data.vectors.chunks(DEPTH).enumerate() {
        let command = |(at, vector): (usize, &Vec<f32>)| {
            let number = batch * DEPTH + at;
            let [r, c] = data.shares[number].map(|share| share.to_string().into_bytes());
            let key = format!("k{number}").into_bytes();
            let title = format!("document number {number}").into_bytes();
            let head = [b"HSET".to_vec(), key, b"v".to_vec(), blob(vector)];
            let rest = [b"r".to_vec(), r, b"c".to_vec(), c, b"title".to_vec(), title];
            head.into_iter().chain(rest).collect()
        };
        let commands: Vec<Vec<Vec<u8>>> = vectors.iter().enumerate().map(command).collect();
        client.pipeline(&commands);
    }
    settle(server)?;
    let seconds = (testkit::process::cpu_time(server.pid())? - begin.1).as_secs_f64();
    let bytes = testkit::process::resident_bytes(server.pid())? - empty_bytes;
    println!(
        "loaded: {:.1} s ({seconds:.1} s of the server's processor time), {:.0} bytes resident for each, {:.3} times the vector",
        begin.0.elapsed().as_secs_f64(),
        bytes as f64 / data.vectors.len() as f64,
        bytes as f64 / data.vectors.len() as f64 / (data.dimension * 4) as f64,
    );
    Ok(())
}

/// The server: microseconds of its processor time for a query, queries a second, and what was found for each.
fn server(
    clients: &mut [Client],
    server: &Server,
    queries: &[Vec<f32>],
    text: &str,
    form: &[&str],
) -> Outcome<(f64, f64, Vec<Vec<usize>>)> {
    let command = |query: &Vec<f32>| {
        let words = [&["FT.SEARCH", "i", text][..], form, &["PARAMS", "2", "b"]].concat();
        let mut command: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        command.extend([blob(query), b"DIALECT".to_vec(), b"2".to_vec()]);
        command
    };
    let commands: Vec<_> = queries.iter().map(command).collect();
    let batches = (0..TURNS).flat_map(|_| commands.chunks(DEPTH));
    let begin = (Instant::now(), clock::processor_ns_of(server.pid())?);
    let (mut found, mut next) = (Vec::new(), 0);
    let mut asked = VecDeque::new();
    let mut read = |client: &mut Client, count: usize| -> Outcome<()> {
        for _ in 0..count {
            let reply = client.reply()?;
            if reply.is_error() {
                return Err(format!("{text}: {reply:?}").into());
            }
            // Keys are texts, fields are arrays.
            let keys = reply.items().unwrap_or_default().iter().skip(1).filter_map(|key| key.string());
            found.push(keys.filter_map(|key| key.strip_prefix('k')?.parse().ok()).collect());
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
        client.send_raw(&batch.iter().flat_map(|command| encode(command)).collect::<Vec<u8>>())?;
        asked.push_back(batch.len());
        next = number + 1;
    }
    while let Some(count) = asked.pop_front() {
        // The one that was asked longest ago.
        let longest_ago = next - asked.len() - 1;
        read(&mut clients[longest_ago % CLIENTS], count)?;
    }
    found.truncate(queries.len());
    let count = (TURNS * queries.len()) as f64;
    let used_ns = clock::processor_ns_of(server.pid())? - begin.1;
    let (us, rate) = (used_ns as f64 / 1e3 / count, count / begin.0.elapsed().as_secs_f64());
    Ok((us, rate, found))
}

/// `vector-bench server COUNT DIMENSION EF SHARDS`
pub fn measure(count: &str, dimension: &str, ef: &str, shards: &str) -> Outcome<()> {
    let data = Data::new(count.parse()?, dimension.parse()?);
    let ef: usize = ef.parse()?;
    let exact = data.exact(QUERIES, |_| true);
    let (library_us, found) = library(&data, ef)?;
    println!("library: {library_us:.1} us a query, recall {:.4}", recall(&found, &exact));
    let weft = Server::weft(&["--shards", shards]);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| weft.client()).collect();
    load(&mut clients[0], &weft, &data)?;
    let text = format!("*=>[KNN {K} @v $b EF_RUNTIME {ef} AS d]");
    for (name, form) in FORMS {
        let (us, rate, found) = server(&mut clients, &weft, &data.queries, &text, form)?;
        println!(
            "{name}: {us:.1} us of the server's processor time a query, {rate:.0} a second, recall {:.4}: {:.0} % of the library",
            recall(&found, &exact),
            100.0 * library_us / us
        );
    }
    filtered(&mut clients, &weft, &data, ef)
}

fn filtered(clients: &mut [Client], weft: &Server, data: &Data, ef: usize) -> Outcome<()> {
    println!(
        "filter, share that passes: us (recall) as planned, each, walk; planned / best of those with recall 0.95"
    );
    for (place, name) in ["r", "c"].into_iter().enumerate() {
        for share in [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5] {
            let queries = &data.queries[..200];
            let exact = data.exact(queries.len(), |shares| shares[place] <= share);
            let mut ask = |policy: &str| -> Outcome<(f64, f64)> {
                let text = format!("@{name}:[-inf {share}]=>[KNN {K} @v $b {policy}]");
                let (us, _, found) = server(clients, weft, queries, &text, FORMS[0].1)?;
                Ok((us, recall(&found, &exact)))
            };
            let planned = ask(&format!("EF_RUNTIME {ef}"))?;
            let each = ask("HYBRID_POLICY ADHOC_BF")?;
            let walk = ask(&format!("HYBRID_POLICY BATCHES EF_RUNTIME {ef}"))?;
            let good = [each, walk].into_iter().filter(|(_, recall)| *recall >= 0.95);
            let best = good.map(|(us, _)| us).fold(f64::INFINITY, f64::min);
            println!(
                "{name} {share}: {:.0} ({:.3}), {:.0} ({:.3}), {:.0} ({:.3}); {:.2}",
                planned.0,
                planned.1,
                each.0,
                each.1,
                walk.0,
                walk.1,
                planned.0 / best
            );
        }
    }
    Ok(())
}
