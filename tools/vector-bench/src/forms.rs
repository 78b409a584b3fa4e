//! FT.SEARCH through a running server beside the library on the same vectors: what a query costs in processor time.

use crate::clock::Clock;
use crate::data::{Data, K, blob, recall};
use crate::weft::{Outcome, Weft};
use vector::{Element, Hnsw, Metric, Parameters, Reader, Space};

const QUERIES: usize = 1000;
/// Turns of each measurement: the library and the forms take turns, so that what else the machine does hits all.
const TURNS: usize = 7;

/// What stands behind a query. Replies have only keys, the distance, or what RedisVL and LangChain ask for.
const FORMS: [(&str, &[&str]); 3] = [
    ("NOCONTENT", &["NOCONTENT"]),
    ("RETURN 1 d", &["RETURN", "1", "d"]),
    ("RETURN 2 title d SORTBY d", &["RETURN", "2", "title", "d", "SORTBY", "d", "ASC", "LIMIT", "0", "10"]),
];

fn build(data: &Data) -> Outcome<Hnsw> {
    let mut index = Hnsw::new(Space::new(Element::F32, Metric::L2, data.dimension)?, Parameters::default())?;
    for (label, vector) in data.vectors.iter().enumerate() {
        index.insert(label as u32, &blob(vector))?;
        while index.is_behind() {
            index.work(1000);
        }
    }
    index.finish();
    Ok(index)
}

/// The library: microseconds of a query, and what was found.
fn library(reader: &mut Reader, queries: &[Vec<u8>], ef: usize) -> Outcome<(f64, Vec<Vec<usize>>)> {
    let mut found = Vec::new();
    let begin = Clock::start();
    for query in queries {
        let nearest = reader.nearest(query, K, Some(ef))?;
        found.push(nearest.iter().map(|found| found.label as usize).collect());
    }
    Ok((begin.seconds() * 1e6 / queries.len() as f64, found))
}

/// `vector-bench server COUNT DIMENSION EF SHARDS`
pub fn measure(count: &str, dimension: &str, ef: &str, shards: &str) -> Outcome<()> {
    let data = Data::new(count.parse()?, QUERIES, dimension.parse()?);
    let ef: usize = ef.parse()?;
    let exact = data.exact(QUERIES, |_| true);
    let queries: Vec<Vec<u8>> = data.queries.iter().map(|query| blob(query)).collect();
    let index = build(&data)?;
    let mut reader = index.reader();
    let mut weft = Weft::start(shards, data.dimension, &[]);
    weft.load(data.vectors.iter().cloned().zip(data.shares.iter().copied()))?;
    let text = format!("*=>[KNN {K} @v $b EF_RUNTIME {ef} AS d]");
    let mut library_us = Vec::new();
    let mut forms_us = FORMS.map(|_| Vec::new());
    let mut recalls = [0.0; FORMS.len() + 1];
    for _ in 0..TURNS {
        let (us, found) = library(&mut reader, &queries, ef)?;
        library_us.push(us);
        recalls[0] = recall(&found, &exact);
        for (at, (_, form)) in FORMS.iter().enumerate() {
            let cost = weft.ask(&data.queries, 1, &text, form)?;
            forms_us[at].push(cost.us);
            recalls[at + 1] = recall(&cost.found, &exact);
        }
    }
    println!("library: {:.1} us a query, recall {:.4}", median(&library_us), recalls[0]);
    for (at, (name, _)) in FORMS.iter().enumerate() {
        let shares: Vec<f64> = library_us.iter().zip(&forms_us[at]).map(|(one, other)| one / other).collect();
        let (mut least, mut most) = (f64::INFINITY, 0f64);
        shares.iter().for_each(|share| (least, most) = (least.min(*share), most.max(*share)));
        println!(
            "{name}: {:.1} us of the server's processor time a query, recall {:.4}: {:.0} % of the library ({:.0} to {:.0})",
            median(&forms_us[at]),
            recalls[at + 1],
            100.0 * median(&shares),
            100.0 * least,
            100.0 * most,
        );
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
