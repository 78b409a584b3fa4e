//! Sorted sets: members with scores, in the order of (score, member).

mod arena;
mod bounds;
mod grow;
mod index;
mod inner;
mod leaf;
mod thin;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

pub use bounds::{LexBound, LexRange, ScoreBound, ScoreRange};
pub use grow::Change;
pub use tree::Tree;
pub use walk::{Backward, Forward};
