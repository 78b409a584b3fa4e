//! Indexes by name, asked line by line.

use crate::clock::Clock;
use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write};
use vector::{Element, Flat, Found, Hnsw, Metric, Parameters, Reader, Slot, Space, Wish};

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Data {
    vectors: Vec<u8>,
    queries: Vec<u8>,
    dimension: usize,
}

enum Index {
    Graph(Box<Hnsw>, Reader, Vec<Slot>),
    Flat(Box<Flat>),
}

pub fn serve(vectors: &str, queries: &str, dimension: &str) -> Outcome<()> {
    let dimension = dimension.parse()?;
    let data = Data { vectors: std::fs::read(vectors)?, queries: std::fs::read(queries)?, dimension };
    let mut indexes = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = answer(&data, &mut indexes, &words)?;
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn answer(data: &Data, indexes: &mut HashMap<String, Index>, words: &[&str]) -> Outcome<String> {
    let begin = Clock::start();
    let row = data.dimension * 4;
    match *words {
        ["build", name, metric, m, ef, codes] => {
            let parameters = Parameters {
                m: m.parse()?,
                ef_construction: ef.parse()?,
                by_codes: codes == "codes",
                ..Parameters::default()
            };
            let mut index =
                Hnsw::new(Space::new(Element::F32, of_name(metric)?, data.dimension)?, parameters)?;
            let mut slots = Vec::new();
            for (label, vector) in data.vectors.chunks_exact(row).enumerate() {
                slots.push(index.insert(label as u32, vector)?);
                while index.is_behind() {
                    index.work(1000);
                }
            }
            index.finish();
            let answer = format!("{} {} {}", begin.seconds(), index.bytes(), data.vectors.len());
            let reader = index.reader();
            indexes.insert(name.to_owned(), Index::Graph(Box::new(index), reader, slots));
            Ok(answer)
        }
        ["flat", name, metric] => {
            let mut index = Flat::new(Space::new(Element::F32, of_name(metric)?, data.dimension)?);
            for (label, vector) in data.vectors.chunks_exact(row).enumerate() {
                index.insert(label as u32, vector)?;
            }
            let answer = format!("{} {} {}", begin.seconds(), index.bytes(), data.vectors.len());
            indexes.insert(name.to_owned(), Index::Flat(Box::new(index)));
            Ok(answer)
        }
        ["search", name, k, ef, file] => {
            let index = indexes.get_mut(name).ok_or("no such index")?;
            let (k, ef) = (k.parse()?, ef.parse()?);
            let mut labels = Vec::new();
            let mut distances = 0;
            let begin = Clock::start();
            for query in data.queries.chunks_exact(row) {
                let found = search(index, query, k, ef, &mut distances)?;
                let padded = found.iter().map(|found| found.label).chain(std::iter::repeat(u32::MAX));
                padded.take(k).for_each(|label| labels.extend(label.to_le_bytes()));
            }
            let seconds = begin.seconds();
            std::fs::write(file, labels)?;
            Ok(format!("{seconds} {distances}"))
        }
        ["churn", name, share] => {
            let Some(Index::Graph(index, _, slots)) = indexes.get_mut(name) else {
                return Err("no such graph".into());
            };
            let share: f64 = share.parse()?;
            let mut random = base::random::Random::from_seed(1);
            let mut labels: Vec<usize> = (0..slots.len()).filter(|_| random.unit_f64() < share).collect();
            random.shuffle(&mut labels);
            for label in &labels {
                index.remove(slots[*label])?;
                while index.is_behind() {
                    index.work(1000);
                }
            }
            for label in &labels {
                slots[*label] = index.insert(*label as u32, &data.vectors[label * row..(label + 1) * row])?;
                while index.is_behind() {
                    index.work(1000);
                }
            }
            index.finish();
            Ok(format!("{} {}", begin.seconds(), index.bytes()))
        }
        _ => Err(format!("not understood: {words:?}").into()),
    }
}

fn search(
    index: &mut Index,
    query: &[u8],
    k: usize,
    ef: usize,
    distances: &mut usize,
) -> Outcome<Vec<Found>> {
    match index {
        Index::Graph(_, reader, _) => {
            let mut search = reader.search(query, Wish::Nearest { k, ef: Some(ef) }, false)?;
            // As a shard would: in steps.
            while !search.step(1000, |_| true) {}
            *distances += search.distances();
            Ok(reader.finish(search))
        }
        Index::Flat(index) => {
            let mut search = index.nearest(query, k)?;
            while !search.step(index, 1000, |_| true) {}
            *distances += index.len();
            Ok(search.finish(index))
        }
    }
}

fn of_name(name: &str) -> Outcome<Metric> {
    match name {
        "l2" => Ok(Metric::L2),
        "ip" => Ok(Metric::Ip),
        "cosine" => Ok(Metric::Cosine),
        _ => Err(format!("no such metric: {name}").into()),
    }
}
