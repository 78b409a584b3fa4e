//! What a query's vector parts stand for on one shard, one part after the other, in steps.

use super::neighbours::Neighbours;
use super::parts::{Vectors, Wish};
use super::running::{Running, should_look_at_each};
use super::sharing::Share;
use crate::evaluate::{Evaluation, Options, Statistics};
use crate::index::Index;
use crate::query::{Kind, Node};
use std::sync::Arc;

/// How far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To the documents of all parts.
    All,
    /// To what this shard has for the nearest, which are found when all shards have said that.
    Share,
}

/// The parts of a query being found.
pub(crate) struct Finding {
    query: Node,
    statistics: Statistics,
    options: Options,
    pub vectors: Vectors,
    aim: Aim,
    /// The part that is next. The nearest come last, for their filter may have other parts in it.
    at: usize,
    state: State,
    /// What this shard has for the nearest.
    pub share: Option<Share>,
}

enum State {
    Between,
    Running(Running),
    /// The documents that the filter of the nearest lets pass.
    Selecting(Box<Evaluation>),
}

impl std::fmt::Debug for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finding").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Finding {
    /// Begins, with what is known in `options` already.
    pub fn new(query: &Node, index: &Index, statistics: &Statistics, options: &Options, aim: Aim) -> Self {
        let mut vectors = options.vectors.clone();
        keep_own(&mut vectors, index);
        let (statistics, options) = (statistics.clone(), options.clone());
        let state = State::Between;
        Self { query: query.clone(), statistics, options, vectors, aim, at: 0, state, share: None }
    }

    /// Which part is looked at in the how manieth place: `[KNN …]`, which is the first if there is one, comes last.
    fn part_number(&self) -> Option<usize> {
        let parts = self.vectors.parts();
        let count = parts.iter().len();
        let has_nearest = parts.iter().next().is_some_and(|part| matches!(part.wish, Wish::Nearest { .. }));
        (self.at < count).then_some(if has_nearest { (self.at + 1) % count } else { self.at })
    }

    /// Goes on while `fuel` lasts. Says whether all has been found.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        while let Some(number) = self.part_number() {
            if self.vectors.found(number).is_some() {
                self.at += 1;
                continue;
            }
            if *fuel == 0 {
                return false;
            }
            let parts = Arc::clone(self.vectors.parts());
            let part = parts.get(number);
            let Some(field) = index.vectors(part.field) else {
                self.vectors.set(number, Neighbours::default());
                continue;
            };
            match &mut self.state {
                State::Between => match self.filter() {
                    Some(filter) if matches!(part.wish, Wish::Nearest { is_filtered: true, .. }) => {
                        let options =
                            Options { vectors: self.vectors.without_nearest(), ..self.options.clone() };
                        let evaluation =
                            Evaluation::of_filter(&filter, index, self.statistics.clone(), options);
                        self.state = State::Selecting(Box::new(evaluation));
                    }
                    _ => self.state = State::Running(Running::new(field, part, None)),
                },
                State::Selecting(evaluation) => {
                    if !evaluation.step(index, fuel) {
                        return false;
                    }
                    let passing = evaluation.take_ids();
                    let each = should_look_at_each(field, part, passing.len() as usize);
                    self.vectors.note_each(each);
                    if self.aim == Aim::Share && part.is_graph && !each {
                        self.share = Some(Share::Passing(passing));
                        self.at += 1;
                        continue;
                    }
                    self.state = State::Running(if each {
                        Running::each(part, passing)
                    } else {
                        Running::new(field, part, Some(passing))
                    });
                }
                State::Running(running) => {
                    let Some(mut found) = running.step(field, part, fuel) else { return false };
                    self.state = State::Between;
                    if matches!(part.wish, Wish::Within { .. }) {
                        found = found.again(|id| index.record(id).and(found.distance(id)));
                    } else if self.aim == Aim::Share {
                        self.share = Some(Share::Found(found));
                        self.at += 1;
                        continue;
                    }
                    self.vectors.set(number, found);
                }
            }
        }
        true
    }

    fn filter(&self) -> Option<Node> {
        match &self.query.kind {
            Kind::Nearest { filter, .. } => Some((**filter).clone()),
            _ => None,
        }
    }
}

/// Of what was found elsewhere keeps this shard's documents, with their distances as they are now.
fn keep_own(vectors: &mut Vectors, index: &Index) {
    let parts = Arc::clone(vectors.parts());
    for (number, part) in parts.iter().enumerate() {
        let (Some(found), Some(field)) = (vectors.found(number), index.vectors(part.field)) else { continue };
        let limit = match part.wish {
            Wish::Within { radius, .. } => radius,
            Wish::Nearest { .. } => f64::INFINITY,
        };
        let own = found.again(|id| {
            field.distance(&part.vector, id).filter(|distance| *distance <= limit || limit == f64::INFINITY)
        });
        vectors.set(number, own);
    }
}
