//! Several shards of an index in one process, searched as a server would, and a model that looks at every vector.

use crate::merging::merged;
use search::evaluate::{Evaluation, Hits, Options, Order, Statistics, StatisticsRound};
use search::index::{Document, Index, Value};
use search::query::{self, Dialect, Node, Parameters, Synonyms};
use search::schema::Schema;
use search::text::Language;
use search::vectors::{Graphs, Parts, Registry, Sharing, Vectors, Walk};
use search::{DocumentId, Error};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A document of the model.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As JSON has them; of a hash there is one.
    pub vectors: Vec<Vec<f64>>,
    pub tag: String,
    pub number: f64,
}

/// An index over some shards.
pub struct Cluster {
    pub schema: Arc<Schema>,
    pub shards: Vec<Index>,
    pub model: BTreeMap<DocumentId, Entry>,
    pub element: vector::Element,
    pub metric: vector::Metric,
    /// Fuel of a step.
    pub fuel: usize,
}

pub fn schema(text: &str) -> Arc<Schema> {
    let arguments: Vec<&[u8]> = text.split_ascii_whitespace().map(str::as_bytes).collect();
    Arc::new(Schema::parse(&arguments).unwrap())
}

impl Cluster {
    /// `algorithm` is what stands behind VECTOR up to the number of arguments' values.
    pub fn new(
        shards: usize,
        algorithm: &str,
        element: vector::Element,
        metric: vector::Metric,
        dimension: usize,
    ) -> Self {
        let (name, more) = algorithm.split_once(' ').unwrap_or((algorithm, ""));
        let count = 6 + more.split_ascii_whitespace().count();
        let type_name = ["FLOAT64", "FLOAT32", "FLOAT16", "BFLOAT16", "INT8", "UINT8"]
            [vector::Element::ALL.iter().position(|it| *it == element).unwrap()];
        let metric_name =
            ["L2", "IP", "COSINE"][vector::Metric::ALL.iter().position(|it| *it == metric).unwrap()];
        let schema = schema(&format!(
            "SCHEMA v VECTOR {name} {count} TYPE {type_name} DIM {dimension} DISTANCE_METRIC {metric_name} {more} \
             t TAG n NUMERIC x TEXT"
        ));
        let registry = Arc::new(Registry::default());
        let graphs = || Graphs { registry: Arc::clone(&registry), index: 7 };
        let shards = (0..shards).map(|_| Index::shared(Arc::clone(&schema), graphs())).collect();
        Self { schema, shards, model: BTreeMap::new(), element, metric, fuel: 500 }
    }

    /// The id of the n-th document of all, which are dealt out to the shards.
    pub fn id(&self, n: usize) -> DocumentId {
        let (shard, at) = (n % self.shards.len(), n / self.shards.len());
        ((at / 65_536 * self.shards.len() + shard) * 65_536 + at % 65_536) as DocumentId
    }

    pub fn shard(&self, id: DocumentId) -> usize {
        id as usize / 65_536 % self.shards.len()
    }

    /// As the field keeps it.
    fn kept(&self, vector: &[f64]) -> Vec<f64> {
        self.element.numbers(&self.element.bytes(vector))
    }

    /// Adds a hash, or JSON if there is not one vector.
    pub fn put(&mut self, id: DocumentId, entry: Entry) -> Result<(), Error> {
        let blob = entry.vectors.first().map(|it| self.element.bytes(it)).unwrap_or_default();
        let number = entry.number.to_string();
        let value = match entry.vectors.len() {
            1 => Value::Text(&blob),
            _ => Value::Vectors(entry.vectors.clone()),
        };
        let values = vec![
            (0, value),
            (1, Value::Text(entry.tag.as_bytes())),
            (2, Value::Text(number.as_bytes())),
            (3, Value::Text(entry.tag.as_bytes())),
        ];
        let document = Document { score: 1.0, language: Language::English, payload: None, values };
        let shard = self.shard(id);
        let added =
            self.shards[shard].add(id, &document, &Synonyms::default()).map_err(|refused| refused.error);
        match &added {
            Ok(()) => {
                let vectors = entry.vectors.iter().map(|it| self.kept(it)).collect();
                self.model.insert(id, Entry { vectors, ..entry });
            }
            Err(_) => {
                self.model.remove(&id);
            }
        }
        added
    }

    pub fn remove(&mut self, id: DocumentId) {
        let shard = self.shard(id);
        assert_eq!(self.shards[shard].remove(id), self.model.remove(&id).is_some());
    }

    pub fn parse(&self, text: &str, vector: &[f64]) -> Result<(Node, Arc<Parts>), Error> {
        self.parse_bytes(text, &self.element.bytes(vector))
    }

    pub fn parse_bytes(&self, text: &str, vector: &[u8]) -> Result<(Node, Arc<Parts>), Error> {
        let parameters = Parameters::new(&[b"B", vector]).unwrap();
        let node = query::parse(text.as_bytes(), Dialect::Two, &self.schema, &parameters, true)?;
        let parts = Parts::read(&node, &self.schema, false)?;
        Ok((node, parts))
    }

    /// What a server would answer: all documents found with their distances, nearest first.
    pub fn search(&self, text: &str, vector: &[f64]) -> Vec<(DocumentId, Option<f64>)> {
        let hits = self.hits(text, vector, Order::Distance { part: 0, descending: false });
        hits.hits.iter().map(|hit| (hit.id, hit.distances[0])).collect()
    }

    pub fn hits(&self, text: &str, vector: &[f64], order: Order) -> Hits {
        let (node, parts) = self.parse(text, vector).unwrap();
        let mut options = Options { wanted: 100_000, order, ..Options::default() };
        let mut statistics = Statistics::default();
        for index in &self.shards {
            let mut gathering = StatisticsRound::new(&node, index, &options.settings).unwrap();
            while !gathering.step(index, &mut { self.fuel }) {}
            statistics.merge(gathering.finish(index), &options.settings);
        }
        options.vectors = Vectors::new(Arc::clone(&parts));
        if self.shards.len() > 1 {
            options.vectors = self.ahead(&node, &statistics, &options);
        }
        let found = self.shards.iter().map(|index| {
            let mut evaluation = Evaluation::new(&node, index, statistics.clone(), options.clone());
            while !evaluation.step(index, &mut { self.fuel }) {}
            evaluation.finish()
        });
        merged(found, order, options.wanted)
    }

    /// The rounds before the evaluation.
    fn ahead(&self, node: &Node, statistics: &Statistics, options: &Options) -> Vectors {
        let home = &self.shards[1];
        let walk = |vectors, shares| {
            let mut walk = Walk::new(vectors, shares);
            while !walk.step(home, &mut { self.fuel }) {}
            walk.finish()
        };
        let vectors = walk(options.vectors.clone(), Vec::new());
        if !vectors.wants_shares() {
            return vectors;
        }
        let options = Options { vectors: vectors.clone(), ..options.clone() };
        let share = |index: &Index| {
            let mut sharing = Sharing::new(node, index, statistics, &options);
            while !sharing.step(index, &mut { self.fuel }) {}
            sharing.finish()
        };
        walk(vectors, self.shards.iter().map(share).collect())
    }

    /// How far a document is by definition.
    pub fn distance(&self, id: DocumentId, vector: &[f64]) -> f64 {
        let vector = self.kept(vector);
        let distances = self.model[&id].vectors.iter().map(|it| self.metric.distance(&vector, it));
        distances.min_by(f64::total_cmp).unwrap()
    }

    /// The documents that pass by definition, nearest first.
    pub fn exact(&self, vector: &[f64], passes: impl Fn(&Entry) -> bool) -> Vec<(DocumentId, f64)> {
        let there = self.model.iter().filter(|(_, entry)| !entry.vectors.is_empty() && passes(entry));
        let mut all: Vec<_> = there.map(|(id, _)| (*id, self.distance(*id, vector))).collect();
        all.sort_by(|left, right| left.1.total_cmp(&right.1));
        all
    }

    /// Links on some shard for so many distances.
    pub fn work(&self, shard: usize, distances: usize) {
        self.shards[shard % self.shards.len()].vector_work(distances);
    }
}
