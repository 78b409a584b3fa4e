//! The nearest of all shards' documents: what each shard says, and what the one that serves the query makes of it.

use super::finding::{Aim, Finding};
use super::neighbours::Neighbours;
use super::parts::{Vectors, Wish};
use super::running::Running;
use crate::evaluate::{Options, Statistics};
use crate::index::Index;
use crate::query::Node;
use roaring::RoaringBitmap;
use std::sync::Arc;

/// What a shard has for the nearest.
#[derive(Clone, Debug, PartialEq)]
pub enum Share {
    /// The nearest of its own documents.
    Found(Neighbours),
    /// The documents that pass the filter; they are more than it would look at one by one.
    Passing(RoaringBitmap),
}

/// What a shard has for the nearest, in steps.
#[derive(Debug)]
pub struct Sharing(Finding);

impl Sharing {
    /// Begins. `options.vectors` are what the first walk has found, `statistics` those of all shards.
    pub fn new(query: &Node, index: &Index, statistics: &Statistics, options: &Options) -> Self {
        Self(Finding::new(query, index, statistics, options, Aim::Share))
    }

    /// Goes on while `fuel` lasts. Says whether that was all.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        self.0.step(index, fuel)
    }

    /// What this shard has; all steps must be done.
    pub fn finish(self) -> Share {
        self.0.share.unwrap_or_else(|| Share::Found(Neighbours::default()))
    }
}

/// What the shard that serves the query finds in the graphs of all, in steps.
pub struct Walk {
    vectors: Vectors,
    found: Neighbours,
    passing: Option<RoaringBitmap>,
    at: usize,
    running: Option<Running>,
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Walk {
    /// Begins: without shares to find what takes no filter, afterwards with those of all shards, if there are any to be had.
    pub fn new(vectors: Vectors, shares: Vec<Share>) -> Self {
        let mut walk = Self { vectors, found: Neighbours::default(), passing: None, at: 0, running: None };
        let k = walk.vectors.parts().iter().find_map(|part| match part.wish {
            Wish::Nearest { k, .. } => Some(k),
            Wish::Within { .. } => None,
        });
        let has_shares = !shares.is_empty();
        for share in shares {
            match share {
                Share::Found(found) => walk.found.merge(found, k.unwrap_or(0)),
                Share::Passing(ids) => *walk.passing.get_or_insert_default() |= ids,
            }
        }
        if has_shares && walk.passing.is_none() {
            // Every shard has looked for itself.
            let found = std::mem::take(&mut walk.found);
            walk.vectors.set_nearest(found);
        }
        walk
    }

    /// Goes on while `fuel` lasts. Says whether that was all.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        let parts = Arc::clone(self.vectors.parts());
        while let Some(part) = parts.iter().nth(self.at) {
            let is_nearest = matches!(part.wish, Wish::Nearest { .. });
            let is_wanted =
                part.is_on_graph() || is_nearest && self.passing.is_some() || self.running.is_some();
            let field = index.vectors(part.field).filter(|_| is_wanted);
            let (Some(field), None) = (field, self.vectors.found(self.at)) else {
                self.at += 1;
                continue;
            };
            if *fuel == 0 {
                return false;
            }
            let passing = &mut self.passing;
            let running = self.running.get_or_insert_with(|| {
                let filter = passing.take_if(|_| !part.is_on_graph());
                Running::new(field, part, filter)
            });
            let Some(mut found) = running.step(field, part, fuel) else { return false };
            self.running = None;
            if let Wish::Nearest { k, .. } = part.wish {
                found.merge(std::mem::take(&mut self.found), k);
            }
            self.vectors.set(self.at, found);
        }
        true
    }

    /// What is known now; all steps must be done.
    pub fn finish(self) -> Vectors {
        self.vectors
    }
}
