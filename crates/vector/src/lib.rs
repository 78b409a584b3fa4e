//! Nearest vectors: exact search over all (FLAT) and graphs (HNSW), and the kernels that both stand on.
//!
//! A library without a word of Redis in it: no keys, no documents, no replies. Vectors go by slots that stay, and carry a label that
//! the caller chose. No clock and no thread: whatever takes long goes in steps whose length the caller sets.

pub mod element;
pub mod kernel;

mod error;
mod flat;
mod halves;
mod hnsw;
mod pins;
mod plane;
mod rows;
mod shared;
mod space;
mod store;
mod top;

pub use element::{Element, Metric};
pub use error::Error;
pub use flat::{Flat, FlatSearch};
pub use hnsw::{Hnsw, LinksAt, Loan, M_MAX, Parameters, Reader, Remains, Saved, Search, Wish};
pub use shared::{Handle, STEP, Shared};
pub use space::Space;
pub use store::Slot;
pub use top::Found;

/// Dimensions go up to this, as in RediSearch.
pub const DIMENSION_MAX: usize = 32_768;

/// Of vectors that are sent as f32 they go up to this, as in vector sets of Redis.
pub const F32_DIMENSION_MAX: usize = 65_536;

/// EF_RUNTIME and EF_CONSTRUCTION go up to this.
pub const EF_MAX: usize = 1 << 20;

/// Every other label can be used.
pub const LABEL_MAX: u32 = u32::MAX;
