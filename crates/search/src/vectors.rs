//! Vectors in indexes and in queries.
//!
//! FLAT fields have their vectors in the index of each shard ([`field`]). HNSW fields have one graph in a process, for walking one of all documents costs little more than
//! walking one of a shard's: shards share it ([`registry`]), and documents go by ids that are unique over shards.
//!
//! A query's vector parts ([`Parts`]) stand for documents with distances ([`Neighbours`]), which are found before the rest is evaluated. With one
//! shard [`crate::evaluate::Evaluation`] sees to that. With several
//!
//! 1. the shard that serves the query walks the graphs as far as that takes no filter: ranges, and the nearest of all ([`Walk`]);
//! 2. if there is a filter, or a FLAT field, every shard says what it has ([`Sharing`]): the nearest of its own ([`Share::Found`]), having looked at each vector that passes because there are few, or because the field
//!    is FLAT; else the set of its documents that pass ([`Share::Passing`]). Then the graph is walked with the union of those sets;
//! 3. every shard evaluates the query with what was found, looking at its own documents only, and computes their distances again: so a document that
//!    has changed, or another one under the id of one that has gone, is never shown with a distance that it does not have.
//!
//! Whether few pass is said by the number of those that do, exactly: √(D/N) of N vectors, D being what a walk without a filter computes.

mod document;
mod field;
mod finding;
mod lending;
mod neighbours;
mod options;
mod parts;
mod registry;
mod running;
mod saving;
mod sharing;

pub use lending::Lender;
pub use neighbours::Neighbours;
pub use parts::{Part, Parts, Vectors};
pub use registry::{Graphs, Registry};
pub use sharing::{Share, Sharing, Walk};

pub(crate) use document::vectors;
pub(crate) use field::VectorField;
pub(crate) use finding::{Aim, Finding};
pub(crate) use options::NAMES;

/// What one fuel stands for: about the time that scoring a document takes.
const FUEL_NS: usize = 500;
