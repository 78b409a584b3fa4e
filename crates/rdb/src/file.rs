//! Whole RDB files: what stands between the values, and around them. Bytes in, bytes out; files are opened elsewhere.
//!
//! ```text
//! "REDIS" and four digits of version, or "VALKEY" and three
//! items: an opcode (1 byte) and what belongs to it, or a record: hints (opcodes of their own), type, key, value
//! 255, CRC-64 of all before it (8 bytes, little endian, 0 for none; from version 5 on)
//! ```
//!
//! Reading: [`Items`] of a slice, such as a memory map, or [`Feed`] of what comes in pieces. A [`Record`] is the place of a value; it is
//! built ([`Record::value`]) where and when it is wanted, so that one thread can find the records and others read them.
//!
//! Writing: a [`ChunkWriter`] for each part that is written by itself, and a [`Plan`] that makes one file of them. Our
//! files have chunks at multiples of 4096 bytes, and an index of them:
//!
//! ```text
//! head    header, AUX fields, functions, sizes of databases, AUX "weft-pad"
//! chunks  SELECTDB, records, …, AUX "weft-pad"
//! tail    AUX "weft-pad", AUX "weft-index", end
//! ```
//! To others that is an ordinary file, for who does not know an AUX field passes over it. [`Parts`] finds the chunks again,
//! each of which can be read by itself.

mod chunk;
mod damage;
mod feed;
mod index;
mod items;
mod modules;
mod padding;
mod plan;
mod skip;
#[cfg(test)]
mod tests;

pub use chunk::{Age, ChunkWriter, Meta, Written};
pub use damage::{Damage, Doing};
pub use feed::Feed;
pub use index::{Chunk, Index, Parts};
pub use items::{Brand, CheckSum, Form, Item, Items, Layout, Record};
pub use padding::{BLOCK_BYTES, NAME as PADDING};
pub use plan::{Ending, Head, Plan};

/// Items that are not records.
mod opcode {
    /// Metadata of modules that belongs to the next key (from version 13 on); in files of Valkey a slot that comes from
    /// another node.
    pub const KEY_META_OR_SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION: u8 = 245;
    pub const FUNCTION_OLD: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE_DB: u8 = 251;
    pub const EXPIRE_MS: u8 = 252;
    pub const EXPIRE_S: u8 = 253;
    pub const SELECT_DB: u8 = 254;
    pub const END: u8 = 255;
}

/// The type byte of values of modules of before Redis 4.0 was released, which nobody can pass over.
const MODULE_VALUE_OLD: u8 = 6;

/// The newest version of a file of Redis that is read. Versions after [`crate::VERSION_READ_MAX`] have types that are
/// refused where they occur, and nothing else that is new.
pub const VERSION_MAX: u16 = 16;
/// The newest version of a file of Valkey that is read.
pub const VALKEY_VERSION_MAX: u16 = 80;
