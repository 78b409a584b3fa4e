//! What FT.PROFILE measures on a shard, and where the replies are put together.

use crate::ShardCx;
use crate::families::search::query::question::Question;
use crate::families::search::query::warnings::Warnings;
use search::evaluate::{Clock, IteratorProfile, Profile};
use std::borrow::Cow;

/// That a query is profiled.
#[derive(Clone, Copy, Debug)]
pub struct Profiling {
    /// LIMITED.
    pub is_limited: bool,
    pub clock: Clock,
    /// When its arguments came (monotonic ns), and how long they took to be read.
    pub begun_ns: u64,
    pub parsing_ns: u64,
}

impl Profiling {
    /// From now on.
    pub fn begin(cx: &ShardCx, is_limited: bool) -> Self {
        let clock = cx.platform.clock_ns;
        Self { is_limited, clock, begun_ns: clock(), parsing_ns: 0 }
    }

    /// The query has been read.
    pub fn parsed(mut self) -> Self {
        self.parsing_ns = (self.clock)() - self.begun_ns;
        self
    }
}

/// A step that results pass through.
#[derive(Clone, Debug)]
pub struct Processor {
    pub name: Cow<'static, str>,
    /// How many results have left it.
    pub results: u64,
    pub ns: u64,
}

/// What is told of a shard.
#[derive(Debug)]
pub struct ShardProfile {
    pub shard: u16,
    pub total_ns: u64,
    pub parsing_ns: u64,
    /// Not spent with the query: it waited for its turns.
    pub queue_ns: u64,
    pub creation_ns: u64,
    pub warnings: Warnings,
    pub iterators: Option<IteratorProfile>,
    pub processors: Vec<Processor>,
}

/// Measures a part of a query; one whose query is not profiled measures nothing.
#[derive(Debug, Default)]
pub struct Meter {
    profiling: Option<Profiling>,
    creation_ns: u64,
    busy_ns: u64,
    iterators: Option<IteratorProfile>,
    processors: Vec<Processor>,
}

impl Meter {
    pub fn of(question: &Question) -> Self {
        Self { profiling: question.profiling, ..Self::default() }
    }

    /// Monotonic ns; 0 if nothing is measured.
    pub fn now_ns(&self) -> u64 {
        self.profiling.map_or(0, |profiling| (profiling.clock)())
    }

    /// What was begun then has made what finds documents.
    pub fn created(&mut self, begun_ns: u64) {
        self.creation_ns += self.now_ns() - begun_ns;
        self.worked(begun_ns);
    }

    /// What was begun then was work on the query.
    pub fn worked(&mut self, begun_ns: u64) {
        self.busy_ns += self.now_ns() - begun_ns;
    }

    /// Results have left a step that took from then until now: the one before, or the next.
    pub fn passed(&mut self, name: impl Into<Cow<'static, str>>, results: u64, begun_ns: u64) {
        let ns = self.now_ns() - begun_ns;
        self.add(name.into(), results, ns);
    }

    /// As [`Meter::passed`], for a time that is known.
    pub fn add(&mut self, name: Cow<'static, str>, results: u64, ns: u64) {
        if self.profiling.is_none() {
            return;
        }
        match self.processors.last_mut() {
            Some(last) if last.name == name => {
                (last.results, last.ns) = (last.results + results, last.ns + ns)
            }
            _ => self.processors.push(Processor { name, results, ns }),
        }
    }

    /// An evaluation is done. `scores` says whether its results are wanted with scores, `has_vectors` whether with distances.
    pub fn evaluated(&mut self, profile: Profile, scores: bool, has_vectors: bool) {
        self.add("Index".into(), profile.found, profile.root.ns);
        if has_vectors {
            self.add("Metrics Applier".into(), profile.scored, profile.metrics_ns);
        }
        if scores {
            self.add("Scorer".into(), profile.scored, profile.scorer_ns);
        }
        self.iterators = Some(profile.root);
    }

    /// What is told of the shard; nothing if nothing was measured.
    pub fn finish(&mut self, cx: &ShardCx, warnings: Warnings) -> Option<ShardProfile> {
        let profiling = self.profiling?;
        let total_ns = self.now_ns() - profiling.begun_ns;
        Some(ShardProfile {
            shard: cx.id,
            total_ns,
            parsing_ns: profiling.parsing_ns,
            queue_ns: total_ns.saturating_sub(self.busy_ns + profiling.parsing_ns),
            creation_ns: self.creation_ns,
            warnings,
            iterators: self.iterators.take(),
            processors: std::mem::take(&mut self.processors),
        })
    }
}
